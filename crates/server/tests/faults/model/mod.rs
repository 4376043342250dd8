//! The server against the reference registry over thousands of random operations on both doors.
//! A failing run prints its seed and the shortest list of operations that still fails.

mod reference;

use std::collections::BTreeMap;

use http::Method;
use roadstead_domain::time::Span;
use roadstead_registry::context::Clock as _;
use roadstead_testkit::images::{self, Artifact, Layout, index};
use roadstead_testkit::{Answer, World};
use serde_json::{Value, json};

use crate::doors::{Client, Random, bytes_of, none, nothing_is_left};
use reference::{EXCLUDED, Entry, Reference, Thing, Told, entry_json};

const NAMES: [&str; 3] = ["ab", "ab/cd", "ab-cd"];
const TAGS: [&str; 4] = ["t1", "t2", "dev-1", "dev-2"];
const MODES: [&str; 4] = [
    "MUTABLE",
    "IMMUTABLE",
    "IMMUTABLE_WITH_EXCLUSION",
    "MUTABLE_WITH_EXCLUSION",
];

/// One operation; numbers choose among what there is, so that any list of operations can run.
#[derive(Debug, Clone)]
enum Op {
    Create(usize),
    Remove(usize, bool),
    Mode(usize, usize),
    Push(usize, usize, Door),
    PushWrong(usize, usize),
    HasBlob(usize, usize, Door),
    Mount(usize, usize, usize),
    Put(usize, usize, Option<usize>, Door),
    Batch(usize, Vec<(usize, usize, u64)>),
    Delete(usize, usize, bool),
    Open(usize),
    Finish(usize, usize),
    Cancel(usize),
    Advance(u64),
    Sweep,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    Api,
    V2,
}

/// Everything that can be pushed.
struct Universe {
    blobs: Vec<bytes::Bytes>,
    artifacts: Vec<Artifact>,
    things: Vec<Thing>,
}

impl Universe {
    fn new() -> Self {
        let layers: Vec<_> = (0..4)
            .map(|n| bytes_of(&format!("layer {n}"), 400))
            .collect();
        let mut layouts: Vec<Layout> = (0..5)
            .map(|n| {
                let two = vec![layers[n % 4].clone(), layers[(n + 1) % 4].clone()];
                Layout::of(&format!("config {}", n / 2), two)
            })
            .collect();
        for n in 0..2 {
            let signature = Layout::of(&format!("config {n}"), vec![layers[n].clone()]);
            let subject = layouts[n].manifest.clone();
            layouts.push(signature.referring_to(&subject, "test/signature"));
        }
        let mut universe = Self {
            blobs: Vec::new(),
            artifacts: Vec::new(),
            things: Vec::new(),
        };
        for layout in layouts {
            let named = layout.blobs.iter().map(|blob| images::digest(blob));
            universe.add(layout.manifest, named.collect(), &[]);
            for blob in layout.blobs {
                if !universe.blobs.contains(&blob) {
                    universe.blobs.push(blob);
                }
            }
        }
        for children in [vec![0, 1], vec![1, 2, 5], vec![7], vec![3, 9], vec![10, 0]] {
            let all: Vec<&Artifact> = children.iter().map(|n| &universe.artifacts[*n]).collect();
            let list = index(&all);
            let named: Vec<String> = all.iter().map(|one| one.digest.clone()).collect();
            universe.add(list, vec![], &named);
        }
        universe
    }

    fn add(&mut self, artifact: Artifact, blobs: Vec<String>, children: &[String]) {
        self.things.push(Thing {
            digest: artifact.digest.clone(),
            blobs,
            children: children.to_vec(),
        });
        self.artifacts.push(artifact);
    }
}

fn generate(seed: u64, count: usize, universe: &Universe) -> Vec<Op> {
    let mut random = Random::new(seed);
    (0..count).map(|_| any_op(&mut random, universe)).collect()
}

