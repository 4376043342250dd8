//! What pulls are answered from memory is what the store holds, whatever changed it: random changes
//! through both doors, each followed by every read, twice; and readers beside a writer, who may see
//! neither what was gone before they asked nor the past after the present.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bytes::Bytes;
use http::Method;
use roadstead_domain::digest::Digest;
use roadstead_domain::image::ImageStatus;
use roadstead_domain::name::RepositoryKey;
use roadstead_domain::reference::{ImageTag, Reference};
use roadstead_domain::time::Span;
use roadstead_registry::access;
use roadstead_registry::context::Clock as _;
use roadstead_store::metadata::StoreError;
use roadstead_testkit::{Layout, World};
use serde_json::json;

const NAMES: [&str; 2] = ["one", "two/three"];
const TAGS: [&str; 3] = ["latest", "v1", "v2"];
const IMAGES: usize = 4;
const STEPS: usize = 150;

/// SplitMix64: the same numbers for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % end as u64) as usize
    }
}

struct Bench {
    world: World,
    images: Vec<Layout>,
    basic: String,
}

impl Bench {
    async fn start() -> Self {
        let mut builder = World::builder().without_grace();
        builder.rules.undelete_window = Some(Span::hours(1));
        let world = builder.start().await;
        let shared = Bytes::from_static(b"a layer that all have");
        let image = |n: usize| {
            let own = Bytes::from(format!("layer {n}"));
            Layout::of(&format!("image {n}"), vec![shared.clone(), own])
        };
        let basic = world.basic(&world.credentials).await;
        Self {
            images: (0..IMAGES).map(image).collect(),
            world,
            basic,
        }
    }

    async fn push(&self, name: &str, tag: &str, image: &Layout) {
        let world = &self.world;
        let body = json!({ "repositoryName": name });
        world.ecr("CreateRepository", body).await;
        for blob in &image.blobs {
            let digest = roadstead_testkit::images::digest(blob);
            let path = format!("/v2/{name}/blobs/uploads/?digest={digest}");
            world.oci(Method::POST, &path, &[], blob.clone()).await;
        }
        world.push_manifest(name, tag, &image.manifest).await;
    }

    /// One random change; most of them meet something to change.
    async fn change(&mut self, random: &mut Random) -> String {
        let name = NAMES[random.below(NAMES.len())];
        let tag = TAGS[random.below(TAGS.len())];
        let image = self.images[random.below(IMAGES)].clone();
        let digest = image.manifest.digest.clone();
        let kind = random.below(20);
        let delete = |id: serde_json::Value| json!({"repositoryName": name, "imageIds": [id]});
        let world = &self.world;
        match kind {
            0..=6 => self.push(name, tag, &image).await,
            7 | 8 => {
                let path = format!("/v2/{name}/manifests/{digest}");
                world.oci(Method::DELETE, &path, &[], "").await;
            }
            9 => {
                let path = format!("/v2/{name}/manifests/{tag}");
                world.oci(Method::DELETE, &path, &[], "").await;
            }
            10 | 11 => {
                let body = delete(json!({ "imageTag": tag }));
                world.ecr("BatchDeleteImage", body).await;
            }
            12 => {
                let body = json!({"repositoryName": name, "force": true});
                world.ecr("DeleteRepository", body).await;
            }
            13 | 14 => {
                let class = ["ARCHIVE", "STANDARD"][kind - 13];
                let body = json!({
                    "repositoryName": name, "imageId": {"imageDigest": digest},
                    "targetStorageClass": class,
                });
                world.ecr("UpdateImageStorageClass", body).await;
            }
            15 => {
                let deny = json!({"Version": "2012-10-17", "Statement": [{
                    "Effect": "Deny", "Principal": "*", "Action": "ecr:BatchGetImage",
                }]});
                let body = json!({"repositoryName": name, "policyText": deny.to_string()});
                world.ecr("SetRepositoryPolicy", body).await;
            }
            16 => {
                let body = json!({ "repositoryName": name });
                world.ecr("DeleteRepositoryPolicy", body).await;
            }
            17 => {
                let key = access::operator(world.key(name));
                let digest = Digest::parse(&digest).unwrap();
                let now = world.clock.now();
                let _ = world.registry.undelete_image(key, digest, now).await;
            }
            18 => {
                let key = access::operator(world.key(name));
                let _ = world.registry.undelete_repository(key).await;
            }
            _ => {
                world.clock.advance(Span::hours(2));
                world.sweep().await;
                self.basic = world.basic(&world.credentials).await;
            }
        }
        format!("{kind} {name} {tag} {digest}")
    }

