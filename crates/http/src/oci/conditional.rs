//! Conditional requests (RFC 9110 section 13): pure.
//!
//! What a digest names never changes, so the digest is the entity tag. Dates are not offered.

use http::HeaderMap;
use http::header::{HeaderName, IF_NONE_MATCH, IF_RANGE};
use roadstead_domain::digest::Digest;

/// The entity tag of what has this digest.
pub fn entity_tag(digest: &Digest) -> String {
    ["\"", digest.as_str(), "\""].concat()
}

/// Whether the caller has these bytes already (`If-None-Match`, section 13.1.2): answered with 304.
pub fn is_known(headers: &HeaderMap, digest: &Digest) -> bool {
    if !headers.contains_key(IF_NONE_MATCH) {
        return false;
    }
    let own = entity_tag(digest);
    lines(headers, &IF_NONE_MATCH).any(|line| {
        let mut tags = line.split(',').map(str::trim);
        // Weak comparison: equal but for the mark of weakness.
        tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == own)
    })
}

/// Whether `Range` counts: it does not if `If-Range` names other bytes, or a date (section 13.1.5).
pub fn is_range_wanted(headers: &HeaderMap, digest: &Digest) -> bool {
    let own = entity_tag(digest);
    lines(headers, &IF_RANGE).all(|line| line.trim() == own)
}

fn lines<'h>(headers: &'h HeaderMap, name: &'h HeaderName) -> impl Iterator<Item = &'h str> {
    // What is not text names nothing of ours.
    let values = headers.get_all(name).into_iter();
    values.map(|value| value.to_str().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(&name, line.parse().unwrap());
        }
        headers
    }

    #[test]
    fn entity_tags_are_compared_weakly() {
        let digest = Digest::sha256(b"known");
        let (own, other) = (entity_tag(&digest), entity_tag(&Digest::sha256(b"other")));
        let weak = format!("W/{own}");
        let bare = own.trim_matches('"');
        for (lines, expected) in [
            (&[own.as_str()][..], true),
            (&[&weak], true),
            (&["*"], true),
            (&[&other, &own], true),
            (&[&format!("{other} , {weak}")], true),
            (&[&format!("\"a\",{own},\"b\"")], true),
            (&[&other], false),
            (&[bare], false),
            (&[&own[..10]], false),
            (&["w/*", ""], false),
            (&[], false),
        ] {
            let headers = headers(IF_NONE_MATCH, lines);
            assert_eq!(is_known(&headers, &digest), expected, "{lines:?}");
        }
    }

    #[test]
    fn a_range_is_for_the_bytes_that_the_caller_has() {
        let digest = Digest::sha256(b"known");
        let own = entity_tag(&digest);
        for (lines, expected) in [
            (&[][..], true),
            (&[own.as_str()], true),
            // Strong comparison.
            (&[&format!("W/{own}")], false),
            (&["\"other\""], false),
            (&["Wed, 21 Oct 2026 07:28:00 GMT"], false),
        ] {
            let headers = headers(IF_RANGE, lines);
            assert_eq!(is_range_wanted(&headers, &digest), expected, "{lines:?}");
        }
    }
}
