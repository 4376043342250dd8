//! Lifecycle policies and their previews (lifecycle.md section 4).
//!
//! What a policy means and which images it acts upon is decided in the domain crate; a preview is
//! evaluated by a worker, never by the request that asks for it.

use roadstead_api_model::ecr::{
    DeleteLifecyclePolicyRequest, DeleteLifecyclePolicyResponse, GetLifecyclePolicyPreviewRequest,
    GetLifecyclePolicyPreviewResponse, GetLifecyclePolicyRequest, GetLifecyclePolicyResponse,
    ImageActionType, LifecyclePolicyPreviewResult, LifecyclePolicyPreviewStatus,
    LifecyclePolicyPreviewSummary, LifecyclePolicyRuleAction, LifecyclePolicyStorageClass,
    LifecyclePolicyTargetStorageClass, PutLifecyclePolicyRequest, PutLifecyclePolicyResponse,
    StartLifecyclePolicyPreviewRequest, StartLifecyclePolicyPreviewResponse,
    TransitioningImageTotalCount,
};
use roadstead_domain::name::RepositoryKey;
use roadstead_domain::time::Timestamp;
use roadstead_registry::access::Authorized;
use roadstead_registry::error::Place;
use roadstead_registry::lifecycle::previews::{Preview, PreviewQuery, PreviewResult, PreviewState};

use super::ids::{image_ids, page_request, tag_status, timestamp};
use crate::aws::Call;
use crate::aws::error::Failure;

pub(in crate::aws) async fn put(
    call: Call<'_>,
    key: Authorized<RepositoryKey>,
    input: PutLifecyclePolicyRequest,
) -> Result<PutLifecyclePolicyResponse, Failure> {
    let Place { name, registry } = Place::from(&*key);
    let text = &input.lifecycle_policy_text;
    let policies = &call.faces.registry;
    let text = policies.put_lifecycle_policy(call.context, key, text);
    Ok(PutLifecyclePolicyResponse {
        lifecycle_policy_text: Some(text.await?),
        registry_id: Some(registry.to_string()),
        repository_name: Some(name.to_string()),
    })
}

pub(in crate::aws) async fn get(
    call: Call<'_>,
    key: Authorized<RepositoryKey>,
    _input: GetLifecyclePolicyRequest,
) -> Result<GetLifecyclePolicyResponse, Failure> {
    let Place { name, registry } = Place::from(&*key);
    let policy = call.faces.registry.lifecycle_policy(key).await?;
    Ok(GetLifecyclePolicyResponse {
        last_evaluated_at: Some(timestamp(policy.evaluated_at)),
        lifecycle_policy_text: Some(policy.text),
        registry_id: Some(registry.to_string()),
        repository_name: Some(name.to_string()),
    })
}

pub(in crate::aws) async fn delete(
    call: Call<'_>,
    key: Authorized<RepositoryKey>,
    _input: DeleteLifecyclePolicyRequest,
) -> Result<DeleteLifecyclePolicyResponse, Failure> {
    let Place { name, registry } = Place::from(&*key);
    let policy = call.faces.registry.delete_lifecycle_policy(key).await?;
    Ok(DeleteLifecyclePolicyResponse {
        last_evaluated_at: Some(timestamp(policy.evaluated_at)),
        lifecycle_policy_text: Some(policy.text),
        registry_id: Some(registry.to_string()),
        repository_name: Some(name.to_string()),
    })
}

pub(in crate::aws) async fn start_preview(
    call: Call<'_>,
    key: Authorized<RepositoryKey>,
    input: StartLifecyclePolicyPreviewRequest,
) -> Result<StartLifecyclePolicyPreviewResponse, Failure> {
    let Place { name, registry } = Place::from(&*key);
    let text = input.lifecycle_policy_text;
    let previews = &call.faces.registry;
    let started = previews.start_preview(call.context, key, text).await?;
    Ok(StartLifecyclePolicyPreviewResponse {
        lifecycle_policy_text: Some(started.text),
        registry_id: Some(registry.to_string()),
        repository_name: Some(name.to_string()),
        status: Some(state(started.state)),
    })
}

pub(in crate::aws) async fn get_preview(
    call: Call<'_>,
    key: Authorized<RepositoryKey>,
    input: GetLifecyclePolicyPreviewRequest,
) -> Result<GetLifecyclePolicyPreviewResponse, Failure> {
    let Place { name, registry } = Place::from(&*key);
    let page = page_request(input.max_results, input.next_token);
    let query = match input.image_ids {
        Some(ids) => {
            page.refuse_beside("imageIds")?;
            PreviewQuery::Images(image_ids(ids))
        }
        None => PreviewQuery::Page(page),
    };
    let wanted = tag_status(input.filter.and_then(|filter| filter.tag_status));
    let previews = &call.faces.registry;
    let preview = previews.preview(call.context, key, query, wanted).await?;
    Ok(GetLifecyclePolicyPreviewResponse {
        summary: Some(summary(&preview)),
        status: Some(state(preview.state)),
        preview_results: Some(preview.results.into_iter().map(result).collect()),
        lifecycle_policy_text: Some(preview.text),
        next_token: preview.next_token,
        registry_id: Some(registry.to_string()),
        repository_name: Some(name.to_string()),
    })
}

fn state(state: PreviewState) -> LifecyclePolicyPreviewStatus {
    match state {
        PreviewState::InProgress => LifecyclePolicyPreviewStatus::InProgress,
        PreviewState::Complete => LifecyclePolicyPreviewStatus::Complete,
        PreviewState::Expired => LifecyclePolicyPreviewStatus::Expired,
        PreviewState::Failed => LifecyclePolicyPreviewStatus::Failed,
    }
}

/// Transitions are told of only where there are any.
fn summary(preview: &Preview) -> LifecyclePolicyPreviewSummary {
    let transitioning = TransitioningImageTotalCount {
        image_total_count: Some(count(preview.transitioning)),
        target_storage_class: Some(LifecyclePolicyTargetStorageClass::Archive),
    };
    LifecyclePolicyPreviewSummary {
        expiring_image_total_count: Some(count(preview.expiring)),
        transitioning_image_total_counts: (preview.transitioning > 0).then(|| vec![transitioning]),
    }
}

fn count(images: u64) -> i32 {
    i32::try_from(images).unwrap_or(i32::MAX)
}

fn result(result: PreviewResult) -> LifecyclePolicyPreviewResult {
    let action = if result.expires {
        LifecyclePolicyRuleAction {
            r#type: Some(ImageActionType::Expire),
            target_storage_class: None,
        }
    } else {
        LifecyclePolicyRuleAction {
            r#type: Some(ImageActionType::Transition),
            target_storage_class: Some(LifecyclePolicyTargetStorageClass::Archive),
        }
    };
    LifecyclePolicyPreviewResult {
        action: Some(action),
        applied_rule_priority: Some(result.rule),
        image_digest: Some(result.digest),
        image_pushed_at: Some(timestamp(Timestamp(result.pushed_at))),
        image_tags: Some(result.tags),
        storage_class: Some(match result.is_archived {
            true => LifecyclePolicyStorageClass::Archive,
            false => LifecyclePolicyStorageClass::Standard,
        }),
    }
}
