//! Every way in which a use case refuses, in the words of the ECR API, without any HTTP.
//!
//! The faces map each variant to a code and a status in one exhaustive match each. Internal
//! failures carry their cause for the log; their text never reaches a client.

use roadstead_domain::digest::Digest;
use roadstead_domain::ids::{AccountId, UploadId};
use roadstead_domain::image::ImageId;
use roadstead_domain::lifecycle::parse::PolicyRefusal;
use roadstead_domain::lightsail::refusal::Refusal;
use roadstead_domain::manifest::ManifestRefusal;
use roadstead_domain::name::{RepositoryKey, RepositoryName};
use roadstead_domain::policy::parse::PolicyError;
use roadstead_domain::reference::ImageTag;
use roadstead_store::blobs::BlobError;
use roadstead_store::metadata::StoreError;

/// A repository as error texts name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The repository.
    pub name: RepositoryName,
    /// The registry that holds it, or does not.
    pub registry: AccountId,
}

impl From<&RepositoryKey> for Place {
    fn from(key: &RepositoryKey) -> Self {
        Self {
            name: key.name.clone(),
            registry: key.account.clone(),
        }
    }
}

/// Why a use case refused. The texts are those of ecr.md 1.4.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `AccessDeniedException`; the text is made where access is decided.
    #[error("{0}")]
    AccessDenied(String),
    /// `RepositoryNotFoundException`.
    #[error("The repository with name '{}' does not exist in the registry with id '{}'", .0.name, .0.registry)]
    RepositoryNotFound(Place),
    /// `RepositoryAlreadyExistsException`.
    #[error("The repository with name '{}' already exists in the registry with id '{}'", .0.name, .0.registry)]
    RepositoryAlreadyExists(Place),
    /// `RepositoryNotEmptyException`.
    #[error("The repository with name '{}' in registry with id '{}' cannot be deleted because it still contains images", .0.name, .0.registry)]
    RepositoryNotEmpty(Place),
    /// `ImageNotFoundException`.
    #[error(
        "The image with imageId {{imageDigest:'{}', imageTag:'{}'}} does not exist within the repository with name '{}' in the registry with id '{}'",
        .id.digest.as_deref().unwrap_or("null"), .id.tag.as_deref().unwrap_or("null"), .place.name, .place.registry
    )]
    ImageNotFound {
        /// What was asked for.
        id: ImageId,
        /// Where.
        place: Place,
    },
    /// The image is in archive storage: not pullable.
    #[error("Requested image is archived")]
    ImageArchived,
    /// `ImageAlreadyExistsException`.
    #[error(
        "Image with digest '{digest}' and tag '{}' already exists in the repository with name '{}' in registry with id '{}'",
        .tag.as_ref().map_or("null", ImageTag::as_str), .place.name, .place.registry
    )]
    ImageAlreadyExists {
        /// The image.
        digest: Digest,
        /// The tag that was pushed, if any.
        tag: Option<ImageTag>,
        /// Where.
        place: Place,
    },
    /// `ImageTagAlreadyExistsException`.
    #[error("The image tag '{tag}' already exists in the '{}' repository and cannot be overwritten because the tag is immutable.", .place.name)]
    ImageTagAlreadyExists {
        /// The tag.
        tag: ImageTag,
        /// Where.
        place: Place,
    },
    /// `ImageDigestDoesNotMatchException`.
    #[error(
        "Image digest '{given}' does not match the digest '{computed}' calculated for the image"
    )]
    ImageDigestDoesNotMatch {
        /// What the caller said.
        given: String,
        /// What the bytes say.
        computed: Digest,
    },
    /// `ImageStorageClassUpdateNotSupportedException`.
    #[error("The storage class of image '{digest}' cannot be updated: {why}")]
    StorageClassUpdateNotSupported {
        /// The image.
        digest: Digest,
        /// What stands in the way; ours.
        why: String,
    },
    /// `RegistryNotFoundException`: no public registry has this alias.
    #[error("The registry with name '{0}' does not exist")]
    RegistryNotFound(String),
    /// `RepositoryNotFoundException` where the registry itself is not there.
    #[error(
        "The repository with name '{name}' does not exist in the registry with id '{registry}'"
    )]
    RepositoryOfNoRegistry {
        /// The repository.
        name: String,
        /// The alias that no registry has.
        registry: String,
    },
    /// `RepositoryPolicyNotFoundException`.
    #[error("Repository policy does not exist for the repository with name '{}' in the registry with id '{}'", .0.name, .0.registry)]
    RepositoryPolicyNotFound(Place),
    /// `InvalidParameterException` about the text of a policy of a repository.
    #[error("{0}")]
    InvalidRepositoryPolicy(PolicyError),
    /// More pulls than the settings allow.
    #[error("Rate exceeded")]
    RateExceeded,
    /// `LifecyclePolicyNotFoundException`.
    #[error("Lifecycle policy does not exist for the repository with name '{}' in the registry with id '{}'", .0.name, .0.registry)]
    LifecyclePolicyNotFound(Place),
    /// `LifecyclePolicyPreviewNotFoundException`.
    #[error("Lifecycle policy preview does not exist for the repository with name '{}' in the registry with id '{}'", .0.name, .0.registry)]
    LifecyclePreviewNotFound(Place),
    /// `LifecyclePolicyPreviewInProgressException`.
    #[error("A lifecycle policy preview is in progress for the repository with name '{}' in the registry with id '{}'", .0.name, .0.registry)]
    LifecyclePreviewInProgress(Place),
    /// `InvalidParameterException` about the text of a lifecycle policy.
    #[error("{0}")]
    InvalidLifecyclePolicy(PolicyRefusal),
    /// Another run of the same lifecycle policy is going on, here or on another node.
    #[error("the lifecycle policy of the repository '{}' is being run already", .0.name)]
    LifecycleRunInProgress(Place),
    /// `LayersNotFoundException` of PutImage.
    #[error("Layers with digests '[{}]' required for pushing image into repository with name '{}' in the registry with id '{}' do not exist", list(.digests), .place.name, .place.registry)]
    LayersNotFound {
        /// The missing ones.
        digests: Vec<Digest>,
        /// Where.
        place: Place,
    },
    /// `ReferencedImagesNotFoundException`.
    #[error("Images with digests '[{}]' required for pushing image into repository with name '{}' in the registry with id '{}' do not exist", list(.digests), .place.name, .place.registry)]
    ReferencedImagesNotFound {
        /// The missing ones.
        digests: Vec<Digest>,
        /// Where.
        place: Place,
    },
    /// The manifest gives a blob a size that it does not have.
    #[error("the manifest says that '{digest}' has {declared} bytes, it has {actual}")]
    SizeMismatch {
        /// The blob.
        digest: Digest,
        /// What the manifest says.
        declared: u64,
        /// What is stored.
        actual: u64,
    },
    /// `LayersNotFoundException` of GetDownloadUrlForLayer.
    #[error("The layer with digest '{digest}' does not exist within the repository with name '{}' in the registry with id '{}'", .place.name, .place.registry)]
    LayerNotFound {
        /// The layer.
        digest: String,
        /// Where.
        place: Place,
    },
    /// A blob that images need is not deleted; ours, ECR deletes no blobs.
    #[error("The layer with digest '{digest}' in the repository with name '{}' in the registry with id '{}' is referenced by an image", .place.name, .place.registry)]
    LayerReferenced {
        /// The layer.
        digest: Digest,
        /// Where.
        place: Place,
    },
    /// `LayerInaccessibleException`.
    #[error("The layer with digest '{digest}' in the repository with name '{}' in the registry with id '{}' is not referenced by any image", .place.name, .place.registry)]
    LayerInaccessible {
        /// The layer.
        digest: Digest,
        /// Where.
        place: Place,
    },
    /// `LayerAlreadyExistsException`.
    #[error("The layer with digest '{digest}' already exists in the repository with name '{}' in the registry with id '{}'", .place.name, .place.registry)]
    LayerAlreadyExists {
        /// The layer.
        digest: Digest,
        /// Where.
        place: Place,
    },
    /// `LayerPartTooSmallException`.
    #[error("All layer parts except the last part should be at least 5MB")]
    LayerPartTooSmall,
    /// `EmptyUploadException`.
    #[error("The upload with id '{id}' in the repository with name '{}' in registry with id '{}' cannot be completed because it does not have any parts", .place.name, .place.registry)]
    EmptyUpload {
        /// The upload.
        id: UploadId,
        /// Where.
        place: Place,
    },
    /// `UploadNotFoundException`.
    #[error("The upload with id '{id}' in the repository with name '{}' in the registry with id '{}' does not exist", .place.name, .place.registry)]
    UploadNotFound {
        /// The upload.
        id: String,
        /// Where.
        place: Place,
    },
    /// `InvalidLayerPartException`.
    #[error("First byte of the layer part is {first_byte} instead of {expected_byte}")]
    InvalidLayerPart {
        /// Where the part says it starts.
        first_byte: u64,
        /// Where it has to start.
        expected_byte: u64,
        /// The upload.
        id: UploadId,
        /// Where.
        place: Place,
    },
    /// Another request is writing to the same upload.
    #[error("The upload with id '{0}' is being written to by another request")]
    UploadBusy(UploadId),
    /// The body of an upload broke off. What arrived is kept.
    #[error("the body was not taken: {0}")]
    BodyBrokeOff(String),
    /// `InvalidLayerException`: the bytes do not have the digest that was given.
    #[error(
        "The layer digest '{given}' does not match the digest '{computed}' calculated for the layer"
    )]
    InvalidLayer {
        /// What the caller said.
        given: Digest,
        /// What the bytes say.
        computed: Digest,
    },
    /// `InvalidParameterException` about the manifest.
    #[error("{}", manifest_text(.0))]
    InvalidManifest(ManifestRefusal),
    /// The manifest is longer than the limit.
    #[error(
        "Invalid parameter at 'imageManifest' failed to satisfy constraint: 'Member must have length less than or equal to {}'",
        roadstead_domain::limits::MANIFEST_BYTES_MAX
    )]
    ManifestTooLong,
    /// `LimitExceededException`.
    #[error("The maximum number of {0} has been reached")]
    LimitExceeded(&'static str),
    /// `InvalidTagParameterException`.
    #[error("Tag parameters are invalid")]
    InvalidTagParameter,
    /// `TooManyTagsException`.
    #[error("The maximum number of tags for a repository is 50")]
    TooManyTags,
    /// `InvalidParameterException`.
    #[error("Invalid parameter at '{field}' failed to satisfy constraint: '{constraint}'")]
    InvalidParameter {
        /// The member.
        field: &'static str,
        /// What it had to satisfy.
        constraint: String,
    },
    /// A call about a container service; its kind says which exception it is.
    #[error("{0}")]
    Lightsail(Refusal),
    /// No space is left for bytes or rows; nothing was lost.
    #[error("no space is left")]
    NoSpace,
    /// The metadata store failed.
    #[error("the metadata store failed")]
    Store(#[source] StoreError),
    /// The blob store failed.
    #[error("the blob store failed")]
    Blob(#[source] BlobError),
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Lightsail(refusal)
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NoSpace => Self::NoSpace,
            other => Self::Store(other),
        }
    }
}

