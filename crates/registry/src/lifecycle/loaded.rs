//! The images of a repository, read in pages and prepared for policies.
//!
//! A small repository is read in one snapshot, a large one in several short ones: a long snapshot
//! would keep the store from tidying up behind writers. What changes meanwhile is seen by whoever
//! acts: each action is decided again, and `departures` is read before the first image.

use std::sync::{Mutex, PoisonError};

use roadstead_domain::ids::RepositoryId;
use roadstead_domain::lifecycle::evaluate::Evaluation;
use roadstead_domain::lifecycle::images::{ImageFacts, Images};
use roadstead_domain::lifecycle::policy::LifecyclePolicy;
use roadstead_domain::time::Timestamp;
use roadstead_store::metadata::{
    ImageNumber, IndexMember, LifecycleImage, MetadataRead, StoreError,
};

use super::runs::LEASE;
use crate::Registry;
use crate::error::Error;

/// Images, or entries of indexes, in one page.
const PAGE_ROWS: usize = 2_000;
/// Pages read in one snapshot.
const SNAPSHOT_PAGES: usize = 10;

/// How far the images are read, once for each policy.
pub(super) struct Loading {
    prepared: Vec<Images>,
    numbers: Vec<ImageNumber>,
    stage: Stage,
}

enum Stage {
    Images,
    /// The entries of indexes, after this one.
    Members(Option<IndexMember>),
    Done,
}

impl Loading {
    /// Reads the first images within the transaction of `tx`.
    pub(super) async fn begin(
        tx: &mut dyn MetadataRead,
        repository: RepositoryId,
        policies: &[LifecyclePolicy],
    ) -> Result<Self, StoreError> {
        let mut loading = Self {
            prepared: policies.iter().map(Images::new).collect(),
            numbers: Vec::new(),
            stage: Stage::Images,
        };
        loading.go_on(tx, repository).await?;
        Ok(loading)
    }

    async fn go_on(
        &mut self,
        tx: &mut dyn MetadataRead,
        repository: RepositoryId,
    ) -> Result<(), StoreError> {
        for _ in 0..SNAPSHOT_PAGES {
            self.stage = match std::mem::replace(&mut self.stage, Stage::Done) {
                Stage::Images => self.read_images(tx, repository).await?,
                Stage::Members(after) => self.read_members(tx, repository, after).await?,
                Stage::Done => return Ok(()),
            };
        }
        Ok(())
    }

    async fn read_images(
        &mut self,
        tx: &mut dyn MetadataRead,
        repository: RepositoryId,
    ) -> Result<Stage, StoreError> {
        let after = self.numbers.last().copied();
        let page = tx.lifecycle_images(repository, after, PAGE_ROWS).await?;
        for image in &page {
            self.numbers.push(image.number);
            with_facts(image, |facts| {
                for images in &mut self.prepared {
                    images.push(facts);
                }
            });
        }
        let is_full = page.len() == PAGE_ROWS;
        Ok(if is_full {
            Stage::Images
        } else {
            Stage::Members(None)
        })
    }

    async fn read_members(
        &mut self,
        tx: &mut dyn MetadataRead,
        repository: RepositoryId,
        after: Option<IndexMember>,
    ) -> Result<Stage, StoreError> {
        let page = tx
            .index_members(repository, after.as_ref(), PAGE_ROWS)
            .await?;
        for member in &page {
            // Places count up with the numbers.
            let Ok(place) = self.numbers.binary_search(&member.index) else {
                continue;
            };
            for images in &mut self.prepared {
                images.list_member(place as u32, member.child.as_str());
            }
        }
        let is_full = page.len() == PAGE_ROWS;
        Ok(match page.into_iter().next_back() {
            Some(last) if is_full => Stage::Members(Some(last)),
            Some(_) | None => Stage::Done,
        })
    }
}

impl Registry {
    /// Reads the rest of the images, renewing `lease`, and evaluates, one policy after the other.
    pub(super) async fn evaluate_loaded(
        &self,
        repository: RepositoryId,
        mut loading: Loading,
        now: Timestamp,
        lease: Option<&(String, String)>,
    ) -> Result<Vec<Evaluation>, Error> {
        while !matches!(loading.stage, Stage::Done) {
            if let Some((name, holder)) = lease {
                // Whether it was lost is asked again before anything is done.
                self.take_lease(name, holder, self.clock.now(), LEASE)
                    .await?;
            }
            let input = (repository, Mutex::new(Some(loading)));
            loading = self
                .metadata
                .survey(input, |tx, (repository, loading)| {
                    Box::pin(async move {
                        let mut loading = taken(loading)?;
                        loading.go_on(tx, *repository).await?;
                        Ok::<_, Error>(loading)
                    })
                })
                .await?;
        }
        // It takes the processor for a while: not on a thread of requests.
        let input = (Mutex::new(Some(loading)), now, self.rules.orphan_grace);
        self.metadata
            .survey(input, |_, (loading, now, orphan_grace)| {
                Box::pin(async move {
                    let prepared = taken(loading)?.prepared.into_iter();
                    Ok(prepared
                        .map(|images| images.evaluate(*now, *orphan_grace))
                        .collect())
                })
            })
            .await
    }
}

/// A read body runs once, so what it was given is there.
fn taken<T>(slot: &Mutex<Option<T>>) -> Result<T, StoreError> {
    let taken = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
    taken.ok_or_else(|| StoreError::Failed("a survey ran twice".into()))
}

/// Shows an image to the engine.
pub(super) fn with_facts<T>(image: &LifecycleImage, see: impl FnOnce(&ImageFacts<'_>) -> T) -> T {
    let tags: Vec<&str> = image.tags.iter().map(|tag| tag.as_str()).collect();
    see(&ImageFacts {
        name: image.digest.as_str(),
        tags: &tags,
        status: image.status,
        pushed_at: image.pushed_at,
        push_seq: image.push_seq,
        last_pulled_at: image.last_pulled_at,
        archived_at: image.archived_at,
        activated_at: image.activated_at,
        orphaned_at: image.orphaned_at,
        subject: image.subject.as_ref().map(|subject| subject.as_str()),
    })
}
