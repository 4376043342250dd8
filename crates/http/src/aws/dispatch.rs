//! From `X-Amz-Target` to the function that answers.
//!
//! The checks that every operation has in common are made here, in one order: types, access,
//! members. The match below names every operation there is; a test holds what it offers against
//! `models/offered.toml`.

use std::pin::Pin;

use roadstead_api_model::{Operation, Refusal, Rule, check, first_reported};
use roadstead_domain::name::RepositoryKey;
use roadstead_registry::access::Authorized;
use roadstead_registry::access::containers::{ContainerServiceKey, ContainersKey};
use roadstead_registry::error::Error;
use roadstead_registry::repositories::RegistryKey;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::access::{self, Named, by_arn, by_name};
use super::ecr::{
    authorization, images, layers, lifecycle, listings, registry, repositories, resource_tags,
    storage_class,
};
use super::error::Failure;
use super::lightsail::{
    self, deployments, images as containers, logs, regions, registry_login,
    resource_tags as service_tags, services,
};
use super::{Call, envelope};

/// The bytes of an answer, on their way.
pub(super) type Answering<'a> = Pin<Box<dyn Future<Output = Result<Vec<u8>, Failure>> + Send + 'a>>;

/// Answers one operation.
pub(super) type Handler = for<'a> fn(Call<'a>, Value) -> Answering<'a>;

/// The operation that a target names.
pub(super) fn operation(target: &str) -> Result<Operation, Failure> {
    Operation::from_target(target).ok_or_else(|| Failure::UnknownTarget(target.to_owned()))
}

// What is not offered is named too: a new operation does not compile until somebody decides.
macro_rules! not_offered_of_ecr {
    () => {
        Operation::EcrBatchGetRepositoryScanningConfiguration
            | Operation::EcrCreatePullThroughCacheRule
            | Operation::EcrCreateRepositoryCreationTemplate
            | Operation::EcrDeletePullThroughCacheRule
            | Operation::EcrDeleteRegistryPolicy
            | Operation::EcrDeleteRepositoryCreationTemplate
            | Operation::EcrDeleteRepositoryPolicy
            | Operation::EcrDeleteSigningConfiguration
            | Operation::EcrDeregisterPullTimeUpdateExclusion
            | Operation::EcrDescribeImageReplicationStatus
            | Operation::EcrDescribeImageScanFindings
            | Operation::EcrDescribeImageSigningStatus
            | Operation::EcrDescribePullThroughCacheRules
            | Operation::EcrDescribeReplicationBackfillResults
            | Operation::EcrDescribeRepositoryCreationTemplates
            | Operation::EcrGetAccountSetting
            | Operation::EcrGetRegistryPolicy
            | Operation::EcrGetRegistryScanningConfiguration
            | Operation::EcrGetRepositoryPolicy
            | Operation::EcrGetSigningConfiguration
            | Operation::EcrListPullTimeUpdateExclusions
            | Operation::EcrListReplicationBackfills
            | Operation::EcrPutAccountSetting
            | Operation::EcrPutImageScanningConfiguration
            | Operation::EcrPutRegistryPolicy
            | Operation::EcrPutRegistryScanningConfiguration
            | Operation::EcrPutReplicationConfiguration
            | Operation::EcrPutSigningConfiguration
            | Operation::EcrRegisterPullTimeUpdateExclusion
            | Operation::EcrSetRepositoryPolicy
            | Operation::EcrStartImageScan
            | Operation::EcrStartReplicationBackfill
            | Operation::EcrStopReplicationBackfill
            | Operation::EcrUpdatePullThroughCacheRule
            | Operation::EcrUpdateRepositoryCreationTemplate
            | Operation::EcrValidatePullThroughCacheRule
    };
}

macro_rules! not_offered_of_ecr_public {
    () => {
        Operation::EcrPublicBatchCheckLayerAvailability
            | Operation::EcrPublicBatchDeleteImage
            | Operation::EcrPublicCompleteLayerUpload
            | Operation::EcrPublicCreateRepository
            | Operation::EcrPublicDeleteRepository
            | Operation::EcrPublicDeleteRepositoryPolicy
            | Operation::EcrPublicDescribeImageTags
            | Operation::EcrPublicDescribeImages
            | Operation::EcrPublicDescribeRegistries
            | Operation::EcrPublicDescribeRepositories
            | Operation::EcrPublicGetAuthorizationToken
            | Operation::EcrPublicGetRegistryCatalogData
            | Operation::EcrPublicGetRepositoryCatalogData
            | Operation::EcrPublicGetRepositoryPolicy
            | Operation::EcrPublicInitiateLayerUpload
            | Operation::EcrPublicListTagsForResource
            | Operation::EcrPublicPutImage
            | Operation::EcrPublicPutRegistryCatalogData
            | Operation::EcrPublicPutRepositoryCatalogData
            | Operation::EcrPublicSetRepositoryPolicy
            | Operation::EcrPublicTagResource
            | Operation::EcrPublicUntagResource
            | Operation::EcrPublicUploadLayerPart
    };
}

