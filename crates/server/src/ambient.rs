//! The real world: the only place that reads a clock or draws randomness.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use roadstead_domain::time::Timestamp;
use roadstead_registry::context::{Clock, Ids};
use rustix::io::Errno;
use rustix::rand::{GetRandomFlags, getrandom};

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
pub struct SystemIds {
    latest: AtomicI64,
    /// Where the names of this process begin.
    first_name: u128,
    names: AtomicU64,
}

/// Odd, so that no name comes twice; without a pattern, so that they do not look alike.
const NAME_STEP: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;

impl Default for SystemIds {
    fn default() -> Self {
        let mut bytes = [0; 16];
        randomness(&mut bytes);
        Self {
            latest: AtomicI64::default(),
            first_name: u128::from_le_bytes(bytes),
            names: AtomicU64::default(),
        }
    }
}

/// From the kernel itself: a generator of our own would first have to gather what the kernel has, which
/// takes aws-lc 40 ms of every start.
fn randomness(mut bytes: &mut [u8]) {
    while !bytes.is_empty() {
        match getrandom(&mut *bytes, GetRandomFlags::empty()) {
            Ok(filled) => bytes = &mut bytes[filled..],
            Err(Errno::INTR) => {}
            Err(error) => {
                // Without randomness no key, token or id is safe to make.
                tracing::error!(%error, "the system gives no randomness");
                std::process::abort();
            }
        }
    }
}

impl Ids for SystemIds {
    fn fill(&self, bytes: &mut [u8]) {
        randomness(bytes);
    }

    fn name(&self) -> u128 {
        let number = self.names.fetch_add(1, Ordering::Relaxed);
        let steps = u128::from(number).wrapping_mul(NAME_STEP);
        self.first_name.wrapping_add(steps)
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
    fn names_come_once() {
        let [one, other] = [SystemIds::default(), SystemIds::default()];
        let ids: [&dyn Ids; 2] = [&one, &other];
        let named = (0..20_000).map(|n| ids[n % 2].request_id());
        let different: std::collections::HashSet<String> = named.collect();
        assert_eq!(different.len(), 20_000);
    }

    #[test]
    fn f42_the_sequence_rises_even_if_the_clock_falls() {
        let latest = AtomicI64::new(0);
        let given: Vec<i64> = [10, 10, 5, 20]
            .map(|at| next_in_sequence(&latest, Timestamp(at)))
            .to_vec();
        assert_eq!(given, [10, 11, 12, 20]);
    }
}
