//! Refusals of lifecycle policies, line by line, where the worked cases say nothing: whole messages,
//! several lines at once, order of the layers, and texts that try to be too much.

use roadstead_domain::lifecycle::parse::{Layer, PolicyRefusal};
use roadstead_domain::lifecycle::policy::{LifecyclePolicy, TagSelection};
use serde_json::{Value, json};

const UNMAPPED: &str = "Could not map policyString into LifecyclePolicy.";
const FOUR: &str = "instance failed to match exactly one schema (matched 0 out of 4)";
const TWO: &str = "instance failed to match exactly one schema (matched 0 out of 2)";

fn valid_rule(priority: i64) -> Value {
    json!({
        "rulePriority": priority,
        "selection": {
            "tagStatus": "tagged",
            "tagPrefixList": [format!("p{priority}")],
            "countType": "imageCountMoreThan",
            "countNumber": 3,
        },
        "action": {"type": "expire"},
    })
}

/// A rule with members changed: `null` as a new value takes the member away.
fn rule(priority: i64, changes: &[(&str, Value)]) -> Value {
    let mut rule = valid_rule(priority);
    for (pointer, new) in changes {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        let parent = rule.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        if new.is_null() {
            parent.remove(key);
        } else {
            parent.insert(key.into(), new.clone());
        }
    }
    rule
}

fn parse(rules: &[Value]) -> Result<LifecyclePolicy, PolicyRefusal> {
    LifecyclePolicy::parse_unpadded(&json!({"rules": rules}).to_string())
}

fn refusal(rules: &[Value]) -> PolicyRefusal {
    parse(rules).expect_err(&json!(rules).to_string())
}

#[track_caller]
fn assert_lines(rules: &[Value], layer: Layer, lines: &[&str]) {
    let refusal = refusal(rules);
    let mut said = refusal.lines.clone();
    said.sort();
    let mut lines = lines.to_vec();
    lines.sort_unstable();
    assert_eq!(
        (refusal.layer, said),
        (layer, lines.into_iter().map(str::to_owned).collect())
    );
}

fn archived(priority: i64, changes: &[(&str, Value)]) -> Value {
    let mut all = vec![
        ("/selection/storageClass", json!("archive")),
        ("/selection/countType", json!("sinceImageTransitioned")),
        ("/selection/countUnit", json!("days")),
        ("/selection/countNumber", json!(90)),
    ];
    all.extend_from_slice(changes);
    rule(priority, &all)
}

fn with_status(priority: i64, status: &str) -> Value {
    rule(
        priority,
        &[
            ("/selection/tagStatus", json!(status)),
            ("/selection/tagPrefixList", Value::Null),
        ],
    )
}

#[test]
fn whole_messages() {
    let short = LifecyclePolicy::parse("{}").unwrap_err();
    assert_eq!(
        short.to_string(),
        "Invalid parameter at 'lifecyclePolicyText' failed to satisfy constraint: \
         'Member must have length greater than or equal to 100'"
    );
    let shape = LifecyclePolicy::parse_unpadded("{}").unwrap_err();
    assert_eq!(
        shape.to_string(),
        "Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: \
         'Lifecycle policy validation failure: object has missing required properties \
         ([\"rules\"])\n'"
    );
    assert_eq!(
        refusal(&[valid_rule(1), valid_rule(1)]).to_string(),
        "Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: \
         'Lifecycle policy validation failure: Duplicate priority in multiple rules'"
    );
    assert_eq!(
        LifecyclePolicy::parse_unpadded("nonsense")
            .unwrap_err()
            .to_string(),
        "Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: \
         'Lifecycle policy validation failure: Could not map policyString into LifecyclePolicy.'"
    );
}

#[test]
fn length_is_counted_in_utf16_before_anything_is_read() {
    let text = json!({"rules": [valid_rule(1)]}).to_string();
    let padded = |units: usize| {
        let spaces = " ".repeat(units - text.len() - 20);
        // Ten characters of two units each.
        text.replacen("\"action\"", "\"description\":\"\",\"action\"", 1)
            .replacen("\"\"", &format!("\"{}\"", "\u{1f600}".repeat(10)), 1)
            + &spaces[17..]
    };
    assert_eq!(padded(30_720).encode_utf16().count(), 30_720);
    assert!(LifecyclePolicy::parse(&padded(30_720)).is_ok());
    let refusal = LifecyclePolicy::parse(&padded(30_721)).unwrap_err();
    assert_eq!(refusal.layer, Layer::Length);
    assert_eq!(
        refusal.lines,
        ["Member must have length less than or equal to 30720"]
    );
    let garbage = LifecyclePolicy::parse(&"[".repeat(99)).unwrap_err();
    assert_eq!(garbage.layer, Layer::Length);
}

fn wrong_type(found: &str, allowed: &str) -> String {
    format!(
        "instance type ({found}) does not match any allowed primitive type (allowed: [\"{allowed}\"])"
    )
}

#[track_caller]
fn assert_shape(changes: &[(&str, Value)], lines: &[&str]) {
    assert_lines(&[rule(1, changes)], Layer::Schema, lines);
}

