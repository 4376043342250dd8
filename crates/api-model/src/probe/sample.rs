//! Values that conform to a shape, of a wanted length where that can be had.
//! Strings with a pattern come from a list of stems: the first that the pattern takes is used, so
//! that a changed model is followed. A test asserts that every pattern finds one.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::facts::shape::Kind;
use crate::facts::{Facts, Shape};

/// Beginnings of strings, each with the character that may follow it any number of times.
const STEMS: [(&str, char); 9] = [
    ("", 'a'),
    ("aa", 'a'),
    ("sha256:", 'a'),
    ("123456789012", '1'),
    ("01234567-89ab-cdef-0123-456789abcdef", '0'),
    ("arn:aws:iam::123456789012:role/", 'a'),
    ("arn:aws:kms:us-east-1:123456789012:key/", 'a'),
    (
        "arn:aws:secretsmanager:us-east-1:secret:ecr-pullthroughcache/",
        'a',
    ),
    (
        "arn:aws:signer:us-east-1:123456789012:/signing-profiles/",
        'a',
    ),
];

/// How far past its stem a shortest text is looked for.
const FILL_MAX: usize = 4;

/// Characters of which one at the end spoils a text for its pattern.
const SPOILERS: [char; 5] = ['!', ' ', '~', '\n', 'z'];

/// The smallest conforming value: required members only, no elements unless the shape wants some.
pub(super) fn minimal_value(facts: &'static Facts, name: &str) -> Value {
    let Some(shape) = facts.shape(name) else {
        return Value::Null;
    };
    let kind = shape.facts();
    let least = kind.min.unwrap_or(0).max(0);
    match kind.kind {
        Kind::Structure => {
            let required = kind.members.iter().filter(|member| member.required);
            let value_of = |shape: &str| minimal_value(facts, shape);
            Value::Object(
                required
                    .map(|m| (m.name.clone(), value_of(&m.shape)))
                    .collect::<Map<_, _>>(),
            )
        }
        Kind::List => {
            let element = kind
                .element
                .as_deref()
                .map_or(Value::Null, |e| minimal_value(facts, e));
            repeated(&element, least)
        }
        Kind::Map => json!({}),
        Kind::String => shortest_text(shape).map_or(Value::Null, Value::String),
        Kind::Integer | Kind::Long => json!(kind.min.unwrap_or(1)),
        Kind::Blob => blob(least.max(1)),
        Kind::Boolean => json!(true),
        Kind::Double | Kind::Float | Kind::Timestamp => json!(1_504_295_007.25),
    }
}

/// `n` times the same element.
pub(super) fn repeated(element: &Value, n: i64) -> Value {
    Value::Array(vec![element.clone(); usize::try_from(n).unwrap_or(0)])
}

/// `n` zero bytes in base64.
pub(super) fn blob(n: i64) -> Value {
    Value::String(STANDARD.encode(vec![0; usize::try_from(n).unwrap_or(0)]))
}

/// A conforming text, as short as one can easily be, but not empty.
pub(super) fn shortest_text(shape: &Shape) -> Option<String> {
    let facts = shape.facts();
    if let Some(value) = facts.enum_values.first() {
        return Some(value.clone());
    }
    let least = usize::try_from(facts.min.unwrap_or(1).max(1)).ok()?;
    STEMS
        .iter()
        .flat_map(|stem| (0..FILL_MAX).map(move |fill| (stem, stem.0.len().max(least) + fill)))
        .filter_map(|(stem, n)| filled(*stem, n))
        .find(|text| takes(shape, text))
}

/// A text of `n` characters that matches the shape's pattern; its bounds are not looked at.
pub(super) fn text_of_length(shape: &Shape, n: i64) -> Option<String> {
    let n = usize::try_from(n).ok()?;
    STEMS
        .iter()
        .filter_map(|stem| filled(*stem, n))
        .find(|text| takes(shape, text))
}

/// A text within the shape's bounds that its pattern does not match.
pub(super) fn broken_text(shape: &Shape) -> Option<String> {
    shape.facts().pattern.as_ref()?;
    let mut text = shortest_text(shape)?;
    text.pop();
    SPOILERS
        .iter()
        .map(|spoiler| format!("{text}{spoiler}"))
        .find(|text| !takes(shape, text))
}

fn takes(shape: &Shape, text: &str) -> bool {
    shape.facts().pattern.is_none() || shape.regex().is_some_and(|regex| regex.is_match(text))
}

fn filled((stem, fill): (&str, char), n: usize) -> Option<String> {
    let missing = n.checked_sub(stem.len())?;
    Some(
        stem.chars()
            .chain(std::iter::repeat_n(fill, missing))
            .collect(),
    )
}
