//! Tags and the `<reference>` of the OCI distribution-spec.

use std::fmt;

use crate::digest::Digest;
use crate::ids::{Malformed, text_newtype};

text_newtype! {
    /// An image tag: 1 to 300 characters of `[a-zA-Z0-9-_.]` (`ImageTag` in the ECR API model).
    /// The `/v2` side accepts the narrower OCI grammar through [`ImageTag::parse_oci`].
    ImageTag
}

/// Most characters of a tag on the ECR API.
pub const TAG_CHARACTERS_MAX: usize = 300;
/// Most characters of a tag on `/v2` (OCI distribution-spec, "Pulling manifests").
pub const OCI_TAG_CHARACTERS_MAX: usize = 128;

impl ImageTag {
    /// Parses the ECR grammar.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let is_valid =
            (1..=TAG_CHARACTERS_MAX).contains(&text.len()) && text.bytes().all(is_tag_byte);
        if is_valid {
            Ok(Self(text.into()))
        } else {
            Err(Malformed("image tag"))
        }
    }

    /// Parses the OCI grammar: `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`.
    pub fn parse_oci(text: &str) -> Result<Self, Malformed> {
        let is_valid = text.len() <= OCI_TAG_CHARACTERS_MAX && !text.starts_with(['.', '-']);
        if is_valid {
            Self::parse(text)
        } else {
            Err(Malformed("image tag"))
        }
    }
}

fn is_tag_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.')
}

/// What the last path segment of a manifest request names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Reference {
    /// A tag.
    Tag(ImageTag),
    /// A digest.
    Digest(Digest),
}

impl Reference {
    /// Parses a reference: whatever holds a colon must be a digest.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        if text.contains(':') {
            Digest::parse(text).map(Self::Digest)
        } else {
            ImageTag::parse_oci(text).map(Self::Tag)
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => tag.fmt(f),
            Self::Digest(digest) => digest.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_grammars() {
        assert!(ImageTag::parse(&"a".repeat(300)).is_ok());
        assert!(ImageTag::parse(&"a".repeat(301)).is_err());
        assert!(ImageTag::parse(".a").is_ok());
        for bad in ["", ".a", "-a", "a:b", "a@b", "a+b", &"a".repeat(129)] {
            assert!(ImageTag::parse_oci(bad).is_err(), "{bad}");
        }
        assert!(ImageTag::parse_oci(&"a".repeat(128)).is_ok());
    }
}
