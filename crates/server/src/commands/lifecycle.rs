//! `roadstead lifecycle`: what a policy would do and why, runs and their records, and policies as
//! files: tested and looked over before they are put.

mod cases;
mod explain;
mod runs;

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use roadstead_domain::lifecycle::policy::LifecyclePolicy;
use serde_json::Value;

use super::{ConfigArgs, Output, text};
use crate::config::Config;
use crate::control::{self, Command, Place};

/// Ended by what was found, for the commands that need no server.
const FOUND: u8 = 1;
/// Ended by a file that cannot be read.
const UNREADABLE: u8 = 2;

/// `roadstead lifecycle`.
#[derive(Debug, Args)]
pub struct LifecycleArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: LifecycleAction,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum LifecycleAction {
    /// Show for every image what would happen to it, by which rule, and why.
    Explain(ExplainArgs),
    /// Run the policy of a repository now.
    Run(RunArgs),
    /// Show the runs of a repository's policy, or what one of them did.
    Runs(RunsArgs),
    /// Run files of test cases. Needs no server.
    Test(TestArgs),
    /// Warn of what a policy may not mean. Needs no server.
    Lint(LintArgs),
}

/// Which repository, and where.
#[derive(Debug, Args)]
pub struct PlaceArgs {
    /// The repository.
    pub repository: String,
    /// Its account, if not the default one.
    #[arg(long)]
    pub account: Option<String>,
    /// Its region, if not the default one.
    #[arg(long)]
    pub region: Option<String>,
    /// Where.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// How to print.
    #[arg(long, value_enum, default_value = "text")]
    pub output: Output,
}

/// `roadstead lifecycle explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// Of what.
    #[command(flatten)]
    pub place: PlaceArgs,
    /// As of when: a date, or RFC 3339.
    #[arg(long, value_name = "DATE")]
    pub at: Option<String>,
    /// The policy, if not the one in force; `-` is the standard input.
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// Show only images that this policy treats otherwise, with both outcomes; `in-force` is the one
    /// in force.
    #[arg(long, value_name = "FILE")]
    pub against: Option<PathBuf>,
}

/// `roadstead lifecycle run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Of what.
    #[command(flatten)]
    pub place: PlaceArgs,
    /// Run even if it deletes more of the repository than `lifecycle.expire_percent_max` allows.
    #[arg(long)]
    pub above_ceiling: bool,
}

/// `roadstead lifecycle runs`.
#[derive(Debug, Args)]
pub struct RunsArgs {
    /// Of what.
    #[command(flatten)]
    pub place: PlaceArgs,
    /// What this run did, image by image.
    #[arg(long, value_name = "N")]
    pub run: Option<i64>,
}

/// `roadstead lifecycle test`.
#[derive(Debug, Args)]
pub struct TestArgs {
    /// The files; `-` is the standard input.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// How to print.
    #[arg(long, value_enum, default_value = "text")]
    pub output: Output,
}

/// `roadstead lifecycle lint`.
#[derive(Debug, Args)]
pub struct LintArgs {
    /// The policy; `-` is the standard input.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// How to print.
    #[arg(long, value_enum, default_value = "text")]
    pub output: Output,
}

/// Runs the command.
pub fn run(args: &LifecycleArgs) -> Result<ExitCode> {
    match &args.action {
        LifecycleAction::Explain(args) => explain::run(args),
        LifecycleAction::Run(args) => runs::run(args),
        LifecycleAction::Runs(args) => runs::list(args),
        LifecycleAction::Test(args) => cases::test(args),
        LifecycleAction::Lint(args) => cases::lint(args),
    }
}

impl PlaceArgs {
    /// The settings, and the repository that is named.
    pub(super) fn load(&self) -> Result<(Config, Place)> {
        let config = self.config.load()?;
        let place = Place {
            account: self.account.clone().unwrap_or(config.account.clone()),
            region: self.region.clone().unwrap_or(config.region.clone()),
            repository: self.repository.clone(),
            public: false,
        };
        Ok((config, place))
    }
}

/// The text of a file, or of the standard input.
fn read(path: &Path) -> Result<String> {
    if path.as_os_str() != "-" {
        return std::fs::read_to_string(path)
            .with_context(|| format!("reading {}", path.display()));
    }
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .context("reading the standard input")?;
    Ok(text)
}

/// The text of a file that holds a policy as PutLifecyclePolicy would take it.
fn read_policy(path: &Path) -> Result<(String, LifecyclePolicy)> {
    let text = read(path)?;
    let policy = LifecyclePolicy::parse(&text).with_context(|| path.display().to_string())?;
    Ok((text, policy))
}

fn number(value: &Value, member: &str) -> i64 {
    value
        .get(member)
        .and_then(Value::as_i64)
        .unwrap_or_default()
}

/// Enough of a digest for people.
fn short(digest: &str) -> &str {
    digest.get(..19).unwrap_or(digest)
}

/// Some tags of an image, and how many more there are.
fn tags(image: &Value) -> String {
    const SHOWN: usize = 3;
    let tags = image.get("tags").and_then(Value::as_array);
    let tags: Vec<&str> = tags
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let shown = tags.iter().take(SHOWN).copied().collect::<Vec<_>>();
    match tags.len() {
        0 => "-".into(),
        1..=SHOWN => shown.join(","),
        more => format!("{},+{}", shown.join(","), more - SHOWN),
    }
}
