//! Whether a planned action still holds for an image as it is now.
//!
//! A run evaluates a snapshot and acts later: this is asked again inside the transaction that acts,
//! so that a push, retag, pull or restore in between wins. It answers from the image and its
//! immediate surroundings alone. Places among other images are not looked at again: the caller sees
//! to it that no competitor left since.

use super::clocks::{Keeps, Rules, is_abandoned};
use super::images::ImageFacts;
use super::outcome::{Cause, Planned};
use super::policy::{LifecycleAction, LifecyclePolicy};
use super::selection::strongest;
use crate::image::ImageStatus;
use crate::time::{Span, Timestamp};

/// Where an image stands among the others of its repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Whether an index in the repository names it.
    pub is_list_member: bool,
    /// The image that it refers to.
    pub subject: Subject,
}

/// The subject of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// It names none.
    None,
    /// Named, but not here.
    Absent,
    /// Here, not in the archive.
    Active,
    /// Here, in the archive.
    Archived,
}

/// A policy prepared for second looks.
#[derive(Debug, Clone)]
pub struct Recheck {
    rules: Rules,
}

impl Recheck {
    /// Compiles a policy.
    pub fn new(policy: &LifecyclePolicy) -> Self {
        Self {
            rules: Rules::new(policy),
        }
    }

    /// Whether `planned` is still to be done at `now` to the image that `image` describes.
    pub fn still_holds(
        &self,
        planned: &Planned,
        image: &ImageFacts<'_>,
        standing: &Standing,
        now: Timestamp,
        orphan_grace: Span,
    ) -> bool {
        let is_movable = match planned.action {
            LifecycleAction::Expire => image.status != ImageStatus::Activating,
            LifecycleAction::Transition => image.status == ImageStatus::Active,
        };
        if standing.is_list_member || !is_movable {
            return false;
        }
        match planned.cause {
            Cause::Rule(priority) => {
                matches!(standing.subject, Subject::None | Subject::Absent)
                    && self.rule_holds(priority, planned, image, now)
            }
            Cause::Subject(_) => match planned.action {
                LifecycleAction::Expire => standing.subject == Subject::Absent,
                LifecycleAction::Transition => standing.subject == Subject::Archived,
            },
            Cause::Orphan => {
                let is_abandoned = |since| is_abandoned(since, orphan_grace, now);
                standing.subject == Subject::Absent
                    && image.orphaned_at.is_some_and(is_abandoned)
                    && image.tags.is_empty()
                    && image.matched(&self.rules) == 0
            }
        }
    }

    fn rule_holds(
        &self,
        priority: i32,
        planned: &Planned,
        image: &ImageFacts<'_>,
        now: Timestamp,
    ) -> bool {
        let owner = strongest(image.matched(&self.rules)).map(|owner| &self.rules.list[owner]);
        owner.is_some_and(|owner| {
            let clocks = image.clocks();
            let acts = match owner.keeps {
                Keeps::Youngest(_) => clocks.push <= planned.push_clock,
                Keeps::Days(..) => owner.is_outlived(&clocks, now),
            };
            acts && owner.priority == priority && owner.action == planned.action
        })
    }
}
