//! `cargo xtask bench [CASE...] [--rounds N]`: the same work on roadstead, Debian's
//! `docker-registry` and nginx, in alternation on this machine; without a case, all of them, and
//! `docs/performance.md` is written anew.
//!
//! It measures and tells; it fails only if something could not be measured. Servers listen on
//! 127.0.0.1 and live for one measurement.

mod cases;
mod machine;
mod peers;
mod report;

use crate::process::{Root, cargo, find_program, output, streamed, target_dir};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

const ROUNDS: usize = 3;

/// What every measurement needs.
pub struct Bench {
    roadstead: PathBuf,
    load: PathBuf,
    registry: PathBuf,
    nginx: PathBuf,
    scratch: tempfile::TempDir,
}

impl Bench {
    /// Gives a task to the load program; its answer.
    fn task(&self, task: &serde_json::Value) -> Result<serde_json::Value> {
        let text = output(Command::new(&self.load).arg(task.to_string()))?;
        serde_json::from_str(&text).with_context(|| format!("the answer to a task: {text}"))
    }

    /// An empty folder of that name.
    fn folder(&self, name: &str) -> Result<PathBuf> {
        let path = self.scratch.path().join(name);
        remove(&path)?;
        std::fs::create_dir_all(&path)?;
        Ok(path)
    }
}

/// # Errors
/// When a tool is missing, something does not compile, or a server does not answer as it should.
pub fn run(args: &[String]) -> Result<()> {
    let (mut rounds, mut names) = (ROUNDS, Vec::new());
    let mut words = args.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--rounds" => rounds = words.next().context("--rounds N")?.parse()?,
            name if cases::NAMES.contains(&name) => names.push(name),
            other => bail!("no case {other}; there are {}", cases::NAMES.join(", ")),
        }
    }
    let is_whole = names.is_empty();
    if is_whole {
        names = cases::NAMES.to_vec();
    }
    let bench = prepare()?;
    let mut lines = Vec::new();
    for name in names {
        println!("{name}");
        lines.extend(cases::run(&bench, name, rounds.max(1))?);
    }
    let text = report::write(&lines, rounds, &bench)?;
    println!("\n{text}");
    if is_whole {
        let path = crate::process::workspace().join("docs/performance.md");
        std::fs::write(&path, text)?;
        println!("written to {}", path.display());
    }
    Ok(())
}

fn prepare() -> Result<Bench> {
    let root = Root::detect();
    println!("tools:");
    let registry = debian(root, "docker-registry", "docker-registry")?;
    let nginx = debian(root, "nginx", "nginx-light")?;
    println!("compiling:");
    let packages = ["-p", "roadstead-server", "-p", "roadstead-bench"];
    streamed(cargo().args(["build", "--release"]).args(packages))?;
    std::fs::create_dir_all(target_dir().join("tmp"))?;
    let scratch = tempfile::Builder::new()
        .prefix("roadstead-bench-")
        .tempdir_in(target_dir().join("tmp"))?;
    // Copies: another build must not replace what is being measured.
    let copy = |name: &str| -> Result<PathBuf> {
        let to = scratch.path().join(name);
        std::fs::copy(target_dir().join("release").join(name), &to)?;
        Ok(to)
    };
    Ok(Bench {
        roadstead: copy("roadstead")?,
        load: copy("roadstead-bench")?,
        registry,
        nginx,
        scratch,
    })
}

/// Finds a program, or installs the Debian package that has it.
fn debian(root: Root, program: &str, package: &str) -> Result<PathBuf> {
    if find_program(program).is_none() {
        let apt = |words: &[&str]| -> Result<()> {
            let mut command = root.command("env").with_context(|| {
                format!("missing: {program} (Debian package {package}); install it, or run as root")
            })?;
            // `RUNLEVEL=1` keeps package scripts from starting the service.
            command.args([
                "DEBIAN_FRONTEND=noninteractive",
                "RUNLEVEL=1",
                "apt-get",
                "-qq",
            ]);
            output(command.args(words)).map(drop)
        };
        println!("  installing {package}");
        apt(&["update"])?;
        apt(&["install", "-y", "--no-install-recommends", package])?;
    }
    let found = find_program(program);
    let found = found.with_context(|| format!("{program} is still missing after installing"))?;
    println!("  {program}: {}", found.display());
    Ok(found)
}

/// Removes a folder, and lets the disk come to rest: what one server left to be written must not
/// slow the next one down.
fn remove(path: &Path) -> Result<()> {
    if path.exists() {
        std::fs::remove_dir_all(path)?;
        output(&mut Command::new("sync"))?;
    }
    Ok(())
}
