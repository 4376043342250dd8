//! GetAuthorizationToken (ecr.md section 8).
//!
//! The token speaks for the caller wherever it is shown; the registries named only choose the
//! addresses in the answer.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use roadstead_api_model::Sensitive;
use roadstead_api_model::ecr::{
    AuthorizationData, GetAuthorizationTokenRequest, GetAuthorizationTokenResponse,
};
use roadstead_domain::ids::AccountId;
use roadstead_registry::access::Authorized;
use roadstead_registry::credentials::Audience;
use roadstead_registry::error::Error;
use roadstead_registry::repositories::RegistryKey;

use super::ids::timestamp;
use crate::aws::Call;
use crate::aws::error::Failure;
use crate::host;

pub(in crate::aws) async fn token(
    call: Call<'_>,
    registry: Authorized<RegistryKey>,
    input: GetAuthorizationTokenRequest,
) -> Result<GetAuthorizationTokenResponse, Failure> {
    let accounts = match input.registry_ids {
        None => vec![registry.account.clone()],
        Some(ids) => ids
            .iter()
            .map(|id| AccountId::parse(id))
            .collect::<Result<_, _>>()
            .map_err(|why| Error::invalid("registryIds", why.to_string()))?,
    };
    let authorization_data = accounts.iter().map(|account| entry(call, account));
    Ok(GetAuthorizationTokenResponse {
        authorization_data: Some(authorization_data.collect()),
    })
}

fn entry(call: Call<'_>, account: &AccountId) -> AuthorizationData {
    let Call {
        faces,
        arrived,
        context,
        account: caller,
        ..
    } = call;
    let token = faces.registry.issue_token(context, Audience::Private);
    let (settings, arrival) = (&faces.settings, &arrived.arrival);
    let address = host::address(settings, arrival, caller, account, &context.region);
    let authorization = STANDARD.encode(format!("AWS:{}", token.password));
    AuthorizationData {
        authorization_token: Some(Sensitive(authorization)),
        expires_at: Some(timestamp(token.expires_at)),
        proxy_endpoint: Some(address.endpoint()),
    }
}
