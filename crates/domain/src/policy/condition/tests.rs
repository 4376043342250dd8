//! Every operator, on present, absent, ill-typed and many values (auth.md 6.4).

use super::Condition;
use crate::ids::AccountId;
use crate::policy::request::{Context, Request};
use crate::policy::requester::Requester;
use crate::time::Timestamp;

/// Whether an operator holds for `key` with these values in the request: none, one, or a set.
fn holds(operator: &str, wanted: &[&str], found: Option<&[&str]>) -> bool {
    let mut context = Context::default();
    match found {
        None => {}
        Some([one]) => context.set("ecr:Key", *one),
        Some(many) => {
            context.set_many(
                "ecr:Key",
                many.iter().map(|one| (*one).to_owned()).collect(),
            );
        }
    }
    ask(operator, "ECR:kEY", wanted, &context)
}

fn ask(operator: &str, key: &str, wanted: &[&str], context: &Context) -> bool {
    let request = Request {
        requester: &Requester::parse_arn("arn:aws:iam::111111111111:user/team/alice").unwrap(),
        action: "ecr:PutImage",
        resource: "*",
        resource_account: &AccountId::parse("222222222222").unwrap(),
        context,
        now: Timestamp::parse_rfc3339("2026-06-01T00:00:00Z").unwrap(),
    };
    let wanted: Vec<String> = wanted.iter().map(|one| (*one).to_owned()).collect();
    let condition = Condition::parse(operator, key, &wanted, true).unwrap();
    condition.holds(&request)
}

/// `(operator, value of the policy, value of the request)` that fit; and those that do not.
const FIT: &[(&str, &str, &str)] = &[
    ("StringEquals", "a*", "a*"),
    ("StringEqualsIgnoreCase", "TÊAM", "têam"),
    ("StringLike", "a*?", "abc"),
    ("StringEquals", "${aws:username}", "alice"),
    ("NumericEquals", "10", "10.0"),
    ("NumericLessThan", "10", "9"),
    ("NumericLessThanEquals", "10", "10"),
    ("NumericGreaterThan", "-1.5", "-1"),
    ("NumericGreaterThanEquals", "1e3", "1000"),
    ("DateEquals", "2026-01-01T00:00:00Z", "1767225600"),
    ("DateLessThan", "2026-01-01", "2025-12-31T23:59:59Z"),
    (
        "DateLessThanEquals",
        "2026-01-01",
        "2026-01-01T01:00:00+01:00",
    ),
    ("DateGreaterThan", "0", "1970-01-01T00:00:01Z"),
    ("DateGreaterThanEquals", "1767225600", "2026-01-01"),
    ("Bool", "true", "true"),
    ("Bool", "False", "false"),
    ("BinaryEquals", "QmluYXJ5", "QmluYXJ5"),
    ("IpAddress", "10.0.0.0/8", "10.9.8.7"),
    ("IpAddress", "10.9.8.7", "10.9.8.7"),
    ("IpAddress", "10.0.0.0/8", "::ffff:10.9.8.7"),
    ("IpAddress", "2001:db8::/32", "2001:db8:1::1"),
    ("IpAddress", "2001:db8::1", "2001:db8::1"),
    ("IpAddress", "0.0.0.0/0", "255.255.255.255"),
    (
        "ArnEquals",
        "arn:aws:iam::*:user/a*",
        "arn:aws:iam::111111111111:user/a/b:c",
    ),
    (
        "ArnLike",
        "arn:aws:iam::1?1:role/x",
        "arn:aws:iam::121:role/x",
    ),
    ("ArnLike", "*", "arn:aws:iam::121:role/x"),
    (
        "ArnLike",
        "${aws:PrincipalArn}",
        "arn:aws:iam::111111111111:user/team/alice",
    ),
];
const MISS: &[(&str, &str, &str)] = &[
    ("StringEquals", "a*", "ab"),
    ("StringEquals", "a", "A"),
    ("StringEqualsIgnoreCase", "a*", "ab"),
    ("StringLike", "A*", "abc"),
    ("StringLike", "${aws:TokenIssueTime}", ""),
    ("NumericEquals", "10", "1O"),
    ("NumericEquals", "10", ""),
    ("NumericLessThan", "10", "10"),
    ("NumericLessThan", "10", "NaN"),
    ("NumericLessThan", "10", "-inf"),
    ("NumericGreaterThan", "10", "9.99"),
    ("DateEquals", "2026-01-01", "2026-01-02"),
    ("DateLessThan", "2026-01-01", "yesterday"),
    ("DateGreaterThan", "2026-01-01", "9223372036854775807"),
    ("Bool", "true", "false"),
    ("Bool", "true", "1"),
    ("BinaryEquals", "QmluYXJ5", "qmluyxj5"),
    ("IpAddress", "10.0.0.0/8", "11.0.0.1"),
    ("IpAddress", "10.0.0.0/8", "2001:db8::1"),
    ("IpAddress", "10.0.0.0/8", "10.0.0.1.example.com"),
    ("IpAddress", "0.0.0.0/0", "::1"),
    (
        "ArnEquals",
        "arn:aws:iam::*:user/a",
        "arn:aws:iam:x:y:z:user/a",
    ),
    (
        "ArnLike",
        "arn:aws:*:role/x:y:z",
        "arn:aws:iam::121:role/x:y:z",
    ),
    ("ArnLike", "*", "alice"),
];

