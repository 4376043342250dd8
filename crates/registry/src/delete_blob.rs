//! `DELETE /v2/<name>/blobs/<digest>` (OCI distribution-spec, "Deleting Blobs").
//!
//! It is the sweep's step for one link, without the wait for its grace: decided and done in one
//! transaction, the bytes freed by the sweep. ECR has no such call.

use roadstead_domain::digest::Digest;
use roadstead_domain::name::RepositoryKey;
use roadstead_domain::time::Timestamp;

use crate::Registry;
use crate::access::Authorized;
use crate::error::{Error, Place};
use crate::loading;

impl Registry {
    /// Deletes a blob of a repository.
    ///
    /// # Errors
    /// `LayerReferenced` while an image of the repository has it, a deleted one that can be brought
    /// back too; `LayerNotFound` if the repository does not hold it.
    pub async fn delete_blob(
        &self,
        key: Authorized<RepositoryKey>,
        digest: Digest,
    ) -> Result<(), Error> {
        let input = (key.into_inner(), digest);
        self.metadata
            .write(input, |tx, (key, digest)| {
                Box::pin(async move {
                    let repository = loading::repository(tx, key).await?.id;
                    let whenever_touched = Timestamp(i64::MAX);
                    if tx.unlink_blob(repository, digest, whenever_touched).await? {
                        return Ok(());
                    }
                    let place = Place::from(key);
                    Err(match tx.blob_link(repository, digest).await? {
                        Some(link) => Error::LayerReferenced {
                            digest: link.digest,
                            place,
                        },
                        None => Error::LayerNotFound {
                            digest: digest.to_string(),
                            place,
                        },
                    })
                })
            })
            .await
    }
}
