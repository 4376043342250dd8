//! Laws of the policy evaluator on random policies, and its price on hostile ones.

mod hostile;
mod naive;
mod world;

use proptest::prelude::*;
use roadstead_domain::policy::document::PolicyDocument;
use roadstead_domain::policy::echo;
use roadstead_domain::policy::evaluate::Decision;
use roadstead_domain::policy::parse::{PolicyKind, RegistryScope};
use serde_json::{Value, json};

use world::{Question, World, decide, question, statement, world};

fn word(decision: Decision) -> &'static str {
    match decision {
        Decision::Allowed(_) => "Allowed",
        Decision::DeniedExplicitly(_) => "Explicit",
        Decision::DeniedByDefault(_) => "Default",
    }
}

/// The world with one more statement, in the list of that number.
fn with(world: &World, list: usize, identity: &Value, resource: &Value) -> World {
    let mut world = world.clone();
    let document = |it: &Value| json!({"Version": "2012-10-17", "Statement": [it]});
    match (list % 4, &mut world.boundary, &mut world.session) {
        (0, _, _) => world.identity.insert(0, document(identity)),
        (1, Some(boundary), _) => boundary.push(document(identity)),
        (2, _, Some(session)) => session.push(document(identity)),
        _ => world.resource.push(document(resource)),
    }
    world
}

/// Every list, and the statements of every document, in the opposite order.
fn reversed(world: &World) -> World {
    let reverse = |documents: &Vec<Value>| -> Vec<Value> {
        let mut documents = documents.clone();
        documents.reverse();
        for document in &mut documents {
            document["Statement"].as_array_mut().unwrap().reverse();
        }
        documents
    };
    World {
        identity: reverse(&world.identity),
        resource: reverse(&world.resource),
        boundary: world.boundary.as_ref().map(reverse),
        session: world.session.as_ref().map(reverse),
    }
}

/// The statement with `Action` for `NotAction` or the other way round; likewise `Resource`.
fn complement(statement: &Value, name: &str) -> Value {
    let mut other = statement.clone();
    let object = other.as_object_mut().unwrap();
    let not = format!("Not{name}");
    match (object.remove(name), object.remove(&not)) {
        (Some(listed), _) => object.insert(not, listed),
        (_, Some(listed)) => object.insert(name.into(), listed),
        _ => panic!("{statement}"),
    };
    other
}

fn allows_alone(statement: &Value, question: &Question) -> bool {
    let world = World {
        identity: vec![json!({"Version": "2012-10-17", "Statement": statement})],
        resource: vec![],
        boundary: None,
        session: None,
    };
    decide(&world, question).is_allowed()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, ..ProptestConfig::default() })]

    #[test]
    fn the_engine_agrees_with_the_rules_read_aloud(world in world(), question in question()) {
        prop_assert_eq!(word(decide(&world, &question)), naive::decide(&world, &question));
    }

    #[test]
    fn a_deny_that_applies_always_wins(
        world in world(), question in question(), list in 0usize..4,
    ) {
        let everything = json!({"Effect": "Deny", "Action": "*", "Resource": "*"});
        let mut for_everyone = everything.clone();
        for_everyone["Principal"] = "*".into();
        let denied = decide(&with(&world, list, &everything, &for_everyone), &question);
        prop_assert_eq!(word(denied), "Explicit");
    }

    #[test]
    fn one_more_allow_takes_nothing_away(
        world in world(), question in question(), list in 0usize..4,
        identity in statement("Allow", false), resource in statement("Allow", true),
    ) {
        let (before, more) = (decide(&world, &question), with(&world, list, &identity, &resource));
        let after = decide(&more, &question);
        prop_assert!(after.is_allowed() || !before.is_allowed());
        prop_assert_eq!(word(after) == "Explicit", word(before) == "Explicit");
    }

    #[test]
    fn one_more_deny_gives_nothing(
        world in world(), question in question(), list in 0usize..4,
        identity in statement("Deny", false), resource in statement("Deny", true),
    ) {
        let (before, more) = (decide(&world, &question), with(&world, list, &identity, &resource));
        prop_assert!(before.is_allowed() || !decide(&more, &question).is_allowed());
    }

    #[test]
    fn order_does_not_matter(world in world(), question in question()) {
        let (one, other) = (decide(&world, &question), decide(&reversed(&world), &question));
        prop_assert_eq!(word(one), word(other));
        if let (Decision::DeniedByDefault(one), Decision::DeniedByDefault(other)) = (one, other) {
            prop_assert_eq!(one, other);
        }
    }

    #[test]
    fn not_is_the_complement(
        statement in statement("Allow", false), mut question in question(),
    ) {
        question.who = "arn:aws:iam::111111111111:user/alice".into();
        let mut wide = statement.clone();
        wide["Condition"] = json!({});
        for (name, other) in [("Action", "Resource"), ("Resource", "Action")] {
            let mut statement = wide.clone();
            let object = statement.as_object_mut().unwrap();
            object.remove(&format!("Not{other}"));
            object.insert(other.into(), "*".into());
            let not = complement(&statement, name);
            let (one, two) = (allows_alone(&statement, &question), allows_alone(&not, &question));
            prop_assert_ne!(one, two, "{} and {}", statement, not);
        }
    }

    #[test]
    fn no_text_is_too_strange(text in ".{0,80}", statement in statement("Deny", true)) {
        let policy = json!({"Statement": [statement]}).to_string();
        let cut = text.chars().count() % policy.len();
        for text in [&text, &policy[..cut], &policy.replacen('"', &text, 1)] {
            for kind in [PolicyKind::Identity, PolicyKind::Registry(RegistryScope::V2)] {
                let _ = PolicyDocument::parse(kind, text);
            }
        }
        let printed = echo(&policy).unwrap();
        let meaning = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        prop_assert_eq!(meaning(&printed), meaning(&policy));
    }
}
