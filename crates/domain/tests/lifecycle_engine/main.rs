//! The engine by hand: ties, orphans, second looks, sentences, and sizes that no quadratic step would
//! survive. The worked cases and the laws have their own files.

mod recheck;
mod sentences;

use roadstead_domain::image::ImageStatus;
use roadstead_domain::lifecycle::evaluate::{Cause, Evaluation, Outcome, Reason, Summary};
use roadstead_domain::lifecycle::images::{ImageFacts, Images};
use roadstead_domain::lifecycle::policy::{
    Count, LifecycleAction, LifecyclePolicy, LifecycleRule, StorageClass, TagSelection,
};
use roadstead_domain::time::{Span, Timestamp};

const NOW: Timestamp = Timestamp::from_seconds(1_767_225_600);
const GRACE: Span = Span::hours(24);

fn days_ago(days: i64) -> Timestamp {
    NOW - Span::hours(24 * days)
}

fn rule(tags: TagSelection, count: Count, action: LifecycleAction) -> LifecycleRule {
    LifecycleRule {
        priority: 1,
        description: None,
        tags,
        storage_class: match count {
            Count::SinceImageTransitioned(_) => Some(StorageClass::Archive),
            _ => None,
        },
        count,
        action,
    }
}

fn any(count: Count) -> LifecyclePolicy {
    LifecyclePolicy {
        rules: vec![rule(TagSelection::Any, count, LifecycleAction::Expire)],
    }
}

fn facts(name: &str) -> ImageFacts<'_> {
    ImageFacts {
        name,
        tags: &[],
        status: ImageStatus::Active,
        pushed_at: days_ago(10),
        push_seq: 0,
        last_pulled_at: None,
        archived_at: None,
        activated_at: None,
        orphaned_at: None,
        subject: None,
    }
}

fn evaluate(policy: &LifecyclePolicy, all: &[ImageFacts<'_>]) -> Evaluation {
    let mut images = Images::new(policy);
    for (place, facts) in (0..).zip(all) {
        assert_eq!(images.push(facts), place);
    }
    images.evaluate(NOW, GRACE)
}

fn planned_names(evaluation: &Evaluation) -> Vec<&str> {
    evaluation
        .planned()
        .map(|planned| evaluation.name(planned.place))
        .collect()
}

/// lifecycle.md 3.2: clock descending, push sequence descending, name ascending as bytes.
#[test]
fn ties() {
    let image = |name, days, push_seq| ImageFacts {
        pushed_at: days_ago(days),
        push_seq,
        ..facts(name)
    };
    // From the youngest to the oldest.
    let sorted = [
        image("z", 1, 0),
        image("y", 2, 9),
        image("0", 2, 8),
        image("A", 2, 8),
        image("a", 2, 8),
        image("aa", 2, 8),
        image("b", 2, -1),
        image("c", 3, 99),
    ];
    for kept in 1..=sorted.len() {
        let evaluation = evaluate(&any(Count::ImageCountMoreThan(kept as u64)), &sorted);
        let mut expected: Vec<&str> = sorted[kept..].iter().map(|image| image.name).collect();
        expected.reverse();
        assert_eq!(planned_names(&evaluation), expected, "keep {kept}");
    }
}

#[test]
fn a_restored_image_counts_as_young_but_is_listed_by_its_push() {
    let restored = ImageFacts {
        pushed_at: days_ago(300),
        activated_at: Some(days_ago(5)),
        ..facts("restored")
    };
    let all = [
        facts("old"),
        restored,
        ImageFacts {
            pushed_at: days_ago(1),
            ..facts("new")
        },
    ];
    let evaluation = evaluate(&any(Count::ImageCountMoreThan(1)), &all);
    assert_eq!(planned_names(&evaluation), ["restored", "old"]);
    let evaluation = evaluate(&any(Count::ImageCountMoreThan(2)), &all);
    assert_eq!(planned_names(&evaluation), ["old"]);
}

#[test]
fn extremes_of_time_and_numbers() {
    for (count, expiring) in [
        (Count::SinceImagePushed(u64::MAX), 0),
        (Count::SinceImagePushed(i32::MAX as u64), 0),
        (Count::SinceImagePushed(0), 1),
        (Count::ImageCountMoreThan(u64::MAX), 0),
        (Count::ImageCountMoreThan(0), 2),
    ] {
        let all = [
            ImageFacts {
                pushed_at: Timestamp(i64::MAX),
                ..facts("a")
            },
            ImageFacts {
                pushed_at: Timestamp(NOW.0 - 1),
                ..facts("b")
            },
        ];
        assert_eq!(
            evaluate(&any(count), &all).summary().expiring,
            expiring,
            "{count:?}"
        );
    }
    let ancient = ImageFacts {
        pushed_at: Timestamp(i64::MIN),
        ..facts("a")
    };
    let evaluation = evaluate(&any(Count::SinceImagePushed(1)), &[ancient]);
    assert_eq!(evaluation.summary().expiring, 1);
    assert!(
        evaluation
            .why(0)
            .to_string()
            .starts_with("expires by rule 1")
    );
}

/// Sees only what has a tag `ci-…`.
fn only_ci(count: Count) -> LifecyclePolicy {
    let ci = TagSelection::Prefixes(vec!["ci-".into()]);
    LifecyclePolicy {
        rules: vec![rule(ci, count, LifecycleAction::Expire)],
    }
}

/// `a`, without tags, whose subject is gone since then.
fn orphan(since: Timestamp) -> ImageFacts<'static> {
    ImageFacts {
        subject: Some("gone"),
        orphaned_at: Some(since),
        ..facts("a")
    }
}

