//! Warnings about lifecycle policies: each one where it is due, and not where it would be untrue.

use proptest::prelude::*;
use roadstead_domain::lifecycle::lint::{LintCode, lint};
use roadstead_domain::lifecycle::policy::{
    Count::{self, *},
    LifecycleAction::{self, *},
    LifecyclePolicy, LifecycleRule, StorageClass, TagSelection,
};

fn prefixes(list: &[&str]) -> TagSelection {
    TagSelection::Prefixes(list.iter().map(|entry| entry.to_string()).collect())
}

fn patterns(list: &[&str]) -> TagSelection {
    TagSelection::Patterns(list.iter().map(|entry| entry.to_string()).collect())
}

/// Rules with the priorities 1, 2, 3 ...
fn policy(rules: Vec<(TagSelection, Count, LifecycleAction)>) -> LifecyclePolicy {
    let rules = rules
        .into_iter()
        .zip(1..)
        .map(|((tags, count, action), priority)| LifecycleRule {
            priority,
            description: None,
            tags,
            storage_class: matches!(count, SinceImageTransitioned(_))
                .then_some(StorageClass::Archive),
            count,
            action,
        })
        .collect();
    let policy = LifecyclePolicy { rules };
    assert_eq!(
        LifecyclePolicy::parse_unpadded(&policy.to_text()).as_ref(),
        Ok(&policy),
        "not a legal policy"
    );
    policy
}

/// Codes by rule, without `expires-every-tag` and `no-minimum-kept`, which most policies earn.
fn codes(policy: &LifecyclePolicy) -> Vec<(i32, &'static str)> {
    lint(policy)
        .into_iter()
        .filter(|warning| {
            !matches!(
                warning.code,
                LintCode::ExpiresEveryTag | LintCode::NoMinimumKept
            )
        })
        .map(|warning| (warning.priority, warning.code.as_str()))
        .collect()
}

fn has(policy: &LifecyclePolicy, priority: i32, code: LintCode) -> bool {
    lint(policy)
        .iter()
        .any(|warning| (warning.priority, warning.code) == (priority, code))
}

fn one(tags: TagSelection, count: Count, action: LifecycleAction) -> LifecyclePolicy {
    policy(vec![(tags, count, action)])
}

#[test]
fn lists_whose_entries_look_like_alternatives() {
    let age = SinceImagePushed(9);
    for (tags, expected) in [
        (
            patterns(&["latest", "main", "cache", "20*"]),
            vec!["and-list"],
        ),
        (prefixes(&["a", "b"]), vec!["and-list"]),
        (patterns(&["*-amd64", "*-arm64"]), vec!["and-list"]),
        (patterns(&["latest", "v*"]), vec!["and-list"]),
        // One tag can do for all.
        (patterns(&["*test*1*2*3", "test*1*2*3*"]), vec![]),
        (patterns(&["v*", "*-amd64"]), vec![]),
        (patterns(&["latest"]), vec![]),
        (prefixes(&["v"]), vec![]),
        // An entry that another one implies.
        (prefixes(&["v", "v1."]), vec!["redundant-entry"]),
        (patterns(&["*", "v1"]), vec!["redundant-entry"]),
    ] {
        let expected: Vec<_> = expected.into_iter().map(|code| (1, code)).collect();
        assert_eq!(codes(&one(tags.clone(), age, Expire)), expected, "{tags:?}");
    }
}

#[test]
fn entries_that_no_tag_meets() {
    let age = SinceImagePushed(9);
    for tags in [
        prefixes(&["v*"]),
        prefixes(&["rel/"]),
        patterns(&["v", "a b*"]),
        patterns(&[""]),
    ] {
        assert_eq!(codes(&one(tags, age, Expire)), [(1, "never-matches")]);
    }
    assert_eq!(codes(&one(patterns(&["v*"]), age, Expire)), []);
    assert_eq!(codes(&one(prefixes(&[""]), age, Expire)), []);
    let starred = lint(&one(prefixes(&["v*"]), age, Expire));
    assert!(starred[0].message.contains("stands for itself"));
}

