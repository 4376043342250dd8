//! What can be changed in the metadata, by aggregate. Every method leaves the invariants that its
//! documentation names; none decides anything.

use async_trait::async_trait;
use roadstead_domain::digest::Digest;
use roadstead_domain::ids::{BlobKey, RepositoryId, UploadId};
use roadstead_domain::image::ImageStatus;
use roadstead_domain::reference::ImageTag;
use roadstead_domain::resource_tag::ResourceTag;
use roadstead_domain::tagging::TagMutability;
use roadstead_domain::time::Timestamp;
use roadstead_domain::upload::Upload;

use super::{
    AccessKey, MetadataRead, NewImage, NewRepository, StoreError, WriteContainers, WriteDeleted,
    WriteEvents, WriteLifecycle, WritePublic,
};

/// Repositories and their resource tags.
#[async_trait]
pub trait WriteRepositories {
    /// Makes a repository; none if a live one has the name.
    async fn insert_repository(
        &mut self,
        new: &NewRepository,
    ) -> Result<Option<RepositoryId>, StoreError>;

    /// Replaces the mutability setting as a whole.
    async fn set_tag_mutability(
        &mut self,
        repository: RepositoryId,
        setting: &TagMutability,
    ) -> Result<(), StoreError>;

    /// Replaces the policy of a repository, or removes it.
    async fn set_repository_policy(
        &mut self,
        repository: RepositoryId,
        text: Option<&str>,
    ) -> Result<(), StoreError>;

    /// Frees the name at once and leaves the contents to [`Self::reap_repository`]: the cost does
    /// not depend on how much the repository holds.
    async fn delete_repository(
        &mut self,
        repository: RepositoryId,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// Removes up to `limit` images (live and deleted), links, uploads, pages and runs of a
    /// deleted repository, turning bytes that nothing else refers to into garbage. Events that wait
    /// stay. True once
    /// nothing is left and the row itself is gone.
    /// A repository that is not deleted is refused with [`StoreError::Failed`].
    async fn reap_repository(
        &mut self,
        repository: RepositoryId,
        limit: usize,
    ) -> Result<bool, StoreError>;

    /// Sets the resource tags of a repository to exactly these.
    async fn set_resource_tags(
        &mut self,
        repository: RepositoryId,
        tags: &[ResourceTag],
    ) -> Result<(), StoreError>;
}

/// Images and tags.
#[async_trait]
pub trait WriteImages {
    /// Stores an image with its edges; false if the digest is there. Images whose subject it is are
    /// orphans no more. Every blob edge marks the
    /// link that it names as referenced; an edge without a link is stored all the same.
    async fn insert_image(
        &mut self,
        repository: RepositoryId,
        new: &NewImage,
    ) -> Result<bool, StoreError>;

    /// Stores the exact bytes of an image once more: what is stored is not what was pushed. An image
    /// that is not there is [`StoreError::Failed`].
    async fn replace_manifest(
        &mut self,
        repository: RepositoryId,
        digest: &Digest,
        bytes: &[u8],
    ) -> Result<(), StoreError>;

    /// Removes an image with its tags and edges. Links that no image of the repository refers to
    /// any more become unreferenced since `now`. With `kept_until` the image becomes a deleted one
    /// that can be brought back, and its edges to blobs stay until then. Images whose subject it
    /// was are orphans since `now`.
    async fn delete_image(
        &mut self,
        repository: RepositoryId,
        digest: &Digest,
        now: Timestamp,
        kept_until: Option<Timestamp>,
    ) -> Result<(), StoreError>;

    /// Points a tag to an image, moving it if it points elsewhere; one that points there already
    /// keeps its time and place. `seq` orders the tags of an image by attachment. An image that
    /// is not there is [`StoreError::Failed`].
    async fn put_tag(
        &mut self,
        repository: RepositoryId,
        tag: &ImageTag,
        digest: &Digest,
        tagged_at: Timestamp,
        seq: i64,
    ) -> Result<(), StoreError>;

    /// Removes a tag; the image stays.
    async fn delete_tag(
        &mut self,
        repository: RepositoryId,
        tag: &ImageTag,
    ) -> Result<(), StoreError>;

