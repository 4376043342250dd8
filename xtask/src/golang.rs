//! Go for the tests: a toolchain from the Python environment, and the client on the AWS SDK for Go
//! that it builds; modules, caches and programs lie inside the target folder.
//!
//! Must never use a Go or a module cache of the machine.

use crate::process::{output, target_dir, workspace};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

const SOURCES: &str = "crates/server/tests/lightsail_go";

/// Builds the client; its pinned modules are fetched where they are not there yet.
///
/// # Errors
/// When a module cannot be had or the client does not compile.
pub fn build(venv: &Path) -> Result<PathBuf> {
    let program = folder().join("bin/lightsail-go");
    if !program.is_file() {
        println!(
            "  installing the AWS SDK for Go and building a client of Lightsail into {}",
            folder().display()
        );
    }
    let mut go = go(venv);
    go.current_dir(workspace().join(SOURCES))
        // Whoever owns the checkout.
        .args([
            "build",
            "-buildvcs=false",
            "-trimpath",
            "-mod=readonly",
            "-o",
        ])
        .arg(&program)
        .arg(".");
    output(&mut go).context("the Go client does not build")?;
    Ok(program)
}

/// Where everything of Go lies.
pub fn folder() -> PathBuf {
    target_dir().join("tools/go")
}

/// The Go program of the tests, which keeps to that folder.
pub fn go(venv: &Path) -> Command {
    let mut go = Command::new(venv.join("bin/go"));
    // Writable, so that whoever owns the target folder can remove it.
    go.env("GOFLAGS", "-modcacherw")
        .env("GOTOOLCHAIN", "local")
        .env("GOWORK", "off")
        .env("CGO_ENABLED", "0")
        .env("GOPATH", folder())
        .env("GOMODCACHE", folder().join("mod"))
        .env("GOCACHE", folder().join("cache"));
    go
}
