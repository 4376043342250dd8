//! `privateRegistryAccess`: the role with which a service pulls from private ECR repositories.
//!
//! The repository's own policy has to allow the role; that is evaluated where policies are. Here:
//! switching the role on and off, and which references name a private repository at all.

use super::addresses::{RoleId, puller_role_arn};
use super::names::ServiceName;
use crate::ids::{AccountId, Region};
use crate::name::RepositoryName;
use crate::reference::Reference;

/// The ECR image puller role of a service; inactive unless it has an id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RegistryAccess {
    /// The id of the active role.
    pub role: Option<RoleId>,
}

impl RegistryAccess {
    /// The access after a request. `fresh` names the role if one has to be made: a role that is
    /// active stays, one that is switched off never comes back, so that old policies dangle.
    #[must_use]
    pub fn after(&self, is_active: Option<bool>, fresh: RoleId) -> Self {
        let role = match is_active {
            None => self.role.clone(),
            Some(false) => None,
            Some(true) => self.role.clone().or(Some(fresh)),
        };
        Self { role }
    }

    /// `isActive`.
    pub fn is_active(&self) -> bool {
        self.role.is_some()
    }

    /// `principalArn`; empty unless the role is active.
    pub fn principal_arn(
        &self,
        lightsail: &AccountId,
        region: &Region,
        service: &ServiceName,
    ) -> String {
        self.role.as_ref().map_or_else(String::new, |id| {
            puller_role_arn(lightsail, region, service, id)
        })
    }
}

/// An image of a private repository, as a deployment writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrivateImage {
    /// The account of the registry.
    pub account: AccountId,
    /// The region of the registry.
    pub region: Region,
    /// The repository.
    pub repository: RepositoryName,
    /// What stands behind the repository, with its `:` or `@`; empty for the tag `latest`.
    pub rest: Box<str>,
}

impl PrivateImage {
    /// Recognises `<account>.dkr.ecr.<region>.<any domain>/<repository>`, with a tag, a digest or
    /// neither behind it: such a host is that of a registry of ECR, and that is us. Anything else
    /// names no private repository.
    pub fn recognise(reference: &str) -> Option<Self> {
        let (host, path) = reference.split_once('/')?;
        let (account, rest) = host.split_once(".dkr.ecr.")?;
        let (region, _) = rest
            .split_once('.')
            .filter(|(_, domain)| !domain.is_empty())?;
        let name = path.split_once('@').map_or(path, |(name, _)| name);
        let name = name.split_once(':').map_or(name, |(name, _)| name);
        Some(Self {
            account: AccountId::parse(account).ok()?,
            region: Region::parse(region).ok()?,
            repository: RepositoryName::parse(name).ok()?,
            rest: path[name.len()..].into(),
        })
    }

    /// The manifest that it means: a digest wins over a tag beside it.
    pub fn reference(&self) -> Option<Reference> {
        let text = match (self.rest.split_once('@'), self.rest.strip_prefix(':')) {
            (Some((_, digest)), _) => digest,
            (None, Some(tag)) => tag,
            (None, None) => "latest",
        };
        Reference::parse(text).ok()
    }

    /// Whether a service in `region` may ask for it at all: with an active role, and only from
    /// its own region (Lightsail guide, private repository access).
    pub fn is_in_reach(&self, region: &Region, access: &RegistryAccess) -> bool {
        access.is_active() && self.region == *region
    }
}
