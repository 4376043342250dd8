//! A world with one image, the hands that spoil it, and the doctor's answer.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::Method;
use roadstead_registry::doctor::{Finding, Kind, Options};
use roadstead_testkit::images::{self, Layout};
use roadstead_testkit::{Answer, World};
use serde_json::json;

/// A layer that is hashed before its first byte goes out.
pub const SHORT: usize = 300_000;
/// A layer that is hashed on its way.
pub const LONG: usize = 6 * 1024 * 1024;

/// A world in which `app:v1` has one layer.
pub struct Bench {
    pub world: World,
    pub layout: Layout,
}

impl Bench {
    pub async fn with_layer(length: usize) -> Self {
        let world = World::start().await;
        let layer: Vec<u8> = (0..length).map(|n| (n % 251) as u8).collect();
        let layout = Layout::of("content", vec![layer.into()]);
        world
            .ecr("CreateRepository", json!({ "repositoryName": "app" }))
            .await
            .expect(200);
        let bench = Self { world, layout };
        for blob in &bench.layout.blobs {
            bench.world.push_blob("app", blob).await;
        }
        bench.push_manifest().await.expect(201);
        bench
    }

    pub async fn push_manifest(&self) -> Answer {
        let manifest = &self.layout.manifest;
        self.world.push_manifest("app", "v1", manifest).await
    }

    /// The layer.
    pub fn layer(&self) -> &Bytes {
        &self.layout.blobs[1]
    }

    /// The path of the layer.
    pub fn layer_path(&self) -> String {
        format!("/v2/app/blobs/{}", images::digest(self.layer()))
    }

    /// The file of the layer.
    pub fn layer_file(&self) -> PathBuf {
        let length = self.layer().len() as u64;
        let is_layer = |path: &PathBuf| fs::metadata(path).expect("a file").len() == length;
        let aside = self.world.directory().join("blobs/quarantine");
        let files = self.world.blob_files().into_iter();
        let mut files = files
            .filter(|path| !path.starts_with(&aside))
            .filter(is_layer);
        files.next().expect("the layer's file")
    }

    pub fn quarantine(&self) -> Vec<PathBuf> {
        let folder = self.world.directory().join("blobs/quarantine");
        let entries = fs::read_dir(folder).into_iter().flatten();
        entries
            .map(|entry| entry.expect("an entry").path())
            .collect()
    }

    pub async fn status(&self, method: Method, path: &str) -> u16 {
        let answer = self.world.oci(method, path, &[], Bytes::new()).await;
        answer.status.as_u16()
    }

    /// Runs SQL behind the server's back, without its constraints.
    pub fn sql(&self, sql: &str) {
        let path = self.world.directory().join("metadata.sqlite");
        let store = rusqlite::Connection::open(path).expect("the store");
        let off = "PRAGMA busy_timeout = 5000; PRAGMA foreign_keys = OFF;";
        store.execute_batch(off).expect("settings");
        let changed = store.execute(sql, []).expect("a change");
        assert!(changed > 0, "{sql}");
    }

    pub async fn examined(&self, options: Options) -> Vec<Finding> {
        examine(&self.world, options).await
    }

    pub async fn found(&self) -> Vec<Kind> {
        let found = self.examined(Options::default()).await;
        found.iter().map(|finding| finding.kind).collect()
    }
}

/// Everything that the doctor finds.
pub async fn examine(world: &World, options: Options) -> Vec<Finding> {
    let mut examination = world.registry.examine(options);
    let mut all = Vec::new();
    while let Some(found) = examination.step().await.expect("a step") {
        all.extend(found);
    }
    all
}

/// Changes one bit of a file.
pub fn flip(path: &Path, at: u64) {
    let file = fs::OpenOptions::new().read(true).write(true).open(path);
    let file = file.expect("a file");
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).expect("a byte");
    file.write_all_at(&[byte[0] ^ 1], at).expect("written");
}
