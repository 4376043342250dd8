//! What a deployment runs: its containers and public endpoint, checked.
//!
//! [`DeploymentSpec::check`] needs nothing but the request; [`DeploymentSpec::pin`] then finds the
//! registered images and fixes their digests, because `latest` moves and deployments do not.

use std::collections::BTreeMap;
use std::fmt;

use super::endpoint::PublicEndpoint;
use super::images::{StoredImage, resolve};
use super::limits::{CONTAINERS_PER_DEPLOYMENT_MAX, PUBLIC_IMAGE_CHARACTERS_MAX};
use super::names::{ContainerName, ImageReference, RegisteredImage, ServiceName};
use super::refusal::Refusal;
use super::requests::{ContainerRequest, DeploymentRequest};
use crate::digest::Digest;

/// A checked deployment request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeploymentSpec {
    /// 1 to 10 containers.
    pub containers: BTreeMap<ContainerName, Container>,
    /// The public endpoint, if there is one.
    pub public_endpoint: Option<PublicEndpoint>,
}

/// One container of a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// Its image, which displays as it was sent.
    pub image: ImageSource,
    /// What replaces the command of the image; empty for none.
    pub command: Vec<String>,
    /// Environment variables.
    pub environment: BTreeMap<String, String>,
    /// Open ports.
    pub ports: BTreeMap<u16, Protocol>,
}

/// Where an image comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageSource {
    /// The images of the service itself.
    Registered(ImageReference),
    /// Another registry, by any reference that its clients understand.
    Elsewhere(String),
}

impl fmt::Display for ImageSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registered(reference) => reference.fmt(f),
            Self::Elsewhere(text) => f.write_str(text),
        }
    }
}

/// `ContainerServiceProtocol`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// `HTTP`.
    Http,
    /// `HTTPS`.
    Https,
    /// `TCP`.
    Tcp,
    /// `UDP`.
    Udp,
}

impl Protocol {
    /// Every protocol, in model order.
    pub const ALL: [Self; 4] = [Self::Http, Self::Https, Self::Tcp, Self::Udp];

    /// The wire name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "HTTP",
            Self::Https => "HTTPS",
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
        }
    }
}

/// The image that a registered reference stood for when it was deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// The name, `latest` resolved.
    pub image: RegisteredImage,
    /// What is pulled.
    pub digest: Digest,
}

/// The pins of a deployment; containers with images from elsewhere have none.
pub type Pins = BTreeMap<ContainerName, Pin>;

impl DeploymentSpec {
    /// Checks a request to `service`: how many containers, their names, then each container's
    /// image and ports, then the endpoint. The first fault is the refusal.
    pub fn check(service: &ServiceName, request: &DeploymentRequest) -> Result<Self, Refusal> {
        match request.containers.len() {
            0 => return Err(Refusal::NoContainers),
            1..=CONTAINERS_PER_DEPLOYMENT_MAX => {}
            _ => return Err(Refusal::TooManyContainers),
        }
        let mut named = Vec::with_capacity(request.containers.len());
        for (name, container) in &request.containers {
            named.push((ContainerName::parse(name)?, container));
        }
        let mut containers = BTreeMap::new();
        for (name, container) in named {
            let checked = Container::check(service, &name, container)?;
            containers.insert(name, checked);
        }
        let public_endpoint = request
            .public_endpoint
            .as_ref()
            .map(|endpoint| PublicEndpoint::check(endpoint, &containers))
            .transpose()?;
        Ok(Self {
            containers,
            public_endpoint,
        })
    }

    /// Finds every registered image among those that the service stores.
    pub fn pin(&self, stored: &[StoredImage]) -> Result<Pins, Refusal> {
        let mut pins = Pins::new();
        for (name, container) in &self.containers {
            let ImageSource::Registered(reference) = &container.image else {
                continue;
            };
            let found = resolve(reference, stored)
                .ok_or_else(|| Refusal::ImageNotFound(reference.to_string()))?;
            pins.insert(
                name.clone(),
                Pin {
                    image: found.image.clone(),
                    digest: found.digest.clone(),
                },
            );
        }
        Ok(pins)
    }
}

impl Container {
    fn check(
        service: &ServiceName,
        name: &ContainerName,
        request: &ContainerRequest,
    ) -> Result<Self, Refusal> {
        let image = request
            .image
            .as_deref()
            .ok_or_else(|| Refusal::NoImage(name.clone()))?;
        Ok(Self {
            image: parse_image(service, image).ok_or_else(|| Refusal::ContainerImage {
                container: name.clone(),
                image: image.into(),
                service: service.clone(),
            })?,
            command: request.command.clone(),
            environment: request.environment.clone(),
            ports: check_ports(name, &request.ports)?,
        })
    }
}

fn parse_image(service: &ServiceName, text: &str) -> Option<ImageSource> {
    if text.starts_with(':') {
        return ImageReference::parse(text)
            .ok()
            .filter(|reference| reference.service() == service)
            .map(ImageSource::Registered);
    }
    let is_reference = (1..=PUBLIC_IMAGE_CHARACTERS_MAX).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_graphic());
    is_reference.then(|| ImageSource::Elsewhere(text.into()))
}

fn check_ports(
    name: &ContainerName,
    requested: &BTreeMap<String, String>,
) -> Result<BTreeMap<u16, Protocol>, Refusal> {
    let mut ports = BTreeMap::new();
    for (port, protocol) in requested {
        let number = parse_port(port).ok_or_else(|| Refusal::Port {
            container: name.clone(),
            port: port.clone(),
        })?;
        let protocol = Protocol::ALL
            .into_iter()
            .find(|known| known.as_str() == protocol)
            .ok_or_else(|| Refusal::Protocol {
                container: name.clone(),
                protocol: protocol.clone(),
            })?;
        ports.insert(number, protocol);
    }
    Ok(ports)
}

/// Decimal without sign or leading zero, so that no two keys mean one port.
fn parse_port(text: &str) -> Option<u16> {
    let is_canonical = !text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| is_canonical)
}
