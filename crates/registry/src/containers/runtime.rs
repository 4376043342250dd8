//! The port to whatever runs the containers of deployments.
//!
//! It is told what should run, at any time and as often as one likes, and works towards that on its
//! own; every call here returns at once. What it finds out waits until it is asked for. It keeps
//! nothing that a restart would miss: it finds again what runs.

use std::net::SocketAddr;

use async_trait::async_trait;
use roadstead_domain::digest::Digest;
use roadstead_domain::ids::{AccountId, ContainerServiceId, Region};
use roadstead_domain::lightsail::addresses::RoleId;
use roadstead_domain::lightsail::deployment::DeploymentVersion;
use roadstead_domain::lightsail::names::{ContainerName, ServiceName};
use roadstead_domain::lightsail::power::{Power, Scale};
use roadstead_domain::lightsail::service::Report;
use roadstead_domain::lightsail::spec::{DeploymentSpec, Pins};
use roadstead_domain::time::Timestamp;

/// What should run of a container service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedService {
    /// Which service.
    pub id: ContainerServiceId,
    /// The account that it belongs to.
    pub account: AccountId,
    /// Its region.
    pub region: Region,
    /// Its name.
    pub name: ServiceName,
    /// The size of its nodes.
    pub power: Power,
    /// How many nodes each deployment has.
    pub scale: Scale,
    /// The role with which it pulls from private repositories; none if that is off.
    pub puller: Option<RoleId>,
    /// What runs on them: the deployment that serves and the one that is to become healthy. None
    /// if nothing of the service should run.
    pub deployments: Vec<WantedDeployment>,
}

/// One deployment that should run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedDeployment {
    /// Its number.
    pub version: DeploymentVersion,
    /// Whether the public endpoint leads to it.
    pub is_serving: bool,
    /// Its containers.
    pub spec: DeploymentSpec,
    /// The digests of those images that are the service's own.
    pub pins: Pins,
}

/// A line that a container wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerLine {
    /// Of which service.
    pub service: ContainerServiceId,
    /// Of which deployment.
    pub version: DeploymentVersion,
    /// Of which container, on whichever node.
    pub container: ContainerName,
    /// When it was written.
    pub at: Timestamp,
    /// The line, without its end.
    pub message: String,
}

/// What the nodes of a service used at an instant, each as percent of what its power gives.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usage {
    /// Of the processors.
    pub cpu_percent: f64,
    /// Of the memory.
    pub memory_percent: f64,
}

/// A measurement of one node.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeUsage {
    /// Of which service.
    pub service: ContainerServiceId,
    /// Of which deployment.
    pub version: DeploymentVersion,
    /// When.
    pub at: Timestamp,
    /// How much.
    pub usage: Usage,
}

/// Where a request to a public endpoint goes.
pub struct Upstream {
    /// The published port of a healthy node.
    pub address: SocketAddr,
    /// Kept until the answer is over: the node is not stopped before.
    pub in_flight: Box<dyn Send + Sync>,
}

/// How an image is pulled from this server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pull {
    /// Repository with tag or digest, without a host.
    pub path: String,
    /// The password of the user `AWS`.
    pub password: String,
}

/// How runtimes get images of this server.
#[async_trait]
pub trait PullAccess: Send + Sync {
    /// How a registered image of the service is pulled.
    fn registered(&self, service: &WantedService, digest: &Digest) -> Pull;

    /// How an image of a private repository of this server is pulled, if `reference` names one;
    /// an error says why not. The policy of the repository decides whether the service may have
    /// it, now and once more when it is pulled.
    async fn private(
        &self,
        service: &WantedService,
        reference: &str,
    ) -> Result<Option<Pull>, String>;
}

/// Runs containers.
pub trait ContainerRuntime: Send + Sync {
    /// Says what should run of a service from now on; nothing if it has no deployments. Saying the
    /// same again changes nothing.
    fn want(&self, wanted: WantedService);

    /// How far a deployment is that [`Self::want`] named.
    fn report(&self, service: &ContainerServiceId, version: DeploymentVersion) -> Report;

    /// Whether nothing of the service runs or is left behind any more.
    fn is_gone(&self, service: &ContainerServiceId) -> bool;

    /// Takes the lines that were written since the call before, oldest first for each container.
    fn take_lines(&self) -> Vec<ContainerLine>;

    /// Takes the measurements made since the call before.
    fn take_usage(&self) -> Vec<NodeUsage>;

    /// A healthy node of the deployment that serves; none if there is none.
    fn upstream(&self, service: &ContainerServiceId) -> Option<Upstream>;
}
