//! Why an image has its outcome: the numbers behind it, and one sentence that says so.
//!
//! For operators: `lifecycle explain` and the records of runs. It reads an [`Evaluation`] and decides
//! nothing.

use std::fmt;

use super::clocks::{Clock, Keeps, days_after, reading};
use super::evaluate::Evaluation;
use super::outcome::Reason;
use super::policy::{LifecycleAction, StorageClass};
use crate::time::{Span, Timestamp};

/// The numbers behind an outcome. Its `Display` is a sentence without its subject and full stop:
/// "expires by rule 1: …".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why<'a> {
    /// It belongs to a rule that counts.
    Counted {
        /// The rule's priority.
        rule: i32,
        /// What the rule does to images beyond the count.
        action: LifecycleAction,
        /// Its place among the images that the rule sees: the youngest has 1.
        rank: u64,
        /// How many images the rule sees.
        of: u64,
        /// How many of them the rule keeps.
        kept: u64,
    },
    /// It belongs to a rule that looks at ages.
    Aged {
        /// The rule's priority.
        rule: i32,
        /// What the rule does to images that are old enough.
        action: LifecycleAction,
        /// What the age counts from.
        since: Since,
        /// The instant from which the age counts; none only for an archived image of which nobody
        /// knows since when: it never gets old.
        clock: Option<Timestamp>,
        /// The age that the rule grants.
        days: u64,
        /// The last instant at which the rule keeps it; none if that is beyond all instants.
        until: Option<Timestamp>,
        /// Whether that instant is past.
        acts: bool,
    },
    /// No rule sees it.
    Unmatched {
        /// Rules see images of one class only.
        class: StorageClass,
        /// How many tags it has.
        tags: usize,
    },
    /// Indexes hold it.
    Held {
        /// Their names, in order.
        lists: Vec<&'a str>,
        /// The age rule that would act if they did not, and what it would do.
        blocked: Option<(i32, LifecycleAction)>,
    },
    /// It shares the fate of its subject.
    Cascade {
        /// The subject's name.
        subject: &'a str,
        /// The fate.
        action: LifecycleAction,
    },
    /// Its subject stays, and so does it.
    FollowsSubject {
        /// The subject's name.
        subject: &'a str,
    },
    /// It is being restored.
    Activating,
    /// Its subject is gone.
    Orphaned {
        /// The subject's name.
        subject: &'a str,
        /// Since when.
        since: Timestamp,
        /// How long it was waited for.
        grace: Span,
    },
}

/// What the age of an image counts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// Its push.
    Pushed,
    /// Its last pull.
    Pulled,
    /// Its push, for it was never pulled.
    PushedNeverPulled,
    /// Its return from the archive.
    Restored,
    /// Its move to the archive.
    Archived,
}

impl Evaluation {
    /// Why an image has its outcome.
    pub fn why(&self, place: u32) -> Why<'_> {
        let verdict = self.verdicts[place as usize];
        let row = self.images.row(place);
        let subject = self.images.names.get(row.subject);
        match (verdict.reason, verdict.action) {
            (Reason::NotSelectable, _) => Why::Activating,
            (Reason::ListMember, _) => self.why_held(place),
            (Reason::Cascade, Some(action)) => Why::Cascade { subject, action },
            (Reason::FollowsSubject | Reason::Cascade, _) => Why::FollowsSubject { subject },
            (Reason::Orphaned, _) => Why::Orphaned {
                subject,
                since: row.orphaned_at.unwrap_or(self.now),
                grace: self.orphan_grace,
            },
            (
                Reason::Marked | Reason::WithinCount | Reason::NotOldEnough | Reason::Unmatched,
                _,
            ) => self.why_owned(place),
        }
    }

    fn why_held(&self, place: u32) -> Why<'_> {
        let lists = self.lists(place).into_iter().map(|list| self.name(list));
        let rule = self.blocking_rule(place);
        let rule = rule.map(|rule| self.images.rules.list[rule]);
        Why::Held {
            lists: lists.collect(),
            blocked: rule.map(|rule| (rule.priority, rule.action)),
        }
    }

    fn why_owned(&self, place: u32) -> Why<'_> {
        let Some(owner) = self.owner(place) else {
            return Why::Unmatched {
                class: self.class(place),
                tags: self.tags(place).count(),
            };
        };
        let rule = self.images.rules.list[owner];
        match rule.keeps {
            Keeps::Youngest(kept) => Why::Counted {
                rule: rule.priority,
                action: rule.action,
                rank: u64::from(self.verdicts[place as usize].rank),
                of: self.stats[owner].matched,
                kept,
            },
            Keeps::Days(clock, days) => {
                let clocks = &self.images.row(place).clocks;
                let at = reading(clock, clocks);
                Why::Aged {
                    rule: rule.priority,
                    action: rule.action,
                    since: self.since(place, clock),
                    clock: at,
                    days,
                    until: at.and_then(|at| days_after(at, days)),
                    acts: rule.is_outlived(clocks, self.now),
                }
            }
        }
    }

    fn since(&self, place: u32, clock: Clock) -> Since {
        let row = self.images.row(place);
        let is_restored = row.clocks.push != row.pushed_at;
        match clock {
            Clock::Archive => Since::Archived,
            Clock::Pull if row.clocks.pull != row.clocks.push => Since::Pulled,
            Clock::Pull | Clock::Push if is_restored => Since::Restored,
            Clock::Pull => Since::PushedNeverPulled,
            Clock::Push => Since::Pushed,
        }
    }
}

