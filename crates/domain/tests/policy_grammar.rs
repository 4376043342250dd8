//! Which texts are policies of which kind, and how the others are refused (auth.md 6.1; ecr.md 7.1
//! and 7.2; ecr-public.md 3.6).

use roadstead_domain::policy::document::{Effect, PolicyDocument, Version};
use roadstead_domain::policy::parse::PolicyKind::{
    self, Identity, PublicRepository, Registry, Repository,
};
use roadstead_domain::policy::parse::{
    IDENTITY_POLICY_TEXT_MAX, POLICY_TEXT_MAX, PolicyError, RegistryScope,
};

fn parse(kind: PolicyKind, text: &str) -> Result<PolicyDocument, PolicyError> {
    PolicyDocument::parse(kind, text)
}

/// A policy of one statement: what a repository needs, and what `extra` says.
fn repository(extra: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":"*","Action":"ecr:*"{extra}}}]}}"#
    )
}

fn repository_with(elements: &str) -> String {
    format!(r#"{{"Version":"2012-10-17","Statement":[{{{elements}}}]}}"#)
}

fn identity(elements: &str) -> String {
    format!(r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Deny",{elements}}}}}"#)
}

fn check(kind: PolicyKind, text: &str, is_policy: bool) {
    match parse(kind, text) {
        Ok(_) => assert!(is_policy, "{kind:?} took {text}"),
        Err(error) => assert!(!is_policy, "{kind:?} refused {text}: {}", error.reason()),
    }
}

const REGISTRY_ARN: &str = "arn:aws:ecr:us-east-1:111111111111:repository/*";

#[test]
fn the_parts_of_a_document() {
    let text = r#"{"Id":"mine","Statement":[
        {"Sid":"Push for all","Effect":"Allow","Principal":"*","Action":"ecr:PutImage"},
        {"Sid":"Push for all","Effect":"Deny","NotPrincipal":{"AWS":["111111111111"]},
         "NotAction":["ecr:PutImage","ecr:BatchGetImage"]}]}"#;
    let policy = parse(Repository, text).unwrap();
    // 2008-10-17 where none is given; Sids may repeat and hold spaces.
    assert_eq!(policy.version(), Version::V2008);
    assert_eq!(policy.id(), Some("mine"));
    let effects: Vec<Effect> = policy.statements().iter().map(|it| it.effect()).collect();
    assert_eq!(effects, [Effect::Allow, Effect::Deny]);
    assert_eq!(policy.statements()[1].sid(), Some("Push for all"));
    assert_eq!(policy.statements()[1].actions().entries().len(), 2);
    assert_eq!(policy.principals().count(), 2);
    let policy = parse(Repository, &repository("")).unwrap();
    assert_eq!(policy.version(), Version::V2012);
}

#[test]
fn what_is_no_policy_at_all() {
    for text in [
        "",
        "not json",
        "null",
        "[]",
        "{}",
        r#""*""#,
        r#"{"Statement":[]}"#,
        r#"{"Statement":null}"#,
        r#"{"Statement":[[]]}"#,
        r#"{"Statement":["Allow"]}"#,
        r#"{"Version":"2012-10-18","Statement":[{"Effect":"Allow","Principal":"*","Action":"*"}]}"#,
        r#"{"Version":20121017,"Statement":[{"Effect":"Allow","Principal":"*","Action":"*"}]}"#,
        r#"{"version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*"}]}"#,
        r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"*"}],"Statement":[]}"#,
        r#"{"Statement":[{"Effect":"Allow","Effect":"Deny","Principal":"*","Action":"*"}]}"#,
        r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"*"}]} x"#,
    ] {
        for kind in [Repository, PublicRepository] {
            check(kind, text, false);
        }
    }
}