#[test]
fn numbers_and_texts() {
    let number = &*wrong_type("number", "integer");
    let found = |found: &str| {
        format!("numeric instance is lower than the required minimum (minimum: 1, found: {found})")
    };
    let at = "/selection/countNumber";
    assert_shape(&[(at, json!(0.5))], &[number, &found("0.5")]);
    assert_shape(&[(at, json!(1.0))], &[number]);
    assert_shape(&[("/rulePriority", json!(-3))], &[&found("-3")]);
    let list = &*wrong_type("array", "string");
    assert_shape(&[("/description", json!(["x"]))], &[list]);
    let integer = &*wrong_type("integer", "string");
    assert_shape(&[("/selection/tagPrefixList", json!(["a", 1]))], &[integer]);
    assert_lines(
        &[],
        Layer::Schema,
        &["array is too short: must have at least 1 elements but instance has 0 elements"],
    );
}

#[test]
fn selections() {
    let glacier = "instance value (\"glacier\") not found in enum (possible values: [\"archive\",\"standard\"])";
    assert_shape(&[("/selection/storageClass", json!("glacier"))], &[glacier]);
    let stranger = "object instance has properties which are not allowed by the schema: [\"x\"]";
    let missing = "object has missing required properties ([\"countNumber\",\"tagStatus\"])";
    let selection = json!({"x": 1, "countType": "imageCountMoreThan"});
    assert_shape(&[("/selection", selection)], &[stranger, missing]);
    let strangers =
        "object instance has properties which are not allowed by the schema: [\"b\",\"z\"]";
    let selection = json!({"z": 1, "b": 2, "countType": "sinceImagePushed"});
    assert_shape(&[("/selection", selection)], &[FOUR, strangers, missing]);
    let missing = "object has missing required properties ([\"countType\"])";
    assert_shape(&[("/selection/countType", Value::Null)], &[missing]);
    let standard = archived(1, &[("/selection/storageClass", json!("standard"))]);
    assert_lines(&[standard], Layer::Schema, &[FOUR]);
}

#[test]
fn choices() {
    let (kind, unit) = ("/selection/countType", "/selection/countUnit");
    assert_shape(&[(kind, json!(7))], &[FOUR]);
    assert_shape(
        &[(kind, json!("sinceImagePushed")), (unit, json!("hours"))],
        &[FOUR],
    );
    // The number is not looked at below a selection that failed.
    assert_shape(
        &[
            (unit, json!("days")),
            ("/selection/countNumber", json!("3")),
        ],
        &[FOUR],
    );
    assert_shape(&[("/action/targetStorageClass", json!("archive"))], &[TWO]);
    let loud = json!({"type": "transition", "targetStorageClass": "ARCHIVE"});
    assert_shape(&[("/action", loud)], &[TWO]);
}

#[test]
fn own_checks_go_on_after_a_failure_but_members_are_left_alone() {
    // "action" comes before "selection": its wrong value hides the members of the selection, not
    // the choice that the selection itself is.
    let bad_action = ("/action/type", json!("keep"));
    let keep = "instance value (\"keep\") not found in enum (possible values: [\"expire\",\"transition\"])";
    assert_lines(
        &[rule(
            1,
            &[bad_action.clone(), ("/selection/countNumber", json!(0))],
        )],
        Layer::Schema,
        &[keep],
    );
    assert_lines(
        &[rule(
            1,
            &[bad_action, ("/selection/countUnit", json!("days"))],
        )],
        Layer::Schema,
        &[keep, FOUR],
    );
    let missing = "object has missing required properties ([\"action\"])";
    assert_lines(
        &[
            rule(1, &[("/action", Value::Null)]),
            rule(2, &[("/action", Value::Null)]),
        ],
        Layer::Schema,
        &[missing, missing],
    );
}

#[test]
fn meanings() {
    let cases: &[(&[Value], &str)] = &[
        (&[rule(1 << 31, &[])], UNMAPPED),
        (
            &[rule(1, &[("/selection/countNumber", json!(1_u64 << 31))])],
            UNMAPPED,
        ),
        (
            &[rule(1, &[("/selection/tagPatternList", json!(["a"]))])],
            "If policy has a tagged rule, it must specify only one of tagPrefixList or tagPatternList",
        ),
        (
            &[rule(
                1,
                &[
                    ("/selection/tagPrefixList", Value::Null),
                    ("/selection/tagPatternList", json!(["a", "*b*c*d*e*"])),
                ],
            )],
            "Invalid tag pattern provided",
        ),
        (
            &[rule(1, &[("/selection/tagStatus", json!("any"))])],
            "Cannot specify tagPrefixList with tagStatus any",
        ),
        (
            &[with_status(1, "untagged"), with_status(2, "untagged")],
            "Only one rule can select Untagged images per storage class.",
        ),
        (
            &[
                archived(1, &[]),
                rule(3, &[]),
                archived(2, &[("/selection/tagPrefixList", json!(["p1"]))]),
            ],
            "Only one rule can specify the same tagPrefixList per storage class",
        ),
        (
            &[
                rule(1, &[("/selection/tagPrefixList", json!(["b", "a", "b"]))]),
                rule(2, &[("/selection/tagPrefixList", json!(["a", "b"]))]),
            ],
            "Only one rule can specify the same tagPrefixList per storage class",
        ),
        (
            &[with_status(2, "any"), rule(3, &[])],
            "Rule for tagStatus=ANY must have the lowest priority per storage class",
        ),
    ];
    for (rules, line) in cases {
        assert_lines(rules, Layer::Semantic, &[line]);
    }
}

