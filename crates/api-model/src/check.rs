//! Interprets the facts against a JSON value: request bodies, and in tests our own answers.
//! Null equals absent, unknown members pass. A value that passes deserialises into its struct.
//! It must never panic and never cost more than linear time in the value.

use serde_json::{Map, Value};

use crate::facts::shape::{Kind, ShapeFacts};
use crate::facts::{Facts, Shape, facts};
use crate::operation::Service;
use crate::path::{Path, Segment};
use crate::rule::{Refusal, Rule};
use crate::wire::Blob;

/// A check stops after this many refusals (ours: AWS reports one, the rest serve tests).
pub const REFUSALS_MAX: usize = 32;

/// The rules that `value` breaks as a `shape` of `service`, in model order, at most
/// [`REFUSALS_MAX`]. Empty means that it conforms.
#[must_use]
pub fn check(service: Service, shape: &str, value: &Value) -> Vec<Refusal> {
    let facts = facts(service);
    let mut checker = Checker {
        facts,
        at: Vec::new(),
        refusals: Vec::new(),
    };
    checker.value(facts.shape(shape), value);
    checker.refusals
}

/// The refusal that AWS reports: the first wrong type, since deserialising comes before
/// validating, else the first (order inferred).
#[must_use]
pub fn first_reported(refusals: &[Refusal]) -> Option<&Refusal> {
    let wrong_type = refusals
        .iter()
        .find(|r| matches!(r.rule, Rule::WrongType(_)));
    wrong_type.or_else(|| refusals.first())
}

struct Checker {
    facts: &'static Facts,
    at: Vec<Segment>,
    refusals: Vec<Refusal>,
}

impl Checker {
    fn refuse(&mut self, shape: &'static str, rule: Rule) {
        if !self.is_full() {
            let at = Path(self.at.clone());
            self.refusals.push(Refusal { at, rule, shape });
        }
    }

    fn is_full(&self) -> bool {
        self.refusals.len() >= REFUSALS_MAX
    }

    fn value(&mut self, shape: Option<&'static Shape>, value: &Value) {
        let Some(shape) = shape else {
            return self.refuse("", Rule::UnknownShape);
        };
        let facts = shape.facts();
        match (facts.kind, value) {
            (Kind::Structure, Value::Object(members)) => self.structure(facts, members),
            (Kind::List, Value::Array(elements)) => self.list(shape, elements),
            (Kind::Map, Value::Object(entries)) => self.map(shape, entries),
            (Kind::String, Value::String(text)) => self.string(shape, text),
            (Kind::Blob, Value::String(text)) => match Blob::from_base64(text) {
                Some(blob) => self.length(shape, blob.0.len()),
                None => self.refuse(shape.name(), Rule::WrongType(Kind::Blob)),
            },
            (Kind::Integer | Kind::Long, Value::Number(n)) => match whole(facts.kind, n.as_i64()) {
                Some(n) => self.number(shape, n),
                None => self.refuse(shape.name(), Rule::WrongType(facts.kind)),
            },
            (Kind::Boolean, Value::Bool(_))
            | (Kind::Double | Kind::Float | Kind::Timestamp, Value::Number(_)) => {}
            (kind, _) => self.refuse(shape.name(), Rule::WrongType(kind)),
        }
    }

    fn structure(&mut self, facts: &'static ShapeFacts, members: &Map<String, Value>) {
        for member in &facts.members {
            self.at.push(Segment::Member(&member.name));
            match members.get(&member.name).filter(|value| !value.is_null()) {
                Some(value) => self.value(self.facts.shape(&member.shape), value),
                None if member.required => self.refuse(&member.shape, Rule::Required),
                None => {}
            }
            self.at.pop();
        }
    }

    fn list(&mut self, shape: &'static Shape, elements: &[Value]) {
        self.length(shape, elements.len());
        for (i, element) in elements.iter().enumerate() {
            if self.is_full() {
                return;
            }
            self.at.push(Segment::Index(i + 1));
            self.part(shape.facts().element.as_deref(), element);
            self.at.pop();
        }
    }

    fn map(&mut self, shape: &'static Shape, entries: &Map<String, Value>) {
        self.length(shape, entries.len());
        let facts = shape.facts();
        for (key, value) in entries {
            if self.is_full() {
                return;
            }
            self.at.push(Segment::Key(key.clone()));
            match facts.key.as_deref().and_then(|name| self.facts.shape(name)) {
                Some(shape) => self.string(shape, key),
                None => self.refuse("", Rule::UnknownShape),
            }
            self.at.pop();
            self.at.push(Segment::Value(key.clone()));
            self.part(facts.value.as_deref(), value);
            self.at.pop();
        }
    }

    /// An element of a list or a value of a map: null is as bad as absent.
    fn part(&mut self, shape: Option<&'static str>, value: &Value) {
        match shape {
            Some(shape) if value.is_null() => self.refuse(shape, Rule::Required),
            shape => self.value(shape.and_then(|name| self.facts.shape(name)), value),
        }
    }

    fn string(&mut self, shape: &'static Shape, text: &str) {
        let facts = shape.facts();
        if !facts.enum_values.is_empty() && !facts.enum_values.iter().any(|v| v == text) {
            self.refuse(shape.name(), Rule::Enum(&facts.enum_values));
        }
        if facts.min.is_some() || facts.max.is_some() {
            self.length(shape, text.chars().count());
        }
        if let Some(pattern) = &facts.pattern {
            // An expression that did not compile lets nothing through; a test forbids such.
            if !shape.regex().is_some_and(|regex| regex.is_match(text)) {
                self.refuse(shape.name(), Rule::Pattern(pattern));
            }
        }
    }

    fn length(&mut self, shape: &'static Shape, length: usize) {
        let length = i64::try_from(length).unwrap_or(i64::MAX);
        match (shape.facts().min, shape.facts().max) {
            (Some(min), _) if length < min => self.refuse(shape.name(), Rule::MinLength(min)),
            (_, Some(max)) if length > max => self.refuse(shape.name(), Rule::MaxLength(max)),
            _ => {}
        }
    }

    fn number(&mut self, shape: &'static Shape, n: i64) {
        match (shape.facts().min, shape.facts().max) {
            (Some(min), _) if n < min => self.refuse(shape.name(), Rule::MinValue(min)),
            (_, Some(max)) if n > max => self.refuse(shape.name(), Rule::MaxValue(max)),
            _ => {}
        }
    }
}

/// `n` if it fits the kind: an integer has 32 bits.
fn whole(kind: Kind, n: Option<i64>) -> Option<i64> {
    n.filter(|&n| kind == Kind::Long || i32::try_from(n).is_ok())
}
