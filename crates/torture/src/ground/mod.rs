//! The ground that `crash`, `faults` and `kill` stand on: a disk in memory that records every file
//! operation (`volume`) behind a mount of the kernel's (`mount`), the real server program on it
//! (`program`), clients that work it (`client`, `work`), the book of what they were told (`told`),
//! and the check of a data directory against that book (`check`).
//!
//! Must never know what the product's files mean, but in `check`.

pub mod check;
pub mod client;
pub mod mount;
pub mod program;
pub mod told;
pub mod volume;
pub mod work;
