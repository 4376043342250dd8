//! What no door offers and tests of lifecycle policies need: the work of the server's worker, runs
//! on demand, and images of any age, status and kinship, put right into the store.
//!
//! Must never stand in for a push where a test is about pushing.

use bytes::Bytes;
use roadstead_domain::digest::Digest;
use roadstead_domain::ids::{AccountId, Region};
use roadstead_domain::image::{Image, ImageStatus};
use roadstead_domain::media_type::MediaType;
use roadstead_domain::name::{RepositoryKey, RepositoryName};
use roadstead_domain::reference::ImageTag;
use roadstead_domain::time::Timestamp;
use roadstead_registry::access;
use roadstead_registry::context::Clock as _;
use roadstead_registry::error::Error;
use roadstead_registry::lifecycle::runs::{RunEntry, RunRecord};
use roadstead_store::metadata::{NewImage, StoreError};

use crate::images::OCI_MANIFEST;
use crate::world::{ACCOUNT, REGION, World};

/// An active image without blobs, children or subject, to be changed before it is inserted. Its
/// manifest is empty: it can be listed and deleted, not pulled.
pub fn record(digest: &str, pushed_at: Timestamp) -> NewImage {
    NewImage {
        image: Image {
            digest: Digest::parse(digest).expect("a digest"),
            media_type: MediaType::new(OCI_MANIFEST),
            size_bytes: 0,
            manifest_size_bytes: 2,
            artifact_type: None,
            subject: None,
            pushed_at,
            push_seq: pushed_at.0,
            status: ImageStatus::Active,
            last_pulled_at: None,
            archived_at: None,
            activated_at: None,
        },
        manifest: Bytes::from_static(b"{}"),
        blobs: vec![],
        children: vec![],
    }
}

impl World {
    /// What names a repository of the world's account in the store.
    pub fn key(&self, repository: &str) -> RepositoryKey {
        RepositoryKey::private(
            AccountId::parse(ACCOUNT).expect("an account"),
            Region::parse(REGION).expect("a region"),
            RepositoryName::parse(repository).expect("a name"),
        )
    }

    /// Puts images into the store in one transaction, each with its tags in this order.
    pub async fn insert_images(&self, repository: &str, images: Vec<(NewImage, Vec<String>)>) {
        let input = (self.key(repository), images);
        self.metadata
            .write(input, |tx, (key, images)| {
                Box::pin(async move {
                    let repository = tx.repository(key).await?.expect("a repository").id;
                    for (new, tags) in images {
                        assert!(tx.insert_image(repository, new).await?, "a new digest");
                        let (digest, at) = (&new.image.digest, new.image.pushed_at);
                        for (seq, tag) in (0..).zip(tags) {
                            let tag = ImageTag::parse(tag).expect("a tag");
                            tx.put_tag(repository, &tag, digest, at, seq).await?;
                        }
                    }
                    Ok::<_, StoreError>(())
                })
            })
            .await
            .expect("the images are stored");
    }

    /// Evaluates every preview that was asked for; says how many.
    pub async fn previews(&self) -> usize {
        let mut done = 0;
        while self
            .registry
            .preview_step(self.clock.now())
            .await
            .expect("a preview")
        {
            done += 1;
        }
        done
    }

    /// Evaluates every preview and runs every policy that is due; says how many policies ran.
    pub async fn lifecycle(&self) -> usize {
        self.previews().await;
        let mut ran = 0;
        while self
            .registry
            .lifecycle_step(self.clock.now())
            .await
            .expect("a run")
        {
            ran += 1;
        }
        ran
    }

    /// Runs the policy of a repository now.
    pub async fn try_run(&self, repository: &str) -> Result<RunRecord, Error> {
        let key = access::operator(self.key(repository));
        let now = self.clock.now();
        self.registry.run_lifecycle(key, now, false).await
    }

    /// Runs the policy of a repository now, which must work.
    pub async fn run(&self, repository: &str) -> RunRecord {
        self.try_run(repository).await.expect("a run")
    }

    /// What a run recorded of every image.
    pub async fn entries_of(&self, repository: &str, run: i64) -> Vec<RunEntry> {
        let mut all = Vec::new();
        for page in 0.. {
            let key = access::operator(self.key(repository));
            let entries = self.registry.lifecycle_run_entries(key, run, page).await;
            let Some(entries) = entries.expect("the record of a run") else {
                break;
            };
            all.extend(entries);
        }
        all
    }
}
