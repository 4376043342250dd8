//! One evaluation of a policy over the images of a repository (lifecycle.md 3.3).
//!
//! Every rule ranks all the images that it sees; an image belongs to the strongest of them, and that
//! one alone may act upon it. Images that an index names are out of it (decisions 18), and so are
//! referrers, which share the fate of their subjects (`plan.rs`). The cost is linear in images and
//! rules but for one sort by push clock, which all count rules share.

use super::clocks::{Keeps, is_abandoned};
use super::images::{Images, Pairs, Row};
pub use super::outcome::{Blocked, Cause, Outcome, Planned, Reason, RuleStats, Summary};
use super::plan;
use super::policy::{LifecycleAction, StorageClass};
use super::selection::{RuleSet, bits, strongest};
use crate::image::ImageStatus;
use crate::time::{Span, Timestamp};

/// What was decided for one image.
#[derive(Debug, Clone, Copy)]
pub(super) struct Verdict {
    pub reason: Reason,
    pub action: Option<LifecycleAction>,
    /// Among the images that a count rule, the owner, sees: the youngest is 1. Else 0.
    pub rank: u32,
}

impl Verdict {
    /// Neither referrer nor member nor on its way back: rules may act upon it.
    pub(super) fn is_free(&self) -> bool {
        !matches!(
            self.reason,
            Reason::NotSelectable | Reason::ListMember | Reason::FollowsSubject | Reason::Cascade
        )
    }
}

/// What a policy does to the images of a repository at one instant, and why.
#[derive(Debug)]
pub struct Evaluation {
    pub(super) images: Images,
    pub(super) now: Timestamp,
    pub(super) orphan_grace: Span,
    /// Which lists hold which images.
    pub(super) holders: Pairs,
    pub(super) verdicts: Vec<Verdict>,
    /// Everything to do, in order.
    plan: Vec<u32>,
    /// The strongest rule first.
    pub(super) stats: Vec<RuleStats>,
    summary: Summary,
}

impl Evaluation {
    pub(super) fn new(mut images: Images, now: Timestamp, orphan_grace: Span) -> Self {
        let holders = images.memberships();
        let verdicts = standings(&images, &holders);
        let rules = images.rules.list.iter().map(|rule| RuleStats {
            priority: rule.priority,
            matched: 0,
            owned: 0,
            acted: 0,
        });
        let mut evaluation = Self {
            stats: rules.collect(),
            images,
            now,
            orphan_grace,
            holders,
            verdicts,
            plan: Vec::new(),
            summary: Summary::default(),
        };
        evaluation.rank();
        evaluation.decide();
        evaluation.plan = plan::order(
            &evaluation.images,
            &evaluation.holders,
            &mut evaluation.verdicts,
        );
        evaluation
    }

    /// Gives every image its place among those that its owner, if that is a count rule, sees.
    fn rank(&mut self) {
        let counts = self.count_rules();
        let competes = |place: &u32| {
            self.verdicts[*place as usize].is_free()
                && self.images.row(*place).matched & counts != 0
        };
        let places = (0..self.images.len() as u32).filter(competes);
        let mut seen = [0; RuleSet::BITS as usize];
        for place in youngest_first(&self.images, places, |row| row.clocks.push) {
            let matched = self.images.row(place).matched;
            for rule in bits(matched & counts) {
                seen[rule] += 1;
            }
            if let Some(owner) = strongest(matched).filter(|owner| counts >> owner & 1 == 1) {
                self.verdicts[place as usize].rank = seen[owner];
            }
        }
    }

    fn count_rules(&self) -> RuleSet {
        let rules = self.images.rules.list.iter().enumerate();
        rules
            .filter(|(_, rule)| matches!(rule.keeps, Keeps::Youngest(_)))
            .fold(0, |set, (at, _)| set | 1 << at)
    }

    /// Lets the owner of each free image act or keep it; then expires orphans without tags that
    /// belong to nobody.
    fn decide(&mut self) {
        for (place, verdict) in (0..).zip(&mut self.verdicts) {
            let row = self.images.row(place);
            if !verdict.is_free() {
                continue;
            }
            for rule in bits(row.matched) {
                self.stats[rule].matched += 1;
            }
            if let Some(owner) = strongest(row.matched) {
                let stats = &mut self.stats[owner];
                let rule = &self.images.rules.list[owner];
                let (acts, kept) = match rule.keeps {
                    Keeps::Youngest(count) => {
                        (u64::from(verdict.rank) > count, Reason::WithinCount)
                    }
                    Keeps::Days(..) => (
                        rule.is_outlived(&row.clocks, self.now),
                        Reason::NotOldEnough,
                    ),
                };
                stats.owned += 1;
                if acts {
                    stats.acted += 1;
                    self.summary.count(rule.action);
                    verdict.action = Some(rule.action);
                }
                verdict.reason = if acts { Reason::Marked } else { kept };
            } else if is_orphan(row, self.now, self.orphan_grace)
                && self.images.tags(place).next().is_none()
            {
                verdict.action = Some(LifecycleAction::Expire);
                verdict.reason = Reason::Orphaned;
            }
        }
    }

    /// How many images there are.
    pub fn len(&self) -> usize {
        self.images.len()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.images.is_empty()
    }

    /// The name of an image. A place from another repository may panic, here and below.
    pub fn name(&self, place: u32) -> &str {
        self.images.name(place)
    }

    /// The tags of an image, as they were given.
    pub fn tags(&self, place: u32) -> impl Iterator<Item = &str> {
        self.images.tags(place)
    }

    /// When an image was first pushed.
    pub fn pushed_at(&self, place: u32) -> Timestamp {
        self.images.row(place).pushed_at
    }

