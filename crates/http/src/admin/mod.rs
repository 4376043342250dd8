//! Pages for operators and their tools: liveness, readiness, metrics. No credentials, no contents.

use http::{Method, Request, Response, StatusCode, header};

use crate::body::{Body, full};
use crate::{Arrived, Faces};

/// Answers whatever is neither AWS nor OCI.
pub async fn handle(faces: &Faces, _arrived: &Arrived, request: Request<Body>) -> Response<Body> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n");
        // A POST to `/` is for the AWS APIs.
        let allowed = match request.uri().path() {
            "/" => header::HeaderValue::from_static("GET, HEAD, POST"),
            _ => header::HeaderValue::from_static("GET, HEAD"),
        };
        response.headers_mut().insert(header::ALLOW, allowed);
        return response;
    }
    match request.uri().path() {
        "/" => text(
            StatusCode::OK,
            "roadstead: a container registry that speaks Amazon ECR\n",
        ),
        "/healthz" => text(StatusCode::OK, "ok\n"),
        "/readyz" => match faces.registry.check_ready().await {
            Ok(()) => text(StatusCode::OK, "ready\n"),
            Err(error) => {
                tracing::error!(%error, "not ready");
                text(StatusCode::SERVICE_UNAVAILABLE, "not ready\n")
            }
        },
        "/metrics" => {
            let mut response = text(StatusCode::OK, "");
            let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            response.headers_mut().insert(
                header::CONTENT_TYPE,
                header::HeaderValue::from_static(content_type),
            );
            *response.body_mut() = full(faces.metrics.page(faces.registry.swept()));
            response
        }
        _ => text(StatusCode::NOT_FOUND, "not found\n"),
    }
}

fn text(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(full(text));
    *response.status_mut() = status;
    let plain = header::HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    response
}
