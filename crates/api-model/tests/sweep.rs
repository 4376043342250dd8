//! Every rule of the model, tried just inside and just outside, on requests and results.
//! `baseline.json` holds how many probes there were; fewer means that rules went untested.

#[path = "generated/round_trip.rs"]
mod round_trip;

use std::collections::BTreeMap;

use roadstead_api_model::probe::{Probe, minimal, of_shape, probes};
use roadstead_api_model::{Operation, Service, check, facts};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Reads a value as a typed struct and writes it again.
type Through = fn(&Value) -> Result<Value, serde_json::Error>;

fn through<T: Serialize + DeserializeOwned>(value: &Value) -> Result<Value, serde_json::Error> {
    serde_json::to_value(T::deserialize(value)?)
}

/// Asserts that each probe meets its refusal and that what passes survives its struct.
fn sweep(operation: Operation, shape: &str, through: Through) -> (usize, usize) {
    let (mut refused, mut passed) = (0, 0);
    for Probe {
        body,
        refusal,
        what,
    } in of_shape(operation.service(), shape)
    {
        let found = check(operation.service(), shape, &body);
        match refusal {
            Some(refusal) => {
                assert_eq!(found, [refusal], "{operation:?} {shape}: {what}");
                refused += 1;
            }
            None => {
                assert_eq!(found, [], "{operation:?} {shape}: {what}");
                let again = through(&body).unwrap_or_else(|e| panic!("{operation:?} {what}: {e}"));
                // Not assert_eq: some bodies have tens of megabytes.
                assert!(
                    again == without_nulls(body),
                    "{operation:?} {shape}: {what}"
                );
                passed += 1;
            }
        }
    }
    (refused, passed)
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.into_iter().filter(|(_, v)| !v.is_null());
            Value::Object(kept.map(|(k, v)| (k, without_nulls(v))).collect())
        }
        Value::Array(elements) => Value::Array(elements.into_iter().map(without_nulls).collect()),
        other => other,
    }
}

#[test]
fn every_rule_holds_inside_and_outside() {
    let mut counts = BTreeMap::<String, usize>::new();
    for operation in Operation::ALL {
        let (input, output) = round_trip::of(operation);
        for (side, shape, through) in [
            ("input", operation.input_shape(), input),
            ("output", operation.output_shape(), output),
        ] {
            let (refused, passed) = sweep(operation, shape, through);
            let service = format!("{:?}", operation.service());
            *counts
                .entry(format!("{service} {side} refused"))
                .or_default() += refused;
            *counts
                .entry(format!("{service} {side} passed"))
                .or_default() += passed;
        }
    }
    let baseline: BTreeMap<String, usize> =
        serde_json::from_str(include_str!("baseline.json")).unwrap();
    for (name, least) in &baseline {
        let now = counts.get(name).copied().unwrap_or_default();
        assert!(
            now >= *least,
            "{name}: {now} probes, {least} before; all: {counts:#?}"
        );
    }
    assert_eq!(
        baseline.len(),
        counts.len(),
        "a count without a baseline: {counts:#?}"
    );
}

#[test]
fn minimal_bodies_pass_and_probes_are_refused() {
    for operation in Operation::ALL {
        let found = check(
            operation.service(),
            operation.input_shape(),
            &minimal(operation),
        );
        assert_eq!(found, [], "{operation:?}");
        assert!(
            probes(operation)
                .iter()
                .all(|probe| probe.refusal.is_some())
        );
        assert!(!probes(operation).is_empty(), "{operation:?}");
    }
}

/// A rule of a request's member that no probe breaks would go untested. The exceptions cannot be
/// broken alone: whatever is shorter breaks the pattern too.
#[test]
fn every_rule_of_a_request_member_is_probed() {
    let mut unprobed = Vec::new();
    for operation in Operation::ALL {
        let tried = probes(operation);
        let facts = facts(operation.service());
        let input = facts.shape(operation.input_shape()).unwrap();
        for member in &input.facts().members {
            let shape = facts.shape(&member.shape).unwrap().facts();
            let says = |prefix: &str| {
                let what = format!("{} breaks {prefix}", member.name);
                tried.iter().any(|probe| probe.what.starts_with(&what))
            };
            let wanted = [
                (shape.pattern.is_some(), "Pattern"),
                (!shape.enum_values.is_empty(), "Enum"),
                (shape.min.is_some_and(|n| n > 0), "Min"),
                (shape.max.is_some(), "Max"),
                (member.required, "Required"),
            ];
            for (has, rule) in wanted {
                if has && !says(rule) {
                    unprobed.push(format!("{} {rule}", member.shape));
                }
            }
        }
    }
    unprobed.sort();
    unprobed.dedup();
    assert_eq!(
        unprobed,
        [
            "ContainerLabel Min",
            "ContainerServiceName Min",
            "CredentialArn Min",
            "Prefix Min",
            "PutImageRequest.imageTag Min",
        ]
    );
}

#[test]
fn services_differ_where_their_models_do() {
    let name = |service| facts(service).shape("RepositoryName").unwrap().facts().max;
    assert_eq!(name(Service::Ecr), Some(256));
    assert_eq!(name(Service::EcrPublic), Some(205));
}
