//! UpdateImageStorageClass (ecr.md 7.11).
//!
//! Which images may move is decided by the use case; the answer names the image as it was asked
//! for.

use roadstead_api_model::ecr::{
    TargetStorageClass, UpdateImageStorageClassRequest, UpdateImageStorageClassResponse,
};
use roadstead_domain::image::ImageId;
use roadstead_domain::lifecycle::policy::StorageClass;
use roadstead_domain::name::RepositoryKey;
use roadstead_registry::access::Authorized;
use roadstead_registry::error::Place;

use super::ids::image_status;
use crate::aws::Call;
use crate::aws::error::Failure;

pub(in crate::aws) async fn update(
    call: Call<'_>,
    key: Authorized<RepositoryKey>,
    input: UpdateImageStorageClassRequest,
) -> Result<UpdateImageStorageClassResponse, Failure> {
    let Place { name, registry } = Place::from(&*key);
    let mut image_id = input.image_id;
    let id = ImageId {
        digest: image_id.image_digest.take(),
        tag: image_id.image_tag.clone(),
    };
    let target = match input.target_storage_class {
        TargetStorageClass::Standard => StorageClass::Standard,
        TargetStorageClass::Archive => StorageClass::Archive,
    };
    let images = &call.faces.registry;
    let moved = images.update_storage_class(call.context, key, id, target);
    let moved = moved.await?;
    image_id.image_digest = Some(moved.digest.to_string());
    Ok(UpdateImageStorageClassResponse {
        image_id: Some(image_id),
        image_status: Some(image_status(moved.status)),
        registry_id: Some(registry.to_string()),
        repository_name: Some(name.to_string()),
    })
}
