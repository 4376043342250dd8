//! The ECR operations: wire shapes in, use cases, wire shapes out, one file per family.
//!
//! Every function here takes a call whose access and members are checked. None decides a rule.

pub(super) mod authorization;
pub(super) mod ids;
pub(super) mod images;
pub(super) mod layers;
pub(super) mod lifecycle;
pub(super) mod listings;
pub(super) mod registry;
pub(super) mod repositories;
pub(super) mod repository_policy;
pub(super) mod resource_tags;
pub(super) mod storage_class;

use roadstead_api_model::Operation;

use super::access::By;
use super::dispatch::{Handler, of_registry, of_repository};

/// What answers an operation of ECR; none if it is not offered.
pub(super) fn handler(operation: Operation) -> Option<Handler> {
    use Operation as O;
    let handler: Handler = match operation {
        O::EcrCreateRepository => |c, b| of_repository(c, b, By::Name, repositories::create),
        O::EcrDescribeRepositories => |c, b| of_registry(c, b, repositories::describe),
        O::EcrDeleteRepository => |c, b| of_repository(c, b, By::Name, repositories::delete),
        O::EcrPutImageTagMutability => {
            |c, b| of_repository(c, b, By::Name, repositories::put_tag_mutability)
        }
        O::EcrTagResource => |c, b| of_repository(c, b, By::Arn, resource_tags::tag),
        O::EcrUntagResource => |c, b| of_repository(c, b, By::Arn, resource_tags::untag),
        O::EcrListTagsForResource => |c, b| of_repository(c, b, By::Arn, resource_tags::list),
        O::EcrInitiateLayerUpload => |c, b| of_repository(c, b, By::Name, layers::initiate),
        O::EcrUploadLayerPart => |c, b| of_repository(c, b, By::Name, layers::upload_part),
        O::EcrCompleteLayerUpload => |c, b| of_repository(c, b, By::Name, layers::complete),
        O::EcrBatchCheckLayerAvailability => {
            |c, b| of_repository(c, b, By::Name, layers::check_availability)
        }
        O::EcrGetDownloadUrlForLayer => |c, b| of_repository(c, b, By::Name, layers::download_url),
        O::EcrPutImage => |c, b| of_repository(c, b, By::Name, images::put),
        O::EcrBatchGetImage => |c, b| of_repository(c, b, By::Name, images::batch_get),
        O::EcrListImages => |c, b| of_repository(c, b, By::Name, listings::list),
        O::EcrDescribeImages => |c, b| of_repository(c, b, By::Name, listings::describe),
        O::EcrListImageReferrers => |c, b| of_repository(c, b, By::Name, listings::list_referrers),
        O::EcrBatchDeleteImage => |c, b| of_repository(c, b, By::Name, images::batch_delete),
        O::EcrGetAuthorizationToken => |c, b| of_registry(c, b, authorization::token),
        O::EcrDescribeRegistry => |c, b| of_registry(c, b, registry::describe),
        O::EcrPutLifecyclePolicy => |c, b| of_repository(c, b, By::Name, lifecycle::put),
        O::EcrGetLifecyclePolicy => |c, b| of_repository(c, b, By::Name, lifecycle::get),
        O::EcrDeleteLifecyclePolicy => |c, b| of_repository(c, b, By::Name, lifecycle::delete),
        O::EcrStartLifecyclePolicyPreview => {
            |c, b| of_repository(c, b, By::Name, lifecycle::start_preview)
        }
        O::EcrGetLifecyclePolicyPreview => {
            |c, b| of_repository(c, b, By::Name, lifecycle::get_preview)
        }
        O::EcrUpdateImageStorageClass => {
            |c, b| of_repository(c, b, By::Name, storage_class::update)
        }
        O::EcrSetRepositoryPolicy => |c, b| of_repository(c, b, By::Name, repository_policy::set),
        O::EcrGetRepositoryPolicy => |c, b| of_repository(c, b, By::Name, repository_policy::get),
        O::EcrDeleteRepositoryPolicy => {
            |c, b| of_repository(c, b, By::Name, repository_policy::delete)
        }
        _ => return None,
    };
    Some(handler)
}
