//! Every worked case of the reference, and the files of cases themselves.

use roadstead_domain::lifecycle::cases::{CaseFile, CaseOutcome};
use serde_json::{Value, json};

const REFERENCE: &str = include_str!("data/lifecycle-cases.json");

fn run(file: &str) -> Vec<CaseOutcome> {
    let file = CaseFile::parse(file).unwrap();
    file.run().map(|outcome| outcome.unwrap()).collect()
}

#[test]
fn every_case_of_the_reference() {
    let outcomes = run(REFERENCE);
    let of = |kind| {
        outcomes
            .iter()
            .filter(|outcome| outcome.kind == kind)
            .count()
    };
    assert_eq!((of("evaluate"), of("validate")), (73, 47));
    let failed: Vec<String> = outcomes
        .iter()
        .filter(|outcome| !outcome.passed())
        .map(|outcome| format!("{}: {:#?}", outcome.id, outcome.differences))
        .collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn a_wrong_expectation_is_found_in_every_case() {
    let mut file: Value = serde_json::from_str(REFERENCE).unwrap();
    for case in file["cases"].as_array_mut().unwrap() {
        if case["kind"] == "validate" {
            let valid = case["expect"]["valid"].as_bool().unwrap();
            case["expect"]["valid"] = json!(!valid);
            continue;
        }
        for name in ["summary", "summaryExcluded"] {
            if let Some(summary) = case.get_mut(name) {
                summary["expiring"] = json!(summary["expiring"].as_u64().unwrap() + 1);
            }
        }
        for name in ["expect", "expectExcluded"] {
            for (_, image) in case
                .get_mut(name)
                .into_iter()
                .flat_map(|e| e.as_object_mut().unwrap())
            {
                image["reason"] = json!("none of these");
            }
        }
    }
    for outcome in run(&file.to_string()) {
        assert!(!outcome.passed(), "{}", outcome.id);
        let images = outcome
            .differences
            .iter()
            .filter(|d| d.field == "reason")
            .count();
        let expected = if outcome.kind == "evaluate" {
            outcome.expect.len()
        } else {
            0
        };
        assert_eq!(images, expected, "{}", outcome.id);
    }
}

#[test]
fn outcomes_are_cases_again() {
    let mut file: Value = serde_json::from_str(REFERENCE).unwrap();
    let outcomes = run(REFERENCE);
    for (case, outcome) in file["cases"]
        .as_array_mut()
        .unwrap()
        .iter_mut()
        .zip(outcomes)
    {
        let outcome = serde_json::to_value(outcome).unwrap();
        assert_eq!(
            (&case["id"], &case["kind"]),
            (&outcome["id"], &outcome["kind"])
        );
        let case = case.as_object_mut().unwrap();
        case.retain(|name, _| !name.starts_with("expect") && !name.starts_with("summary"));
        for name in ["expect", "summary"] {
            if let Some(found) = outcome.get(name) {
                case.insert(name.into(), found.clone());
            }
        }
    }
    assert!(run(&file.to_string()).iter().all(CaseOutcome::passed));
}

fn policy() -> Value {
    json!({"rules": [{
        "rulePriority": 1,
        "selection": {"tagStatus": "any", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 1},
        "action": {"type": "expire"},
    }]})
}

fn error(file: &Value) -> String {
    match CaseFile::parse(&file.to_string()) {
        Err(error) => error.to_string(),
        Ok(file) => file.run().next().unwrap().unwrap_err().to_string(),
    }
}

#[test]
fn instants_in_any_form_and_members_of_others() {
    let image = |at: Value| json!({"digest": "a", "tags": ["v1"], "pushedAt": at, "size": 7});
    let day_1 = [
        json!(86_400),
        json!(86_400.0),
        json!("1970-01-02T00:00:00Z"),
        json!("1970-01-02"),
    ];
    for pushed in &day_1 {
        for (now, action) in [
            (json!(172_800), "NONE"),
            (json!(172_800.000_001), "EXPIRE"),
            (json!("1970-01-03T00:00:00Z"), "NONE"),
            (json!("1970-01-03T02:00:00+01:00"), "EXPIRE"),
        ] {
            let case = json!({"id": "x", "kind": "evaluate", "owner": "us",
                "policy": policy(), "images": [image(pushed.clone())]});
            let file = json!({"now": now, "about": 1, "cases": [case]});
            let file = CaseFile::parse(&file.to_string()).unwrap();
            assert_eq!(file.rest["about"], 1);
            assert_eq!(file.cases[0].members["owner"], "us");
            let outcome = file.run().next().unwrap().unwrap();
            assert!(outcome.passed());
            assert_eq!(outcome.expect["a"]["action"], action, "{pushed} {now}");
        }
    }
}

/// A case with one member changed, which is given by a pointer.
fn changed(pointer: &str, value: Value) -> Value {
    let mut case = json!({"id": "x", "kind": "evaluate", "now": 0, "policy": policy(),
        "images": [{"digest": "a", "pushedAt": 0}, {"digest": "b", "pushedAt": 0}]});
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    case.pointer_mut(parent).unwrap()[name] = value;
    json!({"cases": [case]})
}

#[test]
fn errors_of_files() {
    for (file, expected) in [
        (json!([]), "file: "),
        (json!({}), "file: cases: "),
        (json!({"cases": [1]}), "file: cases[0]: "),
        (json!({"now": true, "cases": []}), "file: now: "),
        (json!({"cases": [{}]}), "case #1: kind: missing"),
        (
            json!({"cases": [{"id": "y", "kind": "validate"}]}),
            "case y: policyText: missing",
        ),
    ] {
        let error = error(&file);
        assert!(error.starts_with(expected), "{error}\n{expected}");
    }
}

#[test]
fn errors_name_case_and_field() {
    let bad_list = json!([{"digest": "a", "pushedAt": 0}, 1]);
    for (pointer, value, expected) in [
        ("/kind", json!("guess"), "kind: "),
        ("/now", json!(null), "now: "),
        ("/now", json!("noon"), "now: "),
        ("/policy", json!(null), "policy: missing"),
        (
            "/policy",
            json!({"rules": []}),
            "policy: Invalid parameter at 'LifecyclePolicyText'",
        ),
        ("/images", json!(1), "images: not a list"),
        ("/images", bad_list, "images[1]: not an object"),
        ("/images/1/digest", json!(null), "images[1].digest: missing"),
        ("/images/1/digest", json!("a"), "images[1].digest: another"),
        (
            "/images/1/pushedAt",
            json!(null),
            "images[1].pushedAt: missing",
        ),
        ("/images/0/pushedAt", json!(1e300), "images[0].pushedAt: "),
        (
            "/images/0/lastPulledAt",
            json!([]),
            "images[0].lastPulledAt: ",
        ),
        ("/images/0/tags", json!(["a", 1]), "images[0].tags: "),
        ("/images/0/children", json!("a"), "images[0].children: "),
        ("/images/0/subject", json!(1), "images[0].subject: "),
        ("/images/0/status", json!("active"), "images[0].status: "),
        ("/expect", json!([]), "expect: not an object"),
        ("/expect", json!({"a": 1}), "expect.a: not an object"),
    ] {
        let error = error(&changed(pointer, value));
        let expected = format!("case x: {expected}");
        assert!(error.starts_with(&expected), "{error}\n{expected}");
    }
}

#[test]
fn expectations_may_be_partial_but_not_misspelt() {
    let case = |expect: Value| {
        let case = json!({"kind": "evaluate", "policy": policy(), "expect": expect,
            "images": [{"digest": "a", "pushedAt": 0}]});
        run(&json!({"now": 86_401, "cases": [case]}).to_string()).remove(0)
    };
    assert!(case(json!({})).passed());
    assert!(case(json!({"a": {"action": "EXPIRE"}})).passed());
    assert!(case(json!({"a": {"rule": 1, "claimedBy": 1, "reason": "marked"}})).passed());
    let missing = case(json!({"b": {"action": "EXPIRE"}}));
    assert_eq!(missing.differences[0].image.as_deref(), Some("b"));
    assert_eq!(missing.differences[0].found, None);
    assert!(!case(json!({"a": {"acton": "EXPIRE"}})).passed());
    assert!(!case(json!({"a": {"rule": null}})).passed());
}
