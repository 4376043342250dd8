//! What pulls read, kept in memory: repositories with their policies, manifests by tag and digest,
//! links to blobs, the bytes of small blobs.
//!
//! The one rule: a value is kept with the epoch that its part of the repository had before it was read,
//! and given out only while the part has that epoch still. The store ends an epoch before it
//! commits a change (`MetadataStore::epoch`), so nothing here is ever told to forget, a reader that
//! is slow keeps nothing that a writer overtook, and a change that was acknowledged is seen by
//! everybody. Bytes of blobs need no epoch: a key is used once, and only who may see the link asks
//! for them. Only what was found is kept, never that something is missing.
//!
//! A store without epochs keeps nothing here but bytes. Must never be asked who may do what.

use std::sync::Arc;

use bytes::Bytes;
use roadstead_domain::digest::Digest;
use roadstead_domain::ids::{BlobKey, RepositoryId};
use roadstead_domain::name::RepositoryKey;
use roadstead_domain::policy::document::PolicyDocument;
use roadstead_domain::reference::Reference;
use roadstead_domain::resource_tag::ResourceTag;
use roadstead_store::metadata::{BlobLink, Epoch, MetadataStore, Part};

use crate::cache::Cache;
use crate::pull::PulledManifest;

const MIB: usize = 1024 * 1024;
const REPOSITORIES_BYTES: usize = 4 * MIB;
const MANIFESTS_BYTES: usize = 16 * MIB;
const LINKS_BYTES: usize = 4 * MIB;
const SMALL_BLOBS_BYTES: usize = 8 * MIB;
/// What a read policy takes for each byte of its text, about.
const POLICY_FACTOR: usize = 8;

/// A live repository, as far as every request to it has to know it.
#[derive(Debug)]
pub(crate) struct KnownRepository {
    pub(crate) id: RepositoryId,
    /// Its policy, with the resource tags that the conditions of that may ask for.
    pub(crate) policy: Option<(PolicyDocument, Vec<ResourceTag>)>,
    /// Length of the policy's text.
    pub(crate) policy_bytes: usize,
}

/// A value and the epoch in which it is right.
#[derive(Clone)]
struct Dated<V> {
    epoch: Epoch,
    value: V,
}

/// All that is kept.
pub(crate) struct Hot {
    repositories: Cache<RepositoryKey, Dated<Arc<KnownRepository>>>,
    manifests: Cache<(RepositoryId, Reference), Dated<Arc<PulledManifest>>>,
    links: Cache<(RepositoryId, Digest), Dated<Arc<BlobLink>>>,
    small_blobs: Cache<BlobKey, Bytes>,
}

impl Default for Hot {
    fn default() -> Self {
        Self {
            repositories: Cache::new(REPOSITORIES_BYTES),
            manifests: Cache::new(MANIFESTS_BYTES),
            links: Cache::new(LINKS_BYTES),
            small_blobs: Cache::new(SMALL_BLOBS_BYTES),
        }
    }
}

/// The repository that a name had when it was looked up, and whether it has it still.
pub(crate) enum Named {
    Still(Arc<KnownRepository>),
    Once(RepositoryId),
    Never,
}

impl Hot {
    /// The repository of a name.
    pub(crate) fn repository(&self, store: &dyn MetadataStore, key: &RepositoryKey) -> Named {
        let Some(Dated { epoch, value }) = self.repositories.get(key) else {
            return Named::Never;
        };
        match store.epoch(value.id, Part::Itself) == Some(epoch) {
            true => Named::Still(value),
            false => Named::Once(value.id),
        }
    }

    /// Keeps a repository that was read after `epoch` was asked for.
    pub(crate) fn keep_repository(
        &self,
        key: &RepositoryKey,
        epoch: Epoch,
        value: &Arc<KnownRepository>,
    ) {
        let bytes = 200 + POLICY_FACTOR * value.policy_bytes;
        let value = value.clone();
        self.repositories.put(key, Dated { epoch, value }, bytes);
    }

    /// The manifest that a reference names in a repository.
    pub(crate) fn manifest(
        &self,
        store: &dyn MetadataStore,
        named: &(RepositoryId, Reference),
    ) -> Option<Arc<PulledManifest>> {
        let Dated { epoch, value } = self.manifests.get(named)?;
        (store.epoch(named.0, Part::Contents) == Some(epoch)).then_some(value)
    }

    /// Keeps a manifest that was read after `epoch` was asked for.
    pub(crate) fn keep_manifest(
        &self,
        named: &(RepositoryId, Reference),
        epoch: Epoch,
        value: &Arc<PulledManifest>,
    ) {
        let (bytes, value) = (500 + value.bytes.len(), value.clone());
        self.manifests.put(named, Dated { epoch, value }, bytes);
    }

    /// The link to a blob that an image of the repository has.
    pub(crate) fn link(
        &self,
        store: &dyn MetadataStore,
        named: &(RepositoryId, Digest),
    ) -> Option<Arc<BlobLink>> {
        let Dated { epoch, value } = self.links.get(named)?;
        (store.epoch(named.0, Part::Contents) == Some(epoch)).then_some(value)
    }

    /// Keeps a link that was read after `epoch` was asked for, and that an image had.
    pub(crate) fn keep_link(
        &self,
        named: &(RepositoryId, Digest),
        epoch: Epoch,
        value: &Arc<BlobLink>,
    ) {
        let value = value.clone();
        self.links.put(named, Dated { epoch, value }, 700);
    }

    /// The bytes of a small blob.
    pub(crate) fn small_blob(&self, key: &BlobKey) -> Option<Bytes> {
        self.small_blobs.get(key)
    }

    /// Keeps the bytes of a small blob, which were right when they were read.
    pub(crate) fn keep_small_blob(&self, key: &BlobKey, whole: &Bytes) {
        self.small_blobs.put(key, whole.clone(), whole.len());
    }
}