#[test]
fn rules_whose_images_belong_to_stronger_ones() {
    let (few, age) = (ImageCountMoreThan(5), SinceImagePushed(9));
    let dead = |first: TagSelection, second: TagSelection| {
        has(
            &policy(vec![(first, few, Expire), (second, age, Expire)]),
            2,
            LintCode::DeadRule,
        )
    };
    for (strong, weak) in [
        (prefixes(&["v"]), prefixes(&["v1"])),
        (prefixes(&["v"]), prefixes(&["x", "v1"])),
        (prefixes(&["v"]), patterns(&["v*.0"])),
        (patterns(&["v*"]), prefixes(&["v"])),
        (patterns(&["*"]), prefixes(&["v"])),
        (prefixes(&[""]), patterns(&["*-x"])),
        (patterns(&["v*"]), patterns(&["v*"])),
        (patterns(&["*a*"]), patterns(&["b*a"])),
        (prefixes(&["a", "b"]), prefixes(&["b2", "a1", "c"])),
    ] {
        assert!(dead(strong.clone(), weak.clone()), "{strong:?} {weak:?}");
    }
    for (strong, weak) in [
        (prefixes(&["v1"]), prefixes(&["v"])),
        (prefixes(&["v", "x"]), prefixes(&["v1"])),
        (patterns(&["v*0"]), patterns(&["v*"])),
        (patterns(&["a*b"]), patterns(&["*b"])),
        (prefixes(&["v"]), TagSelection::Untagged),
        (TagSelection::Untagged, prefixes(&["v"])),
        (patterns(&["*"]), TagSelection::Any),
        (TagSelection::Untagged, TagSelection::Any),
    ] {
        assert!(!dead(strong.clone(), weak.clone()), "{strong:?} {weak:?}");
    }
}

#[test]
fn untagged_and_every_tag_leave_nothing_to_any() {
    let age = SinceImagePushed(9);
    let all = |first: TagSelection, second: TagSelection| {
        policy(vec![
            (first, age, Expire),
            (second, age, Expire),
            (TagSelection::Any, ImageCountMoreThan(3), Expire),
        ])
    };
    let dead = |policy: LifecyclePolicy| codes(&policy).contains(&(3, "dead-rule"));
    assert!(dead(all(TagSelection::Untagged, patterns(&["*"]))));
    assert!(dead(all(prefixes(&[""]), TagSelection::Untagged)));
    assert!(!dead(all(TagSelection::Untagged, patterns(&["v*"]))));
    assert!(!dead(all(TagSelection::Untagged, patterns(&["*", "v*"]))));
}

#[test]
fn the_archive_is_another_world() {
    let two = |first, second| codes(&policy(vec![first, second]));
    let v = || prefixes(&["v"]);
    assert_eq!(
        two(
            (v(), SinceImagePushed(30), Transition),
            (prefixes(&["v1"]), SinceImagePushed(90), Expire)
        ),
        [(2, "archive-shadows-expire")]
    );
    assert_eq!(
        two(
            (v(), SinceImagePushed(30), Transition),
            (v(), SinceImageTransitioned(90), Expire)
        ),
        []
    );
    assert_eq!(
        two(
            (v(), SinceImagePushed(30), Transition),
            (patterns(&["v1*"]), SinceImagePulled(9), Transition)
        ),
        [(2, "dead-rule")]
    );
    // The weaker rule deletes first: it owns its images no less.
    assert_eq!(
        two(
            (prefixes(&["v1"]), SinceImagePushed(90), Expire),
            (v(), SinceImagePushed(30), Transition)
        ),
        []
    );
}

#[test]
fn any_counts_what_has_no_tag() {
    let any = TagSelection::Any;
    let found = |count, action| codes(&one(TagSelection::Any, count, action));
    assert_eq!(
        found(ImageCountMoreThan(2), Expire),
        [(1, "any-counts-untagged")]
    );
    assert_eq!(
        found(ImageCountMoreThan(2), Transition),
        [(1, "any-counts-untagged")]
    );
    assert_eq!(found(SinceImagePushed(2), Expire), []);
    let after = policy(vec![
        (TagSelection::Untagged, SinceImagePushed(30), Expire),
        (any, ImageCountMoreThan(2), Expire),
    ]);
    assert!(has(&after, 2, LintCode::AnyCountsUntagged));
    assert!(!has(
        &one(prefixes(&["v"]), ImageCountMoreThan(2), Expire),
        1,
        LintCode::AnyCountsUntagged
    ));
}

#[test]
fn one_image_for_all_markers() {
    let found = |tags, number| {
        has(
            &one(tags, ImageCountMoreThan(number), Expire),
            1,
            LintCode::CountPerRule,
        )
    };
    assert!(found(prefixes(&["deployed-to-"]), 1));
    assert!(found(patterns(&["deployed-*"]), 1));
    assert!(!found(prefixes(&["deployed-to-"]), 2));
    assert!(!found(patterns(&["latest"]), 1));
    assert!(!found(TagSelection::Untagged, 1));
}

#[test]
fn ages_that_keep_nothing() {
    let found = |tags, count, action| has(&one(tags, count, action), 1, LintCode::NoMinimumKept);
    assert!(found(TagSelection::Any, SinceImagePushed(7), Expire));
    assert!(found(prefixes(&["d-"]), SinceImagePushed(7), Expire));
    assert!(!found(TagSelection::Untagged, SinceImagePushed(7), Expire));
    assert!(!found(TagSelection::Any, SinceImagePushed(7), Transition));
    assert!(!found(TagSelection::Any, ImageCountMoreThan(7), Expire));
    assert!(!found(
        TagSelection::Any,
        SinceImageTransitioned(90),
        Expire
    ));
}

