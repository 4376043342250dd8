//! A bounded map in memory, of two generations.
//!
//! It knows nothing of what it holds, and never that something is out of date: whoever puts a
//! value in puts in what tells that (`hot.rs`), or only what never changes.
//!
//! New entries go to the young generation; when that holds half of what is allowed, it becomes the
//! old one, and what was old and asked for by nobody since is gone. So a look-up, a new entry and
//! a clearing cost the same whatever is held, and what is used stays.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What an entry takes besides its key and value, bytes.
const ENTRY_BYTES: usize = 128;
/// A value is kept if it takes at most this part of the whole.
const LARGEST_PART: usize = 8;

/// A map whose entries take at most so many bytes together. Values are cheap to clone.
pub(crate) struct Cache<K, V> {
    bytes_max: usize,
    generations: Mutex<Generations<K, V>>,
}

struct Generations<K, V> {
    young: HashMap<K, Entry<V>>,
    old: HashMap<K, Entry<V>>,
    /// What the young generation takes.
    young_bytes: usize,
}

struct Entry<V> {
    value: V,
    bytes: usize,
}

impl<K: Hash + Eq + Clone, V: Clone> Cache<K, V> {
    /// An empty map.
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            generations: Mutex::new(Generations {
                young: HashMap::new(),
                old: HashMap::new(),
                young_bytes: 0,
            }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Generations<K, V>> {
        let locked = self.generations.lock();
        locked.unwrap_or_else(PoisonError::into_inner)
    }

    /// What is held under `key`.
    pub(crate) fn get<Q>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let mut generations = self.lock();
        if let Some(entry) = generations.young.get(key) {
            return Some(entry.value.clone());
        }
        let (key, entry) = generations.old.remove_entry(key)?;
        let value = entry.value.clone();
        self.insert(&mut generations, key, entry);
        Some(value)
    }

    /// Holds `value`, whose key and value take `bytes`, in place of what was held under `key`.
    pub(crate) fn put(&self, key: &K, value: V, bytes: usize) {
        let bytes = bytes + ENTRY_BYTES;
        let mut generations = self.lock();
        generations.old.remove(key);
        if bytes <= self.bytes_max / LARGEST_PART {
            self.insert(&mut generations, key.clone(), Entry { value, bytes });
        } else if let Some(entry) = generations.young.remove(key) {
            generations.young_bytes -= entry.bytes;
        }
    }

    fn insert(&self, generations: &mut Generations<K, V>, key: K, entry: Entry<V>) {
        if generations.young_bytes + entry.bytes > self.bytes_max / 2 {
            generations.old = std::mem::take(&mut generations.young);
            generations.young_bytes = 0;
        }
        generations.young_bytes += entry.bytes;
        if let Some(before) = generations.young.insert(key, entry) {
            generations.young_bytes -= before.bytes;
        }
    }

    #[cfg(test)]
    fn bytes(&self) -> usize {
        let generations = self.lock();
        let all = generations.young.values().chain(generations.old.values());
        all.map(|entry| entry.bytes).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_until_it_is_replaced() {
        let cache = Cache::new(10_000);
        assert_eq!(cache.get(&1), None);
        cache.put(&1, "one", 10);
        assert_eq!(cache.get(&1), Some("one"));
        cache.put(&1, "another", 10);
        assert_eq!(cache.get(&1), Some("another"));
        // One that is too large does not leave the one before in its place.
        cache.put(&1, "large", 10_000);
        assert_eq!(cache.get(&1), None);
    }

    #[test]
    fn what_is_asked_for_stays_and_the_rest_goes() {
        let cache = Cache::new(100 * (ENTRY_BYTES + 100));
        cache.put(&0, 0, 100);
        for number in 1..1_000 {
            cache.put(&number, number, 100);
            assert_eq!(cache.get(&0), Some(0), "after {number}");
        }
        assert_eq!(cache.get(&1), None);
        assert_eq!(cache.get(&999), Some(999));
    }

    /// Keys and sizes without an order (a multiplicative sequence): never more than is allowed.
    #[test]
    fn it_never_holds_more_than_it_may() {
        let cache = Cache::new(1_000_000);
        let mut state = 1_u64;
        let mut most = 0;
        for number in 0..20_000 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let (key, size) = (state >> 52, (state >> 20) as usize % 200_000);
            if number % 3 == 0 {
                cache.get(&key);
            } else {
                cache.put(&key, number, size);
            }
            most = most.max(cache.bytes());
        }
        assert!((500_000..=1_000_000).contains(&most), "{most}");
    }
}
