//! Byte ranges: `Range` of a download (RFC 9110 section 14) and `Content-Range` of an upload (OCI
//! distribution-spec, "Pushing a blob in chunks"): pure, and no text overflows.

use std::ops::Range;

/// What to send of something `length` bytes long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selected {
    /// All of it, with 200: no range was asked for, or one that may be ignored.
    Whole,
    /// This part, with 206.
    Part(Range<u64>),
    /// Nothing, with 416: the range cannot be read or lies behind the end.
    Unsatisfiable,
}

/// Reads a `Range` header. Several ranges are answered with the whole, which RFC 9110 allows.
pub fn select(header: Option<&str>, length: u64) -> Selected {
    let Some((unit, ranges)) = header.and_then(|text| text.split_once('=')) else {
        return Selected::Whole;
    };
    if !unit.trim().eq_ignore_ascii_case("bytes") || ranges.contains(',') {
        return Selected::Whole;
    }
    part(ranges.trim(), length)
        .filter(|part| !part.is_empty())
        .map_or(Selected::Unsatisfiable, Selected::Part)
}

fn part(range: &str, length: u64) -> Option<Range<u64>> {
    match range.split_once('-')? {
        ("", suffix) => Some(length.saturating_sub(number(suffix)?)..length),
        (first, "") => Some(number(first)?..length),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then(|| first..last.saturating_add(1).min(length))
        }
    }
}

/// Digits only; a number that is too long is as large as any.
fn number(text: &str) -> Option<u64> {
    let is_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_digits.then(|| text.parse().unwrap_or(u64::MAX))
}

/// The bytes that one request adds to an upload; both ends belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk {
    /// Its first byte.
    pub first_byte: u64,
    /// Its last byte, not before the first.
    pub last_byte: u64,
}

impl Chunk {
    /// Reads `<first>-<last>`, also in the form of RFC 9110, `bytes <first>-<last>/<length or *>`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = match text.trim().strip_prefix("bytes ") {
            Some(range) => range.split_once('/').map_or(range, |(range, _)| range),
            None => text.trim(),
        };
        let (first, last) = text.split_once('-')?;
        let exact = |text: &str| number(text).filter(|number| *number != u64::MAX);
        let (first_byte, last_byte) = (exact(first)?, exact(last)?);
        (first_byte <= last_byte).then_some(Self {
            first_byte,
            last_byte,
        })
    }

    /// Its length in bytes, at least one.
    pub fn bytes(self) -> u64 {
        self.last_byte - self.first_byte + 1
    }
}

/// The `Range` header of an upload that holds `received_bytes`. An empty one says `0-0`, as ECR
/// does (ecr.md 9.5).
pub fn received(received_bytes: u64) -> String {
    format!("0-{}", received_bytes.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn b8_ranges_of_ten_bytes() {
        use Selected::{Part, Unsatisfiable, Whole};
        for (header, expected) in [
            ("bytes=0-0", Part(0..1)),
            ("bytes=2-5", Part(2..6)),
            ("bytes=2-", Part(2..10)),
            ("bytes=9-", Part(9..10)),
            ("bytes=2-99999999999999999999999", Part(2..10)),
            ("bytes=0-18446744073709551615", Part(0..10)),
            ("bytes=-3", Part(7..10)),
            ("bytes=-99999999", Part(0..10)),
            ("Bytes = 1-2", Part(1..3)),
            ("bytes=-0", Unsatisfiable),
            ("bytes=10-", Unsatisfiable),
            ("bytes=10-20", Unsatisfiable),
            ("bytes=18446744073709551615-", Unsatisfiable),
            ("bytes=99999999999999999999999-", Unsatisfiable),
            ("bytes=5-2", Unsatisfiable),
            ("bytes=-", Unsatisfiable),
            ("bytes=", Unsatisfiable),
            ("bytes=a-b", Unsatisfiable),
            ("bytes=0--1", Unsatisfiable),
            ("bytes=+1-2", Unsatisfiable),
            ("bytes=0-0,5-9", Whole),
            ("items=0-1", Whole),
            ("bytes", Whole),
            ("", Whole),
        ] {
            assert_eq!(select(Some(header), 10), expected, "{header}");
        }
        assert_eq!(select(None, 10), Whole);
        assert_eq!(select(Some("bytes=0-"), 0), Unsatisfiable);
        assert_eq!(select(Some("bytes=-1"), 0), Unsatisfiable);
    }

    #[test]
    fn chunks() {
        let chunk = |first_byte, last_byte| {
            Some(Chunk {
                first_byte,
                last_byte,
            })
        };
        for (text, expected) in [
            ("0-0", chunk(0, 0)),
            ("5-9", chunk(5, 9)),
            ("bytes 5-9/10", chunk(5, 9)),
            ("bytes 5-9/*", chunk(5, 9)),
            ("0--1", None),
            ("9-5", None),
            ("-5", None),
            ("5-", None),
            ("5", None),
            ("", None),
            ("0-18446744073709551615", None),
            ("0-99999999999999999999999", None),
            ("bytes=0-1", None),
            ("0-1-2", None),
            ("+0-1", None),
        ] {
            assert_eq!(Chunk::parse(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_part_lies_within_the_blob(header in "(bytes=)?[0-9]{0,22}-?[0-9]{0,22}", length: u64) {
            if let Selected::Part(part) = select(Some(&header), length) {
                prop_assert!(part.start < part.end && part.end <= length);
            }
        }

        #[test]
        fn the_part_asked_for_is_the_part_given(first: u64, more: u64, length: u64) {
            let last = first.saturating_add(more);
            let expected = if first < length {
                Selected::Part(first..last.min(length - 1) + 1)
            } else {
                Selected::Unsatisfiable
            };
            prop_assert_eq!(select(Some(&format!("bytes={first}-{last}")), length), expected);
        }

        #[test]
        fn any_text_is_safe(text: String, length: u64) {
            let _ = select(Some(&text), length);
            if let Some(chunk) = Chunk::parse(&text) {
                prop_assert!(chunk.bytes() > 0);
            }
        }
    }
}
