//! Policies of repositories, private and public (ecr.md 7.1, ecr-public.md 3.6).
//!
//! What they allow and deny is decided in `access`; here they are kept. They are echoed as the
//! service prints them, not as they were written.

use roadstead_domain::name::RepositoryKey;
use roadstead_domain::policy::document::PolicyDocument;
use roadstead_domain::policy::echo;
use roadstead_domain::policy::parse::POLICY_TEXT_MAX;

use crate::Registry;
use crate::access::{self, Authorized};
use crate::context::RequestContext;
use crate::error::{Error, Place};
use crate::loading;

impl Registry {
    /// Replaces the policy of a repository and gives it back as it is printed. One under which the
    /// caller could not replace it again is refused, unless `force`.
    pub async fn set_repository_policy(
        &self,
        context: &RequestContext,
        key: Authorized<RepositoryKey>,
        text: String,
        force: bool,
    ) -> Result<String, Error> {
        let policy = PolicyDocument::parse(access::policy_kind(key.kind), &text)
            .map_err(Error::InvalidRepositoryPolicy)?;
        if !force && !Self::may_set_policy_under(context, &key, &policy) {
            let why =
                "The policy would prevent you from setting the repository policy in the future";
            return Err(Error::invalid("PolicyText", why));
        }
        self.metadata
            .write((key.into_inner(), text.clone()), |tx, (key, text)| {
                Box::pin(async move {
                    let repository = loading::repository(tx, key).await?;
                    tx.set_repository_policy(repository.id, Some(text)).await?;
                    Ok::<_, Error>(())
                })
            })
            .await?;
        Ok(printed(text))
    }

    /// The policy of a repository, as it is printed.
    pub async fn repository_policy(&self, key: Authorized<RepositoryKey>) -> Result<String, Error> {
        let text = self
            .metadata
            .read(key.into_inner(), |tx, key| {
                Box::pin(async move {
                    let repository = loading::repository(tx, key).await?;
                    let text = tx.repository_policy(repository.id).await?;
                    text.ok_or_else(|| Error::RepositoryPolicyNotFound(Place::from(key)))
                })
            })
            .await?;
        Ok(printed(text))
    }

    /// Removes the policy of a repository and gives it back.
    pub async fn delete_repository_policy(
        &self,
        key: Authorized<RepositoryKey>,
    ) -> Result<String, Error> {
        let text = self
            .metadata
            .write(key.into_inner(), |tx, key| {
                Box::pin(async move {
                    let repository = loading::repository(tx, key).await?;
                    let text = tx.repository_policy(repository.id).await?;
                    let text =
                        text.ok_or_else(|| Error::RepositoryPolicyNotFound(Place::from(key)))?;
                    tx.set_repository_policy(repository.id, None).await?;
                    Ok::<_, Error>(text)
                })
            })
            .await?;
        Ok(printed(text))
    }
}

/// What was stored is JSON, so it can be printed; as it was written if that would be too long for
/// the member that it is answered in.
fn printed(text: String) -> String {
    let is_fit = |printed: &String| printed.encode_utf16().count() <= POLICY_TEXT_MAX;
    echo(&text).filter(is_fit).unwrap_or(text)
}
