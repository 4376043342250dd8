//! What an evaluation says: the vocabulary of previews, runs, explanations and test cases.
//!
//! Plain values; the words of [`Reason`] are those of the test cases (lifecycle.md 0). Nothing here
//! decides anything.

use super::policy::LifecycleAction;
use crate::time::Timestamp;

/// What happens to an image, and by which rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// What is done to it, if anything.
    pub action: Option<LifecycleAction>,
    /// `appliedRulePriority`: the rule that does it. Referrers and orphans have none.
    pub rule: Option<i32>,
    /// The rule that the image belongs to, acting or not: no weaker rule may act upon it.
    pub claimed_by: Option<i32>,
    /// Why.
    pub reason: Reason,
}

/// Why an image has its outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Its rule acts upon it.
    Marked,
    /// Its rule keeps it as one of the youngest.
    WithinCount,
    /// Its rule keeps it because of its age.
    NotOldEnough,
    /// No rule sees it.
    Unmatched,
    /// It shares the fate of its subject.
    Cascade,
    /// Its subject is here and stays as it is.
    FollowsSubject,
    /// It is being restored.
    NotSelectable,
    /// An index names it.
    ListMember,
    /// It has no tag and belongs to no rule, and its subject has been gone for longer than the
    /// grace: ours, not ECR's.
    Orphaned,
}

impl Reason {
    /// The word for it in test cases.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Marked => "marked",
            Self::WithinCount => "within_count",
            Self::NotOldEnough => "not_old_enough",
            Self::Unmatched => "unmatched",
            Self::Cascade => "cascade",
            Self::FollowsSubject => "follows_subject",
            Self::NotSelectable => "not_selectable",
            Self::ListMember => "list_member",
            Self::Orphaned => "orphaned",
        }
    }
}

/// What previews count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Images that rules expire.
    pub expiring: u64,
    /// Images that rules move to the archive.
    pub transitioning: u64,
}

/// Something to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Planned {
    /// The image.
    pub place: u32,
    /// What to do to it.
    pub action: LifecycleAction,
    /// Why.
    pub cause: Cause,
    /// Its push clock: a count rule acts later only if that did not advance.
    pub push_clock: Timestamp,
}

/// Why something is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The rule with this priority.
    Rule(i32),
    /// The image at this place, its subject, has the same fate.
    Subject(u32),
    /// Its subject is gone, and neither tag nor rule keeps it.
    Orphan,
}

/// An age rule would have acted upon an image that indexes hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocked {
    /// The image.
    pub place: u32,
    /// The priority of the rule.
    pub rule: i32,
    /// What it would have done.
    pub action: LifecycleAction,
    /// The places of the indexes, ordered by name.
    pub lists: Vec<u32>,
}

/// What became of one rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuleStats {
    /// Its priority.
    pub priority: i32,
    /// Images that it sees, whoever they belong to.
    pub matched: u64,
    /// Images that belong to it.
    pub owned: u64,
    /// Images that it acts upon.
    pub acted: u64,
}
