//! Sealing: authenticated encryption of whatever leaves this server and comes back, or rests in
//! the store and must not be read there.
//!
//! AES-256-GCM under a ring of keys with ids, so that keys can be rotated: the first seals, all
//! open. A sealed text is `key id (4) | nonce (12) | ciphertext and tag`.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroizing;

/// Bytes of one key.
pub const KEY_BYTES: usize = 32;
const ID_BYTES: usize = 4;

/// Why a sealed text does not open. Deliberately says no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not sealed by this server for this purpose")]
pub struct NotOurs;

/// One key of the ring.
pub struct RingKey {
    /// Its id, unique in the ring.
    pub id: u32,
    /// The key itself.
    pub key: Zeroizing<[u8; KEY_BYTES]>,
}

/// What a sealed text is for; one purpose never opens as another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The secret of an access key.
    Secret,
    /// An authorization token.
    Token,
    /// A cursor of a listing.
    Page,
    /// A layer download link.
    Download,
}

impl Purpose {
    fn label(self) -> &'static [u8] {
        match self {
            Self::Secret => b"roadstead secret 1",
            Self::Token => b"roadstead token 1",
            Self::Page => b"roadstead page 1",
            Self::Download => b"roadstead download 1",
        }
    }
}

/// The keys of a server, shared by all of its nodes.
pub struct KeyRing {
    keys: Vec<(u32, LessSafeKey)>,
}

impl KeyRing {
    /// A ring whose first key seals. None if there is no key at all.
    pub fn new(keys: &[RingKey]) -> Option<Self> {
        let open = |key: &RingKey| {
            let unbound = UnboundKey::new(&AES_256_GCM, &key.key[..]).ok()?;
            Some((key.id, LessSafeKey::new(unbound)))
        };
        let keys: Vec<_> = keys.iter().map(open).collect::<Option<_>>()?;
        if keys.is_empty() {
            None
        } else {
            Some(Self { keys })
        }
    }

    /// Seals `plain`. `nonce` must be fresh randomness.
    pub fn seal(&self, purpose: Purpose, nonce: [u8; NONCE_LEN], plain: &[u8]) -> Vec<u8> {
        // `new` refuses an empty ring.
        let (id, key) = &self.keys[0];
        let mut sealed =
            Vec::with_capacity(ID_BYTES + NONCE_LEN + plain.len() + AES_256_GCM.tag_len());
        sealed.extend_from_slice(&id.to_be_bytes());
        sealed.extend_from_slice(&nonce);
        let mut body = plain.to_vec();
        let nonce = Nonce::assume_unique_for_key(nonce);
        if key
            .seal_in_place_append_tag(nonce, Aad::from(purpose.label()), &mut body)
            .is_ok()
        {
            sealed.extend_from_slice(&body);
        }
        sealed
    }

    /// Opens what [`Self::seal`] made for the same purpose.
    pub fn open(&self, purpose: Purpose, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, NotOurs> {
        let (id, rest) = sealed.split_first_chunk::<ID_BYTES>().ok_or(NotOurs)?;
        let (nonce, body) = rest.split_first_chunk::<NONCE_LEN>().ok_or(NotOurs)?;
        let id = u32::from_be_bytes(*id);
        let (_, key) = self
            .keys
            .iter()
            .find(|(other, _)| *other == id)
            .ok_or(NotOurs)?;
        let mut body = Zeroizing::new(body.to_vec());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let plain = key
            .open_in_place(nonce, Aad::from(purpose.label()), &mut body)
            .map_err(|_| NotOurs)?
            .len();
        body.truncate(plain);
        Ok(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(ids: &[u32]) -> KeyRing {
        let key = |id: &u32| RingKey {
            id: *id,
            key: Zeroizing::new([*id as u8; KEY_BYTES]),
        };
        KeyRing::new(&ids.iter().map(key).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn only_the_same_purpose_and_ring_open() {
        let sealed = ring(&[1]).seal(Purpose::Token, [7; NONCE_LEN], b"plain");
        assert_eq!(
            &ring(&[1]).open(Purpose::Token, &sealed).unwrap()[..],
            b"plain"
        );
        assert_eq!(
            &ring(&[2, 1]).open(Purpose::Token, &sealed).unwrap()[..],
            b"plain"
        );
        assert!(ring(&[1]).open(Purpose::Page, &sealed).is_err());
        assert!(ring(&[2]).open(Purpose::Token, &sealed).is_err());
        assert!(KeyRing::new(&[]).is_none());
    }

    #[test]
    fn every_changed_byte_and_every_cut_is_refused() {
        let ring = ring(&[1]);
        let sealed = ring.seal(Purpose::Token, [7; NONCE_LEN], b"plain");
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(ring.open(Purpose::Token, &changed).is_err(), "byte {at}");
            assert!(
                ring.open(Purpose::Token, &sealed[..at]).is_err(),
                "cut at {at}"
            );
        }
    }
}
