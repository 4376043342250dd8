//! Requests made from the facts: for every rule of a shape, values just inside and just outside.
//! Tests send them to prove that each modelled rule is enforced; nothing in the server uses them.
//! A probe starts from a minimal valid body and breaks exactly one rule.

mod sample;

use serde_json::{Value, json};

use crate::facts::shape::Kind;
use crate::facts::{Facts, Shape, facts};
use crate::generated::operation::Operation;
use crate::operation::Service;
use crate::path::{Path, Segment};
use crate::rule::{Refusal, Rule};
use sample::{broken_text, minimal_value, repeated, text_of_length};

/// One body, and what must come of it.
#[derive(Debug, Clone)]
pub struct Probe {
    /// A JSON body; a few are tens of megabytes, since the model permits such parts.
    pub body: Value,
    /// The one refusal that it must meet; none if it must pass.
    pub refusal: Option<Refusal>,
    /// What is tried, for the test's output.
    pub what: String,
}

/// The smallest body that the model permits for `operation`: required members only.
#[must_use]
pub fn minimal(operation: Operation) -> Value {
    minimal_value(facts(operation.service()), operation.input_shape())
}

/// Requests of `operation` that break exactly one rule each.
#[must_use]
pub fn probes(operation: Operation) -> Vec<Probe> {
    let mut probes = of_shape(operation.service(), operation.input_shape());
    probes.retain(|probe| probe.refusal.is_some());
    probes
}

/// All probes of one structure, those that pass included.
#[must_use]
pub fn of_shape(service: Service, shape: &str) -> Vec<Probe> {
    let mut walk = Walk {
        facts: facts(service),
        probes: Vec::new(),
    };
    if let Some(shape) = walk.facts.shape(shape) {
        let (body, pointer, at) = (Value::Null, String::new(), Path::default());
        walk.shape(&Site {
            body,
            pointer,
            at,
            shape,
        });
    }
    walk.probes
}

/// A place in a body that is valid except for what is put there.
struct Site {
    body: Value,
    /// JSON pointer to the place.
    pointer: String,
    /// The same, as refusals say it.
    at: Path,
    /// The shape of what belongs there.
    shape: &'static Shape,
}

impl Site {
    /// The body with `value` at this place.
    fn with(&self, value: Value) -> Value {
        let mut body = self.body.clone();
        if let Some(place) = body.pointer_mut(&self.pointer) {
            *place = value;
        }
        body
    }

    /// The place of a part of `value`, which is put here.
    fn inside(&self, value: Value, step: &str, segment: Segment, shape: &'static Shape) -> Self {
        let mut at = self.at.clone();
        at.0.push(segment);
        let step = step.replace('~', "~0").replace('/', "~1");
        let pointer = format!("{}/{step}", self.pointer);
        Self {
            body: self.with(value),
            pointer,
            at,
            shape,
        }
    }
}

struct Walk {
    facts: &'static Facts,
    probes: Vec<Probe>,
}

impl Walk {
    fn passes(&mut self, site: &Site, value: Value, what: &str) {
        let what = format!("{} {what}", site.at);
        self.probes.push(Probe {
            body: site.with(value),
            refusal: None,
            what,
        });
    }

    fn refused(&mut self, site: &Site, value: Value, rule: Rule) {
        self.refused_body(site, site.with(value), rule);
    }

    fn refused_body(&mut self, site: &Site, body: Value, rule: Rule) {
        let what = format!("{} breaks {rule:?}", site.at);
        let (at, shape) = (site.at.clone(), site.shape.name());
        self.probes.push(Probe {
            body,
            refusal: Some(Refusal { at, rule, shape }),
            what,
        });
    }

    fn shape(&mut self, site: &Site) {
        let kind = site.shape.facts().kind;
        for value in wrong_types(kind) {
            self.refused(site, value, Rule::WrongType(kind));
        }
        match kind {
            Kind::Structure => self.structure(site),
            Kind::List => self.list(site),
            Kind::Map => self.map(site),
            Kind::String => self.string(site),
            Kind::Integer | Kind::Long => self.number(site),
            Kind::Blob => self.lengths(site, |n| Some(sample::blob(n))),
            Kind::Boolean | Kind::Double | Kind::Float | Kind::Timestamp => {
                self.passes(
                    site,
                    minimal_value(self.facts, site.shape.name()),
                    "is of its type",
                );
            }
        }
    }

    fn structure(&mut self, site: &Site) {
        let minimal = minimal_value(self.facts, site.shape.name());
        self.passes(site, minimal.clone(), "holds only what is required");
        for member in &site.shape.facts().members {
            let Some(shape) = self.facts.shape(&member.shape) else {
                continue;
            };
            let mut value = minimal.clone();
            value[&member.name] = Value::Null;
            let inner = site.inside(value, &member.name, Segment::Member(&member.name), shape);
            if member.required {
                self.refused(&inner, Value::Null, Rule::Required);
                let mut without = minimal.clone();
                without
                    .as_object_mut()
                    .map(|members| members.remove(&member.name));
                self.refused_body(&inner, site.with(without), Rule::Required);
            } else {
                self.passes(&inner, Value::Null, "is null");
            }
            self.shape(&inner);
        }
    }