    /// The storage class of an image now; while it is being restored, still the archive.
    pub fn class(&self, place: u32) -> StorageClass {
        self.images.class(place)
    }

    /// The image with this name.
    pub fn find(&self, name: &str) -> Option<u32> {
        self.images.find(name)
    }

    /// The instant of the evaluation.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// What happens to an image.
    pub fn outcome(&self, place: u32) -> Outcome {
        let verdict = self.verdicts[place as usize];
        let owner = self.owner(place).map(|owner| self.stats[owner].priority);
        Outcome {
            action: verdict.action,
            rule: owner.filter(|_| verdict.reason == Reason::Marked),
            claimed_by: owner,
            reason: verdict.reason,
        }
    }

    /// The rule that a free image belongs to.
    pub(super) fn owner(&self, place: u32) -> Option<usize> {
        let is_free = self.verdicts[place as usize].is_free();
        strongest(self.images.row(place).matched).filter(|_| is_free)
    }

    /// What previews count: what rules do, without referrers and orphans.
    pub fn summary(&self) -> Summary {
        self.summary
    }

    /// What previews list: what rules do, oldest push first.
    pub fn listed(&self) -> impl Iterator<Item = Planned> {
        self.planned()
            .filter(|planned| matches!(planned.cause, Cause::Rule(_)))
    }

    /// Everything that a run does, in the order in which to do it: oldest push first, but a referrer
    /// after its subject and a member after its lists.
    pub fn planned(&self) -> impl Iterator<Item = Planned> {
        self.plan.iter().filter_map(|place| self.planned_at(*place))
    }

    fn planned_at(&self, place: u32) -> Option<Planned> {
        let outcome = self.outcome(place);
        let cause = match (outcome.rule, outcome.reason) {
            (Some(priority), _) => Cause::Rule(priority),
            (None, Reason::Cascade) => Cause::Subject(self.images.subject(place)?),
            (None, _) => Cause::Orphan,
        };
        Some(Planned {
            place,
            action: outcome.action?,
            cause,
            push_clock: self.images.row(place).clocks.push,
        })
    }

    /// Images that an age rule would have acted upon if no index named them, oldest push first: the
    /// failures that ECR reports as `ImageReferencedByManifestList`.
    pub fn blocked(&self) -> impl Iterator<Item = Blocked> {
        let members = (0..self.len() as u32).filter(|place| self.blocking_rule(*place).is_some());
        let mut members = youngest_first(&self.images, members, |row| row.pushed_at);
        members.reverse();
        members.into_iter().filter_map(|place| {
            let rule = self.images.rules.list[self.blocking_rule(place)?];
            Some(Blocked {
                place,
                rule: rule.priority,
                action: rule.action,
                lists: self.lists(place),
            })
        })
    }

    /// The age rule that would have acted upon a member of a list.
    pub(super) fn blocking_rule(&self, place: u32) -> Option<usize> {
        let row = self.images.row(place);
        let verdict = &self.verdicts[place as usize];
        if verdict.reason != Reason::ListMember || self.images.subject(place).is_some() {
            return None;
        }
        strongest(row.matched)
            .filter(|rule| self.images.rules.list[*rule].is_outlived(&row.clocks, self.now))
    }

    /// The lists that hold an image, by name.
    pub(super) fn lists(&self, place: u32) -> Vec<u32> {
        let mut lists: Vec<u32> = self.holders.of(place).collect();
        lists.sort_unstable_by_key(|list| self.name(*list));
        lists
    }

    /// What became of each rule, the strongest first.
    pub fn rules(&self) -> Vec<RuleStats> {
        self.stats.clone()
    }
}

impl Summary {
    fn count(&mut self, action: LifecycleAction) {
        match action {
            LifecycleAction::Expire => self.expiring += 1,
            LifecycleAction::Transition => self.transitioning += 1,
        }
    }
}

/// Which images rules may act upon: those that are still `Unmatched`.
fn standings(images: &Images, holders: &Pairs) -> Vec<Verdict> {
    let standing = |place: u32| match images.row(place).status {
        ImageStatus::Activating => Reason::NotSelectable,
        ImageStatus::Active | ImageStatus::Archived if images.subject(place).is_some() => {
            Reason::FollowsSubject
        }
        ImageStatus::Active | ImageStatus::Archived => Reason::Unmatched,
    };
    let verdict = |reason| Verdict {
        reason,
        action: None,
        rank: 0,
    };
    let mut verdicts: Vec<Verdict> = (0..images.len() as u32)
        .map(standing)
        .map(verdict)
        .collect();
    for (member, _) in holders.iter() {
        let reason = &mut verdicts[member as usize].reason;
        if *reason != Reason::NotSelectable {
            *reason = Reason::ListMember;
        }
    }
    verdicts
}

fn is_orphan(row: &Row, now: Timestamp, grace: Span) -> bool {
    let names_a_subject = row.subject != super::images::NONE;
    let since = row.orphaned_at.filter(|_| names_a_subject);
    since.is_some_and(|since| is_abandoned(since, grace, now))
}

/// The total order of images (lifecycle.md 3.2): clock and push sequence descending, then name
/// ascending as bytes.
pub(super) fn youngest_first(
    images: &Images,
    places: impl Iterator<Item = u32>,
    clock: impl Fn(&Row) -> Timestamp,
) -> Vec<u32> {
    let key = |place: u32| {
        let row = images.row(place);
        (clock(row), row.push_seq, place)
    };
    let mut keys: Vec<_> = places.map(key).collect();
    keys.sort_unstable_by(|a, b| {
        let by_name = || images.name(a.2).cmp(images.name(b.2));
        (b.0, b.1).cmp(&(a.0, a.1)).then_with(by_name)
    });
    keys.into_iter().map(|key| key.2).collect()
}