#[test]
fn taken() {
    let cases: &[&[Value]] = &[
        // Any is last in its own class only.
        &[with_status(1, "any"), archived(2, &[])],
        // The same prefixes in another class, the same patterns twice.
        &[
            rule(1, &[]),
            archived(2, &[("/selection/tagPrefixList", json!(["p1"]))]),
        ],
        // An empty list is no list.
        &[rule(
            1,
            &[
                ("/selection/tagStatus", json!("untagged")),
                ("/selection/tagPrefixList", json!([])),
            ],
        )],
        &[rule(1, &[("/selection/tagPatternList", json!([]))])],
        // Written order does not matter, priority does.
        &[with_status(9, "any"), rule(3, &[])],
        &[rule(i64::from(i32::MAX), &[])],
    ];
    for rules in cases {
        let taken = parse(rules);
        assert!(taken.is_ok(), "{taken:?}");
    }
}

#[test]
fn the_last_of_two_equal_keys_counts() {
    let text = json!({"rules": [valid_rule(1)]}).to_string();
    let twice = text.replacen(
        "\"tagPrefixList\":[\"p1\"]",
        "\"tagPrefixList\":5,\"tagPrefixList\":[\"q\"]",
        1,
    );
    assert_ne!(twice, text);
    let policy = LifecyclePolicy::parse_unpadded(&twice).unwrap();
    assert_eq!(
        policy.rules[0].tags,
        TagSelection::Prefixes(vec!["q".into()])
    );
}

#[test]
fn what_is_written_is_written_in_the_order_of_ecr() {
    let policy = parse(&[
        rule(
            2,
            &[
                ("/description", json!("a \"b\"")),
                ("/selection/storageClass", json!("standard")),
                ("/selection/countType", json!("sinceImagePulled")),
                ("/selection/countUnit", json!("days")),
                (
                    "/action",
                    json!({"targetStorageClass": "archive", "type": "transition"}),
                ),
            ],
        ),
        with_status(1, "untagged"),
    ])
    .unwrap();
    assert_eq!(
        policy.to_text(),
        "{\"rules\":[{\"rulePriority\":2,\"description\":\"a \\\"b\\\"\",\"selection\":{\"tagStatus\":\"tagged\",\
         \"tagPrefixList\":[\"p2\"],\"storageClass\":\"standard\",\"countType\":\"sinceImagePulled\",\
         \"countUnit\":\"days\",\"countNumber\":3},\"action\":{\"type\":\"transition\",\
         \"targetStorageClass\":\"archive\"}},{\"rulePriority\":1,\"selection\":{\"tagStatus\":\"untagged\",\
         \"countType\":\"imageCountMoreThan\",\"countNumber\":3},\"action\":{\"type\":\"expire\"}}]}"
    );
}

#[test]
fn too_deep_too_large_and_not_quite_json() {
    for open in ["[", "{\"rules\":[", "{\"rules\":", "[{\"a\":"] {
        let refusal = LifecyclePolicy::parse(&open.repeat(30_000 / open.len())).unwrap_err();
        assert_eq!(
            (refusal.layer, refusal.lines),
            (Layer::Parse, vec![UNMAPPED.into()])
        );
    }
    let nested = format!("{{\"rules\":{}1{}}}", "[".repeat(200), "]".repeat(200));
    assert_eq!(
        LifecyclePolicy::parse(&nested).unwrap_err().layer,
        Layer::Parse
    );
    let text = json!({"rules": [valid_rule(1)]}).to_string();
    for (number, layer) in [
        ("1e400", Layer::Parse),
        ("1e2", Layer::Schema),
        ("1.0", Layer::Schema),
        ("99999999999999999999", Layer::Schema),
        ("-99999999999999999999", Layer::Schema),
        ("18446744073709551615", Layer::Semantic),
        ("9".repeat(400).as_str(), Layer::Parse),
    ] {
        let text = text.replacen("\"countNumber\":3", &format!("\"countNumber\":{number}"), 1);
        assert_eq!(
            LifecyclePolicy::parse_unpadded(&text).unwrap_err().layer,
            layer,
            "{number}"
        );
    }
    for text in [
        "",
        "null",
        "\"rules\"",
        "{}{}",
        "{\"rules\":[],}",
        "{'rules':[]}",
        "\u{feff}{}",
        "{\"rules\":NaN}",
    ] {
        assert_eq!(
            LifecyclePolicy::parse_unpadded(text).unwrap_err().layer,
            Layer::Parse,
            "{text}"
        );
    }
}
