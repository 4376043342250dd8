//! Identifiers that are not names: accounts, regions, uploads, storage keys.
//!
//! Each type can only hold a well-formed value; parsing is the only way in from outside.

use std::fmt;

/// Why a text is not a value of the type asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {0}")]
pub struct Malformed(pub &'static str);

/// A text that only its own parser makes. Requests hand them on all the time, so a clone is a count.
macro_rules! text_newtype {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            /// The text as it was parsed.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}
pub(crate) use text_newtype;

text_newtype! {
    /// An AWS account id, 12 decimal digits; also the id of that account's private registry
    /// (`registryId` in the ECR API model, pattern `[0-9]{12}`).
    AccountId
}

impl AccountId {
    /// Makes an id from random bits.
    pub fn from_random(bits: u128) -> Self {
        Self(format!("{:012}", bits % 1_000_000_000_000).into())
    }

    /// Parses exactly 12 ASCII digits.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let is_valid = text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit());
        if is_valid {
            Ok(Self(text.into()))
        } else {
            Err(Malformed("account id"))
        }
    }
}

text_newtype! {
    /// An AWS region name such as `us-east-1`: 2 to 25 characters of `[0-9a-z-]`
    /// (`Region` in the ECR API model).
    Region
}

impl Region {
    /// Parses a region name; any name of the right form is a region of this server.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let is_valid = (2..=25).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_digit() || b.is_ascii_lowercase() || b == b'-');
        if is_valid {
            Ok(Self(text.into()))
        } else {
            Err(Malformed("region"))
        }
    }
}

text_newtype! {
    /// One unfinished blob upload, a lower-case UUID (`uploadId` in the ECR API).
    UploadId
}

impl UploadId {
    /// Makes an id from 128 random bits.
    pub fn from_random(bits: u128) -> Self {
        Self(uuid_text(bits).into())
    }

    /// Parses a lower-case hyphenated UUID; anything else names no upload.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        match is_uuid(text) {
            true => Ok(Self(text.into())),
            false => Err(Malformed("upload id")),
        }
    }
}

text_newtype! {
    /// One Lightsail container service, a lower-case UUID: the last part of its ARN. A service that
    /// is deleted and made again gets a new one.
    ContainerServiceId
}

impl ContainerServiceId {
    /// Makes an id from 128 random bits.
    pub fn from_random(bits: u128) -> Self {
        Self(uuid_text(bits).into())
    }

    /// Parses a lower-case hyphenated UUID.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        match is_uuid(text) {
            true => Ok(Self(text.into())),
            false => Err(Malformed("container service id")),
        }
    }
}

text_newtype! {
    /// The storage key of one generation of bytes: fresh for every upload, never used twice, and
    /// opaque outside the blob store. What the bytes are is the digest beside it in the metadata.
    BlobKey
}

impl BlobKey {
    /// Makes a key from 128 random bits: 32 lower-case hex digits.
    pub fn from_random(bits: u128) -> Self {
        Self(format!("{bits:032x}").into())
    }

    /// Parses 32 lower-case hex digits.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let is_valid = text.len() == 32
            && text
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if is_valid {
            Ok(Self(text.into()))
        } else {
            Err(Malformed("blob key"))
        }
    }
}

/// The surrogate id of a repository row; a name that is deleted and made again gets a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RepositoryId(pub i64);

/// The hyphenated lower-case text of a version 4 UUID made from 128 random bits (RFC 9562).
pub fn uuid_text(bits: u128) -> String {
    let bits = (bits & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
    let mut text = String::with_capacity(36);
    for (place, byte) in bits.to_be_bytes().into_iter().enumerate() {
        if [4, 6, 8, 10].contains(&place) {
            text.push('-');
        }
        for digit in [byte >> 4, byte & 0xf] {
            text.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
        }
    }
    text
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, b)| match at {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_digit() || (b'a'..=b'f').contains(&b),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuid_text_is_version_4() {
        for bits in [0, u128::MAX, 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef] {
            let text = uuid_text(bits);
            assert_eq!(text.as_bytes()[14], b'4');
            assert!(matches!(text.as_bytes()[19], b'8' | b'9' | b'a' | b'b'));
            assert!(UploadId::parse(&text).is_ok());
            let bare = u128::from_str_radix(&text.replace('-', ""), 16).unwrap();
            let fixed = 0xf << 76 | 0x3 << 62;
            assert_eq!(bare & !fixed, bits & !fixed, "{text}");
        }
    }

    #[test]
    fn malformed_ids_are_refused() {
        assert!(AccountId::parse("12345678901").is_err());
        assert!(AccountId::parse("12345678901a").is_err());
        assert!(Region::parse("US-east-1").is_err());
        assert!(UploadId::parse("../x").is_err());
        assert!(BlobKey::parse("../../etc/passwd").is_err());
    }
}
