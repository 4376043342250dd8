//! Small shapes that several families share: image ids, statuses and failures, pages, times.
//!
//! A member that is none stays absent; an id in a failure is echoed exactly as it was sent.

use roadstead_api_model::Timestamp as TimestampShape;
use roadstead_api_model::ecr::{
    ImageFailure as ImageFailureShape, ImageFailureCode as CodeShape, ImageIdentifier,
    ImageStatus as StatusShape, TagStatus as TagStatusShape,
};
use roadstead_domain::digest::Digest;
use roadstead_domain::image::{ImageFailure, ImageFailureCode, ImageId, ImageStatus, TagStatus};
use roadstead_domain::reference::ImageTag;
use roadstead_domain::time::Timestamp;
use roadstead_registry::paging::PageRequest;

pub(in crate::aws) fn timestamp(at: Timestamp) -> TimestampShape {
    TimestampShape(at.0)
}

/// A count or size as the wire has it; none comes near the bound.
pub(in crate::aws) fn long(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

pub(in crate::aws) fn page_request(
    max_results: Option<i32>,
    next_token: Option<String>,
) -> PageRequest {
    PageRequest {
        limit: max_results.and_then(|n| usize::try_from(n).ok()),
        token: next_token,
    }
}

pub(super) fn image_ids(shapes: Vec<ImageIdentifier>) -> Vec<ImageId> {
    let id = |shape: ImageIdentifier| ImageId {
        digest: shape.image_digest,
        tag: shape.image_tag,
    };
    shapes.into_iter().map(id).collect()
}

pub(super) fn identifier(digest: &Digest, tag: Option<&ImageTag>) -> ImageIdentifier {
    ImageIdentifier {
        image_digest: Some(digest.to_string()),
        image_tag: tag.map(ToString::to_string),
    }
}

pub(super) fn image_status(status: ImageStatus) -> StatusShape {
    match status {
        ImageStatus::Active => StatusShape::Active,
        ImageStatus::Archived => StatusShape::Archived,
        ImageStatus::Activating => StatusShape::Activating,
    }
}

/// The tag status of a filter; one that is not sent lets everything pass.
pub(super) fn tag_status(shape: Option<TagStatusShape>) -> TagStatus {
    match shape {
        None | Some(TagStatusShape::Any) => TagStatus::Any,
        Some(TagStatusShape::Tagged) => TagStatus::Tagged,
        Some(TagStatusShape::Untagged) => TagStatus::Untagged,
    }
}

pub(super) fn failures(failures: Vec<ImageFailure>) -> Vec<ImageFailureShape> {
    let shape = |failure: ImageFailure| ImageFailureShape {
        image_id: Some(ImageIdentifier {
            image_digest: failure.id.digest,
            image_tag: failure.id.tag,
        }),
        failure_code: Some(failure_code(failure.code)),
        failure_reason: Some(failure.reason),
    };
    failures.into_iter().map(shape).collect()
}

fn failure_code(code: ImageFailureCode) -> CodeShape {
    match code {
        ImageFailureCode::InvalidImageDigest => CodeShape::InvalidImageDigest,
        ImageFailureCode::InvalidImageTag => CodeShape::InvalidImageTag,
        ImageFailureCode::ImageTagDoesNotMatchDigest => CodeShape::ImageTagDoesNotMatchDigest,
        ImageFailureCode::ImageNotFound => CodeShape::ImageNotFound,
        ImageFailureCode::MissingDigestAndTag => CodeShape::MissingDigestAndTag,
        ImageFailureCode::ImageReferencedByManifestList => CodeShape::ImageReferencedByManifestList,
        ImageFailureCode::ImageInaccessible => CodeShape::ImageInaccessible,
    }
}
