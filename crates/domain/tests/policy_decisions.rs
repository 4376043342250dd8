//! The rules of auth.md 6.5 one by one, and the sentences of 6.6.

use roadstead_domain::ids::AccountId;
use roadstead_domain::policy::denial::denial;
use roadstead_domain::policy::document::PolicyDocument;
use roadstead_domain::policy::evaluate::{Decision, Policies, PolicySource, evaluate};
use roadstead_domain::policy::parse::{PolicyKind, RegistryScope};
use roadstead_domain::policy::request::{Context, Request};
use roadstead_domain::policy::requester::Requester;
use roadstead_domain::time::Timestamp;

const APP: &str = "arn:aws:ecr:us-east-1:111111111111:repository/team/app";
const ALICE: &str = "arn:aws:iam::111111111111:user/alice";
const BOB: &str = "arn:aws:iam::222222222222:user/bob";
const CI: &str = "arn:aws:sts::111111111111:assumed-role/ci/run-7";
const CI_ROLE: &str = "arn:aws:iam::111111111111:role/ci";
const ROOT: &str = "arn:aws:iam::111111111111:root";
const OTHER_ROOT: &str = "arn:aws:iam::222222222222:root";

/// What a test says of a request; lists hold `<effect> <action>` or `<effect> <action> <principal>`.
#[derive(Default)]
struct Case<'a> {
    who: &'a str,
    action: &'a str,
    identity: &'a [&'a str],
    repository: &'a [&'a str],
    registry: &'a [&'a str],
    boundary: Option<&'a [&'a str]>,
    session: Option<&'a [&'a str]>,
}

fn document(kind: PolicyKind, statements: &[&str]) -> Option<PolicyDocument> {
    if statements.is_empty() {
        return None;
    }
    let statements: Vec<serde_json::Value> = statements
        .iter()
        .map(|text| {
            let mut words = text.split(' ');
            let mut next = || words.next();
            let mut statement = serde_json::json!({"Effect": next(), "Action": next()});
            if kind != PolicyKind::Identity {
                statement["Principal"] = match next().unwrap() {
                    "*" => "*".into(),
                    name if name.ends_with(".com") => serde_json::json!({"Service": name}),
                    name => serde_json::json!({"AWS": name}),
                };
            }
            if !matches!(kind, PolicyKind::Repository) {
                statement["Resource"] = "*".into();
            }
            statement
        })
        .collect();
    let text = serde_json::json!({"Version": "2012-10-17", "Statement": statements}).to_string();
    Some(PolicyDocument::parse(kind, &text).unwrap())
}

/// The decision and the sentence.
fn ask(case: &Case<'_>) -> (Decision, Option<String>) {
    let requester = match case.who {
        "" => Requester::Anonymous,
        name if name.ends_with(".com") => Requester::Service(name.into()),
        arn => Requester::parse_arn(arn).unwrap(),
    };
    let action = if case.action.is_empty() {
        "ecr:PutImage"
    } else {
        case.action
    };
    let identity = document(PolicyKind::Identity, case.identity);
    let resources = [
        document(PolicyKind::Repository, case.repository),
        document(PolicyKind::Registry(RegistryScope::V2), case.registry),
    ];
    let boundary = case.boundary.map(|it| document(PolicyKind::Identity, it));
    let session = case.session.map(|it| document(PolicyKind::Identity, it));
    let boundary: Option<Vec<_>> = boundary.as_ref().map(|it| it.iter().collect());
    let session: Option<Vec<_>> = session.as_ref().map(|it| it.iter().collect());
    let policies = Policies {
        identity: &identity.iter().collect::<Vec<_>>(),
        resource: &resources.iter().flatten().collect::<Vec<_>>(),
        boundary: boundary.as_deref(),
        session: session.as_deref(),
    };
    let request = Request {
        requester: &requester,
        action,
        resource: APP,
        resource_account: &AccountId::parse("111111111111").unwrap(),
        context: &Context::default(),
        now: Timestamp::from_seconds(1_790_000_000),
    };
    let decision = evaluate(&request, &policies);
    (decision, denial(&request, decision))
}

fn decide(case: Case<'_>) -> Decision {
    ask(&case).0
}

fn lacks(source: PolicySource) -> Decision {
    Decision::DeniedByDefault(source)
}

const ALLOW: &[&str] = &["Allow *"];
const PULL: &[&str] = &["Allow ecr:BatchGetImage"];

