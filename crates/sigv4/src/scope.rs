//! The credential scope and the key derived for it.
//! A caller may keep a [`SigningKey`] by (access key id, secret version, scope) and must drop it
//! when the key is revoked. Key bytes must never be printed; they are wiped on drop.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

/// Last element of every scope.
pub(crate) const TERMINATOR: &str = "aws4_request";

/// What a signing key is good for: one day, one region, one service.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Scope {
    /// UTC day as `YYYYMMDD`.
    pub date: String,
    /// Region as the client named it.
    pub region: String,
    /// Service signing name, e.g. `ecr`.
    pub service: String,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Scope {
            date,
            region,
            service,
        } = self;
        write!(f, "{date}/{region}/{service}/{TERMINATOR}")
    }
}

/// Key derived from a secret for one [`Scope`]; wiped on drop, never printed.
#[derive(Clone)]
pub struct SigningKey([u8; 32]);

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

impl Drop for SigningKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl SigningKey {
    /// Signature of a string to sign.
    pub(crate) fn sign(&self, string_to_sign: &str) -> [u8; 32] {
        hmac_sha256(&self.0, string_to_sign.as_bytes())
    }

    /// Compares in constant time.
    pub(crate) fn matches(&self, string_to_sign: &str, signature: &[u8; 32]) -> bool {
        self.sign(string_to_sign).ct_eq(signature).into()
    }
}

/// Derives the key of a secret for a scope: date, region, service, terminator, in that order.
pub fn signing_key(secret: &str, scope: &Scope) -> SigningKey {
    let start = Zeroizing::new([b"AWS4", secret.as_bytes()].concat());
    let mut key = hmac_sha256(&start, scope.date.as_bytes());
    for part in [scope.region.as_str(), scope.service.as_str(), TERMINATOR] {
        let next = hmac_sha256(&key, part.as_bytes());
        key.zeroize();
        key = next;
    }
    SigningKey(key)
}

/// HMAC-SHA256 with the key padded to one block by hand, so that no length can be refused.
fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut block = Zeroizing::new([0u8; 64]);
    if key.len() > block.len() {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let mut mac = Hmac::<Sha256>::new((&*block).into());
    mac.update(message);
    mac.finalize().into_bytes().into()
}
