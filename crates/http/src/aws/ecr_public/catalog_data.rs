//! Catalog data of repositories and of the registry (ecr-public.md 3.2).

use bytes::Bytes;
use roadstead_api_model::Blob;
use roadstead_api_model::ecr_public::{
    GetRegistryCatalogDataRequest, GetRegistryCatalogDataResponse, GetRepositoryCatalogDataRequest,
    GetRepositoryCatalogDataResponse, PutRegistryCatalogDataRequest,
    PutRegistryCatalogDataResponse, PutRepositoryCatalogDataRequest,
    PutRepositoryCatalogDataResponse, RegistryCatalogData, RepositoryCatalogData,
    RepositoryCatalogDataInput,
};
use roadstead_domain::name::RepositoryKey;
use roadstead_domain::public::catalog_data::CatalogData;
use roadstead_registry::access::Authorized;
use roadstead_registry::public::{CatalogInput, LogoInput};
use roadstead_registry::repositories::RegistryKey;

use crate::aws::Call;
use crate::aws::error::Failure;
use crate::{host, logos};

pub(in crate::aws) async fn get(
    call: Call<'_>,
    key: Authorized<RepositoryKey>,
    _input: GetRepositoryCatalogDataRequest,
) -> Result<GetRepositoryCatalogDataResponse, Failure> {
    let account = key.account.clone();
    let data = call.faces.registry.catalog_data(key).await?;
    let registry = call.faces.registry.public_address(&account).await?;
    Ok(GetRepositoryCatalogDataResponse {
        catalog_data: Some(shape(call, &registry.registry_id, data)),
    })
}

pub(in crate::aws) async fn put(
    call: Call<'_>,
    key: Authorized<RepositoryKey>,
    input: PutRepositoryCatalogDataRequest,
) -> Result<PutRepositoryCatalogDataResponse, Failure> {
    let account = key.account.clone();
    let registry = &call.faces.registry;
    let given = catalog(input.catalog_data);
    let data = registry.put_catalog_data(key, given).await?;
    let address = registry.public_address(&account).await?;
    Ok(PutRepositoryCatalogDataResponse {
        catalog_data: Some(shape(call, &address.registry_id, data)),
    })
}

pub(in crate::aws) async fn get_registry(
    call: Call<'_>,
    registry: Authorized<RegistryKey>,
    _input: GetRegistryCatalogDataRequest,
) -> Result<GetRegistryCatalogDataResponse, Failure> {
    let display_name = call.faces.registry.display_name(registry).await?;
    Ok(GetRegistryCatalogDataResponse {
        registry_catalog_data: RegistryCatalogData { display_name },
    })
}

pub(in crate::aws) async fn put_registry(
    call: Call<'_>,
    registry: Authorized<RegistryKey>,
    input: PutRegistryCatalogDataRequest,
) -> Result<PutRegistryCatalogDataResponse, Failure> {
    let display_name = input.display_name;
    let putting = call
        .faces
        .registry
        .put_display_name(registry, display_name.clone());
    putting.await?;
    Ok(PutRegistryCatalogDataResponse {
        registry_catalog_data: RegistryCatalogData { display_name },
    })
}

pub(super) fn catalog(shape: RepositoryCatalogDataInput) -> CatalogInput {
    let logo = match shape.logo_image_blob {
        None => LogoInput::Keep,
        Some(Blob(bytes)) if bytes.is_empty() => LogoInput::Drop,
        Some(Blob(bytes)) => LogoInput::Put(Bytes::from(bytes)),
    };
    let data = CatalogData {
        description: shape.description,
        architectures: shape.architectures.unwrap_or_default(),
        operating_systems: shape.operating_systems.unwrap_or_default(),
        about_text: shape.about_text,
        usage_text: shape.usage_text,
        logo: None,
    };
    CatalogInput { data, logo }
}

pub(super) fn shape(call: Call<'_>, registry_id: &str, data: CatalogData) -> RepositoryCatalogData {
    let origin = host::public_origin(&call.faces.settings, &call.arrived.arrival);
    let listed = |values: Vec<String>| (!values.is_empty()).then_some(values);
    RepositoryCatalogData {
        about_text: data.about_text,
        architectures: listed(data.architectures),
        description: data.description,
        logo_url: data
            .logo
            .map(|logo| format!("{origin}{}{registry_id}/{logo}.png", logos::PREFIX)),
        marketplace_certified: None,
        operating_systems: listed(data.operating_systems),
        usage_text: data.usage_text,
    }
}
