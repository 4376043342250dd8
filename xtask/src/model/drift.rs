//! `cargo xtask model drift [VERSION]`: our facts against those of the newest botocore, each
//! difference in words. Those that `models/known_drift.toml` settles, with a date and a reason, are
//! passed over; any other ends with an error. A command for people, not a gate.
//! `compare` is pure; nothing here changes our models: that is what `import` is for.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::shape::{MemberFacts, Model, OperationFacts, ShapeFacts};
use super::{import, read, root};

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Difference {
    /// In words that stay the same from run to run.
    words: String,
    /// Whether a client or server made after our model goes wrong by it.
    is_breaking: bool,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.is_breaking {
            "breaking"
        } else {
            "harmless"
        };
        write!(f, "{kind}: {}", self.words)
    }
}

/// `models/known_drift.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KnownDrift {
    #[serde(default)]
    known: Vec<Known>,
}

/// A difference that somebody has looked at.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Known {
    /// The words of the difference.
    difference: String,
    /// When it was settled, `2026-11-28`.
    date: String,
    /// Why it stays.
    reason: String,
}

/// Compares with `version`, or with the newest release.
pub fn run(version: Option<&str>) -> Result<()> {
    let path = root().join("models/known_drift.toml");
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let known: KnownDrift = toml::from_str(&text).with_context(|| path.display().to_string())?;
    let known = settled(known.known)?;
    let theirs = import::fetch(version)?;
    let mut found = BTreeSet::new();
    for (stem, model) in &theirs.models {
        found.extend(compare(stem, &read(stem)?, model));
    }
    println!("compared with botocore {}", theirs.version);
    let (settled, open): (Vec<_>, Vec<_>) = found
        .into_iter()
        .partition(|difference| known.contains_key(&difference.words));
    for difference in &open {
        println!("{difference}");
    }
    let gone = known
        .keys()
        .filter(|words| settled.iter().all(|one| one.words != **words));
    for words in gone {
        println!("settled, and not there any more: {words}");
    }
    println!("{} settled, {} open", settled.len(), open.len());
    if !open.is_empty() {
        bail!("settle them in models/known_drift.toml, or `cargo xtask model import`");
    }
    Ok(())
}

/// The settled differences by their words; each with a date and a reason.
fn settled(known: Vec<Known>) -> Result<BTreeMap<String, String>> {
    let mut settled = BTreeMap::new();
    for Known {
        difference,
        date,
        reason,
    } in known
    {
        let is_date = date.len() == 10
            && date.bytes().enumerate().all(|(at, byte)| match at {
                4 | 7 => byte == b'-',
                _ => byte.is_ascii_digit(),
            });
        if !is_date || reason.trim().is_empty() {
            bail!("'{difference}' needs a date like 2026-11-28 and a reason");
        }
        if settled.insert(difference.clone(), reason).is_some() {
            bail!("'{difference}' is settled twice");
        }
    }
    Ok(settled)
}

/// Every difference between two models of the service `stem`. A shape counts once, wherever it is
/// used; one that only a new operation or member uses comes with that.
fn compare(stem: &str, ours: &Model, theirs: &Model) -> Vec<Difference> {
    let mut found = Comparison {
        stem,
        asked: reached(theirs, |operation| &operation.input),
        told: reached(theirs, |operation| &operation.output),
        found: Vec::new(),
    };
    found.metadata(ours, theirs);
    found.operations(ours, theirs);
    for (name, theirs) in &theirs.shapes {
        if let Some(ours) = ours.shapes.get(name) {
            found.shape(name, ours, theirs);
        }
    }
    found.found.sort();
    found.found
}

/// The shapes that the requests, or the answers, of a model reach.
fn reached(model: &Model, from: fn(&OperationFacts) -> &String) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut waiting: Vec<&String> = model.operations.values().map(from).collect();
    while let Some(name) = waiting.pop() {
        if !reached.insert(name.clone()) {
            continue;
        }
        if let Some(shape) = model.shapes.get(name) {
            waiting.extend(shape.members.iter().map(|member| &member.shape));
            waiting.extend(
                [&shape.element, &shape.key, &shape.value]
                    .into_iter()
                    .flatten(),
            );
        }
    }
    reached
}

