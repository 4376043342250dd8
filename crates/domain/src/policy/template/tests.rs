//! Wildcards and variables, by hand and against the definition.

use std::borrow::Cow;
use std::collections::HashMap;

use super::{Glyph, Letters, Syntax, Template, Variables, matches};

#[derive(Default)]
struct Values(HashMap<&'static str, &'static str>);

impl Variables for Values {
    fn single(&self, key: &str) -> Option<Cow<'_, str>> {
        self.0.get(key).map(|value| Cow::Borrowed(*value))
    }
}

const ALL: Syntax = Syntax {
    has_wildcards: true,
    has_variables: true,
};
const PLAIN: Syntax = Syntax {
    has_wildcards: false,
    has_variables: false,
};

fn meets(template: &str, syntax: Syntax, text: &str) -> bool {
    let values = Values(HashMap::from([
        ("aws:username", "alice"),
        ("aws:principaltag/star", "*"),
        ("aws:principaltag/empty", ""),
    ]));
    let template = Template::parse(template, syntax).unwrap();
    template.matches(text, Letters::Exact, &values)
}

#[test]
fn wildcards() {
    for (template, text, expected) in [
        ("", "", true),
        ("", "a", false),
        ("*", "", true),
        ("*", "a/b:c", true),
        ("?", "", false),
        ("?", "é", true),
        ("??", "é", false),
        ("*?", "é", true),
        ("a*c", "abcbc", true),
        ("a*c", "abcb", false),
        ("a?c", "abc", true),
        ("a?c", "ac", false),
        ("*é?", "ééx", true),
        ("A", "a", false),
        ("team/*", "team/", true),
        ("*a*b", "xaxbxb", true),
        ("*a*b", "xaxbxc", false),
    ] {
        assert_eq!(meets(template, ALL, text), expected, "{template} on {text}");
    }
}

#[test]
fn variables() {
    for (template, text, expected) in [
        ("home/${aws:username}", "home/alice", true),
        ("home/${AWS:UserName}/*", "home/alice/x", true),
        ("home/${aws:username}", "home/bob", false),
        ("${aws:principaltag/star}", "*", true),
        ("${aws:principaltag/star}", "anything", false),
        ("a${aws:principaltag/empty}b", "ab", true),
        ("${aws:PrincipalTag/none}", "", false),
        (
            "${aws:PrincipalTag/none}",
            "${aws:PrincipalTag/none}",
            false,
        ),
        ("*${aws:PrincipalTag/none}*", "anything", false),
        ("${aws:PrincipalTag/none, 'all}*'}", "all}*", true),
        ("${aws:PrincipalTag/none, 'all}*'}", "all}x", false),
        ("${aws:PrincipalTag/none,''}x", "x", true),
        ("${aws:username, 'bob'}", "alice", true),
        ("${aws:username, 'bob'}", "bob", false),
        ("${*}${?}${$}{", "*?${", true),
        ("${*}", "a", false),
        ("$username}", "$username}", true),
    ] {
        assert_eq!(meets(template, ALL, text), expected, "{template} on {text}");
    }
}

#[test]
fn plain_text_where_nothing_is_special() {
    for text in ["${aws:username}", "a*?", "${", "${*}"] {
        assert!(meets(text, PLAIN, text));
        assert!(!meets(text, PLAIN, "alice"));
    }
    let wild = Syntax {
        has_wildcards: true,
        has_variables: false,
    };
    assert!(meets("${*}", wild, "${anything}"));
}

#[test]
fn ill_formed_variables_are_refused() {
    for text in [
        "${",
        "${}",
        "${aws:username",
        "${ aws:username}",
        "${a${b}}",
        "${aws:username,}",
        "${aws:username, all}",
        "${aws:username, 'all}",
        "${aws:username, 'all' x}",
        "${aws:username, 'all'",
    ] {
        assert!(Template::parse(text, ALL).is_err(), "{text}");
    }
}

#[test]
fn parts_end_at_colons_of_the_text_only() {
    let parts = Template::parse_parts("a:${aws:username}:c:d", ALL, 3).unwrap();
    let values = Values(HashMap::from([("aws:username", "x:y")]));
    let texts = ["a", "x:y", "c:d"];
    assert_eq!(parts.len(), texts.len());
    for (part, text) in parts.iter().zip(texts) {
        assert!(part.matches(text, Letters::Exact, &values), "{text}");
    }
}

/// What the definition says, character by character.
fn slowly(pattern: &[Glyph], text: &[char]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, _) => text.is_empty(),
        (Some((Glyph::AnyRun, rest)), _) => (0..=text.len()).any(|at| slowly(rest, &text[at..])),
        (Some((Glyph::AnyOne, rest)), Some((_, text))) => slowly(rest, text),
        (Some((Glyph::Is(letter), rest)), Some((next, text))) => {
            letter == next && slowly(rest, text)
        }
        (Some(_), None) => false,
    }
}

#[test]
fn every_short_pattern_on_every_short_text() {
    fn words<T: Copy>(letters: &[T], length: u32) -> impl Iterator<Item = Vec<T>> {
        let base = letters.len();
        (0..base.pow(length)).map(move |n| {
            let digit = |at| letters[n / base.pow(at) % base];
            (0..length).map(digit).collect()
        })
    }
    let glyphs = [Glyph::Is('a'), Glyph::Is('é'), Glyph::AnyOne, Glyph::AnyRun];
    let texts: Vec<Vec<char>> = (0..=5).flat_map(|n| words(&['a', 'é'], n)).collect();
    for pattern in (0..=5).flat_map(|n| words(&glyphs, n)) {
        for text in &texts {
            let whole: String = text.iter().collect();
            let found = matches(&pattern, &whole, Letters::Exact);
            assert_eq!(found, slowly(&pattern, text), "{pattern:?} on {whole:?}");
        }
    }
}
