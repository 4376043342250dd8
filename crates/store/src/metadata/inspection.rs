//! Every row as it is, page by page, for whoever verifies a store: texts and numbers that nobody has
//! parsed, so that a row that cannot be understood can be told from the others.
//!
//! Never for a request: these pages walk the whole store.

use async_trait::async_trait;
use roadstead_domain::ids::{BlobKey, RepositoryId};

use super::StoreError;

/// A repository, deleted ones included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InspectedRepository {
    /// The surrogate id.
    pub id: RepositoryId,
    /// The account.
    pub account: String,
    /// The region; empty where there is none.
    pub region: String,
    /// The name.
    pub name: String,
    /// Whether its contents are being removed, so that they say nothing any more.
    pub is_reaped: bool,
}

/// A blob that an image refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InspectedEdge {
    /// The blob's digest.
    pub digest: String,
    /// Whether the repository has a link to it.
    pub has_link: bool,
}

/// A manifest that an index lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InspectedChild {
    /// Its digest.
    pub digest: String,
    /// Whether it is an image of the repository.
    pub is_there: bool,
}

/// An image with all that hangs on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InspectedImage {
    /// Its digest.
    pub digest: String,
    /// Its media type.
    pub media_type: String,
    /// The length of its manifest as recorded.
    pub manifest_size_bytes: i64,
    /// Whether it counts as tagged.
    pub is_tagged: bool,
    /// The manifest.
    pub manifest: Option<Vec<u8>>,
    /// The tags that point to it.
    pub tags: Vec<String>,
    /// The blobs it refers to, by digest.
    pub edges: Vec<InspectedEdge>,
    /// The manifests it lists, by digest.
    pub children: Vec<InspectedChild>,
}

/// A tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InspectedTag {
    /// The tag.
    pub tag: String,
    /// The repository of the image that it points to, if that is there.
    pub image_repository: Option<RepositoryId>,
}

/// A repository's right to read a blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InspectedLink {
    /// The digest it is for.
    pub digest: String,
    /// Where it leads.
    pub key: String,
    /// The digest of the blob there, if there is one.
    pub blob_digest: Option<String>,
    /// Whether it waits to be swept.
    pub is_unreferenced: bool,
    /// Whether an image of the repository, kept ones included, refers to the blob.
    pub has_edge: bool,
}

/// A blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InspectedBlob {
    /// Where its bytes are.
    pub key: String,
    /// What they are.
    pub digest: String,
    /// How many.
    pub size_bytes: i64,
    /// Whether they are known to be lost.
    pub is_lost: bool,
    /// Whether any repository has a link to it.
    pub has_link: bool,
    /// Whether the key is garbage as well.
    pub is_garbage: bool,
}

/// An open upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InspectedUpload {
    /// Its id.
    pub id: String,
    /// Where its bytes are.
    pub key: String,
    /// How many were acknowledged.
    pub received_bytes: i64,
    /// Whether the key is a blob's or garbage as well.
    pub is_elsewhere: bool,
}

/// An image that needs a blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needer {
    /// `account/region/name` of its repository; the region left out where there is none.
    pub repository: String,
    /// Its digest.
    pub digest: String,
    /// Its tags.
    pub tags: Vec<String>,
}

/// Everything, by page. Pages begin after the last entry seen.
#[async_trait]
pub trait ReadInspection {
    /// Repositories by id.
    async fn inspected_repositories(
        &mut self,
        after: RepositoryId,
        limit: usize,
    ) -> Result<Vec<InspectedRepository>, StoreError>;

    /// One repository, as long as it has a row.
    async fn inspected_repository(
        &mut self,
        id: RepositoryId,
    ) -> Result<Option<InspectedRepository>, StoreError>;

    /// Live images of a repository by digest.
    async fn inspected_images(
        &mut self,
        repository: RepositoryId,
        after: &str,
        limit: usize,
    ) -> Result<Vec<InspectedImage>, StoreError>;

    /// Tags of a repository in byte order.
    async fn inspected_tags(
        &mut self,
        repository: RepositoryId,
        after: &str,
        limit: usize,
    ) -> Result<Vec<InspectedTag>, StoreError>;

    /// Links of a repository by digest.
    async fn inspected_links(
        &mut self,
        repository: RepositoryId,
        after: &str,
        limit: usize,
    ) -> Result<Vec<InspectedLink>, StoreError>;

    /// Blobs by key.
    async fn inspected_blobs(
        &mut self,
        after: &str,
        limit: usize,
    ) -> Result<Vec<InspectedBlob>, StoreError>;

    /// One blob.
    async fn inspected_blob(&mut self, key: &str) -> Result<Option<InspectedBlob>, StoreError>;

    /// Uploads by id.
    async fn inspected_uploads(
        &mut self,
        after: &str,
        limit: usize,
    ) -> Result<Vec<InspectedUpload>, StoreError>;

    /// One upload.
    async fn inspected_upload(&mut self, id: &str) -> Result<Option<InspectedUpload>, StoreError>;

    /// Whether a key is a blob's or garbage.
    async fn is_blob_or_garbage(&mut self, key: &BlobKey) -> Result<bool, StoreError>;

    /// Live images that need the bytes under a key.
    async fn needers(&mut self, key: &str, limit: usize) -> Result<Vec<Needer>, StoreError>;
}
