//! The facts of `models/*.json`, parsed once and corrected by `models/quirks.toml`.
//! The checker, the probes and tests read them here; nothing else parses the files.
//! It must stay free of judgement: what a fact means is `check.rs`.

pub mod shape;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use regex::Regex;

use crate::generated::quirks;
use crate::operation::Service;
use shape::{Model, OperationFacts, Paginator, ShapeFacts};

/// One service's facts.
#[derive(Debug)]
pub struct Facts {
    operations: BTreeMap<String, OperationFacts>,
    paginators: BTreeMap<String, Paginator>,
    shapes: BTreeMap<String, Shape>,
}

/// One shape, with its expression compiled at first use.
#[derive(Debug)]
pub struct Shape {
    name: String,
    facts: ShapeFacts,
    regex: OnceLock<Option<Regex>>,
}

/// The facts of `service`.
///
/// # Panics
/// If the embedded JSON does not parse, which `tests/facts.rs` excludes; input has no part in it.
#[must_use]
pub fn facts(service: Service) -> &'static Facts {
    static ECR: OnceLock<Facts> = OnceLock::new();
    static ECR_PUBLIC: OnceLock<Facts> = OnceLock::new();
    static LIGHTSAIL: OnceLock<Facts> = OnceLock::new();
    let (once, text) = match service {
        Service::Ecr => (&ECR, include_str!("../../../models/ecr.json")),
        Service::EcrPublic => (&ECR_PUBLIC, include_str!("../../../models/ecr_public.json")),
        Service::Lightsail => (&LIGHTSAIL, include_str!("../../../models/lightsail.json")),
    };
    once.get_or_init(|| {
        let mut model: Model = serde_json::from_str(text).expect("embedded facts parse");
        apply_quirks(service, &mut model.shapes);
        let shapes = model
            .shapes
            .into_iter()
            .map(|(name, facts)| (name.clone(), Shape::new(name, facts)));
        Facts {
            operations: model.operations,
            paginators: model.paginators,
            shapes: shapes.collect(),
        }
    })
}

/// Turns the model into what live AWS applies.
fn apply_quirks(service: Service, shapes: &mut BTreeMap<String, ShapeFacts>) {
    for (_, name, pattern) in quirks::PATTERNS.iter().filter(|q| q.0 == service) {
        if let Some(shape) = shapes.get_mut(*name) {
            shape.pattern = Some((*pattern).to_owned());
        }
    }
    for (_, name, order) in quirks::ENUM_ORDERS.iter().filter(|q| q.0 == service) {
        if let Some(shape) = shapes.get_mut(*name) {
            shape.enum_values = order.iter().map(|&v| v.to_owned()).collect();
        }
    }
    for (_, structure, name, pattern) in quirks::MEMBER_PATTERNS.iter().filter(|q| q.0 == service) {
        // The member gets a shape of its own, so that the checker needs no special case.
        let own = format!("{structure}.{name}");
        let Some(owner) = shapes.get_mut(*structure) else {
            continue;
        };
        let Some(member) = owner.members.iter_mut().find(|m| m.name == *name) else {
            continue;
        };
        let former = std::mem::replace(&mut member.shape, own.clone());
        if let Some(mut shape) = shapes.get(&former).cloned() {
            shape.pattern = Some((*pattern).to_owned());
            shapes.insert(own, shape);
        }
    }
}

impl Facts {
    /// The shape called `name`.
    #[must_use]
    pub fn shape(&self, name: &str) -> Option<&Shape> {
        self.shapes.get(name)
    }

    /// All shapes, by name.
    pub fn shapes(&self) -> impl Iterator<Item = &Shape> {
        self.shapes.values()
    }

    /// Names of the operations, sorted.
    pub fn operations(&self) -> impl Iterator<Item = &str> {
        self.operations.keys().map(String::as_str)
    }

    /// How `operation` pages, if it does.
    #[must_use]
    pub fn paginator(&self, operation: &str) -> Option<&Paginator> {
        self.paginators.get(operation)
    }
}

impl Shape {
    fn new(name: String, facts: ShapeFacts) -> Self {
        let regex = OnceLock::new();
        Self { name, facts, regex }
    }

    /// Its name; that of a member's own shape is `Structure.member`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the model says of the shape.
    #[must_use]
    pub fn facts(&self) -> &ShapeFacts {
        &self.facts
    }

    /// The shape's expression, anchored at both ends; none without a pattern.
    #[must_use]
    pub fn regex(&self) -> Option<&Regex> {
        let compile = || Regex::new(&anchored(self.facts.pattern.as_deref()?)).ok();
        self.regex.get_or_init(compile).as_ref()
    }
}

/// `pattern` as it must match the whole text, with the ASCII word class that AWS means.
fn anchored(pattern: &str) -> String {
    format!(r"\A(?:{})\z", pattern.replace(r"\w", "[0-9A-Za-z_]"))
}