    /// What the store itself says that a pull is answered with.
    async fn truth(&self, name: &str, reference: &str) -> Option<Bytes> {
        let input = (
            self.world.key(name),
            Reference::parse(reference).expect("a reference"),
        );
        let read: Result<Option<Bytes>, StoreError> = self
            .world
            .metadata
            .read(input, |tx, (key, reference)| {
                Box::pin(async move {
                    let Some(repository) = tx.repository(key).await? else {
                        return Ok(None);
                    };
                    let id = repository.id;
                    if tx.repository_policy(id).await?.is_some() {
                        return Ok(None);
                    }
                    let digest = match reference {
                        Reference::Digest(digest) => Some(digest.clone()),
                        Reference::Tag(tag) => tx.tagged(id, tag).await?,
                    };
                    let Some(digest) = digest else {
                        return Ok(None);
                    };
                    match tx.image(id, &digest).await? {
                        Some(image) if image.status == ImageStatus::Active => {
                            tx.manifest(id, &digest).await
                        }
                        _ => Ok(None),
                    }
                })
            })
            .await;
        read.expect("the store")
    }

    async fn holds_blob(&self, name: &str, digest: &str) -> bool {
        let input: (RepositoryKey, Digest) = (self.world.key(name), Digest::parse(digest).unwrap());
        let read: Result<bool, StoreError> = self
            .world
            .metadata
            .read(input, |tx, (key, digest)| {
                Box::pin(async move {
                    let Some(repository) = tx.repository(key).await? else {
                        return Ok(false);
                    };
                    Ok(tx.blob_link(repository.id, digest).await?.is_some())
                })
            })
            .await;
        read.expect("the store")
    }

    async fn get(&self, path: &str) -> (bool, Bytes) {
        let headers = [("authorization", self.basic.as_str())];
        let answer = self.world.raw(Method::GET, path, &headers, "").await;
        let is_server_error = answer.status.is_server_error();
        assert!(!is_server_error, "{path}: {}", answer.status);
        (answer.status == 200, answer.body)
    }

    /// Reads everything, and again: the second time from memory, if anything is kept there.
    async fn check(&self, after: &str) {
        for name in NAMES {
            let digests = self
                .images
                .iter()
                .map(|image| image.manifest.digest.as_str());
            for reference in TAGS.into_iter().chain(digests) {
                let truth = self.truth(name, reference).await;
                for turn in 1..=2 {
                    let path = format!("/v2/{name}/manifests/{reference}");
                    let (is_found, bytes) = self.get(&path).await;
                    let found = is_found.then_some(bytes);
                    assert_eq!(found, truth, "{path}, read {turn} after {after}");
                }
            }
            for blob in self.images.iter().flat_map(|image| &image.blobs) {
                let digest = roadstead_testkit::images::digest(blob);
                let truth = self.holds_blob(name, &digest).await;
                for turn in 1..=2 {
                    let path = format!("/v2/{name}/blobs/{digest}");
                    let (is_found, bytes) = self.get(&path).await;
                    assert_eq!(is_found, truth, "{path}, read {turn} after {after}");
                    assert!(
                        !is_found || bytes == blob,
                        "{path}, read {turn} after {after}"
                    );
                }
            }
        }
    }
}

async fn walk(seed: u64) {
    let mut bench = Bench::start().await;
    let mut random = Random(seed);
    for step in 0..STEPS {
        let done = bench.change(&mut random).await;
        bench
            .check(&format!("step {step} of seed {seed}: {done}"))
            .await;
    }
}

#[tokio::test]
async fn memory_agrees_with_the_store_1() {
    walk(1).await;
}

#[tokio::test]
async fn memory_agrees_with_the_store_2() {
    walk(2).await;
}

