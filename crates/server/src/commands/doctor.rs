//! `roadstead doctor`: verifies a store, beside a running server or without one.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Args;
use indicatif::ProgressBar;
use serde_json::{Value, json};

use super::{ConfigArgs, Output, bytes_text, text};
use crate::control::{self, Command};

/// Something was found.
const FOUND: u8 = 1;
/// The store could not be looked at, or not to the end.
const COULD_NOT_LOOK: u8 = 2;

/// `roadstead doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Settings.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Only report: set nothing aside and mark nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Compare the lengths of blobs and do not read their bytes.
    #[arg(long)]
    pub quick: bool,
    /// The most bytes of blobs to read in a second, such as `50MiB`; 0 for no limit. Beside a running
    /// server 100MiB unless given.
    #[arg(long, value_name = "BYTES", value_parser = rate)]
    pub rate: Option<u64>,
    /// How to print.
    #[arg(long, value_enum, default_value = "text")]
    pub output: Output,
    /// The same as `--output json`.
    #[arg(long, conflicts_with = "output")]
    pub json: bool,
}

/// A number of bytes, with KiB, MiB or GiB behind it or without.
fn rate(text: &str) -> Result<u64> {
    let units = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];
    let parts = units
        .into_iter()
        .find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, factor)));
    let (number, factor) = parts.unwrap_or((text, 1));
    let number: u64 = number.trim().parse().context("a number of bytes")?;
    number.checked_mul(factor).context("too many bytes")
}

/// Runs the command: 0 if all is well, 1 if something was found, 2 if it could not be looked at.
pub fn run(args: &DoctorArgs) -> Result<ExitCode> {
    match examine(args) {
        Ok(0) => Ok(ExitCode::SUCCESS),
        Ok(_) => Ok(ExitCode::from(FOUND)),
        Err(error) => {
            eprintln!("roadstead: {error:#}");
            Ok(ExitCode::from(COULD_NOT_LOOK))
        }
    }
}

/// How many findings there are.
fn examine(args: &DoctorArgs) -> Result<u64> {
    let config = args.config.load()?;
    let is_json = args.json || args.output == Output::Json;
    let command = Command::Doctor {
        dry_run: args.dry_run,
        quick: args.quick,
        bytes_per_second: args.rate,
    };
    let spinner = ProgressBar::new_spinner();
    spinner.enable_steady_tick(Duration::from_millis(100));
    let mut findings = Vec::new();
    let done = control::run(&config, &command, |line| {
        if let Some(finding) = line.get("finding") {
            if !is_json {
                spinner.suspend(|| print(finding))?;
            }
            findings.push(finding.clone());
        } else if let Some(progress) = line.get("progress") {
            spinner.set_message(message(progress));
        }
        Ok(())
    });
    spinner.finish_and_clear();
    let mut done = done?;
    let mut out = std::io::stdout();
    let count = findings.len() as u64;
    if is_json {
        done["schemaVersion"] = json!(1);
        done["findings"] = Value::Array(findings);
        writeln!(out, "{done}")?;
    } else {
        writeln!(out, "{}", summary(&done, count))?;
    }
    Ok(count)
}

/// Shows a finding to people.
fn print(finding: &Value) -> Result<()> {
    let mut out = std::io::stdout();
    let (kind, subject) = (text(finding, "kind"), text(finding, "subject"));
    let action = match text(finding, "action") {
        "set-aside" => " [moved to quarantine]",
        "marked-lost" => " [offered no more until it is pushed again]",
        "restored" => " [offered again]",
        _ => "",
    };
    writeln!(
        out,
        "{kind}: {subject}: {}{action}",
        text(finding, "detail")
    )?;
    let images = finding.get("images").and_then(Value::as_array);
    for image in images.into_iter().flatten() {
        let tags = image.get("tags").and_then(Value::as_array);
        let tags = tags.into_iter().flatten().filter_map(Value::as_str);
        let tags: Vec<&str> = tags.collect();
        let (repository, digest) = (text(image, "repository"), text(image, "digest"));
        writeln!(out, "  needed by {repository}@{digest} {}", tags.join(", "))?;
    }
    Ok(())
}

fn checked(value: &Value, member: &str) -> u64 {
    let looked = value.get("checked").and_then(|checked| checked.get(member));
    looked.and_then(Value::as_u64).unwrap_or_default()
}

fn message(progress: &Value) -> String {
    let part = match progress.get("permille").and_then(Value::as_u64) {
        Some(permille) => format!(" {}.{}%", permille / 10, permille % 10),
        None => String::new(),
    };
    format!(
        "{}{part}: {} images, {} blobs ({} read), {} files",
        text(progress, "phase"),
        checked(progress, "images"),
        checked(progress, "blobs"),
        bytes_text(checked(progress, "bytes")),
        checked(progress, "files"),
    )
}

fn summary(done: &Value, findings: u64) -> String {
    let found = match findings {
        0 => "all is well".to_owned(),
        1 => "1 finding".to_owned(),
        count => format!("{count} findings"),
    };
    format!(
        "{found}: {} images in {} repositories, {} blobs ({} read), {} uploads, {} files",
        checked(done, "images"),
        checked(done, "repositories"),
        checked(done, "blobs"),
        bytes_text(checked(done, "bytes")),
        checked(done, "uploads"),
        checked(done, "files"),
    )
}
