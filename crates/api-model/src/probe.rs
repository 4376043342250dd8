//! Requests made from the facts: for every rule of a shape, values just inside and just outside.
//! Tests send them to prove that each modelled rule is enforced; nothing in the server uses them.
//! A probe starts from a minimal valid body and breaks exactly one rule.

mod sample;

use serde_json::{Value, json};

use crate::facts::shape::{Kind, ShapeFacts};
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
    let site = Site {
        body: Value::Null,
        pointer: String::new(),
        at: Path::default(),
    };
    walk.shape(&site, shape);
    walk.probes
}

/// A place in a body that is valid except for what is put there.
struct Site {
    body: Value,
    pointer: String,
    at: Path,
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
    fn inside(&self, value: Value, step: &str, segment: Segment) -> Self {
        let mut at = self.at.clone();
        at.0.push(segment);
        let step = step.replace('~', "~0").replace('/', "~1");
        Self {
            body: self.with(value),
            pointer: format!("{}/{step}", self.pointer),
            at,
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
        let what = format!("{} breaks {rule:?}", site.at);
        let refusal = Some(Refusal {
            at: site.at.clone(),
            rule,
        });
        self.probes.push(Probe {
            body: site.with(value),
            refusal,
            what,
        });
    }

    fn shape(&mut self, site: &Site, name: &str) {
        let Some(shape) = self.facts.shape(name) else {
            return;
        };
        let facts = shape.facts();
        for value in wrong_types(facts.kind) {
            self.refused(site, value, Rule::WrongType(facts.kind));
        }
        match facts.kind {
            Kind::Structure => self.structure(site, name, facts),
            Kind::List => self.list(site, facts),
            Kind::Map => self.map(site, facts),
            Kind::String => self.string(site, shape),
            Kind::Integer | Kind::Long => self.number(site, facts),
            Kind::Blob => self.lengths(site, facts, |n| Some(sample::blob(n))),
            Kind::Boolean | Kind::Double | Kind::Float | Kind::Timestamp => {
                self.passes(site, minimal_value(self.facts, name), "is of its type");
            }
        }
    }

    fn structure(&mut self, site: &Site, name: &str, facts: &'static ShapeFacts) {
        let minimal = minimal_value(self.facts, name);
        self.passes(site, minimal.clone(), "holds only what is required");
        for member in &facts.members {
            let mut value = minimal.clone();
            value[&member.name] = Value::Null;
            let inner = site.inside(value, &member.name, Segment::Member(&member.name));
            if member.required {
                self.refused(&inner, Value::Null, Rule::Required);
                let mut without = minimal.clone();
                without
                    .as_object_mut()
                    .map(|members| members.remove(&member.name));
                let refusal = Some(Refusal {
                    at: inner.at.clone(),
                    rule: Rule::Required,
                });
                let what = format!("{} is absent", inner.at);
                self.probes.push(Probe {
                    body: site.with(without),
                    refusal,
                    what,
                });
            } else {
                self.passes(&inner, Value::Null, "is null");
            }
            self.shape(&inner, &member.shape);
        }
    }

    fn list(&mut self, site: &Site, facts: &'static ShapeFacts) {
        let Some(element) = facts.element.as_deref() else {
            return;
        };
        let sample = minimal_value(self.facts, element);
        self.lengths(site, facts, |n| Some(repeated(&sample, n)));
        let value = repeated(&sample, facts.min.unwrap_or(0).max(1));
        let inner = site.inside(value, "0", Segment::Index(1));
        self.refused(&inner, Value::Null, Rule::Required);
        self.shape(&inner, element);
    }

    fn map(&mut self, site: &Site, facts: &'static ShapeFacts) {
        let (Some(key), Some(value)) = (facts.key.as_deref(), facts.value.as_deref()) else {
            return;
        };
        let value_sample = minimal_value(self.facts, value);
        if let Some(shape) = self.facts.shape(key) {
            for (text, rule) in key_samples(shape) {
                let mut at = site.at.clone();
                at.0.push(Segment::Key(text.clone()));
                let what = format!("{at} breaks {rule:?}");
                let body = site.with(json!({ text: value_sample.clone() }));
                self.probes.push(Probe {
                    body,
                    refusal: Some(Refusal { at, rule }),
                    what,
                });
            }
        }
        let Value::String(name) = minimal_value(self.facts, key) else {
            return;
        };
        let inner = site.inside(
            json!({ name.clone(): value_sample }),
            &name,
            Segment::Value(name.clone()),
        );
        self.refused(&inner, Value::Null, Rule::Required);
        self.shape(&inner, value);
    }

    fn string(&mut self, site: &Site, shape: &'static Shape) {
        let facts = shape.facts();
        if !facts.enum_values.is_empty() {
            for value in &facts.enum_values {
                self.passes(site, json!(value), "is a value of its enum");
            }
            self.refused(site, json!("no such value"), Rule::Enum(&facts.enum_values));
            return;
        }
        self.lengths(site, facts, |n| text_of_length(shape, n).map(Value::String));
        if let (Some(text), Some(pattern)) = (broken_text(shape), &facts.pattern) {
            self.refused(site, json!(text), Rule::Pattern(pattern));
        }
        if let Some(text) = sample::shortest_text(shape) {
            self.passes(site, json!(text), "is a string of its form");
        }
    }

    /// Values of each length next to a bound, where `make` has one of that length.
    fn lengths(&mut self, site: &Site, facts: &ShapeFacts, make: impl Fn(i64) -> Option<Value>) {
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

    fn number(&mut self, site: &Site, facts: &ShapeFacts) {
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
    let too_long = facts
        .max
        .and_then(|max| Some((text_of_length(shape, max + 1)?, Rule::MaxLength(max))));
    let min = facts.min.filter(|&min| min > 0);
    let too_short =
        min.and_then(|min| Some((text_of_length(shape, min - 1)?, Rule::MinLength(min))));
    samples.extend(too_long.into_iter().chain(too_short));
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
