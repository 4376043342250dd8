//! Pictures for logos: black, of any size, and small enough for the largest to be allowed
//! (PNG second edition 5 and 11.2; RFC 1950 and 1951 with fixed codes).

/// A whole black PNG of this many pixels.
pub fn png(width: u32, height: u32) -> Vec<u8> {
    let mut header = Vec::new();
    header.extend(width.to_be_bytes());
    header.extend(height.to_be_bytes());
    // Eight bits of grey, no interlacing.
    header.extend([8, 0, 0, 0, 0]);
    // Each line starts with its filter, which is zero like all its pixels.
    let zeros = (width + 1) * height;
    let mut bytes = vec![0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n'];
    bytes.extend(chunk(b"IHDR", &header));
    bytes.extend(chunk(b"IDAT", &zlib_of_zeros(zeros)));
    bytes.extend(chunk(b"IEND", &[]));
    bytes
}

fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(data.len())
        .expect("a length")
        .to_be_bytes()
        .to_vec();
    let summed = [kind, data].concat();
    bytes.extend(&summed);
    bytes.extend(crc32(&summed).to_be_bytes());
    bytes
}

/// Bits in the order of deflate: the lowest of each byte first.
#[derive(Default)]
struct Bits(Vec<bool>);

impl Bits {
    /// A Huffman code, its highest bit first.
    fn code(&mut self, code: u32, length: u32) {
        let bits = (0..length).rev().map(|at| code >> at & 1 == 1);
        self.0.extend(bits);
    }

    fn bytes(&self) -> Vec<u8> {
        let byte = |bits: &[bool]| {
            let set = bits.iter().enumerate().filter(|(_, bit)| **bit);
            set.map(|(at, _)| 1_u8 << at).sum()
        };
        self.0.chunks(8).map(byte).collect()
    }
}

fn zlib_of_zeros(count: u32) -> Vec<u8> {
    let mut bits = Bits::default();
    // The last block, with fixed codes (01, lowest bit first).
    bits.0.extend([true, true, false]);
    let repeats = (count - 1) / 258;
    for _ in 0..count - 258 * repeats {
        bits.code(0b0011_0000, 8);
    }
    for _ in 0..repeats {
        // 258 times the byte before.
        bits.code(0b1100_0101, 8);
        bits.code(0, 5);
    }
    bits.code(0, 7);
    let mut bytes = vec![0x78, 0x01];
    bytes.extend(bits.bytes());
    let adler = (count % 65_521) << 16 | 1;
    bytes.extend(adler.to_be_bytes());
    bytes
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            let reduced = if crc & 1 == 1 { 0xedb8_8320 } else { 0 };
            crc >> 1 ^ reduced
        })
    };
    !bytes.iter().fold(u32::MAX, step)
}
