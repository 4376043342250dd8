//! The conformance suite of the OCI distribution-spec: a Go program, pinned, built with the tests' Go
//! toolchain.
//!
//! Must never run another version than the one that `docs/conformance.md` names.

use crate::golang;
use crate::process::output;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// The module and its version: the suite of 31 August 2026, the newest there is.
const MODULE: &str = "github.com/opencontainers/distribution-spec/conformance";
const VERSION: &str = "v0.0.0-20260831232431-97274622c111";

/// Builds the suite unless it is there; the checksum database of Go vouches for its text.
///
/// # Errors
/// When a module cannot be had or the suite does not compile.
pub fn build(venv: &Path) -> Result<PathBuf> {
    let folder = golang::folder().join("bin").join(VERSION);
    let program = folder.join("conformance");
    if program.is_file() {
        return Ok(program);
    }
    println!(
        "  installing the OCI conformance suite into {}",
        folder.display()
    );
    let mut go = golang::go(venv);
    go.args(["install", "-trimpath", &format!("{MODULE}@{VERSION}")])
        .env("GOBIN", &folder);
    output(&mut go).context("the OCI conformance suite does not build")?;
    Ok(program)
}
