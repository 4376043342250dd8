//! The registry as a whole (ecr.md 7.7).
//!
//! Nothing is replicated yet, so the configuration always has no rules.

use roadstead_api_model::ecr::{
    DescribeRegistryRequest, DescribeRegistryResponse, ReplicationConfiguration,
};
use roadstead_registry::access::Authorized;
use roadstead_registry::repositories::RegistryKey;

use crate::aws::Call;
use crate::aws::error::Failure;

pub(in crate::aws) async fn describe(
    _call: Call<'_>,
    registry: Authorized<RegistryKey>,
    _input: DescribeRegistryRequest,
) -> Result<DescribeRegistryResponse, Failure> {
    Ok(DescribeRegistryResponse {
        registry_id: Some(registry.account.to_string()),
        replication_configuration: Some(ReplicationConfiguration { rules: Vec::new() }),
    })
}
