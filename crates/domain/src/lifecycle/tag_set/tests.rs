//! What is said about two entries, against every short text written out.

use proptest::prelude::*;

use super::*;

/// The meaning of a pattern, as directly as it can be said.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_at_checked(1) {
        None => text.is_empty(),
        Some(("*", rest)) => (0..=text.len()).any(|taken| fits(rest, &text[taken..])),
        Some((c, rest)) => text.strip_prefix(c).is_some_and(|text| fits(rest, text)),
    }
}

fn texts(longest: usize) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut from = 0;
    for _ in 0..longest {
        let to = all.len();
        for index in from..to {
            for c in ['a', 'b', 'c'] {
                all.push(format!("{}{c}", all[index]));
            }
        }
        from = to;
    }
    all
}

proptest! {
    #[test]
    fn containing_and_meeting_are_what_the_texts_say(a in "[ab*]{0,4}", b in "[ab*]{0,4}") {
        let (first, second) = (TagSet::pattern(&a), TagSet::pattern(&b));
        // With a letter that no pattern holds, a text of both lengths together tells all.
        let texts = texts(a.len() + b.len());
        let contains = texts.iter().all(|text| !fits(&b, text) || fits(&a, text));
        let meets = texts.iter().any(|text| fits(&a, text) && fits(&b, text));
        prop_assert_eq!(first.contains(&second), contains);
        prop_assert_eq!(first.meets(&second), meets);
        prop_assert_eq!(second.meets(&first), meets);
    }
}

#[test]
fn a_prefix_takes_its_star_literally() {
    let starred = TagSet::prefix("v*");
    assert!(!starred.is_possible());
    assert!(!starred.meets(&TagSet::pattern("v1*")));
    assert!(TagSet::prefix("v").contains(&TagSet::pattern("v*.1")));
    assert!(TagSet::prefix("").is_everything());
    assert!(TagSet::pattern("**").is_everything());
}

#[test]
fn which_entries_no_tag_can_meet() {
    for (pattern, possible) in [
        ("*", true),
        ("v*.-_", true),
        (".hidden", true),
        ("", false),
        ("a b", false),
        ("rel/*", false),
        ("v?", false),
        ("\u{e9}*", false),
    ] {
        assert_eq!(
            TagSet::pattern(pattern).is_possible(),
            possible,
            "{pattern}"
        );
    }
    assert!(TagSet::prefix(&"a".repeat(300)).is_possible());
    assert!(!TagSet::prefix(&"a".repeat(301)).is_possible());
}
