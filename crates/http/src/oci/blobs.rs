//! `/v2/<name>/blobs/<digest>` and download links (ecr.md 9.4, 6.5).
//!
//! Blobs go out as `application/octet-stream`, whatever their manifests call them: a pusher must
//! not choose what a browser makes of them.

use http::request::Parts;
use http::{HeaderMap, Method, Response, StatusCode, header};
use roadstead_domain::digest::Digest;
use roadstead_domain::name::{RepositoryKey, RepositoryName};
use roadstead_registry::access::Authorized;
use roadstead_registry::error::{Error, Place};
use roadstead_registry::layers::LinkRefusal;
use roadstead_registry::pull::BlobLink;

use super::error::{Code, Failure, Refused};
use super::range::{Selected, select};
use super::{
    Call, Outcome, conditional, content_digest, digest, not_allowed, not_modified, respond,
};
use crate::body::{self, Body, empty};
use crate::{Arrived, Faces};

/// The bytes, or the part that `Range` asks for.
pub(super) async fn get(call: &Call<'_>, name: RepositoryName, text: &str) -> Outcome {
    let key = call.authorize("GetDownloadUrlForLayer", &name).await?;
    let digest = digest(text)?;
    let link = visible(call, &name, &key, digest).await?;
    send(call.faces, &key, &link, &call.headers).await
}

/// What the bytes are, without them. Ranges are a matter of GET only.
pub(super) async fn head(call: &Call<'_>, name: RepositoryName, text: &str) -> Outcome {
    let actions = ["BatchCheckLayerAvailability", "GetDownloadUrlForLayer"];
    let key = call.authorize_either(actions, &name).await?;
    let digest = digest(text)?;
    let link = visible(call, &name, &key, digest).await?;
    if !call.registry().is_blob_there(&link).await? {
        return Err(not_found(&key, &link.digest).into());
    }
    Ok(described(&link, &call.headers))
}

/// Deletes a blob that no image has; ECR deletes none (ecr.md 9.4).
pub(super) async fn delete(call: &Call<'_>, name: RepositoryName, text: &str) -> Outcome {
    if call.is_strict_ecr() {
        return Err(not_allowed("GET, HEAD").into());
    }
    let key = call.authorize("BatchDeleteImage", &name).await?;
    let digest = digest(text)?;
    call.registry().delete_blob(key, digest).await?;
    Ok(respond(StatusCode::ACCEPTED, empty(), []))
}

/// The blob as far as the caller may know of it: one that no image has is gone for whoever may
/// only pull, and stays for a while if somebody asks who may push.
async fn visible(
    call: &Call<'_>,
    name: &RepositoryName,
    key: &Authorized<RepositoryKey>,
    digest: Digest,
) -> Result<BlobLink, Error> {
    let seen = call.registry().blob(key.clone(), digest.clone()).await?;
    // Asked only where it matters: pulls need no second decision.
    let sees_unreferenced = !seen.is_in_image && call.may_push(name).await?;
    let link = seen
        .link_for(sees_unreferenced)
        .ok_or_else(|| not_found(key, &digest))?;
    let renewed = call.registry().renew_blob(&call.context, key, link);
    renewed.await
}

fn not_found(key: &RepositoryKey, digest: &Digest) -> Error {
    Error::LayerNotFound {
        digest: digest.to_string(),
        place: Place::from(key),
    }
}

/// Follows a download link, which is its own permission.
pub(super) async fn download(
    faces: &Faces,
    arrived: &Arrived,
    head: &Parts,
    sealed: &str,
) -> Outcome {
    if ![Method::GET, Method::HEAD].contains(&head.method) {
        return Err(not_allowed("GET, HEAD").into());
    }
    let refused = || {
        let message = "the link is not valid, or no longer";
        Failure::from(Refused::new(StatusCode::FORBIDDEN, Code::Denied, message))
    };
    let opened = faces.registry.open_download(sealed, arrived.now).await;
    let download = opened.map_err(|refusal| match refusal {
        LinkRefusal::Invalid => refused(),
        LinkRefusal::Failed(error) => error.into(),
    })?;
    let link = &download.link;
    if head.method == Method::HEAD {
        return Ok(described(link, &head.headers));
    }
    match send(faces, &download.key, link, &head.headers).await {
        Err(Failure::Registry(Error::LayerNotFound { .. })) => Err(refused()),
        sent => sent,
    }
}

async fn send(faces: &Faces, key: &RepositoryKey, link: &BlobLink, headers: &HeaderMap) -> Outcome {
    if conditional::is_known(headers, &link.digest) {
        return Ok(not_modified(&link.digest));
    }
    let range = headers.get(header::RANGE);
    let range = range.filter(|_| conditional::is_range_wanted(headers, &link.digest));
    let range = range.and_then(|value| value.to_str().ok());
    let (status, part) = match select(range, link.size_bytes) {
        Selected::Whole => (StatusCode::OK, 0..link.size_bytes),
        Selected::Part(part) => (StatusCode::PARTIAL_CONTENT, part),
        Selected::Unsatisfiable => return Err(unsatisfiable(link.size_bytes).into()),
    };
    let length = part.end - part.start;
    let content_range = format!(
        "bytes {}-{}/{}",
        part.start,
        part.end.saturating_sub(1),
        link.size_bytes
    );
    let bytes = faces.registry.read_blob(key, link, part).await?;
    let mut response = answer(status, link, length, body::blob(bytes));
    if status == StatusCode::PARTIAL_CONTENT
        && let Ok(content_range) = content_range.try_into()
    {
        let name = header::CONTENT_RANGE;
        response.headers_mut().insert(name, content_range);
    }
    Ok(response)
}

/// A blob without its bytes.
fn described(link: &BlobLink, headers: &HeaderMap) -> Response<Body> {
    match conditional::is_known(headers, &link.digest) {
        true => not_modified(&link.digest),
        false => answer(StatusCode::OK, link, link.size_bytes, empty()),
    }
}

fn answer(status: StatusCode, link: &BlobLink, length: u64, body: Body) -> Response<Body> {
    respond(
        status,
        body,
        [
            (header::CONTENT_TYPE, "application/octet-stream".into()),
            (header::CONTENT_LENGTH, length.to_string()),
            (header::ACCEPT_RANGES, "bytes".into()),
            (header::ETAG, conditional::entity_tag(&link.digest)),
            content_digest(&link.digest),
        ],
    )
}

fn unsatisfiable(size_bytes: u64) -> Refused {
    Refused::new(
        StatusCode::RANGE_NOT_SATISFIABLE,
        Code::SizeInvalid,
        "the range does not lie within the blob",
    )
    .with(header::CONTENT_RANGE, format!("bytes */{size_bytes}"))
}
