//! Leases: who does a piece of work that one at a time may do, among all nodes.

use roadstead_domain::time::{Span, Timestamp};

use crate::Registry;
use crate::error::Error;

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
