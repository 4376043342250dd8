//! Values that no rule of a model names: what it permits, odd strings, deep nesting, in every place
//! of every request. ECR and ECR Public are swept here, Lightsail in its own file.

use roadstead_api_model::probe::of_shape;
use roadstead_api_model::{Operation, Service};
use roadstead_testkit::Answer;
use serde_json::{Value, json};

use super::{call, offered, world_for};
use crate::bench::is_alive;

/// Strings that break whoever takes them for something else.
fn odd_strings() -> [String; 14] {
    [
        String::new(),
        " ".into(),
        "\u{0}".into(),
        "\u{202e}\u{1f6a2}".into(),
        "a'; DROP TABLE services; --".into(),
        "../../etc/passwd".into(),
        "%2e%2e".into(),
        "{}".into(),
        "{\"rules\":[]}".into(),
        ":".repeat(1000),
        "9".repeat(400),
        "a".repeat(100_000),
        "[deployment:1] ?a -b \"".into(),
        "sha256:../../x".into(),
    ]
}

/// Values nested as deeply as a reader of JSON still goes down, and one level more.
fn deep_values() -> Vec<Value> {
    let nest = |levels, wrap: fn(Value) -> Value| (0..levels).fold(Value::Null, |v, _| wrap(v));
    [1, 60, 110]
        .into_iter()
        .flat_map(|levels| {
            [
                nest(levels, |v| json!([v])),
                nest(levels, |v| json!({ "a": v })),
            ]
        })
        .collect()
}

/// What the model permits of an operation.
fn permitted(operation: Operation) -> impl Iterator<Item = (String, Value)> {
    of_shape(operation.service(), operation.input_shape())
        .into_iter()
        .filter(|probe| probe.refusal.is_none())
        .map(|probe| (probe.what, probe.body))
}

/// Bodies with an odd or a deep value in one place each; as deep as the longest of what the model
/// permits goes.
pub fn bodies(operation: Operation) -> Vec<(String, Value)> {
    let whole: Vec<Value> = permitted(operation).map(|(_, body)| body).collect();
    let mut places = vec![];
    for body in &whole {
        collect(body, String::new(), &mut places);
    }
    places.sort_unstable();
    places.dedup();
    let mut bodies = vec![];
    for (pointer, is_text) in places {
        let found = whole.iter().find(|body| {
            let place = body.pointer(&pointer);
            place.is_some_and(|place| place.is_string() == is_text)
        });
        let found = found.expect("the body of this place");
        let strings = odd_strings().into_iter().map(Value::from);
        let odd = strings.filter(|_| is_text).chain(deep_values());
        for value in odd {
            let mut body = found.clone();
            *body.pointer_mut(&pointer).expect("the place") = value.clone();
            let what = format!("{pointer} {value}");
            bodies.push((what.chars().take(200).collect(), body));
        }
    }
    bodies
}

/// Every place of a value, once, and whether it is a string.
fn collect(value: &Value, pointer: String, places: &mut Vec<(String, bool)>) {
    if !pointer.is_empty() {
        places.push((pointer.clone(), value.is_string()));
    }
    match value {
        Value::Array(items) => {
            if let Some(first) = items.first() {
                collect(first, format!("{pointer}/0"), places);
            }
        }
        Value::Object(members) => {
            for (name, value) in members {
                let name = name.replace('~', "~0").replace('/', "~1");
                collect(value, format!("{pointer}/{name}"), places);
            }
        }
        _ => {}
    }
}

/// Errors that any operation may meet, whatever it declares.
const COMMON: [&str; 3] = [
    "AccessDeniedException",
    "SerializationException",
    "ValidationException",
];

#[track_caller]
fn assert_declared(operation: Operation, what: &str, answer: &Answer) {
    if answer.status == 200 {
        return;
    }
    let shown = || format!("{operation:?}: {what:.200}: {:.500}", answer.text());
    let (status, code) = answer.code();
    assert_eq!(status, 400, "{}", shown());
    let is_declared = operation.errors().contains(&code.as_str());
    assert!(
        is_declared || COMMON.contains(&code.as_str()),
        "{}",
        shown()
    );
    assert!(answer.json()["message"].is_string(), "{}", shown());
}

/// How many bodies were sent.
async fn sweep(service: Service) -> usize {
    let mut sent = 0;
    for operation in offered().filter(|operation| operation.service() == service) {
        let (world, _) = world_for(operation).await;
        for (what, body) in permitted(operation).chain(bodies(operation)) {
            let answer = call(&world, operation, &body).await;
            assert_declared(operation, &what, &answer);
            sent += 1;
        }
        is_alive(&world).await;
    }
    sent
}

#[tokio::test]
async fn e4_odd_values_everywhere_in_ecr() {
    // Far fewer means that places went missing.
    let sent = sweep(Service::Ecr).await;
    assert!(sent > 2000, "only {sent}");
}

#[tokio::test]
async fn e4_odd_values_everywhere_in_ecr_public() {
    let sent = sweep(Service::EcrPublic).await;
    assert!(sent > 1500, "only {sent}");
}
