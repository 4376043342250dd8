//! Images and what callers name them by.

use crate::digest::Digest;
use crate::media_type::MediaType;
use crate::reference::ImageTag;
use crate::time::Timestamp;

/// Whether an image can be pulled (`ImageStatus` in the ECR API model).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ImageStatus {
    /// Ordinary.
    Active,
    /// In archive storage: hidden from listings and not pullable.
    Archived,
    /// On its way back from archive storage.
    Activating,
}

/// One manifest stored in one repository. Every time and sequence is a value that the writer gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// SHA-256 (or SHA-512, on `/v2` by digest) of the exact manifest bytes.
    pub digest: Digest,
    /// The manifest's media type.
    pub media_type: MediaType,
    /// `imageSizeInBytes`: config and layers of an image, the largest child of an index.
    pub size_bytes: u64,
    /// Length of the manifest itself.
    pub manifest_size_bytes: u64,
    /// `artifactMediaType`: `artifactType` if present, else the config's media type.
    pub artifact_type: Option<String>,
    /// The manifest that this one refers to (OCI `subject`).
    pub subject: Option<Digest>,
    /// When it was first pushed.
    pub pushed_at: Timestamp,
    /// Orders pushes that share an instant; larger is later.
    pub push_seq: i64,
    /// Whether it can be pulled.
    pub status: ImageStatus,
    /// `lastRecordedPullTime`.
    pub last_pulled_at: Option<Timestamp>,
    /// `lastArchivedAt`.
    pub archived_at: Option<Timestamp>,
    /// `lastActivatedAt`.
    pub activated_at: Option<Timestamp>,
}

/// What a caller sent to name an image (`ImageIdentifier`), unchecked: a batch answers each bad
/// entry by itself and echoes exactly these members.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct ImageId {
    /// `imageDigest`.
    pub digest: Option<String>,
    /// `imageTag`.
    pub tag: Option<String>,
}

/// A well-formed [`ImageId`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageSelector {
    /// Whatever the tag points to.
    ByTag(ImageTag),
    /// The image with this digest.
    ByDigest(Digest),
    /// The image with this digest, if the tag points to it.
    Both(Digest, ImageTag),
}

/// Codes of a batch entry that failed (`ImageFailureCode` in the ECR API model).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ImageFailureCode {
    /// The digest is not one.
    InvalidImageDigest,
    /// The tag is not one.
    InvalidImageTag,
    /// The tag points elsewhere.
    ImageTagDoesNotMatchDigest,
    /// No such image.
    ImageNotFound,
    /// Neither member was sent.
    MissingDigestAndTag,
    /// An index still lists it.
    ImageReferencedByManifestList,
    /// It is archived.
    ImageInaccessible,
}

/// One failed entry of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageFailure {
    /// What was asked for, as sent.
    pub id: ImageId,
    /// The code.
    pub code: ImageFailureCode,
    /// The reason in AWS's words.
    pub reason: String,
}

/// The digest grammar that ECR prints in `InvalidImageDigest`.
const DIGEST_REGEX: &str = "[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+";
const TAG_REGEX: &str = "[a-zA-Z0-9-_.]+";

impl ImageId {
    /// Names an image by tag.
    pub fn by_tag(tag: &ImageTag) -> Self {
        Self {
            digest: None,
            tag: Some(tag.as_str().into()),
        }
    }

    /// Names an image by digest.
    pub fn by_digest(digest: &Digest) -> Self {
        Self {
            digest: Some(digest.as_str().into()),
            tag: None,
        }
    }

    /// Checks the form of what was sent. An algorithm that this server does not verify is well
    /// formed but names nothing, so it gives `Ok(None)`: not found (ecr.md 4.1 rule 2).
    pub fn selector(&self) -> Result<Option<ImageSelector>, ImageFailure> {
        let fail = |code, reason: String| {
            Err(ImageFailure {
                id: self.clone(),
                code,
                reason,
            })
        };
        let invalid = |what: &str, regex: &str| {
            format!("Invalid request parameters: image {what} should satisfy the regex '{regex}'")
        };
        if self.digest.is_none() && self.tag.is_none() {
            let reason = "Invalid request parameters: both tag and digest cannot be null".into();
            return fail(ImageFailureCode::MissingDigestAndTag, reason);
        }
        if self.digest.as_deref().is_some_and(|d| !is_digest_like(d)) {
            return fail(
                ImageFailureCode::InvalidImageDigest,
                invalid("digest", DIGEST_REGEX),
            );
        }
        let tag = match self.tag.as_deref().map(ImageTag::parse) {
            None => None,
            Some(Ok(tag)) => Some(tag),
            Some(Err(_)) => {
                return fail(ImageFailureCode::InvalidImageTag, invalid("tag", TAG_REGEX));
            }
        };
        Ok(match (self.digest.as_deref().map(Digest::parse), tag) {
            (None, None) | (Some(Err(_)), _) => None,
            (None, Some(tag)) => Some(ImageSelector::ByTag(tag)),
            (Some(Ok(digest)), None) => Some(ImageSelector::ByDigest(digest)),
            (Some(Ok(digest)), Some(tag)) => Some(ImageSelector::Both(digest, tag)),
        })
    }

    /// The failure of an entry that names nothing.
    pub fn not_found(&self) -> ImageFailure {
        ImageFailure {
            id: self.clone(),
            code: ImageFailureCode::ImageNotFound,
            reason: "Requested image not found".into(),
        }
    }
}

fn is_digest_like(text: &str) -> bool {
    let Some((algorithm, hex)) = text.rsplit_once(':') else {
        return false;
    };
    let is_algorithm = !algorithm.is_empty()
        && algorithm
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_+.".contains(&b));
    let is_hex = !hex.is_empty() && hex.bytes().all(|b| b.is_ascii_hexdigit());
    let is_right_length = algorithm != "sha256" || hex.len() == 64;
    is_algorithm && is_hex && is_right_length
}

/// Which images a listing shows (`filter.tagStatus`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum TagStatus {
    /// Every image.
    #[default]
    Any,
    /// Images with at least one tag.
    Tagged,
    /// Images without a tag.
    Untagged,
}
