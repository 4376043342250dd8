//! What the longest and nastiest policies cost. The bound is generous: a machine may be busy, and
//! what it guards against takes minutes or for ever.

use std::time::Duration;

use roadstead_domain::ids::AccountId;
use roadstead_domain::policy::document::PolicyDocument;
use roadstead_domain::policy::evaluate::{Decision, Policies, evaluate};
use roadstead_domain::policy::parse::{IDENTITY_POLICY_TEXT_MAX, PolicyKind};
use roadstead_domain::policy::request::{Context, Request};
use roadstead_domain::policy::requester::Requester;
use roadstead_domain::time::Timestamp;
use serde_json::{Value, json};

const BOUND: Duration = Duration::from_secs(20);

/// Runs `work` on a thread of its own and fails when it takes longer than the bound.
fn in_time<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, wait) = std::sync::mpsc::channel();
    std::thread::spawn(move || done.send(work()));
    wait.recv_timeout(BOUND).expect("in bounded time")
}

fn document(statements: &Value) -> PolicyDocument {
    let text = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
    assert!(text.len() <= IDENTITY_POLICY_TEXT_MAX, "{}", text.len());
    PolicyDocument::parse(PolicyKind::Identity, &text).unwrap()
}

fn decide(documents: &[PolicyDocument], resource: &str, context: &Context) -> Decision {
    let request = Request {
        requester: &Requester::parse_arn("arn:aws:iam::111111111111:user/alice").unwrap(),
        action: "ecr:PutImage",
        resource,
        resource_account: &AccountId::parse("111111111111").unwrap(),
        context,
        now: Timestamp::from_seconds(1_790_000_000),
    };
    let policies = Policies {
        identity: &documents.iter().collect::<Vec<_>>(),
        ..Policies::default()
    };
    evaluate(&request, &policies)
}

#[test]
fn four_thousand_statements_and_the_last_denies() {
    in_time(|| {
        let allow = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
        let deny = json!({"Effect": "Deny", "Action": "*", "Resource": "*"});
        let many = document(&json!(vec![allow; 2_000]));
        let context = Context::default();
        let mut documents = vec![many.clone(), many];
        assert!(decide(&documents, "*", &context).is_allowed());
        documents.push(document(&json!([deny])));
        let denied = decide(&documents, "*", &context);
        assert!(matches!(denied, Decision::DeniedExplicitly(origin) if origin.document == 2));
    });
}

#[test]
fn huge_wildcards() {
    in_time(|| {
        for unit in ["*a", "*?", "a*", "*"] {
            let pattern = unit.repeat(50_000 / unit.len());
            let like = json!({"StringLike": {"aws:UserAgent": format!("{pattern}b")}});
            let statement = json!([
                {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": like},
                {"Effect": "Allow", "Action": "ecr:*", "Resource":
                    format!("arn:aws:ecr:*:*:{pattern}b")},
            ]);
            let mut context = Context::default();
            context.set("aws:UserAgent", "a".repeat(20_000));
            let resource = format!("arn:aws:ecr:::{}", "a".repeat(20_000));
            let decision = decide(&[document(&statement)], &resource, &context);
            assert!(!decision.is_allowed(), "{unit}");
        }
    });
}

#[test]
fn long_actions_and_many_values() {
    in_time(|| {
        let action = format!("ecr:{}e", "*a*".repeat(20_000));
        let values: Vec<String> = (0..5_000).map(|n| format!("*{n}*")).collect();
        let statement = json!([
            {"Effect": "Allow", "Action": action, "Resource": "*"},
            {"Effect": "Allow", "Action": "*", "Resource": "*",
             "Condition": {"ForAnyValue:StringLike": {"aws:TagKeys": values}}},
        ]);
        let mut context = Context::default();
        let keys = (0..50).map(|n| format!("x{}", "y".repeat(100 + n)));
        context.set_many("aws:TagKeys", keys.collect());
        assert!(!decide(&[document(&statement)], "*", &context).is_allowed());
    });
}

#[test]
fn many_variables() {
    in_time(|| {
        let resource = format!("arn:aws:ecr:*:*:{}b", "*${aws:username}".repeat(4_000));
        let statement = json!([{"Effect": "Allow", "Action": "*", "Resource": resource}]);
        let asked = format!("arn:aws:ecr:::{}", "alic".repeat(5_000));
        assert!(!decide(&[document(&statement)], &asked, &Context::default()).is_allowed());
    });
}