fn negation(operator: &str) -> Option<&'static str> {
    Some(match operator {
        "StringEquals" => "StringNotEquals",
        "StringEqualsIgnoreCase" => "StringNotEqualsIgnoreCase",
        "StringLike" => "StringNotLike",
        "NumericEquals" => "NumericNotEquals",
        "DateEquals" => "DateNotEquals",
        "IpAddress" => "NotIpAddress",
        "ArnEquals" => "ArnNotEquals",
        "ArnLike" => "ArnNotLike",
        _ => return None,
    })
}

#[test]
fn each_operator_on_one_value() {
    let rows =
        |rows: &'static [(_, _, _)], expected: bool| rows.iter().map(move |row| (*row, expected));
    for ((operator, wanted, found), expected) in rows(FIT, true).chain(rows(MISS, false)) {
        let case = format!("{operator} {wanted} on {found}");
        let found = Some(&[found][..]);
        assert_eq!(holds(operator, &[wanted], found), expected, "{case}");
        for form in ["ForAllValues:", "ForAnyValue:"] {
            let operator = format!("{form}{operator}");
            assert_eq!(holds(&operator, &[wanted], found), expected, "{form}{case}");
        }
        let if_exists = format!("{operator}IfExists");
        assert_eq!(holds(&if_exists, &[wanted], found), expected, "{case}");
        assert!(!holds(operator, &[wanted], None), "absent: {case}");
        assert!(
            holds(&if_exists, &[wanted], None),
            "absent, IfExists: {case}"
        );
        if let Some(negation) = negation(operator) {
            assert_eq!(holds(negation, &[wanted], found), !expected, "not {case}");
            assert!(holds(negation, &[wanted], None), "absent, not: {case}");
        }
    }
}

#[test]
fn values_of_the_policy_are_alternatives() {
    assert!(holds("StringEquals", &["a", "b"], Some(&["b"])));
    assert!(!holds("StringEquals", &["a", "b"], Some(&["c"])));
    assert!(!holds("StringNotEquals", &["a", "b"], Some(&["b"])));
    assert!(holds("StringNotEquals", &["a", "b"], Some(&["c"])));
    assert!(!holds(
        "NotIpAddress",
        &["10.0.0.0/8", "2001:db8::/32"],
        Some(&["10.1.1.1"])
    ));
    assert!(!holds("StringEquals", &[], Some(&["a"])));
}

#[test]
fn keys_of_several_values() {
    let (both, either) = (&["team", "env"][..], &["team", "owner"][..]);
    for (operator, wanted, found, expected) in [
        ("ForAllValues:StringEquals", both, Some(both), true),
        ("ForAllValues:StringEquals", both, Some(either), false),
        ("ForAllValues:StringEquals", both, None, true),
        (
            "ForAnyValue:StringEquals",
            &["owner"][..],
            Some(either),
            true,
        ),
        ("ForAnyValue:StringEquals", &["env"], Some(either), false),
        ("ForAnyValue:StringEquals", both, None, false),
        ("ForAnyValue:StringNotEquals", both, None, false),
        ("ForAllValues:StringNotEquals", &["env"], Some(either), true),
        (
            "ForAllValues:StringNotEquals",
            &["team"],
            Some(either),
            false,
        ),
        ("ForAnyValue:StringNotEquals", &["team"], Some(either), true),
        ("ForAnyValue:StringNotEquals", either, Some(either), false),
        ("ForAnyValue:StringLike", &["own*"], Some(either), true),
        // Without a quantifier such a key never matches.
        ("StringEquals", both, Some(both), false),
        ("StringLike", &["*"], Some(both), false),
        ("StringNotEquals", &["x"], Some(both), false),
    ] {
        assert_eq!(
            holds(operator, wanted, found),
            expected,
            "{operator} {wanted:?} on {found:?}"
        );
    }
    // A set is a set even with one member; an empty one is none.
    let mut context = Context::default();
    context.set_many("aws:TagKeys", vec!["team".into()]);
    assert!(!ask("StringEquals", "aws:TagKeys", &["team"], &context));
    assert!(ask(
        "ForAnyValue:StringEquals",
        "aws:TagKeys",
        &["team"],
        &context
    ));
    context.set_many("aws:TagKeys", Vec::new());
    assert!(ask("Null", "aws:TagKeys", &["true"], &context));
}

