//! The way of a request, top to bottom: which face answers it, and what every answer carries.

use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::Body as _;

use crate::body::{self, Body};
use crate::endpoint::{self, Endpoint};
use crate::{Arrived, Faces, admin, aws, logos, oci};

/// Answers one request.
pub async fn answer(faces: &Faces, arrived: Arrived, request: Request<Body>) -> Response<Body> {
    let request = lingering(request);
    let authority = arrived.arrival.authority();
    let endpoint = endpoint::endpoint_of(&faces.settings, authority);
    let (face, path) = (face_of(endpoint, &request), request.uri().path().to_owned());
    let face_name = face.name();
    let (method, request_id) = (request.method().clone(), arrived.request_id.clone());
    let mut response = match face {
        _ if has_two_hosts(&request) => ambiguous(),
        Face::Oci => oci::handle(faces, &arrived, request).await,
        // What is waited for least is apart: a request costs what its own way takes.
        Face::Logos => Box::pin(logos::handle(faces, &arrived, request)).await,
        Face::Aws => Box::pin(aws::handle(faces, &arrived, request)).await,
        Face::Admin => Box::pin(admin::handle(faces, &arrived, request)).await,
        Face::Endpoint(endpoint) => {
            Box::pin(endpoint::handle(faces, &arrived, &endpoint, request)).await
        }
    };
    let status = response.status();
    faces.metrics.count_request(face_name, status.as_u16());
    // The path of a download link is a secret for as long as the link is good.
    let path = if path.starts_with(oci::DOWNLOAD_PREFIX) {
        oci::DOWNLOAD_PREFIX
    } else {
        &path
    };
    tracing::info!(%method, path, status = status.as_u16(), request_id, "answered");
    if let Ok(id) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert("x-amzn-requestid", id);
    }
    response
}

/// Lets an early answer reach a sender that is still sending. Who only asks whether to send a body
/// is not told to send one that nobody wants.
fn lingering(request: Request<Body>) -> Request<Body> {
    let has_none = request.body().is_end_stream();
    match has_none || request.headers().contains_key(header::EXPECT) {
        true => request,
        false => request.map(body::lingering),
    }
}

/// Two readers of one request must not find two hosts in it (RFC 9112, section 3.2). Of the other
/// ambiguity, a length beside chunks, nothing arrives here: hyper goes by the chunks, drops the
/// length and closes the connection (section 6.1), and refuses lengths that differ.
fn has_two_hosts(request: &Request<Body>) -> bool {
    request.headers().get_all(header::HOST).iter().count() > 1
}

fn ambiguous() -> Response<Body> {
    let mut response = Response::new(body::full("more than one Host header\n"));
    *response.status_mut() = StatusCode::BAD_REQUEST;
    let headers = response.headers_mut();
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    headers.insert(header::CONTENT_TYPE, plain);
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

enum Face {
    Aws,
    Oci,
    Logos,
    Admin,
    Endpoint(Endpoint),
}

impl Face {
    fn name(&self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Oci => "oci",
            Self::Logos => "logos",
            Self::Admin => "admin",
            Self::Endpoint(_) => "endpoint",
        }
    }
}

/// The address of a container service is its own on every path. Elsewhere `/v2`, `/token` and
/// download links are OCI; a POST to `/` is AWS; the rest is for operators.
fn face_of(endpoint: Option<Endpoint>, request: &Request<Body>) -> Face {
    if let Some(endpoint) = endpoint {
        return Face::Endpoint(endpoint);
    }
    let path = request.uri().path();
    let is_oci = path == "/v2"
        || path.starts_with("/v2/")
        || path.starts_with(oci::DOWNLOAD_PREFIX)
        || oci::token::is_token_path(path);
    let is_aws = path == "/"
        && (request.method() == Method::POST
            || request.headers().contains_key(header::AUTHORIZATION));
    match (is_oci, is_aws) {
        (true, _) => Face::Oci,
        _ if path.starts_with(logos::PREFIX) => Face::Logos,
        (_, true) => Face::Aws,
        _ => Face::Admin,
    }
}
