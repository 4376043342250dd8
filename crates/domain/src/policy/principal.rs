//! The element `Principal`: whom a statement of a resource policy speaks of, and how closely.
//!
//! No wildcards inside ARNs; `NotPrincipal` only denies, and exempts somebody only when the whole
//! chain from the account down is listed (auth.md 6.2). Whether a named principal exists is for the
//! caller to ask.

use super::requester::{Arn, Requester, last_part};
use crate::ids::AccountId;

/// One entry of `Principal` or `NotPrincipal`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// `*`: anybody, even without credentials.
    Everyone,
    /// An account, by its id or its root's ARN: delegates to the policies of that account.
    Account(AccountId),
    /// A user: path and name.
    User(AccountId, String),
    /// A role, path and name: every session of it.
    Role(AccountId, String),
    /// One session: the role's name, the session's.
    Session(AccountId, String, String),
    /// A session of a federated user.
    FederatedUser(AccountId, String),
    /// A user or role by its unique id: what AWS stores, so that a name made again gains nothing.
    UniqueId(String),
    /// A service such as `ecr.amazonaws.com`.
    Service(String),
    /// An identity provider; no request of ours comes from one, so it matches nobody.
    Federated(String),
    /// An S3 canonical user id; likewise nobody.
    CanonicalUser(String),
}

/// How closely a principal names a requester; the closest counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Grasp {
    /// By its account: allows nothing by itself in the same account.
    Account,
    /// As everyone or as a session of a role: caps of the identity stay in force.
    Broad,
    /// The very user or session.
    Itself,
}

impl Principal {
    /// Reads one value under the key `AWS`.
    pub(super) fn parse_aws(text: &str) -> Result<Self, String> {
        if text == "*" {
            return Ok(Self::Everyone);
        }
        if let Ok(account) = AccountId::parse(text) {
            return Ok(Self::Account(account));
        }
        if is_unique_id(text) {
            return Ok(Self::UniqueId(text.to_owned()));
        }
        match Arn::parse(text) {
            Some(Arn::Root(account)) => Ok(Self::Account(account)),
            Some(Arn::User(account, name)) => Ok(Self::User(account, name)),
            Some(Arn::Role(account, role)) => Ok(Self::Role(account, role)),
            Some(Arn::Session(account, role, session)) => Ok(Self::Session(account, role, session)),
            Some(Arn::FederatedUser(account, name)) => Ok(Self::FederatedUser(account, name)),
            None => Err(format!("{text:?} is no principal")),
        }
    }

    /// Reads one value under the key `Service`.
    pub(super) fn parse_service(text: &str) -> Result<Self, String> {
        let is_valid = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-');
        if text.contains('.') && text.bytes().all(is_valid) {
            Ok(Self::Service(text.to_owned()))
        } else {
            Err(format!("{text:?} is no service"))
        }
    }

    pub(super) fn grasp(&self, requester: &Requester) -> Option<Grasp> {
        let when = |holds: bool, grasp| holds.then_some(grasp);
        match (self, requester) {
            (Self::Everyone, _) => Some(Grasp::Broad),
            (Self::Account(account), Requester::Root(root)) => when(account == root, Grasp::Itself),
            (Self::Account(account), other) => {
                when(other.account() == Some(account), Grasp::Account)
            }
            (
                Self::User(account, name),
                Requester::User {
                    account: a,
                    name: n,
                    ..
                },
            )
            | (
                Self::FederatedUser(account, name),
                Requester::FederatedUser {
                    account: a,
                    name: n,
                },
            ) => when((account, name) == (a, n), Grasp::Itself),
            (
                Self::Role(account, role),
                Requester::RoleSession {
                    account: a,
                    role: r,
                    ..
                },
            ) => when((account, role) == (a, r), Grasp::Broad),
            (
                Self::Session(account, role, name),
                Requester::RoleSession {
                    account: a,
                    role: r,
                    session,
                    ..
                },
            ) => when(
                account == a && role == last_part(r) && name == session,
                Grasp::Itself,
            ),
            (Self::UniqueId(id), Requester::User { unique_id, .. }) => {
                when(unique_id.as_ref() == Some(id), Grasp::Itself)
            }
            (Self::UniqueId(id), Requester::RoleSession { unique_id, .. }) => {
                when(unique_id.as_ref() == Some(id), Grasp::Broad)
            }
            (Self::Service(name), Requester::Service(service)) => {
                when(name == service, Grasp::Itself)
            }
            _ => None,
        }
    }
}

/// The closest of several.
pub(super) fn closest(principals: &[Principal], requester: &Requester) -> Option<Grasp> {
    let grasps = principals.iter().filter_map(|one| one.grasp(requester));
    grasps.max()
}

/// Whether a `NotPrincipal` of these spares the requester: everyone does, else the account must be
/// listed with the user, or with the role and its session.
pub(super) fn spares(principals: &[Principal], requester: &Requester) -> bool {
    let lists = |wanted: &dyn Fn(&Principal) -> bool| principals.iter().any(wanted);
    if lists(&|one| *one == Principal::Everyone) {
        return true;
    }
    let has_itself = lists(&|one| one.grasp(requester) == Some(Grasp::Itself));
    let has_account = lists(
        &|one| matches!(one, Principal::Account(account) if requester.account() == Some(account)),
    );
    let has_role = lists(&|one| one.grasp(requester) == Some(Grasp::Broad));
    match requester {
        Requester::Anonymous => false,
        Requester::Root(_) | Requester::Service(_) => has_itself,
        Requester::User { .. } | Requester::FederatedUser { .. } => has_itself && has_account,
        Requester::RoleSession { .. } => has_itself && has_role && has_account,
    }
}

/// `AIDA…` of a user or `AROA…` of a role (IAM user guide, "IAM identifiers").
fn is_unique_id(text: &str) -> bool {
    (text.starts_with("AIDA") || text.starts_with("AROA"))
        && (16..=128).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

#[cfg(test)]
mod tests;
