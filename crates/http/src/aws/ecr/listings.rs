//! Images seen from outside: describe, list, referrers (ecr.md 6.2 to 6.4).
//!
//! A listing shows active images unless its filter says otherwise; an image asked for by name is
//! shown whatever its status.

use roadstead_api_model::ecr::{
    ArtifactStatus, ArtifactStatusFilter, DescribeImagesFilter, DescribeImagesRequest,
    DescribeImagesResponse, ImageDetail, ImageReferrer, ImageStatusFilter,
    ListImageReferrersRequest, ListImageReferrersResponse, ListImagesRequest, ListImagesResponse,
    TagStatus as TagStatusShape,
};
use roadstead_domain::digest::Digest;
use roadstead_domain::image::{ImageStatus, TagStatus};
use roadstead_domain::name::RepositoryKey;
use roadstead_registry::access::Authorized;
use roadstead_registry::error::{Error, Place};
use roadstead_registry::images::{ImageFilter, ImageWithTags, Referrer};
use roadstead_registry::paging::Page;

use super::ids::{self, identifier, image_ids, image_status, long, page_request, timestamp};
use crate::aws::Call;
use crate::aws::error::Failure;

pub(in crate::aws) async fn list(
    call: Call<'_>,
    key: Authorized<RepositoryKey>,
    input: ListImagesRequest,
) -> Result<ListImagesResponse, Failure> {
    let filter = input.filter.unwrap_or_default();
    let filter = image_filter(filter.tag_status, filter.image_status);
    let page = page_request(input.max_results, input.next_token);
    let registry = &call.faces.registry;
    let page = registry.list_image_entries(key, filter, &page).await?;
    let entries = page.entries.iter();
    let image_ids = entries.map(|entry| identifier(&entry.digest, entry.tag.as_ref()));
    Ok(ListImagesResponse {
        image_ids: Some(image_ids.collect()),
        next_token: page.next_token,
    })
}

pub(in crate::aws) async fn describe(
    call: Call<'_>,
    key: Authorized<RepositoryKey>,
    input: DescribeImagesRequest,
) -> Result<DescribeImagesResponse, Failure> {
    let place = Place::from(&*key);
    let page = page_request(input.max_results, input.next_token);
    let filter = input.filter.unwrap_or_default();
    let registry = &call.faces.registry;
    let Page {
        entries,
        next_token,
    } = match input.image_ids {
        Some(ids) => {
            page.refuse_beside("imageIds")?;
            let mut entries = registry.describe_images(key, image_ids(ids)).await?;
            entries.retain(|one| is_wanted(&filter, one));
            Page {
                entries,
                next_token: None,
            }
        }
        None => {
            let filter = image_filter(filter.tag_status, filter.image_status);
            registry.list_images(key, filter, &page).await?
        }
    };
    let details = entries.into_iter().map(|one| detail(&place, one));
    Ok(DescribeImagesResponse {
        image_details: Some(details.collect()),
        next_token,
    })
}

pub(in crate::aws) async fn list_referrers(
    call: Call<'_>,
    key: Authorized<RepositoryKey>,
    input: ListImageReferrersRequest,
) -> Result<ListImageReferrersResponse, Failure> {
    let subject = Digest::parse(&input.subject_id.image_digest)
        .map_err(|why| Error::invalid("subjectId.imageDigest", why.to_string()))?;
    let filter = input.filter.unwrap_or_default();
    let types = filter.artifact_types.unwrap_or_default();
    let page = page_request(input.max_results, input.next_token);
    let registry = &call.faces.registry;
    let page = registry.list_referrers(key, subject, types, &page).await?;
    // The use case lists active referrers only, so another status has none.
    let has_active = match filter.artifact_status {
        None | Some(ArtifactStatusFilter::Active | ArtifactStatusFilter::Any) => true,
        Some(ArtifactStatusFilter::Archived | ArtifactStatusFilter::Activating) => false,
    };
    let referrers = page.entries.into_iter().filter(|_| has_active);
    Ok(ListImageReferrersResponse {
        referrers: Some(referrers.map(referrer).collect()),
        next_token: page.next_token.filter(|_| has_active),
    })
}

fn image_filter(
    tag_status: Option<TagStatusShape>,
    status: Option<ImageStatusFilter>,
) -> ImageFilter {
    let status = match status {
        None | Some(ImageStatusFilter::Active) => Some(ImageStatus::Active),
        Some(ImageStatusFilter::Archived) => Some(ImageStatus::Archived),
        Some(ImageStatusFilter::Activating) => Some(ImageStatus::Activating),
        Some(ImageStatusFilter::Any) => None,
    };
    ImageFilter {
        tag_status: ids::tag_status(tag_status),
        status,
    }
}

/// Whether an image that was asked for by name passes a filter that was sent along.
fn is_wanted(filter: &DescribeImagesFilter, one: &ImageWithTags) -> bool {
    let any = Some(ImageStatusFilter::Any);
    let filter = image_filter(filter.tag_status, filter.image_status.or(any));
    let has_status = filter
        .status
        .is_none_or(|status| status == one.image.status);
    has_status
        && match filter.tag_status {
            TagStatus::Any => true,
            TagStatus::Tagged => !one.tags.is_empty(),
            TagStatus::Untagged => one.tags.is_empty(),
        }
}

fn detail(place: &Place, ImageWithTags { image, tags }: ImageWithTags) -> ImageDetail {
    let image_tags: Vec<String> = tags.iter().map(ToString::to_string).collect();
    ImageDetail {
        registry_id: Some(place.registry.to_string()),
        repository_name: Some(place.name.to_string()),
        image_digest: Some(image.digest.to_string()),
        image_tags: (!image_tags.is_empty()).then_some(image_tags),
        image_size_in_bytes: Some(long(image.size_bytes)),
        image_pushed_at: Some(timestamp(image.pushed_at)),
        image_manifest_media_type: Some(image.media_type.to_string()),
        artifact_media_type: image.artifact_type,
        last_recorded_pull_time: image.last_pulled_at.map(timestamp),
        subject_manifest_digest: image.subject.as_ref().map(ToString::to_string),
        image_status: Some(image_status(image.status)),
        last_archived_at: image.archived_at.map(timestamp),
        last_activated_at: image.activated_at.map(timestamp),
        image_scan_status: None,
        image_scan_findings_summary: None,
    }
}

fn referrer(Referrer { image, annotations }: Referrer) -> ImageReferrer {
    ImageReferrer {
        digest: image.digest.to_string(),
        media_type: image.media_type.to_string(),
        artifact_type: image.artifact_type,
        // That of the manifest, as OCI descriptors have it (ecr.md 6.4).
        size: long(image.manifest_size_bytes),
        annotations: (!annotations.is_empty()).then_some(annotations),
        artifact_status: Some(match image.status {
            ImageStatus::Active => ArtifactStatus::Active,
            ImageStatus::Archived => ArtifactStatus::Archived,
            ImageStatus::Activating => ArtifactStatus::Activating,
        }),
    }
}
