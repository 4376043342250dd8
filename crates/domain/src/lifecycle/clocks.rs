//! The clocks of an image and what a compiled rule asks of them (lifecycle.md 3.2).
//!
//! Shared by the evaluation and by the check before each action, so that both mean the same. All
//! instants are microseconds since the epoch. It never looks at tags or other images.

use super::policy::{Count, LifecycleAction, LifecyclePolicy, LifecycleRule, StorageClass};
use super::selection::Selections;
use crate::image::ImageStatus;
use crate::time::{Span, Timestamp};

/// Rules of one policy that the engine regards; a parsed policy has at most 50 (ECR service quotas).
const RULES_MAX: usize = 64;
const DAY: i128 = 86_400_000_000;

/// Where an image stands on each clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Clocks {
    /// Of `imageCountMoreThan` and `sinceImagePushed`: a restored image is as if newly pushed.
    pub push: Timestamp,
    /// Of `sinceImagePulled`: its last sign of life.
    pub pull: Timestamp,
    /// Of `sinceImageTransitioned`.
    pub archive: Option<Timestamp>,
}

impl Clocks {
    pub(super) fn new(
        pushed: Timestamp,
        pulled: Option<Timestamp>,
        activated: Option<Timestamp>,
        archived: Option<Timestamp>,
    ) -> Self {
        let push = activated.unwrap_or(pushed);
        Self {
            push,
            // A pull from before the push or the restore says nothing.
            pull: push.max(pulled.unwrap_or(push)),
            archive: archived,
        }
    }
}

/// A clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clock {
    Push,
    Pull,
    Archive,
}

/// What a rule leaves alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keeps {
    /// The youngest so many.
    Youngest(u64),
    /// Those whose clock is at most so many days old.
    Days(Clock, u64),
}

/// A rule without its selection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rule {
    pub priority: i32,
    pub action: LifecycleAction,
    pub keeps: Keeps,
}

impl Rule {
    fn new(rule: &LifecycleRule) -> Self {
        Self {
            priority: rule.priority,
            action: rule.action,
            keeps: match rule.count {
                Count::ImageCountMoreThan(count) => Keeps::Youngest(count),
                Count::SinceImagePushed(days) => Keeps::Days(Clock::Push, days),
                Count::SinceImagePulled(days) => Keeps::Days(Clock::Pull, days),
                Count::SinceImageTransitioned(days) => Keeps::Days(Clock::Archive, days),
            },
        }
    }

    /// Whether this is an age rule that acts at `now` upon an image with these clocks.
    pub(super) fn is_outlived(&self, clocks: &Clocks, now: Timestamp) -> bool {
        let (clock, days) = match self.keeps {
            Keeps::Youngest(_) => return false,
            Keeps::Days(clock, days) => (clock, days),
        };
        // An archived image that nobody knows the age of is as if just archived.
        reading(clock, clocks)
            .is_some_and(|at| i128::from(now.0) - i128::from(at.0) > i128::from(days) * DAY)
    }
}

/// Where the image stands on one clock.
pub(super) fn reading(clock: Clock, clocks: &Clocks) -> Option<Timestamp> {
    match clock {
        Clock::Push => Some(clocks.push),
        Clock::Pull => Some(clocks.pull),
        Clock::Archive => clocks.archive,
    }
}

/// `days` after `at`, if there is such an instant.
pub(super) fn days_after(at: Timestamp, days: u64) -> Option<Timestamp> {
    let micros = i128::from(at.0) + i128::from(days) * DAY;
    i64::try_from(micros).ok().map(Timestamp)
}

/// Whether an image that lost its subject at `since` has waited for longer than `grace`.
pub(super) fn is_abandoned(since: Timestamp, grace: Span, now: Timestamp) -> bool {
    since + grace < now
}

/// The class whose rules see an image with this status; none while it is being restored.
pub(super) fn selectable(status: ImageStatus) -> Option<StorageClass> {
    match status {
        ImageStatus::Active => Some(StorageClass::Standard),
        ImageStatus::Archived => Some(StorageClass::Archive),
        ImageStatus::Activating => None,
    }
}

/// A policy prepared for evaluation: the strongest rule first.
#[derive(Debug, Clone)]
pub(super) struct Rules {
    pub list: Vec<Rule>,
    pub selections: Selections,
}

impl Rules {
    pub(super) fn new(policy: &LifecyclePolicy) -> Self {
        let mut rules: Vec<&LifecycleRule> = policy.rules.iter().collect();
        rules.sort_by_key(|rule| rule.priority);
        rules.truncate(RULES_MAX);
        Self {
            list: rules.iter().map(|rule| Rule::new(rule)).collect(),
            selections: Selections::new(&rules),
        }
    }
}
