//! Who makes a request, as policies see it.
//!
//! Authentication decides which of these a request is; nothing here verifies anything.

use std::fmt;

use crate::arn::PARTITION;
use crate::ids::{AccountId, Malformed};

/// An authenticated or anonymous caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Requester {
    /// Nobody in particular: no credentials.
    Anonymous,
    /// An account itself, which its own policies of identity never limit.
    Root(AccountId),
    /// An IAM user.
    User {
        /// Its account.
        account: AccountId,
        /// Its path without the first slash, and its name: `team/alice`.
        name: String,
        /// Its unique id, `AIDA…`, where known.
        unique_id: Option<String>,
    },
    /// A session of a role.
    RoleSession {
        /// The account of the role.
        account: AccountId,
        /// The role's path without the first slash, and its name.
        role: String,
        /// The name of the session.
        session: String,
        /// The role's unique id, `AROA…`, where known.
        unique_id: Option<String>,
    },
    /// A session of a federated user.
    FederatedUser {
        /// The account that it acts in.
        account: AccountId,
        /// Its name.
        name: String,
    },
    /// A service, by its principal such as `replication.ecr.amazonaws.com`.
    Service(String),
}

impl Requester {
    /// Reads the ARN of a root, a user, a role session or a federated user. The ARN of a session has
    /// no path, so that of the role is taken to be `/`; unique ids stay unknown.
    pub fn parse_arn(text: &str) -> Result<Self, Malformed> {
        match Arn::parse(text).ok_or(Malformed("principal ARN"))? {
            Arn::Root(account) => Ok(Self::Root(account)),
            Arn::User(account, name) => Ok(Self::User {
                account,
                name,
                unique_id: None,
            }),
            Arn::Session(account, role, session) => Ok(Self::RoleSession {
                account,
                role,
                session,
                unique_id: None,
            }),
            Arn::FederatedUser(account, name) => Ok(Self::FederatedUser { account, name }),
            Arn::Role(..) => Err(Malformed("principal ARN")),
        }
    }

    /// The account that its policies of identity belong to; none for anonymous and services.
    pub fn account(&self) -> Option<&AccountId> {
        match self {
            Self::Anonymous | Self::Service(_) => None,
            Self::Root(account)
            | Self::User { account, .. }
            | Self::RoleSession { account, .. }
            | Self::FederatedUser { account, .. } => Some(account),
        }
    }

    /// `aws:PrincipalArn`: of a session it is the role's.
    pub(super) fn principal_arn(&self) -> Option<String> {
        match self {
            Self::RoleSession { account, role, .. } => {
                Some(format!("arn:{PARTITION}:iam::{account}:role/{role}"))
            }
            Self::Anonymous | Self::Service(_) => None,
            other => Some(other.to_string()),
        }
    }

    /// `aws:PrincipalType`.
    pub(super) fn principal_type(&self) -> Option<&'static str> {
        match self {
            Self::Anonymous => Some("Anonymous"),
            Self::Root(_) => Some("Account"),
            Self::User { .. } => Some("User"),
            Self::RoleSession { .. } => Some("AssumedRole"),
            Self::FederatedUser { .. } => Some("FederatedUser"),
            Self::Service(_) => None,
        }
    }

    /// `aws:userid`, where known.
    pub(super) fn user_id(&self) -> Option<String> {
        match self {
            Self::Anonymous => Some("anonymous".into()),
            Self::Root(account) => Some(account.to_string()),
            Self::User { unique_id, .. } => unique_id.clone(),
            Self::RoleSession {
                session, unique_id, ..
            } => Some(format!("{}:{session}", unique_id.as_deref()?)),
            Self::FederatedUser { account, name } => Some(format!("{account}:{name}")),
            Self::Service(_) => None,
        }
    }

    /// `aws:username`: only users have one.
    pub(super) fn user_name(&self) -> Option<&str> {
        match self {
            Self::User { name, .. } => Some(last_part(name)),
            _ => None,
        }
    }
}