#[test]
fn roots() {
    // All in its own account, unless a resource policy denies it.
    fn own<'a>(repository: &'a [&'a str]) -> Case<'a> {
        Case {
            who: ROOT,
            repository,
            ..Case::default()
        }
    }
    assert_eq!(decide(own(&[])), Decision::Allowed(None));
    for denied in ["Deny * *", &format!("Deny ecr:PutImage {ROOT}")] {
        let decision = decide(own(&[denied]));
        assert!(
            matches!(decision, Decision::DeniedExplicitly(_)),
            "{denied}"
        );
    }
    // Nothing elsewhere without the other account's word.
    fn away<'a>(repository: &'a [&'a str]) -> Case<'a> {
        Case {
            who: OTHER_ROOT,
            repository,
            ..Case::default()
        }
    }
    assert_eq!(decide(away(&[])), lacks(PolicySource::Resource));
    assert!(decide(away(&["Allow ecr:PutImage 222222222222"])).is_allowed());
    assert!(decide(away(&["Allow ecr:PutImage *"])).is_allowed());
}

#[test]
fn nobody_and_services_need_the_resource_policy() {
    for (who, repository, is_allowed) in [
        ("", &[][..], false),
        ("", &["Allow ecr:PutImage *"], true),
        ("", &["Allow ecr:PutImage 111111111111"], false),
        ("", &["Allow ecr:* *", "Deny ecr:PutImage *"], false),
        (
            "",
            &["Allow ecr:* *", "Deny ecr:PutImage 111111111111"],
            true,
        ),
        ("ecr.amazonaws.com", &[], false),
        (
            "ecr.amazonaws.com",
            &["Allow ecr:PutImage ecr.amazonaws.com"],
            true,
        ),
        (
            "ecr.amazonaws.com",
            &["Allow ecr:PutImage s3.amazonaws.com"],
            false,
        ),
        ("ecr.amazonaws.com", &["Allow ecr:PutImage *"], true),
    ] {
        let decision = decide(Case {
            who,
            repository,
            ..Case::default()
        });
        assert_eq!(decision.is_allowed(), is_allowed, "{who} {repository:?}");
    }
}

#[test]
fn either_policy_within_an_account() {
    fn case<'a>(identity: &'a [&'a str], repository: &'a [&'a str]) -> Case<'a> {
        Case {
            who: ALICE,
            identity,
            repository,
            ..Case::default()
        }
    }
    assert!(decide(case(ALLOW, &[])).is_allowed());
    assert!(decide(case(&[], &[&format!("Allow ecr:PutImage {ALICE}")])).is_allowed());
    assert!(decide(case(&[], &["Allow ecr:PutImage *"])).is_allowed());
    let delegation = decide(case(&[], &["Allow ecr:PutImage 111111111111"]));
    assert_eq!(delegation, lacks(PolicySource::Identity));
    assert_eq!(decide(case(PULL, &[])), lacks(PolicySource::Identity));
}

#[test]
fn both_policies_across_accounts() {
    fn case<'a>(identity: &'a [&'a str], repository: &'a [&'a str]) -> Case<'a> {
        Case {
            who: BOB,
            identity,
            repository,
            ..Case::default()
        }
    }
    for principal in ["222222222222", OTHER_ROOT, BOB, "*"] {
        let allow = format!("Allow ecr:PutImage {principal}");
        assert!(decide(case(ALLOW, &[&allow])).is_allowed(), "{principal}");
        assert_eq!(decide(case(PULL, &[&allow])), lacks(PolicySource::Identity));
    }
    assert_eq!(decide(case(ALLOW, &[])), lacks(PolicySource::Resource));
    assert_eq!(decide(case(&[], &[])), lacks(PolicySource::Resource));
    let others = &["Allow ecr:PutImage 333333333333"][..];
    assert_eq!(decide(case(ALLOW, others)), lacks(PolicySource::Resource));
}

#[test]
fn repository_and_registry_speak_together() {
    fn case<'a>(repository: &'a [&'a str], registry: &'a [&'a str]) -> Case<'a> {
        Case {
            who: BOB,
            identity: ALLOW,
            repository,
            registry,
            ..Case::default()
        }
    }
    let allow = &["Allow ecr:PutImage 222222222222"][..];
    assert!(decide(case(allow, &[])).is_allowed());
    assert!(decide(case(&[], allow)).is_allowed());
    let denied = decide(case(allow, &["Deny ecr:* *"]));
    assert!(matches!(denied, Decision::DeniedExplicitly(origin) if origin.document == 1));
}

#[test]
fn tokens_come_from_identity_policies() {
    fn case<'a>(identity: &'a [&'a str], registry: &'a [&'a str]) -> Case<'a> {
        Case {
            who: ALICE,
            action: "ecr:GetAuthorizationToken",
            identity,
            registry,
            ..Case::default()
        }
    }
    assert!(decide(case(ALLOW, &[])).is_allowed());
    let by_resource = decide(case(&[], &["Allow * *"]));
    assert_eq!(by_resource, lacks(PolicySource::Identity));
    assert!(!decide(case(ALLOW, &["Deny * *"])).is_allowed());
}

#[test]
fn boundaries() {
    fn case<'a>(who: &'a str, boundary: &'a [&'a str], repository: &'a [&'a str]) -> Case<'a> {
        Case {
            who,
            identity: ALLOW,
            repository,
            boundary: Some(boundary),
            ..Case::default()
        }
    }
    assert!(decide(case(ALICE, ALLOW, &[])).is_allowed());
    assert_eq!(
        decide(case(ALICE, PULL, &[])),
        lacks(PolicySource::Boundary)
    );
    assert_eq!(decide(case(ALICE, &[], &[])), lacks(PolicySource::Boundary));
    // A resource policy that names the very user or session goes past the boundary's silence …
    for who in [ALICE, CI] {
        let allow = format!("Allow ecr:PutImage {who}");
        assert!(decide(case(who, PULL, &[&allow])).is_allowed(), "{who}");
        let denied = decide(case(who, &["Deny ecr:PutImage"], &[&allow]));
        assert!(matches!(denied, Decision::DeniedExplicitly(_)), "{who}");
    }
    // … one that names its role or everyone does not, nor one of another account.
    for principal in [CI_ROLE, "*", ROOT] {
        let allow = format!("Allow ecr:PutImage {principal}");
        let decision = decide(case(CI, PULL, &[&allow]));
        assert_eq!(decision, lacks(PolicySource::Boundary), "{principal}");
    }
    let allow = format!("Allow ecr:PutImage {BOB}");
    assert_eq!(
        decide(case(BOB, PULL, &[&allow])),
        lacks(PolicySource::Boundary)
    );
}

#[test]
fn session_policies() {
    fn case<'a>(who: &'a str, session: &'a [&'a str], repository: &'a [&'a str]) -> Case<'a> {
        Case {
            who,
            identity: ALLOW,
            repository,
            session: Some(session),
            ..Case::default()
        }
    }
    assert!(decide(case(CI, ALLOW, &[])).is_allowed());
    assert_eq!(decide(case(CI, PULL, &[])), lacks(PolicySource::Session));
    let itself = format!("Allow ecr:PutImage {CI}");
    assert!(decide(case(CI, PULL, &[&itself])).is_allowed());
    for principal in [CI_ROLE, "*", ROOT] {
        let allow = format!("Allow ecr:PutImage {principal}");
        let decision = decide(case(CI, PULL, &[&allow]));
        assert_eq!(decision, lacks(PolicySource::Session), "{principal}");
    }
    // A user is no session: its own name does not lift what its credential was limited to.
    let alice = format!("Allow ecr:PutImage {ALICE}");
    assert_eq!(
        decide(case(ALICE, PULL, &[&alice])),
        lacks(PolicySource::Session)
    );
    assert_eq!(decide(case(ROOT, PULL, &[])), lacks(PolicySource::Session));
}

/// The sentence ends so, and begins with who may not do what on what.
fn says(case: Case<'_>, end: &str) {
    let who = if case.who.is_empty() {
        "anonymous"
    } else {
        case.who
    };
    let start =
        format!("User: {who} is not authorized to perform: ecr:PutImage on resource: {APP}");
    assert_eq!(ask(&case).1, Some(format!("{start} {end}")));
}

#[test]
fn sentences_of_what_nothing_allows() {
    for (who, kind) in [
        (ALICE, "identity-based policy"),
        (BOB, "resource-based policy"),
        ("", "resource-based policy"),
    ] {
        let end = format!("because no {kind} allows the ecr:PutImage action");
        says(
            Case {
                who,
                ..Case::default()
            },
            &end,
        );
    }
    let capped = |boundary, session| Case {
        who: CI,
        identity: ALLOW,
        boundary,
        session,
        ..Case::default()
    };
    let end = "because no permissions boundary allows the ecr:PutImage action";
    says(capped(Some(PULL), None), end);
    let end = "because no session policy allows the ecr:PutImage action";
    says(capped(None, Some(PULL)), end);
    assert_eq!(ask(&capped(None, None)).1, None);
}

#[test]
fn sentences_of_what_something_denies() {
    let deny = &["Deny ecr:PutImage"][..];
    let case = |identity, repository, boundary, session| Case {
        who: CI,
        identity,
        repository,
        boundary,
        session,
        ..Case::default()
    };
    let all = &["Deny * *"][..];
    let end = "with an explicit deny in";
    says(
        case(deny, &[], None, None),
        &format!("{end} an identity-based policy"),
    );
    says(
        case(ALLOW, all, None, None),
        &format!("{end} a resource-based policy"),
    );
    says(
        case(ALLOW, &[], Some(deny), None),
        &format!("{end} a permissions boundary"),
    );
    says(
        case(ALLOW, &[], None, Some(deny)),
        &format!("{end} a session policy"),
    );
}