#[tokio::test]
async fn memory_agrees_with_the_store_3() {
    walk(3).await;
}

/// A tag goes from image to image; each reader sees at least what was acknowledged before it asked,
/// and never goes back.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_sees_the_past_after_the_present() {
    const MOVES: usize = 60;
    let world = Arc::new(World::start().await);
    let first = world.push_image("app", "0", &["latest"]).await;
    let mut manifests = vec![first];
    for n in 1..MOVES {
        let layout = Layout::image(&n.to_string());
        for blob in &layout.blobs {
            world.push_blob("app", blob).await;
        }
        manifests.push(layout.manifest);
    }
    let manifests = Arc::new(manifests);
    let basic = world.basic(&world.credentials).await;
    let (acknowledged, is_over) = (
        Arc::new(AtomicUsize::new(0)),
        Arc::new(AtomicBool::new(false)),
    );
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let (world, manifests, basic) = (world.clone(), manifests.clone(), basic.clone());
            let (acknowledged, is_over) = (acknowledged.clone(), is_over.clone());
            tokio::spawn(async move {
                let (mut last, mut reads) = (0, 0);
                while !is_over.load(Ordering::SeqCst) {
                    let least = acknowledged.load(Ordering::SeqCst).max(last);
                    let headers = [("authorization", basic.as_str())];
                    let path = "/v2/app/manifests/latest";
                    let answer = world.raw(Method::GET, path, &headers, "").await;
                    let seen = manifests.iter().position(|one| one.bytes == answer.body);
                    last = seen.expect("one of the manifests");
                    assert!(last >= least, "{last} after {least}");
                    reads += 1;
                }
                reads
            })
        })
        .collect();
    for (n, manifest) in manifests.iter().enumerate().skip(1) {
        let put = world.push_manifest("app", "latest", manifest).await;
        put.expect(201);
        acknowledged.store(n, Ordering::SeqCst);
    }
    is_over.store(true, Ordering::SeqCst);
    for reader in readers {
        assert!(reader.await.expect("a reader") > 0);
    }
}

/// An image comes and goes; whoever asks after its deletion was acknowledged finds nothing, until
/// it is pushed again.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_deleted_image_is_gone_for_everybody_at_once() {
    const TURNS: usize = 40;
    let world = Arc::new(World::start().await);
    let image = world.push_image("app", "x", &["latest"]).await;
    let basic = world.basic(&world.credentials).await;
    let is_over = Arc::new(AtomicBool::new(false));
    // Readers that always load: what they read must not be kept past its end.
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let (world, basic, is_over) = (world.clone(), basic.clone(), is_over.clone());
            tokio::spawn(async move {
                while !is_over.load(Ordering::SeqCst) {
                    let headers = [("authorization", basic.as_str())];
                    let path = "/v2/app/manifests/latest";
                    let answer = world.raw(Method::GET, path, &headers, "").await;
                    assert!([200, 404].contains(&answer.status.as_u16()));
                }
            })
        })
        .collect();
    let tag = Reference::Tag(ImageTag::parse("latest").unwrap());
    let digest = Reference::Digest(Digest::parse(&image.digest).unwrap());
    for turn in 0..TURNS {
        let path = format!("/v2/app/manifests/{}", image.digest);
        world.oci(Method::DELETE, &path, &[], "").await.expect(202);
        for reference in [&tag, &digest] {
            let text = match reference {
                Reference::Tag(tag) => tag.to_string(),
                Reference::Digest(digest) => digest.to_string(),
            };
            let headers = [("authorization", basic.as_str())];
            let path = format!("/v2/app/manifests/{text}");
            let answer = world.raw(Method::GET, &path, &headers, "").await;
            assert_eq!(answer.status, 404, "{path} in turn {turn}");
        }
        world
            .push_manifest("app", "latest", &image)
            .await
            .expect(201);
        let headers = [("authorization", basic.as_str())];
        let path = "/v2/app/manifests/latest";
        let answer = world.raw(Method::GET, path, &headers, "").await;
        assert_eq!(answer.status, 200, "in turn {turn}");
    }
    is_over.store(true, Ordering::SeqCst);
    for reader in readers {
        reader.await.expect("a reader");
    }
}
