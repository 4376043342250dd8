//! A metadata store whose queue of writes can be stopped, and what clients can do meanwhile: go
//! away, come back, delete, sweep (F17, F27, F47).
//!
//! Like the real writer, the queue keeps its order and runs what it holds though the caller left.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use roadstead_domain::time::Span;
use roadstead_server::compose::Stores;
use roadstead_store::metadata::{ErasedRead, ErasedWrite, MetadataStore, StoreError};
use roadstead_testkit::World;
use roadstead_testkit::images;
use roadstead_testkit::random::bytes_of;
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot, watch};

use crate::doors::{Client, nothing_is_left};

type Job = (ErasedWrite, oneshot::Sender<Result<(), StoreError>>);

struct Gated {
    inner: Arc<dyn MetadataStore>,
    queue: mpsc::UnboundedSender<Job>,
    queued: watch::Sender<usize>,
}

/// Opens and closes the queue, and counts what has been queued.
struct Gate {
    is_open: watch::Sender<bool>,
    queued: watch::Receiver<usize>,
}

#[async_trait]
impl MetadataStore for Gated {
    async fn write_erased(&self, body: ErasedWrite) -> Result<(), StoreError> {
        let (answer, answered) = oneshot::channel();
        self.queue.send((body, answer)).expect("a worker");
        self.queued.send_modify(|count| *count += 1);
        answered.await.expect("an answer")
    }

    async fn read_erased(&self, body: ErasedRead) -> Result<(), StoreError> {
        self.inner.read_erased(body).await
    }
}

impl Gate {
    /// A world whose writes pass through the gate, which is open.
    async fn world() -> (World, Self) {
        let (is_open, mut open) = watch::channel(true);
        let (queued, seen) = watch::channel(0);
        let (queue, mut jobs) = mpsc::unbounded_channel::<Job>();
        let wrap = move |stores: Stores| {
            let worker = stores.metadata.clone();
            tokio::spawn(async move {
                while let Some((body, answer)) = jobs.recv().await {
                    let _ = open.wait_for(|is_open| *is_open).await;
                    let _ = answer.send(worker.write_erased(body).await);
                }
            });
            let inner = stores.metadata;
            let metadata = Arc::new(Gated {
                inner,
                queue,
                queued,
            });
            Stores { metadata, ..stores }
        };
        let world = World::builder().start_over(wrap).await;
        let gate = Self {
            is_open,
            queued: seen,
        };
        (world, gate)
    }

    /// Closes the gate: how many writes were queued so far.
    fn close(&self) -> usize {
        self.is_open.send_replace(false);
        *self.queued.borrow()
    }

    fn open(&self) {
        self.is_open.send_replace(true);
    }

    /// Waits until so many writes have been queued in all.
    async fn wait_for(&mut self, count: usize) {
        let counted = self.queued.wait_for(|queued| *queued >= count).await;
        drop(counted.expect("a store"));
    }
}

/// A request whose client can go away before its answer.
async fn send(world: &World, method: &str, path: &str, length: usize, body: &[u8]) -> TcpStream {
    let basic = world.basic(&world.credentials).await;
    let mut stream = TcpStream::connect(world.address).await.expect("a server");
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: {basic}\r\n\
         Connection: close\r\nContent-Length: {length}\r\n\r\n",
        world.address
    );
    stream.write_all(head.as_bytes()).await.expect("a head");
    stream.write_all(body).await.expect("a body");
    stream
}

/// Whether a request is writing to an upload: a chunk far out of place tells without a change.
async fn is_busy(client: &Client, upload: &str) -> bool {
    let probe = client
        .chunk(upload, 1 << 30, Bytes::from_static(b"x"))
        .await;
    probe.status == 409
}

async fn until_busy(client: &Client, upload: &str) {
    while !is_busy(client, upload).await {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn f17_a_finish_that_lost_its_client_is_not_written_over() {
    let (world, mut gate) = Gate::world().await;
    let client = Client::of(&world).await;
    client.create("app").await;
    let blob = bytes_of("finished by a ghost", 400_000);
    let digest = images::digest(&blob);
    let upload = client.open_upload("app").await;
    client.chunk(&upload, 0, blob.clone()).await.expect(202);
    let before = gate.close();
    // By the API: on `/v2` a request that lost its client goes on to its end.
    let ghost = tokio::spawn({
        let (client, digest) = (client.clone(), digest.clone());
        let id = upload.rsplit('/').next().unwrap_or_default().to_owned();
        let input = json!({"repositoryName": "app", "uploadId": id, "layerDigests": [digest]});
        async move { client.ecr("CompleteLayerUpload", input).await }
    });
    // The bytes are sealed and the commit is on its way; then the client goes.
    gate.wait_for(before + 1).await;
    ghost.abort();
    let other = tokio::spawn({
        let (client, upload) = (client.clone(), upload.clone());
        async move {
            loop {
                let other = Bytes::from_static(b"other");
                let answer = client.chunk(&upload, 400_000, other).await;
                if answer.status != 409 {
                    return answer;
                }
            }
        }
    });
    // Whoever comes next has queued its write behind the commit, having changed what it may.
    gate.wait_for(before + 2).await;
    gate.open();
    assert_eq!(other.await.expect("an answer").status, 404);
    client.pull_blob("app", &digest).await.expect("the blob");
    nothing_is_left(&world).await;
}

/// Deletes a repository while one of its uploads is being written to, and sweeps before the last
/// byte comes: the file that is made then has to go too.
async fn deleted_under_a_writer(method: &str) {
    let world = World::start().await;
    let client = Client::of(&world).await;
    client.create("app").await;
    let blob = bytes_of("slow", 1000);
    let upload = client.open_upload("app").await;
    let path = format!("{upload}?digest={}", images::digest(&blob));
    let mut slow = send(&world, method, &path, blob.len(), &blob[..10]).await;
    until_busy(&client, &upload).await;
    client.remove("app").await.expect(200);
    world.clock.advance(Span::hours(2));
    world.sweep().await;
    slow.write_all(&blob[10..]).await.expect("the rest");
    let mut answer = Vec::new();
    let read = tokio::io::AsyncReadExt::read_to_end(&mut slow, &mut answer);
    read.await.expect("an answer");
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
    nothing_is_left(&world).await;
}

#[tokio::test]
async fn f27_a_chunk_outliving_its_repository_leaves_no_file() {
    deleted_under_a_writer("PATCH").await;
}

#[tokio::test]
async fn f27_a_finish_outliving_its_repository_leaves_no_file() {
    deleted_under_a_writer("PUT").await;
}

#[tokio::test]
async fn f47_clients_that_go_away_in_the_middle_leave_nothing_behind() {
    let (world, mut gate) = Gate::world().await;
    let client = Client::of(&world).await;
    client.create("app").await;
    for round in 0..6 {
        let blob = bytes_of(&format!("left {round}"), 300_000);
        let digest = images::digest(&blob);
        let path = format!("/v2/app/blobs/uploads/?digest={digest}");
        let before = gate.close();
        let half = &blob[..if round % 2 == 0 { 150_000 } else { 300_000 }];
        let ghost = send(&world, "POST", &path, blob.len(), half).await;
        gate.wait_for(before + 1).await;
        if round % 3 == 0 {
            drop(ghost);
            gate.open();
        } else {
            gate.open();
            drop(ghost);
        }
        // Pushed again by a client that stays.
        client.push("app", &blob).await.expect(201);
        client.pull_blob("app", &digest).await.expect("the blob");
    }
    nothing_is_left(&world).await;
}