fn any_op(random: &mut Random, universe: &Universe) -> Op {
    let mut any = |end: usize| random.below(end as u64) as usize;
    // The first repository is used most, so that its states grow.
    let r = [0, 0, 0, 1, 2][any(5)];
    let (b, a) = (any(universe.blobs.len()), any(universe.artifacts.len()));
    let door = if any(2) == 0 { Door::Api } else { Door::V2 };
    match any(100) {
        0..=3 => Op::Create(r),
        4 => Op::Remove(r, any(3) == 0),
        5..=7 => Op::Mode(r, any(6) % 4),
        8..=29 => Op::Push(r, b, door),
        30 => Op::PushWrong(r, b),
        31..=36 => Op::HasBlob(r, b, door),
        37..=42 => Op::Mount(r, any(3), b),
        43..=70 => {
            let tag = (any(4) > 0).then(|| any(TAGS.len()));
            Op::Put(r, a, tag, door)
        }
        71..=78 => {
            let count = 1 + any(4);
            let entries = (0..count).map(|_| (any(12), any(4), any(12) as u64));
            Op::Batch(r, entries.collect())
        }
        79..=84 => Op::Delete(r, any(12), any(2) == 0),
        85..=87 => Op::Open(r),
        88..=89 => Op::Finish(any(1000), b),
        90 => Op::Cancel(any(1000)),
        91..=95 => Op::Advance([1, 5, 8, 20, 53, 59, 61, 600, 1500][any(9)]),
        _ => Op::Sweep,
    }
}

/// A world beside its reference.
struct Run<'u> {
    world: World,
    client: Client,
    reference: Reference,
    universe: &'u Universe,
    uploads: Vec<String>,
}

/// The difference that a comparison found, as a text.
fn same<T: PartialEq + std::fmt::Debug>(what: &str, server: T, model: T) -> Result<(), String> {
    if server == model {
        return Ok(());
    }
    Err(format!("{what}:\n  server {server:?}\n  model  {model:?}"))
}

/// Compares an answer of the API: the code, which is empty on success.
fn same_code(answer: &Answer, told: Told) -> Result<(), String> {
    same("code", answer.code().1.as_str(), told.1)
        .map_err(|difference| difference + "\n" + &answer.text())
}

fn same_status(answer: &Answer, told: Told) -> Result<(), String> {
    same("status", answer.status.as_u16(), told.0)
        .map_err(|difference| difference + "\n" + &answer.text())
}

