//! The rows that cross the port. Times and sequences are values that the writer gives.

use roadstead_domain::digest::Digest;
use roadstead_domain::ids::{AccountId, BlobKey, Region, RepositoryId};
use roadstead_domain::image::{Image, ImageStatus, TagStatus};
use roadstead_domain::media_type::MediaType;
use roadstead_domain::name::{RepositoryKey, RepositoryKind, RepositoryName};
use roadstead_domain::reference::ImageTag;
use roadstead_domain::resource_tag::ResourceTag;
use roadstead_domain::tagging::TagMutability;
use roadstead_domain::time::Timestamp;

/// A repository to be made.
#[derive(Debug, Clone)]
pub struct NewRepository {
    /// Its name in the server.
    pub key: RepositoryKey,
    /// `createdAt`.
    pub created_at: Timestamp,
    /// Whether its tags may move.
    pub tag_mutability: TagMutability,
    /// `imageScanningConfiguration.scanOnPush`.
    pub scan_on_push: bool,
    /// Resource tags, already checked.
    pub resource_tags: Vec<ResourceTag>,
}

/// A repository as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// The surrogate id.
    pub id: RepositoryId,
    /// Its name in the server.
    pub key: RepositoryKey,
    /// `createdAt`.
    pub created_at: Timestamp,
    /// Whether its tags may move.
    pub tag_mutability: TagMutability,
    /// `imageScanningConfiguration.scanOnPush`.
    pub scan_on_push: bool,
}

/// A registry: the repositories of one kind, account and region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryKey {
    /// The service.
    pub kind: RepositoryKind,
    /// The account.
    pub account: AccountId,
    /// The region, none for public registries.
    pub region: Option<Region>,
}

impl RegistryKey {
    /// The key of a repository of this registry.
    pub fn repository(&self, name: RepositoryName) -> RepositoryKey {
        RepositoryKey {
            kind: self.kind,
            account: self.account.clone(),
            region: self.region.clone(),
            name,
        }
    }
}

/// An image to be stored. Its edges are stored as given, whether or not what they name is there.
#[derive(Debug, Clone)]
pub struct NewImage {
    /// The record.
    pub image: Image,
    /// The exact manifest bytes.
    pub manifest: bytes::Bytes,
    /// Config and layers that live in this repository, each once.
    pub blobs: Vec<BlobEdge>,
    /// The manifests that an index lists, each once.
    pub children: Vec<Digest>,
}

/// One blob that an image refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobEdge {
    /// The blob.
    pub digest: Digest,
    /// The media type that the manifest gives it.
    pub media_type: MediaType,
}

/// One image with its tags in the order of attachment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageWithTags {
    /// The image.
    pub image: Image,
    /// Its tags.
    pub tags: Vec<ImageTag>,
}

/// A tag and the image that it points to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaggedImage {
    /// The tag.
    pub tag: ImageTag,
    /// Since when it points there.
    pub tagged_at: Timestamp,
    /// The image.
    pub image: Image,
}

/// One (image, tag) pair of a listing; an untagged image has one entry without a tag.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ImageEntry {
    /// The image.
    pub digest: Digest,
    /// The tag, or none.
    pub tag: Option<ImageTag>,
}

/// Narrows a listing of images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ImageFilter {
    /// By having tags.
    pub tag_status: TagStatus,
    /// By storage status; none means every status.
    pub status: Option<ImageStatus>,
}

/// Where a listing of images continues: after this image in the order newest push first, then
/// digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageCursor {
    /// `pushed_at` of the last image seen.
    pub pushed_at: Timestamp,
    /// Its digest.
    pub digest: Digest,
}

/// A repository's right to read a blob, and where its bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobLink {
    /// The repository.
    pub repository: RepositoryId,
    /// What the bytes are.
    pub digest: Digest,
    /// Where they are.
    pub key: BlobKey,
    /// How many.
    pub size_bytes: u64,
    /// The media type that a manifest last gave it, if any did.
    pub media_type: Option<MediaType>,
    /// Since when no image of the repository refers to it, or when it was last touched; none
    /// while one does.
    pub unreferenced_since: Option<Timestamp>,
}

/// Bytes that nothing refers to any more, waiting to be removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Garbage {
    /// Where they are.
    pub key: BlobKey,
    /// How many, as far as known.
    pub size_bytes: u64,
}

/// An access key as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessKey {
    /// `AKIA…`.
    pub id: String,
    /// The account whose root it is.
    pub account: AccountId,
    /// The secret, sealed under the key ring: SigV4 needs it back.
    pub sealed_secret: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stopped working.
    pub disabled_at: Option<Timestamp>,
}
