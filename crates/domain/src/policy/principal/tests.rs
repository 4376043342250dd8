//! Who is meant by which principal, and whom `NotPrincipal` spares (auth.md 6.2).

use super::{Grasp, Principal, closest, spares};
use crate::ids::AccountId;
use crate::policy::requester::Requester;

const A: &str = "111111111111";

fn user(id: Option<&str>) -> Requester {
    Requester::User {
        account: AccountId::parse(A).unwrap(),
        name: "team/alice".into(),
        unique_id: id.map(Into::into),
    }
}

fn session(id: Option<&str>) -> Requester {
    Requester::RoleSession {
        account: AccountId::parse(A).unwrap(),
        role: "build/ci".into(),
        session: "run-7".into(),
        unique_id: id.map(Into::into),
    }
}

fn aws(text: &str) -> Principal {
    Principal::parse_aws(text).unwrap()
}

const ROOT: &str = "arn:aws:iam::111111111111:root";
const ALICE: &str = "arn:aws:iam::111111111111:user/team/alice";
const ROLE: &str = "arn:aws:iam::111111111111:role/build/ci";
const SESSION: &str = "arn:aws:sts::111111111111:assumed-role/ci/run-7";

#[test]
fn who_is_meant_and_how_closely() {
    let (alice, ci) = (
        user(Some("AIDAEXAMPLE000000000")),
        session(Some("AROAEXAMPLE000000000")),
    );
    let root = Requester::Root(AccountId::parse(A).unwrap());
    let carol = Requester::parse_arn("arn:aws:sts::111111111111:federated-user/carol").unwrap();
    for (principal, requester, expected) in [
        ("*", &Requester::Anonymous, Some(Grasp::Broad)),
        ("*", &alice, Some(Grasp::Broad)),
        (A, &alice, Some(Grasp::Account)),
        (ROOT, &alice, Some(Grasp::Account)),
        (ROOT, &ci, Some(Grasp::Account)),
        (ROOT, &root, Some(Grasp::Itself)),
        (ROOT, &Requester::Anonymous, None),
        ("222222222222", &alice, None),
        ("222222222222", &root, None),
        (ALICE, &alice, Some(Grasp::Itself)),
        (ALICE, &root, None),
        ("arn:aws:iam::111111111111:user/alice", &alice, None),
        ("arn:aws:iam::222222222222:user/team/alice", &alice, None),
        (ROLE, &ci, Some(Grasp::Broad)),
        ("arn:aws:iam::111111111111:role/ci", &ci, None),
        (SESSION, &ci, Some(Grasp::Itself)),
        ("arn:aws:sts::111111111111:assumed-role/ci/run-8", &ci, None),
        ("arn:aws:sts::111111111111:assumed-role/cd/run-7", &ci, None),
        ("arn:aws:sts::222222222222:assumed-role/ci/run-7", &ci, None),
        ("AIDAEXAMPLE000000000", &alice, Some(Grasp::Itself)),
        ("AIDAEXAMPLE000000001", &alice, None),
        ("AIDAEXAMPLE000000000", &user(None), None),
        ("AROAEXAMPLE000000000", &ci, Some(Grasp::Broad)),
        (
            "arn:aws:sts::111111111111:federated-user/carol",
            &carol,
            Some(Grasp::Itself),
        ),
        ("arn:aws:iam::111111111111:user/carol", &carol, None),
    ] {
        assert_eq!(
            aws(principal).grasp(requester),
            expected,
            "{principal} and {requester}"
        );
    }
    let service = Requester::Service("replication.ecr.amazonaws.com".into());
    let ecr = Principal::parse_service("replication.ecr.amazonaws.com").unwrap();
    assert_eq!(ecr.grasp(&service), Some(Grasp::Itself));
    assert_eq!(aws(A).grasp(&service), None);
    let provider = Principal::Federated("replication.ecr.amazonaws.com".into());
    assert_eq!(provider.grasp(&service), None);
    assert_eq!(
        closest(&[aws(ROOT), aws(ALICE), aws("*")], &alice),
        Some(Grasp::Itself)
    );
    assert_eq!(closest(&[], &alice), None);
}

#[test]
fn what_is_no_principal() {
    for text in [
        "",
        "11111111111",
        "alice",
        "arn:aws:iam::111111111111:role/c*",
        "arn:aws:iam::111111111111:user/?",
        "arn:aws:iam::*:root",
        "arn:aws:iam::111111111111:group/staff",
        "arn:aws:ecr:us-east-1:111111111111:repository/app",
        "AIDA",
        "AIDAexample000000000",
    ] {
        assert!(Principal::parse_aws(text).is_err(), "{text}");
    }
    for text in ["", "*", "ecr", "ecr.*.com"] {
        assert!(Principal::parse_service(text).is_err(), "{text}");
    }
}

#[test]
fn whom_not_principal_spares() {
    let root = Requester::Root(AccountId::parse(A).unwrap());
    for (listed, requester, expected) in [
        (&["*"][..], &Requester::Anonymous, true),
        (&[ROOT], &Requester::Anonymous, false),
        (&[ROOT], &root, true),
        (&[ALICE], &root, false),
        (&[ALICE, ROOT], &user(None), true),
        (&[ALICE], &user(None), false),
        (&[ROOT], &user(None), false),
        (&[ROOT, ROLE, SESSION], &user(None), false),
        (&[ROOT, ROLE, SESSION], &session(None), true),
        (&[ROOT, ROLE], &session(None), false),
        (&[ROOT, SESSION], &session(None), false),
        (&[ROLE, SESSION], &session(None), false),
    ] {
        let principals: Vec<Principal> = listed.iter().map(|text| aws(text)).collect();
        assert_eq!(
            spares(&principals, requester),
            expected,
            "{listed:?} and {requester}"
        );
    }
}
