//! A client of the server: pushes, looks and deletes through both doors.

use std::sync::Arc;

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use http::{Method, header};
use roadstead_server::ambient::SystemClock;
use roadstead_testkit::images::digest;
use roadstead_testkit::session::{OCTETS, none};
use roadstead_testkit::{Answer, Session};
use serde_json::{Value, json};

use super::images::{Image, Plan, layout};
use crate::ground::log_in;
use crate::ground::program::Program;

/// A client with a key and a token.
#[derive(Clone)]
pub(super) struct Client(Session);

impl Client {
    /// Logs in with the key that the start of the server made.
    pub(super) async fn log_in(program: &Program) -> Result<Self> {
        let key = program.key.as_ref();
        let session = log_in(program.address, key, Arc::new(SystemClock)).await;
        session.map(Self)
    }

    /// The same client of the server as it runs now.
    pub(super) fn at(self, program: &Program) -> Self {
        Self(self.0.at(program.address))
    }

    async fn ecr(&self, operation: &str, input: Value) -> Result<Value> {
        let answer = self.0.ecr(operation, input).await?;
        ensure!(answer.status == 200, "{operation}: {}", answer.text());
        Ok(answer.json())
    }

    async fn expect(
        &self,
        (method, status): (Method, u16),
        path: &str,
        header: (&str, &str),
        body: Bytes,
    ) -> Result<Answer> {
        let answer = self.0.v2_with(method.clone(), path, header, body).await?;
        if answer.status != status {
            bail!("{method} {path}: {} {}", answer.status, answer.text());
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
        for (turn, blob) in layout.blobs.iter().enumerate() {
            let path = format!("/v2/{repository}/blobs/uploads/");
            let opened = self
                .expect((Method::POST, 202), &path, OCTETS, none())
                .await?;
            let location = opened.header(header::LOCATION.as_str()).to_owned();
            let last = match turn % 2 {
                0 => blob.clone(),
                _ => {
                    let patch = (Method::PATCH, 202);
                    self.expect(patch, &location, OCTETS, blob.clone()).await?;
                    none()
                }
            };
            let path = format!("{location}?digest={}", digest(blob));
            self.expect((Method::PUT, 201), &path, OCTETS, last).await?;
        }
        let manifest = &layout.manifest;
        let path = format!("/v2/{repository}/manifests/seed-{seed:x}");
        let kind = ("content-type", manifest.media_type.as_str());
        self.expect((Method::PUT, 201), &path, kind, manifest.bytes.clone())
            .await?;
        Ok(Image::of(repository, &layout))
    }

    /// Whether an image is there with all its bytes.
    pub(super) async fn is_there(&self, image: &Image) -> Result<bool> {
        for path in image.paths() {
            let answer = self.0.v2(Method::GET, &path, none()).await?;
            if answer.status != 200 || !path.ends_with(&digest(&answer.body)) {
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
        self.expect(delete, &path, OCTETS, none()).await.map(drop)
    }

    /// What a HEAD is answered.
    pub(super) async fn status(&self, path: &str) -> Result<u16> {
        let answer = self.0.v2(Method::HEAD, path, none()).await?;
        Ok(answer.status.as_u16())
    }

    /// How many images of a repository are listed.
    pub(super) async fn listed(&self, repository: &str) -> Result<usize> {
        let name = json!({ "repositoryName": repository });
        let listed = self.ecr("ListImages", name).await?;
        let ids = listed["imageIds"].as_array().context("imageIds")?;
        Ok(ids.len())
    }
}
