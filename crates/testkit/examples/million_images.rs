//! A repository of a million images, on demand: how long a preview of its lifecycle policy takes,
//! how much memory, and what pushes and pulls notice meanwhile.
//!
//! `cargo run --release -p roadstead-testkit --example million_images -- SERVER DIRECTORY [IMAGES]`
//! with the release binary of the server and a directory that is filled first if it is empty.
//! Figures are printed, not judged; the last ones are in `docs/lifecycle.md`.

#![allow(clippy::disallowed_methods)] // It measures: the time is what it is about.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use roadstead_domain::digest::Digest;
use roadstead_domain::ids::{AccountId, BlobKey, Region, RepositoryId};
use roadstead_domain::image::{Image, ImageStatus};
use roadstead_domain::media_type::{self, MediaType};
use roadstead_domain::name::{RepositoryKey, RepositoryName};
use roadstead_domain::reference::ImageTag;
use roadstead_domain::tagging::TagMutability;
use roadstead_domain::time::{Span, Timestamp};
use roadstead_server::client::{send, signed};
use roadstead_sigv4::Credentials;
use roadstead_store::metadata::{
    BlobEdge, MetadataStore, MetadataWrite, NewImage, NewRepository, StoreError,
};
use roadstead_store_sql::SqliteStore;
use serde_json::{Value, json};

const ACCOUNT: &str = "000000000000";
const REGION: &str = "us-east-1";
const NAME: &str = "million";
const BLOB: &[u8] = b"{}";

/// Images in one transaction: what a statement undoes grows with it.
const BATCH: u64 = 50;
const RULES: u64 = 50;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

#[tokio::main]
async fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [server, directory, rest @ ..] = arguments.as_slice() else {
        return Err("SERVER DIRECTORY [IMAGES]".into());
    };
    let images = rest.first().map_or(Ok(1_000_000), |text| text.parse())?;
    let directory = Path::new(directory);
    if !directory.join("metadata.sqlite").exists() {
        std::fs::create_dir_all(directory)?;
        let started = Instant::now();
        fill(directory, images).await?;
        println!("filled with {images} images in {:.0?}", started.elapsed());
    }
    measure(server, directory).await
}

/// Stores the images through the port, fifty in a transaction. One in five is untagged; each
/// twentieth is an index of the four before it.
async fn fill(directory: &Path, images: u64) -> Outcome<()> {
    let store: Box<dyn MetadataStore> = Box::new(SqliteStore::open(
        &directory.join("metadata.sqlite"),
        &roadstead_store_sql::SqliteOptions::default(),
    )?);
    let now = Timestamp(i64::try_from(
        std::time::SystemTime::UNIX_EPOCH.elapsed()?.as_micros(),
    )?);
    let key = RepositoryKey::private(
        AccountId::parse(ACCOUNT)?,
        Region::parse(REGION)?,
        RepositoryName::parse(NAME)?,
    );
    let new = NewRepository {
        key,
        created_at: now,
        tag_mutability: TagMutability::default(),
        scan_on_push: false,
        resource_tags: Vec::new(),
    };
    let made: Result<RepositoryId, StoreError> = store
        .write(new, |tx, new| {
            Box::pin(async move {
                let id = tx.insert_repository(new).await?;
                let id = id.ok_or_else(|| StoreError::Failed("the name is taken".into()))?;
                let (key, digest) = (BlobKey::from_random(1), Digest::sha256(BLOB));
                tx.insert_blob(&key, &digest, BLOB.len() as u64).await?;
                tx.link_blob(id, &digest, &key, new.created_at).await?;
                Ok(id)
            })
        })
        .await;
    let repository = made?;
    for from in (0..images).step_by(usize::try_from(BATCH)?) {
        let input = (repository, from, (from + BATCH).min(images), now);
        let done: Result<(), StoreError> = store
            .write(input, |tx, (repository, from, to, now)| {
                Box::pin(async move {
                    for at in *from..*to {
                        insert(tx, *repository, at, *now).await?;
                    }
                    Ok(())
                })
            })
            .await;
        done?;
    }
    Ok(())
}

