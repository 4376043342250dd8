//! Who may do what with Lightsail container services (lightsail-containers.md section 15).
//!
//! A service is a resource by the id in its ARN; before it is looked up, any of the account's
//! stands for it. Calls about none in particular are authorised on `*`.

use roadstead_domain::ids::{AccountId, Region};
use roadstead_domain::lightsail::names::ServiceName;
use roadstead_domain::name::RepositoryKey;

use super::Authorized;
use crate::context::RequestContext;
use crate::error::Error;

/// The container services of an account in a region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainersKey {
    /// The account.
    pub account: AccountId,
    /// The region.
    pub region: Region,
}

impl ContainersKey {
    /// The repository that holds their images.
    pub fn repository(&self) -> RepositoryKey {
        RepositoryKey::containers(self.account.clone(), self.region.clone())
    }
}

/// One container service by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerServiceKey {
    /// Where it is.
    pub place: ContainersKey,
    /// Its name there.
    pub name: ServiceName,
}

/// Authorises `lightsail:<action>` on the caller's container services as a whole.
pub fn services(
    context: &RequestContext,
    action: &'static str,
) -> Result<Authorized<ContainersKey>, Error> {
    place(context, action, "*").map(Authorized)
}

/// Authorises `lightsail:<action>` on a container service of the caller's account.
pub fn service(
    context: &RequestContext,
    action: &'static str,
    name: ServiceName,
) -> Result<Authorized<ContainerServiceKey>, Error> {
    let place = place(context, action, "a container service")?;
    Ok(Authorized(ContainerServiceKey { place, name }))
}

/// A principal of an account may do everything in it; nobody in particular may do nothing.
fn place(
    context: &RequestContext,
    action: &'static str,
    resource: &str,
) -> Result<ContainersKey, Error> {
    let Some(account) = context.principal.account() else {
        return Err(Error::AccessDenied(format!(
            "User: {} is not authorized to perform: lightsail:{action} on resource: {resource}",
            context.principal.arn()
        )));
    };
    Ok(ContainersKey {
        account: account.clone(),
        region: context.region.clone(),
    })
}
