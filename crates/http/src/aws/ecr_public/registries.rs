//! DescribeRegistries (ecr-public.md 3.2): the caller's own registry, on one page.

use roadstead_api_model::ecr_public::{
    DescribeRegistriesRequest, DescribeRegistriesResponse, Registry, RegistryAlias,
    RegistryAliasStatus,
};
use roadstead_domain::public::alias::Alias;
use roadstead_domain::public::arn::registry_arn;
use roadstead_registry::access::Authorized;
use roadstead_registry::error::Error;
use roadstead_registry::repositories::RegistryKey;

use crate::aws::Call;
use crate::aws::error::Failure;
use crate::host;

pub(in crate::aws) async fn describe(
    call: Call<'_>,
    registry: Authorized<RegistryKey>,
    input: DescribeRegistriesRequest,
) -> Result<DescribeRegistriesResponse, Failure> {
    // One entry has no second page, so nobody was ever given a token.
    if input.next_token.is_some() {
        return Err(Error::invalid("nextToken", "Invalid token").into());
    }
    let address = call
        .faces
        .registry
        .public_address(&registry.account)
        .await?;
    let host = host::public_address(&call.faces.settings, &call.arrived.arrival);
    let uri = address.primary().map(|alias| format!("{host}/{alias}"));
    let registry = Registry {
        registry_arn: registry_arn(&registry.account),
        registry_id: registry.account.to_string(),
        registry_uri: uri.unwrap_or_default(),
        // Nobody verifies accounts here.
        verified: false,
        aliases: address.aliases.into_iter().map(alias).collect(),
    };
    Ok(DescribeRegistriesResponse {
        registries: vec![registry],
        next_token: None,
    })
}

fn alias(alias: Alias) -> RegistryAlias {
    RegistryAlias {
        name: alias.name.to_string(),
        status: RegistryAliasStatus::Active,
        primary_registry_alias: alias.is_primary,
        default_registry_alias: alias.is_default,
    }
}
