//! Whether a push may set a tag: mutability modes and their exclusion filters (ecr.md 5.2, 5.3).

use crate::digest::Digest;
use crate::ids::Malformed;
use crate::limits::EXCLUSION_FILTERS_MAX;
use crate::reference::ImageTag;

/// `imageTagMutability`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum MutabilityMode {
    /// Tags may move.
    #[default]
    Mutable,
    /// Tags may not move.
    Immutable,
    /// Tags may not move, but those that match a filter may.
    ImmutableWithExclusion,
    /// Tags may move, but those that match a filter may not.
    MutableWithExclusion,
}

/// A `WILDCARD` filter: `*` stands for any run of characters, everything else for itself, and the
/// whole tag has to match. 1 to 128 characters of `[0-9a-zA-Z._*-]` (ECR API model).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ExclusionFilter(String);

impl ExclusionFilter {
    /// Parses a filter text.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let is_valid = (1..=128).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"._*-".contains(&b));
        if is_valid {
            Ok(Self(text.into()))
        } else {
            Err(Malformed("exclusion filter"))
        }
    }

    /// The filter as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the whole of `tag` matches, in time linear in the tag for each `*`.
    pub fn matches(&self, tag: &str) -> bool {
        wildcard_matches(self.0.as_bytes(), tag.as_bytes())
    }
}

/// Greedy matching with one point of return: the latest `*`.
fn wildcard_matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut latest_star: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            latest_star = Some((p, t));
            p += 1;
        } else if pattern.get(p) == Some(&text[t]) {
            p += 1;
            t += 1;
        } else if let Some((star, from)) = latest_star {
            latest_star = Some((star, from + 1));
            p = star + 1;
            t = from + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|b| *b == b'*')
}

/// The mutability setting of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TagMutability {
    /// The mode.
    pub mode: MutabilityMode,
    /// The exclusion filters; empty unless the mode has exclusions.
    pub filters: Vec<ExclusionFilter>,
}

impl TagMutability {
    /// Pairs a mode with its filters: a mode with exclusions needs 1 to 5, any other takes none
    /// (ECR user guide, "Image tag mutability").
    pub fn checked(mode: MutabilityMode, filters: Vec<ExclusionFilter>) -> Result<Self, Malformed> {
        use MutabilityMode::{ImmutableWithExclusion, MutableWithExclusion};
        let has_exclusions = matches!(mode, ImmutableWithExclusion | MutableWithExclusion);
        let allowed = if has_exclusions {
            1..=EXCLUSION_FILTERS_MAX
        } else {
            0..=0
        };
        if allowed.contains(&filters.len()) {
            Ok(Self { mode, filters })
        } else {
            Err(Malformed("number of exclusion filters for this mode"))
        }
    }

    /// Whether `tag`, once set, may be moved to another image.
    pub fn is_mutable(&self, tag: &ImageTag) -> bool {
        let is_excluded = || self.filters.iter().any(|f| f.matches(tag.as_str()));
        match self.mode {
            MutabilityMode::Mutable => true,
            MutabilityMode::Immutable => false,
            MutabilityMode::ImmutableWithExclusion => is_excluded(),
            MutabilityMode::MutableWithExclusion => !is_excluded(),
        }
    }

    /// Decides what pushing `digest` as `tag` does, given what the repository holds now.
    pub fn plan_push(&self, digest: &Digest, tag: Option<&ImageTag>, now: &PushState) -> TagPlan {
        let Some(tag) = tag else {
            return if now.is_image_present {
                TagPlan::AlreadyThere
            } else {
                TagPlan::StoreUntagged
            };
        };
        match &now.tag_points_to {
            None => TagPlan::Attach,
            Some(current) if !self.is_mutable(tag) => {
                if current == digest {
                    TagPlan::SameUnderImmutable
                } else {
                    TagPlan::TagIsImmutable
                }
            }
            Some(current) if current == digest => TagPlan::AlreadyThere,
            Some(_) => TagPlan::Move,
        }
    }
}

/// What a repository holds of the image and tag being pushed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PushState {
    /// Whether an image with that digest is there.
    pub is_image_present: bool,
    /// Where the tag points.
    pub tag_points_to: Option<Digest>,
}

/// What a push does with its tag (the matrix of ecr.md 5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TagPlan {
    /// The tag is new: attach it.
    Attach,
    /// The tag moves here; the image it leaves stays.
    Move,
    /// No tag was sent: store the image untagged.
    StoreUntagged,
    /// Image and tag are there: `ImageAlreadyExistsException` on the API, 201 on `/v2`.
    AlreadyThere,
    /// The same image under an immutable tag: refused on both planes.
    SameUnderImmutable,
    /// The tag is immutable and points elsewhere: refused on both planes.
    TagIsImmutable,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(text: &str) -> ExclusionFilter {
        ExclusionFilter::parse(text).unwrap()
    }

    #[test]
    fn filters_are_anchored_and_literal() {
        for (pattern, tag, expected) in [
            ("dev-*", "dev-1", true),
            ("dev-*", "dev-", true),
            ("dev-*", "mydev-1", false),
            ("*prod", "repo-prod", true),
            ("*prod", "prod-repo", false),
            ("v1.0", "v1x0", false),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b*", "xxbxxaxx", false),
            ("dev", "dev", true),
            ("dev", "Dev", false),
            ("*", "anything", true),
        ] {
            assert_eq!(
                filter(pattern).matches(tag),
                expected,
                "{pattern} against {tag}"
            );
        }
    }

    #[test]
    fn many_stars_stay_fast() {
        let pattern = filter(&"*a".repeat(64));
        assert!(!pattern.matches(&format!("{}b", "a".repeat(299))));
    }

    #[test]
    fn matrix_of_pushes() {
        use MutabilityMode::*;
        let (d1, d2) = (Digest::sha256(b"1"), Digest::sha256(b"2"));
        let tag = ImageTag::parse("dev-1").unwrap();
        let state = |present, at: Option<&Digest>| PushState {
            is_image_present: present,
            tag_points_to: at.cloned(),
        };
        let plan = |mode, tag: Option<&ImageTag>, now: PushState| {
            let filters = match mode {
                Mutable | Immutable => vec![],
                _ => vec![filter("dev-*")],
            };
            TagMutability { mode, filters }.plan_push(&d1, tag, &now)
        };
        for mode in [
            Mutable,
            Immutable,
            ImmutableWithExclusion,
            MutableWithExclusion,
        ] {
            assert_eq!(plan(mode, Some(&tag), state(false, None)), TagPlan::Attach);
            assert_eq!(plan(mode, Some(&tag), state(true, None)), TagPlan::Attach);
            assert_eq!(plan(mode, None, state(false, None)), TagPlan::StoreUntagged);
            assert_eq!(plan(mode, None, state(true, None)), TagPlan::AlreadyThere);
        }
        for mode in [Mutable, ImmutableWithExclusion] {
            assert_eq!(
                plan(mode, Some(&tag), state(true, Some(&d1))),
                TagPlan::AlreadyThere
            );
            assert_eq!(
                plan(mode, Some(&tag), state(true, Some(&d2))),
                TagPlan::Move
            );
        }
        for mode in [Immutable, MutableWithExclusion] {
            assert_eq!(
                plan(mode, Some(&tag), state(true, Some(&d1))),
                TagPlan::SameUnderImmutable
            );
            assert_eq!(
                plan(mode, Some(&tag), state(true, Some(&d2))),
                TagPlan::TagIsImmutable
            );
        }
    }
}
