//! Values that several tests need, built through the same parsers as real requests.

use std::collections::BTreeMap;

use roadstead_domain::digest::Digest;
use roadstead_domain::lightsail::images::StoredImage;
use roadstead_domain::lightsail::names::{ImageReference, RegisteredImage, ServiceName};
use roadstead_domain::lightsail::power::{Power, Scale};
use roadstead_domain::lightsail::requests::{ContainerRequest, DeploymentRequest, EndpointRequest};
use roadstead_domain::lightsail::service::{Advance, Changed, NewService, Report, Service};
use roadstead_domain::lightsail::spec::{DeploymentSpec, Pins};
use roadstead_domain::time::{Span, Timestamp};

pub const DWELL: Span = Span(500_000);

pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(1_700_000_000 + seconds)
}

pub fn web() -> ServiceName {
    ServiceName::parse("web").unwrap()
}

pub fn registered(text: &str) -> RegisteredImage {
    match ImageReference::parse(text) {
        Ok(ImageReference::Version(image)) => image,
        other => panic!("{text}: {other:?}"),
    }
}

/// Images registered one after the other, in this order.
pub fn stored(names: &[&str]) -> Vec<StoredImage> {
    names
        .iter()
        .zip(0..)
        .map(|(name, sequence)| StoredImage {
            image: registered(name),
            digest: Digest::sha256(name.as_bytes()),
            created_at: at(sequence as i64),
            sequence,
        })
        .collect()
}

pub fn container(image: &str, ports: &[(&str, &str)]) -> ContainerRequest {
    ContainerRequest {
        image: Some(image.into()),
        ports: ports
            .iter()
            .map(|(port, protocol)| (port.to_string(), protocol.to_string()))
            .collect(),
        ..ContainerRequest::default()
    }
}

pub fn request(containers: &[(&str, ContainerRequest)]) -> DeploymentRequest {
    DeploymentRequest {
        containers: containers
            .iter()
            .map(|(name, container)| (name.to_string(), container.clone()))
            .collect(),
        public_endpoint: None,
    }
}

/// Container `app` with this image, port 80 and an endpoint on it.
pub fn app(image: &str) -> DeploymentRequest {
    DeploymentRequest {
        public_endpoint: Some(EndpointRequest {
            container_name: "app".into(),
            container_port: 80,
            ..EndpointRequest::default()
        }),
        ..request(&[("app", container(image, &[("80", "HTTP")]))])
    }
}

pub fn spec(image: &str) -> (DeploymentSpec, Pins) {
    let spec = DeploymentSpec::check(&web(), &app(image)).unwrap();
    let pins = spec
        .pin(&stored(&[":web.www.1", ":web.www.2", ":web.api.1"]))
        .unwrap();
    (spec, pins)
}

pub fn new_service() -> NewService {
    NewService {
        name: web(),
        power: Power::Nano,
        scale: Scale::parse(1).unwrap(),
        domain_names: BTreeMap::new(),
        registry_access: Default::default(),
        deployment: None,
    }
}

/// What advancing changed, a second after the state began.
pub fn advanced(service: &Service, report: Report) -> Changed {
    match service.advance(service.since + Span::seconds(1), DWELL, report) {
        Advance::Changed(changed) => *changed,
        other => panic!("{:?}: {other:?}", service.state),
    }
}

pub fn ready() -> Service {
    advanced(&Service::create(new_service(), at(0)), Report::Healthy).service
}

/// A service that runs deployment 1 of this image.
pub fn running(image: &str) -> Service {
    let (spec, pins) = spec(image);
    let deploying = ready().deploy(spec, pins, at(10)).unwrap().service;
    advanced(&deploying, Report::Healthy).service
}
