//! A client of both doors that keeps its token, and the questions every suite asks: does this
//! image pull completely, is nothing left behind.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Result, ensure};
use base64::Engine as _;
use bytes::Bytes;
use http::{Method, Request};
use roadstead_domain::time::Span;
use roadstead_registry::context::Clock;
use roadstead_testkit::images::{self, Artifact, Layout};
use roadstead_testkit::{Answer, Credentials, World, folder};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

/// The one header of a request that says nothing else.
const BLOB_TYPE: (&str, &str) = ("content-type", "application/octet-stream");

/// A client with a key and a token.
#[derive(Clone)]
pub struct Client {
    address: SocketAddr,
    key: Credentials,
    clock: Arc<dyn Clock>,
    basic: String,
}

/// A request without a body.
pub fn none() -> Bytes {
    Bytes::new()
}

impl Client {
    /// A client of a world.
    pub async fn of(world: &World) -> Self {
        let (address, key) = (world.address, world.credentials.clone());
        Self::new(address, key, world.clock.clone())
            .await
            .expect("a token")
    }

    /// A client of any server.
    pub async fn new(address: SocketAddr, key: Credentials, clock: Arc<dyn Clock>) -> Result<Self> {
        let basic = String::new();
        let mut client = Self {
            address,
            key,
            clock,
            basic,
        };
        client.log_in().await?;
        Ok(client)
    }

    /// Takes a new token.
    pub async fn log_in(&mut self) -> Result<()> {
        let answer = self.try_ecr("GetAuthorizationToken", json!({})).await?;
        let token = answer.json()["authorizationData"][0]["authorizationToken"].clone();
        ensure!(token.is_string(), "{}", answer.text());
        self.basic = format!("Basic {}", token.as_str().unwrap_or_default());
        Ok(())
    }

    async fn send(&self, request: Request<Bytes>) -> Result<Answer> {
        let answer = roadstead_server::client::send(self.address, request).await?;
        let (head, body) = answer.into_parts();
        let (status, headers) = (head.status, head.headers);
        Ok(Answer {
            status,
            headers,
            body,
        })
    }

    /// Calls an ECR operation; fails if there is no answer.
    pub async fn try_ecr(&self, operation: &str, input: Value) -> Result<Answer> {
        let who = roadstead_sigv4::Credentials {
            access_key_id: &self.key.id,
            secret_access_key: &self.key.secret,
            session_token: None,
        };
        let target = format!("{}.{operation}", roadstead_testkit::aws::ECR);
        let (region, body) = (&self.key.region, Bytes::from(input.to_string()));
        let now = self.clock.now();
        let request =
            roadstead_server::client::signed(self.address, &who, region, now, &target, body)?;
        self.send(request).await
    }

    /// Calls an ECR operation.
    pub async fn ecr(&self, operation: &str, input: Value) -> Answer {
        self.try_ecr(operation, input).await.expect("an answer")
    }

