//! Random policies and questions, drawn from words that often meet.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use roadstead_domain::ids::AccountId;
use roadstead_domain::policy::document::PolicyDocument;
use roadstead_domain::policy::evaluate::{Decision, Policies, evaluate};
use roadstead_domain::policy::parse::{PolicyKind, RegistryScope};
use roadstead_domain::policy::request::{Context, Request};
use roadstead_domain::policy::requester::Requester;
use roadstead_domain::time::Timestamp;
use serde_json::{Value, json};

/// Every policy in play, as JSON documents with lists of statements.
#[derive(Debug, Clone)]
pub struct World {
    pub identity: Vec<Value>,
    pub resource: Vec<Value>,
    pub boundary: Option<Vec<Value>>,
    pub session: Option<Vec<Value>>,
}

/// A request.
#[derive(Debug, Clone)]
pub struct Question {
    pub who: String,
    pub action: String,
    pub resource: String,
    /// Those of the key `ecr:k`.
    pub values: Option<Vec<String>>,
}

/// The engine's word on it.
pub fn decide(world: &World, question: &Question) -> Decision {
    let parse = |kind, documents: &[Value]| -> Vec<PolicyDocument> {
        let parse = |one: &Value| PolicyDocument::parse(kind, &one.to_string());
        documents.iter().map(|one| parse(one).unwrap()).collect()
    };
    let identities = |documents: &Vec<Value>| parse(PolicyKind::Identity, documents);
    let identity = identities(&world.identity);
    let resource = parse(PolicyKind::Registry(RegistryScope::V2), &world.resource);
    let boundary = world.boundary.as_ref().map(identities);
    let session = world.session.as_ref().map(identities);
    let [boundary, session] =
        [&boundary, &session].map(|cap| cap.as_ref().map(|it| it.iter().collect::<Vec<_>>()));
    let policies = Policies {
        identity: &identity.iter().collect::<Vec<_>>(),
        resource: &resource.iter().collect::<Vec<_>>(),
        boundary: boundary.as_deref(),
        session: session.as_deref(),
    };
    let requester = match question.who.as_str() {
        "anonymous" => Requester::Anonymous,
        name if name.ends_with(".com") => Requester::Service(name.into()),
        arn => Requester::parse_arn(arn).unwrap(),
    };
    let mut context = Context::default();
    match question.values.as_deref() {
        None => {}
        Some([one]) => context.set("ecr:k", one),
        Some(many) => context.set_many("ecr:k", many.to_vec()),
    }
    let request = Request {
        requester: &requester,
        action: &question.action,
        resource: &question.resource,
        resource_account: &AccountId::parse("111111111111").unwrap(),
        context: &context,
        now: Timestamp::from_seconds(1_790_000_000),
    };
    evaluate(&request, &policies)
}

const PRINCIPALS: &[&str] = &[
    "*",
    "111111111111",
    "222222222222",
    "arn:aws:iam::111111111111:root",
    "arn:aws:iam::111111111111:user/alice",
    "arn:aws:iam::222222222222:user/bob",
    "arn:aws:iam::111111111111:role/ci",
    "arn:aws:sts::111111111111:assumed-role/ci/run-7",
    "arn:aws:sts::222222222222:assumed-role/ci/run-7",
];
const ACTIONS: &[&str] = &[
    "*",
    "ecr:*",
    "ecr:Put*",
    "ECR:putimage",
    "ecr:?utImage",
    "ecr:BatchGetImage",
    "ecr:*Image",
    "ecr:DeleteRepository",
];
const RESOURCES: &[&str] = &[
    "*",
    "arn:aws:ecr:*:*:*",
    "arn:aws:ecr:us-*:111111111111:repository/*",
    "arn:aws:ecr:*:*:repository/team/*",
    "arn:aws:ecr:*:*:repository/home/${aws:username}",
    "arn:aws:ecr:us-east-1:111111111111:repository/team/app",
    "arn:aws:ecr:*repository/team/app:*:*:*",
];
const OPERATORS: &[&str] = &[
    "StringEquals",
    "StringNotEquals",
    "StringLike",
    "StringNotLike",
    "StringEqualsIfExists",
    "StringNotLikeIfExists",
    "ForAllValues:StringEquals",
    "ForAllValues:StringNotLike",
    "ForAnyValue:StringLike",
    "ForAnyValue:StringNotEquals",
    "ForAnyValue:StringEqualsIfExists",
];

