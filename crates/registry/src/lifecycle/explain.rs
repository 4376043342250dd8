//! Explanations: what policies would do to a repository, image by image, for its operator.

use roadstead_domain::lifecycle::evaluate::Evaluation;
use roadstead_domain::lifecycle::policy::LifecyclePolicy;
use roadstead_domain::name::RepositoryKey;
use roadstead_domain::time::Timestamp;

use super::{loaded, stored_policy};
use crate::Registry;
use crate::access::Authorized;
use crate::error::Error;
use crate::loading;

/// A policy and what it does to the images of one snapshot.
pub struct Explained {
    /// The policy.
    pub policy: LifecyclePolicy,
    /// What it does.
    pub evaluation: Evaluation,
}

impl Registry {
    /// Evaluates `policies` over one snapshot as of `at`, each by itself; none stands for the
    /// repository's own. The places of images are the same in all of them.
    pub async fn explain_lifecycle(
        &self,
        key: Authorized<RepositoryKey>,
        policies: Vec<Option<LifecyclePolicy>>,
        at: Timestamp,
    ) -> Result<Vec<Explained>, Error> {
        self.write_pull_times().await?;
        let input = (key.into_inner(), policies, at, self.rules.orphan_grace);
        self.metadata
            .survey(input, |tx, (key, policies, at, orphan_grace)| {
                Box::pin(async move {
                    let repository = loading::repository(tx, key).await?;
                    let mut chosen = Vec::new();
                    for policy in policies {
                        chosen.push(match policy {
                            Some(policy) => policy.clone(),
                            None => {
                                let text = stored_policy(tx, &repository).await?.text;
                                let own = LifecyclePolicy::parse_unpadded(&text);
                                own.map_err(Error::InvalidLifecyclePolicy)?
                            }
                        });
                    }
                    let policies = chosen;
                    let images = loaded::load(tx, repository.id, &policies).await?;
                    let explained = policies.into_iter().zip(images);
                    let explained = explained.map(|(policy, images)| Explained {
                        policy,
                        evaluation: images.evaluate(*at, *orphan_grace),
                    });
                    Ok(explained.collect())
                })
            })
            .await
    }
}