/// The grace is ours; an orphan is an image that lost its subject longer ago than that. It stays
/// for a tag or a rule of its own.
#[test]
fn orphans() {
    let edge = NOW - GRACE;
    let past = Timestamp(edge.0 - 1);
    let count = Count::ImageCountMoreThan(1);
    let unmatched = Outcome {
        action: None,
        rule: None,
        claimed_by: None,
        reason: Reason::Unmatched,
    };
    let kept_by_rule = Outcome {
        claimed_by: Some(1),
        reason: Reason::WithinCount,
        ..unmatched
    };
    let orphaned = Outcome {
        action: Some(LifecycleAction::Expire),
        reason: Reason::Orphaned,
        ..unmatched
    };
    let tagged = |tags| ImageFacts {
        tags,
        ..orphan(past)
    };
    let never_lost = ImageFacts {
        orphaned_at: None,
        ..orphan(past)
    };
    let no_subject = ImageFacts {
        subject: None,
        ..orphan(past)
    };
    for (image, expected) in [
        (orphan(past), orphaned),
        (orphan(edge), unmatched),
        (never_lost, unmatched),
        (no_subject, unmatched),
        (tagged(&["v1"]), unmatched),
        (tagged(&["ci-1"]), kept_by_rule),
    ] {
        let evaluation = evaluate(&only_ci(count), std::slice::from_ref(&image));
        assert_eq!(evaluation.outcome(0), expected, "{image:?}");
        assert_eq!(evaluation.summary(), Summary::default());
        assert_eq!(evaluation.listed().count(), 0);
        let causes: Vec<Cause> = evaluation.planned().map(|planned| planned.cause).collect();
        let expires = expected.action.is_some();
        assert_eq!(causes, if expires { vec![Cause::Orphan] } else { vec![] });
    }
    // A rule that it belongs to decides alone.
    let evaluation = evaluate(&any(count), &[orphan(past)]);
    assert_eq!(evaluation.outcome(0), kept_by_rule);
    let evaluation = evaluate(&any(Count::SinceImagePushed(9)), &[orphan(past)]);
    assert_eq!(evaluation.outcome(0).reason, Reason::Marked);
}

