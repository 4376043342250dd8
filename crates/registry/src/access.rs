//! Who may do what: decided here and nowhere else.
//!
//! Until identity policies arrive, every principal is the root of an account: it may do everything
//! there unless a policy of the repository denies it, and in another account what a policy of the
//! repository allows. Use cases take [`Authorized`] values, which only this module makes.

pub mod containers;

use std::ops::Deref;
use std::sync::{Arc, LazyLock};

use roadstead_domain::arn::RepositoryArn;
use roadstead_domain::ids::{AccountId, Region};
use roadstead_domain::name::{RepositoryKey, RepositoryKind, RepositoryName};
use roadstead_domain::policy::denial::denial;
use roadstead_domain::policy::document::PolicyDocument;
use roadstead_domain::policy::evaluate::{Policies, evaluate};
use roadstead_domain::policy::parse::PolicyKind;
use roadstead_domain::policy::request::{Context as Conditions, Request};
use roadstead_domain::public::arn::PublicRepositoryArn;
use roadstead_store::metadata::{MetadataRead, Part, RegistryKey, StoreError};

use crate::Registry;
use crate::context::{Principal, RequestContext};
use crate::error::Error;
use crate::hot::{KnownRepository, Named};

/// Proof that the request may do what it is about to do with this.
#[derive(Debug, Clone)]
pub struct Authorized<T>(T);

impl<T> Deref for Authorized<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> Authorized<T> {
    /// The thing itself.
    pub fn into_inner(self) -> T {
        self.0
    }
}

/// What the role of a container service may do of itself; the policy of a repository has to allow
/// it too (Lightsail guide, "private repository access").
static PULLER_POLICY: LazyLock<Option<PolicyDocument>> = LazyLock::new(|| {
    const TEXT: &str = r#"{"Version": "2012-10-17", "Statement": {"Effect": "Allow",
        "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"], "Resource": "*"}}"#;
    PolicyDocument::parse(PolicyKind::Identity, TEXT).ok()
});

