//! `Range` and `Content-Range`. The first eight bytes are the length of the blob.

use roadstead_http::oci::range::{Chunk, Selected, received, select};

/// What is selected lies inside the blob, and chunks are as they print.
pub fn check(data: &[u8]) {
    let (length, header) = data.split_at(data.len().min(8));
    let length = length
        .iter()
        .fold(0, |sum: u64, byte| sum << 8 | u64::from(*byte));
    let Some(header) = crate::text(header) else {
        return;
    };
    match select(Some(header), length) {
        Selected::Part(part) => {
            assert!(
                part.start < part.end && part.end <= length,
                "{header:?} of {length}"
            );
            let printed = format!("bytes={}-{}", part.start, part.end - 1);
            assert_eq!(select(Some(&printed), length), Selected::Part(part));
        }
        Selected::Whole | Selected::Unsatisfiable => {}
    }
    if let Some(chunk) = Chunk::parse(header) {
        assert!(chunk.first_byte <= chunk.last_byte && chunk.bytes() > 0);
        let (first, last) = (chunk.first_byte, chunk.last_byte);
        for printed in [format!("{first}-{last}"), format!("bytes {first}-{last}/*")] {
            assert_eq!(Chunk::parse(&printed), Some(chunk));
        }
    }
    assert!(Chunk::parse(&received(length)).is_some() || length == 0 || length == u64::MAX);
}