/// What answers the operation; none if it is not offered.
pub(super) fn handler(operation: Operation) -> Option<Handler> {
    use Operation as O;
    let handler: Handler = match operation {
        O::EcrCreateRepository => |c, b| of_repository(c, b, by_name, repositories::create),
        O::EcrDescribeRepositories => |c, b| of_registry(c, b, repositories::describe),
        O::EcrDeleteRepository => |c, b| of_repository(c, b, by_name, repositories::delete),
        O::EcrPutImageTagMutability => {
            |c, b| of_repository(c, b, by_name, repositories::put_tag_mutability)
        }
        O::EcrTagResource => |c, b| of_repository(c, b, by_arn, resource_tags::tag),
        O::EcrUntagResource => |c, b| of_repository(c, b, by_arn, resource_tags::untag),
        O::EcrListTagsForResource => |c, b| of_repository(c, b, by_arn, resource_tags::list),
        O::EcrInitiateLayerUpload => |c, b| of_repository(c, b, by_name, layers::initiate),
        O::EcrUploadLayerPart => |c, b| of_repository(c, b, by_name, layers::upload_part),
        O::EcrCompleteLayerUpload => |c, b| of_repository(c, b, by_name, layers::complete),
        O::EcrBatchCheckLayerAvailability => {
            |c, b| of_repository(c, b, by_name, layers::check_availability)
        }
        O::EcrGetDownloadUrlForLayer => |c, b| of_repository(c, b, by_name, layers::download_url),
        O::EcrPutImage => |c, b| of_repository(c, b, by_name, images::put),
        O::EcrBatchGetImage => |c, b| of_repository(c, b, by_name, images::batch_get),
        O::EcrListImages => |c, b| of_repository(c, b, by_name, listings::list),
        O::EcrDescribeImages => |c, b| of_repository(c, b, by_name, listings::describe),
        O::EcrListImageReferrers => |c, b| of_repository(c, b, by_name, listings::list_referrers),
        O::EcrBatchDeleteImage => |c, b| of_repository(c, b, by_name, images::batch_delete),
        O::EcrGetAuthorizationToken => |c, b| of_registry(c, b, authorization::token),
        O::EcrDescribeRegistry => |c, b| of_registry(c, b, registry::describe),
        O::EcrPutLifecyclePolicy => |c, b| of_repository(c, b, by_name, lifecycle::put),
        O::EcrGetLifecyclePolicy => |c, b| of_repository(c, b, by_name, lifecycle::get),
        O::EcrDeleteLifecyclePolicy => |c, b| of_repository(c, b, by_name, lifecycle::delete),
        O::EcrStartLifecyclePolicyPreview => {
            |c, b| of_repository(c, b, by_name, lifecycle::start_preview)
        }
        O::EcrGetLifecyclePolicyPreview => {
            |c, b| of_repository(c, b, by_name, lifecycle::get_preview)
        }
        O::EcrUpdateImageStorageClass => |c, b| of_repository(c, b, by_name, storage_class::update),
        O::LightsailCreateContainerService => |c, b| of_services(c, b, services::create),
        O::LightsailUpdateContainerService => |c, b| of_service(c, b, services::update),
        O::LightsailDeleteContainerService => |c, b| of_service(c, b, services::delete),
        O::LightsailGetContainerServices => |c, b| of_services(c, b, services::get),
        O::LightsailGetContainerServicePowers => |c, b| of_services(c, b, services::powers),
        O::LightsailGetContainerAPIMetadata => |c, b| of_services(c, b, registry_login::metadata),
        O::LightsailCreateContainerServiceRegistryLogin => {
            |c, b| of_services(c, b, registry_login::create)
        }
        O::LightsailRegisterContainerImage => |c, b| of_service(c, b, containers::register),
        O::LightsailGetContainerImages => |c, b| of_service(c, b, containers::list),
        O::LightsailDeleteContainerImage => |c, b| of_service(c, b, containers::delete),
        O::LightsailCreateContainerServiceDeployment => {
            |c, b| of_service(c, b, deployments::create)
        }
        O::LightsailGetContainerServiceDeployments => |c, b| of_service(c, b, deployments::list),
        O::LightsailGetContainerLog => |c, b| of_service(c, b, logs::log),
        O::LightsailGetContainerServiceMetricData => |c, b| of_service(c, b, logs::metric_data),
        O::LightsailTagResource => |c, b| of_tags(c, b, service_tags::tag),
        O::LightsailUntagResource => |c, b| of_tags(c, b, service_tags::untag),
        O::LightsailGetRegions => |c, b| of_services(c, b, regions::get),
        not_offered_of_ecr!() | not_offered_of_ecr_public!() => return None,
    };
    Some(handler)
}

