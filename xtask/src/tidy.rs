//! `cargo xtask tidy`: house rules that neither the compiler nor clippy can check, over the
//! text of every file that git knows or would add.
//!
//! Each rule is a function from a path and its text to findings; nothing here changes a file.

mod contract;
mod rules;

use crate::process::{output, workspace};
use anyhow::{Result, bail};
use std::process::Command;

/// One file of the repository: its path from the root, and its text.
struct SourceFile {
    path: String,
    text: String,
}

/// Checks the whole tree.
///
/// # Errors
/// Lists every finding as `path:line: what is wrong`.
pub fn run(_args: &[String]) -> Result<()> {
    let files = read_files()?;
    let mut findings: Vec<String> = files.iter().flat_map(rules::check).collect();
    findings.extend(contract::check(&files));
    findings.extend(rules::check_decisions(
        files.iter().map(|file| file.path.as_str()),
    ));
    if !findings.is_empty() {
        bail!("{} findings:\n  {}", findings.len(), findings.join("\n  "));
    }
    println!("{} files are tidy", files.len());
    Ok(())
}

/// Text files only: what is not UTF-8 is left out, and so is what was deleted but not yet
/// committed.
fn read_files() -> Result<Vec<SourceFile>> {
    let root = workspace();
    let list = output(Command::new("git").current_dir(&root).args([
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
    ]))?;
    let read = |path: &str| {
        let text = std::fs::read_to_string(root.join(path)).ok()?;
        Some(SourceFile {
            path: path.to_owned(),
            text,
        })
    };
    Ok(list.lines().filter_map(read).collect())
}
