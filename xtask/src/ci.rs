//! `cargo xtask ci`: everything that must hold before a change is merged, the quick checks
//! first, each with its name and seconds. `.ci/run` only calls this.

use crate::process::{cargo, output, streamed};
use crate::{codegen, layers, test, tidy};
use anyhow::{Context, Result};
use std::process::Command;
use std::time::{Duration, Instant};

type Step = (&'static str, fn() -> Result<()>);

/// Lints, documentation and tests share what they compile of the dependencies.
const STEPS: [Step; 7] = [
    ("format", format),
    ("layers", || layers::run(&[])),
    ("tidy", || tidy::run(&[])),
    ("codegen", || codegen::run(&["--check".to_owned()])),
    ("clippy", clippy),
    ("doc", doc),
    ("test", || test::run(&[])),
];

/// Runs all steps and stops at the first that fails.
///
/// # Errors
/// The failure of that step, under its name.
pub fn run(_args: &[String]) -> Result<()> {
    install_components()?;
    for (name, step) in STEPS {
        println!("==> {name}");
        let (outcome, took) = timed(step);
        // The tests close with their own line, the last of a run.
        if name != "test" {
            println!("<== {name}: {:.1} s", took.as_secs_f64());
        }
        outcome.with_context(|| format!("step {name}"))?;
    }
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "the automation measures itself; no clock of the product is meant"
)]
fn timed(step: fn() -> Result<()>) -> (Result<()>, Duration) {
    let started = Instant::now();
    (step(), started.elapsed())
}

/// A minimal toolchain comes without these two.
fn install_components() -> Result<()> {
    for (component, subcommand) in [("rustfmt", "fmt"), ("clippy", "clippy")] {
        if output(cargo().args([subcommand, "--version"])).is_err() {
            println!("installing {component}");
            output(Command::new("rustup").args(["component", "add", component]))?;
        }
    }
    Ok(())
}

fn format() -> Result<()> {
    streamed(cargo().args(["fmt", "--all", "--check"]))
}

fn clippy() -> Result<()> {
    streamed(
        cargo()
            .args(["clippy", "--workspace", "--all-targets", "--locked"])
            .args(["--", "-D", "warnings"]),
    )
}

fn doc() -> Result<()> {
    streamed(
        cargo()
            .args(["doc", "--workspace", "--no-deps", "--locked"])
            .env("RUSTDOCFLAGS", "-D warnings"),
    )
}
