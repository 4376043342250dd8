//! A bounded memory of what was used last, by blob key.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use roadstead_domain::ids::BlobKey;

/// What is used stays: an entry that is found moves to the young, and the old ones go together.
#[derive(Debug)]
pub(crate) struct Recent<V> {
    /// Entries of one generation; two are kept.
    generation_max: usize,
    entries: Mutex<Generations<V>>,
}

#[derive(Debug)]
struct Generations<V> {
    young: HashMap<u128, V>,
    old: HashMap<u128, V>,
}

impl<V: Clone> Recent<V> {
    /// A memory of at most two generations.
    pub(crate) fn new(generation_max: usize) -> Self {
        Self {
            generation_max,
            entries: Mutex::new(Generations {
                young: HashMap::new(),
                old: HashMap::new(),
            }),
        }
    }

    pub(crate) fn get(&self, key: &BlobKey) -> Option<V> {
        let number = number(key);
        let mut entries = self.lock();
        if let Some(found) = entries.young.get(&number) {
            return Some(found.clone());
        }
        let found = entries.old.remove(&number)?;
        self.keep(entries, number, found.clone());
        Some(found)
    }

    pub(crate) fn put(&self, key: &BlobKey, value: V) {
        self.keep(self.lock(), number(key), value);
    }

    pub(crate) fn remove(&self, key: &BlobKey) {
        let number = number(key);
        let mut entries = self.lock();
        let gone = (entries.young.remove(&number), entries.old.remove(&number));
        drop(entries);
        // What the values hold is given back without the lock.
        drop(gone);
    }

    fn keep(&self, mut entries: MutexGuard<'_, Generations<V>>, number: u128, value: V) {
        let mut gone = HashMap::new();
        if entries.young.len() >= self.generation_max {
            let young = std::mem::take(&mut entries.young);
            gone = std::mem::replace(&mut entries.old, young);
        }
        let replaced = entries.young.insert(number, value);
        drop(entries);
        drop((gone, replaced));
    }

    fn lock(&self) -> MutexGuard<'_, Generations<V>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A key is 32 hex digits by its type.
fn number(key: &BlobKey) -> u128 {
    u128::from_str_radix(key.as_str(), 16).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_is_bounded_and_keeps_what_is_used() {
        const MAX: usize = 1024;
        let (recent, used) = (Recent::new(MAX), BlobKey::from_random(u128::MAX));
        recent.put(&used, 7);
        for n in 0..5 * MAX {
            recent.put(&BlobKey::from_random(n as u128), 1);
            if n % 100 == 0 {
                assert_eq!(recent.get(&used), Some(7));
            }
        }
        let entries = recent.lock();
        assert!(entries.young.len() + entries.old.len() <= 2 * MAX);
    }

    #[test]
    fn what_is_removed_is_gone_from_both_generations() {
        let (recent, key) = (Recent::new(1), BlobKey::from_random(3));
        recent.put(&key, 1);
        recent.put(&BlobKey::from_random(4), 2);
        recent.remove(&key);
        assert_eq!(recent.get(&key), None);
        recent.put(&key, 3);
        recent.remove(&key);
        assert_eq!(recent.get(&key), None);
    }
}
