//! The cases: what is made ready, what is measured, on whom, and what it is held against.
//!
//! A round measures every side of a case once, one after the other, each on a fresh server; the
//! next round goes the other way round.

use super::Bench;
use super::machine::{Instance, Spent, resident};
use super::peers::{Peer, Process, REPOSITORY, Serving, command, free_address};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::fs;
use std::time::Duration;

/// Every case, in the order in which they run.
pub const NAMES: [&str; 11] = [
    "manifest-get",
    "manifest-head",
    "pull-1k",
    "pull-1m",
    "pull-100m",
    "push-1m",
    "push-100m",
    "manifest-put",
    "delete",
    "pages",
    "start",
];

const MIB: usize = 1024 * 1024;
const SECONDS: f64 = 3.0;
/// Tags of the repository in which images are deleted.
const TAGS: u64 = 1_000;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Requests, or other things, in a second.
    Rate,
    /// Bytes in a second.
    Bytes,
    /// Milliseconds, the median of one measurement.
    Milliseconds,
    /// MiB of memory.
    Memory,
}

/// One measurement.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sample {
    pub value: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub spent: Spent,
    /// Processor seconds of the load program.
    pub client: f64,
}

/// A side of a case, with a measurement from each round.
pub struct Side {
    pub label: String,
    pub samples: Vec<Sample>,
}

/// What the first side is held against.
#[derive(Debug, Clone, Copy)]
pub enum Bar {
    /// At least so many times another side.
    AtLeast(f64, usize),
    /// At most so many times another side.
    AtMost(f64, usize),
    /// Below a value.
    Below(f64),
}

/// What a case found.
pub struct Line {
    pub title: String,
    pub unit: Unit,
    pub sides: Vec<Side>,
    pub bars: Vec<Bar>,
}

/// Runs one case.
pub fn run(bench: &Bench, name: &str, rounds: usize) -> Result<Vec<Line>> {
    use Peer::{DockerRegistry, Nginx, Roadstead};
    let all = [Roadstead, DockerRegistry, Nginx];
    let pushed = [Roadstead, DockerRegistry];
    let manifest = |method: &'static str| {
        let title = format!("{method} of a manifest by tag, 64 connections");
        let bars = vec![Bar::AtLeast(15.0, 1), Bar::AtLeast(0.7, 2)];
        compare(title, Unit::Rate, &all, bars, rounds, |peer, _| {
            pull_manifest(bench, peer, method)
        })
    };
    let pull = |title: &str, size, connections, bars| {
        compare(title.into(), Unit::Bytes, &all, bars, rounds, |peer, _| {
            pull_blob(bench, peer, size, connections)
        })
    };
    let push = |title: &str, size, count, factor| {
        let bars = vec![Bar::AtLeast(factor, 1)];
        compare(
            title.into(),
            Unit::Bytes,
            &pushed,
            bars,
            rounds,
            |peer, round| push_blobs(bench, peer, size, count, round),
        )
    };
    let line = match name {
        "manifest-get" => manifest("GET")?,
        "manifest-head" => manifest("HEAD")?,
        "pull-1k" => pull("pull of a 1 KiB blob, 64 connections", 1024, 64, vec![])?,
        "pull-1m" => {
            let bars = vec![Bar::AtLeast(0.9, 2)];
            pull("pull of a 1 MiB blob, 16 connections", MIB, 16, bars)?
        }
        "pull-100m" => {
            let bars = vec![Bar::AtLeast(0.9, 2)];
            pull("pull of a 100 MiB blob, 4 connections", 100 * MIB, 4, bars)?
        }
        "push-1m" => push("push of 1 MiB blobs, 8 connections", MIB, 480, 3.0)?,
        "push-100m" => push("push of 100 MiB blobs, 8 connections", 100 * MIB, 16, 1.5)?,
        "manifest-put" => {
            let title = "PUT of manifests, 16 connections".into();
            let bars = vec![Bar::AtLeast(6.0, 1)];
            compare(title, Unit::Rate, &pushed, bars, rounds, |peer, round| {
                put_manifests(bench, peer, round)
            })?
        }
        "delete" => return delete(bench, rounds),
        "pages" => return pages(bench, rounds),
        _ => return start(bench, rounds),
    };
    Ok(vec![line])
}

