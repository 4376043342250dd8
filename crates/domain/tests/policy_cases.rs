//! Every worked case of the reference (auth.md 9).

use roadstead_domain::ids::AccountId;
use roadstead_domain::policy::document::PolicyDocument;
use roadstead_domain::policy::evaluate::{Decision, Policies, evaluate};
use roadstead_domain::policy::parse::PolicyKind;
use roadstead_domain::policy::request::{Context, Request};
use roadstead_domain::policy::requester::Requester;
use roadstead_domain::time::Timestamp;
use serde_json::Value;

const CASES: &str = include_str!("data/policy-cases.json");
/// No condition of a case looks at the time.
const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);
/// Case 14 has a wildcard inside a principal: refused when stored, so that it never counts.
const REFUSED: &[i64] = &[14];

fn documents(kind: PolicyKind, listed: &Value, refused: &mut bool) -> Vec<PolicyDocument> {
    let list = match listed {
        Value::Null => Vec::new(),
        Value::Array(list) => list.clone(),
        one => vec![one.clone()],
    };
    let parsed = list.iter().map(|policy| {
        PolicyDocument::parse(kind, &policy.to_string()).inspect_err(|_| *refused = true)
    });
    parsed.filter_map(Result::ok).collect()
}

fn context(case: &Value) -> Context {
    let mut context = Context::default();
    for (key, value) in case["context"].as_object().unwrap() {
        match value {
            Value::Array(values) => {
                let values = values.iter().map(|value| value.as_str().unwrap().into());
                context.set_many(key, values.collect());
            }
            value => context.set(key, value.as_str().unwrap()),
        }
    }
    context
}

fn decide(case: &Value, refused: &mut bool) -> Decision {
    let mut read = |kind, name: &str| documents(kind, &case[name], refused);
    let identity = read(PolicyKind::Identity, "identity");
    let resource = read(PolicyKind::Repository, "resourcePolicy");
    let boundary = read(PolicyKind::Identity, "permissionsBoundary");
    let session = read(PolicyKind::Identity, "sessionPolicy");
    let [identity, resource, boundary, session] =
        [&identity, &resource, &boundary, &session].map(|list| list.iter().collect::<Vec<_>>());
    let text = |name: &str| case[name].as_str().unwrap();
    let request = Request {
        requester: &Requester::parse_arn(text("principal")).unwrap(),
        action: text("action"),
        resource: text("resource"),
        resource_account: &AccountId::parse(text("resourceAccount")).unwrap(),
        context: &context(case),
        now: NOW,
    };
    let policies = Policies {
        identity: &identity,
        resource: &resource,
        boundary: (!case["permissionsBoundary"].is_null()).then_some(&boundary),
        session: (!case["sessionPolicy"].is_null()).then_some(&session),
    };
    evaluate(&request, &policies)
}

fn word(decision: Decision) -> &'static str {
    match decision {
        Decision::Allowed(_) => "Allowed",
        Decision::DeniedExplicitly(_) => "ExplicitlyDenied",
        Decision::DeniedByDefault(_) => "ImplicitlyDenied",
    }
}

#[test]
fn every_case_of_the_reference() {
    let cases: Vec<Value> = serde_json::from_str(CASES).unwrap();
    assert_eq!(cases.len(), 38);
    let mut failed = Vec::new();
    for case in &cases {
        let mut refused = false;
        let found = word(decide(case, &mut refused));
        if found != case["expect"] {
            failed.push(format!("{}: {found}, {}", case["id"], case["why"]));
        }
        let id = case["id"].as_i64().unwrap();
        assert_eq!(refused, REFUSED.contains(&id), "case {id}");
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// Each statement matters to some case: without the policies nobody is let in.
#[test]
fn without_policies_nobody_is_allowed() {
    let mut cases: Vec<Value> = serde_json::from_str(CASES).unwrap();
    for case in &mut cases {
        case["identity"] = Value::Null;
        case["resourcePolicy"] = Value::Null;
        assert_eq!(word(decide(case, &mut false)), "ImplicitlyDenied");
    }
}
