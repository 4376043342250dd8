//! Load on one server: connections that each do one thing after the other, timed one by one.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::aws::Server;
use crate::connection::{Connection, Scratch, scratch};
use crate::content::{Blob, MANIFEST_TYPE, block, digest, manifest, parts};

#[expect(
    clippy::disallowed_methods,
    reason = "a benchmark measures time; no clock of the product is meant"
)]
fn now() -> Instant {
    Instant::now()
}

/// Whom to ask, how, and for what.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    address: SocketAddr,
    /// The header of that name, if the server wants one.
    authorization: Option<String>,
    connections: usize,
    work: Work,
}

/// One kind of work.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Work {
    /// One request over and over, for a while.
    Repeat {
        method: String,
        path: String,
        seconds: f64,
    },
    /// The page of 100 of DescribeImages behind so many pages of 1,000, over and over.
    Describe {
        server: Server,
        repository: String,
        pages_before: usize,
        seconds: f64,
    },
    /// Blobs, each one new: POST, PATCH, PUT.
    PushBlobs {
        repository: String,
        size: usize,
        count: u64,
        seed: u64,
    },
    /// One image whose one layer has this size; answers the digest of the layer.
    PushImage { repository: String, size: usize },
    /// Manifests, each one new, over blobs that are pushed before.
    PutManifests {
        repository: String,
        count: u64,
        seed: u64,
        is_tagged: bool,
    },
    /// The manifests of the same seed, by digest.
    DeleteManifests {
        repository: String,
        count: u64,
        seed: u64,
    },
}

/// What all connections of a run share.
struct Run {
    plan: Plan,
    scratch: Scratch,
    next: Cell<u64>,
    took: RefCell<Vec<Duration>>,
    bytes: Cell<u64>,
}

/// Does the work and answers with the count, the times and the processor that it cost here.
pub async fn run(plan: Plan) -> Result<Value> {
    let run = Rc::new(Run {
        plan,
        scratch: scratch(),
        next: Cell::new(0),
        took: RefCell::default(),
        bytes: Cell::new(0),
    });
    if let Work::PushImage { repository, size } = &run.plan.work {
        return push_image(&run, repository, *size).await;
    }
    let job = Rc::new(prepare(&run).await?);
    let (started, cpu) = (now(), cpu_ticks());
    let tasks = tokio::task::LocalSet::new();
    let workers: Vec<_> = (0..run.plan.connections)
        .map(|_| tasks.spawn_local(work(run.clone(), job.clone(), started)))
        .collect();
    tasks
        .run_until(async {
            for worker in workers {
                worker.await??;
            }
            Ok::<_, anyhow::Error>(())
        })
        .await?;
    let seconds = started.elapsed().as_secs_f64();
    let mut took = run.took.take();
    took.sort_unstable();
    let at = |share: f64| {
        let index = (took.len() as f64 * share) as usize;
        let found = took.get(index.min(took.len().saturating_sub(1)));
        found.map_or(0.0, |time| time.as_secs_f64() * 1e3)
    };
    Ok(json!({
        "count": took.len(),
        "seconds": seconds,
        "bytes": run.bytes.get(),
        "p50_ms": at(0.5),
        "p99_ms": at(0.99),
        "cpu_seconds": (cpu_ticks() - cpu) as f64 / 100.0,
    }))
}

/// What each connection does, made ready before the clock starts.
enum Job {
    Repeat {
        request: Vec<u8>,
        is_head: bool,
        until: Duration,
    },
    Blobs(String, Vec<Blob>),
    Requests(Vec<Vec<u8>>),
}

async fn prepare(run: &Run) -> Result<Job> {
    Ok(match &run.plan.work {
        Work::Repeat {
            method,
            path,
            seconds,
        } => Job::Repeat {
            request: run.request(method, path, "", b""),
            is_head: method == "HEAD",
            until: Duration::from_secs_f64(*seconds),
        },
        Work::Describe {
            server,
            repository,
            pages_before,
            seconds,
        } => Job::Repeat {
            request: describe(server, repository, *pages_before).await?,
            is_head: false,
            until: Duration::from_secs_f64(*seconds),
        },
        Work::PushBlobs {
            repository,
            size,
            count,
            seed,
        } => {
            let block = block();
            let blobs = (0..*count).map(|n| Blob::new(&block, *seed, n, *size));
            Job::Blobs(repository.clone(), blobs.collect())
        }
        Work::PutManifests {
            repository,
            count,
            seed,
            is_tagged,
        } => {
            let parts = parts(&block());
            let mut connection = Connection::open(run.plan.address, &run.scratch).await?;
            for part in &parts {
                push(run, &mut connection, repository, part).await?;
            }
            let put = |number| {
                let text = manifest(&parts, *seed, number);
                let name = match is_tagged {
                    true => format!("v{seed}-{number:07}"),
                    false => digest(&text),
                };
                let path = format!("/v2/{repository}/manifests/{name}");
                let kind = format!("content-type: {MANIFEST_TYPE}\r\n");
                run.request("PUT", &path, &kind, text.as_bytes())
            };
            Job::Requests((0..*count).map(put).collect())
        }
        // Done without a clock.
        Work::PushImage { .. } => Job::Requests(Vec::new()),
        Work::DeleteManifests {
            repository,
            count,
            seed,
        } => {
            let parts = parts(&block());
            let delete = |number| {
                let digest = digest(&manifest(&parts, *seed, number));
                let path = format!("/v2/{repository}/manifests/{digest}");
                run.request("DELETE", &path, "", b"")
            };
            Job::Requests((0..*count).map(delete).collect())
        }
    })
}