struct Comparison<'m> {
    stem: &'m str,
    /// Shapes of requests.
    asked: BTreeSet<String>,
    /// Shapes of answers.
    told: BTreeSet<String>,
    found: Vec<Difference>,
}

impl Comparison<'_> {
    fn breaking(&mut self, words: impl fmt::Display) {
        self.put(words, true);
    }

    fn harmless(&mut self, words: impl fmt::Display) {
        self.put(words, false);
    }

    fn put(&mut self, words: impl fmt::Display, is_breaking: bool) {
        self.found.push(Difference {
            words: format!("{}: {words}", self.stem),
            is_breaking,
        });
    }

    fn metadata(&mut self, ours: &Model, theirs: &Model) {
        let (a, b) = (&ours.metadata, &theirs.metadata);
        let pairs = [
            ("API version", &a.api_version, &b.api_version),
            ("JSON version", &a.json_version, &b.json_version),
            ("signing name", &a.signing_name, &b.signing_name),
            ("target prefix", &a.target_prefix, &b.target_prefix),
            ("service id", &a.service_id, &b.service_id),
        ];
        for (what, ours, theirs) in pairs {
            if ours != theirs {
                self.breaking(format_args!("its {what} is '{theirs}', was '{ours}'"));
            }
        }
    }

    fn operations(&mut self, ours: &Model, theirs: &Model) {
        for name in ours.operations.keys() {
            if !theirs.operations.contains_key(name) {
                self.breaking(format_args!("operation {name} is gone"));
            }
        }
        for (name, new) in &theirs.operations {
            let Some(old) = ours.operations.get(name) else {
                self.harmless(format_args!("operation {name} is new"));
                continue;
            };
            self.operation(name, old, new);
            let page = |model: &Model| {
                let page = model.paginators.get(name);
                page.map(|page| (page.input_token.clone(), page.output_token.clone()))
            };
            match (page(ours), page(theirs)) {
                (None, Some(_)) => self.harmless(format_args!("operation {name} pages now")),
                (Some(_), None) => self.breaking(format_args!("operation {name} pages no more")),
                (old, new) if old != new => {
                    self.breaking(format_args!("operation {name} pages by other members"));
                }
                _ => {}
            }
        }
    }

    fn operation(&mut self, name: &str, ours: &OperationFacts, theirs: &OperationFacts) {
        let pairs = [
            ("takes", &ours.input, &theirs.input),
            ("answers", &ours.output, &theirs.output),
        ];
        for (does, ours, theirs) in pairs {
            if ours != theirs {
                self.breaking(format_args!("operation {name} {does} {theirs}, was {ours}"));
            }
        }
        for error in theirs
            .errors
            .iter()
            .filter(|one| !ours.errors.contains(one))
        {
            self.harmless(format_args!("operation {name} has the new error {error}"));
        }
        for error in ours
            .errors
            .iter()
            .filter(|one| !theirs.errors.contains(one))
        {
            self.breaking(format_args!(
                "operation {name} has the error {error} no more"
            ));
        }
    }

    fn shape(&mut self, name: &str, ours: &ShapeFacts, theirs: &ShapeFacts) {
        if ours.kind != theirs.kind {
            let (new, old) = (theirs.kind, ours.kind);
            self.breaking(format_args!("{name} is a {new:?}, was a {old:?}"));
            return;
        }
        self.bounds(name, ours, theirs);
        if ours.pattern != theirs.pattern {
            let shown = |pattern: &Option<String>| match pattern {
                Some(pattern) => format!("'{pattern}'"),
                None => "nothing".to_owned(),
            };
            let is_breaking = theirs.pattern.is_some();
            let (new, old) = (shown(&theirs.pattern), shown(&ours.pattern));
            self.put(
                format_args!("{name} has to match {new}, was {old}"),
                is_breaking,
            );
        }
        self.values(name, ours, theirs);
        let parts = [
            ("elements", &ours.element, &theirs.element),
            ("keys", &ours.key, &theirs.key),
            ("values", &ours.value, &theirs.value),
            (
                "form of time",
                &ours.timestamp_format,
                &theirs.timestamp_format,
            ),
        ];
        for (what, ours, theirs) in parts {
            if ours != theirs {
                let shown = |part: &Option<String>| part.clone().unwrap_or("none".into());
                let (new, old) = (shown(theirs), shown(ours));
                self.breaking(format_args!("the {what} of {name}: {new}, was {old}"));
            }
        }
        if ours.sensitive != theirs.sensitive {
            let verb = if theirs.sensitive {
                "is now"
            } else {
                "is no more"
            };
            self.harmless(format_args!("{name} {verb} kept out of logs"));
        }
        if (ours.exception, ours.fault) != (theirs.exception, theirs.fault) {
            self.breaking(format_args!("{name} is another kind of error"));
        }
        self.members(name, &ours.members, &theirs.members);
    }

    /// A narrower bound breaks who asks; a wider one, who is told.
    fn bounds(&mut self, name: &str, ours: &ShapeFacts, theirs: &ShapeFacts) {
        let is_told = self.told.contains(name) && !self.asked.contains(name);
        let shown = |bound: Option<i64>| bound.map_or("none".to_owned(), |bound| bound.to_string());
        let pairs = [
            (
                "least",
                ours.min.map(|n| -n),
                theirs.min.map(|n| -n),
                ours.min,
                theirs.min,
            ),
            ("greatest", ours.max, theirs.max, ours.max, theirs.max),
        ];
        for (what, old_reach, new_reach, old, new) in pairs {
            if old == new {
                continue;
            }
            let is_tighter = match (old_reach, new_reach) {
                (None, Some(_)) => true,
                (Some(old), Some(new)) => new < old,
                (_, None) => false,
            };
            let verb = if is_tighter { "tightened" } else { "loosened" };
            let (new, old) = (shown(new), shown(old));
            let words = format!("the {what} of {name} is {verb}: {new}, was {old}");
            self.put(words, is_tighter != is_told);
        }
    }

    fn values(&mut self, name: &str, ours: &ShapeFacts, theirs: &ShapeFacts) {
        match (ours.enum_values.is_empty(), theirs.enum_values.is_empty()) {
            (true, true) => {}
            (true, false) => self.breaking(format_args!("{name} takes listed values only")),
            (false, true) => self.harmless(format_args!("{name} takes any value")),
            (false, false) => {
                let (old, new) = (&ours.enum_values, &theirs.enum_values);
                for value in new.iter().filter(|value| !old.contains(value)) {
                    self.harmless(format_args!("{name} has the new value '{value}'"));
                }
                for value in old.iter().filter(|value| !new.contains(value)) {
                    self.breaking(format_args!("{name} has the value '{value}' no more"));
                }
            }
        }
    }

    fn members(&mut self, name: &str, ours: &[MemberFacts], theirs: &[MemberFacts]) {
        for old in ours {
            if theirs.iter().all(|new| new.name != old.name) {
                self.breaking(format_args!("{name}.{} is gone", old.name));
            }
        }
        for new in theirs {
            let member = format!("{name}.{}", new.name);
            let Some(old) = ours.iter().find(|old| old.name == new.name) else {
                match new.required && self.asked.contains(name) {
                    true => self.breaking(format_args!("{member} is new and required")),
                    false => self.harmless(format_args!("{member} is new")),
                }
                continue;
            };
            if old.shape != new.shape {
                let words = format!("{member} is a {}, was a {}", new.shape, old.shape);
                self.breaking(words);
            }
            match (old.required, new.required) {
                (false, true) => {
                    let is_asked = self.asked.contains(name);
                    self.put(format_args!("{member} is required now"), is_asked);
                }
                (true, false) => {
                    let is_told = self.told.contains(name);
                    self.put(format_args!("{member} is required no more"), is_told);
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::SERVICES;
    use super::*;

    /// A service with one operation, which takes a name and answers a status.
    fn base() -> Value {
        json!({
            "metadata": {
                "apiVersion": "2015-09-21", "jsonVersion": "1.1", "serviceId": "X",
                "signingName": "x", "targetPrefix": "X_1",
            },
            "operations": {
                "Get": { "input": "GetRequest", "output": "GetResponse", "errors": ["Bad"] },
            },
            "paginators": {},
            "shapes": {
                "GetRequest": { "type": "structure", "members": [
                    { "name": "name", "shape": "Name" },
                    { "name": "kinds", "shape": "Kinds" },
                ] },
                "GetResponse": { "type": "structure", "members": [
                    { "name": "status", "shape": "Status", "required": true },
                ] },
                "Name": { "type": "string", "min": 2, "max": 10, "pattern": "[a-z]+" },
                "Kinds": { "type": "list", "element": "Kind" },
                "Kind": { "type": "string", "enum": ["A", "B"] },
                "Status": { "type": "string", "max": 5 },
                "Bad": { "type": "structure", "exception": true },
            },
        })
    }

    /// What a change of the base is called.
    fn named(pointer: &str, value: Value) -> Vec<String> {
        let ours = serde_json::from_value(base()).expect("a model");
        let mut changed = base();
        let (parent, last) = pointer.rsplit_once('/').expect("a place");
        let place = changed.pointer_mut(parent).expect("the place");
        match (place, last.parse::<usize>()) {
            (Value::Array(list), Ok(at)) if at < list.len() => list[at] = value,
            (Value::Array(list), _) => list.push(value),
            (Value::Object(map), _) if value.is_null() => drop(map.remove(last)),
            (place, _) => place[last] = value,
        }
        let theirs = serde_json::from_value(changed).expect("a model");
        let found = compare("x", &ours, &theirs);
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn equal_models_do_not_differ() {
        let model = || serde_json::from_value(base()).expect("a model");
        assert_eq!(compare("x", &model(), &model()), []);
    }

    #[test]
    fn our_models_do_not_differ_from_themselves() {
        for (stem, _) in SERVICES {
            let model = || read(stem).expect("a model");
            assert_eq!(compare(stem, &model(), &model()), []);
        }
    }

    /// One change of the base, and what it is called.
    type Case = (&'static str, Value, &'static str);

    fn each_is_named(cases: impl IntoIterator<Item = Case>) {
        for (pointer, value, words) in cases {
            assert_eq!(named(pointer, value), [words], "{pointer}");
        }
    }

    #[test]
    fn differences_of_operations_have_their_words() {
        let operation = json!({ "input": "GetRequest", "output": "GetResponse", "errors": [] });
        each_is_named([
            (
                "/operations/Put",
                operation,
                "harmless: x: operation Put is new",
            ),
            (
                "/operations/Get",
                Value::Null,
                "breaking: x: operation Get is gone",
            ),
            (
                "/operations/Get/errors/-",
                json!("Worse"),
                "harmless: x: operation Get has the new error Worse",
            ),
            (
                "/operations/Get/errors",
                json!([]),
                "breaking: x: operation Get has the error Bad no more",
            ),
            (
                "/operations/Get/output",
                json!("GetRequest"),
                "breaking: x: operation Get answers GetRequest, was GetResponse",
            ),
            (
                "/metadata/targetPrefix",
                json!("Y"),
                "breaking: x: its target prefix is 'Y', was 'X_1'",
            ),
            (
                "/paginators/Get",
                json!({ "inputToken": "a", "outputToken": "b", "resultKeys": ["c"] }),
                "harmless: x: operation Get pages now",
            ),
        ]);
    }

    #[test]
    fn differences_of_members_have_their_words() {
        each_is_named([
            (
                "/shapes/GetRequest/members/-",
                json!({ "name": "more", "shape": "Name" }),
                "harmless: x: GetRequest.more is new",
            ),
            (
                "/shapes/GetRequest/members/-",
                json!({ "name": "more", "shape": "Name", "required": true }),
                "breaking: x: GetRequest.more is new and required",
            ),
            (
                "/shapes/GetResponse/members/-",
                json!({ "name": "more", "shape": "Name", "required": true }),
                "harmless: x: GetResponse.more is new",
            ),
            (
                "/shapes/GetResponse/members",
                json!([]),
                "breaking: x: GetResponse.status is gone",
            ),
            (
                "/shapes/GetRequest/members/0",
                json!({ "name": "name", "shape": "Name", "required": true }),
                "breaking: x: GetRequest.name is required now",
            ),
            (
                "/shapes/GetResponse/members/0",
                json!({ "name": "status", "shape": "Status" }),
                "breaking: x: GetResponse.status is required no more",
            ),
            (
                "/shapes/GetRequest/members/0",
                json!({ "name": "name", "shape": "Kind" }),
                "breaking: x: GetRequest.name is a Kind, was a Name",
            ),
        ]);
    }

    #[test]
    fn differences_of_values_have_their_words() {
        each_is_named([
            (
                "/shapes/Kind/enum/-",
                json!("C"),
                "harmless: x: Kind has the new value 'C'",
            ),
            (
                "/shapes/Kind/enum",
                json!(["A"]),
                "breaking: x: Kind has the value 'B' no more",
            ),
            (
                "/shapes/Kind/enum",
                json!([]),
                "harmless: x: Kind takes any value",
            ),
            (
                "/shapes/Name/enum",
                json!(["a"]),
                "breaking: x: Name takes listed values only",
            ),
            (
                "/shapes/Name/max",
                json!(9),
                "breaking: x: the greatest of Name is tightened: 9, was 10",
            ),
            (
                "/shapes/Name/max",
                Value::Null,
                "harmless: x: the greatest of Name is loosened: none, was 10",
            ),
            (
                "/shapes/Name/min",
                json!(3),
                "breaking: x: the least of Name is tightened: 3, was 2",
            ),
            (
                "/shapes/Name/min",
                json!(1),
                "harmless: x: the least of Name is loosened: 1, was 2",
            ),
            (
                "/shapes/Status/max",
                json!(6),
                "breaking: x: the greatest of Status is loosened: 6, was 5",
            ),
        ]);
    }

    #[test]
    fn differences_of_shapes_have_their_words() {
        each_is_named([
            (
                "/shapes/Name/pattern",
                json!("[a-y]+"),
                "breaking: x: Name has to match '[a-y]+', was '[a-z]+'",
            ),
            (
                "/shapes/Name/pattern",
                Value::Null,
                "harmless: x: Name has to match nothing, was '[a-z]+'",
            ),
            (
                "/shapes/Kinds/element",
                json!("Name"),
                "breaking: x: the elements of Kinds: Name, was Kind",
            ),
            (
                "/shapes/Name/type",
                json!("integer"),
                "breaking: x: Name is a Integer, was a String",
            ),
            (
                "/shapes/Name/sensitive",
                json!(true),
                "harmless: x: Name is now kept out of logs",
            ),
            (
                "/shapes/Bad/fault",
                json!(true),
                "breaking: x: Bad is another kind of error",
            ),
        ]);
    }

    #[test]
    fn a_settled_line_says_when_and_why() {
        let known = |date: &str, reason: &str| Known {
            difference: "x: operation Put is new".into(),
            date: date.into(),
            reason: reason.into(),
        };
        assert!(settled(vec![known("2026-11-28", "not offered")]).is_ok());
        for wrong in [
            vec![known("today", "not offered")],
            vec![known("2026-11-28", " ")],
            vec![known("2026-11-28", "a"), known("2026-11-28", "b")],
        ] {
            assert!(settled(wrong).is_err());
        }
    }
}
