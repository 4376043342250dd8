//! `cargo xtask torture`: builds `crates/torture` optimised and runs it with the words given.

use crate::process::{cargo, streamed};
use anyhow::Result;

/// # Errors
/// When something was found, or it does not compile.
pub fn run(args: &[String]) -> Result<()> {
    streamed(
        cargo()
            .args([
                "run",
                "--release",
                "--quiet",
                "-p",
                "roadstead-torture",
                "--",
            ])
            .args(args),
    )
}
