//! Leases: who does a piece of work that one at a time may do, among all nodes.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use roadstead_domain::time::{Span, Timestamp};

use crate::Registry;
use crate::error::Error;

/// Leased work that this process is doing: a lease excludes other nodes, this excludes other tasks.
#[derive(Default)]
pub(crate) struct Doing(Mutex<HashSet<String>>);

/// Work that no other task of this process does, until this is dropped.
pub(crate) struct Alone<'d> {
    doing: &'d Doing,
    name: String,
}

impl Doing {
    fn lock(&self) -> MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins the work `name`; none if another task does it.
    pub(crate) fn begin(&self, name: &str) -> Option<Alone<'_>> {
        let is_new = self.lock().insert(name.to_owned());
        is_new.then(|| Alone {
            doing: self,
            name: name.to_owned(),
        })
    }
}

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        self.doing.lock().remove(&self.name);
    }
}

impl Registry {
    /// Takes the lease `name` for `holder`, for so long; false if another holder has it.
    pub(crate) async fn take_lease(
        &self,
        name: &str,
        holder: &str,
        now: Timestamp,
        length: Span,
    ) -> Result<bool, Error> {
        let input = (name.to_owned(), holder.to_owned(), now, now + length);
        self.metadata
            .write(input, |tx, (name, holder, now, until)| {
                Box::pin(async move { Ok(tx.claim_lease(name, holder, *now, *until).await?) })
            })
            .await
    }

    /// Gives a lease back.
    pub(crate) async fn give_lease_back(&self, name: &str, holder: &str) -> Result<(), Error> {
        let input = (name.to_owned(), holder.to_owned());
        self.metadata
            .write(input, |tx, (name, holder)| {
                Box::pin(async move { Ok(tx.release_lease(name, holder).await?) })
            })
            .await
    }
}
