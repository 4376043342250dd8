//! Whether policies let a request through (auth.md 6.5).
//!
//! Any Deny that applies wins. Otherwise, within one account an Allow of an identity's or of a
//! resource's policy is enough; across accounts both must allow; boundaries and session policies cap
//! what an identity may do. Costs at most the length of the policies times that of the request.

use super::document::{Among, Effect, PolicyDocument, Statement};
use super::principal::{Grasp, closest, spares};
use super::request::Request;
use super::requester::Requester;

/// The policies in play.
#[derive(Debug, Clone, Copy, Default)]
pub struct Policies<'a> {
    /// Those attached to the requester.
    pub identity: &'a [&'a PolicyDocument],
    /// That of the repository, and that of the registry where its scope governs the action.
    pub resource: &'a [&'a PolicyDocument],
    /// The permissions boundary, if the requester has one.
    pub boundary: Option<&'a [&'a PolicyDocument]>,
    /// The session policies, if the session was made with any.
    pub session: Option<&'a [&'a PolicyDocument]>,
}

/// One of the lists of [`Policies`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PolicySource {
    /// `Policies::identity`.
    Identity,
    /// `Policies::resource`.
    Resource,
    /// `Policies::boundary`.
    Boundary,
    /// `Policies::session`.
    Session,
}

/// Where a statement stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// The list.
    pub source: PolicySource,
    /// The document's place in the list, from 0.
    pub document: usize,
    /// The statement's place in the document, from 0.
    pub statement: usize,
}

/// The answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Allowed: by this statement, or by none, as the root of the owning account.
    Allowed(Option<Origin>),
    /// A statement denies it.
    DeniedExplicitly(Origin),
    /// Nothing denies it; policies of this kind would have to allow it first.
    DeniedByDefault(PolicySource),
}

impl Decision {
    /// Whether the request may go on.
    pub fn is_allowed(self) -> bool {
        matches!(self, Self::Allowed(_))
    }
}

/// Decides on one request.
pub fn evaluate(request: &Request<'_>, policies: &Policies<'_>) -> Decision {
    let is_bounded = policies.boundary.is_some();
    let look = |source, documents| find(request, source, documents, is_bounded);
    let identity = look(PolicySource::Identity, policies.identity);
    let mut resource = look(PolicySource::Resource, policies.resource);
    let boundary = policies
        .boundary
        .map(|documents| look(PolicySource::Boundary, documents));
    let session = policies
        .session
        .map(|documents| look(PolicySource::Session, documents));
    let denials = [
        Some(&identity),
        Some(&resource),
        boundary.as_ref(),
        session.as_ref(),
    ];
    if let Some(origin) = denials.into_iter().flatten().find_map(|found| found.deny) {
        return Decision::DeniedExplicitly(origin);
    }
    if needs_identity_policy(request.action) {
        resource.allow = None;
    }
    let caps = Caps {
        boundary: boundary.is_none_or(|found| found.allow.is_some()),
        session: session.is_none_or(|found| found.allow.is_some()),
    };
    match request.requester.account() {
        None => match resource.allow {
            Some((_, origin)) => Decision::Allowed(Some(origin)),
            None => Decision::DeniedByDefault(PolicySource::Resource),
        },
        Some(account) if account == request.resource_account => {
            within_account(request.requester, &identity, &resource, caps)
        }
        Some(_) => across_accounts(request.requester, &identity, &resource, caps),
    }
}

/// Tokens speak for an identity, so no resource can hand them out (ECR user guide, "Repository
/// policies").
fn needs_identity_policy(action: &str) -> bool {
    action
        .split_once(':')
        .is_some_and(|(_, name)| name.eq_ignore_ascii_case("GetAuthorizationToken"))
}

/// Whether what caps an identity lets the request through; true where there is no such cap.
#[derive(Clone, Copy)]
struct Caps {
    boundary: bool,
    session: bool,
}

impl Caps {
    fn lacking(self) -> Option<PolicySource> {
        match (self.boundary, self.session) {
            (false, _) => Some(PolicySource::Boundary),
            (true, false) => Some(PolicySource::Session),
            (true, true) => None,
        }
    }