#[test]
fn elements_of_a_statement() {
    for (elements, is_policy) in [
        (r#""Effect":"Allow","Principal":"*","Action":"*""#, true),
        (r#""Effect":"allow","Principal":"*","Action":"*""#, false),
        (r#""Principal":"*","Action":"*""#, false),
        (r#""Effect":"Allow","Action":"*""#, false),
        (r#""Effect":"Allow","Principal":"*""#, false),
        (r#""Effect":"Allow","Principal":"*","action":"*""#, false),
        (
            r#""Effect":"Allow","Principal":"*","Action":"*","Extra":"""#,
            false,
        ),
        (
            r#""Effect":"Allow","Principal":"*","Action":"*","NotAction":"*""#,
            false,
        ),
        (r#""Effect":"Allow","Principal":"*","Action":[]"#, false),
        (
            r#""Effect":"Allow","Principal":"*","Action":[["*"]]"#,
            false,
        ),
        (r#""Effect":"Allow","Principal":"*","Action":null"#, false),
        (
            r#""Effect":"Allow","Principal":"*","Action":"*","Condition":null"#,
            false,
        ),
        (
            r#""Effect":"Allow","Principal":"*","Action":"*","Condition":{}"#,
            true,
        ),
        (
            r#""Effect":"Allow","Principal":"*","Action":"*","Sid":7"#,
            false,
        ),
        // NotPrincipal with Allow would let in everybody else.
        (
            r#""Effect":"Allow","NotPrincipal":{"AWS":"111111111111"},"Action":"*""#,
            false,
        ),
        (
            r#""Effect":"Deny","NotPrincipal":{"AWS":"111111111111"},"Action":"*""#,
            true,
        ),
        // A repository speaks of itself only.
        (
            r#""Effect":"Allow","Principal":"*","Action":"*","Resource":"*""#,
            false,
        ),
        (
            r#""Effect":"Allow","Principal":"*","Action":"*","NotResource":"*""#,
            false,
        ),
    ] {
        check(Repository, &repository_with(elements), is_policy);
    }
}

#[test]
fn principals() {
    for (principal, is_policy) in [
        (r#""*""#, true),
        (r#"{"AWS":"*"}"#, true),
        (r#"{"AWS":"111111111111"}"#, true),
        (
            r#"{"AWS":["arn:aws:iam::111111111111:root","arn:aws:iam::111111111111:user/a"]}"#,
            true,
        ),
        (r#"{"AWS":"arn:aws:iam::111111111111:role/path/ci"}"#, true),
        (
            r#"{"AWS":"arn:aws:sts::111111111111:assumed-role/ci/run-7"}"#,
            true,
        ),
        (r#"{"AWS":"AROAEXAMPLE000000000"}"#, true),
        (
            r#"{"Service":"ecr.amazonaws.com","Federated":"x","CanonicalUser":"y"}"#,
            true,
        ),
        (r#"{}"#, false),
        (r#"{"AWS":[]}"#, false),
        (r#""111111111111""#, false),
        (r#"["*"]"#, false),
        (r#"{"aws":"*"}"#, false),
        (r#"{"AWS":"alice"}"#, false),
        (r#"{"AWS":"arn:aws:iam::111111111111:role/c*"}"#, false),
        (r#"{"Service":"*"}"#, false),
        (r#"{"AWS":{"AWS":"*"}}"#, false),
    ] {
        let elements = format!(r#""Effect":"Deny","Principal":{principal},"Action":"*""#);
        check(Repository, &repository_with(&elements), is_policy);
        let elements = format!(r#""Effect":"Deny","NotPrincipal":{principal},"Action":"*""#);
        check(Repository, &repository_with(&elements), is_policy);
    }
}

#[test]
fn actions_by_kind() {
    let [v1, v2] = [Registry(RegistryScope::V1), Registry(RegistryScope::V2)];
    // Of a repository, a public repository, a registry of scope V1 and of V2.
    for (action, expected) in [
        ("*", [true, true, false, true]),
        ("ecr:*", [true, true, false, true]),
        ("ECR:batchget*", [true, true, false, true]),
        ("ecr:ReplicateImage", [true, true, true, true]),
        ("ecr:CreateRepository", [true, true, true, true]),
        ("ecr:Replicate*", [true, true, true, true]),
        ("ecr:Create*", [true, true, false, true]),
        ("ecr:PutImage", [true, true, false, true]),
        ("ecr-public:PutImage", [false, true, false, false]),
        // No operations, but in use (Terraform's acceptance tests name the last).
        ("ecr-public:BatchGetImage", [false, true, false, false]),
        ("ecr-public:ListImages", [false, true, false, false]),
        (
            "ecr-public:PutImageTagMutability",
            [false, false, false, false],
        ),
        ("ecr:PushImage", [false, false, false, false]),
        ("ecr:", [false, false, false, false]),
        ("e*:PutImage", [false, false, false, false]),
        ("PutImage", [false, false, false, false]),
        ("s3:GetObject", [false, false, false, false]),
        ("ecr:PutImage ", [false, false, false, false]),
    ] {
        let elements = format!(r#""Effect":"Deny","Principal":"*","Action":["{action}"]"#);
        let with_resource = format!(r#"{elements},"Resource":"{REGISTRY_ARN}""#);
        for (kind, is_policy) in [Repository, PublicRepository, v1, v2]
            .into_iter()
            .zip(expected)
        {
            let elements = match kind {
                Registry(_) => &with_resource,
                _ => &elements,
            };
            check(kind, &repository_with(elements), is_policy);
        }
    }
    let other = format!(
        r#""Effect":"Deny","Principal":"*","NotAction":"ecr:CreateRepository","Resource":"{REGISTRY_ARN}""#
    );
    check(v1, &repository_with(&other), false);
    check(v2, &repository_with(&other), true);
}

#[test]
fn what_a_registry_policy_governs() {
    for (action, expected) in [
        ("ecr:ReplicateImage", [true, true]),
        ("ecr:BatchImportUpstreamImage", [true, true]),
        ("ecr:CreateRepository", [true, true]),
        ("ecr:PutImage", [false, true]),
        ("ecr-public:CreateRepository", [false, false]),
    ] {
        let scopes = [RegistryScope::V1, RegistryScope::V2];
        assert_eq!(
            scopes.map(|scope| scope.governs(action)),
            expected,
            "{action}"
        );
    }
}

#[test]
fn identities_and_registries_name_resources() {
    for (resource, is_policy) in [
        (r#""*""#, true),
        (r#""arn:aws:ecr:*:*:repository/team/*""#, true),
        (
            r#"["arn:aws:ecr-public::111111111111:repository/x","*"]"#,
            true,
        ),
        (r#""arn:aws:ecr:*:*:repository/${aws:username}""#, true),
        (r#""arn:aws:ecr:*:*:repository/${aws:username""#, false),
        (r#""repository/team""#, false),
        (r#""arn:aws:ecr""#, false),
        (r#""arn:aws:ecr:us-east-1:repository/x""#, false),
        (r#""""#, false),
        (r#"[]"#, false),
        (r#"7"#, false),
    ] {
        for element in ["Resource", "NotResource"] {
            let elements = format!(r#""Action":"ecr:*","{element}":{resource}"#);
            check(Identity, &identity(&elements), is_policy);
            let elements = format!(r#""Principal":"*",{elements}"#);
            check(Registry(RegistryScope::V2), &identity(&elements), is_policy);
        }
    }
    check(Identity, &identity(r#""Action":"*""#), false);
    check(
        Identity,
        &identity(r#""Action":"s3:*","Resource":"*""#),
        true,
    );
    check(
        Identity,
        &identity(r#""Action":"*","Resource":"*","Principal":"*""#),
        false,
    );
    check(
        Registry(RegistryScope::V2),
        &identity(r#""Action":"*","Principal":"*""#),
        false,
    );
}

#[test]
fn conditions() {
    for (condition, is_policy) in [
        (r#"{"StringEquals":{"aws:ResourceTag/a":["b","c"]}}"#, true),
        (
            r#"{"Bool":{"aws:SecureTransport":false},"NumericLessThan":{"ecr:N":7}}"#,
            true,
        ),
        (r#"{"StringEquals":{}}"#, true),
        (r#"{"StringEquals":{"aws:x":[]}}"#, true),
        (r#"{"StringIs":{}}"#, false),
        (r#"{"StringEquals":"a"}"#, false),
        (r#"{"StringEquals":["a"]}"#, false),
        (r#"{"StringEquals":{"aws:x":null}}"#, false),
        (r#"{"StringEquals":{"aws:x":{"a":"b"}}}"#, false),
        (r#"{"StringEquals":{"aws:x":[["a"]]}}"#, false),
        (r#"{"StringEquals":{"aws:x":"a","aws:x":"b"}}"#, false),
        (r#"{"NotIpAddress":{"aws:SourceIp":"10.0.0.0/33"}}"#, false),
        (r#"{"NullIfExists":{"aws:x":"true"}}"#, false),
        (r#"[]"#, false),
    ] {
        check(
            Repository,
            &repository(&format!(r#","Condition":{condition}"#)),
            is_policy,
        );
    }
}

#[test]
fn the_words_of_a_refusal() {
    let message = |kind, text: &str| parse(kind, text).unwrap_err().to_string();
    let repository = "Invalid parameter at 'PolicyText' failed to satisfy constraint: \
                      'Invalid repository policy provided'";
    assert_eq!(message(Repository, "not json"), repository);
    assert_eq!(message(PublicRepository, "{}"), repository);
    assert_eq!(
        message(Registry(RegistryScope::V2), "{}"),
        "Invalid parameter at 'PolicyText' failed to satisfy constraint: \
         'Invalid registry policy provided'"
    );
    assert_eq!(message(Identity, "{}"), "Statement is missing");
    let nobody = |kind| PolicyError::principal_not_found(kind, "alice").to_string();
    assert_eq!(
        nobody(Repository),
        "Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Principal not found'"
    );
    assert_eq!(nobody(PublicRepository), repository);
}

#[test]
fn lengths() {
    for (kind, max) in [
        (Repository, POLICY_TEXT_MAX),
        (Identity, IDENTITY_POLICY_TEXT_MAX),
    ] {
        let padded = |length: usize| {
            let text = match kind {
                Identity => identity(r#""Action":"*","Resource":"*""#),
                _ => repository(""),
            };
            text.clone() + &" ".repeat(length - text.len())
        };
        assert!(parse(kind, &padded(max)).is_ok());
        assert!(parse(kind, &padded(max + 1)).is_err());
    }
    // The units are those of the API: a letter beyond the base plane counts twice.
    let long = repository(&format!(r#","Sid":"{}""#, "𝄞".repeat(5_120)));
    assert!(long.chars().count() < POLICY_TEXT_MAX);
    assert_eq!(
        parse(Repository, &long).unwrap_err().to_string(),
        "Invalid parameter at 'policyText' failed to satisfy constraint: \
         'Member must have length less than or equal to 10240'"
    );
}

#[test]
fn nesting_and_nul_are_refused() {
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    check(
        Repository,
        &repository(&format!(r#","Condition":{deep}"#)),
        false,
    );
    check(Identity, &"{\"a\":".repeat(20_000), false);
    check(Repository, &repository(r#","Sid":"\u0000""#), false);
}
