//! Signed requests to the AWS face.

use bytes::Bytes;
use http::{Method, Request};
use roadstead_registry::context::Clock as _;
use roadstead_sigv4::{PathStyle, sign_header};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::world::{Credentials, World};
use crate::{Answer, client};

/// The target prefix of Amazon ECR.
pub const ECR: &str = "AmazonEC2ContainerRegistry_V20150921";

impl World {
    /// Calls an ECR operation with the world's own key.
    pub async fn ecr(&self, operation: &str, body: Value) -> Answer {
        self.ecr_as(&self.credentials, operation, body).await
    }

    /// Calls an ECR operation.
    pub async fn ecr_as(&self, credentials: &Credentials, operation: &str, body: Value) -> Answer {
        self.post(
            credentials,
            &format!("{ECR}.{operation}"),
            body.to_string().into(),
        )
        .await
    }

    /// Posts a signed body to a target.
    pub async fn post(&self, credentials: &Credentials, target: &str, body: Bytes) -> Answer {
        client::send(self.address, self.signed(credentials, target, body)).await
    }

    /// A signed JSON 1.1 request, to be sent as it is or after a change.
    pub fn signed(&self, credentials: &Credentials, target: &str, body: Bytes) -> Request<Bytes> {
        let host = self.address.to_string();
        let headers: Vec<(&str, &[u8])> = vec![
            ("host", host.as_bytes()),
            ("content-type", b"application/x-amz-json-1.1"),
            ("x-amz-target", target.as_bytes()),
        ];
        let to_sign = roadstead_sigv4::Request {
            method: "POST",
            path: "/",
            query: "",
            headers: &headers,
            hosts: &[],
            body_sha256: Sha256::digest(&body).into(),
        };
        let who = roadstead_sigv4::Credentials {
            access_key_id: &credentials.id,
            secret_access_key: &credentials.secret,
            session_token: None,
        };
        let signing = roadstead_sigv4::Signing {
            region: &credentials.region,
            service: "ecr",
            signed_at_secs: self.clock.now().seconds(),
            path_style: PathStyle::Normalized,
        };
        let added = sign_header(&to_sign, &who, &signing);
        let mut request = Request::builder().method(Method::POST).uri("/");
        for (name, value) in &headers {
            request = request.header(*name, *value);
        }
        for (name, value) in added {
            request = request.header(name, value);
        }
        request.body(body).expect("a request")
    }
}
