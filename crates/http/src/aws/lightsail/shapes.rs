//! The shapes that several calls answer: services, deployments, places, times (section 5.1, 6.1).
//!
//! A member that is unset is left out, but lists and maps of containers are sent empty, and so are
//! ARNs of roles that there are not yet.

use roadstead_api_model::Timestamp as TimestampShape;
use roadstead_api_model::lightsail::{
    Container as ContainerShape, ContainerService as ServiceShape, ContainerServiceDeployment,
    ContainerServiceDeploymentState as DeploymentStateShape, ContainerServiceECRImagePullerRole,
    ContainerServiceEndpoint, ContainerServiceHealthCheckConfig, ContainerServicePowerName,
    ContainerServiceProtocol, ContainerServiceState, ContainerServiceStateDetail,
    ContainerServiceStateDetailCode, PrivateRegistryAccess, RegionName, ResourceLocation,
    ResourceType, Tag,
};
use roadstead_domain::ids::Region;
use roadstead_domain::lightsail::addresses::{
    private_domain_name, service_arn, service_role_arn, url,
};
use roadstead_domain::lightsail::deployment::{Deployment, DeploymentState};
use roadstead_domain::lightsail::endpoint::PublicEndpoint;
use roadstead_domain::lightsail::power::Power;
use roadstead_domain::lightsail::spec::{Container, Protocol};
use roadstead_domain::lightsail::state::{ServiceState, StateDetailCode};
use roadstead_domain::lightsail::tags::ServiceTags;
use roadstead_domain::time::Timestamp;
use roadstead_registry::containers::ContainerService;

use crate::aws::Call;
use crate::host;

pub(super) fn timestamp(at: Timestamp) -> TimestampShape {
    TimestampShape(at.0)
}

/// Container services lie in all zones of their region. A region that AWS does not have has no
/// name in the model.
pub(super) fn location(region: &Region) -> ResourceLocation {
    let named = RegionName::ALL.iter().copied();
    ResourceLocation {
        availability_zone: Some("all".into()),
        region_name: named
            .into_iter()
            .find(|name| name.as_str() == region.as_str()),
    }
}

pub(super) fn service(call: Call<'_>, service: &ContainerService) -> ServiceShape {
    let ContainerService { stored, place } = service;
    let (one, region) = (&stored.service, &stored.region);
    let principal = one
        .has_principal()
        .then(|| service_role_arn(&place.lightsail, region, &one.name, &stored.role));
    let (scheme, suffix) = host::container_suffix(&call.faces.settings, &call.arrived.arrival);
    let domain_names = &one.domain_names;
    ServiceShape {
        arn: Some(service_arn(region, &stored.account, &stored.id)),
        container_service_name: Some(one.name.to_string()),
        created_at: Some(timestamp(stored.created_at)),
        current_deployment: one.current.as_ref().map(deployment),
        is_disabled: Some(one.is_disabled),
        location: Some(location(region)),
        next_deployment: one.next.as_ref().map(deployment),
        power: Some(power(one.power)),
        power_id: Some(one.power.id()),
        principal_arn: Some(principal.unwrap_or_default()),
        private_domain_name: Some(private_domain_name(&one.name)),
        private_registry_access: Some(PrivateRegistryAccess {
            ecr_image_puller_role: Some(ContainerServiceECRImagePullerRole {
                is_active: Some(one.registry_access.is_active()),
                principal_arn: Some(one.registry_access.principal_arn(
                    &place.lightsail,
                    region,
                    &one.name,
                )),
            }),
        }),
        public_domain_names: (!domain_names.is_empty()).then(|| domain_names.clone()),
        resource_type: Some(ResourceType::ContainerService),
        scale: Some(one.scale.nodes().into()),
        state: Some(state(one.state)),
        state_detail: one.detail.map(|code| ContainerServiceStateDetail {
            code: Some(detail_code(code)),
            message: Some(String::new()),
        }),
        tags: Some(tags(&stored.tags)),
        url: Some(url(scheme, &one.name, &place.address_part, region, &suffix)),
    }
}

