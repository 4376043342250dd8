//! Requests to the OCI face, and a push and pull in few words.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Method, Request};
use serde_json::{Value, json};

use crate::images::{Artifact, Layout};
use crate::world::{Credentials, World};
use crate::{Answer, client};

impl World {
    /// The `Authorization` header of a fresh token.
    pub async fn basic(&self, credentials: &Credentials) -> String {
        let answer = self
            .ecr_as(credentials, "GetAuthorizationToken", json!({}))
            .await
            .expect(200);
        let token = answer.json()["authorizationData"][0]["authorizationToken"].clone();
        format!("Basic {}", token.as_str().expect("a token"))
    }

    /// The `Authorization` header of any user name and password.
    pub fn basic_of(user: &str, password: &str) -> String {
        format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
    }

    /// Sends a request to `/v2` as the world's own account.
    pub async fn oci(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let basic = self.basic(&self.credentials).await;
        let mut all = vec![("authorization", basic.as_str())];
        all.extend_from_slice(headers);
        self.raw(method, path, &all, body).await
    }

    /// Sends a request with exactly these headers.
    pub async fn raw(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        client::send(self.address, request.body(body.into()).expect("a request")).await
    }

    /// Pushes a blob in one go and gives its digest.
    pub async fn push_blob(&self, repository: &str, bytes: &Bytes) -> String {
        let digest = crate::images::digest(bytes);
        let path = format!("/v2/{repository}/blobs/uploads/?digest={digest}");
        let octets = [("content-type", "application/octet-stream")];
        self.oci(Method::POST, &path, &octets, bytes.clone())
            .await
            .expect(201);
        digest
    }

    /// Pushes a manifest under a tag or its own digest.
    pub async fn push_manifest(
        &self,
        repository: &str,
        reference: &str,
        manifest: &Artifact,
    ) -> Answer {
        let path = format!("/v2/{repository}/manifests/{reference}");
        let headers = [("content-type", manifest.media_type.as_str())];
        self.oci(Method::PUT, &path, &headers, manifest.bytes.clone())
            .await
    }

    /// Makes a repository and pushes an image of its own content under each tag (untagged if there
    /// is none); gives the manifest.
    pub async fn push_image(&self, repository: &str, content: &str, tags: &[&str]) -> Artifact {
        let created = self
            .ecr("CreateRepository", json!({ "repositoryName": repository }))
            .await;
        assert!(created.status == 200 || created.code().1 == "RepositoryAlreadyExistsException");
        let layout = Layout::image(content);
        for blob in &layout.blobs {
            self.push_blob(repository, blob).await;
        }
        let references: Vec<&str> = if tags.is_empty() {
            vec![&layout.manifest.digest]
        } else {
            tags.to_vec()
        };
        for reference in references {
            self.push_manifest(repository, reference, &layout.manifest)
                .await
                .expect(201);
        }
        layout.manifest
    }

    /// Pushes an index of manifests that are there.
    pub async fn push_index(
        &self,
        repository: &str,
        reference: &str,
        children: &[&Artifact],
    ) -> Artifact {
        let index = crate::images::index(children);
        let reference = if reference.is_empty() {
            index.digest.clone()
        } else {
            reference.to_owned()
        };
        self.push_manifest(repository, &reference, &index)
            .await
            .expect(201);
        index
    }

    /// All (digest, tag) pairs of a repository as ListImages gives them.
    pub async fn image_ids(&self, repository: &str) -> Vec<Value> {
        let answer = self
            .ecr(
                "ListImages",
                json!({ "repositoryName": repository, "maxResults": 1000 }),
            )
            .await;
        answer.expect(200).json()["imageIds"]
            .as_array()
            .cloned()
            .unwrap_or_default()
    }
}
