//! Tags of a container service; unlike those of repositories they may lack a value.
//!
//! TagResource and UntagResource name the service and change a few of its tags; what they leave
//! is ordered by key.

use std::collections::{BTreeMap, BTreeSet};

use super::refusal::Refusal;
use crate::limits::{
    RESOURCE_TAG_KEY_CHARACTERS_MAX, RESOURCE_TAG_VALUE_CHARACTERS_MAX, RESOURCE_TAGS_MAX,
};

/// Value by key; none for a key-only tag.
pub type ServiceTags = BTreeMap<String, Option<String>>;

/// The tags after `added`, the same key overwritten. At most 50 tags (quotas), keys of 1 to 128
/// characters, values of at most 256; a key may not come twice, nor begin with `aws:`.
pub fn tag(
    present: &ServiceTags,
    added: &[(String, Option<String>)],
) -> Result<ServiceTags, Refusal> {
    let mut tags = present.clone();
    let mut keys = BTreeSet::new();
    for (key, value) in added {
        if !is_valid(key, value.as_deref()) || !keys.insert(key) {
            return Err(Refusal::Tag(key.clone()));
        }
        tags.insert(key.clone(), value.clone());
    }
    if tags.len() > RESOURCE_TAGS_MAX {
        return Err(Refusal::TooManyTags);
    }
    Ok(tags)
}

/// The tags without these keys; a key that no tag has changes nothing.
pub fn untag(present: &ServiceTags, keys: &[String]) -> ServiceTags {
    let mut tags = present.clone();
    tags.retain(|key, _| !keys.contains(key));
    tags
}

fn is_valid(key: &str, value: Option<&str>) -> bool {
    let value = value.unwrap_or_default();
    (1..=RESOURCE_TAG_KEY_CHARACTERS_MAX).contains(&key.chars().count())
        && value.chars().count() <= RESOURCE_TAG_VALUE_CHARACTERS_MAX
        && !key.to_ascii_lowercase().starts_with("aws:")
        && !key.chars().chain(value.chars()).any(char::is_control)
}
