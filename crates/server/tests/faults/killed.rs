//! F12, F19, F25, F26, F46: the real program, ended with SIGKILL in the middle of its work, and
//! started more than once.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use roadstead_server::ambient::SystemClock;
use roadstead_testkit::images::{self, Layout};
use roadstead_testkit::random::{Random, bytes_of};
use roadstead_testkit::{Credentials, Session};
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::watch;

use crate::doors::{Client, none};
use crate::support::server::{
    Key, create_key, free_address, roadstead, run_roadstead, status_of, utf8,
};

const POLL: Duration = Duration::from_millis(20);
const POLLS_MAX: u32 = 1500;

/// A running program; killed when dropped.
struct Program {
    child: Child,
    address: String,
}

impl Drop for Program {
    fn drop(&mut self) {
        // Both fail if it has ended already, which is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Program {
    fn spawn(data: &Path) -> Self {
        let address = free_address();
        let child = roadstead()
            .args(["serve", "--data", utf8(data), "--listen", &address])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let child = child.expect("the program starts");
        Self { child, address }
    }

    fn start(data: &Path) -> Self {
        let mut program = Self::spawn(data);
        for _ in 0..POLLS_MAX {
            if program.is_ready() {
                return program;
            }
            if let Some(status) = program.ended() {
                panic!("the server ended with {status}");
            }
            sleep(POLL);
        }
        panic!("the server is not ready in time");
    }

    fn is_ready(&self) -> bool {
        status_of(&self.address, "/readyz").is_ok_and(|status| status == 200)
    }

    fn ended(&mut self) -> Option<std::process::ExitStatus> {
        self.child.try_wait().expect("the state of the program")
    }

    /// SIGKILL, and the end of it.
    fn kill(mut self) {
        self.child.kill().expect("a running program");
        self.child.wait().expect("its end");
    }

    async fn client(&self, key: &Key) -> Client {
        let address: SocketAddr = self.address.parse().expect("an address");
        let key = Credentials {
            id: key.access_key_id.clone(),
            secret: key.secret_access_key.clone(),
            region: roadstead_testkit::world::REGION.into(),
        };
        let session = Session::log_in(address, key, Arc::new(SystemClock)).await;
        Client(session.expect("a token"))
    }
}

/// What a worker was told: tags that are there, with their digests, and tags that are gone. One
/// that it asked for without an answer is in neither.
#[derive(Default)]
struct Told {
    present: BTreeMap<String, String>,
    gone: Vec<String>,
}

fn repository(worker: usize) -> String {
    format!("worker/{worker}")
}

/// Pushes and deletes until the server does not answer any more.
async fn work(
    client: Client,
    worker: usize,
    round: u64,
    mut told: Told,
    done: watch::Sender<u64>,
) -> Told {
    let name = repository(worker);
    let mut random = Random::new(round * 100 + worker as u64);
    for n in 0_u64.. {
        if random.below(3) == 0 && !told.present.is_empty() {
            let at = random.below(told.present.len() as u64) as usize;
            let tag = told.present.keys().nth(at).cloned().unwrap_or_default();
            let digest = told.present.remove(&tag).unwrap_or_default();
            // By digest in half of the cases: other tags of the same content do not exist.
            let reference = if n % 2 == 0 { &tag } else { &digest };
            let path = format!("/v2/{name}/manifests/{reference}");
            match client.0.v2(Method::DELETE, &path, none()).await {
                Ok(answer) if answer.status == 202 => told.gone.push(tag),
                Ok(answer) => panic!("{path}: {}", answer.text()),
                Err(_) => return told,
            }
        } else {
            let tag = format!("r{round}-{n}");
            // A layer of its own, and one that all workers push at once.
            let own = bytes_of(&format!("{worker} {tag}"), 1000 + 40_000 * (n as usize % 3));
            let shared = bytes_of(&format!("shared {}", n % 4), 5000);
            let layout = Layout::of(&format!("{worker} {tag}"), vec![own, shared]);
            for blob in &layout.blobs {
                match client.0.push(&name, blob).await {
                    Ok(answer) => drop(answer.expect(201)),
                    Err(_) => return told,
                }
            }
            match client.0.put(&name, &tag, &layout.manifest).await {
                // Without grace a sweep may have come in between.
                Ok(answer) if answer.code().1 == "MANIFEST_BLOB_UNKNOWN" => {}
                Ok(answer) => {
                    answer.expect(201);
                    told.present.insert(tag, layout.manifest.digest.clone());
                }
                Err(_) => return told,
            }
        }
        done.send_modify(|count| *count += 1);
    }
    told
}

/// Everything that was acknowledged is as acknowledged; everything that is there is whole.
async fn verify(client: &Client, worker: usize, told: &Told) {
    let name = repository(worker);
    let listed = client.listed(&name).await;
    for (tag, digest) in &told.present {
        assert!(listed.contains(&format!("{digest} {tag}")), "lost: {tag}");
    }
    for tag in &told.gone {
        let is_back = listed.iter().any(|pair| pair.ends_with(&format!(" {tag}")));
        assert!(!is_back, "back: {tag}");
    }
    client.pull_all(&name).await;
}

const WORKERS: usize = 3;
const ROUNDS: u64 = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f12_f25_f26_what_was_acknowledged_outlives_a_kill() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let key = create_key(&data);
    let mut all: Vec<Told> = (0..WORKERS).map(|_| Told::default()).collect();
    let mut random = Random::new(9);
    for round in 0..ROUNDS {
        let program = Program::start(&data);
        let client = program.client(&key).await;
        for (worker, told) in all.iter().enumerate() {
            match round {
                0 => client.create(&repository(worker)).await,
                _ => verify(&client, worker, told).await,
            }
        }
        let (done, mut counted) = watch::channel(0);
        let workers: Vec<_> = std::mem::take(&mut all)
            .into_iter()
            .enumerate()
            .map(|(n, told)| tokio::spawn(work(client.clone(), n, round, told, done.clone())))
            .collect();
        // In the middle of whatever the workers are doing by then.
        let count = 3 + random.below(25);
        drop(counted.wait_for(|done| *done >= count).await);
        program.kill();
        for worker in workers {
            all.push(worker.await.expect("a worker"));
        }
    }
    assert!(all.iter().any(|told| !told.present.is_empty()));
    assert!(all.iter().any(|told| !told.gone.is_empty()));
    let program = Program::start(&data);
    let client = program.client(&key).await;
    for (worker, told) in all.iter().enumerate() {
        verify(&client, worker, told).await;
        client.remove(&repository(worker)).await.expect(200);
    }
    sweep(&data);
    assert_eq!(files(&data.join("blobs")), Vec::<String>::new());
}

