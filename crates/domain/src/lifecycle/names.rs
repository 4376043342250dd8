//! Names of images, each stored once: one text for all of them and a table that finds them.
//!
//! A repository may hold a million digests, so that a `String` each would cost more than the names.
//! Ids count from 0 in the order of first mention. It knows nothing of images.

use std::hash::{DefaultHasher, Hasher};

/// The names.
#[derive(Debug, Default)]
pub(super) struct Names {
    text: String,
    /// Where each name ends in the text.
    ends: Vec<usize>,
    /// Open addressing; `hash << 32 | id + 1`, 0 where empty; the length is a power of two.
    slots: Vec<u64>,
}

impl Names {
    /// The name with this id; empty if there is none.
    pub(super) fn get(&self, id: u32) -> &str {
        let id = id as usize;
        let start = id.checked_sub(1).and_then(|before| self.ends.get(before));
        let end = self.ends.get(id).copied().unwrap_or_default();
        self.text
            .get(start.copied().unwrap_or_default()..end)
            .unwrap_or_default()
    }

    /// The id of a name that was interned.
    pub(super) fn find(&self, name: &str) -> Option<u32> {
        self.find_hashed(name, hash(name))
    }

    fn find_hashed(&self, name: &str, hash: u64) -> Option<u32> {
        self.probe(hash)
            .take_while(|slot| *slot != 0)
            .find(|slot| slot >> 32 == hash && self.get(id(*slot)) == name)
            .map(id)
    }

    /// The id of a name, a new one if it is new.
    pub(super) fn intern(&mut self, name: &str) -> u32 {
        let hash = hash(name);
        if let Some(known) = self.find_hashed(name, hash) {
            return known;
        }
        if self.ends.len() * 4 >= self.slots.len() * 3 {
            self.grow();
        }
        let new = self.ends.len() as u32;
        self.text.push_str(name);
        self.ends.push(self.text.len());
        place(&mut self.slots, (hash << 32) | u64::from(new + 1));
        new
    }

    /// How many names there are.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    fn probe(&self, hash: u64) -> impl Iterator<Item = u64> {
        let mask = self.slots.len().wrapping_sub(1);
        (0..self.slots.len()).map(move |step| self.slots[(hash as usize + step) & mask])
    }

    fn grow(&mut self) {
        let mut larger = vec![0; (self.slots.len() * 2).max(16)];
        for slot in self.slots.iter().filter(|slot| **slot != 0) {
            place(&mut larger, *slot);
        }
        self.slots = larger;
    }
}

fn place(slots: &mut [u64], slot: u64) {
    let mask = slots.len() - 1;
    let mut at = (slot >> 32) as usize & mask;
    // Ends: a quarter of the slots is empty.
    while slots[at] != 0 {
        at = (at + 1) & mask;
    }
    slots[at] = slot;
}

fn id(slot: u64) -> u32 {
    (slot as u32).wrapping_sub(1)
}

/// 32 bits.
fn hash(name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(name.as_bytes());
    hasher.finish() >> 32
}

#[cfg(test)]
mod tests {
    use super::Names;

    #[test]
    fn names_come_back() {
        let mut names = Names::default();
        assert_eq!(names.find("a"), None);
        let texts: Vec<String> = (0..5000)
            .map(|n| format!("{}{n}", "x".repeat(n % 7)))
            .collect();
        for (at, text) in texts.iter().enumerate() {
            assert_eq!(names.intern(text) as usize, at);
        }
        for (at, text) in texts.iter().enumerate() {
            assert_eq!(names.intern(text) as usize, at);
            assert_eq!(names.find(text), Some(at as u32));
            assert_eq!(names.get(at as u32), text);
        }
        assert_eq!(names.find(""), None);
        assert_eq!(names.intern(""), 5000);
        assert_eq!(
            (names.find(""), names.get(5000), names.get(5001)),
            (Some(5000), "", "")
        );
        assert_eq!(names.len(), 5001);
    }
}
