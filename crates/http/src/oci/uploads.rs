//! `/v2/<name>/blobs/uploads/…`: pushing blobs (ecr.md 9.5, 9.6).
//!
//! Bodies go to the use case piece by piece; nothing here holds more than one piece. What takes a
//! body is a task of its own: a connection that breaks takes its request with it, and bytes that
//! had arrived would be lost (F47).

use http::{HeaderName, Response, StatusCode, header};
use http_body::Body as _;
use roadstead_domain::digest::Digest;
use roadstead_domain::ids::UploadId;
use roadstead_domain::limits::LAYER_PART_BYTES_MIN;
use roadstead_domain::name::{RepositoryKey, RepositoryName};
use roadstead_registry::Registry;
use roadstead_registry::access::Authorized;
use roadstead_registry::context::RequestContext;
use roadstead_registry::error::Error;
use roadstead_registry::uploads::{Part, Plane};

use super::error::{Code, Failure, Refused};
use super::range::{self, Chunk};
use super::{Call, Outcome, content_digest, digest, respond};
use crate::body::{Body, Pieces, empty, pieces};

/// Opens an upload; with `mount` links a blob instead if it can, with `digest` takes the whole
/// blob at once.
pub(super) async fn start(call: &Call<'_>, name: RepositoryName, body: Body) -> Outcome {
    let key = call.authorize("InitiateLayerUpload", &name).await?;
    let whole = call.query.get("digest").map(digest).transpose()?;
    if whole.is_some() {
        call.authorize("UploadLayerPart", &name).await?;
        call.authorize("CompleteLayerUpload", &name).await?;
    }
    call.ensure_repository(&name).await?;
    if let Some(mounted) = mount(call, &name).await? {
        return Ok(created(call, &name, &mounted));
    }
    let id = call.registry().start_upload(&call.context, key).await?;
    let Some(whole) = whole else {
        return Ok(progress(call, StatusCode::ACCEPTED, &name, id.as_str(), 0));
    };
    let key = call.authorize("CompleteLayerUpload", &name).await?;
    let (registry, context) = (call.faces.registry.clone(), call.context.clone());
    let part = part(None, body);
    let finished = to_its_end(async move {
        let finished = registry.finish_upload(&context, key.clone(), id.as_str(), part, whole);
        let finished = finished.await;
        if finished.is_err() {
            give_up(&registry, &context, key, &id).await;
        }
        finished
    });
    Ok(created(call, &name, &finished.await?.digest))
}

/// The blob that `mount` names, if it could be taken over from the repository `from` of the same
/// registry, or from any that holds it where none is named. Whatever is in the way is not told: the
/// caller uploads instead (hostile.md C7). ECR mounts only where an account setting says so, which
/// is off by default (ecr.md 9.6).
async fn mount(call: &Call<'_>, name: &RepositoryName) -> Result<Option<Digest>, Error> {
    if call.is_strict_ecr() {
        return Ok(None);
    }
    let Some(Ok(digest)) = call.query.get("mount").map(Digest::parse) else {
        return Ok(None);
    };
    let target = call.authorize("InitiateLayerUpload", name).await?;
    let sources = match call.query.get("from") {
        Some(from) => call.neighbour(from).into_iter().collect(),
        None => {
            let holders = call.registry().holders_of_blob(&target, digest.clone());
            holders.await?
        }
    };
    for from in sources {
        if mount_from(call, &target, from, &digest).await? {
            return Ok(Some(digest));
        }
    }
    Ok(None)
}

/// Whether a blob could be taken over from this repository, which the caller must be able to read.
async fn mount_from(
    call: &Call<'_>,
    target: &Authorized<RepositoryKey>,
    from: RepositoryName,
    digest: &Digest,
) -> Result<bool, Error> {
    let mut source = call.authorize("BatchCheckLayerAvailability", &from).await;
    if source.is_ok() {
        source = call.authorize("GetDownloadUrlForLayer", &from).await;
    }
    let source = match source {
        Ok(source) => source,
        Err(Error::AccessDenied(_)) => return Ok(false),
        Err(error) => return Err(error),
    };
    let source = (source, call.may_push(&from).await?);
    let (registry, target) = (call.registry(), target.clone());
    registry
        .mount_blob(&call.context, target, source, digest.clone())
        .await
}

/// How far an upload is.
pub(super) async fn status(call: &Call<'_>, name: RepositoryName, id: &str) -> Outcome {
    let key = call.authorize("UploadLayerPart", &name).await?;
    let upload = call.registry().upload(&call.context, &key, id).await?;
    let (status, received) = (StatusCode::NO_CONTENT, upload.received_bytes);
    Ok(progress(call, status, &name, id, received))
}

