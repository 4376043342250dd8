//! The real world: the only place that reads a clock or draws randomness.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use roadstead_domain::time::Timestamp;
use roadstead_registry::context::{Clock, Ids};

/// The system's clock.
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods)]
    fn now(&self) -> Timestamp {
        // A clock set before 1970 counts as 1970.
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp(i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX))
    }
}

/// Randomness from the system.
#[derive(Default)]
pub struct SystemIds {
    latest: AtomicI64,
}

impl Ids for SystemIds {
    fn fill(&self, bytes: &mut [u8]) {
        if aws_lc_rs::rand::fill(bytes).is_err() {
            // Without randomness no key, token or id is safe to make.
            tracing::error!("the system gives no randomness");
            std::process::abort();
        }
    }

    fn sequence(&self, now: Timestamp) -> i64 {
        next_in_sequence(&self.latest, now)
    }
}

/// The next number after `latest`, `now` if the clock has moved on.
pub fn next_in_sequence(latest: &AtomicI64, now: Timestamp) -> i64 {
    let next = |latest: i64| now.0.max(latest.saturating_add(1));
    match latest.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |latest| {
        Some(next(latest))
    }) {
        Ok(previous) | Err(previous) => next(previous),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f42_the_sequence_rises_even_if_the_clock_falls() {
        let latest = AtomicI64::new(0);
        let given: Vec<i64> = [10, 10, 5, 20]
            .map(|at| next_in_sequence(&latest, Timestamp(at)))
            .to_vec();
        assert_eq!(given, [10, 11, 12, 20]);
    }
}
