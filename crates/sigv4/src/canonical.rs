//! The canonical request and the string to sign, the one author of both for every caller here.
//! Rules: the AWS SigV4 documentation and the published vectors under `tests/vectors`.
//! Works on bytes throughout; it must never judge a request, only write it down.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

use crate::request::is_host;
use crate::{ALGORITHM, PathStyle, Request, Scope};

/// Query parameter that carries the signature and is never part of what is signed.
pub(crate) const SIGNATURE_PARAMETER: &str = "X-Amz-Signature";

/// What is signed of a request, beside the request itself.
pub(crate) struct Signed<'a> {
    /// Names as listed, joined with `;`.
    pub headers: &'a str,
    /// Value of the host line.
    pub host: &'a [u8],
    /// Last line: hex of the payload hash, or its stand-in.
    pub payload: &'a str,
    /// Query parameters left out.
    pub omitted: &'a [&'a str],
    /// How the path is written.
    pub path_style: PathStyle,
}

/// The six lines of the canonical request.
pub(crate) fn canonical_request(request: &Request<'_>, signed: &Signed<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    out.extend_from_slice(request.method.as_bytes());
    out.push(b'\n');
    push_path(&mut out, request.path, signed.path_style);
    out.push(b'\n');
    push_query(&mut out, request, signed.omitted);
    out.push(b'\n');
    push_headers(&mut out, request, signed);
    out.push(b'\n');
    out.extend_from_slice(signed.headers.as_bytes());
    out.push(b'\n');
    out.extend_from_slice(signed.payload.as_bytes());
    out
}

/// The four lines that the key signs; `timestamp` in basic ISO form.
pub(crate) fn string_to_sign(timestamp: &str, scope: &Scope, canonical: &[u8]) -> String {
    let digest = hex::encode(Sha256::digest(canonical));
    format!("{ALGORITHM}\n{timestamp}\n{scope}\n{digest}")
}

/// Percent-encodes the path as it came, so a client's own encoding is encoded once more.
fn push_path(out: &mut Vec<u8>, path: &str, style: PathStyle) {
    if style == PathStyle::AsIs && !path.is_empty() {
        return push_encoded(out, path.as_bytes(), true);
    }
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(kept.pop()),
            other => kept.push(other),
        }
    }
    for segment in &kept {
        out.push(b'/');
        push_encoded(out, segment.as_bytes(), true);
    }
    if kept.is_empty() || path.ends_with('/') {
        out.push(b'/');
    }
}

fn push_query(out: &mut Vec<u8>, request: &Request<'_>, omitted: &[&str]) {
    let mut pairs: Vec<(Vec<u8>, Vec<u8>)> = request
        .parameters()
        .map(|(name, value)| (decode(name), decode(value)))
        .filter(|(name, _)| !omitted.iter().any(|o| o.as_bytes() == &name[..]))
        .map(|(name, value)| (encoded(&name), encoded(&value)))
        .collect();
    pairs.sort_unstable();
    for (at, (name, value)) in pairs.iter().enumerate() {
        if at > 0 {
            out.push(b'&');
        }
        out.extend_from_slice(name);
        out.push(b'=');
        out.extend_from_slice(value);
    }
}

fn push_headers(out: &mut Vec<u8>, request: &Request<'_>, signed: &Signed<'_>) {
    for name in signed.headers.split(';') {
        out.extend_from_slice(name.to_ascii_lowercase().as_bytes());
        out.push(b':');
        if is_host(name) {
            push_trimmed(out, signed.host);
        } else {
            let lines = request
                .headers
                .iter()
                .filter(|(n, _)| n.eq_ignore_ascii_case(name));
            for (at, (_, value)) in lines.enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                push_trimmed(out, value);
            }
        }
        out.push(b'\n');
    }
}

/// Drops blanks at both ends and makes each inner run one space (folded lines included).
fn push_trimmed(out: &mut Vec<u8>, value: &[u8]) {
    let blank = |b: &u8| matches!(b, b' ' | b'\t' | b'\r' | b'\n' | 0x0b | 0x0c);
    for (at, word) in value
        .split(blank)
        .filter(|word| !word.is_empty())
        .enumerate()
    {
        if at > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(word);
    }
}

/// Percent-encodes one query name or value.
pub(crate) fn encoded(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    push_encoded(&mut out, bytes, false);
    out
}

fn push_encoded(out: &mut Vec<u8>, bytes: &[u8], keep_slash: bool) {
    const HEX: [u8; 16] = *b"0123456789ABCDEF";
    for &byte in bytes {
        let plain = byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'.' | b'_' | b'~')
            || (keep_slash && byte == b'/');
        if plain {
            out.push(byte);
        } else {
            out.extend([
                b'%',
                HEX[usize::from(byte >> 4)],
                HEX[usize::from(byte & 15)],
            ]);
        }
    }
}

/// Undoes percent-encoding; `+` stays a plus, and `%` without two hex digits stays itself.
pub(crate) fn decode(text: &str) -> Vec<u8> {
    let mut rest = text.as_bytes();
    let mut out = Vec::with_capacity(rest.len());
    while let Some((&first, after)) = rest.split_first() {
        let escaped = if first == b'%' {
            leading_byte(after)
        } else {
            None
        };
        out.push(escaped.unwrap_or(first));
        rest = if escaped.is_some() {
            &after[2..]
        } else {
            after
        };
    }
    out
}

/// The byte that two hex digits at the start spell.
fn leading_byte(digits: &[u8]) -> Option<u8> {
    let mut byte = [0u8; 1];
    hex::decode_to_slice(digits.get(..2)?, &mut byte).ok()?;
    Some(byte[0])
}

/// Header bytes as text, losing only what no valid credential or date could hold.
pub(crate) fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}