    /// Sends a request to `/v2`; fails if there is no answer.
    pub async fn try_v2(
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
    pub async fn v2(&self, method: Method, path: &str, body: Bytes) -> Answer {
        self.try_v2(method, path, BLOB_TYPE, body)
            .await
            .expect("an answer")
    }

    /// Makes a repository.
    pub async fn create(&self, repository: &str) {
        self.ecr("CreateRepository", json!({ "repositoryName": repository }))
            .await
            .expect(200);
    }

    /// Deletes a repository with all that it holds.
    pub async fn remove(&self, repository: &str) -> Answer {
        let input = json!({ "repositoryName": repository, "force": true });
        self.ecr("DeleteRepository", input).await
    }

    /// Pushes a blob in one request.
    pub async fn push(&self, repository: &str, bytes: &Bytes) -> Answer {
        self.try_push(repository, bytes).await.expect("an answer")
    }

    /// Pushes a blob in one request; fails if there is no answer.
    pub async fn try_push(&self, repository: &str, bytes: &Bytes) -> Result<Answer> {
        let digest = images::digest(bytes);
        let path = format!("/v2/{repository}/blobs/uploads/?digest={digest}");
        self.try_v2(Method::POST, &path, BLOB_TYPE, bytes.clone())
            .await
    }

    /// Asks for a blob without its bytes: the status.
    pub async fn head_blob(&self, repository: &str, digest: &str) -> u16 {
        let path = format!("/v2/{repository}/blobs/{digest}");
        self.v2(Method::HEAD, &path, none()).await.status.as_u16()
    }

    /// Takes a blob over from another repository.
    pub async fn mount(&self, from: &str, to: &str, digest: &str) -> Answer {
        let path = format!("/v2/{to}/blobs/uploads/?mount={digest}&from={from}");
        self.v2(Method::POST, &path, none()).await
    }

    /// Stores a manifest under a tag or its digest; fails if there is no answer.
    pub async fn try_put(
        &self,
        repository: &str,
        reference: &str,
        manifest: &Artifact,
    ) -> Result<Answer> {
        let path = format!("/v2/{repository}/manifests/{reference}");
        let header = ("content-type", manifest.media_type.as_str());
        self.try_v2(Method::PUT, &path, header, manifest.bytes.clone())
            .await
    }

    /// Stores a manifest under a tag or its digest.
    pub async fn put(&self, repository: &str, reference: &str, manifest: &Artifact) -> Answer {
        self.try_put(repository, reference, manifest)
            .await
            .expect("an answer")
    }

    /// Stores a manifest by its digest alone.
    pub async fn put_untagged(&self, repository: &str, manifest: &Artifact) -> Answer {
        self.put(repository, &manifest.digest, manifest).await
    }

    /// Pushes all blobs of an image and its manifest.
    pub async fn push_image(&self, repository: &str, layout: &Layout, reference: &str) {
        for blob in &layout.blobs {
            self.push(repository, blob).await.expect(201);
        }
        self.put(repository, reference, &layout.manifest)
            .await
            .expect(201);
    }

    /// Deletes by tag or digest on `/v2`: the status.
    pub async fn delete(&self, repository: &str, reference: &str) -> u16 {
        let path = format!("/v2/{repository}/manifests/{reference}");
        self.v2(Method::DELETE, &path, none()).await.status.as_u16()
    }

    /// Deletes by the API.
    pub async fn batch_delete(&self, repository: &str, ids: Value) -> Answer {
        let input = json!({ "repositoryName": repository, "imageIds": ids });
        self.ecr("BatchDeleteImage", input).await
    }

    /// The status of a manifest.
    pub async fn head(&self, repository: &str, reference: &str) -> u16 {
        let path = format!("/v2/{repository}/manifests/{reference}");
        self.v2(Method::HEAD, &path, none()).await.status.as_u16()
    }

    /// All (digest, tag) pairs, as `digest tag` with an empty tag for untagged images, sorted.
    pub async fn listed(&self, repository: &str) -> Vec<String> {
        let input = json!({ "repositoryName": repository, "maxResults": 1000 });
        let answer = self.ecr("ListImages", input).await.expect(200).json();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let ids = answer["imageIds"].as_array().expect("ids").iter();
        let mut pairs: Vec<String> = ids
            .map(|id| format!("{} {}", text(&id["imageDigest"]), text(&id["imageTag"])))
            .collect();
        pairs.sort();
        pairs
    }

    /// Pulls an image with everything below it, checking every digest.
    pub async fn pull(&self, repository: &str, reference: &str) -> Result<()> {
        let mut wanted = vec![reference.to_owned()];
        while let Some(reference) = wanted.pop() {
            let path = format!("/v2/{repository}/manifests/{reference}");
            let answer = self.try_v2(Method::GET, &path, BLOB_TYPE, none()).await?;
            ensure!(answer.status == 200, "{path}: {}", answer.text());
            let digest = images::digest(&answer.body);
            ensure!(answer.header("docker-content-digest") == digest, "{path}");
            ensure!(!reference.contains(':') || reference == digest, "{path}");
            let manifest = answer.json();
            let list = |name: &str| manifest[name].as_array().cloned().unwrap_or_default();
            let children = list("manifests");
            let named = |one: &Value| one["digest"].as_str().unwrap_or_default().to_owned();
            wanted.extend(children.iter().map(named));
            let mut blobs = list("layers");
            if manifest["config"].is_object() {
                blobs.push(manifest["config"].clone());
            }
            for blob in blobs.iter().map(named) {
                self.pull_blob(repository, &blob).await?;
            }
        }
        Ok(())
    }

    /// Pulls a blob and checks its digest.
    pub async fn pull_blob(&self, repository: &str, digest: &str) -> Result<()> {
        let path = format!("/v2/{repository}/blobs/{digest}");
        let answer = self.try_v2(Method::GET, &path, BLOB_TYPE, none()).await?;
        ensure!(answer.status == 200, "{path}: {}", answer.text());
        ensure!(
            images::digest(&answer.body) == digest,
            "{path}: wrong bytes"
        );
        Ok(())
    }

    /// Every tagged image of a repository pulls.
    pub async fn pull_all(&self, repository: &str) {
        for pair in self.listed(repository).await {
            let (digest, tag) = pair.split_once(' ').expect("a pair");
            let reference = if tag.is_empty() { digest } else { tag };
            self.pull(repository, reference)
                .await
                .unwrap_or_else(|error| panic!("{repository}: {pair}: {error}"));
        }
    }

    /// Opens an upload: its path.
    pub async fn open_upload(&self, repository: &str) -> String {
        let path = format!("/v2/{repository}/blobs/uploads/");
        let answer = self.v2(Method::POST, &path, none()).await.expect(202);
        answer.header("location").to_owned()
    }

    /// Sends a chunk that starts at `first`.
    pub async fn chunk(&self, upload: &str, first: usize, bytes: Bytes) -> Answer {
        let range = format!("{first}-{}", (first + bytes.len()).saturating_sub(1));
        let header = ("content-range", range.as_str());
        self.try_v2(Method::PATCH, upload, header, bytes)
            .await
            .expect("an answer")
    }

    /// Starts a stream to an upload that promises so many bytes: the connection to write them to.
    pub async fn open_stream(&self, upload: &str, length: usize) -> TcpStream {
        let stream = TcpStream::connect(self.address).await;
        let mut stream = stream.expect("a connection");
        let head = format!(
            "PATCH {upload} HTTP/1.1\r\nHost: {}\r\nAuthorization: {}\r\n\
             Content-Length: {length}\r\n\r\n",
            self.address, self.basic
        );
        stream.write_all(head.as_bytes()).await.expect("a head");
        stream
    }

    /// Ends an upload with what is left of the blob.
    pub async fn finish(&self, upload: &str, rest: Bytes, digest: &str) -> Answer {
        self.v2(Method::PUT, &format!("{upload}?digest={digest}"), rest)
            .await
    }

    /// Pushes a blob by the layer operations of the API, in one part: the last answer.
    pub async fn push_layer(&self, repository: &str, bytes: &Bytes) -> Answer {
        let input = json!({ "repositoryName": repository });
        let opened = self.ecr("InitiateLayerUpload", input).await;
        if opened.status != 200 {
            return opened;
        }
        let part = json!({
            "repositoryName": repository, "uploadId": opened.json()["uploadId"],
            "partFirstByte": 0, "partLastByte": bytes.len() - 1,
            "layerPartBlob": base64::engine::general_purpose::STANDARD.encode(bytes),
        });
        let sent = self.ecr("UploadLayerPart", part).await;
        if sent.status != 200 {
            return sent;
        }
        let input = json!({
            "repositoryName": repository, "uploadId": opened.json()["uploadId"],
            "layerDigests": [images::digest(bytes)],
        });
        self.ecr("CompleteLayerUpload", input).await
    }

    /// What the API says of a layer: `AVAILABLE` or `UNAVAILABLE`.
    pub async fn availability(&self, repository: &str, digest: &str) -> String {
        let input = json!({ "repositoryName": repository, "layerDigests": [digest] });
        let answer = self.ecr("BatchCheckLayerAvailability", input).await;
        let layer = answer.expect(200).json()["layers"][0].clone();
        layer["layerAvailability"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// The names of all repositories.
    pub async fn repositories(&self) -> Vec<String> {
        let input = json!({ "maxResults": 1000 });
        let answer = self.ecr("DescribeRepositories", input).await.expect(200);
        let all = answer.json()["repositories"].as_array().cloned();
        let name = |one: &Value| one["repositoryName"].as_str().expect("a name").to_owned();
        all.expect("a list").iter().map(name).collect()
    }
}

/// Moves the clock so far that every grace is over, and sweeps.
pub async fn sweep_all(world: &World) {
    world.clock.advance(Span::hours(25));
    world.sweep().await;
}

/// Deletes all repositories and sweeps; then no file and no row may be left.
pub async fn nothing_is_left(world: &World) {
    let client = Client::of(world).await;
    for repository in client.repositories().await {
        client.remove(&repository).await.expect(200);
    }
    sweep_all(world).await;
    assert_eq!(world.blob_files(), Vec::<std::path::PathBuf>::new());
    assert_eq!(folder::rows_left(&world.store()), [].into());
}
