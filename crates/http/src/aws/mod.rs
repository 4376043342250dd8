//! The AWS face: JSON 1.1 for ECR, the Query protocol for the little of STS that its clients need.
//!
//! The order of checks is fixed here (auth.md 1.8): content type, body and its syntax, target,
//! signature, then per operation types, access, members and the use case. Of a body whose
//! signature is not accepted nothing is built. Nothing here decides a rule of the registry.

mod access;
mod authenticate;
mod dispatch;
mod ecr;
mod ecr_public;
mod envelope;
mod error;
mod lightsail;
mod query;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::Body as _;
use roadstead_api_model::{Operation, Service};
use roadstead_domain::ids::AccountId;
use roadstead_registry::context::RequestContext;
use serde::de::IgnoredAny;
use serde_json::{Value, json as object};
use sha2::{Digest as _, Sha256};

use crate::body::{Body, Unheld, Unread};
use crate::stack::{BUSY, busy};
use crate::{Arrived, Faces};

pub use authenticate::SigningKeys;
use error::Failure;

/// Longest request with a layer part: the largest (20 MiB) in base64 and room around it (auth.md
/// 1.4).
const PART_BODY_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Longest PutImage: twice the longest manifest, for what JSON escapes in it, and room around it.
const IMAGE_BODY_BYTES_MAX: usize = 9 * 1024 * 1024;
/// Longest request with catalog data: the largest logo in base64, the longest texts as JSON may
/// escape them, and room around them.
const CATALOG_BODY_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Longest request of any other kind.
const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Longest body that is read before anything is known of its sender.
const STRANGER_BYTES_MAX: u64 = 64 * 1024;
/// The region of ECR Public's API (ECR Public user guide, "Registry authentication").
const PUBLIC_REGION: &str = "us-east-1";
/// A body longer than this is hashed and parsed off the async threads.
const BODY_BYTES_INLINE: usize = 256 * 1024;

/// One authenticated call of an operation: what every handler is given.
#[derive(Clone, Copy)]
pub(crate) struct Call<'a> {
    faces: &'a Faces,
    arrived: &'a Arrived,
    context: &'a RequestContext,
    /// The caller's account.
    account: &'a AccountId,
    operation: Operation,
}

/// Answers one request to the AWS APIs.
pub async fn handle(faces: &Faces, arrived: &Arrived, request: Request<Body>) -> Response<Body> {
    let (head, sent) = request.into_parts();
    if head.method != Method::POST {
        return not_a_post();
    }
    let Some(protocol) = Protocol::of(&head.headers) else {
        return envelope::not_an_api();
    };
    let target = target(&head.headers);
    let bytes_max = body_bytes_max(protocol, target);
    let is_long = sent
        .size_hint()
        .upper()
        .is_none_or(|bytes| bytes > STRANGER_BYTES_MAX);
    if protocol == Protocol::Json && is_long {
        let operation = Operation::from_target(target);
        let service = operation.map_or("ecr", |operation| operation.service().signing_name());
        let worth = authenticate::is_worth_reading(faces, arrived, &head, service).await;
        if let Err(failure) = worth {
            return envelope::refusal(operation, &arrived.request_id, failure);
        }
    }
    let held = match faces.unread_bodies.read_all(sent, bytes_max).await {
        Ok(held) => held,
        Err(unheld) => return not_held(unheld),
    };
    match protocol {
        Protocol::Json => json(faces, arrived, &head, held.bytes.clone()).await,
        Protocol::Query => query::handle(faces, arrived, &head, &held.bytes).await,
    }
}

/// What is answered while there is no room for another request. AWS's clients try again by the
/// status alone.
pub(crate) fn too_busy() -> Response<Body> {
    let said = object!({ "__type": "ServiceUnavailableException", "message": BUSY.trim_end() });
    envelope::json(
        StatusCode::SERVICE_UNAVAILABLE,
        said.to_string().into_bytes(),
    )
}

fn target(headers: &HeaderMap) -> &str {
    let target = headers.get("x-amz-target");
    target.and_then(|value| value.to_str().ok()).unwrap_or("")
}

/// How long the body of a request may be: nobody has said yet who sends it.
fn body_bytes_max(protocol: Protocol, target: &str) -> usize {
    match (protocol, Operation::from_target(target)) {
        (
            Protocol::Json,
            Some(Operation::EcrUploadLayerPart | Operation::EcrPublicUploadLayerPart),
        ) => PART_BODY_BYTES_MAX,
        (Protocol::Json, Some(Operation::EcrPutImage | Operation::EcrPublicPutImage)) => {
            IMAGE_BODY_BYTES_MAX
        }
        (
            Protocol::Json,
            Some(
                Operation::EcrPublicCreateRepository | Operation::EcrPublicPutRepositoryCatalogData,
            ),
        ) => CATALOG_BODY_BYTES_MAX,
        // What forms can ask for is short, and they are read before anybody has said who sends them.
        (Protocol::Query, _) => STRANGER_BYTES_MAX as usize,
        _ => BODY_BYTES_MAX,
    }
}

