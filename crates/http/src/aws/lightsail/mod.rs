//! Amazon Lightsail container services (lightsail-containers.md): wire shapes to domain values and
//! back, one file for each family.
//!
//! What a member may be is said by the domain's own parsers, in the words of the service; the model
//! stands in where there are none.

pub(super) mod deployments;
pub(super) mod failure;
pub(super) mod images;
pub(super) mod logs;
pub(super) mod regions;
pub(super) mod registry_login;
pub(super) mod resource_tags;
pub(super) mod services;
mod shapes;

use roadstead_api_model::{Operation, Refusal as Broken, Rule};
use roadstead_domain::lightsail::names::ServiceName;
use roadstead_domain::lightsail::refusal::Refusal;
use roadstead_registry::access::Authorized;
use roadstead_registry::access::containers::{self as access, ContainerServiceKey, ContainersKey};
use roadstead_registry::error::Error;
use serde_json::Value;

use super::Call;
use super::dispatch::{Handler, of_service, of_services, of_tags};

/// A service that may be used, or why the request names none: an error that the constraints of its
/// other members come before.
pub(super) type NamedService = Result<Authorized<ContainerServiceKey>, Error>;

/// Shapes whose form the domain's parsers judge: the model's expression for them is an alternation
/// without its anchors.
const PARSED: [&str; 4] = [
    "ContainerLabel",
    "ContainerName",
    "ContainerServiceName",
    "ResourceName",
];

/// What answers an operation of Lightsail; none if it is not offered.
pub(super) fn handler(operation: Operation) -> Option<Handler> {
    use Operation as O;
    let handler: Handler = match operation {
        O::LightsailCreateContainerService => |c, b| of_services(c, b, services::create),
        O::LightsailUpdateContainerService => |c, b| of_service(c, b, services::update),
        O::LightsailDeleteContainerService => |c, b| of_service(c, b, services::delete),
        O::LightsailGetContainerServices => |c, b| of_services(c, b, services::get),
        O::LightsailGetContainerServicePowers => |c, b| of_services(c, b, services::powers),
        O::LightsailGetContainerAPIMetadata => |c, b| of_services(c, b, registry_login::metadata),
        O::LightsailCreateContainerServiceRegistryLogin => {
            |c, b| of_services(c, b, registry_login::create)
        }
        O::LightsailRegisterContainerImage => |c, b| of_service(c, b, images::register),
        O::LightsailGetContainerImages => |c, b| of_service(c, b, images::list),
        O::LightsailDeleteContainerImage => |c, b| of_service(c, b, images::delete),
        O::LightsailCreateContainerServiceDeployment => {
            |c, b| of_service(c, b, deployments::create)
        }
        O::LightsailGetContainerServiceDeployments => |c, b| of_service(c, b, deployments::list),
        O::LightsailGetContainerLog => |c, b| of_service(c, b, logs::log),
        O::LightsailGetContainerServiceMetricData => |c, b| of_service(c, b, logs::metric_data),
        O::LightsailTagResource => |c, b| of_tags(c, b, resource_tags::tag),
        O::LightsailUntagResource => |c, b| of_tags(c, b, resource_tags::untag),
        O::LightsailGetRegions => |c, b| of_services(c, b, regions::get),
        _ => return None,
    };
    Some(handler)
}

/// The service that the member `member` names.
pub(super) fn service(call: Call<'_>, body: &Value, member: &str) -> Result<NamedService, Error> {
    let action = call.operation.name();
    let text = body.get(member).and_then(Value::as_str).unwrap_or_default();
    match ServiceName::parse(text) {
        Ok(name) => access::service(call.context, action, name).map(Ok),
        Err(refusal) => services(call).map(|_| Err(refusal.into())),
    }
}

/// The caller's services as a whole.
pub(super) fn services(call: Call<'_>) -> Result<Authorized<ContainersKey>, Error> {
    access::services(call.context, call.operation.name())
}

/// Leaves to the parsers what they judge.
pub(super) fn without_parsed(mut broken: Vec<Broken>) -> Vec<Broken> {
    broken.retain(|one| match one.rule {
        Rule::Pattern(_) | Rule::MinLength(_) | Rule::MaxLength(_) => !PARSED.contains(&one.shape),
        Rule::Required
        | Rule::MinValue(_)
        | Rule::MaxValue(_)
        | Rule::Enum(_)
        | Rule::WrongType(_)
        | Rule::UnknownShape => true,
    });
    broken
}

/// A name of the model that the domain knows too, since the model's own check let it through.
fn known<T>(parsed: Result<T, Refusal>) -> Result<T, Error> {
    parsed.map_err(Error::from)
}
