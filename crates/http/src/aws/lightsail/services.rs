//! Container services: create, update, delete, show, and the powers there are (section 5).

use roadstead_api_model::lightsail::{
    ContainerServicePower, ContainerServicePowerName, ContainerServicesListResult,
    CreateContainerServiceRequest, CreateContainerServiceResult, DeleteContainerServiceRequest,
    DeleteContainerServiceResult, GetContainerServicePowersRequest,
    GetContainerServicePowersResult, GetContainerServicesRequest, PrivateRegistryAccessRequest,
    UpdateContainerServiceRequest, UpdateContainerServiceResult,
};
use roadstead_domain::lightsail::names::ServiceName;
use roadstead_domain::lightsail::power::{Power, Scale};
use roadstead_registry::access::Authorized;
use roadstead_registry::access::containers::{self as access, ContainerServiceKey, ContainersKey};
use roadstead_registry::containers::services::{ServiceRequest, UpdateRequest};

use super::{deployments, known, resource_tags, shapes};
use crate::aws::Call;
use crate::aws::error::Failure;

pub(in crate::aws) async fn create(
    call: Call<'_>,
    key: Authorized<ContainersKey>,
    input: CreateContainerServiceRequest,
) -> Result<CreateContainerServiceResult, Failure> {
    let deployment = input
        .deployment
        .map(|deployment| deployments::request(deployment.containers, deployment.public_endpoint));
    let request = ServiceRequest {
        name: known(ServiceName::parse(&input.service_name))?,
        power: power(input.power)?,
        scale: known(Scale::parse(input.scale.into()))?,
        domain_names: input.public_domain_names.unwrap_or_default(),
        is_puller: is_puller(input.private_registry_access),
        deployment,
        tags: resource_tags::tags(input.tags.unwrap_or_default()),
    };
    let registry = &call.faces.registry;
    let made = registry.create_container_service(call.context, key, request);
    Ok(CreateContainerServiceResult {
        container_service: Some(shapes::service(call, &made.await?)),
    })
}

pub(in crate::aws) async fn update(
    call: Call<'_>,
    key: Authorized<ContainerServiceKey>,
    input: UpdateContainerServiceRequest,
) -> Result<UpdateContainerServiceResult, Failure> {
    let scale = input.scale.map(|scale| known(Scale::parse(scale.into())));
    let request = UpdateRequest {
        power: input.power.map(power).transpose()?,
        scale: scale.transpose()?,
        is_disabled: input.is_disabled,
        domain_names: input.public_domain_names,
        is_puller: is_puller(input.private_registry_access),
    };
    let registry = &call.faces.registry;
    let updated = registry.update_container_service(call.context, key, request);
    Ok(UpdateContainerServiceResult {
        container_service: Some(shapes::service(call, &updated.await?)),
    })
}

pub(in crate::aws) async fn delete(
    call: Call<'_>,
    key: Authorized<ContainerServiceKey>,
    _input: DeleteContainerServiceRequest,
) -> Result<DeleteContainerServiceResult, Failure> {
    let registry = &call.faces.registry;
    registry.delete_container_service(call.context, key).await?;
    Ok(DeleteContainerServiceResult {})
}

/// One service by name, which has to be there, or every one.
pub(in crate::aws) async fn get(
    call: Call<'_>,
    key: Authorized<ContainersKey>,
    input: GetContainerServicesRequest,
) -> Result<ContainerServicesListResult, Failure> {
    let registry = &call.faces.registry;
    let found = match input.service_name {
        None => registry.container_services(key).await?,
        Some(name) => {
            let name = known(ServiceName::parse(&name))?;
            let key = access::service(call.context, call.operation.name(), name)?;
            vec![registry.container_service(key).await?]
        }
    };
    let services = found.iter().map(|one| shapes::service(call, one));
    Ok(ContainerServicesListResult {
        container_services: Some(services.collect()),
    })
}

pub(in crate::aws) async fn powers(
    _call: Call<'_>,
    _key: Authorized<ContainersKey>,
    _input: GetContainerServicePowersRequest,
) -> Result<GetContainerServicePowersResult, Failure> {
    let shape = |power: Power| {
        let size = power.size();
        ContainerServicePower {
            cpu_count: Some(size.cpu_count),
            is_active: Some(true),
            name: Some(power.as_str().into()),
            power_id: Some(power.id()),
            price: Some(size.price_usd),
            ram_size_in_gb: Some(size.ram_gb),
        }
    };
    Ok(GetContainerServicePowersResult {
        powers: Some(Power::ALL.into_iter().map(shape).collect()),
    })
}

fn power(name: ContainerServicePowerName) -> Result<Power, Failure> {
    Ok(known(Power::parse(name.as_str()))?)
}

fn is_puller(request: Option<PrivateRegistryAccessRequest>) -> Option<bool> {
    request?.ecr_image_puller_role?.is_active
}
