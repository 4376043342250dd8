//! The way of a request, top to bottom: which face answers it, and what every answer carries.

use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::Body as _;

use crate::body::{self, Body};
use crate::endpoint::{self, Endpoint};
use crate::{Arrived, Faces, admin, aws, logos, oci};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

/// What was decided of a request before anything looked into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// It is to be answered.
    Free,
    /// As many requests as may be are being answered. Operators are let in all the same: that is
    /// when they look.
    Full,
    /// It has no form that could be answered; this is what is wrong.
    Malformed(&'static str),
}

/// Answers one request.
pub async fn answer(
    faces: &Faces,
    arrived: Arrived,
    entry: Entry,
    request: Request<Body>,
) -> Response<Body> {
    let request = lingering(request);
    let authority = arrived.arrival.authority();
    let endpoint = endpoint::endpoint_of(&faces.settings, authority);
    let (face, uri) = (face_of(endpoint, &request), request.uri().clone());
    let face_name = face.name();
    let method = request.method().clone();
    let mut response = match (entry, face) {
        (Entry::Malformed(reason), _) => malformed(reason),
        (Entry::Full, Face::Oci) => busy(oci::too_busy()),
        (Entry::Full, Face::Aws) => busy(aws::too_busy()),
        (Entry::Full, Face::Logos | Face::Endpoint(_)) => {
            busy(text(StatusCode::SERVICE_UNAVAILABLE, BUSY))
        }
        (Entry::Free, Face::Oci) => oci::handle(faces, &arrived, request).await,
        // What is waited for least is apart: a request costs what its own way takes.
        (_, Face::Admin) => Box::pin(admin::handle(faces, &arrived, request)).await,
        (Entry::Free, Face::Logos) => Box::pin(logos::handle(faces, &arrived, request)).await,
        (Entry::Free, Face::Aws) => Box::pin(aws::handle(faces, &arrived, request)).await,
        (Entry::Free, Face::Endpoint(endpoint)) => {
            Box::pin(endpoint::handle(faces, &arrived, &endpoint, request)).await
        }
    };
    let status = response.status();
    faces.metrics.count_request(face_name, status.as_u16());
    // The path of a download link is a secret for as long as the link is good.
    let path = match uri.path() {
        path if path.starts_with(oci::DOWNLOAD_PREFIX) => oci::DOWNLOAD_PREFIX,
        path => path,
    };
    let request_id = &arrived.request_id;
    let client = arrived.arrival.client.to_canonical();
    tracing::info!(%method, path, status = status.as_u16(), %client, request_id, "answered");
    if let Ok(id) = HeaderValue::from_str(request_id) {
        response.headers_mut().insert(REQUEST_ID, id);
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

/// What a client is told that has to come again.
pub(crate) const BUSY: &str = "Too many requests are being answered; try again in a second.\n";

/// Tells a client when to come again.
pub(crate) fn busy(mut response: Response<Body>) -> Response<Body> {
    let second = HeaderValue::from_static("1");
    response.headers_mut().insert(header::RETRY_AFTER, second);
    response
}

fn malformed(reason: &'static str) -> Response<Body> {
    let mut response = text(StatusCode::BAD_REQUEST, reason);
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(header::CONNECTION, close);
    response
}

fn text(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(body::full(text));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
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
