//! A client of both doors that keeps its token, and the questions every suite asks: does this
//! image pull completely, is nothing left behind.

use anyhow::Result;
use bytes::Bytes;
use http::Method;
use roadstead_domain::time::Span;
use roadstead_testkit::images::{Artifact, Layout};
use roadstead_testkit::{Answer, Session, World, folder};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

pub use roadstead_testkit::session::none;

/// A session whose server always answers.
#[derive(Clone)]
pub struct Client(pub Session);

impl Client {
    /// A client of a world.
    pub async fn of(world: &World) -> Self {
        let (address, key) = (world.address, world.credentials.clone());
        let session = Session::log_in(address, key, world.clock.clone()).await;
        Self(session.expect("a token"))
    }

    /// Takes a new token.
    pub async fn renew(&mut self) {
        self.0.renew().await.expect("a token");
    }

    /// Calls an ECR operation.
    pub async fn ecr(&self, operation: &str, input: Value) -> Answer {
        self.0.ecr(operation, input).await.expect("an answer")
    }

    /// Sends a request to `/v2`.
    pub async fn v2(&self, method: Method, path: &str, body: Bytes) -> Answer {
        self.0.v2(method, path, body).await.expect("an answer")
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
        self.0.push(repository, bytes).await.expect("an answer")
    }

    /// Asks for a blob without its bytes: the status.
    pub async fn head_blob(&self, repository: &str, digest: &str) -> u16 {
        let path = format!("/v2/{repository}/blobs/{digest}");
        self.v2(Method::HEAD, &path, none()).await.status.as_u16()
    }

    /// Takes a blob over from another repository.
    pub async fn mount(&self, from: &str, to: &str, digest: &str) -> Answer {
        self.0.mount(from, to, digest).await.expect("an answer")
    }

    /// Stores a manifest under a tag or its digest.
    pub async fn put(&self, repository: &str, reference: &str, manifest: &Artifact) -> Answer {
        let put = self.0.put(repository, reference, manifest).await;
        put.expect("an answer")
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
        let pairs = self.0.listed(repository).await.expect("a list").into_iter();
        let mut pairs: Vec<String> = pairs
            .map(|(digest, tag)| format!("{digest} {tag}"))
            .collect();
        pairs.sort();
        pairs
    }

    /// Pulls an image with everything below it, checking every digest.
    pub async fn pull(&self, repository: &str, reference: &str) -> Result<()> {
        let mut wanted = vec![reference.to_owned()];
        while let Some(reference) = wanted.pop() {
            let (children, blobs) = self.0.manifest(repository, &reference).await?;
            wanted.extend(children);
            for blob in blobs {
                self.0.blob(repository, &blob).await?;
            }
        }
        Ok(())
    }

    /// Pulls a blob and checks its digest.
    pub async fn pull_blob(&self, repository: &str, digest: &str) -> Result<()> {
        self.0.blob(repository, digest).await
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
        let answer = self.0.open_upload(repository).await.expect("an answer");
        answer.expect(202).header("location").to_owned()
    }

    /// Sends a chunk that starts at `first`.
    pub async fn chunk(&self, upload: &str, first: usize, bytes: Bytes) -> Answer {
        self.0.chunk(upload, first, bytes).await.expect("an answer")
    }

    /// Starts a stream to an upload that promises so many bytes: the connection to write them to.
    pub async fn open_stream(&self, upload: &str, length: usize) -> TcpStream {
        let address = self.0.address();
        let stream = TcpStream::connect(address).await;
        let mut stream = stream.expect("a connection");
        let head = format!(
            "PATCH {upload} HTTP/1.1\r\nHost: {address}\r\nAuthorization: {}\r\n\
             Content-Length: {length}\r\n\r\n",
            self.0.authorization()
        );
        stream.write_all(head.as_bytes()).await.expect("a head");
        stream
    }

    /// Ends an upload with what is left of the blob.
    pub async fn finish(&self, upload: &str, rest: Bytes, digest: &str) -> Answer {
        self.0
            .finish(upload, rest, digest)
            .await
            .expect("an answer")
    }

    /// Pushes a blob by the layer operations of the API, in one part: the last answer.
    pub async fn push_layer(&self, repository: &str, bytes: &Bytes) -> Answer {
        let pushed = self.0.push_layer(repository, bytes).await;
        pushed.expect("an answer")
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
        self.0.repositories().await.expect("repositories")
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
