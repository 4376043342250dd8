//! A rate of pulls, as a bucket that fills with time and that every pull takes one from.

use crate::time::Timestamp;

const MICROS_PER_SECOND: i64 = 1_000_000;

/// So many pulls in a second, and as many at once after a rest. At least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PullRate {
    per_second: u32,
}

impl PullRate {
    /// A rate; none is no limit.
    pub fn per_second(pulls: u32) -> Option<Self> {
        (pulls > 0).then_some(Self { per_second: pulls })
    }

    /// Microseconds from one pull to the next.
    fn pause(self) -> i64 {
        MICROS_PER_SECOND / i64::from(self.per_second)
    }
}

/// What one caller may still pull. Holds the instant at which the bucket will be full again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    full_at: i64,
}

impl Bucket {
    /// The bucket of a caller that rested.
    pub fn full(now: Timestamp) -> Self {
        Self { full_at: now.0 }
    }

    /// Whether the caller rested long enough to be forgotten.
    pub fn is_full(&self, now: Timestamp) -> bool {
        self.full_at <= now.0
    }

    /// Takes one pull, if there is one. A clock that goes back lends nothing.
    pub fn take(&mut self, rate: PullRate, now: Timestamp) -> bool {
        let full_at = self.full_at.max(now.0) + rate.pause();
        let is_there = full_at <= now.0 + MICROS_PER_SECOND;
        if is_there {
            self.full_at = full_at;
        }
        is_there
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_in_a_second_as_the_rate_says() {
        let rate = PullRate::per_second(10).unwrap();
        let start = Timestamp(1_000_000);
        let mut bucket = Bucket::full(start);
        let taken = |bucket: &mut Bucket, now| (0..100).filter(|_| bucket.take(rate, now)).count();
        assert_eq!(taken(&mut bucket, start), 10);
        assert_eq!(taken(&mut bucket, Timestamp(1_000_000 + 100_000)), 1);
        assert_eq!(taken(&mut bucket, Timestamp(1_000_000 + 600_000)), 5);
        assert!(!bucket.is_full(Timestamp(1_000_000 + 600_000)));
        assert!(bucket.is_full(Timestamp(3_000_000)));
        assert_eq!(taken(&mut bucket, Timestamp(9_000_000)), 10);
        assert_eq!(PullRate::per_second(0), None);
    }
}
