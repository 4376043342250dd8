//! The epochs of repositories: how whoever keeps what was read knows that it is still right.
//!
//! A change of a repository itself ends the epoch of its contents as well: they may be gone with it.
//!
//! The writer thread alone ends epochs, and it is the only one that commits. Many repositories
//! share one counter, so that all of them take a fixed amount of memory: a change of one ends the
//! epoch of the others too, which costs them a read and nothing else. An odd counter means that a
//! commit is under way: there is no epoch then.

use std::sync::atomic::{AtomicU64, Ordering};

use roadstead_domain::ids::RepositoryId;
use roadstead_store::metadata::{Epoch, Part};

const GROUPS: usize = 4096;

/// One counter for each part of each group of repositories.
pub(super) struct Epochs(Vec<AtomicU64>);

impl Epochs {
    /// Epochs of a store that was just opened.
    pub(super) fn new() -> Self {
        Self((0..2 * GROUPS).map(|_| AtomicU64::new(0)).collect())
    }

    /// The epoch of a part of a repository, but while it changes.
    pub(super) fn of(&self, repository: RepositoryId, part: Part) -> Option<Epoch> {
        let epoch = self.0[counter(repository, part)].load(Ordering::SeqCst);
        epoch.is_multiple_of(2).then_some(Epoch(epoch))
    }

    /// Ends the epochs of these parts; new ones begin when the answer is dropped.
    pub(super) fn end(&self, changed: &[(RepositoryId, Part)]) -> Changing<'_> {
        let parts = changed.iter().flat_map(|(repository, part)| {
            let contents = (*part == Part::Itself).then_some(Part::Contents);
            let parts = std::iter::once(*part).chain(contents);
            parts.map(|part| counter(*repository, part))
        });
        let mut counters: Vec<usize> = parts.collect();
        counters.sort_unstable();
        counters.dedup();
        let changing = Changing {
            epochs: self,
            counters,
        };
        changing.step();
        changing
    }
}

fn counter(repository: RepositoryId, part: Part) -> usize {
    let group = repository.0.unsigned_abs() as usize % GROUPS;
    match part {
        Part::Itself => 2 * group,
        Part::Contents => 2 * group + 1,
    }
}

/// Parts between two epochs.
pub(super) struct Changing<'e> {
    epochs: &'e Epochs,
    counters: Vec<usize>,
}

impl Changing<'_> {
    fn step(&self) {
        for counter in &self.counters {
            self.epochs.0[*counter].fetch_add(1, Ordering::SeqCst);
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
        let twin = RepositoryId(7 + GROUPS as i64);
        for part in [Part::Itself, Part::Contents] {
            let of = |repository| epochs.of(repository, part);
            let (before, others) = (of(one), of(other));
            assert!(before.is_some());
            // Named twice, also by a twin, it changes once.
            let changing = epochs.end(&[(one, part), (twin, part), (one, part)]);
            assert_eq!((of(one), of(twin)), (None, None));
            assert_eq!(of(other), others);
            drop(changing);
            assert!(of(one).is_some());
            assert_ne!(of(one), before);
            assert_eq!(of(other), others);
        }
    }

    #[test]
    fn a_repository_takes_its_contents_along_and_they_leave_it_alone() {
        let (epochs, one) = (Epochs::new(), RepositoryId(7));
        let both = || [Part::Itself, Part::Contents].map(|part| epochs.of(one, part));
        let before = both();
        drop(epochs.end(&[(one, Part::Contents)]));
        let between = both();
        assert_eq!(between[0], before[0]);
        assert_ne!(between[1], before[1]);
        drop(epochs.end(&[(one, Part::Itself)]));
        let after = both();
        assert_ne!(after[0], between[0]);
        assert_ne!(after[1], between[1]);
    }
}