    fn list(&mut self, site: &Site) {
        let facts = site.shape.facts();
        let element = facts
            .element
            .as_deref()
            .and_then(|name| self.facts.shape(name));
        let Some(element) = element else { return };
        let sample = minimal_value(self.facts, element.name());
        self.lengths(site, |n| Some(repeated(&sample, n)));
        let value = repeated(&sample, facts.min.unwrap_or(0).max(1));
        let inner = site.inside(value, "0", Segment::Index(1), element);
        self.refused(&inner, Value::Null, Rule::Required);
        self.shape(&inner);
    }

    fn map(&mut self, site: &Site) {
        let facts = site.shape.facts();
        let part = |name: &'static Option<String>| self.facts.shape(name.as_deref()?);
        let (Some(key), Some(value)) = (part(&facts.key), part(&facts.value)) else {
            return;
        };
        let sample = minimal_value(self.facts, value.name());
        for (text, rule) in key_samples(key) {
            let body = json!({ text.clone(): sample.clone() });
            let inner = site.inside(body.clone(), &text, Segment::Key(text.clone()), key);
            self.refused_body(&inner, site.with(body), rule);
        }
        let Some(name) = sample::shortest_text(key) else {
            return;
        };
        let body = json!({ name.clone(): sample });
        let inner = site.inside(body, &name, Segment::Value(name.clone()), value);
        self.refused(&inner, Value::Null, Rule::Required);
        self.shape(&inner);
    }

    fn string(&mut self, site: &Site) {
        let facts = site.shape.facts();
        if !facts.enum_values.is_empty() {
            for value in &facts.enum_values {
                self.passes(site, json!(value), "is a value of its enum");
            }
            self.refused(site, json!("no such value"), Rule::Enum(&facts.enum_values));
            return;
        }
        self.lengths(site, |n| text_of_length(site.shape, n).map(Value::String));
        if let (Some(text), Some(pattern)) = (broken_text(site.shape), &facts.pattern) {
            self.refused(site, json!(text), Rule::Pattern(pattern));
        }
        if let Some(text) = sample::shortest_text(site.shape) {
            self.passes(site, json!(text), "is a string of its form");
        }
    }

    /// Values of each length next to a bound, where `make` has one of that length.
    fn lengths(&mut self, site: &Site, make: impl Fn(i64) -> Option<Value>) {
        let facts = site.shape.facts();
        if let Some(min) = facts.min {
            if let Some(value) = make(min) {
                self.passes(site, value, "has its least length");
            }
            if let Some(value) = make(min - 1).filter(|_| min > 0) {
                self.refused(site, value, Rule::MinLength(min));
            }
        }
        if let Some(max) = facts.max {
            if let Some(value) = make(max) {
                self.passes(site, value, "has its greatest length");
            }
            if let Some(value) = make(max + 1) {
                self.refused(site, value, Rule::MaxLength(max));
            }
        }
    }

    fn number(&mut self, site: &Site) {
        let facts = site.shape.facts();
        if let Some(min) = facts.min {
            self.passes(site, json!(min), "has its least value");
            self.refused(site, json!(min - 1), Rule::MinValue(min));
        }
        if let Some(max) = facts.max {
            self.passes(site, json!(max), "has its greatest value");
            self.refused(site, json!(max + 1), Rule::MaxValue(max));
        }
    }
}

/// Keys that break a rule of the key's shape.
fn key_samples(shape: &'static Shape) -> Vec<(String, Rule)> {
    let facts = shape.facts();
    let mut samples = Vec::new();
    if let (Some(text), Some(pattern)) = (broken_text(shape), &facts.pattern) {
        samples.push((text, Rule::Pattern(pattern)));
    }
    if !facts.enum_values.is_empty() {
        samples.push(("no such value".to_owned(), Rule::Enum(&facts.enum_values)));
    }
    let too_long = |max| Some((text_of_length(shape, max + 1)?, Rule::MaxLength(max)));
    let too_short = |min| Some((text_of_length(shape, min - 1)?, Rule::MinLength(min)));
    samples.extend(facts.max.and_then(too_long));
    samples.extend(facts.min.filter(|&min| min > 0).and_then(too_short));
    samples
}

/// JSON values that are not of `kind`.
fn wrong_types(kind: Kind) -> Vec<Value> {
    match kind {
        Kind::Boolean => vec![json!("true"), json!(1)],
        Kind::Blob => vec![json!(1), json!("*"), json!([])],
        Kind::Double | Kind::Float => vec![json!("1"), json!(true)],
        Kind::Integer => vec![
            json!("1"),
            json!(true),
            json!(1.5),
            json!(i64::from(i32::MAX) + 1),
        ],
        Kind::List => vec![json!("a"), json!({}), json!(1)],
        Kind::Long => vec![json!("1"), json!(true), json!(1.5), json!(u64::MAX)],
        Kind::Map | Kind::Structure => vec![json!("a"), json!([]), json!(1)],
        Kind::String => vec![json!(1), json!(true), json!([]), json!({})],
        Kind::Timestamp => vec![json!("2020-01-01T00:00:00Z"), json!(true)],
    }
}
