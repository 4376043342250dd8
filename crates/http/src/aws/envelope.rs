//! Answers as the JSON 1.1 protocol frames them (ecr.md 1.2, 1.3; auth.md section 3).
//!
//! The request id and the date are added further out, to every answer alike.

use http::{HeaderValue, Response, StatusCode, header};
use roadstead_api_model::{Operation, Rule, check};
use serde::Serialize;
use serde_json::Value;

use super::error::{Failure, Refusal};
use crate::body::{self, Body};

const JSON: HeaderValue = HeaderValue::from_static("application/x-amz-json-1.1");

/// An answer of nothing but a status.
pub(super) fn bare(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(body::empty());
    *response.status_mut() = status;
    response
}

/// What a content type of no protocol is answered (auth.md section 2, "unknown target").
pub(super) fn not_an_api() -> Response<Body> {
    let mut response = Response::new(body::full("<UnknownOperationException/>\n"));
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

/// A JSON answer.
pub(super) fn json(status: StatusCode, bytes: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(body::full(bytes));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, JSON);
    response
}

/// The bytes of a result, written straight from its shape: an answer may be long.
pub(super) fn output(operation: Operation, output: &impl Serialize) -> Result<Vec<u8>, Failure> {
    output_beyond_model(operation, output, output)
}

/// As [`output`], for a result of which the model knows only the part `modelled`.
pub(super) fn output_beyond_model(
    operation: Operation,
    modelled: &impl Serialize,
    output: &impl Serialize,
) -> Result<Vec<u8>, Failure> {
    if cfg!(debug_assertions) {
        let value =
            serde_json::to_value(modelled).map_err(|error| unwritable(operation, &error))?;
        check_output(operation, &value)?;
    }
    if has_no_body(operation) {
        return Ok(Vec::new());
    }
    serde_json::to_vec(output).map_err(|error| unwritable(operation, &error))
}

/// "The service sends back an HTTP 200 response with an empty HTTP body" (Lightsail API reference).
/// ECR answers `{}` (auth.md section 3).
fn has_no_body(operation: Operation) -> bool {
    use Operation as O;
    matches!(
        operation,
        O::LightsailDeleteContainerImage | O::LightsailDeleteContainerService
    )
}

/// Debug builds do not send what breaks the model. Least lengths are not held against us: AWS too
/// answers an empty `imageIds` where its shape asks for one entry. Nor is the greatest length of that
/// list, which ListImages shares with requests of at most 100: a page of it has up to 1,000 (ecr.md 6.3).
fn check_output(operation: Operation, value: &Value) -> Result<(), Failure> {
    let mut broken = check(operation.service(), operation.output_shape(), value);
    broken.retain(|refusal| match refusal.rule {
        Rule::MinLength(_) => false,
        Rule::MaxLength(_) => operation != Operation::EcrListImages,
        _ => true,
    });
    if broken.is_empty() {
        return Ok(());
    }
    tracing::error!(?operation, ?broken, "an answer breaks its model");
    Err(Failure::Unfinished)
}

fn unwritable(operation: Operation, error: &serde_json::Error) -> Failure {
    tracing::error!(?operation, %error, "an answer could not be written");
    Failure::Unfinished
}

/// The answer to a failed call.
pub(super) fn refusal(
    operation: Option<Operation>,
    request_id: &str,
    failure: Failure,
) -> Response<Body> {
    let Refusal {
        code,
        status,
        message,
        mut members,
    } = failure.into_refusal(operation, request_id);
    members.insert("__type".into(), Value::from(code));
    members.insert("message".into(), Value::from(message));
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = json(status, Value::Object(members).to_string().into_bytes());
    let code = HeaderValue::from_static(code);
    response.headers_mut().insert("x-amzn-errortype", code);
    response
}
