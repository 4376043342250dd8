//! What callers ask for, before anything is checked: the parts of a deployment request.
//!
//! The faces fill these from the wire; [`super::spec::DeploymentSpec::check`] reads them.

use std::collections::BTreeMap;

/// `ContainerServiceDeploymentRequest`, and the members of CreateContainerServiceDeployment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeploymentRequest {
    /// The containers by name.
    pub containers: BTreeMap<String, ContainerRequest>,
    /// The public endpoint, if the deployment has one.
    pub public_endpoint: Option<EndpointRequest>,
}

/// `Container`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContainerRequest {
    /// The image; required, though the API model does not say so.
    pub image: Option<String>,
    /// What replaces the command of the image; empty for none.
    pub command: Vec<String>,
    /// Environment variables.
    pub environment: BTreeMap<String, String>,
    /// Open ports: decimal number to protocol.
    pub ports: BTreeMap<String, String>,
}

/// `EndpointRequest`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EndpointRequest {
    /// The container behind the endpoint.
    pub container_name: String,
    /// Its port.
    pub container_port: i64,
    /// How its health is checked.
    pub health_check: HealthCheckRequest,
}

/// `ContainerServiceHealthCheckConfig`; an absent member has its default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HealthCheckRequest {
    /// Successes in a row that make a node healthy.
    pub healthy_threshold: Option<i64>,
    /// Failures in a row that make a node unhealthy.
    pub unhealthy_threshold: Option<i64>,
    /// Seconds without an answer that count as a failure.
    pub timeout_secs: Option<i64>,
    /// Seconds between checks.
    pub interval_secs: Option<i64>,
    /// The path to ask for.
    pub path: Option<String>,
    /// The answers that count as success.
    pub success_codes: Option<String>,
}
