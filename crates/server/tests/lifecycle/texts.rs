//! Every "validate" case of `lifecycle-cases.json` through the two operations that take a text:
//! code, status and lines, and that a refusal changes nothing.

use std::collections::BTreeSet;

use roadstead_testkit::World;
use serde_json::{Value, json};

use crate::api::{self, ok};
use crate::cases::{cases, text};

const DETAIL: &str = "Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: \
                      'Lifecycle policy validation failure: ";
const LENGTH: &str = "Invalid parameter at 'lifecyclePolicyText' failed to satisfy constraint: '";

/// The policy that stands before a case, 100 characters at least.
const STANDING: &str = r#"{"rules":[{"rulePriority":1,"selection":{"tagStatus":"untagged","countType":"sinceImagePushed","countUnit":"days","countNumber":14},"action":{"type":"expire"}}]}"#;

/// Holds a message against the lines of a case.
fn compare(case: &Value, message: &str) {
    let (id, expect) = (text(&case["id"]), &case["expect"]);
    let lines: BTreeSet<&str> = expect["lines"]
        .as_array()
        .expect("lines")
        .iter()
        .map(text)
        .collect();
    let layer = text(&expect["layer"]);
    let start = if layer == "length" { LENGTH } else { DETAIL };
    let inner = message
        .strip_prefix(start)
        .and_then(|rest| rest.strip_suffix('\''));
    let inner = inner.unwrap_or_else(|| panic!("{id}: {message}"));
    if expect["textKnown"] == false || lines.iter().any(|line| line.starts_with('@')) {
        assert!(!inner.trim().is_empty(), "{id}: {message}");
        return;
    }
    // Only the lines of a schema failure end with one another (lifecycle.md 2).
    assert_eq!(
        inner.ends_with('\n'),
        layer == "schema",
        "{id}: {message:?}"
    );
    let said: BTreeSet<&str> = inner.trim_end_matches('\n').split('\n').collect();
    assert_eq!(said, lines, "{id}: {message}");
}

#[tokio::test]
async fn texts_are_accepted_or_refused_line_by_line() {
    let world = World::start().await;
    api::repository(&world, "app").await;
    let name = json!({ "repositoryName": "app" });
    let with = |policy: &str| json!({ "repositoryName": "app", "lifecyclePolicyText": policy });
    let all = cases("validate");
    assert_eq!(all.len(), 47);
    for case in &all {
        let id = text(&case["id"]);
        ok(&world, "PutLifecyclePolicy", with(STANDING)).await;
        let before = ok(&world, "GetLifecyclePolicy", name.clone()).await;
        let policy = text(&case["policyText"]);
        for operation in ["PutLifecyclePolicy", "StartLifecyclePolicyPreview"] {
            let answer = world.ecr(operation, with(policy)).await;
            if case["expect"]["valid"] == true {
                let answer = answer.expect(200).json();
                let told = text(&answer["lifecyclePolicyText"]);
                if operation == "PutLifecyclePolicy" {
                    is_compact_form_of(told, policy);
                } else {
                    assert_eq!(told, policy, "{id}");
                    world.previews().await;
                }
                continue;
            }
            let code = text(&case["expect"]["code"]);
            let status = case["expect"]["httpStatus"].as_u64();
            assert_eq!(Some(u64::from(answer.status.as_u16())), status, "{id}");
            assert_eq!(answer.code().1, code, "{id}: {}", answer.text());
            compare(case, text(&answer.json()["message"]));
            assert_eq!(world.previews().await, 0, "{id}: a preview was started");
        }
        if case["expect"]["valid"] == false {
            assert_eq!(
                ok(&world, "GetLifecyclePolicy", name.clone()).await,
                before,
                "{id}"
            );
        }
    }
}

/// The same policy, without white space between its parts.
fn is_compact_form_of(told: &str, policy: &str) {
    let (own, sent): (Value, Value) = (
        serde_json::from_str(told).expect("JSON"),
        serde_json::from_str(policy).expect("JSON"),
    );
    assert_eq!(own, sent);
    let shortest = serde_json::to_string(&own).expect("JSON").chars().count();
    assert_eq!(told.chars().count(), shortest, "{told}");
}

/// The order is that of the documented answers (lifecycle.md 1).
#[tokio::test]
async fn the_compact_form_has_its_members_in_the_documented_order() {
    let world = World::start().await;
    api::repository(&world, "app").await;
    let sent = r#"{ "rules": [ { "action": { "type": "expire" }, "selection": {
        "countNumber": 14, "countUnit": "days", "countType": "sinceImagePushed",
        "tagPrefixList": [ "v", "a" ], "tagStatus": "tagged" },
        "description": "Expire images older than 14 days", "rulePriority": 1 } ] }"#;
    let expected = r#"{"rules":[{"rulePriority":1,"description":"Expire images older than 14 days","selection":{"tagStatus":"tagged","tagPrefixList":["v","a"],"countType":"sinceImagePushed","countUnit":"days","countNumber":14},"action":{"type":"expire"}}]}"#;
    let body = json!({ "repositoryName": "app", "lifecyclePolicyText": sent });
    let put = ok(&world, "PutLifecyclePolicy", body).await;
    let told = json!({
        "registryId": "123456789012", "repositoryName": "app", "lifecyclePolicyText": expected,
    });
    assert_eq!(put, told);
    let mut told = told;
    told["lastEvaluatedAt"] = json!(0.0);
    let name = json!({ "repositoryName": "app" });
    let got = ok(&world, "GetLifecyclePolicy", name.clone()).await;
    assert_eq!(got, told);
    assert_eq!(ok(&world, "DeleteLifecyclePolicy", name).await, told);
}
