//! Referrers, and the order of a run: what happens to an image because it happens to its subject.
//!
//! A referrer shares the fate of its subject, transitively, unless a list that stays names it
//! (lifecycle.md 3.5). Each image enters the plan once, so that cycles in bad rows end. It never
//! looks at rules.

use std::collections::HashMap;

use super::evaluate::{Verdict, youngest_first};
use super::images::{Images, Pairs};
use super::outcome::Reason;
use super::policy::LifecycleAction;
use crate::image::ImageStatus;

/// Lets referrers follow their subjects, and puts everything that has an action in order.
pub(super) fn order(images: &Images, holders: &Pairs, verdicts: &mut [Verdict]) -> Vec<u32> {
    let followers = (0..images.len() as u32).filter(|place| follows(verdicts, images, *place));
    let pairs = followers.filter_map(|place| Some((images.subject(place)?, place)));
    let referrers = Pairs::new(pairs);
    let cascades = cascade(images, holders, &referrers, verdicts);
    let acted = (0..images.len() as u32).filter(|place| verdicts[*place as usize].action.is_some());
    let mut order = youngest_first(images, acted, |row| row.pushed_at);
    order.reverse();
    if !cascades.is_empty() {
        causes_first(images, holders, &cascades, &mut order);
    }
    order
}

/// Whether an image may share the fate of its subject.
fn follows(verdicts: &[Verdict], images: &Images, place: u32) -> bool {
    let reason = verdicts[place as usize].reason;
    matches!(reason, Reason::FollowsSubject | Reason::ListMember) && images.subject(place).is_some()
}

/// Marks every referrer that follows. They are returned in an order in which causes come first.
fn cascade(
    images: &Images,
    holders: &Pairs,
    referrers: &Pairs,
    verdicts: &mut [Verdict],
) -> Vec<u32> {
    let mut held = HeldReferrers::new(images, holders, verdicts);
    let acted = (0..images.len() as u32).filter(|place| verdicts[*place as usize].action.is_some());
    let mut reached: Vec<u32> = acted.filter(|it| held.matters(referrers, *it)).collect();
    let causes = reached.len();
    let mut next = 0;
    while let Some(&place) = reached.get(next) {
        next += 1;
        let expires = verdicts[place as usize].action == Some(LifecycleAction::Expire);
        let released = held.release(place, expires);
        for referrer in referrers.of(place).chain(released) {
            if let Some(action) = inherited(images, &held, verdicts, referrer) {
                verdicts[referrer as usize].action = Some(action);
                verdicts[referrer as usize].reason = Reason::Cascade;
                reached.push(referrer);
            }
        }
    }
    reached.split_off(causes)
}

/// What a referrer does next because its subject does: nothing if it did before, is held by a list,
/// or is where its subject goes.
fn inherited(
    images: &Images,
    held: &HeldReferrers,
    verdicts: &[Verdict],
    referrer: u32,
) -> Option<LifecycleAction> {
    let subject = images.subject(referrer)?;
    let action = verdicts[subject as usize].action?;
    let is_new = verdicts[referrer as usize].action.is_none();
    let is_there = action == LifecycleAction::Transition
        && images.row(referrer).status == ImageStatus::Archived;
    (is_new && !is_there && !held.is_held(referrer)).then_some(action)
}

/// Referrers that lists name, until all of these expire.
struct HeldReferrers {
    members: Pairs,
    /// How many of its lists do not expire.
    staying: HashMap<u32, u32>,
}

impl HeldReferrers {
    fn new(images: &Images, holders: &Pairs, verdicts: &[Verdict]) -> Self {
        let held = holders
            .iter()
            .filter(|(member, _)| follows(verdicts, images, *member));
        let members = Pairs::new(held.map(|(member, list)| (list, member)));
        let mut staying = HashMap::new();
        for (_, member) in members.iter() {
            *staying.entry(member).or_default() += 1;
        }
        Self { members, staying }
    }

    fn matters(&self, referrers: &Pairs, place: u32) -> bool {
        referrers.of(place).next().is_some() || self.members.of(place).next().is_some()
    }

    fn is_held(&self, referrer: u32) -> bool {
        self.staying.get(&referrer).is_some_and(|lists| *lists > 0)
    }

    /// Counts down for each member of a list that goes; returns those that no list holds any more.
    fn release(&mut self, list: u32, expires: bool) -> Vec<u32> {
        let members = self.members.of(list).filter(|_| expires);
        let staying = &mut self.staying;
        members
            .filter(|member| {
                staying.get_mut(member).is_some_and(|lists| {
                    *lists = lists.saturating_sub(1);
                    *lists == 0
                })
            })
            .collect()
    }
}

/// Moves referrers behind their subjects and the lists that named them.
fn causes_first(images: &Images, holders: &Pairs, cascades: &[u32], order: &mut [u32]) {
    // (latest cause, steps from there, own turn): whatever has no cause keeps its turn.
    let mut turns = vec![(0, 0, 0); images.len()];
    for (turn, place) in (0u32..).zip(order.iter()) {
        turns[*place as usize] = (turn, 0u32, turn);
    }
    for place in cascades {
        let causes = holders.of(*place).chain(images.subject(*place));
        let (mut latest, mut steps, own) = turns[*place as usize];
        for (cause_latest, cause_steps, _) in causes.map(|cause| turns[cause as usize]) {
            latest = latest.max(cause_latest);
            steps = steps.max(cause_steps + 1);
        }
        turns[*place as usize] = (latest, steps, own);
    }
    order.sort_unstable_by_key(|place| turns[*place as usize]);
}
