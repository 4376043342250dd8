//! The grammar of lifecycle policies against the worked validation cases, and laws of its texts.
//!
//! `data/lifecycle-cases.json` holds what AWS says; a line that starts with `@` stands for a wording
//! that nobody has reported.

use proptest::prelude::*;
use roadstead_domain::lifecycle::parse::{Layer, PolicyRefusal};
use roadstead_domain::lifecycle::policy::{
    Count, LifecycleAction, LifecyclePolicy, LifecycleRule, StorageClass, TagSelection,
};
use serde_json::{Value, json};

const CASES: &str = include_str!("data/lifecycle-cases.json");

#[test]
fn every_validation_case_is_answered_as_it_says() {
    let document: Value = serde_json::from_str(CASES).unwrap();
    let cases: Vec<&Value> = document["cases"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|case| case["kind"] == "validate")
        .collect();
    assert!(cases.len() >= 40, "only {} cases", cases.len());
    for case in cases {
        let answer = LifecyclePolicy::parse(case["policyText"].as_str().unwrap());
        let expect = &case["expect"];
        match answer {
            Ok(policy) => {
                assert_eq!(expect["valid"], true, "{case:#}");
                assert_eq!(
                    LifecyclePolicy::parse_unpadded(&policy.to_text()),
                    Ok(policy)
                );
            }
            Err(refusal) => assert_refused(case, &refusal),
        }
    }
}

fn assert_refused(case: &Value, refusal: &PolicyRefusal) {
    let expect = &case["expect"];
    assert_eq!(expect["valid"], false, "{} {refusal:?}", case["id"]);
    let layer = match refusal.layer {
        Layer::Length => "length",
        Layer::Parse => "parse",
        Layer::Schema => "schema",
        Layer::Semantic => "semantic",
    };
    assert_eq!(expect["layer"], layer, "{} {refusal:?}", case["id"]);
    let mut expected: Vec<&str> = expect["lines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line.as_str().unwrap())
        .collect();
    let message = refusal.to_string();
    if expected.iter().any(|line| line.starts_with('@')) {
        assert_eq!(refusal.lines.len(), expected.len());
        assert!(refusal.lines.iter().all(|line| !line.is_empty()));
        return;
    }
    for line in &expected {
        assert!(message.contains(line), "{} {message}", case["id"]);
    }
    let mut said: Vec<&str> = refusal.lines.iter().map(String::as_str).collect();
    said.sort_unstable();
    expected.sort_unstable();
    assert_eq!(said, expected, "{}", case["id"]);
}

fn tag_lists() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec("[a-z0-9.-]{0,6}\\*?[a-z]{0,3}", 1..4)
}

fn tag_selections() -> impl Strategy<Value = TagSelection> {
    prop_oneof![
        Just(TagSelection::Any),
        Just(TagSelection::Untagged),
        tag_lists().prop_map(TagSelection::Prefixes),
        tag_lists().prop_map(TagSelection::Patterns),
    ]
}

/// Rules that stand alone: legal count type, class and action.
fn rules() -> impl Strategy<Value = LifecycleRule> {
    let number = prop_oneof![1..400_u64, Just(i32::MAX as u64)];
    let kind = (0..4_u8, any::<bool>(), any::<bool>(), number).prop_map(
        |(kind, written, transition, number)| {
            let standard = written.then_some(StorageClass::Standard);
            let either = if transition {
                LifecycleAction::Transition
            } else {
                LifecycleAction::Expire
            };
            match kind {
                0 => (Count::ImageCountMoreThan(number), standard, either),
                1 => (Count::SinceImagePushed(number), standard, either),
                2 => {
                    let action = LifecycleAction::Transition;
                    (Count::SinceImagePulled(number), standard, action)
                }
                _ => (
                    Count::SinceImageTransitioned(number.max(90)),
                    Some(StorageClass::Archive),
                    LifecycleAction::Expire,
                ),
            }
        },
    );
    let description = prop::option::of("\\PC{0,12}|[\u{0}-\u{1f}\"\\\\]{0,4}");
    (description, tag_selections(), kind).prop_map(
        |(description, tags, (count, storage_class, action))| LifecycleRule {
            priority: 0,
            description,
            tags,
            storage_class,
            count,
            action,
        },
    )
}