    /// Records a pull, unless a later one is recorded.
    async fn record_pull(
        &mut self,
        repository: RepositoryId,
        digest: &Digest,
        at: Timestamp,
    ) -> Result<(), StoreError>;

    /// Changes the storage status and the times that go with it.
    async fn set_image_status(
        &mut self,
        repository: RepositoryId,
        digest: &Digest,
        status: ImageStatus,
        at: Timestamp,
    ) -> Result<(), StoreError>;
}

/// Blobs and uploads.
#[async_trait]
pub trait WriteBlobs {
    /// Records bytes that are durable under a fresh key. Links to lost bytes of this digest lead to
    /// these from now on, and what was lost is garbage.
    async fn insert_blob(
        &mut self,
        key: &BlobKey,
        digest: &Digest,
        size_bytes: u64,
    ) -> Result<(), StoreError>;

    /// Records that the bytes of a blob are gone or are not what they were: until bytes of its digest
    /// are recorded anew, or these are found again, nobody is told that it is there. Its links stay.
    /// False if there is no such blob, or it is lost already.
    async fn mark_blob_lost(&mut self, key: &BlobKey, now: Timestamp) -> Result<bool, StoreError>;

    /// Records that lost bytes are there again; false if they were not lost.
    async fn mark_blob_found(&mut self, key: &BlobKey) -> Result<bool, StoreError>;

    /// Lets a repository read a blob. A new link counts as unreferenced since `now` until an
    /// image refers to it; one that an image refers to already is referenced from the start. An
    /// existing link to any bytes of this digest is kept and touched, and the bytes under `key`
    /// become garbage if nothing else links them.
    async fn link_blob(
        &mut self,
        repository: RepositoryId,
        digest: &Digest,
        key: &BlobKey,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// Renews the grace of an unreferenced link, never shortens it; a referenced one is left alone.
    async fn touch_link(
        &mut self,
        repository: RepositoryId,
        digest: &Digest,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// Removes a link if no image of the repository refers to it and it was last touched earlier
    /// than `before`; bytes without any link become garbage. True if the link was removed.
    async fn unlink_blob(
        &mut self,
        repository: RepositoryId,
        digest: &Digest,
        before: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Opens an upload.
    async fn insert_upload(&mut self, upload: &Upload) -> Result<(), StoreError>;

    /// Stores the progress of an upload; false if it is gone.
    async fn update_upload(&mut self, upload: &Upload) -> Result<bool, StoreError>;

    /// Ends an upload and leaves its bytes to whoever ended it; false if it is gone (F17).
    async fn delete_upload(&mut self, id: &UploadId) -> Result<bool, StoreError>;

    /// Records bytes as garbage, once. The bytes of a live blob are refused with
    /// [`StoreError::Failed`].
    async fn insert_garbage(&mut self, key: &BlobKey, size_bytes: u64) -> Result<(), StoreError>;

    /// Forgets garbage whose bytes are gone.
    async fn delete_garbage(&mut self, keys: &[BlobKey]) -> Result<(), StoreError>;
}

/// Access keys and leases.
#[async_trait]
pub trait WriteControl {
    /// Stores an access key; false if the id is taken.
    async fn insert_access_key(&mut self, key: &AccessKey) -> Result<bool, StoreError>;

    /// Makes a key stop working; false if there is none. The first time counts.
    async fn disable_access_key(&mut self, id: &str, at: Timestamp) -> Result<bool, StoreError>;

    /// Takes or renews the named lease until `until`, unless another holder has it at `now`.
    async fn claim_lease(
        &mut self,
        name: &str,
        holder: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Gives a lease back; a lease of another holder is left alone.
    async fn release_lease(&mut self, name: &str, holder: &str) -> Result<(), StoreError>;
}

/// Everything that can be changed, over everything that can be asked.
pub trait MetadataWrite:
    MetadataRead
    + WriteRepositories
    + WriteImages
    + WriteBlobs
    + WriteControl
    + WriteLifecycle
    + WriteDeleted
    + WriteEvents
    + WriteContainers
    + WritePublic
{
}

impl<T> MetadataWrite for T where
    T: MetadataRead
        + WriteRepositories
        + WriteImages
        + WriteBlobs
        + WriteControl
        + WriteLifecycle
        + WriteDeleted
        + WriteEvents
        + WriteContainers
        + WritePublic
{
}