/// Measures each peer in each round.
fn compare(
    title: String,
    unit: Unit,
    peers: &[Peer],
    bars: Vec<Bar>,
    rounds: usize,
    measure: impl Fn(Peer, u64) -> Result<Sample>,
) -> Result<Line> {
    let labels = peers.iter().map(|peer| peer.name().to_owned()).collect();
    let sides = alternate(labels, rounds, |at, round| measure(peers[at], round))?;
    Ok(Line {
        title,
        unit,
        sides,
        bars,
    })
}

/// Measures each side in each round, every other round backwards.
fn alternate(
    labels: Vec<String>,
    rounds: usize,
    measure: impl Fn(usize, u64) -> Result<Sample>,
) -> Result<Vec<Side>> {
    let side = |label| Side {
        label,
        samples: Vec::new(),
    };
    let mut sides: Vec<Side> = labels.into_iter().map(side).collect();
    for round in 0..rounds {
        let mut order: Vec<usize> = (0..sides.len()).collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for at in order {
            let what = sides[at].label.clone();
            let sample = measure(at, round as u64 + 1).with_context(|| what.clone())?;
            println!(
                "  {what}: {:.1} (p50 {:.3} ms)",
                sample.value, sample.p50_ms
            );
            sides[at].samples.push(sample);
        }
    }
    Ok(sides)
}

/// Puts load on a server and watches both.
fn measured(bench: &Bench, serving: &Serving, connections: usize, work: &Value) -> Result<Sample> {
    let before = Instance::of(serving.process.id());
    let answer = bench.task(&serving.load(connections, work))?;
    let mut spent = before.spent(serving.process.id());
    let number = |name: &str| answer[name].as_f64().with_context(|| format!("no {name}"));
    // Making content ready takes time too, which is not the server's.
    spent.seconds = number("seconds")?;
    Ok(Sample {
        value: number("count")? / spent.seconds,
        p50_ms: number("p50_ms")?,
        p99_ms: number("p99_ms")?,
        client: number("cpu_seconds")?,
        spent,
    })
}

fn repeat(method: &str, path: &str, seconds: f64) -> Value {
    json!({ "repeat": { "method": method, "path": path, "seconds": seconds } })
}

/// Serves `path` as a server of files does.
fn put_file(serving: &Serving, path: &str, bytes: &[u8]) -> Result<()> {
    let file = serving.folder.join(path.trim_start_matches('/'));
    fs::create_dir_all(file.parent().context("a path")?)?;
    Ok(fs::write(file, bytes)?)
}

/// What nginx serves comes from a registry, to the byte.
fn filled(bench: &Bench, peer: Peer, work: &Value, path: &str) -> Result<Serving> {
    let source = if peer == Peer::Nginx {
        Peer::Roadstead
    } else {
        peer
    };
    let serving = Serving::start(bench, source)?;
    bench.task(&serving.load(1, work))?;
    if peer != Peer::Nginx {
        return Ok(serving);
    }
    let bytes = serving.get(path)?;
    serving.end()?;
    let serving = Serving::start(bench, peer)?;
    put_file(&serving, path, &bytes)?;
    Ok(serving)
}

fn pull_manifest(bench: &Bench, peer: Peer, method: &str) -> Result<Sample> {
    let path = format!("/v2/{REPOSITORY}/manifests/v1-0000000");
    let put = json!({ "put_manifests": {
        "repository": REPOSITORY, "count": 1, "seed": 1, "is_tagged": true,
    }});
    let serving = filled(bench, peer, &put, &path)?;
    pulled(bench, serving, method, &path, 64)
}

