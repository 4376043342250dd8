//! Time windows and pages of GetContainerLog.
//!
//! Events are listed oldest first, merged over the nodes. A page token is the position of the last
//! event that was read, so that a page costs the same wherever it lies.

use std::fmt;

use super::limits::{LOG_PAGE_EVENTS_MAX, LOG_RETENTION_DAYS};
use super::log_filter::LogFilter;
use super::refusal::Refusal;
use crate::time::{Span, Timestamp};

/// Before this instant log lines are no longer kept.
pub fn log_kept_since(now: Timestamp) -> Timestamp {
    now - Span::hours(24 * LOG_RETENTION_DAYS)
}

/// The interval that is asked for, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogWindow {
    /// The first instant.
    pub start: Timestamp,
    /// The last instant.
    pub end: Timestamp,
}

impl LogWindow {
    /// Checks an interval. Without a start it begins where the retained lines begin, and never
    /// before that; without an end it ends now.
    pub fn check(
        start: Option<Timestamp>,
        end: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        if let (Some(start), Some(end)) = (start, end)
            && start > end
        {
            return Err(Refusal::Interval);
        }
        let kept_since = log_kept_since(now);
        Ok(Self {
            start: start.unwrap_or(kept_since).max(kept_since),
            end: end.unwrap_or(now),
        })
    }

    /// Whether an event of this instant lies inside.
    pub fn contains(&self, at: Timestamp) -> bool {
        self.start <= at && at <= self.end
    }
}

/// One line of a container's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEvent {
    /// When it was written.
    pub created_at: Timestamp,
    /// Grows with each line of the service; tells lines of one instant apart.
    pub sequence: u64,
    /// The line.
    pub message: String,
}

impl LogEvent {
    /// Where it stands in the log.
    pub fn position(&self) -> LogPosition {
        LogPosition {
            at: self.created_at,
            sequence: self.sequence,
        }
    }
}

/// A place in a log: right behind one event. Displays as a page token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogPosition {
    /// The instant of the event.
    pub at: Timestamp,
    /// Its sequence number.
    pub sequence: u64,
}

impl fmt::Display for LogPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:016x}", self.at.0, self.sequence)
    }
}

impl LogPosition {
    /// Reads a page token: 32 lower-case hex digits.
    pub fn parse(token: &str) -> Result<Self, Refusal> {
        let is_hex = token.len() == 32
            && token
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        let both = u128::from_str_radix(token, 16)
            .ok()
            .filter(|_| is_hex)
            .ok_or(Refusal::PageToken)?;
        Ok(Self {
            at: Timestamp((both >> 64) as u64 as i64),
            sequence: both as u64,
        })
    }
}

/// One answer of GetContainerLog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPage {
    /// At most [`LOG_PAGE_EVENTS_MAX`] events, oldest first.
    pub events: Vec<LogEvent>,
    /// Where the next page goes on; none at the end.
    pub next: Option<LogPosition>,
}

impl LogPage {
    /// Takes a page of what passes from `events`, which come oldest first and start after `after`
    /// at the earliest. Reads no further than one matching event behind the page.
    pub fn select(
        events: impl IntoIterator<Item = LogEvent>,
        window: LogWindow,
        filter: &LogFilter,
        after: Option<LogPosition>,
    ) -> Self {
        let mut matching = events
            .into_iter()
            .filter(|event| after.is_none_or(|after| event.position() > after))
            .filter(|event| window.contains(event.created_at) && filter.matches(&event.message));
        let events: Vec<_> = matching.by_ref().take(LOG_PAGE_EVENTS_MAX).collect();
        let next = matching
            .next()
            .and_then(|_| events.last().map(LogEvent::position));
        Self { events, next }
    }
}
