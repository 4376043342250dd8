//! Small loads that several use cases begin with.

use roadstead_domain::name::RepositoryKey;
use roadstead_store::metadata::{MetadataRead, Repository};

use crate::error::{Error, Place};

/// The repository, or `RepositoryNotFoundException`.
pub(crate) async fn repository<R>(tx: &mut R, key: &RepositoryKey) -> Result<Repository, Error>
where
    R: MetadataRead + ?Sized,
{
    let found = tx.repository(key).await?;
    found.ok_or_else(|| Error::RepositoryNotFound(Place::from(key)))
}
