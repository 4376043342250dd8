//! Logos of public repositories, for everybody (ecr-public.md 3.2).
//!
//! An address names one picture for ever: another logo has another address.

use http::{HeaderValue, Method, Request, Response, StatusCode, header};

use crate::body::{self, Body};
use crate::{Arrived, Faces};

/// Where logos are.
pub const PREFIX: &str = "/logo/";

/// Answers a request to `/logo/<registry>/<logo>.png`.
pub async fn handle(faces: &Faces, arrived: &Arrived, request: Request<Body>) -> Response<Body> {
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        let mut response = bare(StatusCode::METHOD_NOT_ALLOWED);
        let allow = HeaderValue::from_static("GET, HEAD");
        response.headers_mut().insert(header::ALLOW, allow);
        return response;
    }
    let Some((registry, logo)) = parse(request.uri().path()) else {
        return bare(StatusCode::NOT_FOUND);
    };
    let bytes = match faces.registry.logo(registry, logo).await {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return bare(StatusCode::NOT_FOUND),
        Err(error) => {
            tracing::error!(
                request_id = arrived.request_id,
                ?error,
                "a logo could not be read"
            );
            return bare(StatusCode::INTERNAL_SERVER_ERROR);
        }
    };
    let length = HeaderValue::from(bytes.len());
    let mut response = Response::new(match *request.method() {
        Method::HEAD => body::empty(),
        _ => body::full(bytes),
    });
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, length);
    for (name, value) in [
        (header::CONTENT_TYPE, "image/png"),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn parse(path: &str) -> Option<(&str, &str)> {
    let (registry, logo) = path.strip_prefix(PREFIX)?.split_once('/')?;
    Some((registry, logo.strip_suffix(".png")?))
}

fn bare(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(body::empty());
    *response.status_mut() = status;
    response
}
