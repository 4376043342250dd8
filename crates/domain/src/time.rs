//! Instants as values. Nothing here reads a clock.

use std::ops::{Add, Sub};

/// An instant: microseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The instant `seconds` after the epoch.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds * 1_000_000)
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// RFC 3339 in UTC with whole seconds, `2026-01-31T09:00:00Z`: how the events of AWS write
    /// instants. Instants outside the years -9999 to 9999 are clamped.
    pub fn rfc3339(self) -> String {
        let clamped = self.seconds().clamp(
            jiff::Timestamp::MIN.as_second(),
            jiff::Timestamp::MAX.as_second(),
        );
        jiff::Timestamp::from_second(clamped).map_or_else(|_| String::new(), |at| at.to_string())
    }

    /// Reads RFC 3339, with any offset, or a date alone: its first instant in UTC.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        // A date with a time of day but without an offset is no instant.
        let is_date = text.len() == "2026-01-31".len();
        let whole = if is_date {
            text.parse::<jiff::civil::Date>()
                .and_then(|date| date.to_zoned(jiff::tz::TimeZone::UTC))
                .map(|at| at.timestamp())
        } else {
            text.parse::<jiff::Timestamp>()
        };
        whole.ok().map(|at| Self(at.as_microsecond()))
    }

    /// Seconds since the epoch with their fraction, as the AWS JSON protocol writes them.
    pub fn seconds_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }
}

/// A span of time in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub i64);

impl Span {
    /// A span of whole seconds.
    pub const fn seconds(seconds: i64) -> Self {
        Self(seconds * 1_000_000)
    }

    /// A span of whole hours.
    pub const fn hours(hours: i64) -> Self {
        Self::seconds(hours * 3600)
    }
}

impl Add<Span> for Timestamp {
    type Output = Self;
    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl Sub<Span> for Timestamp {
    type Output = Self;
    fn sub(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_as_text() {
        let at = Timestamp::from_seconds(1_767_225_600);
        assert_eq!(at.rfc3339(), "2026-01-01T00:00:00Z");
        for text in [
            "2026-01-01T00:00:00Z",
            "2026-01-01T01:00:00+01:00",
            "2026-01-01",
        ] {
            assert_eq!(Timestamp::parse_rfc3339(text), Some(at), "{text}");
        }
        for text in ["", "2026", "2026-13-01", "2026-01-01T00:00:00"] {
            assert_eq!(Timestamp::parse_rfc3339(text), None, "{text}");
        }
        assert!(!Timestamp(i64::MAX).rfc3339().is_empty());
        assert!(!Timestamp(i64::MIN).rfc3339().is_empty());
    }
}
