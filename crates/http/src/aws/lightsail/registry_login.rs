//! What `lightsailctl` asks before it pushes (section 3).

use std::collections::BTreeMap;

use roadstead_api_model::Sensitive;
use roadstead_api_model::lightsail::{
    ContainerServiceRegistryLogin, CreateContainerServiceRegistryLoginRequest,
    CreateContainerServiceRegistryLoginResult, GetContainerAPIMetadataRequest,
    GetContainerAPIMetadataResult,
};
use roadstead_registry::access::Authorized;
use roadstead_registry::access::containers::ContainersKey;

use super::shapes;
use crate::aws::Call;
use crate::aws::error::Failure;
use crate::host;

/// The newest `lightsailctl` that we know: an older one tells its user of an update.
const LIGHTSAILCTL_VERSION: &str = "1.0.8";

/// The registry is the bare host that the caller used: the client appends `/sr` and a tag.
pub(in crate::aws) async fn create(
    call: Call<'_>,
    key: Authorized<ContainersKey>,
    _input: CreateContainerServiceRegistryLoginRequest,
) -> Result<CreateContainerServiceRegistryLoginResult, Failure> {
    let registry = &call.faces.registry;
    let token = registry.container_registry_login(call.context, key).await?;
    Ok(CreateContainerServiceRegistryLoginResult {
        registry_login: Some(ContainerServiceRegistryLogin {
            expires_at: Some(shapes::timestamp(token.expires_at)),
            password: Some(Sensitive(token.password)),
            registry: Some(host::private_authority(
                &call.faces.settings,
                &call.arrived.arrival,
            )),
            username: Some("AWS".into()),
        }),
    })
}

pub(in crate::aws) async fn metadata(
    _call: Call<'_>,
    _key: Authorized<ContainersKey>,
    _input: GetContainerAPIMetadataRequest,
) -> Result<GetContainerAPIMetadataResult, Failure> {
    let entry = [
        ("name", "lightsailctlVersion"),
        ("value", LIGHTSAILCTL_VERSION),
    ];
    let entry: BTreeMap<String, String> = entry
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    Ok(GetContainerAPIMetadataResult {
        metadata: Some(vec![entry]),
    })
}
