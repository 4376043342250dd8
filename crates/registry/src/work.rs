//! Work that no request waits for. A step does one bounded unit from rows alone, can be repeated,
//! and says whether there is more; the server decides when to take it.

mod leases;
mod sweep;

pub(crate) use leases::Doing;
pub use sweep::{SweepReport, SweepStatus};
