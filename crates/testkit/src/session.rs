//! A client that is logged in: signed requests to the API, requests to `/v2` with a token, and looks
//! at images that check every digest. It tells what it was answered, and fails only if it was not.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Method, Request};
use roadstead_registry::context::Clock;
use serde_json::{Value, json};

use crate::images::{self, Artifact};
use crate::{Answer, Credentials, aws};

/// No answer in this time is no answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A client with a key and a token.
#[derive(Clone)]
pub struct Session {
    address: SocketAddr,
    key: Credentials,
    clock: Arc<dyn Clock>,
    basic: String,
}

/// A request without a body.
pub fn none() -> Bytes {
    Bytes::new()
}

/// The one header of a request that says nothing else.
pub const OCTETS: (&str, &str) = ("content-type", "application/octet-stream");

impl Session {
    /// Logs in.
    ///
    /// # Errors
    /// If the key is not accepted.
    pub async fn log_in(
        address: SocketAddr,
        key: Credentials,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        let basic = String::new();
        let mut session = Self {
            address,
            key,
            clock,
            basic,
        };
        session.renew().await?;
        Ok(session)
    }

    /// Takes a new token.
    ///
    /// # Errors
    /// If the key is not accepted.
    pub async fn renew(&mut self) -> Result<()> {
        let answer = self.ecr("GetAuthorizationToken", json!({})).await?;
        let token = answer.json()["authorizationData"][0]["authorizationToken"].clone();
        let Some(token) = token.as_str() else {
            bail!("the access key is not accepted: {}", answer.text());
        };
        self.basic = format!("Basic {token}");
        Ok(())
    }

    /// The same session with the server as it runs now.
    #[must_use]
    pub fn at(self, address: SocketAddr) -> Self {
        Self { address, ..self }
    }

    /// Where the server is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What its requests to `/v2` say of who asks (`Authorization`).
    pub fn authorization(&self) -> &str {
        &self.basic
    }

    async fn send(&self, request: Request<Bytes>) -> Result<Answer> {
        let sent = roadstead_server::client::send(self.address, request);
        let answer = tokio::time::timeout(PATIENCE, sent).await;
        let (head, body) = answer.context("no answer in time")??.into_parts();
        let (status, headers) = (head.status, head.headers);
        Ok(Answer {
            status,
            headers,
            body,
        })
    }