fn pull_blob(bench: &Bench, peer: Peer, size: usize, connections: usize) -> Result<Sample> {
    // Pulls are of what images have: the parts of a manifest are 1 KiB, others belong to none.
    let push = json!({ "push_image": { "repository": REPOSITORY, "size": size } });
    let source = if peer == Peer::Nginx {
        Peer::Roadstead
    } else {
        peer
    };
    let serving = Serving::start(bench, source)?;
    let answer = bench.task(&serving.load(1, &push))?;
    let digest = answer["digest"].as_str().context("no digest")?;
    let path = format!("/v2/{REPOSITORY}/blobs/{digest}");
    if peer != Peer::Nginx {
        return pulled(bench, serving, "GET", &path, connections).map(|s| in_bytes(s, size));
    }
    let bytes = serving.get(&path)?;
    serving.end()?;
    let serving = Serving::start(bench, peer)?;
    put_file(&serving, &path, &bytes)?;
    drop(bytes);
    pulled(bench, serving, "GET", &path, connections).map(|s| in_bytes(s, size))
}

/// Warm, as every popular image is.
fn pulled(
    bench: &Bench,
    serving: Serving,
    method: &str,
    path: &str,
    connections: usize,
) -> Result<Sample> {
    bench.task(&serving.load(connections, &repeat(method, path, 0.3)))?;
    let sample = measured(bench, &serving, connections, &repeat(method, path, SECONDS))?;
    serving.end()?;
    Ok(sample)
}

fn in_bytes(sample: Sample, size: usize) -> Sample {
    let value = sample.value * size as f64 / 1e6;
    Sample { value, ..sample }
}

fn push_blobs(bench: &Bench, peer: Peer, size: usize, count: u64, round: u64) -> Result<Sample> {
    let serving = Serving::start(bench, peer)?;
    let work = json!({ "push_blobs": {
        "repository": REPOSITORY, "size": size, "count": count, "seed": round,
    }});
    let sample = measured(bench, &serving, 8, &work)?;
    serving.end()?;
    Ok(in_bytes(sample, size))
}

fn put(count: u64, seed: u64, is_tagged: bool) -> Value {
    json!({ "put_manifests": {
        "repository": REPOSITORY, "count": count, "seed": seed, "is_tagged": is_tagged,
    }})
}

fn put_manifests(bench: &Bench, peer: Peer, round: u64) -> Result<Sample> {
    let serving = Serving::start(bench, peer)?;
    let count = if peer == Peer::Roadstead {
        12_000
    } else {
        1_500
    };
    let sample = measured(bench, &serving, 16, &put(count, round, true))?;
    serving.end()?;
    Ok(sample)
}

/// Deletes untagged images of a repository that has so many tags.
fn delete_among(bench: &Bench, peer: Peer, tags: u64) -> Result<Sample> {
    let serving = Serving::start(bench, peer)?;
    let count = if peer == Peer::Roadstead { 8_000 } else { 150 };
    bench.task(&serving.load(16, &put(tags, 1, true)))?;
    bench.task(&serving.load(16, &put(count, 2, false)))?;
    let work = json!({ "delete_manifests": {
        "repository": REPOSITORY, "count": count, "seed": 2,
    }});
    let sample = measured(bench, &serving, 8, &work)?;
    serving.end()?;
    Ok(sample)
}

fn delete(bench: &Bench, rounds: usize) -> Result<Vec<Line>> {
    let peers = [Peer::Roadstead, Peer::DockerRegistry];
    let title = "delete by digest among 1,000 tags, 8 connections".into();
    let bars = vec![Bar::AtLeast(30.0, 1)];
    let among = compare(title, Unit::Rate, &peers, bars, rounds, |peer, _| {
        delete_among(bench, peer, TAGS)
    })?;
    let labels = vec!["among 10,000 tags".into(), "among 10 tags".into()];
    let tags = [10_000, 10];
    let grown = Line {
        title: "delete by digest, its cost by the number of tags".into(),
        unit: Unit::Rate,
        sides: alternate(labels, rounds, |at, _| {
            delete_among(bench, Peer::Roadstead, tags[at])
        })?,
        bars: vec![Bar::AtLeast(0.85, 1)],
    };
    Ok(vec![among, grown])
}

