//! Second looks: what still holds for an image that changed since it was planned.

use roadstead_domain::image::ImageStatus;
use roadstead_domain::lifecycle::evaluate::{Cause, Planned};
use roadstead_domain::lifecycle::images::ImageFacts;
use roadstead_domain::lifecycle::policy::{
    Count, LifecycleAction, LifecyclePolicy, LifecycleRule, TagSelection,
};
use roadstead_domain::lifecycle::recheck::{Recheck, Standing, Subject};
use roadstead_domain::time::Timestamp;

use crate::{GRACE, NOW, any, days_ago, facts, only_ci, rule};

const FREE: Standing = Standing {
    is_list_member: false,
    subject: Subject::None,
};

fn plan(cause: Cause, action: LifecycleAction) -> Planned {
    Planned {
        place: 0,
        action,
        cause,
        push_clock: days_ago(10),
    }
}

#[test]
fn second_looks_at_rules() {
    let family = TagSelection::Prefixes(vec!["ci-".into()]);
    let keep = TagSelection::Patterns(vec!["keep".into()]);
    let (expire, transition) = (LifecycleAction::Expire, LifecycleAction::Transition);
    let shield = rule(keep, Count::SinceImagePushed(1_000), expire);
    let counts = rule(family.clone(), Count::ImageCountMoreThan(1), expire);
    let pushed = rule(family.clone(), Count::SinceImagePushed(9), expire);
    let pulled = rule(family, Count::SinceImagePulled(9), transition);
    let ci = ImageFacts {
        tags: &["ci-1"],
        ..facts("a")
    };
    let at = |days, image: &ImageFacts<'static>| ImageFacts {
        pushed_at: days_ago(days),
        ..image.clone()
    };
    let with = |tags: &'static [&'static str]| ImageFacts { tags, ..facts("a") };
    let is = |status| ImageFacts {
        status,
        ..ci.clone()
    };
    let restored = ImageFacts {
        activated_at: Some(days_ago(1)),
        ..ci.clone()
    };
    let pulled_since = ImageFacts {
        last_pulled_at: Some(days_ago(1)),
        ..ci.clone()
    };
    // (image now, holds for: count rule, push rule, pull rule)
    for (image, expected) in [
        (ci.clone(), [true, true, true]),
        (at(11, &ci), [true, true, true]),
        // Pushed again: younger than when it was planned.
        (at(9, &ci), [false, false, false]),
        (restored, [false, false, false]),
        (pulled_since, [true, true, false]),
        (with(&["ci-1", "keep"]), [false, false, false]),
        (with(&["other"]), [false, false, false]),
        (with(&[]), [false, false, false]),
        (is(ImageStatus::Activating), [false, false, false]),
        (is(ImageStatus::Archived), [false, false, false]),
    ] {
        for (acting, expected) in [&counts, &pushed, &pulled].into_iter().zip(expected) {
            check(&image, acting, &shield, expected);
        }
    }
}

/// Whether what `acting`, the second rule after `shield`, planned still holds, and that it does so
/// only where the image stands free.
fn check(image: &ImageFacts<'_>, acting: &LifecycleRule, shield: &LifecycleRule, expected: bool) {
    let mut second = acting.clone();
    second.priority = 2;
    let recheck = Recheck::new(&LifecyclePolicy {
        rules: vec![second, shield.clone()],
    });
    let holds = |planned: Planned, standing: Standing| {
        recheck.still_holds(&planned, image, &standing, NOW, GRACE)
    };
    let planned = plan(Cause::Rule(2), acting.action);
    let count = acting.count;
    assert_eq!(holds(planned, FREE), expected, "{count:?}\n{image:?}");
    for (subject, is_list_member, may) in [
        (Subject::Absent, false, true),
        (Subject::Active, false, false),
        (Subject::Archived, false, false),
        (Subject::None, true, false),
    ] {
        let standing = Standing {
            is_list_member,
            subject,
        };
        assert_eq!(holds(planned, standing), expected && may, "{standing:?}");
    }
    // Another rule, or the same number with another action.
    assert!(!holds(plan(Cause::Rule(1), acting.action), FREE));
    let other = match acting.action {
        LifecycleAction::Expire => LifecycleAction::Transition,
        LifecycleAction::Transition => LifecycleAction::Expire,
    };
    assert!(!holds(plan(Cause::Rule(2), other), FREE));
}

#[test]
fn second_looks_at_referrers_and_orphans() {
    let (expire, transition) = (LifecycleAction::Expire, LifecycleAction::Transition);
    // Of the images below it sees those that have the tag, and no other.
    let recheck = Recheck::new(&only_ci(Count::SinceImagePushed(1_000)));
    let past = Some(Timestamp((NOW - GRACE).0 - 1));
    let image = |status, orphaned_at| ImageFacts {
        status,
        orphaned_at,
        ..facts("a")
    };
    let active = image(ImageStatus::Active, past);
    let archived = image(ImageStatus::Archived, past);
    let restoring = image(ImageStatus::Activating, past);
    let fresh = image(ImageStatus::Active, Some(NOW - GRACE));
    let never = image(ImageStatus::Active, None);
    let tagged = |tags| ImageFacts {
        tags,
        ..active.clone()
    };
    let (other_tag, owned) = (tagged(&["v1"]), tagged(&["ci-1"]));
    let (subject, orphan) = (Cause::Subject(7), Cause::Orphan);
    // (planned, image, holds with a subject: none, absent, active, archived)
    for (cause, action, image, expected) in [
        (subject, expire, &active, [false, true, false, false]),
        (subject, expire, &archived, [false, true, false, false]),
        (subject, expire, &restoring, [false; 4]),
        (subject, transition, &active, [false, false, false, true]),
        (subject, expire, &owned, [false, true, false, false]),
        (subject, transition, &archived, [false; 4]),
        (orphan, expire, &active, [false, true, false, false]),
        (orphan, expire, &archived, [false, true, false, false]),
        (orphan, expire, &restoring, [false; 4]),
        (orphan, expire, &fresh, [false; 4]),
        (orphan, expire, &never, [false; 4]),
        (orphan, expire, &other_tag, [false; 4]),
        (orphan, expire, &owned, [false; 4]),
    ] {
        let subjects = [
            Subject::None,
            Subject::Absent,
            Subject::Active,
            Subject::Archived,
        ];
        for (subject, expected) in subjects.into_iter().zip(expected) {
            for is_list_member in [false, true] {
                let standing = Standing {
                    is_list_member,
                    subject,
                };
                let planned = plan(cause, action);
                assert_eq!(
                    recheck.still_holds(&planned, image, &standing, NOW, GRACE),
                    expected && !is_list_member,
                    "{planned:?}\n{image:?}\n{standing:?}"
                );
            }
        }
    }
    // One without tags that a rule sees by now.
    let recheck = Recheck::new(&any(Count::SinceImagePushed(1_000)));
    let standing = Standing {
        subject: Subject::Absent,
        ..FREE
    };
    let planned = plan(orphan, expire);
    assert!(!recheck.still_holds(&planned, &active, &standing, NOW, GRACE));
}
