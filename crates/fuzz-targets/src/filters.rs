//! Filters of tags: a pattern, a line end, a tag.

use roadstead_domain::tagging::ExclusionFilter;

/// A filter matches as the definition of its star says, worked out the slow way.
pub fn check(data: &[u8]) {
    let Some((pattern, tag)) = crate::text(data).and_then(|text| text.split_once('\n')) else {
        return;
    };
    let Ok(filter) = ExclusionFilter::parse(pattern) else {
        return;
    };
    assert_eq!(filter.as_str(), pattern);
    assert!(
        filter.matches(&pattern.replace('*', "")),
        "a star may stand for nothing"
    );
    // A tag has no more characters than that.
    let tag: String = tag.chars().take(300).collect();
    assert_eq!(
        filter.matches(&tag),
        slowly(pattern.as_bytes(), tag.as_bytes())
    );
}

/// By the table of which beginnings of the pattern match which beginnings of the text.
fn slowly(pattern: &[u8], text: &[u8]) -> bool {
    let mut row = vec![false; text.len() + 1];
    row[0] = true;
    for letter in pattern {
        let mut next = vec![false; text.len() + 1];
        if *letter == b'*' {
            let mut any = false;
            for (at, is_match) in row.iter().enumerate() {
                any |= is_match;
                next[at] = any;
            }
        } else {
            for (at, found) in text.iter().enumerate() {
                next[at + 1] = row[at] && found == letter;
            }
        }
        row = next;
    }
    row[text.len()]
}
