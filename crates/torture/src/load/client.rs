//! A client of the server: pushes, looks and deletes through both doors.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use http::{Method, Request, Response, header};
use roadstead_registry::context::Clock as _;
use roadstead_server::ambient::SystemClock;
use roadstead_server::client::{send, signed};
use roadstead_sigv4::Credentials;
use roadstead_testkit::images::digest;
use serde_json::{Value, json};

use super::images::{Image, Plan, layout};
use crate::ground::program::Program;

const ECR: &str = "AmazonEC2ContainerRegistry_V20150921";
const REGION: &str = "us-east-1";

/// A client with a key and a token.
#[derive(Debug, Clone)]
pub(super) struct Client {
    address: SocketAddr,
    key: (String, String),
    basic: String,
}

impl Client {
    /// Logs in with the key that the start of the server made.
    pub(super) async fn log_in(program: &Program) -> Result<Self> {
        let mut client = Self {
            address: program.address,
            key: program.key.clone().context("no access key was made")?,
            basic: String::new(),
        };
        let token = client.ecr("GetAuthorizationToken", json!({})).await?;
        let token = &token["authorizationData"][0]["authorizationToken"];
        client.basic = format!("Basic {}", token.as_str().context("a token")?);
        Ok(client)
    }

    /// The same client of the server as it runs now.
    pub(super) fn at(mut self, program: &Program) -> Self {
        self.address = program.address;
        self
    }

    async fn ecr(&self, operation: &str, input: Value) -> Result<Value> {
        let credentials = Credentials {
            access_key_id: &self.key.0,
            secret_access_key: &self.key.1,
            session_token: None,
        };
        let (now, target) = (SystemClock.now(), format!("{ECR}.{operation}"));
        let body = Bytes::from(input.to_string());
        let request = signed(self.address, &credentials, REGION, now, &target, body)?;
        let answer = send(self.address, request).await?;
        let said = String::from_utf8_lossy(answer.body());
        ensure!(answer.status() == 200, "{operation}: {said}");
        Ok(serde_json::from_str(&said)?)
    }

    async fn v2(
        &self,
        method: Method,
        path: &str,
        kind: &str,
        body: Bytes,
    ) -> Result<Response<Bytes>> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::AUTHORIZATION, &self.basic)
            .header(header::CONTENT_TYPE, kind)
            .body(body)?;
        send(self.address, request).await
    }

    async fn expect(
        &self,
        (method, status): (Method, u16),
        path: &str,
        kind: &str,
        body: Bytes,
    ) -> Result<Response<Bytes>> {
        let answer = self.v2(method.clone(), path, kind, body).await?;
        if answer.status() != status {
            let said = String::from_utf8_lossy(answer.body());
            bail!("{method} {path}: {} {said}", answer.status());
        }
        Ok(answer)
    }

    /// Makes a repository.
    pub(super) async fn create(&self, repository: &str) -> Result<()> {
        let name = json!({ "repositoryName": repository });
        self.ecr("CreateRepository", name).await.map(drop)
    }

    /// Pushes the image of a seed, the blobs whole and in parts by turns.
    pub(super) async fn push(&self, repository: &str, seed: u64, plan: Plan) -> Result<Image> {
        let layout = layout(seed, plan);
        let octets = "application/octet-stream";
        for (turn, blob) in layout.blobs.iter().enumerate() {
            let path = format!("/v2/{repository}/blobs/uploads/");
            let opened = self
                .expect((Method::POST, 202), &path, octets, Bytes::new())
                .await?;
            let location = opened.headers()[header::LOCATION].to_str()?.to_owned();
            let last = match turn % 2 {
                0 => blob.clone(),
                _ => {
                    let patch = (Method::PATCH, 202);
                    self.expect(patch, &location, octets, blob.clone()).await?;
                    Bytes::new()
                }
            };
            let path = format!("{location}?digest={}", digest(blob));
            self.expect((Method::PUT, 201), &path, octets, last).await?;
        }
        let manifest = &layout.manifest;
        let path = format!("/v2/{repository}/manifests/seed-{seed:x}");
        let (kind, bytes) = (&manifest.media_type, manifest.bytes.clone());
        self.expect((Method::PUT, 201), &path, kind, bytes).await?;
        Ok(Image::of(repository, &layout))
    }

    /// Whether an image is there with all its bytes.
    pub(super) async fn is_there(&self, image: &Image) -> Result<bool> {
        for path in image.paths() {
            let answer = self.v2(Method::GET, &path, "", Bytes::new()).await?;
            if answer.status() != 200 || !path.ends_with(&digest(answer.body())) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Deletes an image by BatchDeleteImage or by OCI's DELETE.
    pub(super) async fn delete(&self, image: &Image, is_batch: bool) -> Result<()> {
        let Image {
            repository, digest, ..
        } = image;
        if is_batch {
            let ids = json!([{ "imageDigest": digest }]);
            let input = json!({ "repositoryName": repository, "imageIds": ids });
            let answer = self.ecr("BatchDeleteImage", input).await?;
            ensure!(answer["failures"] == json!([]), "{image}: {answer}");
            return Ok(());
        }
        let path = format!("/v2/{repository}/manifests/{digest}");
        let delete = (Method::DELETE, 202);
        self.expect(delete, &path, "", Bytes::new()).await.map(drop)
    }

    /// What a HEAD is answered.
    pub(super) async fn status(&self, path: &str) -> Result<u16> {
        let answer = self.v2(Method::HEAD, path, "", Bytes::new()).await?;
        Ok(answer.status().as_u16())
    }

    /// How many images of a repository are listed.
    pub(super) async fn listed(&self, repository: &str) -> Result<usize> {
        let name = json!({ "repositoryName": repository });
        let listed = self.ecr("ListImages", name).await?;
        let ids = listed["imageIds"].as_array().context("imageIds")?;
        Ok(ids.len())
    }
}
