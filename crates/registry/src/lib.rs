//! The use cases of the registry. Every face calls these, and only these, to read or change it.
//!
//! This crate speaks domain types: it knows no HTTP and no AWS shapes, spawns no task, and takes
//! time, ids and randomness as values.

pub mod access;
pub mod containers;
pub mod context;
pub mod credentials;
pub mod delete_blob;
pub mod delete_images;
pub mod doctor;
pub mod error;
pub mod events;
pub mod images;
pub mod keyring;
pub mod layers;
pub mod lifecycle;
pub mod paging;
pub mod public;
pub mod pull;
pub mod pull_times;
pub mod push_manifest;
pub mod repositories;
pub mod repository_policy;
pub mod resource_tags;
pub mod rot;
pub mod storage_class;
pub mod undelete;
pub mod uploads;
pub mod work;

mod cache;
mod hot;
mod loading;

use std::sync::{Arc, Mutex};

use roadstead_domain::lightsail::service::RecordedEnd;
use roadstead_domain::lightsail::versions::VersionScope;
use roadstead_domain::limits::UPLOAD_CHECKPOINT_BYTES;
use roadstead_domain::time::{Span, Timestamp};
use roadstead_store::blobs::BlobStore;
use roadstead_store::metadata::MetadataStore;

use crate::containers::Containers;
use crate::context::{Clock, Ids};
use crate::credentials::{KeyCache, TokenCache};
use crate::hot::Hot;
use crate::keyring::KeyRing;
use crate::public::{PullLimits, PullRates};
use crate::pull_times::PullTimes;
use crate::rot::VerifyReads;
use crate::uploads::Sessions;
use crate::work::{Doing, SweepReport};

/// What an operator can set about the rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// The name of this node among those that share the stores. An embedded store has one node at
    /// a time, which therefore always takes up its own leases.
    pub node: String,
    /// Answer as real ECR does where it departs from the OCI spec.
    pub is_strict_ecr: bool,
    /// How long an unreferenced blob is kept after its last reference or touch.
    pub sweep_grace: Span,
    /// When the bytes of blobs are hashed before they are served.
    pub verify_reads: VerifyReads,
    /// How long an upload may rest before it is given up.
    pub upload_expiry: Span,
    /// After how many bytes of an upload what arrived is made durable with the state of its hash;
    /// at least 1.
    pub upload_checkpoint_bytes: u64,
    /// How long an authorization token is good for.
    pub token_lifetime: Span,
    /// How long a layer download link is good for.
    pub download_lifetime: Span,
    /// How often the lifecycle policy of a repository runs.
    pub lifecycle_interval: Span,
    /// How long after its subject a referrer goes, in a repository with a lifecycle policy.
    pub orphan_grace: Span,
    /// The most of a repository that one lifecycle run may delete, percent of its images; a run
    /// that would delete more deletes nothing. No limit if none.
    pub expire_percent_max: Option<u8>,
    /// How long a deleted image or repository can be brought back; not at all if none.
    pub undelete_window: Option<Span>,
    /// How many public images may be pulled in a second.
    pub public_pulls: PullLimits,
    /// Who is told of pushes and deletions.
    pub event_destinations: Vec<String>,
    /// Who is told of runs of lifecycle policies; nobody if none.
    pub audit_destination: Option<String>,
    /// Over what the versions of container images count.
    pub container_version_scope: VersionScope,
    /// How deployments of container services end that nothing runs.
    pub container_recorded_end: RecordedEnd,
    /// How long a container service stays at least in a state that ends by itself.
    pub container_dwell: Span,
    /// How long a pushed container image waits to be registered.
    pub container_push_grace: Span,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            node: "embedded".into(),
            is_strict_ecr: false,
            sweep_grace: Span::hours(1),
            verify_reads: VerifyReads::default(),
            upload_expiry: Span::hours(24),
            upload_checkpoint_bytes: UPLOAD_CHECKPOINT_BYTES,
            token_lifetime: Span::hours(12),
            download_lifetime: Span::hours(1),
            lifecycle_interval: Span::hours(1),
            orphan_grace: Span::hours(24),
            expire_percent_max: None,
            undelete_window: None,
            public_pulls: PullLimits::default(),
            event_destinations: Vec::new(),
            audit_destination: None,
            container_version_scope: VersionScope::default(),
            container_recorded_end: RecordedEnd::default(),
            container_dwell: Span(500_000),
            container_push_grace: Span::hours(24),
        }
    }
}

/// The registry: two stores and the rules over them.
pub struct Registry {
    metadata: Arc<dyn MetadataStore>,
    blobs: Arc<dyn BlobStore>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    keyring: KeyRing,
    rules: Rules,
    sessions: Sessions,
    pull_times: PullTimes,
    pull_rates: PullRates,
    doing: Doing,
    /// Rung when a preview is asked for.
    preview_bell: tokio::sync::Notify,
    /// Held during a step of the sweep; what all steps of this process did together.
    sweeping: tokio::sync::Mutex<()>,
    swept: Mutex<SweepReport>,
    key_cache: KeyCache,
    token_cache: TokenCache,
    hot: Hot,
    containers: Containers,
}

impl Registry {
    /// Puts a registry together. The clock is for bodies, whose ends may come hours after the instant
    /// of their request, and for how old a look at their bytes is.
    pub fn new(
        metadata: Arc<dyn MetadataStore>,
        blobs: Arc<dyn BlobStore>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
        keyring: KeyRing,
        rules: Rules,
    ) -> Self {
        let (sessions, key_cache) = (Sessions::default(), KeyCache::default());
        let sweeping = tokio::sync::Mutex::new(());
        Self {
            metadata,
            blobs,
            clock,
            ids,
            keyring,
            rules,
            sessions,
            pull_times: PullTimes::default(),
            pull_rates: PullRates::default(),
            doing: Doing::default(),
            preview_bell: tokio::sync::Notify::new(),
            sweeping,
            swept: Mutex::default(),
            key_cache,
            token_cache: TokenCache::default(),
            hot: Hot::default(),
            containers: Containers::default(),
        }
    }

    /// The rules in force.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The source of ids.
    pub fn ids(&self) -> &dyn Ids {
        &*self.ids
    }

    /// Whether the metadata store answers: what readiness means.
    pub async fn check_ready(&self) -> Result<(), error::Error> {
        self.metadata
            .read((), |tx, ()| {
                Box::pin(async move {
                    Ok(tx
                        .deleted_repositories(Timestamp(i64::MAX), 1)
                        .await
                        .map(drop)?)
                })
            })
            .await
    }
}
