//! Key/value tags on a repository (ECR user guide, "Tagging a private repository").

use crate::limits::{
    RESOURCE_TAG_KEY_CHARACTERS_MAX, RESOURCE_TAG_VALUE_CHARACTERS_MAX, RESOURCE_TAGS_MAX,
};

/// One AWS resource tag.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ResourceTag {
    /// Its key, unique on the resource and case-sensitive.
    pub key: String,
    /// Its value, possibly empty.
    pub value: String,
}

/// Why resource tags are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResourceTagRefusal {
    /// A key or value is not allowed: `InvalidTagParameterException`.
    Invalid,
    /// More than 50 would be on the resource: `TooManyTagsException`.
    TooMany,
}

/// Merges `added` into `present`: the same key is overwritten, the order is by key.
pub fn merge(
    present: &[ResourceTag],
    added: &[ResourceTag],
) -> Result<Vec<ResourceTag>, ResourceTagRefusal> {
    let mut merged: std::collections::BTreeMap<&str, &ResourceTag> =
        present.iter().map(|tag| (tag.key.as_str(), tag)).collect();
    let mut added_keys = std::collections::BTreeSet::new();
    for tag in added {
        if !is_valid(tag) || !added_keys.insert(&tag.key) {
            return Err(ResourceTagRefusal::Invalid);
        }
        merged.insert(&tag.key, tag);
    }
    if merged.len() > RESOURCE_TAGS_MAX {
        return Err(ResourceTagRefusal::TooMany);
    }
    Ok(merged.into_values().cloned().collect())
}

fn is_valid(tag: &ResourceTag) -> bool {
    let key_characters = tag.key.chars().count();
    (1..=RESOURCE_TAG_KEY_CHARACTERS_MAX).contains(&key_characters)
        && tag.value.chars().count() <= RESOURCE_TAG_VALUE_CHARACTERS_MAX
        && !tag.key.to_ascii_lowercase().starts_with("aws:")
        && tag
            .key
            .chars()
            .chain(tag.value.chars())
            .all(is_tag_character)
}

fn is_tag_character(c: char) -> bool {
    c.is_alphanumeric() || c == ' ' || "+-=._:/@".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(key: &str, value: &str) -> ResourceTag {
        ResourceTag {
            key: key.into(),
            value: value.into(),
        }
    }

    #[test]
    fn merging_overwrites_and_sorts() {
        let merged = merge(&[tag("k2", "old"), tag("k1", "1")], &[tag("k2", "new")]);
        assert_eq!(merged.unwrap(), [tag("k1", "1"), tag("k2", "new")]);
    }

    #[test]
    fn limits() {
        let fifty: Vec<_> = (0..50).map(|n| tag(&format!("k{n}"), "")).collect();
        assert!(merge(&fifty, &[tag("k0", "again")]).is_ok());
        assert_eq!(
            merge(&fifty, &[tag("new", "")]),
            Err(ResourceTagRefusal::TooMany)
        );
        let (long_key, long_value) = ("k".repeat(129), "v".repeat(257));
        for bad in [
            tag("", ""),
            tag("aws:x", ""),
            tag("AWS:x", ""),
            tag(&long_key, ""),
            tag("k", &long_value),
            tag("a<b", ""),
        ] {
            assert_eq!(merge(&[], &[bad]), Err(ResourceTagRefusal::Invalid));
        }
        assert_eq!(
            merge(&[], &[tag("k", "1"), tag("k", "2")]),
            Err(ResourceTagRefusal::Invalid)
        );
    }
}