pub(super) fn deployment(deployment: &Deployment) -> ContainerServiceDeployment {
    let containers = &deployment.spec.containers;
    let containers = containers
        .iter()
        .map(|(name, one)| (name.to_string(), container(one)));
    ContainerServiceDeployment {
        containers: Some(containers.collect()),
        created_at: Some(timestamp(deployment.created_at)),
        public_endpoint: deployment.spec.public_endpoint.as_ref().map(endpoint),
        state: Some(match deployment.state {
            DeploymentState::Activating => DeploymentStateShape::Activating,
            DeploymentState::Active => DeploymentStateShape::Active,
            DeploymentState::Inactive => DeploymentStateShape::Inactive,
            DeploymentState::Failed => DeploymentStateShape::Failed,
        }),
        version: Some(i32::try_from(deployment.version.0).unwrap_or(i32::MAX)),
    }
}

fn container(container: &Container) -> ContainerShape {
    let ports = container.ports.iter();
    ContainerShape {
        command: Some(container.command.clone()),
        environment: Some(container.environment.clone()),
        image: Some(container.image.to_string()),
        ports: Some(
            ports
                .map(|(port, one)| (port.to_string(), protocol(*one)))
                .collect(),
        ),
    }
}

fn endpoint(endpoint: &PublicEndpoint) -> ContainerServiceEndpoint {
    let check = &endpoint.health_check;
    // Each was 32 bits when it came.
    let number = |n: i64| Some(i32::try_from(n).unwrap_or(i32::MAX));
    ContainerServiceEndpoint {
        container_name: Some(endpoint.container.to_string()),
        container_port: Some(endpoint.port.into()),
        health_check: Some(ContainerServiceHealthCheckConfig {
            healthy_threshold: number(check.healthy_threshold),
            interval_seconds: number(check.interval_secs),
            path: Some(check.path.clone()),
            success_codes: Some(check.success_codes.to_string()),
            timeout_seconds: number(check.timeout_secs),
            unhealthy_threshold: number(check.unhealthy_threshold),
        }),
    }
}

/// A key-only tag has no value at all.
fn tags(tags: &ServiceTags) -> Vec<Tag> {
    let tag = |(key, value): (&String, &Option<String>)| Tag {
        key: Some(key.clone()),
        value: value.clone(),
    };
    tags.iter().map(tag).collect()
}

fn power(power: Power) -> ContainerServicePowerName {
    match power {
        Power::Nano => ContainerServicePowerName::Nano,
        Power::Micro => ContainerServicePowerName::Micro,
        Power::Small => ContainerServicePowerName::Small,
        Power::Medium => ContainerServicePowerName::Medium,
        Power::Large => ContainerServicePowerName::Large,
        Power::Xlarge => ContainerServicePowerName::Xlarge,
    }
}

fn protocol(protocol: Protocol) -> ContainerServiceProtocol {
    match protocol {
        Protocol::Http => ContainerServiceProtocol::Http,
        Protocol::Https => ContainerServiceProtocol::Https,
        Protocol::Tcp => ContainerServiceProtocol::Tcp,
        Protocol::Udp => ContainerServiceProtocol::Udp,
    }
}

fn state(state: ServiceState) -> ContainerServiceState {
    match state {
        ServiceState::Pending => ContainerServiceState::Pending,
        ServiceState::Ready => ContainerServiceState::Ready,
        ServiceState::Running => ContainerServiceState::Running,
        ServiceState::Updating => ContainerServiceState::Updating,
        ServiceState::Deleting => ContainerServiceState::Deleting,
        ServiceState::Disabled => ContainerServiceState::Disabled,
        ServiceState::Deploying => ContainerServiceState::Deploying,
    }
}

fn detail_code(code: StateDetailCode) -> ContainerServiceStateDetailCode {
    use ContainerServiceStateDetailCode as Shape;
    match code {
        StateDetailCode::CreatingSystemResources => Shape::CreatingSystemResources,
        StateDetailCode::CreatingNetworkInfrastructure => Shape::CreatingNetworkInfrastructure,
        StateDetailCode::ProvisioningCertificate => Shape::ProvisioningCertificate,
        StateDetailCode::ProvisioningService => Shape::ProvisioningService,
        StateDetailCode::CreatingDeployment => Shape::CreatingDeployment,
        StateDetailCode::EvaluatingHealthCheck => Shape::EvaluatingHealthCheck,
        StateDetailCode::ActivatingDeployment => Shape::ActivatingDeployment,
        StateDetailCode::CertificateLimitExceeded => Shape::CertificateLimitExceeded,
        StateDetailCode::UnknownError => Shape::UnknownError,
    }
}
