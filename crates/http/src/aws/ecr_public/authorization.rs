//! GetAuthorizationToken (ecr-public.md 3.8): one object, and no address in it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use roadstead_api_model::Sensitive;
use roadstead_api_model::ecr_public::{
    AuthorizationData, GetAuthorizationTokenRequest, GetAuthorizationTokenResponse,
};
use roadstead_registry::access::Authorized;
use roadstead_registry::credentials::Audience;
use roadstead_registry::repositories::RegistryKey;

use crate::aws::Call;
use crate::aws::ecr::ids::timestamp;
use crate::aws::error::Failure;

pub(in crate::aws) async fn token(
    call: Call<'_>,
    _registry: Authorized<RegistryKey>,
    _input: GetAuthorizationTokenRequest,
) -> Result<GetAuthorizationTokenResponse, Failure> {
    let registry = &call.faces.registry;
    let token = registry.issue_token(call.context, Audience::Public);
    let authorization = STANDARD.encode(format!("AWS:{}", token.password));
    Ok(GetAuthorizationTokenResponse {
        authorization_data: Some(AuthorizationData {
            authorization_token: Some(Sensitive(authorization)),
            expires_at: Some(timestamp(token.expires_at)),
        }),
    })
}
