//! Which rules see an image: storage class and tags against every rule of a policy at once.
//!
//! A set of rules is a `u64`, bit 0 the strongest rule. A list of tags means AND, so one entry of it,
//! the key, settles most images: rules are found by the first and last byte of their keys, and the
//! other entries are looked at only where the key matches. It never looks at times or other images.

use super::glob;
use super::policy::{LifecycleRule, StorageClass, TagSelection};

/// Some rules of a policy: bit 0 is the strongest one.
pub(super) type RuleSet = u64;

/// The selections of a policy, compiled.
#[derive(Debug, Clone)]
pub(super) struct Selections {
    standard: RuleSet,
    archive: RuleSet,
    any: RuleSet,
    untagged: RuleSet,
    /// By rule; empty where the rule has no list.
    lists: Vec<Vec<Entry>>,
    /// Rules whose key can match a tag that starts, or ends, with the byte.
    starts: [RuleSet; 256],
    ends: [RuleSet; 256],
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Entry {
    Prefix(Box<[u8]>),
    Pattern(Box<[u8]>),
}

impl Entry {
    fn matches(&self, tag: &[u8]) -> bool {
        match self {
            Self::Prefix(prefix) => tag.starts_with(prefix),
            Self::Pattern(pattern) => glob::matches(pattern, tag),
        }
    }

    /// How many bytes of a tag it fixes: the more, the fewer tags match.
    fn weight(&self) -> usize {
        match self {
            Self::Prefix(text) => text.len(),
            Self::Pattern(text) => text.iter().filter(|byte| **byte != b'*').count(),
        }
    }

    /// The byte with which every matching tag starts, if there is such a byte.
    fn first(&self) -> Option<u8> {
        match self {
            Self::Prefix(text) => text.first().copied(),
            Self::Pattern(text) => text.first().copied().filter(|byte| *byte != b'*'),
        }
    }

    /// The byte with which every matching tag ends, if there is such a byte.
    fn last(&self) -> Option<u8> {
        match self {
            Self::Prefix(_) => None,
            Self::Pattern(text) => text.last().copied().filter(|byte| *byte != b'*'),
        }
    }
}

impl Selections {
    /// Compiles the selections of `rules`, the strongest first; at most 64.
    pub(super) fn new(rules: &[&LifecycleRule]) -> Self {
        let mut compiled = Self {
            standard: 0,
            archive: 0,
            any: 0,
            untagged: 0,
            lists: Vec::with_capacity(rules.len()),
            starts: [0; 256],
            ends: [0; 256],
        };
        for (at, rule) in rules.iter().enumerate() {
            compiled.add(1 << at, rule);
        }
        compiled
    }

    fn add(&mut self, bit: RuleSet, rule: &LifecycleRule) {
        match rule.selects() {
            StorageClass::Standard => self.standard |= bit,
            StorageClass::Archive => self.archive |= bit,
        }
        let mut list: Vec<Entry> = match &rule.tags {
            TagSelection::Any => {
                self.any |= bit;
                Vec::new()
            }
            TagSelection::Untagged => {
                self.untagged |= bit;
                Vec::new()
            }
            TagSelection::Prefixes(texts) => {
                texts.iter().map(|t| Entry::Prefix(bytes(t))).collect()
            }
            TagSelection::Patterns(texts) => {
                texts.iter().map(|t| Entry::Pattern(bytes(t))).collect()
            }
        };
        list.sort_by_key(|entry| std::cmp::Reverse(entry.weight()));
        list.dedup();
        if let Some(key) = list.first() {
            admit(&mut self.starts, key.first(), bit);
            admit(&mut self.ends, key.last(), bit);
        }
        self.lists.push(list);
    }