fn sweep(data: &Path) {
    let args = ["sweep", "--now", "--data", utf8(data), "--output", "json"];
    run_roadstead(&args).expect_json();
}

/// The names of all files below a folder.
fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder").flatten();
    let paths = entries.map(|entry| entry.path());
    let below = paths.flat_map(|path| match path.is_dir() {
        true => files(&path),
        false => vec![path.display().to_string()],
    });
    below.collect()
}

#[tokio::test]
async fn f19_an_upload_goes_on_after_a_kill_with_the_hash_of_its_bytes() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let key = create_key(&data);
    let blob = bytes_of("interrupted", 900_000);
    let mut program = Program::start(&data);
    let client = program.client(&key).await;
    client.create("app").await;
    let upload = client.open_upload("app").await;
    let mut first = 0;
    for end in [1, 300_000, 600_001] {
        let client = program.client(&key).await;
        let part = blob.slice(first..end);
        client.chunk(&upload, first, part).await.expect(202);
        program.kill();
        program = Program::start(&data);
        let client = program.client(&key).await;
        let told = client.v2(Method::GET, &upload, none()).await.expect(204);
        assert_eq!(told.header("range"), format!("0-{}", end - 1));
        first = end;
    }
    let client = program.client(&key).await;
    let digest = images::digest(&blob);
    let rest = blob.slice(first..);
    client.finish(&upload, rest, &digest).await.expect(201);
    client.pull_blob("app", &digest).await.expect("the blob");
}

