//! The proof that nothing acknowledged is lost: each module is one part, a function of a seed and
//! an amount of work that reports what it counted and what it found wrong. `main.rs` runs parts on
//! demand; the tests of this crate run each with a small amount.
//!
//! Must never forgive a finding, and never be used by the product.

pub mod crash;
pub mod door;
pub mod faults;
pub mod ground;
pub mod house;
pub mod kill;
pub mod load;
pub mod model;
pub mod schedules;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;

/// How much one part does, in its own unit (steps, states, schedules, rounds).
#[derive(Debug, Clone, Copy)]
pub struct Work {
    /// Where chance begins: the same seed gives the same run.
    pub seed: u64,
    /// Units of work to do.
    pub amount: u64,
}

/// What one part did and found.
#[derive(Debug, Default)]
pub struct Report {
    /// What was counted, in the order to print it.
    pub counts: Vec<(&'static str, u64)>,
    /// What must not happen and did, with the seed or state to see it again.
    pub findings: Vec<String>,
}

/// Findings after which a part does no more.
const FINDINGS_MAX: usize = 3;

/// Does `count` pieces of work on all processors, each by its number, and collects what they found.
/// Stops early at the third finding.
pub fn in_parallel(
    count: u64,
    piece: impl Fn(u64) -> Result<Option<String>> + Sync,
) -> Result<Vec<String>> {
    let (next, findings) = (AtomicU64::new(0), Mutex::new(Vec::new()));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let one = || -> Result<()> {
        loop {
            let n = next.fetch_add(1, Ordering::Relaxed);
            if n >= count {
                return Ok(());
            }
            let Some(finding) = piece(n)? else { continue };
            let mut findings = findings.lock().expect("no panic");
            findings.push(finding);
            if findings.len() >= FINDINGS_MAX {
                next.store(count, Ordering::Relaxed);
            }
        }
    };
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..threads).map(|_| scope.spawn(one)).collect();
        all.into_iter()
            .try_for_each(|one| one.join().expect("no panic"))
    })?;
    Ok(findings.into_inner().expect("no panic"))
}
