//! Public repositories (ecr-public.md 3.1).

use roadstead_api_model::ecr_public::{
    CreateRepositoryRequest, CreateRepositoryResponse, DeleteRepositoryRequest,
    DeleteRepositoryResponse, DescribeRepositoriesRequest, DescribeRepositoriesResponse,
    Repository as RepositoryShape,
};
use roadstead_domain::name::RepositoryKey;
use roadstead_domain::public::arn::PublicRepositoryArn;
use roadstead_registry::access::Authorized;
use roadstead_registry::public::PublicAddress;
use roadstead_registry::repositories::{RegistryKey, Repository};

use super::{catalog_data, resource_tags};
use crate::aws::Call;
use crate::aws::ecr::ids::{page_request, timestamp};
use crate::aws::error::Failure;
use crate::host;

pub(in crate::aws) async fn create(
    call: Call<'_>,
    key: Authorized<RepositoryKey>,
    input: CreateRepositoryRequest,
) -> Result<CreateRepositoryResponse, Failure> {
    let tags = resource_tags::tags(input.tags.unwrap_or_default());
    let catalog = input.catalog_data.map(catalog_data::catalog);
    let registry = &call.faces.registry;
    let made = registry
        .create_public_repository(call.context, key, tags, catalog)
        .await?;
    let (made, data) = made;
    let address = registry.public_address(&made.key.account).await?;
    let catalog_data = catalog_data::shape(call, &address.registry_id, data);
    Ok(CreateRepositoryResponse {
        repository: Some(shape(call, &address, made)),
        catalog_data: Some(catalog_data),
    })
}

pub(in crate::aws) async fn describe(
    call: Call<'_>,
    registry: Authorized<RegistryKey>,
    input: DescribeRepositoriesRequest,
) -> Result<DescribeRepositoriesResponse, Failure> {
    let page = page_request(input.max_results, input.next_token);
    let address = call
        .faces
        .registry
        .public_address(&registry.account)
        .await?;
    let registries = &call.faces.registry;
    let found = registries
        .describe_repositories(registry, input.repository_names, &page)
        .await?;
    let shapes = found
        .entries
        .into_iter()
        .map(|one| shape(call, &address, one));
    Ok(DescribeRepositoriesResponse {
        repositories: Some(shapes.collect()),
        next_token: found.next_token,
    })
}

pub(in crate::aws) async fn delete(
    call: Call<'_>,
    key: Authorized<RepositoryKey>,
    input: DeleteRepositoryRequest,
) -> Result<DeleteRepositoryResponse, Failure> {
    let force = input.force.unwrap_or_default();
    let registry = &call.faces.registry;
    let deleted = registry.delete_repository(call.context, key, force).await?;
    let address = registry.public_address(&deleted.key.account).await?;
    Ok(DeleteRepositoryResponse {
        repository: Some(shape(call, &address, deleted)),
    })
}

fn shape(call: Call<'_>, address: &PublicAddress, repository: Repository) -> RepositoryShape {
    let RepositoryKey { account, name, .. } = repository.key;
    let host = host::public_address(&call.faces.settings, &call.arrived.arrival);
    let uri = address
        .primary()
        .map(|alias| format!("{host}/{alias}/{name}"));
    let arn = PublicRepositoryArn {
        account: account.clone(),
        name: name.clone(),
    };
    RepositoryShape {
        created_at: Some(timestamp(repository.created_at)),
        registry_id: Some(account.to_string()),
        repository_arn: Some(arn.to_string()),
        repository_name: Some(name.to_string()),
        repository_uri: uri,
    }
}
