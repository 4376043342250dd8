//! Programs in Go for the tests, built with a Go toolchain from the Python environment: clients of
//! registries at pinned versions, and the tests' own client on the AWS SDK for Go. Modules, caches
//! and programs lie inside the target folder.
//!
//! Must never use a Go or a module cache of the machine.

use crate::process::{output, target_dir, workspace};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

const SOURCES: &str = "crates/server/tests/lightsail_go";

/// Builds the client of Lightsail; its pinned modules are fetched where they are not there yet.
///
/// # Errors
/// When a module cannot be had or the client does not compile.
pub fn build(venv: &Path) -> Result<PathBuf> {
    let folder = folder();
    let program = folder.join("bin/lightsail-go");
    if !program.is_file() {
        println!(
            "  installing the AWS SDK for Go and building a client of Lightsail into {}",
            folder.display()
        );
    }
    let mut go = go(venv);
    go.current_dir(workspace().join(SOURCES))
        // Whoever owns the checkout.
        .args(["build", "-buildvcs=false", "-trimpath", "-o"])
        .arg(&program)
        .arg(".")
        .env("GOFLAGS", "-mod=readonly -modcacherw");
    output(&mut go).context("the Go client does not build")?;
    Ok(program)
}

/// Builds the program `name` of a package at a version into `bin`, unless it is there.
///
/// # Errors
/// When a module cannot be had or the program does not compile.
pub fn install(venv: &Path, bin: &Path, name: &str, package: &str, version: &str) -> Result<()> {
    let program = bin.join(name);
    if is_built(venv, &program, package, version) {
        return Ok(());
    }
    println!("  building {name} {version} into {}", bin.display());
    let mut go = go(venv);
    go.args(["install", "-trimpath", "-ldflags=-s -w"])
        .arg(format!("{package}@{version}"))
        // Writable, so that whoever owns the target folder can remove it.
        .env("GOFLAGS", "-modcacherw")
        .env("GOBIN", bin);
    output(&mut go)
        .map(drop)
        .with_context(|| format!("{name} does not build"))
}

/// Asks the program itself which package and version it was made from.
fn is_built(venv: &Path, program: &Path, package: &str, version: &str) -> bool {
    let mut go = go(venv);
    let Ok(said) = output(go.args(["version", "-m"]).arg(program)) else {
        return false;
    };
    let mut lines = said
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    let has = |words: &Vec<&str>| matches!(words[..], ["path", path] if path == package);
    lines.by_ref().any(|words| has(&words))
        && lines.any(|words| matches!(words[..], ["mod", _, made, ..] if made == version))
}

/// Where everything of Go lies.
pub fn folder() -> PathBuf {
    target_dir().join("tools/go")
}

fn go(venv: &Path) -> Command {
    let folder = folder();
    let mut go = Command::new(venv.join("bin/go"));
    go.env("GOTOOLCHAIN", "local")
        .env("GOWORK", "off")
        .env("CGO_ENABLED", "0")
        .env("GOPATH", &folder)
        .env("GOMODCACHE", folder.join("mod"))
        .env("GOCACHE", folder.join("cache"));
    go
}
