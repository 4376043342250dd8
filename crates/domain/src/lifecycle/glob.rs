//! Wildcards of `tagPatternList`: `*` stands for any run of bytes, everything else for itself.
//!
//! The lowest part of the lifecycle engine. It never backtracks further than the last star, so that
//! a pattern costs at most its length times that of the tag.

/// Whether the whole of `text` matches `pattern`.
pub(super) fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    // After the last star: where the pattern goes on, and where the text did when it was tried.
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                p += 1;
                retry = Some((p, t));
            }
            Some(byte) if *byte == text[t] => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((after_star, tried)) = retry else {
                    return false;
                };
                p = after_star;
                t = tried + 1;
                retry = Some((p, t));
            }
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn stars_and_literals() {
        for (pattern, text, expected) in [
            // lifecycle.md 7.1: D13, D14, I09, I11, I12, I13, I15.
            ("prod*", "prod", true),
            ("prod*", "repo-production", false),
            ("*prod*", "repo-production", true),
            ("*prod*", "pro-d", false),
            ("latest", "latest", true),
            ("latest", "latest-2", false),
            ("latest", "my-latest", false),
            ("v1.0_*", "v1x0_a", false),
            ("*-rc*", "-rc", true),
            ("*-rc*", "v1rc", false),
            ("*a*b*a*", "xaybza", true),
            ("*a*b*a*", "aab", false),
            ("*a*b*a*", "aba", true),
            ("*a*b*a*", "bab", false),
            ("aba*aba", "ababa", false),
            ("aba*aba", "abaaba", true),
            ("", "", true),
            ("", "a", false),
            ("a", "", false),
            ("*", "", true),
            ("****", "a", true),
            ("a**b", "ab", true),
            ("*ab", "aab", true),
            ("*ab", "aba", false),
            ("?", "a", false),
            ("[a]", "a", false),
            ("A", "a", false),
        ] {
            let found = matches(pattern.as_bytes(), text.as_bytes());
            assert_eq!(found, expected, "{pattern:?} on {text:?}");
        }
    }

    /// What the definition says, letter by letter.
    fn slowly(pattern: &[u8], text: &[u8]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some((b'*', rest)) => (0..=text.len()).any(|at| slowly(rest, &text[at..])),
            Some((byte, rest)) => text.first() == Some(byte) && slowly(rest, &text[1..]),
        }
    }

    #[test]
    fn every_short_pattern_on_every_short_text() {
        let words = |letters: &[u8], length: u32| -> Vec<Vec<u8>> {
            let base = letters.len();
            (0..base.pow(length))
                .map(|n| {
                    let digit = |at| letters[n / base.pow(at) % base];
                    (0..length).map(digit).collect()
                })
                .collect()
        };
        let texts: Vec<_> = (0..=6).flat_map(|length| words(b"ab", length)).collect();
        for pattern in (0..=5).flat_map(|length| words(b"ab*", length)) {
            for text in &texts {
                assert_eq!(
                    matches(&pattern, text),
                    slowly(&pattern, text),
                    "{pattern:?} on {text:?}"
                );
            }
        }
    }

    #[test]
    fn a_hostile_pattern_is_cheap() {
        let pattern = b"*a".repeat(64);
        let text = b"ab".repeat(64);
        assert!(!matches(&pattern, &text));
    }
}
