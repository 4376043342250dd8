//! Deployments (section 6).

use std::collections::BTreeMap;

use roadstead_api_model::lightsail::{
    Container, CreateContainerServiceDeploymentRequest, CreateContainerServiceDeploymentResult,
    EndpointRequest as EndpointShape, GetContainerServiceDeploymentsRequest,
    GetContainerServiceDeploymentsResult,
};
use roadstead_domain::lightsail::requests::{
    ContainerRequest, DeploymentRequest, EndpointRequest, HealthCheckRequest,
};
use roadstead_registry::access::Authorized;
use roadstead_registry::access::containers::ContainerServiceKey;

use super::shapes;
use crate::aws::Call;
use crate::aws::error::Failure;

pub(in crate::aws) async fn create(
    call: Call<'_>,
    key: Authorized<ContainerServiceKey>,
    input: CreateContainerServiceDeploymentRequest,
) -> Result<CreateContainerServiceDeploymentResult, Failure> {
    let request = request(input.containers, input.public_endpoint);
    let registry = &call.faces.registry;
    let deployed = registry.deploy_containers(call.context, key, &request);
    Ok(CreateContainerServiceDeploymentResult {
        container_service: Some(shapes::service(call, &deployed.await?)),
    })
}

pub(in crate::aws) async fn list(
    call: Call<'_>,
    key: Authorized<ContainerServiceKey>,
    _input: GetContainerServiceDeploymentsRequest,
) -> Result<GetContainerServiceDeploymentsResult, Failure> {
    let deployments = call.faces.registry.container_deployments(key).await?;
    Ok(GetContainerServiceDeploymentsResult {
        deployments: Some(deployments.iter().map(shapes::deployment).collect()),
    })
}

/// What a request says to deploy; nothing of it is checked here.
pub(super) fn request(
    containers: Option<BTreeMap<String, Container>>,
    public_endpoint: Option<EndpointShape>,
) -> DeploymentRequest {
    let containers = containers.unwrap_or_default().into_iter();
    DeploymentRequest {
        containers: containers
            .map(|(name, shape)| (name, container(shape)))
            .collect(),
        public_endpoint: public_endpoint.map(endpoint),
    }
}

fn container(shape: Container) -> ContainerRequest {
    let ports = shape.ports.unwrap_or_default().into_iter();
    ContainerRequest {
        image: shape.image,
        command: shape.command.unwrap_or_default(),
        environment: shape.environment.unwrap_or_default(),
        ports: ports
            .map(|(port, protocol)| (port, protocol.as_str().to_owned()))
            .collect(),
    }
}

fn endpoint(shape: EndpointShape) -> EndpointRequest {
    let check = shape.health_check.unwrap_or_default();
    EndpointRequest {
        container_name: shape.container_name,
        container_port: shape.container_port.into(),
        health_check: HealthCheckRequest {
            healthy_threshold: check.healthy_threshold.map(i64::from),
            unhealthy_threshold: check.unhealthy_threshold.map(i64::from),
            timeout_secs: check.timeout_seconds.map(i64::from),
            interval_secs: check.interval_seconds.map(i64::from),
            path: check.path,
            success_codes: check.success_codes,
        },
    }
}
