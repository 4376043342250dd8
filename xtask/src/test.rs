//! `cargo xtask test`: prepares tools and services, runs every test of the workspace against
//! them and ends with the line `N passed, N failed`.
//!
//! Must never skip a test for want of a tool: what is missing is a failure.

use crate::process::{Root, cargo, streamed};
use crate::{install, services};
use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader};
use std::process::Stdio;

/// Runs all tests, or those whose names contain one of `filters`.
///
/// # Errors
/// When a tool is missing, something does not compile or a test fails.
pub fn run(filters: &[String]) -> Result<()> {
    let mut tally = Tally::default();
    let outcome = prepare_and_run(filters, &mut tally);
    if let Err(error) = &outcome {
        eprintln!("{error:#}");
        // Whatever went wrong outside of a test counts as one failure.
        tally.failed = tally.failed.max(1);
    }
    println!("{} passed, {} failed", tally.passed, tally.failed);
    if tally.failed > 0 {
        std::process::exit(1);
    }
    Ok(())
}

fn prepare_and_run(filters: &[String], tally: &mut Tally) -> Result<()> {
    let root = Root::detect();
    println!("tools:");
    let tools = install::prepare(root)?;
    println!("compiling:");
    streamed(cargo().args(["test", "--workspace", "--no-run"]))?;
    println!("services:");
    let services = services::start(&tools, root)?;
    let mut child = cargo()
        .args(["test", "--workspace", "--no-fail-fast", "--"])
        .args(filters)
        .env("TEST_POSTGRES_URL", &services.postgres_url)
        .env("TEST_DOCKER_HOST", &services.docker_host)
        .env("TEST_DOCKER", &tools.docker)
        .env("TEST_AWS", &tools.aws)
        .env("TEST_PYTHON", &tools.python)
        .env("TEST_SKOPEO", &tools.skopeo)
        .env("TEST_PODMAN", &tools.podman)
        .env("TEST_CURL", &tools.curl)
        .env("TEST_LIGHTSAIL_GO", &tools.lightsail_go)
        .env("TEST_OCI_CONFORMANCE", &tools.oci_conformance)
        .env("TEST_CLIENTS", &tools.clients)
        .env("TEST_CONTAINERD", &services.containerd_address)
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot run cargo test")?;
    let stdout = child.stdout.take().context("no output to read")?;
    for line in BufReader::new(stdout).split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        tally.add(&line);
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("cargo test: {status}");
    }
    Ok(())
}

/// The sum over all test binaries.
#[derive(Default, Debug, PartialEq, Eq)]
struct Tally {
    passed: u64,
    failed: u64,
}

impl Tally {
    /// Counts one line of output if it is a test binary's summary.
    fn add(&mut self, line: &str) {
        let Some((_, summary)) = line.split_once("test result: ") else {
            return;
        };
        for part in summary.split([';', '.']) {
            let mut words = part.split_whitespace();
            let count = words.next().and_then(|word| word.parse::<u64>().ok());
            match (count, words.next()) {
                (Some(count), Some("passed")) => self.passed += count,
                (Some(count), Some("failed")) => self.failed += count,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Tally;

    #[test]
    fn summaries_are_added_up() {
        let mut tally = Tally::default();
        tally.add("running 3 tests");
        tally.add("test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.10s");
        tally.add("test result: FAILED. 5 passed; 2 failed; 0 ignored; 0 measured; 7 filtered out; finished in 1.05s");
        tally.add("9 passed by the way");
        assert_eq!(
            tally,
            Tally {
                passed: 17,
                failed: 2
            }
        );
    }

    #[test]
    fn a_summary_behind_other_output_counts() {
        let mut tally = Tally::default();
        tally.add("left over: test result: ok. 1 passed; 0 failed; 0 ignored");
        assert_eq!(
            tally,
            Tally {
                passed: 1,
                failed: 0
            }
        );
    }
}
