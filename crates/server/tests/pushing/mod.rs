//! Small images pushed to a server in `--dev` through its own doors, without any client program: one
//! blob, and manifests that differ by an annotation.
//!
//! Must never look inside the server.

#![allow(dead_code, reason = "each suite uses a part of this module")]

pub mod receiver;

use crate::support::server::Server;
use bytes::Bytes;
use http::{Method, Request, header};
use roadstead_server::ambient::SystemClock;
use roadstead_server::client;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::net::SocketAddr;
use std::time::Duration;

pub const POLL: Duration = Duration::from_millis(50);
/// 60 s: above the longest pause that these tests provoke, on a loaded machine.
pub const POLLS_MAX: u32 = 1_200;

/// `{}`, the empty configuration of the OCI image specification 1.1.
const EMPTY: &str = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// A client of one server.
pub struct Pusher {
    address: SocketAddr,
    runtime: tokio::runtime::Runtime,
}

impl Pusher {
    pub fn of(server: &Server) -> Self {
        Self::new(&server.address)
    }

    pub fn new(address: &str) -> Self {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        Self {
            address: address.parse().expect("an address"),
            runtime: runtime.enable_all().build().expect("a runtime"),
        }
    }

    fn send(&self, request: Request<Bytes>) -> (u16, Bytes) {
        let answer = self.runtime.block_on(client::send(self.address, request));
        let answer = answer.expect("an answer");
        (answer.status().as_u16(), answer.into_body())
    }

    /// Calls an operation of Amazon ECR, which must work.
    pub fn ecr(&self, operation: &str, body: Value) -> Value {
        use roadstead_registry::context::Clock as _;
        let credentials = roadstead_sigv4::Credentials {
            access_key_id: "000000000000",
            secret_access_key: "any",
            session_token: None,
        };
        let target = format!("AmazonEC2ContainerRegistry_V20150921.{operation}");
        let body = Bytes::from(body.to_string());
        let now = SystemClock.now();
        let signed = client::signed(self.address, &credentials, "us-east-1", now, &target, body);
        let (status, body) = self.send(signed.expect("a request"));
        let text = String::from_utf8_lossy(&body);
        assert_eq!(status, 200, "{operation}: {text}");
        serde_json::from_slice(&body).expect("JSON")
    }

    /// Makes a repository with the one blob that all images need.
    pub fn create(&self, repository: &str) {
        self.ecr("CreateRepository", json!({ "repositoryName": repository }));
        self.create_over_oci(repository);
    }

    /// Pushes the one blob, which makes the repository in `--dev`.
    pub fn create_over_oci(&self, repository: &str) {
        let path = format!("/v2/{repository}/blobs/uploads/?digest={EMPTY}");
        let (status, _) = self.oci(Method::POST, &path, "application/octet-stream", b"{}");
        assert_eq!(status, 201);
    }

    fn oci(&self, method: Method, path: &str, media_type: &str, body: &[u8]) -> (u16, Bytes) {
        let request = Request::builder().method(method).uri(path);
        let request = request.header(header::CONTENT_TYPE, media_type);
        self.send(
            request
                .body(Bytes::copy_from_slice(body))
                .expect("a request"),
        )
    }

    /// Pushes an image under a tag, or under its digest, which is returned.
    pub fn push(&self, repository: &str, seed: &str, tag: Option<&str>) -> String {
        let empty = json!({
            "mediaType": "application/vnd.oci.empty.v1+json",
            "digest": EMPTY,
            "size": 2,
        });
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": "application/vnd.example.test",
            "config": empty,
            "layers": [empty],
            "annotations": { "seed": seed },
        });
        self.put(repository, &manifest, MANIFEST, tag)
    }

    /// Pushes an index over images that are there.
    pub fn push_index(&self, repository: &str, members: &[(&str, usize)], tag: &str) -> String {
        let members = members
            .iter()
            .map(|(digest, size)| json!({ "mediaType": MANIFEST, "digest": digest, "size": size }));
        let index = json!({
            "schemaVersion": 2,
            "mediaType": INDEX,
            "manifests": members.collect::<Vec<_>>(),
        });
        self.put(repository, &index, INDEX, Some(tag))
    }

    fn put(
        &self,
        repository: &str,
        manifest: &Value,
        media_type: &str,
        tag: Option<&str>,
    ) -> String {
        let bytes = manifest.to_string().into_bytes();
        let digest = format!("sha256:{}", hex::encode(Sha256::digest(&bytes)));
        let path = format!("/v2/{repository}/manifests/{}", tag.unwrap_or(&digest));
        let (status, said) = self.oci(Method::PUT, &path, media_type, &bytes);
        assert_eq!(status, 201, "{}", String::from_utf8_lossy(&said));
        digest
    }

    pub fn put_policy(&self, repository: &str, policy: &Value) {
        self.ecr(
            "PutLifecyclePolicy",
            json!({ "repositoryName": repository, "lifecyclePolicyText": policy.to_string() }),
        );
    }

    pub fn delete(&self, repository: &str, id: Value) {
        let answer = self.ecr(
            "BatchDeleteImage",
            json!({ "repositoryName": repository, "imageIds": [id] }),
        );
        assert_eq!(answer["failures"], json!([]), "{answer}");
    }

    /// The tags of a repository.
    pub fn tags(&self, repository: &str) -> Vec<String> {
        let listed = self.ecr("ListImages", json!({ "repositoryName": repository }));
        let ids = listed["imageIds"].as_array().expect("a list");
        let tags = ids.iter().filter_map(|id| id["imageTag"].as_str());
        let mut tags: Vec<String> = tags.map(str::to_owned).collect();
        tags.sort();
        tags
    }
}
