//! Who may do what: decided here and nowhere else.
//!
//! Until identity policies arrive, a principal may do everything in its own account and nothing in
//! another. Use cases take [`Authorized`] values, which only this module makes.

pub mod containers;

use std::ops::Deref;

use roadstead_domain::arn::RepositoryArn;
use roadstead_domain::ids::{AccountId, Region};
use roadstead_domain::name::{RepositoryKey, RepositoryKind, RepositoryName};
use roadstead_store::metadata::RegistryKey;

use crate::context::RequestContext;
use crate::error::Error;

/// Proof that the request may do what it is about to do with this.
#[derive(Debug, Clone)]
pub struct Authorized<T>(T);

impl<T> Deref for Authorized<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> Authorized<T> {
    /// The thing itself.
    pub fn into_inner(self) -> T {
        self.0
    }
}

/// Authorises `ecr:<action>` on a private repository of `registry` in the request's region.
pub fn repository(
    context: &RequestContext,
    action: &'static str,
    registry: &AccountId,
    name: RepositoryName,
) -> Result<Authorized<RepositoryKey>, Error> {
    let region = context.region.clone();
    let resource = || {
        let (region, account, name) = (region.clone(), registry.clone(), name.clone());
        RepositoryArn {
            region,
            account,
            name,
        }
        .to_string()
    };
    if context.principal.account() != Some(registry) {
        return Err(denied(context, action, resource()));
    }
    Ok(Authorized(RepositoryKey::private(
        registry.clone(),
        region,
        name,
    )))
}

/// Authorises `ecr:<action>` on a private registry as a whole.
pub fn registry(
    context: &RequestContext,
    action: &'static str,
    registry: &AccountId,
) -> Result<Authorized<RegistryKey>, Error> {
    if context.principal.account() != Some(registry) {
        return Err(denied(context, action, "*".into()));
    }
    let region: Option<Region> = Some(context.region.clone());
    Ok(Authorized(RegistryKey {
        kind: RepositoryKind::Private,
        account: registry.clone(),
        region,
    }))
}

/// Authorises a call on `/v2` that a push of container images makes (lightsail-containers.md 3.1):
/// only to the one repository that they have, and nothing that reads what is there.
pub fn push_containers(
    context: &RequestContext,
    action: &'static str,
    account: &AccountId,
    name: RepositoryName,
) -> Result<Authorized<RepositoryKey>, Error> {
    const PUSH: [&str; 6] = [
        "BatchCheckLayerAvailability",
        "CompleteLayerUpload",
        "DescribeImages",
        "InitiateLayerUpload",
        "PutImage",
        "UploadLayerPart",
    ];
    containers(context, action, &PUSH, account, name)
}

/// Authorises a call on `/v2` by a node that pulls container images.
pub fn pull_containers(
    context: &RequestContext,
    action: &'static str,
    account: &AccountId,
    name: RepositoryName,
) -> Result<Authorized<RepositoryKey>, Error> {
    let pull = ["BatchGetImage", "DescribeImages", "GetDownloadUrlForLayer"];
    containers(context, action, &pull, account, name)
}

fn containers(
    context: &RequestContext,
    action: &'static str,
    allowed: &[&str],
    account: &AccountId,
    name: RepositoryName,
) -> Result<Authorized<RepositoryKey>, Error> {
    let key = RepositoryKey::containers(account.clone(), context.region.clone());
    if key.name == name && allowed.contains(&action) {
        return Ok(Authorized(key));
    }
    Err(Error::AccessDenied(format!(
        "User: {} is not authorized to perform: {action} on resource: {name}",
        context.principal.arn()
    )))
}

/// Whoever owns the stores may do everything: for commands of the operator, never for requests.
pub fn operator(key: RepositoryKey) -> Authorized<RepositoryKey> {
    Authorized(key)
}

/// The sentence of the IAM user guide, "Troubleshoot access denied error messages".
fn denied(context: &RequestContext, action: &str, resource: String) -> Error {
    let arn = context.principal.arn();
    Error::AccessDenied(format!(
        "User: {arn} is not authorized to perform: ecr:{action} on resource: {resource} \
         because no resource-based policy allows the ecr:{action} action"
    ))
}
