//! The tests' client on the AWS SDK for Go, built with a Go toolchain from the Python environment;
//! modules, caches and the program lie inside the target folder.
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
    let folder = target_dir().join("tools/go");
    let program = folder.join("bin/lightsail-go");
    if !program.is_file() {
        println!(
            "  installing the AWS SDK for Go and building a client of Lightsail into {}",
            folder.display()
        );
    }
    let mut go = Command::new(venv.join("bin/go"));
    go.current_dir(workspace().join(SOURCES))
        // Whoever owns the checkout.
        .args(["build", "-buildvcs=false", "-trimpath", "-o"])
        .arg(&program)
        .arg(".")
        // Writable, so that whoever owns the target folder can remove it.
        .env("GOFLAGS", "-mod=readonly -modcacherw")
        .env("GOTOOLCHAIN", "local")
        .env("GOWORK", "off")
        .env("CGO_ENABLED", "0")
        .env("GOPATH", &folder)
        .env("GOMODCACHE", folder.join("mod"))
        .env("GOCACHE", folder.join("cache"));
    output(&mut go).context("the Go client does not build")?;
    Ok(program)
}
