//! What can be asked of the metadata, by aggregate. Lists are keyset pages: they continue after
//! the last entry seen and never count or skip.

use async_trait::async_trait;
use bytes::Bytes;
use roadstead_domain::digest::Digest;
use roadstead_domain::ids::{AccountId, BlobKey, RepositoryId, UploadId};
use roadstead_domain::image::Image;
use roadstead_domain::name::{RepositoryKey, RepositoryName};
use roadstead_domain::reference::ImageTag;
use roadstead_domain::resource_tag::ResourceTag;
use roadstead_domain::time::Timestamp;
use roadstead_domain::upload::Upload;

use super::{
    AccessKey, BlobLink, Garbage, ImageCursor, ImageEntry, ImageFilter, ImageWithTags,
    ReadContainers, ReadDeleted, ReadEvents, ReadInspection, ReadLifecycle, ReadPublic,
    RegistryKey, Repository, StoreError, TaggedImage,
};

/// Repositories and their resource tags.
#[async_trait]
pub trait ReadRepositories {
    /// The live repository with this name.
    async fn repository(&mut self, key: &RepositoryKey) -> Result<Option<Repository>, StoreError>;

    /// Live repositories of a registry in the order of their names, after `after`.
    async fn repositories(
        &mut self,
        registry: &RegistryKey,
        after: Option<&RepositoryName>,
        limit: usize,
    ) -> Result<Vec<Repository>, StoreError>;

    /// The resource tags of a repository, by key.
    async fn resource_tags(
        &mut self,
        repository: RepositoryId,
    ) -> Result<Vec<ResourceTag>, StoreError>;

    /// The text of the policy of a repository, as it was set.
    async fn repository_policy(
        &mut self,
        repository: RepositoryId,
    ) -> Result<Option<String>, StoreError>;

    /// Some repositories that were deleted at or before `before` and still hold rows, the longest
    /// deleted first.
    async fn deleted_repositories(
        &mut self,
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<RepositoryId>, StoreError>;
}

/// Images, tags and the edges between manifests.
#[async_trait]
pub trait ReadImages {
    /// One image.
    async fn image(
        &mut self,
        repository: RepositoryId,
        digest: &Digest,
    ) -> Result<Option<Image>, StoreError>;

    /// Where a tag points.
    async fn tagged(
        &mut self,
        repository: RepositoryId,
        tag: &ImageTag,
    ) -> Result<Option<Digest>, StoreError>;

    /// The tags of an image in the order in which they were attached.
    async fn tags_of(
        &mut self,
        repository: RepositoryId,
        digest: &Digest,
    ) -> Result<Vec<ImageTag>, StoreError>;

    /// The exact manifest bytes.
    async fn manifest(
        &mut self,
        repository: RepositoryId,
        digest: &Digest,
    ) -> Result<Option<Bytes>, StoreError>;

    /// The indexes of the repository that list this manifest, by digest.
    async fn parents_of(
        &mut self,
        repository: RepositoryId,
        digest: &Digest,
    ) -> Result<Vec<Digest>, StoreError>;

    /// Whether the repository holds any image of any status.
    async fn has_images(&mut self, repository: RepositoryId) -> Result<bool, StoreError>;

    /// (image, tag) pairs by digest, then tag; an untagged image is one pair without a tag.
    async fn image_entries(
        &mut self,
        repository: RepositoryId,
        filter: ImageFilter,
        after: Option<&ImageEntry>,
        limit: usize,
    ) -> Result<Vec<ImageEntry>, StoreError>;

    /// Images with their tags, newest push first, then by digest.
    async fn images(
        &mut self,
        repository: RepositoryId,
        filter: ImageFilter,
        after: Option<&ImageCursor>,
        limit: usize,
    ) -> Result<Vec<ImageWithTags>, StoreError>;

