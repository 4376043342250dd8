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

/// A repository that may be used, or why the request names none: an error that the constraints
/// of its members come before.
pub(super) type Named = Result<Authorized<RepositoryKey>, Error>;

/// The repository that `repositoryName` names.
pub(super) fn by_name(call: Call<'_>, body: &Value) -> Result<Named, Error> {
    let name = text(body, "repositoryName").and_then(|name| RepositoryName::parse(name).ok());
    let nameless = || Error::invalid("repositoryName", "Invalid repository name");
    repository_or_registry(call, &account(call, body), name, nameless)
}

/// The repository that `resourceArn` names. An ARN of another region names nothing here (ecr.md
/// 3.5).
pub(super) fn by_arn(call: Call<'_>, body: &Value) -> Result<Named, Error> {
    let arn = text(body, "resourceArn").and_then(|arn| RepositoryArn::parse(arn).ok());
    let (account, name) = match arn {
        Some(arn) if arn.region == call.context.region => (arn.account, Some(arn.name)),
        Some(arn) => (arn.account, None),
        None => (call.account.clone(), None),
    };
    let nameless = || Error::invalid("resourceArn", "Invalid ARN");
    repository_or_registry(call, &account, name, nameless)
}

/// The registry that `registryId` names, the caller's own if none.
pub(super) fn registry(call: Call<'_>, body: &Value) -> Result<Authorized<RegistryKey>, Error> {
    access::registry(call.context, action(call.operation), &account(call, body))
}

fn repository_or_registry(
    call: Call<'_>,
    account: &AccountId,
    name: Option<RepositoryName>,
    nameless: impl Fn() -> Error,
) -> Result<Named, Error> {
    let action = action(call.operation);
    match name {
        Some(name) => access::repository(call.context, action, account, name).map(Ok),
        None => access::registry(call.context, action, account).map(|_| Err(nameless())),
    }
}

fn account(call: Call<'_>, body: &Value) -> AccountId {
    let sent = text(body, "registryId").and_then(|id| AccountId::parse(id).ok());
    sent.unwrap_or_else(|| call.account.clone())
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
