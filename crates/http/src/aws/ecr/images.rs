//! Images: put, get and delete (ecr.md sections 4, 5 and 6.1). Listings are beside this file.
//!
//! Manifests go through as they are: not one byte of them is written anew.

use bytes::Bytes;
use roadstead_api_model::ecr::{
    BatchDeleteImageRequest, BatchDeleteImageResponse, BatchGetImageRequest, BatchGetImageResponse,
    Image, PutImageRequest, PutImageResponse,
};
use roadstead_domain::digest::Digest;
use roadstead_domain::media_type::MediaType;
use roadstead_domain::name::RepositoryKey;
use roadstead_domain::reference::ImageTag;
use roadstead_registry::access::Authorized;
use roadstead_registry::error::{Error, Place};
use roadstead_registry::images::GotImage;
use roadstead_registry::push_manifest::Push;

use super::ids::{failures, identifier, image_ids};
use crate::aws::Call;
use crate::aws::error::Failure;

pub(in crate::aws) async fn put(
    call: Call<'_>,
    key: Authorized<RepositoryKey>,
    input: PutImageRequest,
) -> Result<PutImageResponse, Failure> {
    let push = push(&input)?;
    let (tag, key_after) = (push.tag.clone(), (*key).clone());
    let pushed = call.faces.registry.push_manifest(call.context, key, push);
    let pushed = pushed.await?;
    if pushed.was_there {
        return Err(Failure::from(Error::ImageAlreadyExists {
            digest: pushed.digest,
            tag,
            place: Place::from(&key_after),
        }));
    }
    let image = Image {
        registry_id: Some(key_after.account.to_string()),
        repository_name: Some(key_after.name.to_string()),
        image_id: Some(identifier(&pushed.digest, tag.as_ref())),
        image_manifest: Some(input.image_manifest),
        image_manifest_media_type: Some(pushed.media_type.to_string()),
    };
    Ok(PutImageResponse { image: Some(image) })
}

fn push(input: &PutImageRequest) -> Result<Push, Error> {
    let invalid = |member, text: &Option<String>| {
        let text = text.as_deref().unwrap_or_default();
        Error::invalid(member, format!("'{text}' is not supported"))
    };
    let tag = input.image_tag.as_deref().map(ImageTag::parse).transpose();
    let digest = input.image_digest.as_deref().map(Digest::parse).transpose();
    Ok(Push {
        bytes: Bytes::copy_from_slice(input.image_manifest.as_bytes()),
        media_type: input
            .image_manifest_media_type
            .as_deref()
            .map(MediaType::new),
        tag: tag.map_err(|_| invalid("imageTag", &input.image_tag))?,
        digest: digest.map_err(|_| invalid("imageDigest", &input.image_digest))?,
    })
}

pub(in crate::aws) async fn batch_get(
    call: Call<'_>,
    key: Authorized<RepositoryKey>,
    input: BatchGetImageRequest,
) -> Result<BatchGetImageResponse, Failure> {
    let place = Place::from(&*key);
    let accepted = input.accepted_media_types.unwrap_or_default();
    let registry = &call.faces.registry;
    let getting = registry.get_images(call.context, key, image_ids(input.image_ids), accepted);
    let (images, failed) = getting.await?;
    let shape = |image: GotImage| Image {
        registry_id: Some(place.registry.to_string()),
        repository_name: Some(place.name.to_string()),
        image_id: Some(identifier(&image.digest, image.tag.as_ref())),
        // A stored manifest is JSON, hence UTF-8.
        image_manifest: Some(String::from_utf8_lossy(&image.manifest).into_owned()),
        image_manifest_media_type: Some(image.media_type.to_string()),
    };
    Ok(BatchGetImageResponse {
        images: Some(images.into_iter().map(shape).collect()),
        failures: Some(failures(failed)),
    })
}

pub(in crate::aws) async fn batch_delete(
    call: Call<'_>,
    key: Authorized<RepositoryKey>,
    input: BatchDeleteImageRequest,
) -> Result<BatchDeleteImageResponse, Failure> {
    let ids = image_ids(input.image_ids);
    let registry = &call.faces.registry;
    let plan = registry.delete_images(call.context, key, ids).await?;
    let removed = plan.removed.iter();
    let removed = removed.map(|one| identifier(&one.digest, one.tag.as_ref()));
    Ok(BatchDeleteImageResponse {
        image_ids: Some(removed.collect()),
        failures: Some(failures(plan.failures)),
    })
}
