//! Images and tags seen from outside (ecr-public.md 3.3). Public images have no storage classes,
//! so nothing is filtered.

use roadstead_api_model::ecr_public::{
    DescribeImageTagsRequest, DescribeImageTagsResponse, DescribeImagesRequest,
    DescribeImagesResponse, ImageDetail, ImageIdentifier, ImageTagDetail, ReferencedImageDetail,
};
use roadstead_domain::image::{Image, ImageId, TagStatus};
use roadstead_domain::name::RepositoryKey;
use roadstead_registry::access::Authorized;
use roadstead_registry::error::Place;
use roadstead_registry::images::{ImageFilter, ImageWithTags};
use roadstead_registry::paging::Page;
use roadstead_registry::public::TaggedImage;

use crate::aws::Call;
use crate::aws::ecr::ids::{long, page_request, timestamp};
use crate::aws::error::Failure;

pub(in crate::aws) async fn describe(
    call: Call<'_>,
    key: Authorized<RepositoryKey>,
    input: DescribeImagesRequest,
) -> Result<DescribeImagesResponse, Failure> {
    let place = Place::from(&*key);
    let page = page_request(input.max_results, input.next_token);
    let registry = &call.faces.registry;
    let Page {
        entries,
        next_token,
    } = match input.image_ids {
        Some(ids) => {
            page.refuse_beside("imageIds")?;
            Page {
                entries: registry.describe_images(key, image_ids(ids)).await?,
                next_token: None,
            }
        }
        None => {
            let all = ImageFilter {
                tag_status: TagStatus::Any,
                status: None,
            };
            registry.list_images(key, all, &page).await?
        }
    };
    let details = entries.into_iter().map(|one| detail(&place, one));
    Ok(DescribeImagesResponse {
        image_details: Some(details.collect()),
        next_token,
    })
}

pub(in crate::aws) async fn describe_tags(
    call: Call<'_>,
    key: Authorized<RepositoryKey>,
    input: DescribeImageTagsRequest,
) -> Result<DescribeImageTagsResponse, Failure> {
    let page = page_request(input.max_results, input.next_token);
    let page = call.faces.registry.tagged_images(key, &page).await?;
    Ok(DescribeImageTagsResponse {
        image_tag_details: Some(page.entries.into_iter().map(tag_detail).collect()),
        next_token: page.next_token,
    })
}

fn image_ids(shapes: Vec<ImageIdentifier>) -> Vec<ImageId> {
    let id = |shape: ImageIdentifier| ImageId {
        digest: shape.image_digest,
        tag: shape.image_tag,
    };
    shapes.into_iter().map(id).collect()
}

fn detail(place: &Place, ImageWithTags { image, tags }: ImageWithTags) -> ImageDetail {
    let image_tags: Vec<String> = tags.iter().map(ToString::to_string).collect();
    let described = described(image);
    ImageDetail {
        artifact_media_type: described.artifact_media_type,
        image_digest: described.image_digest,
        image_manifest_media_type: described.image_manifest_media_type,
        image_pushed_at: described.image_pushed_at,
        image_size_in_bytes: described.image_size_in_bytes,
        image_tags: (!image_tags.is_empty()).then_some(image_tags),
        registry_id: Some(place.registry.to_string()),
        repository_name: Some(place.name.to_string()),
    }
}

fn tag_detail(tagged: TaggedImage) -> ImageTagDetail {
    ImageTagDetail {
        created_at: Some(timestamp(tagged.tagged_at)),
        image_detail: Some(described(tagged.image)),
        image_tag: Some(tagged.tag.to_string()),
    }
}

fn described(image: Image) -> ReferencedImageDetail {
    ReferencedImageDetail {
        artifact_media_type: image.artifact_type,
        image_digest: Some(image.digest.to_string()),
        image_manifest_media_type: Some(image.media_type.to_string()),
        image_pushed_at: Some(timestamp(image.pushed_at)),
        image_size_in_bytes: Some(long(image.size_bytes)),
    }
}