impl Run<'_> {
    async fn step(&mut self, op: &Op) -> Result<(), String> {
        let now = self.world.clock.now();
        let (client, model) = (self.client.clone(), &mut self.reference);
        match *op {
            Op::Create(r) => {
                let input = json!({ "repositoryName": NAMES[r] });
                let answer = client.ecr("CreateRepository", input).await;
                same_code(&answer, model.create(NAMES[r]))
            }
            Op::Remove(r, force) => {
                let input = json!({ "repositoryName": NAMES[r], "force": force });
                let answer = client.ecr("DeleteRepository", input).await;
                same_code(&answer, model.remove(NAMES[r], force))
            }
            Op::Mode(r, mode) => {
                let answer = set_mode(&client, NAMES[r], mode).await;
                same_code(&answer, model.set_mode(NAMES[r], mode))
            }
            Op::Advance(minutes) => {
                let span = Span::seconds(60 * minutes as i64);
                self.world.clock.advance(span);
                let renewed = self.client.log_in().await;
                renewed.map_err(|error| error.to_string())
            }
            Op::Sweep => {
                self.world.sweep().await;
                let left = model.sweep(now);
                same("files", self.world.blob_files().len(), left)
            }
            Op::Put(r, a, tag, door) => self.put(r, a, tag, door).await,
            Op::Batch(..) | Op::Delete(..) => self.delete(op).await,
            Op::Open(_) | Op::Finish(..) | Op::Cancel(_) => self.upload(op).await,
            _ => self.blob(op).await,
        }
    }

    async fn blob(&mut self, op: &Op) -> Result<(), String> {
        let now = self.world.clock.now();
        let (client, model) = (&self.client, &mut self.reference);
        let blobs = &self.universe.blobs;
        match *op {
            Op::Push(r, b, Door::V2) => {
                let answer = client.push(NAMES[r], &blobs[b]).await;
                same_status(
                    &answer,
                    model.push(NAMES[r], &images::digest(&blobs[b]), now),
                )
            }
            Op::Push(r, b, Door::Api) => {
                let answer = client.push_layer(NAMES[r], &blobs[b]).await;
                same_code(
                    &answer,
                    model.push(NAMES[r], &images::digest(&blobs[b]), now),
                )
            }
            Op::PushWrong(r, b) => {
                let digest = images::digest(b"something else");
                let path = format!("/v2/{}/blobs/uploads/?digest={digest}", NAMES[r]);
                let answer = client.v2(Method::POST, &path, blobs[b].clone()).await;
                let is_there = model.names().iter().any(|name| name == NAMES[r]);
                same_status(&answer, (if is_there { 400 } else { 404 }, ""))
            }
            Op::HasBlob(r, b, door) => {
                let digest = images::digest(&blobs[b]);
                let told = model.has_blob(NAMES[r], &digest, now);
                if door == Door::V2 {
                    return same("status", client.head_blob(NAMES[r], &digest).await, told.0);
                }
                let input = json!({ "repositoryName": NAMES[r], "layerDigests": [digest] });
                let answer = client.ecr("BatchCheckLayerAvailability", input).await;
                let layer = answer.json()["layers"][0]["layerAvailability"].clone();
                let said = layer.as_str().map_or(answer.code().1, str::to_owned);
                same("layer", said.as_str(), told.1)
            }
            Op::Mount(from, to, b) => {
                let digest = images::digest(&blobs[b]);
                let answer = client.mount(NAMES[from], NAMES[to], &digest).await;
                let told = model.mount(NAMES[from], NAMES[to], &digest, now);
                same_status(&answer, told)
            }
            _ => Err(format!("{op:?} is not about a blob")),
        }
    }

    async fn put(
        &mut self,
        r: usize,
        a: usize,
        tag: Option<usize>,
        door: Door,
    ) -> Result<(), String> {
        let artifact = &self.universe.artifacts[a];
        let tag = tag.map(|tag| TAGS[tag]);
        let told = self.reference.put(NAMES[r], &self.universe.things[a], tag);
        if door == Door::V2 {
            let reference = tag.unwrap_or(&artifact.digest);
            let answer = self.client.put(NAMES[r], reference, artifact).await;
            return same_status(&answer, told);
        }
        let mut input = json!({ "repositoryName": NAMES[r], "imageManifest": artifact.text() });
        if let Some(tag) = tag {
            input["imageTag"] = tag.into();
        }
        same_code(&self.client.ecr("PutImage", input).await, told)
    }

    /// A digest and a tag chosen by numbers, and how to name them.
    fn entry(&self, (a, t, kind): (usize, usize, u64)) -> Entry {
        let digest = self.universe.things[a % self.universe.things.len()]
            .digest
            .clone();
        let tag = TAGS[t].to_owned();
        match kind {
            0..=3 => (None, Some(tag)),
            4..=6 => (Some(digest), None),
            7..=8 => (Some(digest), Some(tag)),
            9 => (None, None),
            10 => (Some("nonsense".into()), None),
            _ => (None, Some("non!sense".into())),
        }
    }

    async fn delete(&mut self, op: &Op) -> Result<(), String> {
        let now = self.world.clock.now();
        if let Op::Delete(r, n, by_tag) = *op {
            let kind = if by_tag { 0 } else { 4 };
            let entry = self.entry((n, n % TAGS.len(), kind));
            let reference = entry.0.clone().or(entry.1.clone()).unwrap_or_default();
            let status = self.client.delete(NAMES[r], &reference).await;
            let told = match self.reference.delete(NAMES[r], &[entry], now) {
                None => 404,
                Some(told) => match told["failures"][0][0].as_str() {
                    None => 202,
                    Some("ImageReferencedByManifestList") => 405,
                    Some(_) => 404,
                },
            };
            return same("status", status, told);
        }
        let Op::Batch(r, entries) = op else {
            return Err(format!("{op:?} is not a deletion"));
        };
        let entries: Vec<Entry> = entries.iter().map(|one| self.entry(*one)).collect();
        let ids: Vec<Value> = entries.iter().map(entry_json).collect();
        let answer = self.client.batch_delete(NAMES[*r], ids.into()).await;
        let Some(told) = self.reference.delete(NAMES[*r], &entries, now) else {
            return same_code(&answer, (404, "RepositoryNotFoundException"));
        };
        let mut said = answer.json();
        let failures = said["failures"].as_array().cloned().unwrap_or_default();
        let short = |one: &Value| json!([one["failureCode"], one["imageId"]]);
        said["failures"] = failures.iter().map(short).collect::<Vec<_>>().into();
        same("deletion", said, told)
    }

    async fn upload(&mut self, op: &Op) -> Result<(), String> {
        let now = self.world.clock.now();
        let (client, model) = (&self.client, &mut self.reference);
        if let Op::Open(r) = *op {
            let path = format!("/v2/{}/blobs/uploads/", NAMES[r]);
            let answer = client.v2(Method::POST, &path, none()).await;
            if answer.status == 202 {
                self.uploads.push(answer.header("location").to_owned());
            }
            return same_status(&answer, model.open_upload(NAMES[r], now));
        }
        let count = model.uploads();
        match *op {
            _ if count == 0 => Ok(()),
            Op::Finish(n, b) => {
                let blob = &self.universe.blobs[b];
                let (path, digest) = (&self.uploads[n % count], images::digest(blob));
                let answer = client.finish(path, blob.clone(), &digest).await;
                let told = match model.end_upload(n % count, now) {
                    Some(name) => model.push(&name, &digest, now),
                    None => (404, ""),
                };
                same_status(&answer, told)
            }
            Op::Cancel(n) => {
                let path = &self.uploads[n % count];
                let answer = client.v2(Method::DELETE, path, none()).await;
                let is_open = model.end_upload(n % count, now).is_some();
                same_status(&answer, (if is_open { 204 } else { 404 }, ""))
            }
            _ => Err(format!("{op:?} is not about an upload")),
        }
    }

    /// Compares all listings, and pulls every image if `and_pull`.
    async fn compare(&self, and_pull: bool) -> Result<(), String> {
        same(
            "names",
            self.client.repositories().await,
            self.reference.names(),
        )?;
        for name in self.reference.names() {
            let listed = self.client.listed(&name).await;
            same(&name, listed, self.reference.listed(&name))?;
            if and_pull {
                let described = described(&self.client, &name).await;
                same(&name, described, self.reference.described(&name))?;
                self.client.pull_all(&name).await;
            }
        }
        Ok(())
    }
}

