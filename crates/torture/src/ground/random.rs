//! A small seeded source of numbers (SplitMix64): the same seed gives the same numbers.

use bytes::Bytes;

/// The source.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// A source of its own for each seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn next_number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next_number() % end
    }

    /// Whether something that happens once in `n` times happens.
    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// One of these, none of none.
    pub fn pick<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        let at = self.below((all.len() as u64).max(1));
        all.get(usize::try_from(at).unwrap_or(0))
    }
}

/// Bytes that do not compress; the same for the same name and length.
pub fn bytes_of(name: &str, length: usize) -> Bytes {
    let fold = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    let mut random = Random::new(name.bytes().fold(7, fold));
    let words = length.div_ceil(8);
    let mut bytes: Vec<u8> = (0..words)
        .flat_map(|_| random.next_number().to_le_bytes())
        .collect();
    bytes.truncate(length);
    bytes.into()
}