    /// What still caps a requester whom a resource policy of its own account names so closely.
    fn beside(self, grasp: Grasp, requester: &Requester) -> Self {
        let is_itself = grasp == Grasp::Itself;
        let is_session = matches!(
            requester,
            Requester::RoleSession { .. } | Requester::FederatedUser { .. }
        );
        Self {
            boundary: self.boundary || is_itself,
            session: self.session || (is_itself && is_session),
        }
    }
}

/// The statement by which an identity may do it, none for a root, which needs none.
fn granted(requester: &Requester, identity: &Finding) -> Option<Option<Origin>> {
    match (requester, identity.allow) {
        (Requester::Root(_), _) => Some(None),
        (_, Some((_, origin))) => Some(Some(origin)),
        (_, None) => None,
    }
}

fn within_account(
    requester: &Requester,
    identity: &Finding,
    resource: &Finding,
    caps: Caps,
) -> Decision {
    let direct = resource.allow.filter(|(grasp, _)| *grasp > Grasp::Account);
    if let Some((grasp, origin)) = direct
        && caps.beside(grasp, requester).lacking().is_none()
    {
        return Decision::Allowed(Some(origin));
    }
    match (granted(requester, identity), caps.lacking()) {
        (Some(origin), None) => Decision::Allowed(origin),
        (Some(_), Some(lacking)) => Decision::DeniedByDefault(lacking),
        (None, Some(lacking)) if direct.is_some() => Decision::DeniedByDefault(lacking),
        (None, _) => Decision::DeniedByDefault(PolicySource::Identity),
    }
}

fn across_accounts(
    requester: &Requester,
    identity: &Finding,
    resource: &Finding,
    caps: Caps,
) -> Decision {
    let Some((_, origin)) = resource.allow else {
        return Decision::DeniedByDefault(PolicySource::Resource);
    };
    if granted(requester, identity).is_none() {
        return Decision::DeniedByDefault(PolicySource::Identity);
    }
    match caps.lacking() {
        None => Decision::Allowed(Some(origin)),
        Some(lacking) => Decision::DeniedByDefault(lacking),
    }
}

/// What a list of policies says of a request.
#[derive(Clone, Copy, Default)]
struct Finding {
    /// The first statement that denies it.
    deny: Option<Origin>,
    /// The first of the statements that allow it most closely.
    allow: Option<(Grasp, Origin)>,
}

fn find(
    request: &Request<'_>,
    source: PolicySource,
    documents: &[&PolicyDocument],
    is_bounded: bool,
) -> Finding {
    let mut finding = Finding::default();
    for (document, policy) in documents.iter().enumerate() {
        for (place, statement) in policy.statements().iter().enumerate() {
            let Some(grasp) = applies(statement, request, is_bounded) else {
                continue;
            };
            let origin = Origin {
                source,
                document,
                statement: place,
            };
            match statement.effect {
                Effect::Deny => {
                    finding.deny = Some(origin);
                    return finding;
                }
                Effect::Allow if finding.allow.is_none_or(|(best, _)| best < grasp) => {
                    finding.allow = Some((grasp, origin));
                }
                Effect::Allow => {}
            }
        }
    }
    finding
}

/// How closely a statement is about the request, if it is. The cheapest tests come first.
fn applies(statement: &Statement, request: &Request<'_>, is_bounded: bool) -> Option<Grasp> {
    let is_meant = |resources: &Among<super::Resource>| {
        resources.means(|one| one.covers(request.resource, request))
    };
    let grasp = match &statement.principals {
        // A policy of an identity speaks of whom it is attached to.
        None => Some(Grasp::Itself),
        Some(Among::These(principals)) => closest(principals, request.requester),
        // Whoever has a boundary is never spared.
        Some(Among::AllBut(principals)) => {
            (is_bounded || !spares(principals, request.requester)).then_some(Grasp::Itself)
        }
    }?;
    let holds = statement.actions.means(|one| one.covers(request.action))
        && statement.resources.as_ref().is_none_or(is_meant)
        && statement.conditions.iter().all(|one| one.holds(request));
    holds.then_some(grasp)
}