fn some(words: &'static [&'static str]) -> impl Strategy<Value = Vec<&'static str>> {
    subsequence(words, 1..=2)
}

/// An element under its name or its `Not` name.
fn element(
    name: &'static str,
    words: &'static [&'static str],
) -> impl Strategy<Value = (String, Value)> {
    (prop::bool::weighted(0.25), some(words)).prop_map(move |(is_not, words)| {
        let name = if is_not {
            format!("Not{name}")
        } else {
            name.to_owned()
        };
        (name, json!(words))
    })
}

fn condition() -> impl Strategy<Value = Value> {
    let texts = (
        select(OPERATORS),
        some(&["a", "ab", "a*", "?b", "${aws:username}"]),
    );
    let texts = texts.prop_map(|(operator, values)| json!({operator: {"ECR:K": values}}));
    let null = some(&["true", "false"]);
    let null = null.prop_map(|values| json!({"Null": {"ecr:k": values}}));
    prop_oneof![4 => Just(json!({})), 4 => texts, 1 => null]
}

/// A statement; `has_principal` in policies of resources.
pub fn statement(effect: &'static str, has_principal: bool) -> impl Strategy<Value = Value> {
    let parts = (
        element("Action", ACTIONS),
        element("Resource", RESOURCES),
        condition(),
        subsequence(PRINCIPALS, 1..=3),
        prop::bool::weighted(0.3),
    );
    parts.prop_map(move |(action, resource, condition, principals, is_not)| {
        let mut statement = json!({"Effect": effect, "Condition": condition});
        for (name, value) in [action, resource] {
            statement[name] = value;
        }
        if has_principal {
            let is_not = is_not && effect == "Deny";
            let name = if is_not { "NotPrincipal" } else { "Principal" };
            statement[name] = json!({"AWS": principals});
        }
        statement
    })
}

fn document(has_principal: bool) -> impl Strategy<Value = Value> {
    let any = prop_oneof![
        5 => statement("Allow", has_principal).boxed(),
        1 => statement("Deny", has_principal).boxed(),
    ];
    let version = prop_oneof![1 => Just("2008-10-17"), 3 => Just("2012-10-17")];
    (version, vec(any, 1..=3))
        .prop_map(|(version, statements)| json!({"Version": version, "Statement": statements}))
}

pub fn world() -> impl Strategy<Value = World> {
    let cap = || prop::option::weighted(0.25, vec(document(false), 0..=2));
    (
        vec(document(false), 0..=2),
        vec(document(true), 0..=2),
        cap(),
        cap(),
    )
        .prop_map(|(identity, resource, boundary, session)| World {
            identity,
            resource,
            boundary,
            session,
        })
}

pub fn question() -> impl Strategy<Value = Question> {
    let who = select(
        &[
            "anonymous",
            "ecr.amazonaws.com",
            "arn:aws:iam::111111111111:root",
            "arn:aws:iam::222222222222:root",
            "arn:aws:iam::111111111111:user/alice",
            "arn:aws:iam::222222222222:user/bob",
            "arn:aws:sts::111111111111:assumed-role/ci/run-7",
            "arn:aws:sts::222222222222:assumed-role/ci/run-7",
        ][..],
    );
    let action = select(&["ecr:PutImage", "ecr:BatchGetImage", "ecr:DeleteRepository"][..]);
    let resource = select(
        &[
            "*",
            "arn:aws:ecr:us-east-1:111111111111:repository/team/app",
            "arn:aws:ecr:us-east-1:111111111111:repository/home/alice",
            "arn:aws:ecr:eu-west-1:111111111111:repository/app",
        ][..],
    );
    let values = prop::option::of(subsequence(&["a", "ab", "alice"][..], 1..=2));
    (who, action, resource, values).prop_map(|(who, action, resource, values)| Question {
        who: who.into(),
        action: action.into(),
        resource: resource.into(),
        values: values.map(|values| values.into_iter().map(String::from).collect()),
    })
}
