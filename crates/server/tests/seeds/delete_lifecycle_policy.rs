//! DeleteLifecyclePolicy of the Amazon ECR API reference.
//!
//! Of its errors ValidationException has no test: where an operation declares
//! InvalidParameterException too, broken constraints are answered with that, and nothing else of
//! this operation can be invalid.

use serde_json::json;
use std::time::Duration;

use crate::error;
use crate::support::aws::AwsCli;
use crate::support::server::{ACCOUNT, Server};

const NAME: &str = "project-a/amazon-ecs-sample";

/// The text in the sample response.
const POLICY: &str = r#"{"rules":[{"rulePriority":1,"description":"Expire images older than 14 days","selection":{"tagStatus":"untagged","countType":"sinceImagePushed","countUnit":"days","countNumber":14},"action":{"type":"expire"}}]}"#;

fn named(operation: &'static str) -> Vec<&'static str> {
    vec![operation, "--repository-name", NAME]
}

/// Makes the repository of the sample and puts its policy.
fn put(aws: &AwsCli) {
    aws.create_repository(NAME);
    let text = ["--lifecycle-policy-text", POLICY];
    aws.ecr(&[&named("put-lifecycle-policy")[..], &text].concat());
}

/// The example: of a policy that has not run yet (AWS CLI examples, get-lifecycle-policy).
#[test]
fn example() {
    let server = Server::start();
    let aws = server.aws();
    put(&aws);
    assert_eq!(
        aws.ecr(&named("delete-lifecycle-policy")),
        json!({
            "lastEvaluatedAt": 0.0,
            "lifecyclePolicyText": POLICY,
            "registryId": ACCOUNT,
            "repositoryName": NAME,
        })
    );
    let said = aws.ecr_refused(&named("get-lifecycle-policy"));
    assert!(
        said.contains("(LifecyclePolicyNotFoundException)"),
        "{said}"
    );
}

/// "The time stamp of the last time that the lifecycle policy was run."
#[test]
fn example_after_a_run() {
    let server = Server::start_with_settings(&[("ROADSTEAD_LIFECYCLE_INTERVAL_SECONDS", "1")]);
    let aws = server.aws();
    put(&aws);
    let runs = (0..100).find_map(|_| {
        std::thread::sleep(Duration::from_millis(200));
        let policy = aws.ecr(&named("get-lifecycle-policy"));
        policy["lastEvaluatedAt"].as_f64().filter(|at| *at > 1.5e9)
    });
    let seen = runs.expect("the policy runs");
    let mut answer = aws.ecr(&named("delete-lifecycle-policy"));
    // It may have run once more.
    let told = answer["lastEvaluatedAt"].take();
    assert!(told.as_f64().is_some_and(|at| at >= seen), "{told}");
    assert_eq!(
        answer,
        json!({
            "lastEvaluatedAt": null,
            "lifecyclePolicyText": POLICY,
            "registryId": ACCOUNT,
            "repositoryName": NAME,
        })
    );
}

#[test]
fn the_registry_may_be_named() {
    let server = Server::start();
    let aws = server.aws();
    put(&aws);
    let registry = ["--registry-id", ACCOUNT];
    let answer = aws.ecr(&[&named("delete-lifecycle-policy")[..], &registry].concat());
    assert_eq!(answer["lifecyclePolicyText"], POLICY);
}

#[test]
fn invalid_parameter_exception() {
    let server = Server::start();
    let aws = server.aws();
    put(&aws);
    let long = "a".repeat(257);
    let rows = [
        (
            "12345",
            NAME,
            "Invalid parameter at 'registryId' failed to satisfy constraint: 'Member must \
             satisfy regular expression pattern: [0-9]{12}'",
        ),
        (
            ACCOUNT,
            "Project-A",
            r"Invalid parameter at 'repositoryName' failed to satisfy constraint: 'must satisfy regular expression '[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*''",
        ),
        (
            ACCOUNT,
            long.as_str(),
            "Invalid parameter at 'repositoryName' failed to satisfy constraint: 'must have \
             length less than or equal to 256'",
        ),
    ];
    for (registry, name, text) in rows {
        let named = ["--registry-id", registry, "--repository-name", name];
        let said = aws.ecr_refused(&[&["delete-lifecycle-policy"], &named[..]].concat());
        let expected = error("InvalidParameterException", "DeleteLifecyclePolicy") + text;
        assert_eq!(said, expected);
    }
    let there = aws.ecr(&named("get-lifecycle-policy"));
    assert_eq!(there["lifecyclePolicyText"], POLICY);
}

#[test]
fn lifecycle_policy_not_found_exception() {
    let server = Server::start();
    let aws = server.aws();
    aws.create_repository(NAME);
    assert_eq!(
        aws.ecr_refused(&named("delete-lifecycle-policy")),
        error("LifecyclePolicyNotFoundException", "DeleteLifecyclePolicy")
            + "Lifecycle policy does not exist for the repository with name \
               'project-a/amazon-ecs-sample' in the registry with id '123456789012'"
    );
}

#[test]
fn repository_not_found_exception() {
    let server = Server::start();
    assert_eq!(
        server.aws().ecr_refused(&named("delete-lifecycle-policy")),
        error("RepositoryNotFoundException", "DeleteLifecyclePolicy")
            + "The repository with name 'project-a/amazon-ecs-sample' does not exist in the \
               registry with id '123456789012'"
    );
}
