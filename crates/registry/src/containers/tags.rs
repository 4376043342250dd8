//! Tags of a container service.

use roadstead_domain::lightsail::addresses::service_arn;
use roadstead_domain::lightsail::refusal::Refusal;
use roadstead_domain::lightsail::tags::{tag, untag};

use super::{ContainerService, StoredService, loaded, placed};
use crate::Registry;
use crate::access::Authorized;
use crate::access::containers::ContainerServiceKey;
use crate::error::Error;

/// A change of tags.
#[derive(Debug, Clone)]
pub enum TagChange {
    /// Adds tags; the same key is overwritten. A tag may lack a value.
    Tag(Vec<(String, Option<String>)>),
    /// Removes tags by key.
    Untag(Vec<String>),
}

impl Registry {
    /// Changes the tags of a service. An ARN, if given, has to be its own.
    pub async fn change_container_tags(
        &self,
        key: Authorized<ContainerServiceKey>,
        arn: Option<String>,
        change: TagChange,
    ) -> Result<ContainerService, Error> {
        let input = (key.into_inner(), arn, change);
        self.metadata
            .write(input, |tx, (key, arn, change)| {
                Box::pin(async move {
                    let before = loaded(tx, key).await?;
                    let own = service_arn(&before.region, &before.account, &before.id);
                    if arn.as_ref().is_some_and(|arn| *arn != own) {
                        return Err(Refusal::ServiceNotFound(key.name.clone()).into());
                    }
                    let tags = match change {
                        TagChange::Tag(added) => tag(&before.tags, added)?,
                        TagChange::Untag(keys) => untag(&before.tags, keys),
                    };
                    let after = StoredService { tags, ..before };
                    tx.update_container_service(&after).await?;
                    placed(tx, after).await
                })
            })
            .await
    }
}
