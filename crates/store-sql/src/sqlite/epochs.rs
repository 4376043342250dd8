//! The epochs of repositories: how whoever keeps what was read knows that it is still right.
//!
//! The writer thread alone ends epochs, and it is the only one that commits. Many repositories
//! share one counter, so that all of them take a fixed amount of memory: a change of one ends the
//! epoch of the others too, which costs them a read and nothing else. An odd counter means that a
//! commit is under way: there is no epoch then.

use std::sync::atomic::{AtomicU64, Ordering};

use roadstead_domain::ids::RepositoryId;
use roadstead_store::metadata::Epoch;

const COUNTERS: usize = 4096;

/// One counter for each group of repositories.
pub(super) struct Epochs(Vec<AtomicU64>);

impl Epochs {
    /// Epochs of a store that was just opened.
    pub(super) fn new() -> Self {
        Self((0..COUNTERS).map(|_| AtomicU64::new(0)).collect())
    }

    /// The epoch of a repository, but while it changes.
    pub(super) fn of(&self, repository: RepositoryId) -> Option<Epoch> {
        let epoch = self.0[group(repository)].load(Ordering::SeqCst);
        epoch.is_multiple_of(2).then_some(Epoch(epoch))
    }

    /// Ends the epochs of these repositories; new ones begin when the answer is dropped.
    pub(super) fn end(&self, changed: &[RepositoryId]) -> Changing<'_> {
        let mut groups: Vec<usize> = changed.iter().copied().map(group).collect();
        groups.sort_unstable();
        groups.dedup();
        let changing = Changing {
            epochs: self,
            groups,
        };
        changing.step();
        changing
    }
}

fn group(repository: RepositoryId) -> usize {
    repository.0.unsigned_abs() as usize % COUNTERS
}

/// Repositories between two epochs.
pub(super) struct Changing<'e> {
    epochs: &'e Epochs,
    groups: Vec<usize>,
}

impl Changing<'_> {
    fn step(&self) {
        for group in &self.groups {
            self.epochs.0[*group].fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        self.step();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_ends_the_epoch_before_and_begins_another_after() {
        let epochs = Epochs::new();
        let (one, other) = (RepositoryId(7), RepositoryId(8));
        let twin = RepositoryId(7 + COUNTERS as i64);
        let (before, others) = (epochs.of(one), epochs.of(other));
        assert!(before.is_some());
        // Named twice, also by a twin, it changes once.
        let changing = epochs.end(&[one, twin, one]);
        assert_eq!((epochs.of(one), epochs.of(twin)), (None, None));
        assert_eq!(epochs.of(other), others);
        drop(changing);
        assert!(epochs.of(one).is_some());
        assert_ne!(epochs.of(one), before);
        assert_eq!(epochs.of(other), others);
    }
}
