//! `/v2/<name>/manifests/<reference>` (ecr.md 9.3).
//!
//! Manifests go in and out byte for byte; they are never parsed or written anew here.

use std::sync::Arc;

use http::{HeaderName, Response, StatusCode, header};
use roadstead_domain::digest::Digest;
use roadstead_domain::image::{ImageFailure, ImageFailureCode, ImageId};
use roadstead_domain::limits::MANIFEST_BYTES_MAX;
use roadstead_domain::media_type::MediaType;
use roadstead_domain::name::{RepositoryKey, RepositoryName};
use roadstead_domain::reference::Reference;
use roadstead_registry::access::Authorized;
use roadstead_registry::error::Error;
use roadstead_registry::pull::PulledManifest;
use roadstead_registry::push_manifest::Push;

use super::error::{Code, Failure, Refused};
use super::{Call, Outcome, conditional, content_digest, not_modified, respond};
use crate::body::{Body, Unread, empty, full, read_all};

/// The manifest, to the byte.
pub(super) async fn get(call: &Call<'_>, name: RepositoryName, reference: &str) -> Outcome {
    let key = call.authorize("BatchGetImage", &name).await?;
    call.count_pull()?;
    let pulled = pull(call, key, reference, true).await?;
    let bytes = pulled.bytes.clone();
    Ok(found(call, &pulled, full(bytes)))
}

/// The headers of the manifest.
pub(super) async fn head(call: &Call<'_>, name: RepositoryName, reference: &str) -> Outcome {
    let key = call.authorize(call.look_action(), &name).await?;
    let pulled = pull(call, key, reference, false).await?;
    Ok(found(call, &pulled, empty()))
}

async fn pull(
    call: &Call<'_>,
    key: Authorized<RepositoryKey>,
    reference: &str,
    is_taken: bool,
) -> Result<Arc<PulledManifest>, Failure> {
    let reference = existing(call, reference)?;
    Ok(call
        .registry()
        .manifest(&call.context, key, reference, is_taken)
        .await?)
}

fn found(call: &Call<'_>, pulled: &PulledManifest, body: Body) -> Response<Body> {
    if conditional::is_known(&call.headers, &pulled.digest) {
        return not_modified(&pulled.digest);
    }
    respond(
        StatusCode::OK,
        body,
        [
            (header::CONTENT_TYPE, pulled.media_type.to_string()),
            (header::CONTENT_LENGTH, pulled.bytes.len().to_string()),
            content_digest(&pulled.digest),
            (header::ETAG, conditional::entity_tag(&pulled.digest)),
        ],
    )
}

/// Stores a manifest under a tag, or untagged under its digest.
pub(super) async fn put(
    call: &Call<'_>,
    name: RepositoryName,
    reference: &str,
    body: Body,
) -> Outcome {
    let key = call.authorize("PutImage", &name).await?;
    let (tag, digest) = match parse(reference)? {
        Reference::Tag(tag) => (Some(tag), None),
        Reference::Digest(digest) => (None, Some(digest)),
    };
    // Two readers could take bytes without a stated type for different things.
    let media_type = call.header(&header::CONTENT_TYPE).map(MediaType::new);
    let media_type = media_type.ok_or_else(|| without_type(call))?;
    let bytes = read_all(body, MANIFEST_BYTES_MAX)
        .await
        .map_err(|unread| match unread {
            Unread::TooLong => Error::ManifestTooLong,
            Unread::BrokeOff(reason) => Error::BodyBrokeOff(reason),
        })?;
    call.ensure_repository(&name).await?;
    let push = Push {
        bytes,
        media_type: Some(media_type),
        tag,
        digest,
    };
    let pushed = call
        .registry()
        .push_manifest(&call.context, key, push)
        .await?;
    let location = format!("{}/manifests/{}", call.path(&name), pushed.digest);
    let mut response = respond(
        StatusCode::CREATED,
        empty(),
        [(header::LOCATION, location), content_digest(&pushed.digest)],
    );
    if let Some(subject) = pushed.subject.as_ref().map(Digest::as_str)
        && let Ok(subject) = subject.try_into()
    {
        let name = HeaderName::from_static("oci-subject");
        response.headers_mut().insert(name, subject);
    }
    Ok(response)
}

fn without_type(call: &Call<'_>) -> Failure {
    let message = "the request has no Content-Type";
    match call.is_strict_ecr() {
        true => Error::invalid("imageManifestMediaType", message).into(),
        false => Refused::bad_request(Code::ManifestInvalid, message).into(),
    }
}

/// Deletes a tag, or an image with all of its tags (ecr.md section 4).
pub(super) async fn delete(call: &Call<'_>, name: RepositoryName, reference: &str) -> Outcome {
    let key = call.authorize("BatchDeleteImage", &name).await?;
    let id = match existing(call, reference)? {
        Reference::Tag(tag) => ImageId::by_tag(&tag),
        Reference::Digest(digest) => ImageId::by_digest(&digest),
    };
    let plan = call
        .registry()
        .delete_images(&call.context, key, vec![id])
        .await?;
    match plan.failures.into_iter().next() {
        None => Ok(respond(StatusCode::ACCEPTED, empty(), [])),
        Some(failure) => Err(not_deleted(failure).into()),
    }
}

fn not_deleted(failure: ImageFailure) -> Refused {
    let (status, code) = match failure.code {
        ImageFailureCode::ImageReferencedByManifestList => {
            (StatusCode::METHOD_NOT_ALLOWED, Code::Unsupported)
        }
        ImageFailureCode::ImageNotFound
        | ImageFailureCode::ImageTagDoesNotMatchDigest
        | ImageFailureCode::MissingDigestAndTag
        | ImageFailureCode::ImageInaccessible => (StatusCode::NOT_FOUND, Code::ManifestUnknown),
        ImageFailureCode::InvalidImageDigest => (StatusCode::BAD_REQUEST, Code::DigestInvalid),
        ImageFailureCode::InvalidImageTag => (StatusCode::BAD_REQUEST, Code::TagInvalid),
    };
    Refused::new(status, code, failure.reason)
}

/// A reference to something that should exist: what cannot be a tag is not found, as the spec
/// says; ECR calls it a bad request.
fn existing(call: &Call<'_>, text: &str) -> Result<Reference, Refused> {
    let is_tag = !text.contains(':');
    parse(text).map_err(|refused| {
        if is_tag && !call.is_strict_ecr() {
            let (status, code) = (StatusCode::NOT_FOUND, Code::ManifestUnknown);
            Refused::new(status, code, "Requested image not found")
        } else {
            refused
        }
    })
}

fn parse(text: &str) -> Result<Reference, Refused> {
    Reference::parse(text).map_err(|_| {
        let (code, what) = if text.contains(':') {
            (Code::DigestInvalid, "supported digest")
        } else {
            (Code::TagInvalid, "valid tag")
        };
        Refused::bad_request(code, format!("'{text}' is not a {what}"))
    })
}
