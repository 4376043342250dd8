//! Taking a blob over from another repository, without a byte sent (OCI distribution-spec, "Mounting
//! a blob from another repository").
//!
//! Whoever calls has authorised both sides; nothing is told of blobs that the caller may not read.

use roadstead_domain::digest::Digest;
use roadstead_domain::name::{RepositoryKey, RepositoryName};
use roadstead_store::metadata::RegistryKey;

use crate::Registry;
use crate::access::Authorized;
use crate::context::RequestContext;
use crate::error::Error;
use crate::loading;
use crate::pull::seen;

/// How many repositories a mount that names none looks at.
const HOLDERS_MAX: usize = 20;

impl Registry {
    /// Some repositories of the registry of `target` that hold a blob, for a mount that names none.
    /// Which of them the caller may read is asked one by one.
    pub async fn holders_of_blob(
        &self,
        target: &Authorized<RepositoryKey>,
        digest: Digest,
    ) -> Result<Vec<RepositoryName>, Error> {
        let RepositoryKey {
            kind,
            account,
            region,
            ..
        } = (**target).clone();
        let registry = RegistryKey {
            kind,
            account,
            region,
        };
        self.metadata
            .read((registry, digest), |tx, (registry, digest)| {
                Box::pin(
                    async move { Ok(tx.holders_of_blob(registry, digest, HOLDERS_MAX).await?) },
                )
            })
            .await
    }

    /// Lets `target` read a blob that `source` holds, without a byte sent. False if `source` does
    /// not hold it, or is not there: the caller then uploads. Whether the caller sees blobs of
    /// `source` that no image has comes with it.
    pub async fn mount_blob(
        &self,
        context: &RequestContext,
        target: Authorized<RepositoryKey>,
        (source, sees_unreferenced): (Authorized<RepositoryKey>, bool),
        digest: Digest,
    ) -> Result<bool, Error> {
        // What is not there is uploaded: that brings it back.
        if self.missing_bytes(&digest).await?.is_some() {
            return Ok(false);
        }
        let source = (source.into_inner(), sees_unreferenced);
        let input = (target.into_inner(), source, digest, context.now);
        self.metadata
            .write(input, |tx, (target, (source, sees_all), digest, now)| {
                Box::pin(async move {
                    let target = loading::repository(tx, target).await?.id;
                    let Some(source) = tx.repository(source).await? else {
                        return Ok(false);
                    };
                    let found = seen(tx, source.id, digest).await?;
                    let Some(link) = found.and_then(|found| found.link_for(*sees_all)) else {
                        return Ok(false);
                    };
                    tx.link_blob(target, digest, &link.key, *now).await?;
                    Ok(true)
                })
            })
            .await
    }
}
