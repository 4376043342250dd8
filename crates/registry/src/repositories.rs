//! Repositories: create, describe, delete, and their settings (ecr.md section 3).

use roadstead_domain::limits::{PAGE_DEFAULT, PAGE_MAX};
use roadstead_domain::name::{RepositoryKey, RepositoryName};
use roadstead_domain::resource_tag::{ResourceTag, merge};
use roadstead_domain::tagging::TagMutability;
use roadstead_domain::time::Timestamp;
use roadstead_store::metadata::{MetadataWrite, NewRepository};

use crate::Registry;
use crate::access::Authorized;
use crate::context::RequestContext;
use crate::error::{Error, Place};
use crate::loading;
use crate::paging::{Page, PageRequest};

pub use roadstead_store::metadata::{RegistryKey, Repository};

/// The settings of a repository to be made.
#[derive(Debug, Clone, Default)]
pub struct RepositorySettings {
    /// Whether its tags may move.
    pub tag_mutability: TagMutability,
    /// Whether pushes are scanned.
    pub scan_on_push: bool,
    /// Resource tags.
    pub resource_tags: Vec<ResourceTag>,
}

impl Registry {
    /// Makes a repository; one that exists is refused, whatever its settings.
    pub async fn create_repository(
        &self,
        context: &RequestContext,
        key: Authorized<RepositoryKey>,
        settings: RepositorySettings,
    ) -> Result<Repository, Error> {
        let new = NewRepository {
            key: key.into_inner(),
            created_at: context.now,
            tag_mutability: settings.tag_mutability,
            scan_on_push: settings.scan_on_push,
            resource_tags: merge(&[], &settings.resource_tags)?,
        };
        self.metadata
            .write(new, |tx, new| {
                Box::pin(async move { insert(tx, new).await })
            })
            .await
    }

    /// Makes a repository with default settings unless it is there: for pushes in `--dev`.
    pub async fn ensure_repository(
        &self,
        context: &RequestContext,
        key: Authorized<RepositoryKey>,
    ) -> Result<(), Error> {
        if self.repository(&key).await.is_ok() {
            return Ok(());
        }
        match self
            .create_repository(context, key, RepositorySettings::default())
            .await
        {
            Ok(_) | Err(Error::RepositoryAlreadyExists(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Whether there is a repository.
    pub async fn has_repository(&self, key: RepositoryKey) -> Result<bool, Error> {
        self.metadata
            .read(key, |tx, key| {
                Box::pin(async move { Ok(tx.repository(key).await?.is_some()) })
            })
            .await
    }

    /// One repository.
    pub(crate) async fn repository(&self, key: &RepositoryKey) -> Result<Repository, Error> {
        self.metadata
            .read(key.clone(), |tx, key| {
                Box::pin(async move { loading::repository(tx, key).await })
            })
            .await
    }

    /// The named repositories in the order of the request, each once; one that is missing fails
    /// the whole call.
    async fn describe_named(
        &self,
        registry: Authorized<RegistryKey>,
        names: Vec<RepositoryName>,
    ) -> Result<Vec<Repository>, Error> {
        let mut keys: Vec<RepositoryKey> = Vec::with_capacity(names.len());
        for key in names.into_iter().map(|name| registry.repository(name)) {
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        self.metadata
            .read(keys, |tx, keys| {
                Box::pin(async move {
                    let mut found = Vec::with_capacity(keys.len());
                    for key in keys {
                        found.push(loading::repository(tx, key).await?);
                    }
                    Ok(found)
                })
            })
            .await
    }

    /// The named repositories, or all of a registry in pages.
    pub async fn describe_repositories(
        &self,
        registry: Authorized<RegistryKey>,
        names: Option<Vec<String>>,
        request: &PageRequest,
    ) -> Result<Page<Repository>, Error> {
        let Some(names) = names else {
            return self.list_repositories(registry, request).await;
        };
        request.refuse_beside("repositoryNames")?;
        let names = names.iter().map(|name| RepositoryName::parse(name));
        let names = names.collect::<Result<_, _>>();
        let names = names.map_err(|why| Error::invalid("repositoryNames", why.to_string()))?;
        Ok(Page {
            entries: self.describe_named(registry, names).await?,
            next_token: None,
        })
    }

    /// All repositories of a registry by name, in pages.
    async fn list_repositories(
        &self,
        registry: Authorized<RegistryKey>,
        request: &PageRequest,
    ) -> Result<Page<Repository>, Error> {
        let scope = format!("repositories {registry:?}");
        let limit = request.limit.unwrap_or(PAGE_DEFAULT).min(PAGE_MAX);
        let after = match &request.token {
            None => None,
            Some(token) => match self.open_cursor(&scope, token)?.as_slice() {
                [name] => RepositoryName::parse(name).ok(),
                _ => None,
            },
        };
        let repositories = self.repositories_after(registry, after, limit + 1).await?;
        Ok(self.page(&scope, limit, repositories, |last| {
            vec![last.key.name.to_string()]
        }))
    }

    /// Repositories of a registry whose names come after `after`, by name.
    pub async fn repositories_after(
        &self,
        registry: Authorized<RegistryKey>,
        after: Option<RepositoryName>,
        limit: usize,
    ) -> Result<Vec<Repository>, Error> {
        self.metadata
            .read(
                (registry.into_inner(), after, limit),
                |tx, (registry, after, limit)| {
                    Box::pin(
                        async move { Ok(tx.repositories(registry, after.as_ref(), *limit).await?) },
                    )
                },
            )
            .await
    }

    /// Deletes a repository with all that it holds; without `force` only an empty one. The name is
    /// free at once, the contents go with the next sweep.
    pub async fn delete_repository(
        &self,
        context: &RequestContext,
        key: Authorized<RepositoryKey>,
        force: bool,
    ) -> Result<Repository, Error> {
        let input: (RepositoryKey, bool, Timestamp) = (key.into_inner(), force, context.now);
        self.metadata
            .write(input, |tx, (key, force, now)| {
                Box::pin(async move {
                    let repository = loading::repository(tx, key).await?;
                    if !force && tx.has_images(repository.id).await? {
                        return Err(Error::RepositoryNotEmpty(Place::from(key)));
                    }
                    tx.delete_repository(repository.id, *now).await?;
                    Ok(repository)
                })
            })
            .await
    }

    /// Replaces the mutability setting; it affects later pushes only.
    pub async fn put_tag_mutability(
        &self,
        key: Authorized<RepositoryKey>,
        setting: TagMutability,
    ) -> Result<(), Error> {
        self.metadata
            .write((key.into_inner(), setting), |tx, (key, setting)| {
                Box::pin(async move {
                    let repository = loading::repository(tx, key).await?;
                    Ok(tx.set_tag_mutability(repository.id, setting).await?)
                })
            })
            .await
    }
}

/// Makes a repository, unless its name is taken.
pub(crate) async fn insert(
    tx: &mut dyn MetadataWrite,
    new: &NewRepository,
) -> Result<Repository, Error> {
    let id = tx.insert_repository(new).await?;
    let id = id.ok_or_else(|| Error::RepositoryAlreadyExists(Place::from(&new.key)))?;
    Ok(Repository {
        id,
        key: new.key.clone(),
        created_at: new.created_at,
        tag_mutability: new.tag_mutability.clone(),
        scan_on_push: new.scan_on_push,
    })
}
