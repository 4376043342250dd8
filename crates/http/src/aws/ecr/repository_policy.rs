//! Policies of repositories (ecr.md 7.1, ecr-public.md 3.6), in both services.

use roadstead_api_model::ecr::{
    DeleteRepositoryPolicyRequest, DeleteRepositoryPolicyResponse, GetRepositoryPolicyRequest,
    GetRepositoryPolicyResponse, SetRepositoryPolicyRequest, SetRepositoryPolicyResponse,
};
use roadstead_domain::name::RepositoryKey;
use roadstead_registry::access::Authorized;
use roadstead_registry::error::Place;

use crate::aws::Call;
use crate::aws::error::Failure;

pub(in crate::aws) async fn set(
    call: Call<'_>,
    key: Authorized<RepositoryKey>,
    input: SetRepositoryPolicyRequest,
) -> Result<SetRepositoryPolicyResponse, Failure> {
    let Place { name, registry } = Place::from(&*key);
    let force = input.force.unwrap_or_default();
    let setting =
        call.faces
            .registry
            .set_repository_policy(call.context, key, input.policy_text, force);
    let policy_text = setting.await?;
    Ok(SetRepositoryPolicyResponse {
        policy_text: Some(policy_text),
        registry_id: Some(registry.to_string()),
        repository_name: Some(name.to_string()),
    })
}

pub(in crate::aws) async fn get(
    call: Call<'_>,
    key: Authorized<RepositoryKey>,
    _input: GetRepositoryPolicyRequest,
) -> Result<GetRepositoryPolicyResponse, Failure> {
    let Place { name, registry } = Place::from(&*key);
    let policy_text = call.faces.registry.repository_policy(key).await?;
    Ok(GetRepositoryPolicyResponse {
        policy_text: Some(policy_text),
        registry_id: Some(registry.to_string()),
        repository_name: Some(name.to_string()),
    })
}

pub(in crate::aws) async fn delete(
    call: Call<'_>,
    key: Authorized<RepositoryKey>,
    _input: DeleteRepositoryPolicyRequest,
) -> Result<DeleteRepositoryPolicyResponse, Failure> {
    let Place { name, registry } = Place::from(&*key);
    let policy_text = call.faces.registry.delete_repository_policy(key).await?;
    Ok(DeleteRepositoryPolicyResponse {
        policy_text: Some(policy_text),
        registry_id: Some(registry.to_string()),
        repository_name: Some(name.to_string()),
    })
}
