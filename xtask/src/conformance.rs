//! The conformance suite of the OCI distribution-spec: a Go program, pinned, built with the tests' Go
//! toolchain; the checksum database of Go vouches for its text.
//!
//! Must never run another version than the one that `docs/conformance.md` names.

use crate::golang;
use anyhow::Result;
use std::path::{Path, PathBuf};

/// The module and its version: the suite of 31 August 2026, the newest there is.
const MODULE: &str = "github.com/opencontainers/distribution-spec/conformance";
const VERSION: &str = "v0.0.0-20260831232431-97274622c111";

/// Builds the suite unless it is there.
///
/// # Errors
/// When a module cannot be had or the suite does not compile.
pub fn build(venv: &Path) -> Result<PathBuf> {
    // The test reads the version off the folder.
    let bin = golang::folder().join("bin").join(VERSION);
    golang::install(venv, &bin, "conformance", MODULE, VERSION)?;
    Ok(bin.join("conformance"))
}