#[test]
fn tags_that_go_along() {
    let found = |tags, action| {
        has(
            &one(tags, SinceImagePushed(7), action),
            1,
            LintCode::ExpiresEveryTag,
        )
    };
    assert!(found(prefixes(&["d-"]), Expire));
    assert!(found(patterns(&["latest"]), Expire));
    assert!(!found(prefixes(&["d-"]), Transition));
    assert!(!found(patterns(&["*"]), Expire));
    assert!(!found(TagSelection::Any, Expire));
    assert!(!found(TagSelection::Untagged, Expire));
}

#[test]
fn members_outlive_the_untagged_rule() {
    let found = |other: (TagSelection, Count, LifecycleAction)| {
        let untagged = (TagSelection::Untagged, SinceImagePushed(7), Expire);
        has(
            &policy(vec![untagged, other]),
            1,
            LintCode::UntaggedListMembers,
        )
    };
    let v = || prefixes(&["v"]);
    assert!(found((v(), SinceImagePushed(8), Expire)));
    assert!(found((v(), ImageCountMoreThan(1), Expire)));
    assert!(found((TagSelection::Any, SinceImagePushed(30), Expire)));
    assert!(!found((v(), SinceImagePushed(7), Expire)));
    assert!(!found((v(), SinceImageTransitioned(90), Expire)));
    assert!(
        !found((prefixes(&["v*"]), SinceImagePushed(8), Expire)),
        "a rule that never acts"
    );
    let alone = one(TagSelection::Untagged, SinceImagePushed(7), Expire);
    assert_eq!(lint(&alone), []);
}

#[test]
fn warnings_come_strongest_rule_first_and_long_lists_are_let_be() {
    let mut two = policy(vec![
        (prefixes(&["v"]), SinceImagePushed(7), Expire),
        (prefixes(&["w"]), SinceImagePushed(7), Expire),
    ]);
    two.rules.reverse();
    let order: Vec<i32> = lint(&two).iter().map(|warning| warning.priority).collect();
    assert_eq!(order, [1, 1, 2, 2]);

    let many: Vec<String> = (0..3000).map(|index| format!("a{index}")).collect();
    let long = one(
        TagSelection::Prefixes(many),
        SinceImagePulled(7),
        Transition,
    );
    assert_eq!(lint(&long), []);
}

/// Ownership as the reference tells it: the first rule whose entries are all met by some tag.
fn owner(policy: &LifecyclePolicy, tags: &[&str]) -> Option<i32> {
    let meets = |entry: &str, tag: &str| match entry.strip_suffix('*') {
        Some(head) => tag.starts_with(head),
        None => tag == entry,
    };
    let all = |list: &[String], is_met: &dyn Fn(&str, &str) -> bool| {
        list.iter()
            .all(|entry| tags.iter().any(|tag| is_met(entry, tag)))
    };
    let mut rules: Vec<&LifecycleRule> = policy.rules.iter().collect();
    rules.sort_by_key(|rule| rule.priority);
    let first = rules.into_iter().find(|rule| match &rule.tags {
        TagSelection::Any => true,
        TagSelection::Untagged => tags.is_empty(),
        TagSelection::Prefixes(list) => all(list, &|entry, tag| tag.starts_with(entry)),
        TagSelection::Patterns(list) => all(list, &meets),
    });
    first.map(|rule| rule.priority)
}

proptest! {
    #[test]
    fn a_dead_rule_owns_no_image(
        lists in prop::collection::vec((any::<bool>(), prop::collection::vec("[ab]{0,2}", 1..3)), 1..5),
        untagged in 0..5_usize,
        has_any in any::<bool>(),
    ) {
        let mut rules: Vec<TagSelection> = lists
            .into_iter()
            .map(|(literal, list)| match literal {
                true => TagSelection::Prefixes(list),
                false => TagSelection::Patterns(
                    list.into_iter().map(|entry| format!("{entry}*")).collect(),
                ),
            })
            .collect();
        if untagged < rules.len() {
            rules.insert(untagged, TagSelection::Untagged);
        }
        if has_any {
            rules.push(TagSelection::Any);
        }
        let policy = LifecyclePolicy {
            rules: rules
                .into_iter()
                .zip(1..)
                .map(|(tags, priority)| LifecycleRule {
                    priority,
                    description: None,
                    tags,
                    storage_class: None,
                    count: SinceImagePushed(1),
                    action: Expire,
                })
                .collect(),
        };
        let universe = ["a", "b", "c", "aa", "ab", "ba", "bb", "abc"];
        let mut owners = vec![owner(&policy, &[])];
        for first in universe {
            for second in universe {
                for third in universe {
                    owners.push(owner(&policy, &[first, second, third]));
                }
            }
        }
        for warning in lint(&policy) {
            let is_dead = matches!(warning.code, LintCode::DeadRule | LintCode::NeverMatches);
            prop_assert!(!is_dead || !owners.contains(&Some(warning.priority)), "{:?}", warning);
        }
    }
}