fn not_held(unheld: Unheld) -> Response<Body> {
    let status = match unheld {
        Unheld::Unread(Unread::TooLong) => StatusCode::PAYLOAD_TOO_LARGE,
        Unheld::Unread(Unread::BrokeOff(reason)) => {
            tracing::debug!(reason, "the body of a request broke off");
            StatusCode::BAD_REQUEST
        }
        Unheld::Busy => return busy(too_busy()),
    };
    envelope::bare(status)
}

fn not_a_post() -> Response<Body> {
    let mut response = envelope::bare(StatusCode::METHOD_NOT_ALLOWED);
    let headers = response.headers_mut();
    headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
    response
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Json,
    Query,
}

impl Protocol {
    /// By content type, its parameters and blanks aside (auth.md section 3).
    fn of(headers: &HeaderMap) -> Option<Self> {
        let sent = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
        let essence = sent.split(';').next().unwrap_or_default().trim();
        match essence.to_ascii_lowercase().as_str() {
            "application/x-amz-json-1.1" | "application/x-amz-json-1.0" | "application/json" => {
                Some(Self::Json)
            }
            "application/x-www-form-urlencoded" => Some(Self::Query),
            _ => None,
        }
    }
}

async fn json(faces: &Faces, arrived: &Arrived, head: &Parts, body: Bytes) -> Response<Body> {
    let (body_sha256, syntax) = match off_thread(&body, judge).await {
        Ok(judged) => judged,
        Err(failure) => return envelope::refusal(None, &arrived.request_id, failure),
    };
    let operation = syntax.and_then(|()| dispatch::operation(target(&head.headers)));
    let operation = match operation {
        Ok(operation) => operation,
        Err(failure) => return envelope::refusal(None, &arrived.request_id, failure),
    };
    match call(faces, arrived, head, operation, body_sha256, body).await {
        Ok(answer) => envelope::json(StatusCode::OK, answer),
        Err(failure) => envelope::refusal(Some(operation), &arrived.request_id, failure),
    }
}

async fn call(
    faces: &Faces,
    arrived: &Arrived,
    head: &Parts,
    operation: Operation,
    body_sha256: [u8; 32],
    body: Bytes,
) -> Result<Vec<u8>, Failure> {
    let handler = dispatch::handler(operation).ok_or(Failure::NotOffered(operation))?;
    let service = operation.service().signing_name();
    let signed = authenticate::signed(faces, arrived, head, body_sha256, service).await?;
    check_region(faces, operation, &signed.context)?;
    let value = off_thread(&body, |body| {
        serde_json::from_slice::<Value>(body).map_err(not_json)
    });
    let value = value.await??;
    let call = Call {
        faces,
        arrived,
        context: &signed.context,
        account: &signed.account,
        operation,
    };
    handler(call, value).await
}

/// ECR Public has one region; only under the strict switch is that held against a caller (design
/// decision 20).
fn check_region(
    faces: &Faces,
    operation: Operation,
    context: &RequestContext,
) -> Result<(), Failure> {
    let is_elsewhere = operation.service() == Service::EcrPublic
        && faces.registry.rules().is_strict_ecr
        && context.region.as_str() != PUBLIC_REGION;
    match is_elsewhere {
        true => Err(Failure::UnsupportedRegion),
        false => Ok(()),
    }
}

/// The hash of a body, and whether it is JSON at all: what a stranger can make us work out. It
/// takes no memory, while a value can take fifty times its text.
fn judge(body: &Bytes) -> ([u8; 32], Result<(), Failure>) {
    let syntax = serde_json::from_slice::<IgnoredAny>(body).map_err(not_json);
    (Sha256::digest(body).into(), syntax.map(|_| ()))
}

fn not_json(_: serde_json::Error) -> Failure {
    Failure::Serialization("The request body is not JSON".into())
}

/// Works on a body, on another thread if it is long.
async fn off_thread<T: Send + 'static>(
    body: &Bytes,
    work: impl FnOnce(&Bytes) -> T + Send + 'static,
) -> Result<T, Failure> {
    if body.len() <= BODY_BYTES_INLINE {
        return Ok(work(body));
    }
    let body = body.clone();
    let joined = tokio::task::spawn_blocking(move || work(&body)).await;
    joined.map_err(|_| Failure::Unfinished)
}
