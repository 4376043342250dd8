//! Verifying a store, beside whoever uses it: every row's bytes, every byte's row, every manifest
//! against its digest, and the invariants of ARCHITECTURE.md. In bounded steps.
//!
//! A running server writes and deletes meanwhile, so what one look finds is only suspected. Rows are
//! judged within one snapshot. Bytes are judged between two looks at their row: keys are used once,
//! bytes are there before their row and after it, so a row that is the same in both looks had its
//! bytes in between, and a file without a row that is still there afterwards belongs to nothing.
//! Nothing is deleted: what is rotten or unknown is set aside.

mod bytes;
mod finding;
mod rows;
mod verdicts;

use std::collections::VecDeque;
use std::num::NonZeroU64;

use roadstead_domain::ids::{BlobKey, RepositoryId};
use roadstead_store::metadata::{InspectedBlob, InspectedRepository, Needer};

use crate::Registry;
use crate::error::Error;

pub use finding::{Action, Finding, Kind};

/// How to verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// Only report.
    pub is_dry_run: bool,
    /// Look at the lengths of blobs, not at their bytes.
    pub is_quick: bool,
    /// The most bytes of blobs to read in a second.
    pub bytes_per_second: Option<NonZeroU64>,
}

/// What was looked at so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Looked {
    /// Repositories.
    pub repositories: u64,
    /// Images.
    pub images: u64,
    /// Blobs.
    pub blobs: u64,
    /// Bytes of blobs that were hashed.
    pub bytes: u64,
    /// Uploads.
    pub uploads: u64,
    /// Files.
    pub files: u64,
}

/// Where an examination is.
#[derive(Debug)]
enum Stage {
    Damages,
    Repositories(RepositoryId),
    Images(InspectedRepository, String),
    Tags(InspectedRepository, String),
    Links(InspectedRepository, String),
    Blobs(String, VecDeque<InspectedBlob>),
    Uploads(String),
    Files(Option<BlobKey>),
    Strangers,
    Done,
}

/// An examination of a store.
pub struct Examination<'r> {
    registry: &'r Registry,
    options: Options,
    stage: Stage,
    /// What was looked at.
    pub looked: Looked,
}

impl Registry {
    /// Begins to verify the store.
    pub fn examine(&self, options: Options) -> Examination<'_> {
        Examination {
            registry: self,
            options,
            stage: Stage::Damages,
            looked: Looked::default(),
        }
    }
}

impl Examination<'_> {
    /// The name of what comes next, for people.
    pub fn phase(&self) -> &'static str {
        match self.stage {
            Stage::Damages => "database",
            Stage::Repositories(_) | Stage::Images(..) | Stage::Tags(..) | Stage::Links(..) => {
                "images"
            }
            Stage::Blobs(..) => "blobs",
            Stage::Uploads(_) => "uploads",
            Stage::Files(_) | Stage::Strangers => "files",
            Stage::Done => "done",
        }
    }

    /// How much of this phase is done, of 1000; none where nobody knows. Keys are random, so the
    /// place of one among all tells.
    pub fn permille(&self) -> Option<u64> {
        let key = match &self.stage {
            Stage::Blobs(after, _) => after.as_str(),
            Stage::Files(after) => after.as_ref().map_or("", BlobKey::as_str),
            _ => return None,
        };
        let start = key.get(..4).unwrap_or("0");
        Some(u64::from_str_radix(start, 16).unwrap_or(0) * 1000 / 0xffff)
    }

    /// Takes one bounded step; what it found, or none once everything was looked at.
    pub async fn step(&mut self) -> Result<Option<Vec<Finding>>, Error> {
        let (next, findings) = match std::mem::replace(&mut self.stage, Stage::Done) {
            Stage::Damages => self.damages().await?,
            Stage::Repositories(after) => self.next_repository(after).await?,
            Stage::Images(repository, after) => self.images(repository, after).await?,
            Stage::Tags(repository, after) => self.tags(repository, after).await?,
            Stage::Links(repository, after) => self.links(repository, after).await?,
            Stage::Blobs(after, waiting) => self.blobs(after, waiting).await?,
            Stage::Uploads(after) => self.uploads(after).await?,
            Stage::Files(after) => self.files(after).await?,
            Stage::Strangers => self.strangers().await?,
            Stage::Done => return Ok(None),
        };
        self.stage = next;
        Ok(Some(findings))
    }

    async fn damages(&self) -> Result<(Stage, Vec<Finding>), Error> {
        let damages = self.registry.metadata.damages().await?;
        let finding = |detail| Finding::new(Kind::StoreDamaged, "the metadata store", detail);
        let found = damages.into_iter().map(finding).collect();
        Ok((Stage::Repositories(RepositoryId(0)), found))
    }

    /// The images that need the bytes under a key.
    async fn needers(&self, key: &str) -> Result<Vec<Needer>, Error> {
        /// Images that are named for one blob.
        const NEEDERS_MAX: usize = 100;
        self.registry
            .metadata
            .survey(key.to_owned(), |tx, key| {
                Box::pin(async move { Ok(tx.needers(key, NEEDERS_MAX).await?) })
            })
            .await
    }
}
