//! Lifecycle policies: put, read and deleted here; evaluated for previews, runs and explanations in
//! the modules below, all by the one engine of `domain::lifecycle`.

pub mod explain;
pub mod previews;
pub mod runs;

mod acting;
mod loaded;
mod policy_event;
mod preview_page;

use roadstead_domain::ids::uuid_text;
use roadstead_domain::lifecycle::policy::LifecyclePolicy;
use roadstead_domain::name::RepositoryKey;
use roadstead_domain::time::Timestamp;
use roadstead_store::metadata::{MetadataRead, Repository, StoredLifecyclePolicy};

use crate::Registry;
use crate::access::Authorized;
use crate::context::RequestContext;
use crate::error::{Error, Place};
use crate::loading;

/// A policy as the API shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyInForce {
    /// The text in its compact form.
    pub text: String,
    /// `lastEvaluatedAt`: when it last ran; the epoch if it never did.
    pub evaluated_at: Timestamp,
}

impl From<StoredLifecyclePolicy> for PolicyInForce {
    fn from(stored: StoredLifecyclePolicy) -> Self {
        Self {
            text: stored.text,
            evaluated_at: stored.evaluated_at.unwrap_or(Timestamp(0)),
        }
    }
}

impl Registry {
    /// Sets the policy of a repository and answers its compact form. The same policy put again
    /// changes nothing; another one runs when the one before would have, or after the interval.
    pub async fn put_lifecycle_policy(
        &self,
        context: &RequestContext,
        key: Authorized<RepositoryKey>,
        text: &str,
    ) -> Result<String, Error> {
        let text = match LifecyclePolicy::parse(text) {
            Ok(policy) => policy.to_text(),
            // A repository that is missing is reported before a policy that is wrong.
            Err(refusal) => {
                let missing = self.repository(&key).await.err();
                return Err(missing.unwrap_or(Error::InvalidLifecyclePolicy(refusal)));
            }
        };
        let new = StoredLifecyclePolicy {
            text,
            policy_id: uuid_text(self.ids.bits()),
            put_at: context.now,
            evaluated_at: None,
            next_run_at: context.now + self.rules.lifecycle_interval,
            departures: 0,
        };
        self.metadata
            .write((key.into_inner(), new), |tx, (key, new)| {
                Box::pin(async move {
                    let repository = loading::repository(tx, key).await?.id;
                    let present = tx.lifecycle_policy(repository).await?;
                    let mut new = new.clone();
                    if let Some(present) = present {
                        if present.text == new.text {
                            return Ok(present.text);
                        }
                        // Who puts policies all the time does not put the run off.
                        new.next_run_at = new.next_run_at.min(present.next_run_at);
                    }
                    tx.put_lifecycle_policy(repository, &new).await?;
                    Ok(new.text)
                })
            })
            .await
    }

    /// The policy of a repository.
    pub async fn lifecycle_policy(
        &self,
        key: Authorized<RepositoryKey>,
    ) -> Result<PolicyInForce, Error> {
        self.metadata
            .read(key.into_inner(), |tx, key| {
                Box::pin(async move {
                    let repository = loading::repository(tx, key).await?;
                    Ok(stored_policy(tx, &repository).await?.into())
                })
            })
            .await
    }

    /// Removes the policy of a repository and answers what it was. A run that is going on stops.
    pub async fn delete_lifecycle_policy(
        &self,
        key: Authorized<RepositoryKey>,
    ) -> Result<PolicyInForce, Error> {
        self.metadata
            .write(key.into_inner(), |tx, key| {
                Box::pin(async move {
                    let repository = loading::repository(tx, key).await?;
                    let policy = stored_policy(tx, &repository).await?;
                    tx.delete_lifecycle_policy(repository.id).await?;
                    Ok(policy.into())
                })
            })
            .await
    }
}

/// The policy of a repository, or `LifecyclePolicyNotFoundException`.
async fn stored_policy<R>(
    tx: &mut R,
    repository: &Repository,
) -> Result<StoredLifecyclePolicy, Error>
where
    R: MetadataRead + ?Sized,
{
    let found = tx.lifecycle_policy(repository.id).await?;
    found.ok_or_else(|| Error::LifecyclePolicyNotFound(Place::from(&repository.key)))
}
