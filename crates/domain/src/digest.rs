//! Content digests (OCI image-spec, descriptor.md "Digests").

use std::fmt;

use sha2::Digest as _;

use crate::ids::Malformed;

/// The registered algorithms of the OCI image-spec that this server verifies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// `sha256`, 64 hex digits.
    Sha256,
    /// `sha512`, 128 hex digits.
    Sha512,
}

/// A digest in canonical form: `sha256:` or `sha512:` and lower-case hex of the right length.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(Box<str>);

impl Digest {
    /// Parses the canonical form; upper-case hex, wrong lengths and other algorithms are refused.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let hex = match text.split_once(':') {
            Some(("sha256", hex)) if hex.len() == 64 => hex,
            Some(("sha512", hex)) if hex.len() == 128 => hex,
            _ => return Err(Malformed("digest")),
        };
        let is_hex = hex
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if is_hex {
            Ok(Self(text.into()))
        } else {
            Err(Malformed("digest"))
        }
    }

    /// The digest of `bytes` under `algorithm`.
    pub fn of(algorithm: Algorithm, bytes: &[u8]) -> Self {
        match algorithm {
            Algorithm::Sha256 => Self::from_sha256(&sha2::Sha256::digest(bytes)),
            Algorithm::Sha512 => Self::from_sha512(&sha2::Sha512::digest(bytes)),
        }
    }

    /// The SHA-256 digest of `bytes`, the one that ECR gives to every image.
    pub fn sha256(bytes: &[u8]) -> Self {
        Self::of(Algorithm::Sha256, bytes)
    }

    /// Wraps a finished SHA-256 value of 32 bytes.
    pub fn from_sha256(value: &[u8]) -> Self {
        debug_assert_eq!(value.len(), 32);
        Self(format!("sha256:{}", hex::encode(value)).into())
    }

    /// Wraps a finished SHA-512 value of 64 bytes.
    pub fn from_sha512(value: &[u8]) -> Self {
        debug_assert_eq!(value.len(), 64);
        Self(format!("sha512:{}", hex::encode(value)).into())
    }

    /// The canonical text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Which algorithm made this digest.
    pub fn algorithm(&self) -> Algorithm {
        if self.0.starts_with("sha512:") {
            Algorithm::Sha512
        } else {
            Algorithm::Sha256
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // FIPS 180-4 example values of the empty message.
    const EMPTY_256: &str =
        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn known_value() {
        assert_eq!(Digest::sha256(b"").as_str(), EMPTY_256);
    }

    #[test]
    fn only_the_canonical_form_parses() {
        assert!(Digest::parse(EMPTY_256).is_ok());
        for bad in [
            "",
            "sha256:",
            "sha256",
            "md5:d41d8cd98f00b204e9800998ecf8427e",
            "sha256:../../x",
            &EMPTY_256[..70],
            &format!("{EMPTY_256}0"),
            &EMPTY_256.to_uppercase(),
            &EMPTY_256.replace("sha256", "sha512"),
        ] {
            assert!(Digest::parse(bad).is_err(), "{bad}");
        }
    }
}
