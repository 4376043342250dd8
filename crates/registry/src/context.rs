//! What a request brings along: who asks, where, and when.

use std::net::IpAddr;

use roadstead_domain::ids::{AccountId, Region, uuid_text};
use roadstead_domain::lightsail::addresses::{RoleId, puller_role_name};
use roadstead_domain::lightsail::names::ServiceName;
use roadstead_domain::policy::requester::Requester;
use roadstead_domain::time::Timestamp;

/// The present instant. The real one lives in the server, one that tests move in the testkit.
pub trait Clock: Send + Sync {
    /// The instant now. Read once per request, then passed on as a value.
    fn now(&self) -> Timestamp;
}

/// Fresh ids and randomness. The real source lives in the server, a counting one in the testkit.
pub trait Ids: Send + Sync {
    /// Fills `bytes` with randomness fit for keys.
    fn fill(&self, bytes: &mut [u8]);

    /// 128 bits that name one thing and no other. Unlike those of [`Self::fill`] they may be guessed.
    fn name(&self) -> u128 {
        let mut bytes = [0; 16];
        self.fill(&mut bytes);
        u128::from_le_bytes(bytes)
    }

    /// A number larger than every one given before by this process, near the microseconds of `now`.
    fn sequence(&self, now: Timestamp) -> i64;
}

impl dyn Ids + '_ {
    /// 128 random bits.
    pub fn bits(&self) -> u128 {
        let mut bytes = [0; 16];
        self.fill(&mut bytes);
        u128::from_le_bytes(bytes)
    }

    /// A request id in the form of AWS's: a UUID.
    pub fn request_id(&self) -> String {
        uuid_text(self.name())
    }
}

/// Who makes a request, once authenticated. Finer identities arrive with identity policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// Nobody in particular: a pull from a public registry without a login.
    Anonymous,
    /// The root of an account.
    Root {
        /// The account.
        account: AccountId,
        /// The access key that it showed, directly or behind a token; none in `--dev` without
        /// login, and where the server speaks for the account itself.
        access_key_id: Option<String>,
    },
    /// The role with which a container service pulls from private repositories.
    ContainerPuller(ContainerPuller),
}

/// The role of a container service, as its `principalArn` names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerPuller {
    /// The account of Lightsail that roles belong to.
    pub lightsail: AccountId,
    /// The region of the service.
    pub region: Region,
    /// Its name.
    pub service: ServiceName,
    /// The id of the role.
    pub id: RoleId,
}

impl Principal {
    /// The account that it belongs to.
    pub fn account(&self) -> Option<&AccountId> {
        match self {
            Self::Anonymous => None,
            Self::Root { account, .. } => Some(account),
            Self::ContainerPuller(role) => Some(&role.lightsail),
        }
    }

    /// The access key that it showed.
    pub fn access_key_id(&self) -> Option<&str> {
        match self {
            Self::Anonymous | Self::ContainerPuller(_) => None,
            Self::Root { access_key_id, .. } => access_key_id.as_deref(),
        }
    }

    /// As policies see it.
    pub fn requester(&self) -> Requester {
        match self {
            Self::Anonymous => Requester::Anonymous,
            Self::Root { account, .. } => Requester::Root(account.clone()),
            Self::ContainerPuller(role) => Requester::RoleSession {
                account: role.lightsail.clone(),
                role: puller_role_name(&role.region, &role.service, &role.id),
                session: role.service.to_string(),
                unique_id: None,
            },
        }
    }

    /// The principal's ARN, as `GetCallerIdentity` and denials print it.
    pub fn arn(&self) -> String {
        self.requester().to_string()
    }
}

/// From where a request came, as the conditions of policies may ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// `aws:SourceIp`.
    pub peer: IpAddr,
    /// `aws:SecureTransport`.
    pub is_secure: bool,
    /// `aws:UserAgent`.
    pub user_agent: Option<String>,
}

/// One request, as far as the use cases care.
#[derive(Debug, Clone)]
pub struct RequestContext {
    /// Who asks.
    pub principal: Principal,
    /// From where.
    pub origin: Origin,
    /// The region that is asked.
    pub region: Region,
    /// When, sampled once per request.
    pub now: Timestamp,
    /// `x-amzn-RequestId`.
    pub request_id: String,
}