impl From<BlobError> for Error {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::NoSpace => Self::NoSpace,
            other => Self::Blob(other),
        }
    }
}

impl Error {
    /// An `InvalidParameterException` about one member.
    pub fn invalid(field: &'static str, constraint: impl Into<String>) -> Self {
        Self::InvalidParameter {
            field,
            constraint: constraint.into(),
        }
    }
}

fn list(digests: &[Digest]) -> String {
    digests
        .iter()
        .map(Digest::as_str)
        .collect::<Vec<_>>()
        .join(", ")
}

/// ECR says `Invalid JSON syntax` for whatever it cannot read as a manifest.
fn manifest_text(refusal: &ManifestRefusal) -> String {
    let constraint = match refusal {
        ManifestRefusal::TooManyLayers => refusal.to_string(),
        ManifestRefusal::NotJson(_)
        | ManifestRefusal::NoSchemaVersion
        | ManifestRefusal::NoMediaType
        | ManifestRefusal::Ambiguous
        | ManifestRefusal::BadDescriptor(_) => "Invalid JSON syntax".into(),
        ManifestRefusal::MediaTypeMismatch { .. } | ManifestRefusal::UnsupportedMediaType(_) => {
            refusal.to_string()
        }
    };
    format!("Invalid parameter at 'ImageManifest' failed to satisfy constraint: '{constraint}'")
}
