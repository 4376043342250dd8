//! The least HTTP client: for the demo, and for tests through the same doors.

use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http::{Method, Request, Response, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use roadstead_domain::time::Timestamp;
use roadstead_sigv4::{Credentials, PathStyle, Signing, sign_header};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpStream;

/// Sends one request over a connection of its own and reads the whole answer. A `Host` header is
/// added if there is none.
pub async fn send(address: SocketAddr, mut request: Request<Bytes>) -> Result<Response<Bytes>> {
    if !request.headers().contains_key(header::HOST) {
        request
            .headers_mut()
            .insert(header::HOST, address.to_string().parse()?);
    }
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let (head, body) = sender
        .send_request(request.map(Full::new))
        .await?
        .into_parts();
    let body = body.collect().await?.to_bytes();
    connection.abort();
    Ok(Response::from_parts(head, body))
}

/// The name that requests to a target are signed for.
fn signing_name(target: &str) -> &'static str {
    match target.split('.').next() {
        Some("SpencerFrontendService") => "ecr-public",
        Some("Lightsail_20161128") => "lightsail",
        _ => "ecr",
    }
}

/// A signed JSON 1.1 request to the service that the target names.
pub fn signed(
    address: SocketAddr,
    credentials: &Credentials<'_>,
    region: &str,
    now: Timestamp,
    target: &str,
    body: Bytes,
) -> Result<Request<Bytes>> {
    let (host, service) = (address.to_string(), signing_name(target));
    signed_to((&host, service), credentials, region, now, target, body)
}

/// The same, for a server of that name and signed for that service.
pub fn signed_to(
    (host, service): (&str, &str),
    credentials: &Credentials<'_>,
    region: &str,
    now: Timestamp,
    target: &str,
    body: Bytes,
) -> Result<Request<Bytes>> {
    let headers: [(&str, &[u8]); 3] = [
        ("host", host.as_bytes()),
        ("content-type", b"application/x-amz-json-1.1"),
        ("x-amz-target", target.as_bytes()),
    ];
    let to_sign = roadstead_sigv4::Request {
        method: "POST",
        path: "/",
        query: "",
        headers: &headers,
        hosts: &[],
        body_sha256: Sha256::digest(&body).into(),
    };
    let signing = Signing {
        region,
        service,
        signed_at_secs: now.seconds(),
        path_style: PathStyle::Normalized,
    };
    let mut request = Request::builder().method(Method::POST).uri("/");
    for (name, value) in headers {
        request = request.header(name, value);
    }
    for (name, value) in sign_header(&to_sign, credentials, &signing) {
        request = request.header(name, value);
    }
    request.body(body).context("a signed request")
}