/// Takes a chunk, or all that is left of the blob.
pub(super) async fn append(call: &Call<'_>, name: RepositoryName, id: &str, body: Body) -> Outcome {
    let key = call.authorize("UploadLayerPart", &name).await?;
    let chunk = chunk(call, &body)?;
    let (part, upload_id) = (part(chunk, body), id.to_owned());
    let (registry, context) = (call.faces.registry.clone(), call.context.clone());
    let upload = to_its_end(async move {
        let appended = registry.append_upload(&context, key, &upload_id, part);
        appended.await
    });
    let received = upload.await?.received_bytes;
    // ecr.md 9.5: AWS says 201 of a chunk too.
    let status = match call.is_strict_ecr() {
        true => StatusCode::CREATED,
        false => StatusCode::ACCEPTED,
    };
    Ok(progress(call, status, &name, id, received))
}

/// Ends an upload, with or without a last chunk.
pub(super) async fn finish(call: &Call<'_>, name: RepositoryName, id: &str, body: Body) -> Outcome {
    call.authorize("CompleteLayerUpload", &name).await?;
    if !body.is_end_stream() {
        call.authorize("UploadLayerPart", &name).await?;
    }
    let whole = digest(call.query.only("digest").unwrap_or_default())?;
    let chunk = chunk(call, &body)?;
    let key = call.authorize("CompleteLayerUpload", &name).await?;
    let (part, id) = (part(chunk, body), id.to_owned());
    let (registry, context) = (call.faces.registry.clone(), call.context.clone());
    let finished = to_its_end(async move {
        let finished = registry.finish_upload(&context, key, &id, part, whole);
        finished.await
    });
    Ok(created(call, &name, &finished.await?.digest))
}

/// Runs work to its end even if the request that asked for it goes away.
async fn to_its_end<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    match tokio::spawn(work).await {
        Ok(done) => done,
        Err(died) => match died.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The server has stopped, and this request with it.
            Err(_) => std::future::pending().await,
        },
    }
}

fn part(chunk: Option<Chunk>, body: Body) -> Part<Pieces> {
    Part {
        plane: Plane::Oci,
        first_byte: chunk.map(|chunk| chunk.first_byte),
        body: pieces(body, chunk.map(Chunk::bytes)),
    }
}

/// Gives an upload up.
pub(super) async fn cancel(call: &Call<'_>, name: RepositoryName, id: &str) -> Outcome {
    let key = call.authorize("CompleteLayerUpload", &name).await?;
    call.registry()
        .cancel_upload(&call.context, key, id)
        .await?;
    Ok(respond(StatusCode::NO_CONTENT, empty(), []))
}

/// Nobody was told of this upload, so nobody will take it up again.
async fn give_up(
    registry: &Registry,
    context: &RequestContext,
    key: Authorized<RepositoryKey>,
    id: &UploadId,
) {
    match registry.cancel_upload(context, key, id.as_str()).await {
        Ok(()) | Err(Error::UploadNotFound { .. }) => {}
        Err(error) => tracing::warn!(upload = %id, %error, "left to expire"),
    }
}

/// The chunk that `Content-Range` describes, which must be as long as the body says it is.
fn chunk(call: &Call<'_>, body: &Body) -> Result<Option<Chunk>, Failure> {
    let Some(header) = call.headers.get(header::CONTENT_RANGE) else {
        return Ok(None);
    };
    let chunk = header.to_str().ok().and_then(Chunk::parse);
    let chunk = chunk.ok_or_else(|| {
        let message = "Content-Range has to be '<first byte>-<last byte>'";
        Refused::bad_request(Code::BlobUploadInvalid, message)
    })?;
    match body.size_hint().exact() {
        Some(length) if length != chunk.bytes() => {
            let message = "Content-Range and Content-Length do not agree";
            Err(Refused::bad_request(Code::SizeInvalid, message).into())
        }
        _ => Ok(Some(chunk)),
    }
}

fn created(call: &Call<'_>, name: &RepositoryName, digest: &Digest) -> Response<Body> {
    let location = format!("{}/blobs/{digest}", call.path(name));
    respond(
        StatusCode::CREATED,
        empty(),
        [(header::LOCATION, location), content_digest(digest)],
    )
}

/// Where an upload goes on. The path alone is given, so that no proxy or Host header can make it
/// wrong (F39, hostile.md B7).
fn progress(
    call: &Call<'_>,
    status: StatusCode,
    name: &RepositoryName,
    id: &str,
    received_bytes: u64,
) -> Response<Body> {
    let mut response = respond(
        status,
        empty(),
        [
            (
                header::LOCATION,
                format!("{}/blobs/uploads/{id}", call.path(name)),
            ),
            (header::RANGE, range::received(received_bytes)),
            (HeaderName::from_static("docker-upload-uuid"), id.to_owned()),
        ],
    );
    if call.is_strict_ecr() && status != StatusCode::NO_CONTENT {
        let name = HeaderName::from_static("oci-chunk-min-length");
        response
            .headers_mut()
            .insert(name, LAYER_PART_BYTES_MIN.into());
    }
    response
}