#[test]
fn absence() {
    assert!(holds("Null", &["true"], None));
    assert!(!holds("Null", &["false"], None));
    assert!(holds("Null", &["false"], Some(&[""])));
    assert!(!holds("Null", &["true"], Some(&["a", "b"])));
    assert!(holds("Null", &["true", "false"], None));
}

#[test]
fn keys_that_follow_from_the_request() {
    let context = Context::default();
    for (operator, key, wanted) in [
        (
            "ArnEquals",
            "aws:PrincipalArn",
            "arn:aws:iam::111111111111:user/team/alice",
        ),
        ("StringEquals", "aws:PrincipalAccount", "111111111111"),
        ("StringEquals", "aws:PrincipalType", "User"),
        ("StringEquals", "aws:username", "alice"),
        ("StringEquals", "aws:ResourceAccount", "222222222222"),
        ("Bool", "aws:PrincipalIsAWSService", "false"),
        ("Bool", "aws:ViaAWSService", "false"),
        ("DateGreaterThan", "aws:CurrentTime", "2026-05-31T23:59:59Z"),
        ("DateLessThanEquals", "aws:CurrentTime", "2026-06-01"),
        ("NumericEquals", "aws:EpochTime", "1780272000"),
        ("Null", "aws:userid", "true"),
        ("Null", "aws:SourceIp", "true"),
    ] {
        assert!(ask(operator, key, &[wanted], &context), "{operator} {key}");
    }
}

#[test]
fn tags_of_resources_and_requests() {
    let mut context = Context::default();
    context.set_resource_tags("ecr", [("Env", "prod")]);
    context.set_request_tags([("team", "a"), ("cost", "1")]);
    assert!(ask(
        "StringEquals",
        "aws:ResourceTag/env",
        &["prod"],
        &context
    ));
    assert!(ask(
        "StringEquals",
        "ecr:ResourceTag/Env",
        &["prod"],
        &context
    ));
    assert!(!ask(
        "StringEquals",
        "aws:ResourceTag/env",
        &["Prod"],
        &context
    ));
    assert!(ask("StringEquals", "aws:RequestTag/team", &["a"], &context));
    assert!(ask(
        "ForAllValues:StringEquals",
        "aws:TagKeys",
        &["team", "cost"],
        &context
    ));
    assert!(!ask(
        "ForAllValues:StringEquals",
        "aws:TagKeys",
        &["team"],
        &context
    ));
}

#[test]
fn what_is_no_condition() {
    for (operator, value) in [
        ("StringIs", "a"),
        ("stringequals", "a"),
        ("StringEqualsIfExistsIfExists", "a"),
        ("ForSomeValues:StringEquals", "a"),
        ("BinaryNotEquals", "QQ=="),
        ("BoolIfNotExists", "true"),
        ("NullIfExists", "true"),
        ("ForAnyValue:Null", "true"),
        ("Numeric", "1"),
        ("NumericLike", "1"),
        ("NumericEquals", "ten"),
        ("NumericEquals", "inf"),
        ("NumericEquals", "1e999"),
        ("NumericEquals", "${aws:EpochTime}"),
        ("DateEquals", "soon"),
        ("DateEquals", "9223372036854775807"),
        ("Bool", "yes"),
        ("Null", ""),
        ("BinaryEquals", "a"),
        ("BinaryEquals", "===="),
        ("IpAddress", "10.0.0.0/33"),
        ("IpAddress", "10.0.0"),
        ("ArnLike", "alice"),
        ("ArnLike", "arn:aws:iam::user/alice"),
        ("StringLike", "${aws:username"),
    ] {
        let condition = Condition::parse(operator, "aws:x", &[value.to_owned()], true);
        assert!(condition.is_err(), "{operator} {value}");
    }
    assert!(Condition::parse("StringEquals", "", &[], true).is_err());
}