/// Whether the caller may do what was asked; only what went wrong with asking is an error.
pub fn is_allowed<T>(decided: Result<Authorized<T>, Error>) -> Result<bool, Error> {
    match decided {
        Ok(_) => Ok(true),
        Err(Error::AccessDenied(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

impl Registry {
    /// Authorises an action of the repository's own service, such as `PutImage`, on a private or
    /// public repository, whether or not it exists. A policy of the repository has a say.
    pub async fn authorize(
        &self,
        context: &RequestContext,
        action: &'static str,
        key: RepositoryKey,
    ) -> Result<Authorized<RepositoryKey>, Error> {
        // The `*` of a policy is everybody who is somebody (ECR Public user guide, "Repository
        // policies").
        if context.principal == Principal::Anonymous {
            return Err(denied(context, service(key.kind), action, &arn(&key)));
        }
        if action == "DeleteRepositoryPolicy" && is_owner(context, &key) {
            return Ok(Authorized(key));
        }
        let known = self.known_repository(&key).await?;
        match known.as_ref().and_then(|known| known.policy.as_ref()) {
            None => decide(context, action, &key, || conditions(context), &[])?,
            Some((policy, tags)) => {
                let conditions = || {
                    let mut conditions = conditions(context);
                    let tags = tags.iter();
                    let tags = tags.map(|tag| (tag.key.as_str(), tag.value.as_str()));
                    conditions.set_resource_tags(service(key.kind), tags);
                    conditions
                };
                decide(context, action, &key, conditions, &[policy])?;
            }
        }
        Ok(Authorized(key))
    }

    /// The live repository with this name, as it is now.
    pub(crate) async fn known_repository(
        &self,
        key: &RepositoryKey,
    ) -> Result<Option<Arc<KnownRepository>>, Error> {
        let mut id = match self.hot.repository(&*self.metadata, key) {
            Named::Still(known) => return Ok(Some(known)),
            Named::Once(id) => id,
            // An epoch can only be asked for once the id is known.
            Named::Never => match self.load_repository(key).await? {
                Some(found) => found.id,
                None => return Ok(None),
            },
        };
        loop {
            let epoch = self.metadata.epoch(id, Part::Itself);
            let Some(found) = self.load_repository(key).await?.map(Arc::new) else {
                return Ok(None);
            };
            if found.id == id {
                if let Some(epoch) = epoch {
                    self.hot.keep_repository(key, epoch, &found);
                }
                return Ok(Some(found));
            }
            // Deleted and made again under its name.
            id = found.id;
        }
    }

    async fn load_repository(&self, key: &RepositoryKey) -> Result<Option<KnownRepository>, Error> {
        self.metadata
            .read(key.clone(), |tx, key| {
                Box::pin(async move { known_repository(tx, key).await })
            })
            .await
    }

    /// Whether the caller could still replace the policy of a repository under this one.
    pub(crate) fn may_set_policy_under(
        context: &RequestContext,
        key: &RepositoryKey,
        policy: &PolicyDocument,
    ) -> bool {
        let conditions = || conditions(context);
        decide(context, "SetRepositoryPolicy", key, conditions, &[policy]).is_ok()
    }
}

/// The root of the owning account always gets rid of a policy, as it does with those of S3 buckets:
/// nobody else could, and what it locks up could never be freed. Ours; AWS does not say.
fn is_owner(context: &RequestContext, key: &RepositoryKey) -> bool {
    matches!(&context.principal, Principal::Root { account, .. } if *account == key.account)
}

/// A repository with its policy, and the tags that the conditions of that may ask for.
async fn known_repository(
    tx: &mut dyn MetadataRead,
    key: &RepositoryKey,
) -> Result<Option<KnownRepository>, Error> {
    let Some(repository) = tx.repository(key).await? else {
        return Ok(None);
    };
    let id = repository.id;
    let Some(text) = tx.repository_policy(id).await? else {
        return Ok(Some(KnownRepository {
            id,
            policy: None,
            policy_bytes: 0,
        }));
    };
    // Only what could be read was ever stored; what cannot must not count as no policy.
    let policy = PolicyDocument::parse(policy_kind(key.kind), &text)
        .map_err(|error| StoreError::Corrupt(format!("a repository policy: {}", error.reason())))?;
    let tags = tx.resource_tags(id).await?;
    Ok(Some(KnownRepository {
        id,
        policy: Some((policy, tags)),
        policy_bytes: text.len(),
    }))
}

/// What kind of policy a repository has.
pub(crate) fn policy_kind(kind: RepositoryKind) -> PolicyKind {
    match kind {
        RepositoryKind::Private | RepositoryKind::Lightsail => PolicyKind::Repository,
        RepositoryKind::Public => PolicyKind::PublicRepository,
    }
}

fn service(kind: RepositoryKind) -> &'static str {
    match kind {
        RepositoryKind::Private => "ecr",
        RepositoryKind::Public => "ecr-public",
        RepositoryKind::Lightsail => "lightsail",
    }
}

fn conditions(context: &RequestContext) -> Conditions {
    let mut keys = Conditions::default();
    let origin = &context.origin;
    keys.set("aws:SourceIp", origin.peer.to_canonical().to_string());
    keys.set("aws:SecureTransport", origin.is_secure.to_string());
    keys.set("aws:RequestedRegion", context.region.as_str());
    if let Some(user_agent) = &origin.user_agent {
        keys.set("aws:UserAgent", user_agent.as_str());
    }
    keys
}

fn decide(
    context: &RequestContext,
    action: &str,
    key: &RepositoryKey,
    conditions: impl FnOnce() -> Conditions,
    policies: &[&PolicyDocument],
) -> Result<(), Error> {
    let identity = match &context.principal {
        Principal::Anonymous | Principal::Root { .. } => None,
        Principal::ContainerPuller(_) => PULLER_POLICY.as_ref(),
    };
    let in_play = Policies {
        identity: &identity.into_iter().collect::<Vec<_>>(),
        resource: policies,
        ..Policies::default()
    };
    let requester = context.principal.requester();
    let bare = Request {
        requester: &requester,
        action: "",
        resource: "",
        resource_account: &key.account,
        context: &Conditions::default(),
        now: context.now,
    };
    // Without a policy there is nothing that could look at names and conditions: most requests are
    // spared making them.
    let has_none = identity.is_none() && policies.is_empty();
    if has_none && evaluate(&bare, &in_play).is_allowed() {
        return Ok(());
    }
    let request = Request {
        action: &format!("{}:{action}", service(key.kind)),
        resource: &arn(key),
        context: &conditions(),
        ..bare
    };
    match denial(&request, evaluate(&request, &in_play)) {
        None => Ok(()),
        Some(sentence) => Err(Error::AccessDenied(sentence)),
    }
}

fn arn(key: &RepositoryKey) -> String {
    let (account, name) = (key.account.clone(), key.name.clone());
    match &key.region {
        Some(region) => {
            let region = region.clone();
            RepositoryArn {
                region,
                account,
                name,
            }
            .to_string()
        }
        None => PublicRepositoryArn { account, name }.to_string(),
    }
}

/// Everybody may read what is in a public repository; no policy can change that (ECR Public user
/// guide, "Identity and access management": pulls need no permission).
pub fn pull_public(action: &str, key: &RepositoryKey) -> Option<Authorized<RepositoryKey>> {
    const PULL: [&str; 4] = [
        "BatchGetImage",
        "GetDownloadUrlForLayer",
        "ListImageReferrers",
        "ListImages",
    ];
    let is_pull = key.kind == RepositoryKind::Public && PULL.contains(&action);
    is_pull.then(|| Authorized(key.clone()))
}

/// Authorises `ecr-public:<action>` on a public registry as a whole.
pub fn public_registry(
    context: &RequestContext,
    action: &'static str,
    registry: &AccountId,
) -> Result<Authorized<RegistryKey>, Error> {
    if context.principal.account() != Some(registry) {
        return Err(denied(context, "ecr-public", action, "*"));
    }
    Ok(Authorized(RegistryKey {
        kind: RepositoryKind::Public,
        account: registry.clone(),
        region: None,
    }))
}

/// Authorises `ecr:<action>` on a private registry as a whole.
pub fn registry(
    context: &RequestContext,
    action: &'static str,
    registry: &AccountId,
) -> Result<Authorized<RegistryKey>, Error> {
    if context.principal.account() != Some(registry) {
        return Err(denied(context, "ecr", action, "*"));
    }
    let region: Option<Region> = Some(context.region.clone());
    Ok(Authorized(RegistryKey {
        kind: RepositoryKind::Private,
        account: registry.clone(),
        region,
    }))
}

/// What a push of container images needs.
const CONTAINER_PUSH: [&str; 6] = [
    "BatchCheckLayerAvailability",
    "CompleteLayerUpload",
    "DescribeImages",
    "InitiateLayerUpload",
    "PutImage",
    "UploadLayerPart",
];
/// What a pull of them needs.
const CONTAINER_PULL: [&str; 3] = ["BatchGetImage", "DescribeImages", "GetDownloadUrlForLayer"];

/// Authorises a call on `/v2` that a push of container images makes (lightsail-containers.md 3.1):
/// only to the one repository that they have, and nothing that reads what is there.
pub fn push_containers(
    context: &RequestContext,
    action: &'static str,
    account: &AccountId,
    name: RepositoryName,
) -> Result<Authorized<RepositoryKey>, Error> {
    containers(context, action, &CONTAINER_PUSH, account, name)
}

/// Authorises a call on `/v2` by a node that pulls container images.
pub fn pull_containers(
    context: &RequestContext,
    action: &'static str,
    account: &AccountId,
    name: RepositoryName,
) -> Result<Authorized<RepositoryKey>, Error> {
    containers(context, action, &CONTAINER_PULL, account, name)
}

/// Authorises a call on `/v2` by whoever it is, in `--dev`.
pub fn develop_containers(
    context: &RequestContext,
    action: &'static str,
    account: &AccountId,
    name: RepositoryName,
) -> Result<Authorized<RepositoryKey>, Error> {
    let both = [&CONTAINER_PUSH[..], &CONTAINER_PULL[..]].concat();
    containers(context, action, &both, account, name)
}

fn containers(
    context: &RequestContext,
    action: &'static str,
    allowed: &[&str],
    account: &AccountId,
    name: RepositoryName,
) -> Result<Authorized<RepositoryKey>, Error> {
    let key = RepositoryKey::containers(account.clone(), context.region.clone());
    if key.name == name && allowed.contains(&action) {
        return Ok(Authorized(key));
    }
    Err(Error::AccessDenied(format!(
        "User: {} is not authorized to perform: {action} on resource: {name}",
        context.principal.arn()
    )))
}

/// Whoever owns the stores may do everything: for commands of the operator, never for requests.
pub fn operator(key: RepositoryKey) -> Authorized<RepositoryKey> {
    Authorized(key)
}

/// The sentence of the IAM user guide, "Troubleshoot access denied error messages".
fn denied(context: &RequestContext, service: &str, action: &str, resource: &str) -> Error {
    let arn = context.principal.arn();
    Error::AccessDenied(format!(
        "User: {arn} is not authorized to perform: {service}:{action} on resource: {resource} \
         because no resource-based policy allows the {service}:{action} action"
    ))
}