    /// The rules that see an image of this class with these tags.
    pub(super) fn matched(&self, class: StorageClass, tags: &[&str]) -> RuleSet {
        let in_class = match class {
            StorageClass::Standard => self.standard,
            StorageClass::Archive => self.archive,
        };
        if tags.is_empty() {
            return in_class & (self.any | self.untagged);
        }
        let mut matched = in_class & self.any;
        // Rules are dropped from here as soon as they are settled.
        let mut open = in_class & !self.any & !self.untagged;
        for tag in tags.iter().map(|tag| tag.as_bytes()) {
            let (Some(first), Some(last)) = (tag.first(), tag.last()) else {
                continue;
            };
            let candidates =
                open & self.starts[usize::from(*first)] & self.ends[usize::from(*last)];
            for rule in bits(candidates) {
                let list = &self.lists[rule];
                if !list.first().is_some_and(|key| key.matches(tag)) {
                    continue;
                }
                open &= !(1 << rule);
                let is_met = |entry: &Entry| tags.iter().any(|tag| entry.matches(tag.as_bytes()));
                if list.iter().skip(1).all(is_met) {
                    matched |= 1 << rule;
                }
            }
        }
        matched
    }
}

/// The numbers of the rules in a set, the strongest first.
pub(super) fn bits(mut set: RuleSet) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let lowest = strongest(set)?;
        set &= set - 1;
        Some(lowest)
    })
}

/// The strongest rule of a set.
pub(super) fn strongest(set: RuleSet) -> Option<usize> {
    (set != 0).then(|| set.trailing_zeros() as usize)
}

fn bytes(text: &str) -> Box<[u8]> {
    text.as_bytes().into()
}

fn admit(table: &mut [RuleSet; 256], byte: Option<u8>, bit: RuleSet) {
    match byte {
        Some(byte) => table[usize::from(byte)] |= bit,
        None => table.iter_mut().for_each(|rules| *rules |= bit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifecycle::policy::{Count, LifecycleAction};

    fn sees(tags: TagSelection, image: &[&str]) -> bool {
        let rule = LifecycleRule {
            priority: 1,
            description: None,
            tags,
            storage_class: None,
            count: Count::ImageCountMoreThan(1),
            action: LifecycleAction::Expire,
        };
        let compiled = Selections::new(&[&rule]);
        assert_eq!(compiled.matched(StorageClass::Archive, image), 0);
        compiled.matched(StorageClass::Standard, image) == 1
    }

    fn texts(list: &[&str]) -> Vec<String> {
        list.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn lists_mean_and() {
        for (list, image, expected) in [
            // lifecycle.md 7.1: I07, D08, O01.
            (&["v", "v1"][..], &["v1.0"][..], true),
            (&["v", "v1"], &["v2.0"], false),
            (&["v", "v1"], &["v2.0", "v1.9"], true),
            (&["v1", "v1"], &["v1"], true),
            (&["a", "b"], &["b1", "c", "a1"], true),
            (&["a", "b"], &["a1", "a2"], false),
            (&["*"], &["*"], true),
            (&["*"], &["a"], false),
            (&[""], &["a"], true),
            (&["a"], &[], false),
        ] {
            let found = sees(TagSelection::Prefixes(texts(list)), image);
            assert_eq!(found, expected, "prefixes {list:?} on {image:?}");
        }
        for (list, image, expected) in [
            // lifecycle.md 7.1: I08, I09.
            (&["*-arm64", "v*"][..], &["v1-arm64"][..], true),
            (&["*-arm64", "v*"], &["x-arm64", "v9"], true),
            (&["*-arm64", "v*"], &["x-arm64"], false),
            (&["latest"], &["latest-2", "my-latest"], false),
            (&["latest"], &["a", "latest"], true),
            (&["*", "*b"], &["a", "ab"], true),
        ] {
            let found = sees(TagSelection::Patterns(texts(list)), image);
            assert_eq!(found, expected, "patterns {list:?} on {image:?}");
        }
    }

    #[test]
    fn statuses_of_tags() {
        assert!(sees(TagSelection::Any, &[]));
        assert!(sees(TagSelection::Any, &["a"]));
        assert!(sees(TagSelection::Untagged, &[]));
        assert!(!sees(TagSelection::Untagged, &["a"]));
    }

    #[test]
    fn sets_of_rules() {
        assert_eq!(bits(0).count(), 0);
        assert_eq!(bits(1 | 1 << 5 | 1 << 63).collect::<Vec<_>>(), [0, 5, 63]);
        assert_eq!(strongest(0b1100), Some(2));
        assert_eq!(strongest(0), None);
    }
}