async fn insert(
    tx: &mut dyn MetadataWrite,
    repository: RepositoryId,
    at: u64,
    now: Timestamp,
) -> Result<(), StoreError> {
    let digest = |at: u64| Digest::sha256(at.to_string().as_bytes());
    let is_index = at % 20 == 19;
    let manifest = Bytes::from(format!("{{\"image\":{at:0380}}}"));
    let edge = BlobEdge {
        digest: Digest::sha256(BLOB),
        media_type: MediaType::new("application/vnd.oci.image.config.v1+json"),
    };
    let kind = if is_index {
        media_type::OCI_INDEX
    } else {
        media_type::OCI_MANIFEST
    };
    let new = NewImage {
        image: Image {
            digest: digest(at),
            media_type: MediaType::new(kind),
            size_bytes: 2,
            manifest_size_bytes: manifest.len() as u64,
            artifact_type: None,
            subject: None,
            // One a minute, the last one now.
            pushed_at: now - Span::seconds(60 * (1_000_000 - at as i64)),
            push_seq: at as i64,
            status: ImageStatus::Active,
            last_pulled_at: None,
            archived_at: None,
            activated_at: None,
        },
        manifest,
        blobs: if is_index { vec![] } else { vec![edge] },
        children: if is_index {
            (at - 4..at).map(digest).collect()
        } else {
            vec![]
        },
    };
    tx.insert_image(repository, &new).await?;
    if !at.is_multiple_of(5) {
        let text = format!("team{}-v{at}", at % RULES);
        let tag = ImageTag::parse(&text).map_err(|error| StoreError::Failed(error.to_string()))?;
        tx.put_tag(repository, &tag, &digest(at), now, at as i64)
            .await?;
    }
    Ok(())
}

/// Fifty rules: one for each team, then untagged, then any.
fn policy() -> String {
    let rule = |priority: u64, mut selection: Value, number: u64| {
        selection["countNumber"] = number.into();
        json!({"rulePriority": priority, "selection": selection, "action": {"type": "expire"}})
    };
    let mut rules: Vec<Value> = (1..RULES - 1)
        .map(|team| {
            let selection = json!({
                "tagStatus": "tagged",
                "tagPrefixList": [format!("team{team}-")],
                "countType": "imageCountMoreThan",
            });
            rule(team, selection, 1_000)
        })
        .collect();
    let untagged =
        json!({"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days"});
    rules.push(rule(RULES - 1, untagged, 30));
    let any = json!({"tagStatus": "any", "countType": "imageCountMoreThan"});
    rules.push(rule(RULES, any, 100_000));
    json!({ "rules": rules }).to_string()
}

async fn measure(server: &str, directory: &Path) -> Outcome<()> {
    let mut child = Command::new(server)
        .args(["serve", "--dev", "--listen", "127.0.0.1:0", "--data"])
        .arg(directory)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()?;
    let result = drive(&mut child).await;
    child.kill()?;
    child.wait()?;
    result
}

async fn drive(child: &mut Child) -> Outcome<()> {
    let mut greeting = BufReader::new(child.stdout.take().ok_or("no output")?);
    let mut line = String::new();
    greeting.read_line(&mut line)?;
    let address = line
        .split_whitespace()
        .find_map(|word| word.trim_end_matches(',').strip_prefix("http://"))
        .ok_or("no address in the greeting")?;
    let address: SocketAddr = address.parse()?;
    std::thread::spawn(move || std::io::copy(&mut greeting, &mut std::io::sink()));
    let usual = Load::start(address)?.run_for(Duration::from_secs(10)).await;
    println!("usual: {usual}");
    let mut ratios = Vec::new();
    for round in 1..=3 {
        let before = peak(child.id());
        let load = Load::start(address)?;
        let started = Instant::now();
        call(
            address,
            "StartLifecyclePolicyPreview",
            json!({"lifecyclePolicyText": policy()}),
        )
        .await?;
        let mut polls = 0;
        let done = loop {
            let answer = call(
                address,
                "GetLifecyclePolicyPreview",
                json!({"maxResults": 1}),
            )
            .await?;
            if answer["status"] != "IN_PROGRESS" {
                break answer;
            }
            polls += 1;
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        let took = started.elapsed();
        let meanwhile = load.stop();
        println!(
            "preview {round}: {} in {took:.2?} ({polls} polls), peak memory {} MiB (was {before}), expiring {}",
            done["status"],
            peak(child.id()),
            done["summary"]["expiringImageTotalCount"],
        );
        println!("meanwhile: {meanwhile}");
        ratios.push((
            meanwhile.pushes / usual.pushes,
            meanwhile.pulls / usual.pulls,
        ));
        let again = Load::start(address)?.run_for(Duration::from_secs(5)).await;
        println!("after: {again}, own memory {} MiB", own(child.id()));
    }
    println!("of the usual speed, pushes and pulls: {ratios:.2?}");
    Ok(())
}

async fn call(address: SocketAddr, operation: &str, mut body: Value) -> Outcome<Value> {
    body["repositoryName"] = NAME.into();
    let now = Timestamp(i64::try_from(
        std::time::SystemTime::UNIX_EPOCH.elapsed()?.as_micros(),
    )?);
    let credentials = Credentials {
        access_key_id: ACCOUNT,
        secret_access_key: "any",
        session_token: None,
    };
    let target = format!("AmazonEC2ContainerRegistry_V20150921.{operation}");
    let body = Bytes::from(body.to_string());
    let request = signed(address, &credentials, REGION, now, &target, body)?;
    let answer = send(address, request).await?;
    let status = answer.status();
    let value: Value = serde_json::from_slice(answer.body())?;
    if status.is_success() {
        Ok(value)
    } else {
        Err(format!("{operation}: {status} {value}").into())
    }
}

/// The most memory that a process ever had resident, MiB.
fn peak(process: u32) -> u64 {
    memory(process, "VmHWM:")
}

/// Its memory that is not a copy of a file, now, MiB.
fn own(process: u32) -> u64 {
    memory(process, "RssAnon:")
}

fn memory(process: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or_default() / 1024
}

/// One pusher and one puller on connections of their own.
struct Load {
    stopping: Arc<AtomicBool>,
    pushes: Arc<AtomicU64>,
    pulls: Arc<AtomicU64>,
    started: Instant,
}

struct Rates {
    pushes: f64,
    pulls: f64,
}

impl std::fmt::Display for Rates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.0} pushes/s, {:.0} pulls/s", self.pushes, self.pulls)
    }
}

