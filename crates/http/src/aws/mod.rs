//! The AWS face: JSON 1.1 for ECR, the Query protocol for the little of STS that its clients need.
//!
//! The order of checks is fixed here (design decision 11): content type, body, target, parse,
//! signature, then per operation access, members and the use case. Nothing here decides a rule of
//! the registry.

mod access;
mod authenticate;
mod dispatch;
mod ecr;
mod envelope;
mod error;
mod query;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use roadstead_api_model::Operation;
use roadstead_registry::context::RequestContext;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::body::{self, Body, Unread};
use crate::{Arrived, Faces};

pub use authenticate::SigningKeys;
use error::Failure;

/// Longest request: the largest layer part (20 MiB) in base64 and room around it (auth.md 1.4).
const BODY_BYTES_MAX: usize = 32 * 1024 * 1024;
/// A body longer than this is hashed and parsed off the async threads.
const BODY_BYTES_INLINE: usize = 256 * 1024;

/// One authenticated call of an operation: what every handler is given.
#[derive(Clone, Copy)]
pub(crate) struct Call<'a> {
    faces: &'a Faces,
    arrived: &'a Arrived,
    context: &'a RequestContext,
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
    let body = match body::read_all(sent, BODY_BYTES_MAX).await {
        Ok(body) => body,
        Err(Unread::TooLong) => return envelope::bare(StatusCode::PAYLOAD_TOO_LARGE),
        Err(Unread::BrokeOff(reason)) => {
            tracing::debug!(reason, "the body of a request broke off");
            return envelope::bare(StatusCode::BAD_REQUEST);
        }
    };
    match protocol {
        Protocol::Json => json(faces, arrived, &head, body).await,
        Protocol::Query => query::handle(faces, arrived, &head, &body).await,
    }
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
    let target = head.headers.get("x-amz-target");
    let target = target.and_then(|value| value.to_str().ok()).unwrap_or("");
    let operation = match dispatch::operation(target) {
        Ok(operation) => operation,
        Err(failure) => return envelope::refusal(None, &arrived.request_id, failure),
    };
    match call(faces, arrived, head, operation, body).await {
        Ok(answer) => envelope::json(StatusCode::OK, answer),
        Err(failure) => envelope::refusal(Some(operation), &arrived.request_id, failure),
    }
}

async fn call(
    faces: &Faces,
    arrived: &Arrived,
    head: &Parts,
    operation: Operation,
    body: Bytes,
) -> Result<Vec<u8>, Failure> {
    let handler = dispatch::handler(operation).ok_or(Failure::NotOffered(operation))?;
    let (body_sha256, parsed) = read(body).await;
    let value = parsed?;
    let service = operation.service().signing_name();
    let context = authenticate::context(faces, arrived, head, body_sha256, service).await?;
    let call = Call {
        faces,
        arrived,
        context: &context,
        operation,
    };
    handler(call, value).await
}

/// The hash of a body and what it says.
async fn read(body: Bytes) -> ([u8; 32], Result<Value, Failure>) {
    let is_short = body.len() <= BODY_BYTES_INLINE;
    let read = move || {
        let parsed = serde_json::from_slice(&body);
        let unreadable = |_| Failure::Serialization("The request body is not JSON".into());
        (Sha256::digest(&body).into(), parsed.map_err(unreadable))
    };
    if is_short {
        return read();
    }
    let joined = tokio::task::spawn_blocking(read).await;
    joined.unwrap_or(([0; 32], Err(Failure::Unfinished)))
}