impl fmt::Display for Why<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Counted {
                rule,
                action,
                rank,
                of,
                kept,
            } => {
                let verb = if rank > kept {
                    does(*action)
                } else {
                    "is kept"
                };
                write!(
                    f,
                    "{verb} by rule {rule}: number {rank} of the {of} images that the rule counts, \
                     youngest first, of which it keeps {kept}"
                )
            }
            Self::Aged { .. } => self.fmt_aged(f),
            Self::Unmatched { class, tags } => {
                let class = match class {
                    StorageClass::Standard => "standard storage",
                    StorageClass::Archive => "the archive",
                };
                let tags = if *tags == 0 {
                    "untagged images"
                } else {
                    "these tags"
                };
                write!(f, "is kept: no rule selects {tags} in {class}")
            }
            Self::Held { lists, blocked } => {
                match blocked {
                    Some((rule, action)) => {
                        let would = match action {
                            LifecycleAction::Expire => "expire it",
                            LifecycleAction::Transition => "move it to the archive",
                        };
                        write!(f, "is kept although its age would make rule {rule} {would}")?;
                    }
                    None => f.write_str("is kept")?,
                }
                write!(f, ": a member of {}", lists.join(", "))
            }
            Self::Cascade { subject, action } => {
                write!(f, "{} together with its subject {subject}", does(*action))
            }
            Self::FollowsSubject { subject } => {
                write!(f, "is kept: it refers to {subject}, which stays as it is")
            }
            Self::Activating => f.write_str("is kept: it is being restored from the archive"),
            Self::Orphaned {
                subject,
                since,
                grace,
            } => {
                let hours = grace.0 / Span::hours(1).0;
                let since = since.rfc3339();
                write!(
                    f,
                    "expires: its subject {subject} is gone since {since}, for more than {hours} h"
                )
            }
        }
    }
}

impl Why<'_> {
    fn fmt_aged(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Aged {
            rule,
            action,
            since,
            clock,
            days,
            until,
            acts,
        } = self
        else {
            return Ok(());
        };
        let since = match since {
            Since::Pushed => "pushed",
            Since::Pulled => "last pulled",
            Since::PushedNeverPulled => "never pulled, pushed",
            Since::Restored => "restored",
            Since::Archived => "archived",
        };
        let verb = if *acts { does(*action) } else { "is kept" };
        write!(f, "{verb} by rule {rule}: ")?;
        match clock {
            Some(clock) => write!(f, "{since} {}", clock.rfc3339())?,
            None => write!(f, "nobody knows since when it is {since}")?,
        }
        if *acts {
            return write!(f, ", more than {days} days ago");
        }
        match until {
            Some(until) => write!(f, "; it {} after {}", does(*action), until.rfc3339()),
            None => write!(f, "; the rule grants {days} days"),
        }
    }
}

fn does(action: LifecycleAction) -> &'static str {
    match action {
        LifecycleAction::Expire => "expires",
        LifecycleAction::Transition => "moves to the archive",
    }
}
