//! How the values of container services stand in columns: names as the API writes them, and what a
//! deployment runs as JSON.
//!
//! What was checked when it was written is read back without the checks, so that a rule that is
//! tightened later makes no row unreadable. The JSON is stored: members are only ever added.

use std::collections::BTreeMap;

use roadstead_domain::digest::Digest;
use roadstead_domain::lightsail::domain_names::PublicDomainNames;
use roadstead_domain::lightsail::endpoint::{HealthCheck, PublicEndpoint, SuccessCodes};
use roadstead_domain::lightsail::names::{
    ContainerName, ImageLabel, ImageReference, ImageVersion, RegisteredImage, ServiceName,
};
use roadstead_domain::lightsail::refusal::Refusal;
use roadstead_domain::lightsail::spec::{
    Container, DeploymentSpec, ImageSource, Pin, Pins, Protocol,
};
use roadstead_domain::lightsail::tags::ServiceTags;
use roadstead_store::metadata::StoreError;
use serde_json::{Map, Value, json};

/// A value that was accepted when it was written.
pub(super) fn accepted<T>(result: Result<T, Refusal>) -> Result<T, StoreError> {
    result.map_err(|refusal| StoreError::Corrupt(refusal.to_string()))
}

/// The value that has this name.
pub(super) fn named<T: Copy>(
    values: &[T],
    name: fn(T) -> &'static str,
    text: &str,
) -> Result<T, StoreError> {
    let found = values.iter().find(|value| name(**value) == text);
    found
        .copied()
        .ok_or_else(|| StoreError::Corrupt(format!("no value is called {text}")))
}

pub(super) fn domain_names_text(names: &PublicDomainNames) -> String {
    json!(names).to_string()
}

pub(super) fn domain_names(text: &str) -> Result<PublicDomainNames, StoreError> {
    serde_json::from_str(text).map_err(|error| corrupt(&error))
}

pub(super) fn tags_text(tags: &ServiceTags) -> String {
    json!(tags).to_string()
}

pub(super) fn tags(text: &str) -> Result<ServiceTags, StoreError> {
    serde_json::from_str(text).map_err(|error| corrupt(&error))
}

pub(super) fn spec_text(spec: &DeploymentSpec) -> String {
    let containers = spec.containers.iter().map(|(name, container)| {
        let ports = container.ports.iter();
        let ports: Map<String, Value> = ports
            .map(|(port, protocol)| (port.to_string(), protocol.as_str().into()))
            .collect();
        let value = json!({
            "image": container.image.to_string(),
            "command": container.command,
            "environment": container.environment,
            "ports": ports,
        });
        (name.to_string(), value)
    });
    let endpoint = spec.public_endpoint.as_ref().map(|endpoint| {
        let check = &endpoint.health_check;
        json!({
            "container": endpoint.container.as_str(),
            "port": endpoint.port,
            "healthy_threshold": check.healthy_threshold,
            "unhealthy_threshold": check.unhealthy_threshold,
            "timeout_secs": check.timeout_secs,
            "interval_secs": check.interval_secs,
            "path": check.path,
            "success_codes": check.success_codes.to_string(),
        })
    });
    let containers: Map<String, Value> = containers.collect();
    json!({ "containers": containers, "public_endpoint": endpoint }).to_string()
}

pub(super) fn spec(text: &str) -> Result<DeploymentSpec, StoreError> {
    let value: Value = serde_json::from_str(text).map_err(|error| corrupt(&error))?;
    let mut containers = BTreeMap::new();
    for (name, container) in object(&value["containers"])? {
        containers.insert(accepted(ContainerName::parse(name))?, read(container)?);
    }
    let public_endpoint = match &value["public_endpoint"] {
        Value::Null => None,
        endpoint => Some(read_endpoint(endpoint)?),
    };
    Ok(DeploymentSpec {
        containers,
        public_endpoint,
    })
}

fn read(container: &Value) -> Result<Container, StoreError> {
    let image = text_of(&container["image"])?;
    let registered = image.starts_with(':').then(|| ImageReference::parse(image));
    let image = match registered {
        Some(reference) => ImageSource::Registered(super::codes::parsed(reference)?),
        None => ImageSource::Elsewhere(image.into()),
    };
    let mut ports = BTreeMap::new();
    for (port, protocol) in object(&container["ports"])? {
        let port = port
            .parse()
            .map_err(|_| StoreError::Corrupt(format!("a port {port}")))?;
        let protocol = named(&Protocol::ALL, Protocol::as_str, text_of(protocol)?)?;
        ports.insert(port, protocol);
    }
    let command = container["command"].clone();
    let environment = container["environment"].clone();
    Ok(Container {
        image,
        command: serde_json::from_value(command).map_err(|error| corrupt(&error))?,
        environment: serde_json::from_value(environment).map_err(|error| corrupt(&error))?,
        ports,
    })
}

fn read_endpoint(endpoint: &Value) -> Result<PublicEndpoint, StoreError> {
    let codes = text_of(&endpoint["success_codes"])?;
    Ok(PublicEndpoint {
        container: accepted(ContainerName::parse(text_of(&endpoint["container"])?))?,
        port: u16::try_from(number(&endpoint["port"])?)
            .map_err(|_| StoreError::Corrupt("a port".into()))?,
        health_check: HealthCheck {
            healthy_threshold: number(&endpoint["healthy_threshold"])?,
            unhealthy_threshold: number(&endpoint["unhealthy_threshold"])?,
            timeout_secs: number(&endpoint["timeout_secs"])?,
            interval_secs: number(&endpoint["interval_secs"])?,
            path: text_of(&endpoint["path"])?.into(),
            success_codes: accepted(SuccessCodes::parse(codes))?,
        },
    })
}

/// By container: label, version and digest. The service is the deployment's own.
pub(super) fn pins_text(pins: &Pins) -> String {
    let pins = pins.iter().map(|(container, pin)| {
        let RegisteredImage { label, version, .. } = &pin.image;
        let value = json!({
            "label": label.as_str(), "version": version.0, "digest": pin.digest.as_str(),
        });
        (container.to_string(), value)
    });
    Value::Object(pins.collect()).to_string()
}

pub(super) fn pins(text: &str, service: &ServiceName) -> Result<Pins, StoreError> {
    let value: Value = serde_json::from_str(text).map_err(|error| corrupt(&error))?;
    let mut pins = Pins::new();
    for (container, pin) in object(&value)? {
        let version = number(&pin["version"])?;
        let image = RegisteredImage {
            service: service.clone(),
            label: accepted(ImageLabel::parse(text_of(&pin["label"])?))?,
            version: ImageVersion(version.unsigned_abs()),
        };
        let digest = super::codes::parsed(Digest::parse(text_of(&pin["digest"])?))?;
        let container = accepted(ContainerName::parse(container))?;
        pins.insert(container, Pin { image, digest });
    }
    Ok(pins)
}

fn object(value: &Value) -> Result<&Map<String, Value>, StoreError> {
    value.as_object().ok_or_else(|| missing("an object"))
}

fn text_of(value: &Value) -> Result<&str, StoreError> {
    value.as_str().ok_or_else(|| missing("a text"))
}

fn number(value: &Value) -> Result<i64, StoreError> {
    value.as_i64().ok_or_else(|| missing("a number"))
}

fn missing(what: &str) -> StoreError {
    StoreError::Corrupt(format!("a deployment lacks {what}"))
}

fn corrupt(error: &serde_json::Error) -> StoreError {
    StoreError::Corrupt(format!("a container service: {error}"))
}
