//! Explanations: what policies would do to a repository, image by image, for its operator.

use roadstead_domain::lifecycle::evaluate::Evaluation;
use roadstead_domain::lifecycle::policy::LifecyclePolicy;
use roadstead_domain::name::RepositoryKey;
use roadstead_domain::time::Timestamp;

use super::loaded::Loading;
use super::stored_policy;
use crate::Registry;
use crate::access::Authorized;
use crate::error::Error;
use crate::loading;

/// A policy and what it does to the images of a repository.
pub struct Explained {
    /// The policy.
    pub policy: LifecyclePolicy,
    /// What it does.
    pub evaluation: Evaluation,
}

impl Registry {
    /// Evaluates `policies` over the same images as of `at`, each by itself; none stands for the
    /// repository's own. The places of images are the same in all of them.
    pub async fn explain_lifecycle(
        &self,
        key: Authorized<RepositoryKey>,
        policies: Vec<Option<LifecyclePolicy>>,
        at: Timestamp,
    ) -> Result<Vec<Explained>, Error> {
        self.write_pull_times().await?;
        let (repository, policies, loading) = self
            .metadata
            .survey((key.into_inner(), policies), |tx, (key, policies)| {
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
                    let loading = Loading::begin(tx, repository.id, &chosen).await?;
                    Ok::<_, Error>((repository.id, chosen, loading))
                })
            })
            .await?;
        let evaluated = self.evaluate_loaded(repository, loading, at, None).await?;
        let explained = policies.into_iter().zip(evaluated);
        let explained = explained.map(|(policy, evaluation)| Explained { policy, evaluation });
        Ok(explained.collect())
    }
}
