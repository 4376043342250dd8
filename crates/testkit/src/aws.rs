//! Signed requests to the AWS face.

use bytes::Bytes;
use http::Request;
use roadstead_domain::time::Timestamp;
use roadstead_registry::context::Clock as _;
use serde_json::Value;

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
        let (who, region, now) = self.signer(credentials);
        roadstead_server::client::signed(self.address, &who, region, now, target, body)
            .expect("a request")
    }

    /// The same, to a server of that name and signed for that service.
    pub fn signed_to(
        &self,
        to: (&str, &str),
        credentials: &Credentials,
        target: &str,
        body: Bytes,
    ) -> Request<Bytes> {
        let (who, region, now) = self.signer(credentials);
        roadstead_server::client::signed_to(to, &who, region, now, target, body).expect("a request")
    }

    fn signer<'a>(
        &self,
        credentials: &'a Credentials,
    ) -> (roadstead_sigv4::Credentials<'a>, &'a str, Timestamp) {
        let who = roadstead_sigv4::Credentials {
            access_key_id: &credentials.id,
            secret_access_key: &credentials.secret,
            session_token: None,
        };
        (who, &credentials.region, self.clock.now())
    }
}
