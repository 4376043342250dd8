//! Resource tags of repositories (ecr.md 3.5).

use roadstead_domain::name::RepositoryKey;
use roadstead_domain::resource_tag::{ResourceTag, ResourceTagRefusal, merge};

use crate::Registry;
use crate::access::Authorized;
use crate::error::Error;
use crate::loading;

impl From<ResourceTagRefusal> for Error {
    fn from(refusal: ResourceTagRefusal) -> Self {
        match refusal {
            ResourceTagRefusal::Invalid => Self::InvalidTagParameter,
            ResourceTagRefusal::TooMany => Self::TooManyTags,
        }
    }
}

impl Registry {
    /// The tags of a repository, by key.
    pub async fn resource_tags(
        &self,
        key: Authorized<RepositoryKey>,
    ) -> Result<Vec<ResourceTag>, Error> {
        self.metadata
            .read(key.into_inner(), |tx, key| {
                Box::pin(async move {
                    let repository = loading::repository(tx, key).await?;
                    Ok(tx.resource_tags(repository.id).await?)
                })
            })
            .await
    }

    /// Adds tags; the same key is overwritten.
    pub async fn tag_resource(
        &self,
        key: Authorized<RepositoryKey>,
        added: Vec<ResourceTag>,
    ) -> Result<(), Error> {
        self.metadata
            .write((key.into_inner(), added), |tx, (key, added)| {
                Box::pin(async move {
                    let repository = loading::repository(tx, key).await?;
                    let merged = merge(&tx.resource_tags(repository.id).await?, added)?;
                    Ok(tx.set_resource_tags(repository.id, &merged).await?)
                })
            })
            .await
    }

    /// Removes tags; a key that is not there is no error.
    pub async fn untag_resource(
        &self,
        key: Authorized<RepositoryKey>,
        removed_keys: Vec<String>,
    ) -> Result<(), Error> {
        self.metadata
            .write(
                (key.into_inner(), removed_keys),
                |tx, (key, removed_keys)| {
                    Box::pin(async move {
                        let repository = loading::repository(tx, key).await?;
                        let mut tags = tx.resource_tags(repository.id).await?;
                        tags.retain(|tag| !removed_keys.contains(&tag.key));
                        Ok(tx.set_resource_tags(repository.id, &tags).await?)
                    })
                },
            )
            .await
    }
}
