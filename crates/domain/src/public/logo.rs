//! Logos of public repositories: PNG images of bounded size (ECR Public user guide, "Repository
//! catalog data"). Only what tells the size of a picture is read; nothing is decoded.

use std::fmt;

use crate::ids::{Malformed, text_newtype, uuid_text};

/// Most bytes of a logo (`LogoImageBlob` in the ECR Public API model).
pub const LOGO_BYTES_MAX: usize = 512_000;
/// Fewest pixels of a side.
pub const LOGO_SIDE_PIXELS_MIN: u32 = 60;
/// Most pixels of a side.
pub const LOGO_SIDE_PIXELS_MAX: u32 = 2048;

text_newtype! {
    /// The last part of `logoUrl`, fresh for every logo: a lower-case UUID.
    LogoId
}

impl LogoId {
    /// Makes an id from 128 random bits.
    pub fn from_random(bits: u128) -> Self {
        Self(uuid_text(bits).into())
    }

    /// Takes an id that [`Self::from_random`] made; another text names no logo.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let is_valid = text.len() == 36
            && text
                .bytes()
                .all(|b| b == b'-' || b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        match is_valid {
            true => Ok(Self(text.into())),
            false => Err(Malformed("logo id")),
        }
    }
}

/// Why bytes are no logo. `Display` is ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogoRefusal {
    /// Too many bytes.
    #[error("a logo has at most {LOGO_BYTES_MAX} bytes")]
    TooLong,
    /// Not the start of a PNG image.
    #[error("a logo is a PNG image")]
    NotPng,
    /// A side is too short or too long.
    #[error(
        "each side of a logo has {LOGO_SIDE_PIXELS_MIN} to {LOGO_SIDE_PIXELS_MAX} pixels, not {width} by {height}"
    )]
    Size {
        /// Pixels.
        width: u32,
        /// Pixels.
        height: u32,
    },
}

/// Checks bytes that are to be a logo: their number, the PNG signature, the size in its IHDR chunk,
/// and the IEND chunk at the end (PNG specification, 5.2 and 11.2.2).
pub fn check_logo(bytes: &[u8]) -> Result<(), LogoRefusal> {
    const HEAD: &[u8] = b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR";
    const END: &[u8] = b"\x00\x00\x00\x00IEND\xae\x42\x60\x82";
    if bytes.len() > LOGO_BYTES_MAX {
        return Err(LogoRefusal::TooLong);
    }
    let size = bytes.strip_prefix(HEAD).and_then(|rest| {
        let (width, rest) = rest.split_first_chunk()?;
        let (height, _) = rest.split_first_chunk()?;
        Some((u32::from_be_bytes(*width), u32::from_be_bytes(*height)))
    });
    let (width, height) = size
        .filter(|_| bytes.ends_with(END))
        .ok_or(LogoRefusal::NotPng)?;
    let is_fit = |side| (LOGO_SIDE_PIXELS_MIN..=LOGO_SIDE_PIXELS_MAX).contains(&side);
    match is_fit(width) && is_fit(height) {
        true => Ok(()),
        false => Err(LogoRefusal::Size { width, height }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR".to_vec();
        bytes.extend(width.to_be_bytes());
        bytes.extend(height.to_be_bytes());
        bytes.extend(b"\x08\x06\x00\x00\x00crc!");
        bytes.extend(b"\x00\x00\x00\x00IEND\xae\x42\x60\x82");
        bytes
    }

    #[test]
    fn logos() {
        assert_eq!(check_logo(&png(60, 2048)), Ok(()));
        for (width, height) in [(59, 60), (60, 2049), (0, 0)] {
            let refusal = LogoRefusal::Size { width, height };
            assert_eq!(check_logo(&png(width, height)), Err(refusal));
        }
        let mut long = png(60, 60);
        long.splice(20..20, vec![0; LOGO_BYTES_MAX]);
        assert_eq!(check_logo(&long), Err(LogoRefusal::TooLong));
        let whole = png(60, 60);
        for bad in [&b""[..], b"GIF89a", &whole[..20], &whole[..whole.len() - 1]] {
            assert_eq!(check_logo(bad), Err(LogoRefusal::NotPng));
        }
    }
}
