//! The public endpoints of container services: a request whose host is the address of a service
//! goes to one of its healthy nodes, whatever its path, and the answer comes back as it is.
//!
//! Both bodies pass through piece by piece. A client chooses the service by the host it asks, and
//! nothing else: the address of a node comes from the container runtime alone.

mod forwarded;
mod upstream;

use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, Version, header};
use http_body::Body as _;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use roadstead_domain::ids::{ContainerServiceId, Region};
use roadstead_domain::lightsail::addresses::AddressPart;
use roadstead_domain::lightsail::names::ServiceName;
use roadstead_registry::containers::runtime::Upstream;

use crate::body::{self, Body};
use crate::{Arrived, Faces, Settings, host};
/// A door for fuzzing alone.
#[doc(hidden)]
pub use forwarded::prepare as prepare_forwarded;
pub use upstream::Client;
use upstream::{Guarded, Later, Unanswered};

/// The first label of the domains that services are below, unless a setting names the domain.
const SUFFIX: &str = "cs.";

/// The service that a host names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    service: ServiceName,
    part: AddressPart,
    region: Region,
}

/// The service that the host of a request names: `<service>.<13 digits>.<region>.<suffix>`. The
/// port does not matter.
pub fn endpoint_of(settings: &Settings, authority: &str) -> Option<Endpoint> {
    let host = without_port(authority).trim_end_matches('.');
    let mut parts = host.splitn(4, '.');
    let (service, part, region, rest) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_suffix = match &settings.container_url_suffix {
        Some(suffix) => without_port(suffix).eq_ignore_ascii_case(rest),
        None => {
            let start = rest.get(..SUFFIX.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(SUFFIX))
        }
    };
    if !is_suffix {
        return None;
    }
    Some(Endpoint {
        service: ServiceName::parse(&service.to_ascii_lowercase()).ok()?,
        part: AddressPart::parse(&part.to_ascii_lowercase()).ok()?,
        region: Region::parse(&region.to_ascii_lowercase()).ok()?,
    })
}

fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    }
}

/// Answers a request to a service.
pub async fn handle(
    faces: &Faces,
    arrived: &Arrived,
    endpoint: &Endpoint,
    request: Request<Body>,
) -> Response<Body> {
    let Endpoint {
        service,
        part,
        region,
    } = endpoint;
    let found = faces.registry.container_endpoint(service, part, region);
    match found.await {
        Ok(Some(id)) => forward(faces, arrived, &id, request).await,
        Ok(None) => said(StatusCode::NOT_FOUND, "No Such Service"),
        Err(error) => {
            tracing::error!(%error, "the endpoint of a service");
            said(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
        }
    }
}

async fn forward(
    faces: &Faces,
    arrived: &Arrived,
    id: &ContainerServiceId,
    mut request: Request<Body>,
) -> Response<Body> {
    let Some(runtime) = faces.registry.runtime() else {
        return said(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable");
    };
    let Some(room) = faces.endpoints.room(id) else {
        return said(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable");
    };
    let upgrade = forwarded::upgrade(&request).map(|to| (to, hyper::upgrade::on(&mut request)));
    let (mut head, body) = request.into_parts();
    let peer = arrived.arrival.peer;
    let (scheme, _) = host::container_suffix(&faces.settings, &arrived.arrival);
    let authority = arrived.arrival.authority();
    forwarded::prepare(&mut head.headers, peer, scheme, authority);
    let (protocol, switched) = upgrade.unzip();
    if let Some(protocol) = protocol {
        let connection = HeaderValue::from_static("upgrade");
        head.headers.insert(header::CONNECTION, connection);
        head.headers.insert(header::UPGRADE, protocol);
    }
    let is_repeatable = body.is_end_stream() && [Method::GET, Method::HEAD].contains(&head.method);
    let body = Later::new(body);
    let mut is_first = true;
    loop {
        let Some(node) = runtime.upstream(id) else {
            return said(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable");
        };
        let Some(attempt) = attempt(&head, &node, &body) else {
            return said(StatusCode::BAD_REQUEST, "Bad Request");
        };
        match faces.endpoints.ask(attempt).await {
            Ok(answer) => {
                let node = Upstream {
                    address: node.address,
                    in_flight: Box::new((node.in_flight, room)),
                };
                return answered(answer, node, switched);
            }
            Err(Unanswered { error, is_unsent }) => {
                tracing::debug!(address = %node.address, error, "a node of a service");
                // Nothing of it is lost yet: another node can have it.
                let can_repeat = body.is_whole() && (is_unsent || is_repeatable);
                if !(is_first && can_repeat) {
                    return said(StatusCode::BAD_GATEWAY, "Bad Gateway");
                }
                is_first = false;
            }
        }
    }
}

/// The request for a node; none if it has no path.
fn attempt(head: &http::request::Parts, node: &Upstream, body: &Later) -> Option<Request<Later>> {
    let path = head.uri.path_and_query()?.as_str();
    if !path.starts_with('/') {
        return None;
    }
    let uri = Uri::builder()
        .scheme("http")
        .authority(node.address.to_string())
        .path_and_query(path)
        .build()
        .ok()?;
    let mut request = Request::new(body.again());
    *request.method_mut() = head.method.clone();
    *request.uri_mut() = uri;
    *request.version_mut() = Version::HTTP_11;
    *request.headers_mut() = head.headers.clone();
    Some(request)
}

/// The answer of a node, which is not stopped before it is over.
fn answered(
    mut answer: Response<hyper::body::Incoming>,
    node: Upstream,
    switched: Option<OnUpgrade>,
) -> Response<Body> {
    let protocol = answer.headers().get(header::UPGRADE).cloned();
    forwarded::drop_hops(answer.headers_mut());
    if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
        let (Some(ours), Some(protocol)) = (switched, protocol) else {
            return said(StatusCode::BAD_GATEWAY, "Bad Gateway");
        };
        let theirs = hyper::upgrade::on(&mut answer);
        tokio::spawn(relay(ours, theirs, node));
        let connection = HeaderValue::from_static("upgrade");
        answer.headers_mut().insert(header::CONNECTION, connection);
        answer.headers_mut().insert(header::UPGRADE, protocol);
        return answer.map(|_| body::empty());
    }
    *answer.version_mut() = Version::HTTP_11;
    answer.map(|body| Body::new(Guarded::new(body, node.in_flight)))
}

/// Carries bytes both ways until one side ends it.
async fn relay(ours: OnUpgrade, theirs: OnUpgrade, node: Upstream) {
    let (Ok(ours), Ok(theirs)) = tokio::join!(ours, theirs) else {
        return;
    };
    let (mut ours, mut theirs) = (TokioIo::new(ours), TokioIo::new(theirs));
    if let Err(error) = tokio::io::copy_bidirectional(&mut ours, &mut theirs).await {
        tracing::debug!(%error, address = %node.address, "a switched connection ended");
    }
}

fn said(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(body::full(text));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    response
}

#[cfg(test)]
mod tests;
