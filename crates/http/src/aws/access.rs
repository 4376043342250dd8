//! Which resource a call is about, asked of the access rules before its members are checked.
//!
//! Where the resource cannot be named, the registry as a whole stands for it (design decision 11).
//! Who may do what is decided in the registry crate, not here.

use roadstead_api_model::{Operation, Service};
use roadstead_domain::arn::RepositoryArn;
use roadstead_domain::ids::AccountId;
use roadstead_domain::name::{RepositoryKey, RepositoryName};
use roadstead_domain::public::alias::RegistryAlias;
use roadstead_domain::public::arn::PublicRepositoryArn;
use roadstead_registry::access::{self, Authorized};
use roadstead_registry::error::Error;
use roadstead_registry::repositories::RegistryKey;
use serde_json::Value;

use super::Call;

/// A repository that may be used, or why the request names none: an error that the constraints
/// of its members come before.
pub(super) type Named = Result<Authorized<RepositoryKey>, Error>;

/// How a request names a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// By `repositoryName`, and `registryId` if it is not the caller's own.
    Name,
    /// By `resourceArn`.
    Arn,
}

/// The repository that a request names.
pub(super) async fn repository(call: Call<'_>, body: &Value, by: By) -> Result<Named, Error> {
    let (account, key) = match by {
        By::Name => {
            let name =
                text(body, "repositoryName").and_then(|name| RepositoryName::parse(name).ok());
            let nameless = || Error::invalid("repositoryName", "Invalid repository name");
            match registry_of(call, body).await? {
                Ok(account) => (
                    account.clone(),
                    key(call, account, name).ok_or_else(nameless),
                ),
                Err(unknown) => (call.account.clone(), Err(unknown)),
            }
        }
        By::Arn => by_arn(call, body),
    };
    match key {
        Ok(key) => {
            let authorizing = call
                .faces
                .registry
                .authorize(call.context, action(call), key);
            authorizing.await.map(Ok)
        }
        Err(nameless) => of_registry(call, &account).map(|_| Err(nameless)),
    }
}

/// The registry that `registryId` names, the caller's own if none.
pub(super) async fn registry(
    call: Call<'_>,
    body: &Value,
) -> Result<Authorized<RegistryKey>, Error> {
    let account = registry_of(call, body).await?;
    of_registry(call, account.as_ref().unwrap_or(call.account))
}

fn of_registry(call: Call<'_>, account: &AccountId) -> Result<Authorized<RegistryKey>, Error> {
    let action = action(call);
    match call.operation.service() {
        Service::EcrPublic => access::public_registry(call.context, action, account),
        Service::Ecr | Service::Lightsail => access::registry(call.context, action, account),
    }
}

fn key(call: Call<'_>, account: AccountId, name: Option<RepositoryName>) -> Option<RepositoryKey> {
    let name = name?;
    Some(match call.operation.service() {
        Service::EcrPublic => RepositoryKey::public(account, name),
        Service::Ecr | Service::Lightsail => {
            RepositoryKey::private(account, call.context.region.clone(), name)
        }
    })
}

/// The account in an ARN and its repository. An ARN of another region names nothing here (ecr.md
/// 3.5).
fn by_arn(call: Call<'_>, body: &Value) -> (AccountId, Result<RepositoryKey, Error>) {
    let sent = text(body, "resourceArn").unwrap_or_default();
    let nameless = || Error::invalid("resourceArn", "Invalid ARN");
    if call.operation.service() == Service::EcrPublic {
        return match PublicRepositoryArn::parse(sent) {
            Ok(PublicRepositoryArn { account, name }) => {
                (account.clone(), Ok(RepositoryKey::public(account, name)))
            }
            Err(_) => (call.account.clone(), Err(nameless())),
        };
    }
    match RepositoryArn::parse(sent) {
        Ok(arn) if arn.region == call.context.region => {
            let RepositoryArn {
                account,
                region,
                name,
            } = arn;
            let key = RepositoryKey::private(account.clone(), region, name);
            (account, Ok(key))
        }
        Ok(arn) => (arn.account, Err(nameless())),
        Err(_) => (call.account.clone(), Err(nameless())),
    }
}

/// The account that `registryId` names; six operations of ECR Public take an alias too
/// (ecr-public.md section 2), which may name nothing.
async fn registry_of(call: Call<'_>, body: &Value) -> Result<Result<AccountId, Error>, Error> {
    let Some(sent) = text(body, "registryId") else {
        return Ok(Ok(call.account.clone()));
    };
    if let Ok(account) = AccountId::parse(sent) {
        return Ok(Ok(account));
    }
    let is_public = call.operation.service() == Service::EcrPublic;
    let Some(alias) = RegistryAlias::parse(sent).ok().filter(|_| is_public) else {
        return Ok(Ok(call.account.clone()));
    };
    let owner = call.faces.registry.alias_owner(alias).await?;
    Ok(owner.ok_or_else(|| unknown_registry(call.operation, sent, body)))
}

/// In the words that the operation has for it.
fn unknown_registry(operation: Operation, registry: &str, body: &Value) -> Error {
    let registry = registry.to_owned();
    if operation.errors().contains(&"RegistryNotFoundException") {
        return Error::RegistryNotFound(registry);
    }
    let name = text(body, "repositoryName").unwrap_or_default().to_owned();
    Error::RepositoryOfNoRegistry { name, registry }
}

fn text<'a>(body: &'a Value, member: &str) -> Option<&'a str> {
    body.get(member)?.as_str()
}

/// The action of the operation: its own name, but for referrers (ecr.md 6.4).
fn action(call: Call<'_>) -> &'static str {
    match call.operation {
        Operation::EcrListImageReferrers => "BatchGetImage",
        other => other.name(),
    }
}
