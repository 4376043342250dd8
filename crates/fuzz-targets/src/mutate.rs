//! Changes of inputs, the same ones for the same seed: what fuzzing does, without its guidance.

/// A stream of numbers from a seed (xorshift64*).
pub struct Seeded(u64);

impl Seeded {
    /// A stream; a seed of 0 is taken for another one.
    pub fn new(seed: u64) -> Self {
        Self(seed.max(1))
    }

    /// The next number below `end`, 0 if there is none.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16;
        usize::try_from(drawn % (end.max(1) as u64)).unwrap_or(0)
    }

    /// One to eight changes of one input out of `corpus`, with words of `dictionary`.
    pub fn mutated(&mut self, corpus: &[Vec<u8>], dictionary: &[Vec<u8>]) -> Vec<u8> {
        let mut data = self.one_of(corpus);
        for _ in 0..=self.below(8) {
            self.change(&mut data, corpus, dictionary);
        }
        data
    }

    fn one_of(&mut self, list: &[Vec<u8>]) -> Vec<u8> {
        list.get(self.below(list.len()))
            .cloned()
            .unwrap_or_default()
    }

    fn change(&mut self, data: &mut Vec<u8>, corpus: &[Vec<u8>], dictionary: &[Vec<u8>]) {
        let at = self.below(data.len() + 1);
        let end = at + self.below(16.min(data.len() - at + 1));
        match self.below(8) {
            0 => drop(data.drain(at..end)),
            1 => {
                let repeated = data[at..end].to_vec();
                data.splice(at..at, repeated);
            }
            2 => {
                let word = self.one_of(dictionary);
                data.splice(at..end, word);
            }
            3 => {
                let word = self.one_of(dictionary);
                data.splice(at..at, word);
            }
            4 => {
                let mut other = self.one_of(corpus);
                let from = self.below(other.len() + 1);
                data.truncate(at);
                data.extend(other.drain(from..));
            }
            5 => {
                if let Some(byte) = data.get_mut(at) {
                    *byte ^= 1 << self.below(8);
                }
            }
            6 => {
                if let Some(byte) = data.get_mut(at) {
                    *byte = self.below(256) as u8;
                }
            }
            _ => {
                let byte = b"0-9/*.:{}[]\"%\\ \0"[self.below(16)];
                data.insert(at, byte);
            }
        }
    }
}
