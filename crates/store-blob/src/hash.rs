//! A running hash of either algorithm.

use roadstead_domain::digest::{Algorithm, Digest};
use sha2::{Digest as _, Sha256, Sha512};

/// A digest in the making.
pub(crate) enum Hash {
    /// `sha256`.
    Sha256(Sha256),
    /// `sha512`.
    Sha512(Box<Sha512>),
}

impl Hash {
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha256 => Self::Sha256(Sha256::new()),
            Algorithm::Sha512 => Self::Sha512(Box::default()),
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hash) => hash.update(bytes),
            Self::Sha512(hash) => hash.update(bytes),
        }
    }

    pub(crate) fn finish(self) -> Digest {
        match self {
            Self::Sha256(hash) => Digest::from_sha256(&hash.finalize()),
            Self::Sha512(hash) => Digest::from_sha512(&hash.finalize()),
        }
    }
}