/// Policies that hold every rule of the grammar: at most one `any` and one `untagged` of a class,
/// `any` last, no prefix list twice.
fn policies() -> impl Strategy<Value = LifecyclePolicy> {
    let priorities = prop::collection::btree_set(1..=i32::MAX, 8);
    let rules = prop::collection::vec(rules(), 1..8);
    (rules, priorities, any::<bool>()).prop_map(|(mut rules, priorities, backwards)| {
        let key = |rule: &LifecycleRule| {
            let mut tags = rule.tags.clone();
            if let TagSelection::Prefixes(list) = &mut tags {
                list.sort();
                list.dedup();
            }
            format!("{:?} {tags:?}", rule.selects())
        };
        let mut seen = std::collections::HashSet::new();
        rules.retain(|rule| seen.insert(key(rule)));
        rules.sort_by_key(|rule| rule.tags == TagSelection::Any);
        for (rule, priority) in rules.iter_mut().zip(priorities) {
            rule.priority = priority;
        }
        if backwards {
            rules.reverse();
        }
        LifecyclePolicy { rules }
    })
}

/// Every place of a JSON text, as a pointer.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    let mut below = |key: &str, value: &Value| {
        let place = format!("{at}/{key}");
        found.push(place.clone());
        places(value, &place, found);
    };
    match value {
        Value::Object(object) => object.iter().for_each(|(key, value)| below(key, value)),
        Value::Array(list) => {
            for (index, value) in list.iter().enumerate() {
                below(&index.to_string(), value);
            }
        }
        _ => {}
    }
}

fn drop_or_rename(document: &mut Value, place: &str, renamed: bool) {
    let (parent, key) = place.rsplit_once('/').unwrap();
    match document.pointer_mut(parent).unwrap() {
        Value::Object(object) => {
            let value = object.remove(key).unwrap();
            if renamed {
                object.insert(format!("{key}x"), value);
            }
        }
        Value::Array(list) => {
            list.remove(key.parse().unwrap());
        }
        _ => unreachable!(),
    }
}

fn retyped(old: &Value) -> Vec<Value> {
    [
        json!(null),
        json!(true),
        json!(-7),
        json!(1.0),
        json!("?"),
        json!([]),
        json!({}),
    ]
    .into_iter()
    .filter(|new| std::mem::discriminant(new) != std::mem::discriminant(old) || new.is_number())
    .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_policy_is_the_policy_of_its_text(policy in policies()) {
        let text = policy.to_text();
        let again = LifecyclePolicy::parse_unpadded(&text);
        prop_assert_eq!(again.as_ref(), Ok(&policy));
        prop_assert_eq!(again.unwrap().to_text(), text);
    }

    #[test]
    fn any_text_is_answered(text in "\\PC*|[\\[\\]{}:,\"0-9a-z ]*") {
        let _ = LifecyclePolicy::parse(&text);
        let _ = LifecyclePolicy::parse_unpadded(&text);
    }

    /// Whatever is taken says what was written: nothing is dropped or put right in silence.
    #[test]
    fn a_changed_policy_is_refused_or_says_the_change(policy in policies()) {
        let written: Value = serde_json::from_str(&policy.to_text()).unwrap();
        let mut found = Vec::new();
        places(&written, "", &mut found);
        for place in found {
            let mut changed = Vec::new();
            for renamed in [false, true] {
                let mut document = written.clone();
                drop_or_rename(&mut document, &place, renamed);
                changed.push(document);
            }
            for new in retyped(written.pointer(&place).unwrap()) {
                let mut document = written.clone();
                *document.pointer_mut(&place).unwrap() = new;
                changed.push(document);
            }
            for document in changed {
                if let Ok(taken) = LifecyclePolicy::parse_unpadded(&document.to_string()) {
                    let echoed: Value = serde_json::from_str(&taken.to_text()).unwrap();
                    prop_assert_eq!(echoed, document, "{}", place);
                }
            }
        }
    }

    /// A field that a rule cannot do without is missed, and a stranger is named.
    #[test]
    fn no_field_is_renamed_unnoticed(policy in policies()) {
        let written: Value = serde_json::from_str(&policy.to_text()).unwrap();
        let mut found = Vec::new();
        places(&written, "", &mut found);
        for place in found {
            let (parent, key) = place.rsplit_once('/').unwrap();
            if written.pointer(parent).unwrap().is_array() {
                continue;
            }
            let mut document = written.clone();
            drop_or_rename(&mut document, &place, true);
            let refusal = LifecyclePolicy::parse_unpadded(&document.to_string()).unwrap_err();
            prop_assert_eq!(refusal.layer, Layer::Schema);
            let line = format!(
                "object instance has properties which are not allowed by the schema: [\"{key}x\"]"
            );
            prop_assert!(refusal.lines.contains(&line), "{:?}", refusal);
        }
    }
}
