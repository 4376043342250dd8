//! Registered images (section 4).

use roadstead_api_model::lightsail::{
    ContainerImage, DeleteContainerImageRequest, DeleteContainerImageResult,
    GetContainerImagesRequest, GetContainerImagesResult, RegisterContainerImageRequest,
    RegisterContainerImageResult,
};
use roadstead_domain::lightsail::images::{StoredImage, parse_digest};
use roadstead_domain::lightsail::names::ImageLabel;
use roadstead_registry::access::Authorized;
use roadstead_registry::access::containers::ContainerServiceKey;

use super::{known, shapes};
use crate::aws::Call;
use crate::aws::error::Failure;

pub(in crate::aws) async fn register(
    call: Call<'_>,
    key: Authorized<ContainerServiceKey>,
    input: RegisterContainerImageRequest,
) -> Result<RegisterContainerImageResult, Failure> {
    let label = known(ImageLabel::parse(&input.label))?;
    let digest = known(parse_digest(&input.digest))?;
    let registry = &call.faces.registry;
    let registered = registry.register_container_image(call.context, key, label, digest);
    Ok(RegisterContainerImageResult {
        container_image: Some(shape(registered.await?)),
    })
}

pub(in crate::aws) async fn list(
    call: Call<'_>,
    key: Authorized<ContainerServiceKey>,
    _input: GetContainerImagesRequest,
) -> Result<GetContainerImagesResult, Failure> {
    let images = call.faces.registry.container_images(key).await?;
    Ok(GetContainerImagesResult {
        container_images: Some(images.into_iter().map(shape).collect()),
    })
}

pub(in crate::aws) async fn delete(
    call: Call<'_>,
    key: Authorized<ContainerServiceKey>,
    input: DeleteContainerImageRequest,
) -> Result<DeleteContainerImageResult, Failure> {
    let registry = &call.faces.registry;
    let deleted = registry.delete_container_image(call.context, key, input.image);
    deleted.await?;
    Ok(DeleteContainerImageResult {})
}

fn shape(image: StoredImage) -> ContainerImage {
    ContainerImage {
        created_at: Some(shapes::timestamp(image.created_at)),
        digest: Some(image.digest.to_string()),
        image: Some(image.image.to_string()),
    }
}
