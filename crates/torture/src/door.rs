//! Requests to a [`House`] by both doors, in few words. Knows how to ask, not what the answer
//! should be.

use std::cell::RefCell;

use anyhow::{Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Method, Request};
use roadstead_registry::context::Clock as _;
use roadstead_testkit::images::{self, Artifact};
use roadstead_testkit::{Answer, Credentials, aws};
use serde_json::{Value, json};

use crate::house::{HOST, House};

/// The one header of a request that says nothing else.
const BLOB_TYPE: (&str, &str) = ("content-type", "application/octet-stream");

/// A client of both doors, with the house that it lives in.
pub struct Door {
    /// The house.
    pub house: House,
    key: Credentials,
    basic: RefCell<String>,
}

/// A body of nothing.
pub fn none() -> Bytes {
    Bytes::new()
}

/// A member of an answer as a text, empty if it is none.
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

impl Door {
    /// Makes a key and logs in.
    pub async fn of(house: House) -> Result<Self> {
        let key = house.key().await?;
        let basic = RefCell::default();
        let door = Self { house, key, basic };
        door.log_in().await?;
        Ok(door)
    }

    /// Takes a new token.
    pub async fn log_in(&self) -> Result<()> {
        let answer = self.ecr("GetAuthorizationToken", json!({})).await;
        let token = text(&answer.json()["authorizationData"][0]["authorizationToken"]);
        ensure!(!token.is_empty(), "no token: {}", answer.text());
        *self.basic.borrow_mut() = format!("Basic {token}");
        Ok(())
    }

    /// Calls an ECR operation.
    pub async fn ecr(&self, operation: &str, input: Value) -> Answer {
        let who = roadstead_sigv4::Credentials {
            access_key_id: &self.key.id,
            secret_access_key: &self.key.secret,
            session_token: None,
        };
        let target = format!("{}.{operation}", aws::ECR);
        let (region, now) = (&self.key.region, self.house.clock.now());
        let (to, body) = ((HOST, "ecr"), Bytes::from(input.to_string()));
        let request = roadstead_server::client::signed_to(to, &who, region, now, &target, body);
        self.house.send(request.expect("a request")).await
    }

    /// Sends a request to `/v2` with one header.
    pub async fn v2_with(
        &self,
        method: Method,
        path: &str,
        header: (&str, &str),
        body: Bytes,
    ) -> Answer {
        let basic = self.basic.borrow().clone();
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", basic)
            .header(header.0, header.1)
            .body(body);
        self.house.send(request.expect("a request")).await
    }

    /// Sends a request to `/v2`.
    pub async fn v2(&self, method: Method, path: &str, body: Bytes) -> Answer {
        self.v2_with(method, path, BLOB_TYPE, body).await
    }

    /// Makes a repository.
    pub async fn create(&self, name: &str) -> Answer {
        let input = json!({ "repositoryName": name });
        self.ecr("CreateRepository", input).await
    }

    /// Deletes a repository.
    pub async fn remove(&self, name: &str, force: bool) -> Answer {
        let input = json!({ "repositoryName": name, "force": force });
        self.ecr("DeleteRepository", input).await
    }

    /// Pushes a blob in one request, said to have this digest.
    pub async fn push(&self, name: &str, digest: &str, bytes: &Bytes) -> Answer {
        let path = format!("/v2/{name}/blobs/uploads/?digest={digest}");
        self.v2(Method::POST, &path, bytes.clone()).await
    }

    /// Pushes a blob by the layer operations of the API, in one part: the last answer.
    pub async fn push_layer(&self, name: &str, bytes: &Bytes) -> Answer {
        let input = json!({ "repositoryName": name });
        let opened = self.ecr("InitiateLayerUpload", input).await;
        if opened.status != 200 {
            return opened;
        }
        let id = opened.json()["uploadId"].clone();
        let part = json!({
            "repositoryName": name, "uploadId": id,
            "partFirstByte": 0, "partLastByte": bytes.len() - 1,
            "layerPartBlob": STANDARD.encode(bytes),
        });
        let sent = self.ecr("UploadLayerPart", part).await;
        if sent.status != 200 {
            return sent;
        }
        let input = json!({
            "repositoryName": name, "uploadId": id, "layerDigests": [images::digest(bytes)],
        });
        self.ecr("CompleteLayerUpload", input).await
    }

    /// Takes a blob over from another repository.
    pub async fn mount(&self, from: &str, to: &str, digest: &str) -> Answer {
        let path = format!("/v2/{to}/blobs/uploads/?mount={digest}&from={from}");
        self.v2(Method::POST, &path, none()).await
    }

