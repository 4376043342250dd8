//! Every limit of the registry in one place, each with its source.

/// Longest manifest, bytes (`ImageManifest` in the ECR API model: 4,194,304 characters).
pub const MANIFEST_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Most config and layer descriptors of one image; ECR's own number is unknown, ours (ecr.md 10).
pub const LAYERS_MAX: usize = 4096;
/// Most children of one index; ours.
pub const CHILDREN_MAX: usize = 4096;
/// Least bytes of a layer part that is not the last (ECR quotas page).
pub const LAYER_PART_BYTES_MIN: u64 = 5 * 1024 * 1024;
/// The part size that InitiateLayerUpload asks for (AWS CLI example of the operation).
pub const LAYER_PART_BYTES: u64 = 10 * 1024 * 1024;
/// Most parts of one layer (ECR quotas page).
pub const LAYER_PARTS_MAX: u64 = 4200;
/// Longest layer, bytes: 52,000 MiB (ECR quotas page).
pub const LAYER_BYTES_MAX: u64 = 52_000 * 1024 * 1024;
/// After how many bytes of an upload what arrived is made durable, with the state of its hash: as
/// many are lost or hashed again at most if the server dies; ours.
pub const UPLOAD_CHECKPOINT_BYTES: u64 = 128 * 1024 * 1024;
/// Most tags of one image (ECR quotas page).
pub const TAGS_PER_IMAGE_MAX: usize = 1000;
/// Most resource tags of one repository (ECR user guide, "Tagging a private repository").
pub const RESOURCE_TAGS_MAX: usize = 50;
/// Longest resource tag key, characters (same page).
pub const RESOURCE_TAG_KEY_CHARACTERS_MAX: usize = 128;
/// Longest resource tag value, characters (same page).
pub const RESOURCE_TAG_VALUE_CHARACTERS_MAX: usize = 256;
/// Most exclusion filters of a repository (`ImageTagMutabilityExclusionFilters`, ECR API model).
pub const EXCLUSION_FILTERS_MAX: usize = 5;
/// Largest page of the listing operations (ECR API model, `MaxResults`).
pub const PAGE_MAX: usize = 1000;
/// Page size where the caller names none (ECR API model).
pub const PAGE_DEFAULT: usize = 100;
/// Largest page of ListImageReferrers (ECR API model).
pub const REFERRERS_PAGE_MAX: usize = 50;
/// Page size of ListImageReferrers where the caller names none (ECR API model).
pub const REFERRERS_PAGE_DEFAULT: usize = 20;