    /// Tags in lexical (byte) order.
    async fn tags(
        &mut self,
        repository: RepositoryId,
        after: Option<&ImageTag>,
        limit: usize,
    ) -> Result<Vec<ImageTag>, StoreError>;

    /// Tags in lexical (byte) order, each with the image that it points to.
    async fn tagged_images(
        &mut self,
        repository: RepositoryId,
        after: Option<&ImageTag>,
        limit: usize,
    ) -> Result<Vec<TaggedImage>, StoreError>;

    /// Active images whose subject is `subject`, by digest, of any of `artifact_types` (all types
    /// when empty).
    async fn referrers(
        &mut self,
        repository: RepositoryId,
        subject: &Digest,
        artifact_types: &[String],
        after: Option<&Digest>,
        limit: usize,
    ) -> Result<Vec<Image>, StoreError>;
}

/// Blobs and uploads.
#[async_trait]
pub trait ReadBlobs {
    /// The link by which a repository may read a blob; none if its bytes are lost.
    async fn blob_link(
        &mut self,
        repository: RepositoryId,
        digest: &Digest,
    ) -> Result<Option<BlobLink>, StoreError>;

    /// Whether a live image of the repository refers to a blob. One that only deleted images refer
    /// to, which can be brought back, has a referenced link all the same.
    async fn is_in_image(
        &mut self,
        repository: RepositoryId,
        digest: &Digest,
    ) -> Result<bool, StoreError>;

    /// Any live bytes with this digest, in whatever repository, that are not lost: (key, size in
    /// bytes).
    async fn blob_with_digest(
        &mut self,
        digest: &Digest,
    ) -> Result<Option<(BlobKey, u64)>, StoreError>;

    /// Some live repositories of a registry that hold a blob, by name. At most a thousand holders
    /// in the whole store are looked at.
    async fn holders_of_blob(
        &mut self,
        registry: &RegistryKey,
        digest: &Digest,
        limit: usize,
    ) -> Result<Vec<RepositoryName>, StoreError>;

    /// An open upload of this repository.
    async fn upload(
        &mut self,
        repository: RepositoryId,
        id: &UploadId,
    ) -> Result<Option<Upload>, StoreError>;
}

/// What the sweep looks at. Each costs in proportion to what it finds.
#[async_trait]
pub trait ReadGarbage {
    /// Links without a reference, last touched earlier than `before`, the oldest first.
    async fn unreferenced_links(
        &mut self,
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<BlobLink>, StoreError>;

    /// Uploads whose `expires_at` is earlier than `now`, the oldest first.
    async fn expired_uploads(
        &mut self,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<Upload>, StoreError>;

    /// Bytes to be removed, by key, after `after`.
    async fn garbage(
        &mut self,
        after: Option<&BlobKey>,
        limit: usize,
    ) -> Result<Vec<Garbage>, StoreError>;
}

/// Access keys.
#[async_trait]
pub trait ReadAccessKeys {
    /// One access key, disabled ones included.
    async fn access_key(&mut self, id: &str) -> Result<Option<AccessKey>, StoreError>;

    /// The keys of an account, or of every account, by id.
    async fn access_keys(
        &mut self,
        account: Option<&AccountId>,
    ) -> Result<Vec<AccessKey>, StoreError>;
}

/// Everything that can be asked.
pub trait MetadataRead:
    ReadRepositories
    + ReadImages
    + ReadBlobs
    + ReadGarbage
    + ReadAccessKeys
    + ReadLifecycle
    + ReadDeleted
    + ReadEvents
    + ReadContainers
    + ReadPublic
    + ReadInspection
    + Send
{
}

impl<T> MetadataRead for T where
    T: ReadRepositories
        + ReadImages
        + ReadBlobs
        + ReadGarbage
        + ReadAccessKeys
        + ReadLifecycle
        + ReadDeleted
        + ReadEvents
        + ReadContainers
        + ReadPublic
        + ReadInspection
        + Send
{
}