#[test]
fn orphans_among_others() {
    let policy = only_ci(Count::ImageCountMoreThan(1));
    let orphan = orphan(days_ago(2));
    // Its referrers follow; a subject that is back saves it.
    let referrer = ImageFacts {
        subject: Some("a"),
        ..facts("b")
    };
    let evaluation = evaluate(&policy, &[referrer, orphan.clone()]);
    assert_eq!(planned_names(&evaluation), ["a", "b"]);
    let evaluation = evaluate(&policy, &[facts("gone"), orphan.clone()]);
    assert_eq!(evaluation.outcome(1).reason, Reason::FollowsSubject);
    // Held by an index, or on its way back: neither.
    let mut images = Images::new(&policy);
    images.push(&facts("index"));
    images.list_member(0, "a");
    images.push(&orphan);
    assert_eq!(
        images.evaluate(NOW, GRACE).outcome(1).reason,
        Reason::ListMember
    );
    let restoring = ImageFacts {
        status: ImageStatus::Activating,
        ..orphan
    };
    assert_eq!(
        evaluate(&policy, &[restoring]).outcome(0).reason,
        Reason::NotSelectable
    );
}

/// Everybody in one place: 200,000 images of one instant, then in one list, then with one subject,
/// then as one chain. Whatever is quadratic does not come back from here.
#[test]
fn nothing_is_quadratic() {
    const COUNT: u32 = 200_000;
    let policy = any(Count::ImageCountMoreThan(1));
    let names: Vec<String> = (0..COUNT).map(|n| format!("{n:06}")).collect();
    let crowd = |subject: &dyn Fn(u32) -> Option<&'static str>, chained: bool, listed: bool| {
        let mut images = Images::new(&policy);
        images.push(&ImageFacts {
            pushed_at: NOW,
            ..facts("young")
        });
        images.push(&facts("root"));
        for n in 0..COUNT {
            let before = n.checked_sub(1).map_or("root", |n| &names[n as usize]);
            let subject = if chained { Some(before) } else { subject(n) };
            images.push(&ImageFacts {
                subject,
                pushed_at: days_ago(12),
                ..facts(&names[n as usize])
            });
            if listed {
                images.list_member(1, &names[n as usize]);
            }
        }
        images.evaluate(NOW, GRACE)
    };
    let all = COUNT as usize + 1;
    assert_eq!(crowd(&|_| None, false, false).listed().count(), all);
    assert_eq!(crowd(&|_| None, false, true).planned().count(), 1);
    assert_eq!(
        crowd(&|_| Some("root"), false, false).planned().count(),
        all
    );
    assert_eq!(crowd(&|_| Some("root"), false, true).planned().count(), all);
    let chain = crowd(&|_| None, true, false);
    assert!(
        chain
            .planned()
            .map(|planned| planned.place)
            .eq(1..=COUNT + 1)
    );
    assert_eq!(chain.listed().count(), 1);
}

/// As many entries as a policy text of 30 KB has room for, all of them in one list.
#[test]
fn thousands_of_entries() {
    let entries: Vec<String> = (0..4_000).map(|n| format!("p{n:04}")).collect();
    let policy = |tags| LifecyclePolicy {
        rules: vec![rule(
            tags,
            Count::SinceImagePushed(1),
            LifecycleAction::Expire,
        )],
    };
    let patterns = entries.iter().map(|entry| format!("*{entry}*")).collect();
    let all: Vec<&str> = entries.iter().map(String::as_str).collect();
    for tags in [
        TagSelection::Prefixes(entries.clone()),
        TagSelection::Patterns(patterns),
    ] {
        let mut images = Images::new(&policy(tags));
        for n in 0..100_000 {
            let tag = format!("p{:04}-{n}", n % 4_000);
            images.push(&ImageFacts {
                tags: &[&tag],
                ..facts(&tag)
            });
        }
        let most = images.push(&ImageFacts {
            tags: &all[1..],
            ..facts("most")
        });
        let every = images.push(&ImageFacts {
            tags: &all,
            ..facts("every")
        });
        let evaluation = images.evaluate(NOW, GRACE);
        assert_eq!(evaluation.outcome(most).reason, Reason::Unmatched);
        assert_eq!(evaluation.outcome(every).reason, Reason::Marked);
        assert_eq!(evaluation.summary().expiring, 1);
    }
}
