//! `cargo xtask fuzz [TARGET...] [--seconds N]`: looks for new input to the properties of
//! `crates/fuzz-targets` with libFuzzer, each target in turn, 60 s of each unless told.
//!
//! Needs a C++ compiler. What is found stays in the target folder: a failure is shown with the
//! command that repeats it, and becomes a named file of `fuzz/corpus` together with its fix.

use crate::process::{cargo, output, streamed, target_dir, workspace};
use anyhow::{Context, Result, bail};
use std::path::PathBuf;
use std::process::Command;

const CARGO_FUZZ: &str = "0.13.2";
/// Inputs are at most so long, bytes: longer ones only take longer.
const LENGTH_MAX: u32 = 16 * 1024;
/// No input may take longer, seconds.
const TIMEOUT: u32 = 10;

struct Asked {
    targets: Vec<String>,
    seconds: u64,
}

/// # Errors
/// When a property does not hold, or the programs cannot be built.
pub fn run(args: &[String]) -> Result<()> {
    let all = all_targets()?;
    let Asked { targets, seconds } = asked(args, &all)?;
    let program = cargo_fuzz()?;
    let mut build = fuzz_command(&program, "build");
    streamed(build.args(&targets[..usize::from(targets.len() == 1)]))?;
    for target in &targets {
        println!("==> {target}");
        let found = target_dir().join("fuzz/found").join(target);
        std::fs::create_dir_all(&found)?;
        let mut command = fuzz_command(&program, "run");
        command
            .arg(target)
            // New inputs go to the first folder.
            .arg(&found)
            .arg(workspace().join("fuzz/corpus").join(target))
            .arg("--")
            .arg(format!("-max_total_time={seconds}"))
            .arg(format!("-max_len={LENGTH_MAX}"))
            .arg(format!("-timeout={TIMEOUT}"))
            .args(["-print_final_stats=1", "-verbosity=0"])
            .arg(format!("-artifact_prefix={}/failed-", found.display()));
        let dictionary = workspace().join(format!("fuzz/dictionaries/{target}.dict"));
        command.arg(format!("-dict={}", dictionary.display()));
        streamed(&mut command).with_context(|| format!("target {target}"))?;
    }
    Ok(())
}

fn asked(args: &[String], all: &[String]) -> Result<Asked> {
    let (mut targets, mut seconds) = (Vec::new(), 60);
    let mut words = args.iter();
    while let Some(word) = words.next() {
        if word == "--seconds" {
            let number = words.next().and_then(|number| number.parse().ok());
            seconds = number.context("--seconds takes a number")?;
        } else if all.contains(word) {
            targets.push(word.clone());
        } else {
            bail!("no target '{word}'; there are {}", all.join(", "));
        }
    }
    if targets.is_empty() {
        targets = all.to_vec();
    }
    Ok(Asked { targets, seconds })
}

/// The programs in `fuzz/fuzz_targets`.
fn all_targets() -> Result<Vec<String>> {
    let folder = workspace().join("fuzz/fuzz_targets");
    let mut names: Vec<String> = std::fs::read_dir(folder)?
        .flatten()
        .filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".rs")?.to_owned()))
        .collect();
    names.sort();
    Ok(names)
}

/// cargo-fuzz, installed into the target folder if it is not there.
fn cargo_fuzz() -> Result<PathBuf> {
    let root = target_dir().join("tools/cargo-fuzz");
    let program = root.join("bin/cargo-fuzz");
    if !program.is_file() {
        println!("installing cargo-fuzz {CARGO_FUZZ} into {}", root.display());
        let mut install = cargo();
        install
            .args(["install", "cargo-fuzz", "--locked", "--version", CARGO_FUZZ])
            .arg("--root")
            .arg(&root)
            .env("CARGO_TARGET_DIR", target_dir().join("fuzz/install"));
        output(&mut install)?;
    }
    Ok(program)
}

/// Instrumentation is a matter of the unstable compiler; the one at hand is told to be that. No
/// sanitizer: there is no unsafe code in what is fuzzed.
fn fuzz_command(program: &PathBuf, subcommand: &str) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir(workspace().join("fuzz"))
        .arg(subcommand)
        .args(["--release", "--sanitizer", "none", "--fuzz-dir"])
        .arg(workspace().join("fuzz"))
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_TARGET_DIR", target_dir().join("fuzz"));
    command
}

#[cfg(test)]
mod tests {
    use super::{all_targets, asked};

    fn words(list: &[&str]) -> Vec<String> {
        list.iter().map(|&word| word.to_owned()).collect()
    }

    #[test]
    fn what_is_asked_for() {
        let all = words(&["names", "paths"]);
        let plain = asked(&[], &all).unwrap();
        assert_eq!((plain.targets, plain.seconds), (all.clone(), 60));
        let one = asked(&words(&["paths", "--seconds", "5"]), &all).unwrap();
        assert_eq!((one.targets, one.seconds), (words(&["paths"]), 5));
        for wrong in [&["path"][..], &["--seconds"], &["--seconds", "x"]] {
            assert!(asked(&words(wrong), &all).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn the_targets_are_found() {
        assert!(all_targets().unwrap().contains(&"manifests".to_owned()));
    }
}