/// Every image with its tags, in the order of DescribeImages.
async fn described(client: &Client, name: &str) -> BTreeMap<String, Vec<String>> {
    let input = json!({ "repositoryName": name, "maxResults": 1000 });
    let answer = client.ecr("DescribeImages", input).await.expect(200).json();
    let details = answer["imageDetails"].as_array().expect("a list").iter();
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    details
        .map(|one| {
            let tags = one["imageTags"].as_array().into_iter().flatten();
            (text(&one["imageDigest"]), tags.map(text).collect())
        })
        .collect()
}

async fn set_mode(client: &Client, name: &str, mode: usize) -> Answer {
    let mut input = json!({ "repositoryName": name, "imageTagMutability": MODES[mode] });
    if mode >= 2 {
        let filter = format!("{EXCLUDED}*");
        input["imageTagMutabilityExclusionFilters"] =
            json!([{ "filterType": "WILDCARD", "filter": filter }]);
    }
    client.ecr("PutImageTagMutability", input).await
}

/// Runs operations in a fresh world: at which one server and model differ, and how.
async fn run(universe: &Universe, ops: &[Op]) -> Result<(), (usize, String)> {
    let world = World::start().await;
    let client = Client::of(&world).await;
    let mut run = Run {
        world,
        client,
        reference: Reference::default(),
        universe,
        uploads: Vec::new(),
    };
    for (n, op) in ops.iter().enumerate() {
        run.step(op).await.map_err(|difference| (n, difference))?;
        let and_pull = n % 12 == 11 || n + 1 == ops.len();
        let compared = run.compare(and_pull).await;
        compared.map_err(|difference| (n, difference))?;
    }
    nothing_is_left(&run.world).await;
    Ok(())
}

/// Takes operations away as long as what is left still fails.
async fn shrink(universe: &Universe, mut ops: Vec<Op>) -> Vec<Op> {
    let mut size = ops.len() / 2;
    while size > 0 {
        let mut start = 0;
        while start < ops.len() {
            let mut fewer = ops.clone();
            fewer.drain(start..(start + size).min(ops.len()));
            match run(universe, &fewer).await {
                Err((at, _)) => {
                    fewer.truncate(at + 1);
                    ops = fewer;
                }
                Ok(()) => start += size,
            }
        }
        size /= 2;
    }
    ops
}

async fn check(seed: u64, count: usize) {
    let universe = Universe::new();
    let mut ops = generate(seed, count, &universe);
    if let Err((at, difference)) = run(&universe, &ops).await {
        eprintln!("seed {seed}, operation {at}: {difference}");
        ops.truncate(at + 1);
        let fewest = shrink(&universe, ops).await;
        panic!("seed {seed}: {difference}\nfewest operations: {fewest:#?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f06_f08_f09_f29_the_server_does_what_plain_maps_do() {
    let seeds = std::env::var("ROADSTEAD_MODEL_SEED").ok();
    match seeds.and_then(|seed| seed.parse().ok()) {
        Some(seed) => check(seed, 2000).await,
        None => {
            for seed in 1..=5 {
                check(seed, 600).await;
            }
        }
    }
}
