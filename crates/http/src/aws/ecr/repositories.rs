//! Repositories and their tag mutability (ecr.md section 3).
//!
//! Scanning settings are stored and echoed; encryption is always the server's own.

use roadstead_api_model::ecr::{
    CreateRepositoryRequest, CreateRepositoryResponse, DeleteRepositoryRequest,
    DeleteRepositoryResponse, DescribeRepositoriesRequest, DescribeRepositoriesResponse,
    EncryptionConfiguration, EncryptionType, ImageScanningConfiguration, ImageTagMutability,
    ImageTagMutabilityExclusionFilter, ImageTagMutabilityExclusionFilterType,
    PutImageTagMutabilityRequest, PutImageTagMutabilityResponse, Repository as RepositoryShape,
};
use roadstead_domain::arn::RepositoryArn;
use roadstead_domain::name::RepositoryKey;
use roadstead_domain::tagging::{ExclusionFilter, MutabilityMode, TagMutability};
use roadstead_registry::access::Authorized;
use roadstead_registry::error::Error;
use roadstead_registry::repositories::{RegistryKey, Repository, RepositorySettings};

use super::ids::{page_request, timestamp};
use super::resource_tags;
use crate::aws::Call;
use crate::aws::error::Failure;
use crate::host;

pub(in crate::aws) async fn create(
    call: Call<'_>,
    key: Authorized<RepositoryKey>,
    input: CreateRepositoryRequest,
) -> Result<CreateRepositoryResponse, Failure> {
    check_encryption(input.encryption_configuration)?;
    let mode = input
        .image_tag_mutability
        .unwrap_or(ImageTagMutability::Mutable);
    let filters = input.image_tag_mutability_exclusion_filters;
    let scanning = input.image_scanning_configuration.unwrap_or_default();
    let settings = RepositorySettings {
        tag_mutability: tag_mutability(mode, filters)?,
        scan_on_push: scanning.scan_on_push.unwrap_or_default(),
        resource_tags: resource_tags::tags(input.tags.unwrap_or_default()),
    };
    let registry = &call.faces.registry;
    let made = registry
        .create_repository(call.context, key, settings)
        .await?;
    Ok(CreateRepositoryResponse {
        repository: Some(shape(call, made)),
    })
}

/// Only the server's own encryption exists: anything else is refused rather than pretended.
fn check_encryption(sent: Option<EncryptionConfiguration>) -> Result<(), Error> {
    let Some(sent) = sent else { return Ok(()) };
    let refuse = |why: &str| Err(Error::invalid("encryptionConfiguration", why));
    match (sent.encryption_type, sent.kms_key) {
        (EncryptionType::Aes256, None) => Ok(()),
        (EncryptionType::Aes256, Some(_)) => refuse("kmsKey needs an encryption type of KMS"),
        (EncryptionType::Kms | EncryptionType::KmsDsse, _) => {
            refuse("This server has no key management service: only AES256 is offered")
        }
    }
}

pub(in crate::aws) async fn describe(
    call: Call<'_>,
    registry: Authorized<RegistryKey>,
    input: DescribeRepositoriesRequest,
) -> Result<DescribeRepositoriesResponse, Failure> {
    let page = page_request(input.max_results, input.next_token);
    let registries = &call.faces.registry;
    let found = registries
        .describe_repositories(registry, input.repository_names, &page)
        .await?;
    Ok(DescribeRepositoriesResponse {
        repositories: Some(
            found
                .entries
                .into_iter()
                .map(|one| shape(call, one))
                .collect(),
        ),
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
    Ok(DeleteRepositoryResponse {
        repository: Some(shape(call, deleted)),
    })
}

pub(in crate::aws) async fn put_tag_mutability(
    call: Call<'_>,
    key: Authorized<RepositoryKey>,
    input: PutImageTagMutabilityRequest,
) -> Result<PutImageTagMutabilityResponse, Failure> {
    let filters = input.image_tag_mutability_exclusion_filters;
    let setting = tag_mutability(input.image_tag_mutability, filters)?;
    let answer = PutImageTagMutabilityResponse {
        registry_id: Some(key.account.to_string()),
        repository_name: Some(key.name.to_string()),
        image_tag_mutability: Some(mode_shape(setting.mode)),
        image_tag_mutability_exclusion_filters: filter_shapes(&setting),
    };
    let registry = &call.faces.registry;
    registry.put_tag_mutability(key, setting).await?;
    Ok(answer)
}

fn tag_mutability(
    mode: ImageTagMutability,
    filters: Option<Vec<ImageTagMutabilityExclusionFilter>>,
) -> Result<TagMutability, Error> {
    let mode = match mode {
        ImageTagMutability::Mutable => MutabilityMode::Mutable,
        ImageTagMutability::Immutable => MutabilityMode::Immutable,
        ImageTagMutability::ImmutableWithExclusion => MutabilityMode::ImmutableWithExclusion,
        ImageTagMutability::MutableWithExclusion => MutabilityMode::MutableWithExclusion,
    };
    let filters = filters.unwrap_or_default();
    let parsed = filters
        .iter()
        .map(|one| ExclusionFilter::parse(&one.filter));
    let parsed = parsed.collect::<Result<Vec<_>, _>>();
    parsed
        .and_then(|filters| TagMutability::checked(mode, filters))
        .map_err(|why| Error::invalid("imageTagMutabilityExclusionFilters", why.to_string()))
}

fn mode_shape(mode: MutabilityMode) -> ImageTagMutability {
    match mode {
        MutabilityMode::Mutable => ImageTagMutability::Mutable,
        MutabilityMode::Immutable => ImageTagMutability::Immutable,
        MutabilityMode::ImmutableWithExclusion => ImageTagMutability::ImmutableWithExclusion,
        MutabilityMode::MutableWithExclusion => ImageTagMutability::MutableWithExclusion,
    }
}

/// Present only where there are any (ecr.md 3.1).
fn filter_shapes(setting: &TagMutability) -> Option<Vec<ImageTagMutabilityExclusionFilter>> {
    let shape = |filter: &ExclusionFilter| ImageTagMutabilityExclusionFilter {
        filter_type: ImageTagMutabilityExclusionFilterType::Wildcard,
        filter: filter.as_str().to_owned(),
    };
    let shapes: Vec<_> = setting.filters.iter().map(shape).collect();
    (!shapes.is_empty()).then_some(shapes)
}

fn shape(call: Call<'_>, repository: Repository) -> RepositoryShape {
    let RepositoryKey {
        account,
        region,
        name,
        ..
    } = repository.key;
    let region = region.unwrap_or_else(|| call.context.region.clone());
    let address = host::address(
        &call.faces.settings,
        &call.arrived.arrival,
        call.account,
        &account,
        &region,
    );
    let arn = RepositoryArn {
        region,
        account: account.clone(),
        name: name.clone(),
    };
    RepositoryShape {
        repository_arn: Some(arn.to_string()),
        registry_id: Some(account.to_string()),
        repository_uri: Some(format!("{}/{name}", address.authority)),
        repository_name: Some(name.to_string()),
        created_at: Some(timestamp(repository.created_at)),
        image_tag_mutability: Some(mode_shape(repository.tag_mutability.mode)),
        image_tag_mutability_exclusion_filters: filter_shapes(&repository.tag_mutability),
        image_scanning_configuration: Some(ImageScanningConfiguration {
            scan_on_push: Some(repository.scan_on_push),
        }),
        encryption_configuration: Some(EncryptionConfiguration {
            encryption_type: EncryptionType::Aes256,
            kms_key: None,
        }),
    }
}
