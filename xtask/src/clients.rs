//! The clients of registries that the tests drive, all in one folder below the target folder: links
//! to those of the machine's own release, newer ones out of Debian packages, the rest built from
//! pinned Go modules.
//!
//! Must never install into the machine: that is `install.rs`.

use crate::install::Tools;
use crate::process::target_dir;
use crate::{golang, newer};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// Go programs: their name, package and version.
const MODULES: [(&str, &str, &str); 4] = [
    (
        "crane",
        "github.com/google/go-containerregistry/cmd/crane",
        "v0.22.1",
    ),
    ("oras", "oras.land/oras/cmd/oras", "v1.3.6"),
    (
        "regctl",
        "github.com/regclient/regclient/cmd/regctl",
        "v0.11.7",
    ),
    ("helm", "helm.sh/helm/v3/cmd/helm", "v3.22.0"),
];

/// Where they lie.
pub fn folder() -> PathBuf {
    target_dir().join("tools/clients")
}

/// Makes the folder complete; `tools` has the programs to link to.
///
/// # Errors
/// When one of the clients cannot be had.
pub fn prepare(venv: &Path, tools: &Tools) -> Result<()> {
    let bin = folder();
    fs::create_dir_all(&bin)?;
    let system = [
        ("buildah", &tools.buildah),
        ("ctr", &tools.ctr),
        ("docker", &tools.docker),
        ("podman", &tools.podman),
    ];
    for (name, program) in system {
        link(program, &bin.join(name))?;
    }
    newer::provide(&bin)?;
    for (name, package, version) in MODULES {
        golang::install(venv, &bin, name, package, version)?;
    }
    Ok(())
}

/// Points `place` at `program`, whatever it was before.
fn link(program: &Path, place: &Path) -> Result<()> {
    if fs::read_link(place).is_ok_and(|old| old == program) {
        return Ok(());
    }
    // Absent the first time.
    let _ = fs::remove_file(place);
    std::os::unix::fs::symlink(program, place)
        .with_context(|| format!("cannot make {}", place.display()))
}