/// A power cut may take acknowledged bytes of a part (`decisions/0005`): refusal and status say so alike.
#[tokio::test]
async fn f19_an_upload_that_lost_bytes_says_where_it_stands() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let key = create_key(&data);
    let blob = bytes_of("cut short", 900_000);
    let mut program = Program::start(&data);
    let client = program.client(&key).await;
    client.create("app").await;
    let upload = client.open_upload("app").await;
    let part = blob.slice(..600_000);
    client.chunk(&upload, 0, part).await.expect(202);
    program.kill();
    let length = |path: &String| std::fs::metadata(path).expect("a file").len();
    let mut staged = files(&data.join("blobs")).into_iter();
    let staged = staged.find(|path| length(path) == 600_000);
    let staged = std::fs::OpenOptions::new()
        .write(true)
        .open(staged.expect("the bytes"));
    staged.expect("a file").set_len(300_000).expect("cut");
    program = Program::start(&data);
    let client = program.client(&key).await;
    // Without an offset a client means the one that it was told last.
    let rest = blob.slice(600_000..);
    let refused = client.v2(Method::PATCH, &upload, rest.clone()).await;
    assert_eq!(refused.status, 416);
    assert_eq!(refused.header("range"), "0-299999");
    let told = client.v2(Method::GET, &upload, none()).await.expect(204);
    assert_eq!(told.header("range"), "0-299999");
    let again = blob.slice(300_000..600_000);
    client.chunk(&upload, 300_000, again).await.expect(202);
    let digest = images::digest(&blob);
    client.finish(&upload, rest, &digest).await.expect(201);
    client.pull_blob("app", &digest).await.expect("the blob");
}

#[tokio::test]
async fn f19_a_long_stream_that_a_kill_cuts_keeps_what_came_before_its_last_checkpoint() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let key = create_key(&data);
    let mib = 1024 * 1024;
    let block = bytes_of("a block of a stream", mib);
    let blob = Bytes::from(block.repeat(140));
    let program = Program::start(&data);
    let client = program.client(&key).await;
    client.create("app").await;
    let upload = client.open_upload("app").await;
    let promised = blob.len() + mib;
    let mut stream = client.open_stream(&upload, promised).await;
    stream.write_all(&blob).await.expect("most of a body");
    // Nothing is acknowledged yet; what is told survives all the same.
    let last = loop {
        let told = client.v2(Method::GET, &upload, none()).await.expect(204);
        let last: usize = told.header("range")[2..].parse().expect("a last byte");
        if last > 0 {
            break last;
        }
        sleep(POLL);
    };
    assert!(last + 1 >= 128 * mib, "{last}");
    program.kill();
    let program = Program::start(&data);
    let client = program.client(&key).await;
    let range = format!("0-{last}");
    let told = client.v2(Method::GET, &upload, none()).await.expect(204);
    assert_eq!(told.header("range"), range);
    let wrong = client.chunk(&upload, 0, block).await.expect(416);
    assert_eq!(wrong.header("range"), range);
    assert_eq!(wrong.header("location"), upload);
    let digest = images::digest(&blob);
    let rest = blob.slice(last + 1..);
    client.finish(&upload, rest, &digest).await.expect(201);
    client.pull_blob("app", &digest).await.expect("the blob");
}

#[tokio::test]
async fn f46_of_many_servers_on_one_folder_one_starts_and_a_dead_one_is_no_hindrance() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let key = create_key(&data);
    for round in 0..3 {
        let mut programs: Vec<Program> = (0..4).map(|_| Program::spawn(&data)).collect();
        for _ in 0..POLLS_MAX {
            let ended = programs.iter_mut().filter_map(Program::ended).count();
            if ended == 3 && programs.iter().any(Program::is_ready) {
                break;
            }
            sleep(POLL);
        }
        let mut running = Vec::new();
        for mut program in programs {
            match program.ended() {
                Some(status) => assert!(!status.success(), "{status}"),
                None => running.push(program),
            }
        }
        assert_eq!(running.len(), 1, "running in round {round}");
        let program = running.remove(0);
        assert!(program.is_ready());
        let client = program.client(&key).await;
        if round == 0 {
            client.create("app").await;
        }
        let layout = Layout::image(&format!("round {round}"));
        let tag = format!("v{round}");
        client.push_image("app", &layout, &tag).await;
        // A command beside the server is done by the server: nobody else opens the store.
        sweep(&data);
        client.pull_all("app").await;
        assert_eq!(client.listed("app").await.len(), round + 1);
        let input = json!({ "repositoryNames": ["app"] });
        client.ecr("DescribeRepositories", input).await.expect(200);
        program.kill();
    }
}