/// The ARN as denials print it, `anonymous`, or the name of the service.
impl fmt::Display for Requester {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("anonymous"),
            Self::Service(name) => f.write_str(name),
            Self::Root(account) => write!(f, "arn:{PARTITION}:iam::{account}:root"),
            Self::User { account, name, .. } => {
                write!(f, "arn:{PARTITION}:iam::{account}:user/{name}")
            }
            Self::RoleSession {
                account,
                role,
                session,
                ..
            } => {
                let role = last_part(role);
                write!(
                    f,
                    "arn:{PARTITION}:sts::{account}:assumed-role/{role}/{session}"
                )
            }
            Self::FederatedUser { account, name } => {
                write!(f, "arn:{PARTITION}:sts::{account}:federated-user/{name}")
            }
        }
    }
}

/// A name without its path.
pub(super) fn last_part(name: &str) -> &str {
    name.rsplit_once('/').map_or(name, |(_, last)| last)
}

/// What an ARN of IAM or STS can name.
pub(super) enum Arn {
    Root(AccountId),
    User(AccountId, String),
    Role(AccountId, String),
    /// Role and session.
    Session(AccountId, String, String),
    FederatedUser(AccountId, String),
}

impl Arn {
    pub fn parse(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let ["arn", PARTITION, service, "", account, resource] = parts[..] else {
            return None;
        };
        let account = AccountId::parse(account).ok()?;
        if (service, resource) == ("iam", "root") {
            return Some(Self::Root(account));
        }
        let (kind, name) = resource.split_once('/')?;
        if !name.split('/').all(is_name) {
            return None;
        }
        match (service, kind, name.split_once('/')) {
            ("iam", "user", _) => Some(Self::User(account, name.into())),
            ("iam", "role", _) => Some(Self::Role(account, name.into())),
            ("sts", "assumed-role", Some((role, session))) if is_name(session) => {
                Some(Self::Session(account, role.into(), session.into()))
            }
            ("sts", "federated-user", None) => Some(Self::FederatedUser(account, name.into())),
            _ => None,
        }
    }
}

/// The characters of names in the IAM API model: `[\w+=,.@-]+`.
fn is_name(part: &str) -> bool {
    let is_valid = |b: u8| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b);
    !part.is_empty() && part.bytes().all(is_valid)
}

#[cfg(test)]
mod tests {
    use super::Requester;

    #[test]
    fn arns_round_trip() {
        for text in [
            "arn:aws:iam::111111111111:root",
            "arn:aws:iam::111111111111:user/alice",
            "arn:aws:iam::111111111111:user/team/alice",
            "arn:aws:sts::111111111111:assumed-role/ci/run-7",
            "arn:aws:sts::111111111111:federated-user/carol@example.com",
        ] {
            assert_eq!(Requester::parse_arn(text).unwrap().to_string(), text);
        }
        for text in [
            "",
            "111111111111",
            "arn:aws:iam::111111111111:role/ci",
            "arn:aws:iam::1111:user/alice",
            "arn:aws:iam::111111111111:user/",
            "arn:aws:iam::111111111111:user/a*",
            "arn:aws:iam::111111111111:user/a//b",
            "arn:aws:iam:us-east-1:111111111111:user/alice",
            "arn:aws:sts::111111111111:assumed-role/ci",
            "arn:aws:sts::111111111111:assumed-role/ci/run/7",
            "arn:aws:sts::111111111111:federated-user/a/b",
        ] {
            assert!(Requester::parse_arn(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_session_knows_its_role() {
        let session = Requester::RoleSession {
            account: crate::ids::AccountId::parse("111111111111").unwrap(),
            role: "build/ci".into(),
            session: "run-7".into(),
            unique_id: Some("AROAEXAMPLE".into()),
        };
        // auth.md 4 and 11: the ARN of a session has no path, that of its role keeps it.
        let arn = "arn:aws:sts::111111111111:assumed-role/ci/run-7";
        assert_eq!(session.to_string(), arn);
        let role = "arn:aws:iam::111111111111:role/build/ci";
        assert_eq!(session.principal_arn().as_deref(), Some(role));
        assert_eq!(session.user_id().as_deref(), Some("AROAEXAMPLE:run-7"));
        assert_eq!(session.user_name(), None);
    }
}