fn of_repository<'a, I, O, F>(
    call: Call<'a>,
    body: Value,
    name: fn(Call<'_>, &Value) -> Result<Named, Error>,
    handle: impl FnOnce(Call<'a>, Authorized<RepositoryKey>, I) -> F + Send + 'a,
) -> Answering<'a>
where
    I: DeserializeOwned + Send,
    O: Serialize + Send,
    F: Future<Output = Result<O, Failure>> + Send + 'a,
{
    Box::pin(async move {
        let refusals = check_types(call.operation, &body)?;
        let key = name(call, &body)?;
        let input = members(call.operation, body, &refusals)?;
        envelope::output(call.operation, &handle(call, key?, input).await?)
    })
}

fn of_registry<'a, I, O, F>(
    call: Call<'a>,
    body: Value,
    handle: impl FnOnce(Call<'a>, Authorized<RegistryKey>, I) -> F + Send + 'a,
) -> Answering<'a>
where
    I: DeserializeOwned + Send,
    O: Serialize + Send,
    F: Future<Output = Result<O, Failure>> + Send + 'a,
{
    Box::pin(async move {
        let refusals = check_types(call.operation, &body)?;
        let key = access::registry(call, &body)?;
        let input = members(call.operation, body, &refusals)?;
        envelope::output(call.operation, &handle(call, key, input).await?)
    })
}

fn of_services<'a, I, O, F>(
    call: Call<'a>,
    body: Value,
    handle: impl FnOnce(Call<'a>, Authorized<ContainersKey>, I) -> F + Send + 'a,
) -> Answering<'a>
where
    I: DeserializeOwned + Send,
    O: Serialize + Send,
    F: Future<Output = Result<O, Failure>> + Send + 'a,
{
    Box::pin(async move {
        let refusals = lightsail::without_parsed(check_types(call.operation, &body)?);
        let key = lightsail::services(call)?;
        let input = members(call.operation, body, &refusals)?;
        envelope::output(call.operation, &handle(call, key, input).await?)
    })
}

fn of_service<'a, I, O, F>(
    call: Call<'a>,
    body: Value,
    handle: impl FnOnce(Call<'a>, Authorized<ContainerServiceKey>, I) -> F + Send + 'a,
) -> Answering<'a>
where
    I: DeserializeOwned + Send,
    O: Serialize + Send,
    F: Future<Output = Result<O, Failure>> + Send + 'a,
{
    Box::pin(async move {
        let refusals = lightsail::without_parsed(check_types(call.operation, &body)?);
        let key = lightsail::service(call, &body, "serviceName")?;
        let input = members(call.operation, body, &refusals)?;
        envelope::output(call.operation, &handle(call, key?, input).await?)
    })
}

/// As [`of_service`], for the two operations whose answer has a part that the model does not know.
fn of_tags<'a, I, F>(
    call: Call<'a>,
    body: Value,
    handle: impl FnOnce(Call<'a>, Authorized<ContainerServiceKey>, I) -> F + Send + 'a,
) -> Answering<'a>
where
    I: DeserializeOwned + Send,
    F: Future<Output = Result<service_tags::Tagged, Failure>> + Send + 'a,
{
    Box::pin(async move {
        let refusals = lightsail::without_parsed(check_types(call.operation, &body)?);
        let key = lightsail::service(call, &body, "resourceName")?;
        let input = members(call.operation, body, &refusals)?;
        let tagged = handle(call, key?, input).await?;
        envelope::output_beyond_model(call.operation, &tagged.modelled(), &tagged)
    })
}

/// Everything that the model refuses; a wrong type is part of reading the request and refused
/// here, before access.
fn check_types(operation: Operation, body: &Value) -> Result<Vec<Refusal>, Failure> {
    let refusals = check(operation.service(), operation.input_shape(), body);
    match first_reported(&refusals) {
        Some(first) if matches!(first.rule, Rule::WrongType(_)) => Err(Failure::Serialization(
            roadstead_api_model::message(operation.service(), first),
        )),
        _ => Ok(refusals),
    }
}

/// The typed request, if the model refuses nothing.
fn members<I: DeserializeOwned>(
    operation: Operation,
    body: Value,
    refusals: &[Refusal],
) -> Result<I, Failure> {
    if let Some(first) = first_reported(refusals) {
        let message = roadstead_api_model::message(operation.service(), first);
        return Err(Failure::Constraint(message));
    }
    // What passes the check deserialises (a law of the model crate).
    serde_json::from_value(body).map_err(|error| Failure::Serialization(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_answered_is_what_is_offered() {
        for operation in Operation::ALL {
            let is_answered = handler(operation).is_some();
            assert_eq!(is_answered, operation.is_offered(), "{operation:?}");
        }
    }

    #[test]
    fn targets_are_compared_exactly() {
        let target = Operation::EcrPutImage.target();
        assert_eq!(operation(target).unwrap(), Operation::EcrPutImage);
        for target in [
            "",
            "PutImage",
            &target.to_lowercase(),
            &format!("{target} "),
        ] {
            assert!(operation(target).is_err(), "{target}");
        }
    }
}
