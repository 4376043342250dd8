//! Resource tags of public repositories (ecr-public.md 3.7). Unlike ECR's, neither member of a tag
//! is required by the model; a tag without a key is refused as one whose key is empty.

use roadstead_api_model::ecr_public::{
    ListTagsForResourceRequest, ListTagsForResourceResponse, Tag, TagResourceRequest,
    TagResourceResponse,
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

pub(in crate::aws) async fn list(
    call: Call<'_>,
    key: Authorized<RepositoryKey>,
    _input: ListTagsForResourceRequest,
) -> Result<ListTagsForResourceResponse, Failure> {
    let tags = call.faces.registry.resource_tags(key).await?;
    let shape = |ResourceTag { key, value }| Tag {
        key: Some(key),
        value: Some(value),
    };
    Ok(ListTagsForResourceResponse {
        tags: Some(tags.into_iter().map(shape).collect()),
    })
}

pub(super) fn tags(shapes: Vec<Tag>) -> Vec<ResourceTag> {
    let tag = |Tag { key, value }: Tag| ResourceTag {
        key: key.unwrap_or_default(),
        value: value.unwrap_or_default(),
    };
    shapes.into_iter().map(tag).collect()
}
