//! Which resource a call is about, asked of the access rules before its members are checked.
//!
//! Where the resource cannot be named, the registry as a whole stands for it (design decision 11).
//! Who may do what is decided in the registry crate, not here.

use roadstead_api_model::Operation;
use roadstead_domain::arn::RepositoryArn;
use roadstead_domain::ids::AccountId;
use roadstead_domain::name::{RepositoryKey, RepositoryName};
use roadstead_registry::access::{self, Authorized};
use roadstead_registry::error::Error;
use roadstead_registry::repositories::RegistryKey;
use serde_json::Value;

use super::Call;

/// The repository that `repositoryName` and `registryId` name; none if they name none.
pub(super) fn repository(
    call: Call<'_>,
    body: &Value,
) -> Result<Option<Authorized<RepositoryKey>>, Error> {
    let account = account(call, body);
    let name = text(body, "repositoryName").and_then(|name| RepositoryName::parse(name).ok());
    repository_or_registry(call, &account, name)
}

/// The repository of this region that `resourceArn` names; none if it names none.
pub(super) fn resource(
    call: Call<'_>,
    body: &Value,
) -> Result<Option<Authorized<RepositoryKey>>, Error> {
    let arn = text(body, "resourceArn").and_then(|arn| RepositoryArn::parse(arn).ok());
    let Some(arn) = arn else {
        return repository_or_registry(call, &call.context.principal.account, None);
    };
    let name = (arn.region == call.context.region).then_some(arn.name);
    repository_or_registry(call, &arn.account, name)
}

/// The registry that `registryId` names, the caller's own if none.
pub(super) fn registry(call: Call<'_>, body: &Value) -> Result<Authorized<RegistryKey>, Error> {
    access::registry(call.context, action(call.operation), &account(call, body))
}

fn repository_or_registry(
    call: Call<'_>,
    account: &AccountId,
    name: Option<RepositoryName>,
) -> Result<Option<Authorized<RepositoryKey>>, Error> {
    let action = action(call.operation);
    match name {
        Some(name) => access::repository(call.context, action, account, name).map(Some),
        None => access::registry(call.context, action, account).map(|_| None),
    }
}

fn account(call: Call<'_>, body: &Value) -> AccountId {
    let sent = text(body, "registryId").and_then(|id| AccountId::parse(id).ok());
    sent.unwrap_or_else(|| call.context.principal.account.clone())
}

fn text<'a>(body: &'a Value, member: &str) -> Option<&'a str> {
    body.get(member)?.as_str()
}

/// The action of the operation: its own name, but for referrers (ecr.md 6.4).
fn action(operation: Operation) -> &'static str {
    match operation {
        Operation::EcrListImageReferrers => "BatchGetImage",
        other => other.name(),
    }
}
