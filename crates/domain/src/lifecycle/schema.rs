//! What JSON a lifecycle policy may be, checked as a JSON-schema (draft 4) validator checks it.
//!
//! ECR runs the Java library json-schema-validator; the shapes of its lines, and when it stops, are
//! those of that library. A node's own checks all run; its members are looked at only while nothing
//! at all has failed. An integer is a number written without fraction and exponent: `1.0` and `1e2`
//! are of type number. This file never judges rules against one another.

use serde_json::{Map, Value};

type Object = Map<String, Value>;

/// One node of the schema.
enum Shape {
    /// An object with no other fields than these, by name: the order in which they are checked.
    Object(&'static [Field], Option<&'static Choice>),
    /// An array of so many elements at least and at most.
    Array(usize, usize, &'static Shape),
    /// A string.
    Text,
    /// An integer not below 1.
    Positive,
    /// One of these strings.
    OneOf(&'static [&'static str]),
    /// Whatever the object's choice says.
    Chosen,
}

struct Field {
    name: &'static str,
    required: bool,
    shape: Shape,
}

/// A `oneOf`, whose branches never say why they failed.
struct Choice {
    /// Whether there is something to choose by; if not, another line tells what is missing.
    applies: fn(&Object) -> bool,
    branches: &'static [fn(&Object) -> bool],
}

const fn must(name: &'static str, shape: Shape) -> Field {
    Field {
        name,
        required: true,
        shape,
    }
}

const fn may(name: &'static str, shape: Shape) -> Field {
    Field {
        name,
        required: false,
        shape,
    }
}

/// Rules of one policy (ECR service quotas).
const RULES_MAX: usize = 50;
/// Days for which an archived image is paid for at least (ECR user guide, "Archiving an image").
const ARCHIVE_DAYS_MIN: f64 = 90.0;

static POLICY: Shape = Shape::Object(&[must("rules", Shape::Array(1, RULES_MAX, &RULE))], None);

static RULE: Shape = Shape::Object(
    &[
        must("action", ACTION),
        may("description", Shape::Text),
        must("rulePriority", Shape::Positive),
        must("selection", SELECTION),
    ],
    None,
);

const SELECTION: Shape = Shape::Object(
    &[
        must("countNumber", Shape::Positive),
        must("countType", Shape::Chosen),
        may("countUnit", Shape::Chosen),
        may("storageClass", Shape::OneOf(&["archive", "standard"])),
        may("tagPatternList", TAG_LIST),
        may("tagPrefixList", TAG_LIST),
        must("tagStatus", Shape::OneOf(&["any", "tagged", "untagged"])),
    ],
    Some(&COUNT_TYPES),
);

const TAG_LIST: Shape = Shape::Array(0, usize::MAX, &Shape::Text);

const ACTION: Shape = Shape::Object(
    &[
        may("targetStorageClass", Shape::Chosen),
        must("type", Shape::OneOf(&["expire", "transition"])),
    ],
    Some(&TARGETS),
);

static COUNT_TYPES: Choice = Choice {
    applies: |selection| selection.contains_key("countType"),
    branches: &[
        |selection| {
            is(selection, "countType", "imageCountMoreThan") && !selection.contains_key("countUnit")
        },
        |selection| is_age(selection, "sinceImagePushed"),
        |selection| is_age(selection, "sinceImagePulled"),
        |selection| {
            is_age(selection, "sinceImageTransitioned")
                && is(selection, "storageClass", "archive")
                // What is no number is told by its type.
                && selection
                    .get("countNumber")
                    .and_then(Value::as_f64)
                    .is_none_or(|number| number >= ARCHIVE_DAYS_MIN)
        },
    ],
};

static TARGETS: Choice = Choice {
    applies: |_| true,
    branches: &[
        |action| !action.contains_key("targetStorageClass"),
        |action| is(action, "type", "transition") && is(action, "targetStorageClass", "archive"),
    ],
};

fn is(object: &Object, name: &str, text: &str) -> bool {
    object.get(name).and_then(Value::as_str) == Some(text)
}

fn is_age(selection: &Object, count_type: &str) -> bool {
    is(selection, "countType", count_type) && is(selection, "countUnit", "days")
}

/// Every line that the validator has to say about a policy; none if its shape is right.
pub(super) fn lines(policy: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    check(&POLICY, policy, &mut lines);
    lines
}

/// Recurses as deep as the schema, not as the text.
fn check(shape: &Shape, value: &Value, lines: &mut Vec<String>) {
    match (shape, value) {
        (Shape::Object(fields, choice), Value::Object(object)) => {
            check_fields(fields, *choice, object, lines);
        }
        (Shape::Object(..), _) => lines.push(wrong_type("object", value)),
        (Shape::Array(min, max, items), Value::Array(elements)) => {
            let found = elements.len();
            if found < *min {
                lines.push(format!(
                    "array is too short: must have at least {min} elements but instance has {found} elements"
                ));
            }
            if found > *max {
                lines.push(format!(
                    "array is too long: must have at most {max} elements but instance has {found} elements"
                ));
            }
            if lines.is_empty() {
                for element in elements {
                    check(items, element, lines);
                }
            }
        }
        (Shape::Array(..), _) => lines.push(wrong_type("array", value)),
        (Shape::Text, Value::String(_)) | (Shape::Chosen, _) => {}
        (Shape::Text, _) => lines.push(wrong_type("string", value)),
        (Shape::Positive, _) => check_positive(value, lines),
        (Shape::OneOf(names), _) => {
            if value.as_str().is_none_or(|name| !names.contains(&name)) {
                lines.push(format!(
                    "instance value ({value}) not found in enum (possible values: {})",
                    list(names)
                ));
            }
        }
    }
}

fn check_fields(
    fields: &[Field],
    choice: Option<&Choice>,
    object: &Object,
    lines: &mut Vec<String>,
) {
    let unknown = sorted(
        object
            .keys()
            .map(String::as_str)
            .filter(|name| fields.iter().all(|field| field.name != *name)),
    );
    if !unknown.is_empty() {
        lines.push(format!(
            "object instance has properties which are not allowed by the schema: {}",
            list(&unknown)
        ));
    }
    if let Some(choice) = choice.filter(|choice| (choice.applies)(object)) {
        let matched = choice.branches.iter().filter(|fits| fits(object)).count();
        if matched != 1 {
            lines.push(format!(
                "instance failed to match exactly one schema (matched {matched} out of {})",
                choice.branches.len()
            ));
        }
    }
    let missing = sorted(
        fields
            .iter()
            .filter(|field| field.required && !object.contains_key(field.name))
            .map(|field| field.name),
    );
    if !missing.is_empty() {
        lines.push(format!(
            "object has missing required properties ({})",
            list(&missing)
        ));
    }
    if lines.is_empty() {
        for field in fields {
            if let Some(value) = object.get(field.name) {
                check(&field.shape, value, lines);
            }
        }
    }
}

fn check_positive(value: &Value, lines: &mut Vec<String>) {
    if type_of(value) != "integer" {
        lines.push(wrong_type("integer", value));
    }
    if value.as_f64().is_some_and(|number| number < 1.0) {
        lines.push(format!(
            "numeric instance is lower than the required minimum (minimum: 1, found: {value})"
        ));
    }
}

fn wrong_type(allowed: &str, value: &Value) -> String {
    format!(
        "instance type ({}) does not match any allowed primitive type (allowed: [\"{allowed}\"])",
        type_of(value)
    )
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn sorted<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    names
}

/// `["a","b"]`
fn list(names: &[&str]) -> String {
    Value::from(names).to_string()
}