/// Pages of 100 in the middle of repositories of two sizes.
fn pages(bench: &Bench, rounds: usize) -> Result<Vec<Line>> {
    let sizes = [10_000_u64, 1_000_000];
    let names = ["small", "large"];
    let mut all = Vec::new();
    for (name, images) in names.iter().zip(sizes) {
        let folder = bench.folder(name)?;
        println!("  filling a repository with {images} images");
        bench.task(&json!({
            "do": "fill", "directory": folder, "repository": REPOSITORY, "images": images,
        }))?;
        let serving = Serving::start_in(bench, Peer::Roadstead, folder)?;
        all.push(serving.logged_in(bench, &[])?);
    }
    let labels = || ["10,000", "1,000,000"].map(str::to_owned).to_vec();
    let mut lines = Vec::new();
    for what in ["tags", "images"] {
        let sides = alternate(labels(), rounds, |at, _| {
            let serving = &all[at];
            let work = match what {
                "tags" => {
                    let last = format!("v{:07}", sizes[at] / 2);
                    let path = format!("/v2/{REPOSITORY}/tags/list?n=100&last={last}");
                    repeat("GET", &path, 1.5)
                }
                _ => json!({ "describe": {
                    "server": serving.api, "repository": REPOSITORY, "pages_before": 5,
                    "seconds": 1.5,
                }}),
            };
            bench.task(&serving.load(1, &repeat("GET", "/v2/", 0.1)))?;
            let sample = measured(bench, serving, 1, &work)?;
            let value = sample.p50_ms;
            Ok(Sample { value, ..sample })
        })?;
        let mut sides = sides.into_iter();
        let (small, large) = (sides.next().context("10,000")?, sides.next().context("1M")?);
        let again = Side {
            label: small.label.clone(),
            samples: small.samples.clone(),
        };
        lines.push(Line {
            title: format!("a page of 100 {what} among 10,000, median"),
            unit: Unit::Milliseconds,
            sides: vec![small],
            bars: vec![Bar::Below(1.0)],
        });
        lines.push(Line {
            title: format!("a page of 100 {what} among 1,000,000, median"),
            unit: Unit::Milliseconds,
            sides: vec![large, again],
            bars: vec![Bar::AtMost(1.15, 1)],
        });
    }
    for serving in all {
        serving.end()?;
    }
    Ok(lines)
}

/// From the start of the process until it accepts connections, and what it holds at rest.
fn start(bench: &Bench, rounds: usize) -> Result<Vec<Line>> {
    const STARTS: usize = 5;
    let used = Serving::start(bench, Peer::Roadstead)?;
    bench.task(&used.load(16, &put(100, 1, true)))?;
    let folder = bench.scratch.path().join("used");
    let kept = used.folder.clone();
    drop(used.process);
    fs::rename(kept, &folder)?;
    let peers = [Peer::Roadstead, Peer::DockerRegistry, Peer::Nginx];
    let mut memory: Vec<Side> = Vec::new();
    for peer in peers {
        let (label, samples) = (peer.name().to_owned(), Vec::new());
        memory.push(Side { label, samples });
    }
    let memory = std::cell::RefCell::new(memory);
    let labels = peers.iter().map(|peer| peer.name().to_owned()).collect();
    let sides = alternate(labels, rounds, |at, _| {
        let peer = peers[at];
        let mut took = Vec::new();
        for turn in 0..STARTS {
            let folder = match peer {
                Peer::Roadstead => folder.clone(),
                Peer::DockerRegistry | Peer::Nginx => bench.folder("served")?,
            };
            let address = free_address()?;
            let mut process = Process::start(command(bench, peer, &folder, address)?)?;
            process.wait_until_open(address)?;
            took.push(process.age().as_secs_f64() * 1e3);
            if turn + 1 == STARTS {
                std::thread::sleep(Duration::from_secs(1));
                let value = resident(process.id())?;
                let sample = Sample {
                    value,
                    ..Sample::default()
                };
                memory.borrow_mut()[at].samples.push(sample);
            }
        }
        took.sort_by(f64::total_cmp);
        let value = took[STARTS / 2];
        Ok(Sample {
            value,
            p50_ms: value,
            ..Sample::default()
        })
    })?;
    let started = Line {
        title: "start, until it accepts connections".into(),
        unit: Unit::Milliseconds,
        sides,
        bars: vec![Bar::Below(20.0)],
    };
    let at_rest = Line {
        title: "memory at rest (the first process of nginx alone)".into(),
        unit: Unit::Memory,
        sides: memory.into_inner(),
        bars: vec![Bar::Below(20.0)],
    };
    Ok(vec![started, at_rest])
}
