//! How nodes get images of this server: registered ones by a token of their account, those of
//! private repositories by the role of their service.
//!
//! Tokens are made here; whether a pull is allowed is decided when it comes.

use std::net::Ipv4Addr;
use std::sync::{Arc, Weak};

use async_trait::async_trait;
use roadstead_domain::digest::Digest;
use roadstead_domain::ids::AccountId;
use roadstead_domain::lightsail::registry_access::{PrivateImage, RegistryAccess};
use roadstead_domain::name::RepositoryKey;

use super::runtime::{Pull, PullAccess, WantedService};
use crate::Registry;
use crate::context::{ContainerPuller, Origin, Principal, RequestContext};
use crate::error::Error;

/// What a runtime pulls by. It does not keep the registry, which keeps the runtime.
pub struct Pulls(Weak<Registry>);

impl Pulls {
    /// Pulls from this registry.
    pub fn of(registry: &Arc<Registry>) -> Self {
        Self(Arc::downgrade(registry))
    }
}

#[async_trait]
impl PullAccess for Pulls {
    fn registered(&self, service: &WantedService, digest: &Digest) -> Pull {
        let (account, region) = (service.account.clone(), service.region.clone());
        let password = self.0.upgrade().map(|registry| {
            let now = registry.clock.now();
            registry.issue_pull_token(&account, &region, now).password
        });
        let name = RepositoryKey::containers(account, region).name;
        Pull {
            path: format!("{name}@{digest}"),
            password: password.unwrap_or_default(),
        }
    }

    async fn private(
        &self,
        service: &WantedService,
        reference: &str,
    ) -> Result<Option<Pull>, String> {
        let Some(image) = PrivateImage::recognise(reference) else {
            return Ok(None);
        };
        let access = RegistryAccess {
            role: service.puller.clone(),
        };
        let role = access
            .role
            .as_ref()
            .ok_or("the service has no access to private repositories")?;
        if !image.is_in_reach(&service.region, &access) {
            return Err("the repository is in another region".into());
        }
        let registry = self.0.upgrade().ok_or("the server is stopping")?;
        let lightsail = registry.lightsail_account(service).await;
        let lightsail = lightsail.map_err(|error| {
            tracing::error!(?error, "the role of a container service");
            "the server could not do this".to_owned()
        })?;
        let puller = ContainerPuller {
            lightsail: lightsail.ok_or("the service is gone")?,
            region: service.region.clone(),
            service: service.name.clone(),
            id: role.clone(),
        };
        let digest = registry.private_digest(&puller, &image).await?;
        let now = registry.clock.now();
        let token = registry.issue_private_pull_token(&puller, &image.account, now);
        Ok(Some(Pull {
            path: format!("{}@{digest}", image.repository),
            password: token.password,
        }))
    }
}

impl Registry {
    /// The digest of a private image that a role may pull; why not, otherwise. On an engine that
    /// services of several accounts share, a tag could be another account's by the time that it is
    /// looked up; a digest names the same image for everybody.
    async fn private_digest(
        &self,
        puller: &ContainerPuller,
        image: &PrivateImage,
    ) -> Result<Digest, String> {
        let context = RequestContext {
            principal: Principal::ContainerPuller(puller.clone()),
            // Nothing travels: the engine's pull is decided by where that comes from.
            origin: Origin {
                peer: Ipv4Addr::LOCALHOST.into(),
                is_secure: true,
                user_agent: None,
            },
            region: puller.region.clone(),
            now: self.clock.now(),
            request_id: self.ids().request_id(),
        };
        let (account, region) = (image.account.clone(), image.region.clone());
        let key = RepositoryKey::private(account, region, image.repository.clone());
        let reference = image.reference().ok_or("its tag or digest is malformed")?;
        let authorized = self.authorize(&context, "BatchGetImage", key).await;
        let found = match authorized {
            Ok(key) => self.manifest(&context, key, reference, false).await,
            Err(error) => Err(error),
        };
        match found {
            Ok(found) => Ok(found.digest.clone()),
            Err(error @ (Error::Store(_) | Error::Blob(_) | Error::NoSpace)) => {
                tracing::error!(?error, "a private image of a container service");
                Err("the server could not do this".into())
            }
            Err(error) => Err(error.to_string()),
        }
    }

    /// The account to which the roles of a service belong.
    async fn lightsail_account(&self, service: &WantedService) -> Result<Option<AccountId>, Error> {
        let input = (service.account.clone(), service.region.clone());
        self.metadata
            .read(input, |tx, (account, region)| {
                Box::pin(async move {
                    let place = tx.container_place(account, region).await?;
                    Ok(place.map(|place| place.lightsail))
                })
            })
            .await
    }
}
