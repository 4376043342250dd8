//! Percent-encoding of path segments and query values (RFC 3986 section 2.1).
//!
//! Text is decoded exactly once and never normalised: what a second decoding would show must not
//! be what authorisation is asked about.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Decodes every `%XX`. None if one is cut short or not hex, or if the bytes are not UTF-8.
pub fn decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(text.into());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let (high, low) = (hex(rest.next()?)?, hex(rest.next()?)?);
            bytes.push(high << 4 | low);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok().map(Cow::from)
}

/// Encodes everything but unreserved characters.
pub fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoded_once_or_not_at_all() {
        for (text, expected) in [
            ("app", Some("app")),
            ("sha256%3Aabc", Some("sha256:abc")),
            ("%252e", Some("%2e")),
            ("a%2Fb", Some("a/b")),
            ("%C3%A9", Some("é")),
            ("%", None),
            ("%4", None),
            ("%zz", None),
            ("%+1", None),
            ("%ff", None),
        ] {
            assert_eq!(decode(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn encoding_is_undone_by_decoding() {
        let text = "application/vnd.x+json; é %2f";
        assert_eq!(decode(&encode(text)).as_deref(), Some(text));
        assert_eq!(encode("a+b/c"), "a%2Bb%2Fc");
    }
}
