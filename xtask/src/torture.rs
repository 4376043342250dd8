//! `cargo xtask torture`: builds `crates/torture` optimised and runs it with the words given; with
//! `--mutants` it proves instead that the parts notice a product that is broken on purpose.

mod mutants;

use crate::process::{cargo, streamed};
use anyhow::Result;

/// # Errors
/// When something was found, or it does not compile; with `--mutants`, when nothing was found.
pub fn run(args: &[String]) -> Result<()> {
    if let [first, names @ ..] = args
        && first == "--mutants"
    {
        return mutants::run(names);
    }
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
