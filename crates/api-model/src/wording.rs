//! The text that AWS gives for a refusal.
//! Captured wordings and their evidence are in `models/quirks.toml`; ECR Public and Lightsail are
//! taken to speak as ECR does (inferred). It must never repeat a refused value.

use crate::facts::shape::Kind;
use crate::facts::{Shape, facts};
use crate::generated::quirks;
use crate::operation::Service;
use crate::path::{Path, Segment};
use crate::rule::{Refusal, Rule};

/// The message for `refusal`. A wrong type gets a short text of our own, for the caller's
/// `SerializationException`; every other rule the constraint sentence.
#[must_use]
pub fn message(service: Service, refusal: &Refusal) -> String {
    let Refusal { at, rule, .. } = refusal;
    if let Rule::WrongType(kind) = rule {
        return wrong_type(at, *kind);
    }
    let all = || all_rules(service, refusal);
    let (at, text) = match at.last() {
        Some(Segment::Index(_)) => (
            at.parent(),
            format!("Member must satisfy constraint: [{}]", all()),
        ),
        Some(Segment::Key(_)) => (
            at.parent(),
            format!("Map keys must satisfy constraint: [{}]", all()),
        ),
        Some(Segment::Value(_)) => (
            at.parent(),
            format!("Map value must satisfy constraint: [{}]", all()),
        ),
        Some(Segment::Member(name)) if is_plain(service, name) => (at.clone(), plain(rule)),
        _ => (at.clone(), usual(rule)),
    };
    format!("Invalid parameter at '{at}' failed to satisfy constraint: '{text}'")
}

/// Every rule of a part's shape, as AWS lists them for lists and maps: greatest bound, least bound,
/// expression, enum. Null stands alone.
fn all_rules(service: Service, refusal: &Refusal) -> String {
    let shape = facts(service).shape(refusal.shape).map(Shape::facts);
    let Some(shape) = shape.filter(|_| refusal.rule != Rule::Required) else {
        return usual(&refusal.rule);
    };
    let is_number = matches!(shape.kind, Kind::Integer | Kind::Long);
    let max = if is_number {
        Rule::MaxValue
    } else {
        Rule::MaxLength
    };
    let min = if is_number {
        Rule::MinValue
    } else {
        Rule::MinLength
    };
    let rules = [
        shape.max.map(max),
        shape.min.map(min),
        shape.pattern.as_deref().map(Rule::Pattern),
        Some(&shape.enum_values[..])
            .filter(|values| !values.is_empty())
            .map(Rule::Enum),
    ];
    rules
        .iter()
        .flatten()
        .map(usual)
        .collect::<Vec<_>>()
        .join(", ")
}

fn is_plain(service: Service, member: &str) -> bool {
    quirks::PLAIN_WORDINGS.contains(&(service, member))
}

/// The text as most members have it.
fn usual(rule: &Rule) -> String {
    match rule {
        Rule::Pattern(pattern) => {
            format!("Member must satisfy regular expression pattern: {pattern}")
        }
        other => format!("Member {}", predicate(other)),
    }
}

/// The text without the word Member, the expression in quotes.
fn plain(rule: &Rule) -> String {
    match rule {
        Rule::Pattern(pattern) => format!("must satisfy regular expression '{pattern}'"),
        other => predicate(other),
    }
}

fn predicate(rule: &Rule) -> String {
    match rule {
        Rule::Required => "must not be null".to_owned(),
        Rule::MinLength(n) => format!("must have length greater than or equal to {n}"),
        Rule::MaxLength(n) => format!("must have length less than or equal to {n}"),
        Rule::MinValue(n) => format!("must have value greater than or equal to {n}"),
        Rule::MaxValue(n) => format!("must have value less than or equal to {n}"),
        Rule::Enum(values) => format!("must satisfy enum value set: [{}]", values.join(", ")),
        Rule::Pattern(pattern) => format!("must satisfy regular expression pattern: {pattern}"),
        Rule::WrongType(kind) => format!("must be {}", noun(*kind)),
        Rule::UnknownShape => "must be known".to_owned(),
    }
}

fn wrong_type(at: &Path, kind: Kind) -> String {
    match at.0.is_empty() {
        true => format!("The request body must be {}", noun(kind)),
        false => format!("The value at '{at}' must be {}", noun(kind)),
    }
}

fn noun(kind: Kind) -> &'static str {
    match kind {
        Kind::Boolean => "a boolean",
        Kind::Blob => "a base64 string",
        Kind::Double | Kind::Float => "a number",
        Kind::Integer => "a 32-bit integer",
        Kind::List => "a list",
        Kind::Long => "a 64-bit integer",
        Kind::Map => "a map",
        Kind::String => "a string",
        Kind::Structure => "an object",
        Kind::Timestamp => "a number of seconds",
    }
}