impl Load {
    fn start(address: SocketAddr) -> Outcome<Self> {
        let load = Self {
            stopping: Arc::default(),
            pushes: Arc::default(),
            pulls: Arc::default(),
            started: Instant::now(),
        };
        let nonce = std::time::SystemTime::UNIX_EPOCH.elapsed()?.as_nanos();
        let mut turn = 0_u64;
        load.spawn(address, load.pushes.clone(), move || {
            turn += 1;
            let config = format!(
                "{{\"mediaType\":\"application/vnd.oci.image.config.v1+json\",\"size\":{},\"digest\":\"{}\"}}",
                BLOB.len(), Digest::sha256(BLOB),
            );
            let manifest = format!(
                "{{\"schemaVersion\":2,\"mediaType\":\"{}\",\"config\":{config},\"layers\":[],\"annotations\":{{\"turn\":\"{nonce}-{turn}\"}}}}",
                media_type::OCI_MANIFEST,
            );
            format!(
                "PUT /v2/{NAME}/manifests/load-{nonce}-{turn} HTTP/1.1\r\nhost: {address}\r\ncontent-type: {}\r\ncontent-length: {}\r\n\r\n{manifest}",
                media_type::OCI_MANIFEST, manifest.len(),
            )
        })?;
        let mut turn = 0_u64;
        load.spawn(address, load.pulls.clone(), move || {
            turn = (turn + 7919) % 100_000;
            let digest = Digest::sha256((turn * 10 + 1).to_string().as_bytes());
            format!("GET /v2/{NAME}/manifests/{digest} HTTP/1.1\r\nhost: {address}\r\n\r\n")
        })?;
        Ok(load)
    }

    fn spawn(
        &self,
        address: SocketAddr,
        count: Arc<AtomicU64>,
        mut request: impl FnMut() -> String + Send + 'static,
    ) -> Outcome<()> {
        let stopping = self.stopping.clone();
        let mut connection = TcpStream::connect(address)?;
        connection.set_nodelay(true)?;
        std::thread::spawn(move || {
            while !stopping.load(Ordering::Relaxed) {
                if let Err(error) = exchange(&mut connection, &request()) {
                    eprintln!("load: {error}");
                    return;
                }
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
        Ok(())
    }

    async fn run_for(self, length: Duration) -> Rates {
        tokio::time::sleep(length).await;
        self.stop()
    }

    fn stop(self) -> Rates {
        self.stopping.store(true, Ordering::Relaxed);
        let seconds = self.started.elapsed().as_secs_f64();
        let rate = |count: &AtomicU64| count.load(Ordering::Relaxed) as f64 / seconds;
        Rates {
            pushes: rate(&self.pushes),
            pulls: rate(&self.pulls),
        }
    }
}

/// Sends a request and reads the whole answer, which has to be a success.
fn exchange(connection: &mut TcpStream, request: &str) -> Outcome<()> {
    connection.write_all(request.as_bytes())?;
    let mut seen = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let read = connection.read(&mut buffer)?;
        if read == 0 {
            return Err("the server closed the connection".into());
        }
        seen.extend_from_slice(&buffer[..read]);
        let Some(end) = seen.windows(4).position(|window| window == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&seen[..end]).to_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(Ok(0), |text| text.trim().parse::<usize>())?;
        if !head.starts_with("http/1.1 2") {
            return Err(head.into());
        }
        if seen.len() >= end + 4 + length {
            return Ok(());
        }
    }
}
