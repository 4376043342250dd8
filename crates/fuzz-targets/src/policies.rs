//! Texts of policies of repositories, registries and identities, and what they decide.

use roadstead_domain::ids::AccountId;
use roadstead_domain::policy::document::{Effect, PolicyDocument};
use roadstead_domain::policy::echo;
use roadstead_domain::policy::evaluate::{Decision, Policies, evaluate};
use roadstead_domain::policy::parse::{PolicyKind, RegistryScope};
use roadstead_domain::policy::request::{Context, Request};
use roadstead_domain::policy::requester::Requester;
use roadstead_domain::time::Timestamp;

/// A policy is the policy of what is printed of it, and one that only denies allows nothing.
pub fn check(data: &[u8]) {
    let Some(text) = crate::text(data) else {
        return;
    };
    let kinds = [
        PolicyKind::Identity,
        PolicyKind::Repository,
        PolicyKind::PublicRepository,
        PolicyKind::Registry(RegistryScope::V2),
    ];
    for kind in kinds {
        match PolicyDocument::parse(kind, text) {
            Ok(document) => {
                let printed = echo(text).expect("JSON");
                if let Ok(again) = PolicyDocument::parse(kind, &printed) {
                    assert_eq!(again, document);
                } else {
                    // Only for being longer with blanks than a policy may be.
                    assert!(printed.len() > 10_000, "{printed}");
                }
                decides(kind, &document);
            }
            Err(error) => assert!(!error.to_string().is_empty() && !error.reason().is_empty()),
        }
    }
}

fn decides(kind: PolicyKind, document: &PolicyDocument) {
    let account = AccountId::parse("123456789012").expect("an account");
    let mut context = Context::default();
    context.set("aws:SourceIp", "127.0.0.1");
    context.set("aws:SecureTransport", "false");
    for (arn, action) in [
        ("arn:aws:iam::123456789012:root", "ecr:BatchGetImage"),
        ("arn:aws:iam::999999999999:user/u", "ecr:PutImage"),
        (
            "arn:aws:sts::123456789012:assumed-role/r/s",
            "ecr-public:DescribeImages",
        ),
    ] {
        let requester = Requester::parse_arn(arn).expect("a requester");
        let request = Request {
            requester: &requester,
            action,
            resource: "arn:aws:ecr:us-east-1:123456789012:repository/team/app",
            resource_account: &account,
            context: &context,
            now: Timestamp::from_seconds(1_767_323_045),
        };
        let documents = [document];
        let policies = match kind {
            PolicyKind::Identity => Policies {
                identity: &documents,
                ..Policies::default()
            },
            _ => Policies {
                resource: &documents,
                ..Policies::default()
            },
        };
        let decision = evaluate(&request, &policies);
        assert_eq!(decision, evaluate(&request, &policies));
        let only_denies = document
            .statements()
            .iter()
            .all(|one| one.effect() == Effect::Deny);
        if only_denies {
            assert!(
                !matches!(decision, Decision::Allowed(Some(_))),
                "{decision:?}"
            );
        }
    }
}
