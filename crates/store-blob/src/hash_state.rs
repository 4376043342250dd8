//! The state of a hash as text, so that a long upload need not be hashed from its first byte after
//! a restart (F19): `1:<length>:<state>:<check>`.
//!
//! The check is over the rest of the text: what was damaged or comes from another version does not
//! load, and the bytes are read instead. A state never replaces the digest of the whole.

use hex::{decode, encode};
use roadstead_domain::upload::HashState;
use sha2::digest::common::hazmat::{SerializableState as _, SerializedState};
use sha2::{Digest as _, Sha256};

/// The version of the text. It changes with the layout of the state.
const VERSION: &str = "1";

/// A hash and the number of bytes that it has seen.
#[derive(Debug, Clone, Default)]
pub(crate) struct Saved {
    pub(crate) hash: Sha256,
    pub(crate) length: u64,
}

/// The text of a hash that has seen `length` bytes.
pub(crate) fn save(hash: &Sha256, length: u64) -> HashState {
    let text = format!("{VERSION}:{length}:{}", encode(hash.serialize()));
    let check = check(&text);
    HashState(format!("{text}:{check}"))
}

/// What a text says, if it is one of ours.
pub(crate) fn load(HashState(text): &HashState) -> Option<Saved> {
    let (text, given) = text.rsplit_once(':')?;
    if given != check(text) {
        return None;
    }
    let (length, state) = text
        .strip_prefix(VERSION)?
        .strip_prefix(':')?
        .split_once(':')?;
    let state = SerializedState::<Sha256>::try_from(decode(state).ok()?.as_slice()).ok()?;
    Some(Saved {
        hash: Sha256::deserialize(&state).ok()?,
        length: length.parse().ok()?,
    })
}

fn check(text: &str) -> String {
    encode(&Sha256::digest(text)[..8])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f19_a_hash_goes_on_from_its_text() {
        let bytes: Vec<u8> = (0..1000_u32).map(|n| (n % 251) as u8).collect();
        for cut in [0, 1, 55, 56, 63, 64, 65, 128, 500, 1000] {
            let mut hash = Sha256::new();
            hash.update(&bytes[..cut]);
            let mut saved = load(&save(&hash, cut as u64)).unwrap();
            assert_eq!(saved.length, cut as u64);
            saved.hash.update(&bytes[cut..]);
            assert_eq!(saved.hash.finalize(), Sha256::digest(&bytes), "{cut}");
        }
    }

    #[test]
    fn f19_a_text_that_was_changed_does_not_load() {
        let HashState(text) = save(&Sha256::new_with_prefix("some bytes"), 10);
        assert!(load(&HashState(text.clone())).is_some());
        for at in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[at] ^= 1;
            let changed = String::from_utf8(changed).unwrap();
            assert!(load(&HashState(changed)).is_none(), "{at}");
            assert!(load(&HashState(text[..at].into())).is_none(), "{at}");
        }
    }
}