    /// Calls an ECR operation.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn ecr(&self, operation: &str, input: Value) -> Result<Answer> {
        let who = roadstead_sigv4::Credentials {
            access_key_id: &self.key.id,
            secret_access_key: &self.key.secret,
            session_token: None,
        };
        let target = format!("{}.{operation}", aws::ECR);
        let (now, body) = (self.clock.now(), Bytes::from(input.to_string()));
        let (to, region) = (self.address, &self.key.region);
        let request = roadstead_server::client::signed(to, &who, region, now, &target, body)?;
        self.send(request).await
    }

    /// Sends a request to `/v2` with one header more.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn v2_with(
        &self,
        method: Method,
        path: &str,
        header: (&str, &str),
        body: Bytes,
    ) -> Result<Answer> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", &self.basic)
            .header(header.0, header.1);
        self.send(request.body(body)?).await
    }

    /// Sends a request to `/v2`.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn v2(&self, method: Method, path: &str, body: Bytes) -> Result<Answer> {
        self.v2_with(method, path, OCTETS, body).await
    }

    /// Pushes a blob in one request.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn push(&self, repository: &str, bytes: &Bytes) -> Result<Answer> {
        let digest = images::digest(bytes);
        let path = format!("/v2/{repository}/blobs/uploads/?digest={digest}");
        self.v2(Method::POST, &path, bytes.clone()).await
    }

    /// Opens an upload.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn open_upload(&self, repository: &str) -> Result<Answer> {
        let path = format!("/v2/{repository}/blobs/uploads/");
        self.v2(Method::POST, &path, none()).await
    }

    /// Sends a chunk that starts at `first`.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn chunk(&self, upload: &str, first: usize, bytes: Bytes) -> Result<Answer> {
        let range = format!("{first}-{}", (first + bytes.len()).saturating_sub(1));
        let header = ("content-range", range.as_str());
        self.v2_with(Method::PATCH, upload, header, bytes).await
    }

    /// Ends an upload with what is left of the blob.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn finish(&self, upload: &str, rest: Bytes, digest: &str) -> Result<Answer> {
        let path = format!("{upload}?digest={digest}");
        self.v2(Method::PUT, &path, rest).await
    }

    /// Takes a blob over from another repository.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn mount(&self, from: &str, to: &str, digest: &str) -> Result<Answer> {
        let path = format!("/v2/{to}/blobs/uploads/?mount={digest}&from={from}");
        self.v2(Method::POST, &path, none()).await
    }

    /// Stores a manifest under a tag or its digest.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn put(&self, to: &str, reference: &str, manifest: &Artifact) -> Result<Answer> {
        let path = format!("/v2/{to}/manifests/{reference}");
        let header = ("content-type", manifest.media_type.as_str());
        self.v2_with(Method::PUT, &path, header, manifest.bytes.clone())
            .await
    }

    /// Pushes a blob by the layer operations of the API, in one part: the last answer.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn push_layer(&self, repository: &str, bytes: &Bytes) -> Result<Answer> {
        let input = json!({ "repositoryName": repository });
        let opened = self.ecr("InitiateLayerUpload", input).await?;
        if opened.status != 200 {
            return Ok(opened);
        }
        let part = json!({
            "repositoryName": repository, "uploadId": opened.json()["uploadId"],
            "partFirstByte": 0, "partLastByte": bytes.len() - 1,
            "layerPartBlob": STANDARD.encode(bytes),
        });
        let sent = self.ecr("UploadLayerPart", part).await?;
        if sent.status != 200 {
            return Ok(sent);
        }
        let input = json!({
            "repositoryName": repository, "uploadId": opened.json()["uploadId"],
            "layerDigests": [images::digest(bytes)],
        });
        self.ecr("CompleteLayerUpload", input).await
    }

    /// The names of all repositories.
    ///
    /// # Errors
    /// If they are not told.
    pub async fn repositories(&self) -> Result<Vec<String>> {
        let input = json!({ "maxResults": 1000 });
        let answer = self.ecr("DescribeRepositories", input).await?;
        ensure!(answer.status == 200, "repositories: {}", answer.text());
        let all = answer.json()["repositories"].as_array().cloned();
        let name = |one: &Value| {
            one["repositoryName"]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        Ok(all.unwrap_or_default().iter().map(name).collect())
    }

    /// All (digest, tag) pairs of a repository, with an empty tag for images without one.
    ///
    /// # Errors
    /// If they are not told.
    pub async fn listed(&self, repository: &str) -> Result<Vec<(String, String)>> {
        let input = json!({ "repositoryName": repository, "maxResults": 1000 });
        let answer = self.ecr("ListImages", input).await?;
        ensure!(answer.status == 200, "{repository}: {}", answer.text());
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let ids = answer.json()["imageIds"].as_array().cloned();
        let pair = |id: &Value| (text(&id["imageDigest"]), text(&id["imageTag"]));
        Ok(ids.unwrap_or_default().iter().map(pair).collect())
    }

    /// Reads a manifest and checks its digest; gives it with what it names: children, then blobs.
    ///
    /// # Errors
    /// If it cannot be read, or is not what was asked for.
    pub async fn manifest(
        &self,
        repository: &str,
        reference: &str,
    ) -> Result<(Vec<String>, Vec<String>)> {
        let path = format!("/v2/{repository}/manifests/{reference}");
        let answer = self.v2(Method::GET, &path, none()).await?;
        ensure!(
            answer.status == 200,
            "{path}: {} {}",
            answer.status,
            answer.text()
        );
        let digest = images::digest(&answer.body);
        ensure!(
            !reference.contains(':') || reference == digest,
            "{path}: is {digest}"
        );
        ensure!(
            answer.header("docker-content-digest") == digest,
            "{path}: is {digest}"
        );
        let manifest = answer.json();
        let named = |list: &Value| -> Vec<String> {
            let list = list.as_array().cloned().unwrap_or_default();
            let digest = |one: &Value| one["digest"].as_str().unwrap_or_default().to_owned();
            list.iter().map(digest).collect()
        };
        let mut blobs = named(&manifest["layers"]);
        if manifest["config"].is_object() {
            blobs.extend(named(&json!([manifest["config"]])));
        }
        Ok((named(&manifest["manifests"]), blobs))
    }

    /// Reads a blob and checks its digest.
    ///
    /// # Errors
    /// If it cannot be read, or its bytes are wrong.
    pub async fn blob(&self, repository: &str, digest: &str) -> Result<()> {
        let path = format!("/v2/{repository}/blobs/{digest}");
        let answer = self.v2(Method::GET, &path, none()).await?;
        ensure!(
            answer.status == 200,
            "{path}: {} {}",
            answer.status,
            answer.text()
        );
        let found = images::digest(&answer.body);
        ensure!(found == digest, "{path}: is {found}");
        Ok(())
    }
}