    /// Stores a manifest under a tag or its digest.
    pub async fn put(&self, name: &str, reference: &str, manifest: &Artifact) -> Answer {
        let path = format!("/v2/{name}/manifests/{reference}");
        let header = ("content-type", manifest.media_type.as_str());
        self.v2_with(Method::PUT, &path, header, manifest.bytes.clone())
            .await
    }

    /// Stores a manifest by the API.
    pub async fn put_image(&self, name: &str, tag: Option<&str>, manifest: &Artifact) -> Answer {
        let mut input = json!({ "repositoryName": name, "imageManifest": manifest.text() });
        if let Some(tag) = tag {
            input["imageTag"] = tag.into();
        }
        self.ecr("PutImage", input).await
    }

    /// Deletes by tag or digest on `/v2`.
    pub async fn delete(&self, name: &str, reference: &str) -> Answer {
        let path = format!("/v2/{name}/manifests/{reference}");
        self.v2(Method::DELETE, &path, none()).await
    }

    /// Deletes by the API.
    pub async fn batch_delete(&self, name: &str, ids: Value) -> Answer {
        let input = json!({ "repositoryName": name, "imageIds": ids });
        self.ecr("BatchDeleteImage", input).await
    }

    /// A manifest.
    pub async fn manifest(&self, name: &str, reference: &str) -> Answer {
        let path = format!("/v2/{name}/manifests/{reference}");
        self.v2(Method::GET, &path, none()).await
    }

    /// A blob.
    pub async fn blob(&self, name: &str, digest: &str) -> Answer {
        let path = format!("/v2/{name}/blobs/{digest}");
        self.v2(Method::GET, &path, none()).await
    }

    /// Sends a chunk that says that it starts at `first`.
    pub async fn chunk(&self, upload: &str, first: usize, bytes: Bytes) -> Answer {
        let range = format!("{first}-{}", (first + bytes.len()).saturating_sub(1));
        let header = ("content-range", range.as_str());
        self.v2_with(Method::PATCH, upload, header, bytes).await
    }

    /// Ends an upload with what is left of the blob.
    pub async fn finish(&self, upload: &str, rest: Bytes, digest: &str) -> Answer {
        let path = format!("{upload}?digest={digest}");
        self.v2(Method::PUT, &path, rest).await
    }

    /// All (digest, tag) pairs, as `digest tag` with an empty tag for untagged images, sorted.
    pub async fn listed(&self, name: &str) -> Vec<String> {
        let input = json!({ "repositoryName": name, "maxResults": 1000 });
        let answer = self.ecr("ListImages", input).await.json();
        let ids = answer["imageIds"].as_array().into_iter().flatten();
        let pair = |id: &Value| format!("{} {}", text(&id["imageDigest"]), text(&id["imageTag"]));
        let mut pairs: Vec<String> = ids.map(pair).collect();
        pairs.sort();
        pairs
    }

    /// The names of all repositories.
    pub async fn repositories(&self) -> Vec<String> {
        let input = json!({ "maxResults": 1000 });
        let answer = self.ecr("DescribeRepositories", input).await.json();
        let all = answer["repositories"].as_array().into_iter().flatten();
        all.map(|one| text(&one["repositoryName"])).collect()
    }

    /// Pulls an image with everything below it and checks every digest.
    pub async fn pull(&self, name: &str, reference: &str) -> Result<()> {
        let mut wanted = vec![reference.to_owned()];
        while let Some(reference) = wanted.pop() {
            let answer = self.manifest(name, &reference).await;
            ensure!(answer.status == 200, "{reference}: {}", answer.text());
            let digest = images::digest(&answer.body);
            ensure!(answer.header("docker-content-digest") == digest);
            ensure!(!reference.contains(':') || reference == digest);
            let manifest = answer.json();
            let list = |name: &str| manifest[name].as_array().cloned().unwrap_or_default();
            wanted.extend(list("manifests").iter().map(|one| text(&one["digest"])));
            let mut blobs = list("layers");
            if manifest["config"].is_object() {
                blobs.push(manifest["config"].clone());
            }
            for digest in blobs.iter().map(|one| text(&one["digest"])) {
                let blob = self.blob(name, &digest).await;
                ensure!(blob.status == 200, "{digest}: {}", blob.text());
                ensure!(
                    images::digest(&blob.body) == digest,
                    "{digest}: other bytes"
                );
            }
        }
        Ok(())
    }
}