/// One connection: opens, then works until there is no more to do.
async fn work(run: Rc<Run>, job: Rc<Job>, started: Instant) -> Result<()> {
    let mut connection = Connection::open(run.plan.address, &run.scratch).await?;
    loop {
        let at = now();
        let bytes = match &*job {
            Job::Repeat { until, .. } if started.elapsed() >= *until => return Ok(()),
            Job::Repeat {
                request, is_head, ..
            } => {
                connection.send(request).await?;
                let answer = connection.answer(*is_head, false).await?;
                ensure!(answer.status == 200, "status {}", answer.status);
                answer.bytes
            }
            Job::Blobs(repository, blobs) => {
                let Some(blob) = run.take(blobs) else {
                    return Ok(());
                };
                push(&run, &mut connection, repository, blob).await?;
                blob.size as u64
            }
            Job::Requests(requests) => {
                let Some(request) = run.take(requests) else {
                    return Ok(());
                };
                connection.send(request).await?;
                let answer = connection.answer(false, true).await?;
                let text = String::from_utf8_lossy(&answer.body);
                ensure!(
                    [201, 202].contains(&answer.status),
                    "{} {text}",
                    answer.status
                );
                request.len() as u64
            }
        };
        run.took.borrow_mut().push(at.elapsed());
        run.bytes.set(run.bytes.get() + bytes);
    }
}

impl Run {
    /// The next thing that no connection has taken.
    fn take<'t, T>(&self, all: &'t [T]) -> Option<&'t T> {
        let at = self.next.get();
        self.next.set(at + 1);
        all.get(usize::try_from(at).ok()?)
    }

    fn head(&self, method: &str, path: &str, headers: &str, length: usize) -> String {
        let authorization = match &self.plan.authorization {
            Some(value) => format!("authorization: {value}\r\n"),
            None => String::new(),
        };
        let length = match (length, method) {
            (0, "GET" | "HEAD") => String::new(),
            (length, _) => format!("content-length: {length}\r\n"),
        };
        let host = self.plan.address;
        format!(
            "{method} {path} HTTP/1.1\r\nhost: {host}\r\n{authorization}accept: {MANIFEST_TYPE}\r\n\
             {headers}{length}\r\n"
        )
    }

    fn request(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
        let head = self.head(method, path, headers, body.len());
        [head.as_bytes(), body].concat()
    }
}

/// Pushes one blob as clients do.
async fn push(run: &Run, to: &mut Connection, repository: &str, blob: &Blob) -> Result<()> {
    let path = format!("/v2/{repository}/blobs/uploads/");
    to.send(&run.request("POST", &path, "", b"")).await?;
    let place = location(to, 202).await?;
    let kind = "content-type: application/octet-stream\r\n";
    to.send(run.head("PATCH", &place, kind, blob.size).as_bytes())
        .await?;
    for piece in blob.pieces() {
        to.send(piece).await?;
    }
    let place = location(to, 202).await?;
    let mark = if place.contains('?') { '&' } else { '?' };
    let place = format!("{place}{mark}digest={}", blob.digest);
    to.send(&run.request("PUT", &place, "", b"")).await?;
    location(to, 201).await.map(drop)
}

/// Pushes an image with one layer of that size.
async fn push_image(run: &Run, repository: &str, size: usize) -> Result<Value> {
    let block = block();
    let parts = [Blob::new(&block, 0, 0, 1024), Blob::new(&block, 1, 0, size)];
    let mut connection = Connection::open(run.plan.address, &run.scratch).await?;
    for part in &parts {
        push(run, &mut connection, repository, part).await?;
    }
    let path = format!("/v2/{repository}/manifests/layer");
    let kind = format!("content-type: {MANIFEST_TYPE}\r\n");
    let text = manifest(&parts, 1, 0);
    let request = run.request("PUT", &path, &kind, text.as_bytes());
    connection.send(&request).await?;
    location(&mut connection, 201).await?;
    Ok(json!({ "digest": parts[1].digest }))
}

/// The path that the next answer names.
async fn location(connection: &mut Connection, status: u16) -> Result<String> {
    let answer = connection.answer(false, true).await?;
    let text = String::from_utf8_lossy(&answer.body);
    ensure!(answer.status == status, "status {}: {text}", answer.status);
    let location = answer.location.context("no location")?;
    let path = location.split_once("://").and_then(|(_, rest)| {
        let at = rest.find('/')?;
        Some(rest[at..].to_owned())
    });
    Ok(path.unwrap_or(location))
}

/// The bytes of a signed request for a page of 100 behind so many pages of 1,000.
async fn describe(server: &Server, repository: &str, pages_before: usize) -> Result<Vec<u8>> {
    let mut token = None::<String>;
    for _ in 0..pages_before {
        let mut body = json!({ "repositoryName": repository, "maxResults": 1000 });
        if let Some(token) = &token {
            body["nextToken"] = token.as_str().into();
        }
        let page = server.call("DescribeImages", &body).await?;
        let next = page["nextToken"].as_str().context("no next page")?;
        token = Some(next.to_owned());
    }
    let mut body = json!({ "repositoryName": repository, "maxResults": 100 });
    if let Some(token) = token {
        body["nextToken"] = token.into();
    }
    let request = server.request("DescribeImages", &body)?;
    let mut text = String::from("POST / HTTP/1.1\r\n");
    for (name, value) in request.headers() {
        text += &format!("{name}: {}\r\n", value.to_str()?);
    }
    text += &format!("content-length: {}\r\n\r\n", request.body().len());
    Ok([text.as_bytes(), request.body()].concat())
}

/// Processor time of this process, in hundredths of a second (`proc(5)`, utime and stime).
fn cpu_ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<u64>().ok());
    ticks(11).unwrap_or(0) + ticks(12).unwrap_or(0)
}
