//! The proof that nothing acknowledged is lost: each module is one part, a function of a seed and
//! an amount of work that reports what it counted and what it found wrong. `main.rs` runs parts on
//! demand; the tests of this crate run each with a small amount.
//!
//! Must never forgive a finding, and never be used by the product.

pub mod load;

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
