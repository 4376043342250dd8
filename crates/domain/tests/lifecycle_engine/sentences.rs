//! Why images have their outcomes, word for word.

use roadstead_domain::image::ImageStatus;
use roadstead_domain::lifecycle::images::{ImageFacts, Images};
use roadstead_domain::lifecycle::policy::{
    Count, LifecycleAction, LifecyclePolicy, LifecycleRule, TagSelection,
};

use crate::{GRACE, NOW, days_ago, facts, rule};

/// 1: of `v…` keep one; 2: archive what is untagged and was not pulled for ten days; 3: expire what
/// was archived 90 days ago.
fn policy() -> LifecyclePolicy {
    let (expire, transition) = (LifecycleAction::Expire, LifecycleAction::Transition);
    let versions = TagSelection::Prefixes(vec!["v".into()]);
    let rules = [
        rule(versions, Count::ImageCountMoreThan(1), expire),
        rule(
            TagSelection::Untagged,
            Count::SinceImagePulled(10),
            transition,
        ),
        rule(TagSelection::Any, Count::SinceImageTransitioned(90), expire),
    ];
    let number = |(priority, rule)| LifecycleRule { priority, ..rule };
    LifecyclePolicy {
        rules: (1..).zip(rules).map(number).collect(),
    }
}

type Case<'a> = (&'a str, fn(&mut ImageFacts<'_>), &'a str);

#[track_caller]
fn check(cases: &[Case<'_>]) {
    check_by(&policy(), cases);
}

/// The image `member` is in the list `index`.
#[track_caller]
fn check_by(policy: &LifecyclePolicy, cases: &[Case<'_>]) {
    let mut images = Images::new(policy);
    for (name, change, _) in cases {
        let mut image = facts(name);
        change(&mut image);
        let place = images.push(&image);
        if *name == "index" {
            images.list_member(place, "member");
        }
    }
    let evaluation = images.evaluate(NOW, GRACE);
    for (name, _, sentence) in cases {
        let place = evaluation.find(name).unwrap();
        assert_eq!(evaluation.why(place).to_string(), *sentence, "{name}");
    }
}

fn tagged(image: &mut ImageFacts<'_>) {
    image.tags = &["v1"];
}

fn archived(image: &mut ImageFacts<'_>) {
    image.status = ImageStatus::Archived;
    image.archived_at = Some(days_ago(91));
}

#[test]
fn sentences_about_rules() {
    check(&[
        (
            "new",
            |it| (it.tags, it.pushed_at) = (&["v2"], days_ago(1)),
            "is kept by rule 1: number 1 of the 2 images that the rule counts, youngest first, \
             of which it keeps 1",
        ),
        (
            "old",
            tagged,
            "expires by rule 1: number 2 of the 2 images that the rule counts, youngest first, \
             of which it keeps 1",
        ),
        (
            "untagged",
            |_| (),
            "is kept by rule 2: never pulled, pushed 2025-12-22T00:00:00Z; \
             it moves to the archive after 2026-01-01T00:00:00Z",
        ),
        (
            "pulled",
            |it| it.last_pulled_at = Some(days_ago(1)),
            "is kept by rule 2: last pulled 2025-12-31T00:00:00Z; \
             it moves to the archive after 2026-01-10T00:00:00Z",
        ),
        (
            "restored",
            |it| (it.pushed_at, it.activated_at) = (days_ago(99), Some(days_ago(11))),
            "moves to the archive by rule 2: restored 2025-12-21T00:00:00Z, more than 10 days ago",
        ),
        (
            "archived",
            archived,
            "expires by rule 3: archived 2025-10-02T00:00:00Z, more than 90 days ago",
        ),
        (
            "undated",
            |it| it.status = ImageStatus::Archived,
            "is kept by rule 3: nobody knows since when it is archived; the rule grants 90 days",
        ),
    ]);
}

#[test]
fn sentences_about_others() {
    check(&[
        (
            "index",
            |it| it.tags = &["x"],
            "is kept: no rule selects these tags in standard storage",
        ),
        (
            "member",
            |it| it.pushed_at = days_ago(11),
            "is kept although its age would make rule 2 move it to the archive: a member of index",
        ),
        (
            "subject",
            archived,
            "expires by rule 3: archived 2025-10-02T00:00:00Z, more than 90 days ago",
        ),
        (
            "signature",
            |it| it.subject = Some("subject"),
            "expires together with its subject subject",
        ),
        (
            "attestation",
            |it| it.subject = Some("index"),
            "is kept: it refers to index, which stays as it is",
        ),
        (
            "restoring",
            |it| it.status = ImageStatus::Activating,
            "is kept: it is being restored from the archive",
        ),
        (
            "orphan",
            |it| (it.subject, it.orphaned_at) = (Some("gone"), Some(days_ago(2))),
            "is kept by rule 2: never pulled, pushed 2025-12-22T00:00:00Z; \
             it moves to the archive after 2026-01-01T00:00:00Z",
        ),
    ]);
    let mut versions_only = policy();
    versions_only.rules.truncate(1);
    check_by(
        &versions_only,
        &[(
            "orphan",
            |it| (it.subject, it.orphaned_at) = (Some("gone"), Some(days_ago(2))),
            "expires: its subject gone is gone since 2025-12-30T00:00:00Z, for more than 24 h",
        )],
    );
}
