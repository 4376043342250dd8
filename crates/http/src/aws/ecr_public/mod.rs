//! The operations of ECR Public (ecr-public.md), one file for each family.
//!
//! Those whose messages are the same in both services (layers, PutImage, BatchDeleteImage, tags,
//! policies) are answered by the handlers of `ecr`; a test of `dispatch` holds the shapes equal.

pub(super) mod authorization;
pub(super) mod catalog_data;
pub(super) mod images;
pub(super) mod registries;
pub(super) mod repositories;
pub(super) mod resource_tags;

use roadstead_api_model::Operation;

use super::access::By;
use super::dispatch::{Handler, of_registry, of_repository};
use super::ecr::{
    images as either_images, layers as either_layers, repository_policy as either_policy,
    resource_tags as either_tags,
};

/// The operations that the handlers of ECR answer too.
#[cfg(test)]
pub(super) const SHARED: &[Operation] = &[
    Operation::EcrPublicBatchCheckLayerAvailability,
    Operation::EcrPublicBatchDeleteImage,
    Operation::EcrPublicCompleteLayerUpload,
    Operation::EcrPublicDeleteRepositoryPolicy,
    Operation::EcrPublicGetRepositoryPolicy,
    Operation::EcrPublicInitiateLayerUpload,
    Operation::EcrPublicPutImage,
    Operation::EcrPublicSetRepositoryPolicy,
    Operation::EcrPublicUntagResource,
    Operation::EcrPublicUploadLayerPart,
];

/// What answers an operation of ECR Public; none if it is not offered.
pub(super) fn handler(operation: Operation) -> Option<Handler> {
    use Operation as O;
    let handler: Handler = match operation {
        O::EcrPublicCreateRepository => |c, b| of_repository(c, b, By::Name, repositories::create),
        O::EcrPublicDescribeRepositories => |c, b| of_registry(c, b, repositories::describe),
        O::EcrPublicDeleteRepository => |c, b| of_repository(c, b, By::Name, repositories::delete),
        O::EcrPublicGetRepositoryCatalogData => {
            |c, b| of_repository(c, b, By::Name, catalog_data::get)
        }
        O::EcrPublicPutRepositoryCatalogData => {
            |c, b| of_repository(c, b, By::Name, catalog_data::put)
        }
        O::EcrPublicGetRegistryCatalogData => |c, b| of_registry(c, b, catalog_data::get_registry),
        O::EcrPublicPutRegistryCatalogData => |c, b| of_registry(c, b, catalog_data::put_registry),
        O::EcrPublicDescribeRegistries => |c, b| of_registry(c, b, registries::describe),
        O::EcrPublicGetAuthorizationToken => |c, b| of_registry(c, b, authorization::token),
        O::EcrPublicDescribeImages => |c, b| of_repository(c, b, By::Name, images::describe),
        O::EcrPublicDescribeImageTags => {
            |c, b| of_repository(c, b, By::Name, images::describe_tags)
        }
        O::EcrPublicPutImage => |c, b| of_repository(c, b, By::Name, either_images::put),
        O::EcrPublicBatchDeleteImage => {
            |c, b| of_repository(c, b, By::Name, either_images::batch_delete)
        }
        O::EcrPublicBatchCheckLayerAvailability => {
            |c, b| of_repository(c, b, By::Name, either_layers::check_availability)
        }
        O::EcrPublicInitiateLayerUpload => {
            |c, b| of_repository(c, b, By::Name, either_layers::initiate)
        }
        O::EcrPublicUploadLayerPart => {
            |c, b| of_repository(c, b, By::Name, either_layers::upload_part)
        }
        O::EcrPublicCompleteLayerUpload => {
            |c, b| of_repository(c, b, By::Name, either_layers::complete)
        }
        O::EcrPublicSetRepositoryPolicy => |c, b| of_repository(c, b, By::Name, either_policy::set),
        O::EcrPublicGetRepositoryPolicy => |c, b| of_repository(c, b, By::Name, either_policy::get),
        O::EcrPublicDeleteRepositoryPolicy => {
            |c, b| of_repository(c, b, By::Name, either_policy::delete)
        }
        O::EcrPublicTagResource => |c, b| of_repository(c, b, By::Arn, resource_tags::tag),
        O::EcrPublicUntagResource => |c, b| of_repository(c, b, By::Arn, either_tags::untag),
        O::EcrPublicListTagsForResource => |c, b| of_repository(c, b, By::Arn, resource_tags::list),
        _ => return None,
    };
    Some(handler)
}
