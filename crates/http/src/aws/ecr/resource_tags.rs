//! Resource tags of repositories (ecr.md 3.5).
//!
//! The ARN is resolved before: every function here is given the repository that it names.

use roadstead_api_model::ecr::{
    ListTagsForResourceRequest, ListTagsForResourceResponse, Tag, TagResourceRequest,
    TagResourceResponse, UntagResourceRequest, UntagResourceResponse,
};
use roadstead_domain::name::RepositoryKey;
use roadstead_domain::resource_tag::ResourceTag;
use roadstead_registry::access::Authorized;

use crate::aws::Call;
use crate::aws::error::Failure;

pub(in crate::aws) async fn tag(
    call: Call<'_>,
    key: Authorized<RepositoryKey>,
    input: TagResourceRequest,
) -> Result<TagResourceResponse, Failure> {
    let registry = &call.faces.registry;
    registry.tag_resource(key, tags(input.tags)).await?;
    Ok(TagResourceResponse {})
}

pub(in crate::aws) async fn untag(
    call: Call<'_>,
    key: Authorized<RepositoryKey>,
    input: UntagResourceRequest,
) -> Result<UntagResourceResponse, Failure> {
    let registry = &call.faces.registry;
    registry.untag_resource(key, input.tag_keys).await?;
    Ok(UntagResourceResponse {})
}

pub(in crate::aws) async fn list(
    call: Call<'_>,
    key: Authorized<RepositoryKey>,
    _input: ListTagsForResourceRequest,
) -> Result<ListTagsForResourceResponse, Failure> {
    let tags = call.faces.registry.resource_tags(key).await?;
    let shape = |ResourceTag { key, value }| Tag { key, value };
    Ok(ListTagsForResourceResponse {
        tags: Some(tags.into_iter().map(shape).collect()),
    })
}

pub(super) fn tags(shapes: Vec<Tag>) -> Vec<ResourceTag> {
    let tag = |Tag { key, value }| ResourceTag { key, value };
    shapes.into_iter().map(tag).collect()
}
