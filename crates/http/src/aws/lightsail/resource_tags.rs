//! Tags of container services (section 5.5).
//!
//! The model's list of operation types lacks these two, and its pattern of resource names lacks
//! short ones: both members are put in where the model is not asked any more.

use roadstead_api_model::lightsail::{
    Operation as OperationShape, OperationStatus, ResourceType, Tag, TagResourceRequest,
    TagResourceResult, UntagResourceRequest,
};
use roadstead_domain::ids::uuid_text;
use roadstead_registry::access::Authorized;
use roadstead_registry::access::containers::ContainerServiceKey;
use roadstead_registry::containers::tags::TagChange;
use serde::Serialize;

use super::shapes;
use crate::aws::Call;
use crate::aws::error::Failure;

/// `TagResourceResult` and `UntagResourceResult`.
#[derive(Serialize)]
pub(in crate::aws) struct Tagged {
    operations: Vec<TaggedOperation>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TaggedOperation {
    #[serde(flatten)]
    shape: OperationShape,
    operation_type: &'static str,
    resource_name: String,
}

impl Tagged {
    /// The part that the model knows.
    pub(in crate::aws) fn modelled(&self) -> TagResourceResult {
        let shapes = self.operations.iter().map(|one| one.shape.clone());
        TagResourceResult {
            operations: Some(shapes.collect()),
        }
    }
}

pub(in crate::aws) async fn tag(
    call: Call<'_>,
    key: Authorized<ContainerServiceKey>,
    input: TagResourceRequest,
) -> Result<Tagged, Failure> {
    let change = TagChange::Tag(tags(input.tags));
    changed(call, key, input.resource_arn, change).await
}

pub(in crate::aws) async fn untag(
    call: Call<'_>,
    key: Authorized<ContainerServiceKey>,
    input: UntagResourceRequest,
) -> Result<Tagged, Failure> {
    let change = TagChange::Untag(input.tag_keys);
    changed(call, key, input.resource_arn, change).await
}

async fn changed(
    call: Call<'_>,
    key: Authorized<ContainerServiceKey>,
    arn: Option<String>,
    change: TagChange,
) -> Result<Tagged, Failure> {
    let registry = &call.faces.registry;
    let stored = registry
        .change_container_tags(key, arn, change)
        .await?
        .stored;
    let now = Some(shapes::timestamp(call.context.now));
    let shape = OperationShape {
        created_at: now,
        id: Some(uuid_text(registry.ids().bits())),
        is_terminal: Some(true),
        location: Some(shapes::location(&stored.region)),
        operation_details: Some(String::new()),
        resource_type: Some(ResourceType::ContainerService),
        status: Some(OperationStatus::Succeeded),
        status_changed_at: now,
        ..OperationShape::default()
    };
    Ok(Tagged {
        operations: vec![TaggedOperation {
            shape,
            operation_type: call.operation.name(),
            resource_name: stored.service.name.to_string(),
        }],
    })
}

/// A tag without a key is one with an empty key: the domain refuses both.
pub(super) fn tags(shapes: Vec<Tag>) -> Vec<(String, Option<String>)> {
    let tag = |tag: Tag| (tag.key.unwrap_or_default(), tag.value);
    shapes.into_iter().map(tag).collect()
}
