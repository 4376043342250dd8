//! How many pulls of public images a caller may make in a second (quotas of ECR Public: 1 for an
//! address without a login, 10 for an account). Off unless set; counted by each node for itself.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use roadstead_domain::ids::AccountId;
use roadstead_domain::public::pull_rate::{Bucket, PullRate};
use roadstead_domain::time::Timestamp;

use crate::Registry;
use crate::context::{Principal, RequestContext};
use crate::error::Error;

/// More callers than this are not remembered at once.
const CALLERS_MAX: usize = 100_000;

/// The limits in force.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PullLimits {
    /// For each address without a login.
    pub anonymous: Option<PullRate>,
    /// For each account.
    pub account: Option<PullRate>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Caller {
    Address(IpAddr),
    Account(AccountId),
}

/// What callers pulled a moment ago.
#[derive(Default)]
pub struct PullRates(Mutex<HashMap<Caller, Bucket>>);

impl PullRates {
    fn take(&self, caller: Caller, rate: PullRate, now: Timestamp) -> bool {
        let mut callers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if callers.len() >= CALLERS_MAX {
            // Who rested long enough to have a full bucket need not be remembered.
            callers.retain(|_, bucket| !bucket.is_full(now));
        }
        if callers.len() >= CALLERS_MAX {
            callers.clear();
        }
        let bucket = callers.entry(caller).or_insert_with(|| Bucket::full(now));
        bucket.take(rate, now)
    }
}

impl Registry {
    /// Counts a pull of a public image; one too many is refused.
    pub fn count_public_pull(&self, context: &RequestContext) -> Result<(), Error> {
        let limits = self.rules.public_pulls;
        let (caller, rate) = match &context.principal {
            Principal::Anonymous => {
                let address = context.origin.peer.to_canonical();
                (Caller::Address(address), limits.anonymous)
            }
            Principal::Root { account, .. } => (Caller::Account(account.clone()), limits.account),
            Principal::ContainerPuller(role) => {
                (Caller::Account(role.lightsail.clone()), limits.account)
            }
        };
        match rate {
            Some(rate) if !self.pull_rates.take(caller, rate, context.now) => {
                Err(Error::RateExceeded)
            }
            _ => Ok(()),
        }
    }
}
