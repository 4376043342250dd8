//! The command line: one module for each command.

pub mod alias;
pub mod demo;
pub mod doctor;
pub mod key;
pub mod lifecycle;
pub mod serve;
pub mod sweep;
pub mod undelete;

use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Parser, Subcommand, ValueEnum};
use rustix::fs::Mode;

use crate::config::Config;

/// A self-hosted container registry that is Amazon ECR to its clients.
#[derive(Debug, Parser)]
#[command(name = "roadstead", version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the registry.
    Serve(serve::ServeArgs),
    /// Show the main job on a throw-away store: create, push, list, delete, free.
    Demo(demo::DemoArgs),
    /// Make, list and disable access keys.
    Key(key::KeyArgs),
    /// Name public registries.
    Alias(alias::AliasArgs),
    /// Show what waits to be freed, or free it.
    Sweep(sweep::SweepArgs),
    /// Verify that every row has its bytes and every byte its row; set aside what is rotten.
    Doctor(doctor::DoctorArgs),
    /// Explain, run and test lifecycle policies.
    Lifecycle(lifecycle::LifecycleArgs),
    /// Bring deleted images or a deleted repository back.
    Undelete(undelete::UndeleteArgs),
}

/// Where the settings come from.
#[derive(Debug, Clone, Args)]
pub struct ConfigArgs {
    /// The configuration file (TOML).
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The data directory.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

impl ConfigArgs {
    /// The settings: file, variables, then these arguments.
    pub fn load(&self) -> Result<Config> {
        let mut config = Config::load(self.config.as_deref(), |name| std::env::var(name).ok())?;
        if let Some(data) = &self.data {
            config.data = data.clone();
        }
        Ok(config)
    }
}

/// How to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    #[value(name = "text", alias = "table")]
    Table,
    /// For programs.
    Json,
}

/// A text of a server's answer; empty if it has none.
fn text<'v>(value: &'v serde_json::Value, member: &str) -> &'v str {
    let text = value.get(member).and_then(serde_json::Value::as_str);
    text.unwrap_or_default()
}

/// A number of bytes for people.
pub fn bytes_text(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        1_048_576..1_073_741_824 => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
        _ => format!("{:.1} GiB", bytes as f64 / 1_073_741_824.0),
    }
}

/// Runs a parsed command line.
pub fn run(cli: Cli) -> Result<ExitCode> {
    // Whatever is made from here on is its owner's alone, even in a folder that others can enter.
    rustix::process::umask(Mode::from_raw_mode(0o077));
    let done = match cli.command {
        Command::Serve(args) => serve::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Key(args) => key::run(&args),
        Command::Alias(args) => alias::run(&args),
        Command::Sweep(args) => sweep::run(&args),
        Command::Undelete(args) => undelete::run(&args),
        Command::Doctor(args) => return doctor::run(&args).or_else(unless_nobody_reads),
        Command::Lifecycle(args) => {
            return lifecycle::run(&args).or_else(unless_nobody_reads);
        }
    };
    done.map(|()| ExitCode::SUCCESS)
}

/// A reader that has seen enough, such as `head`, is no failure.
fn unless_nobody_reads(error: anyhow::Error) -> Result<ExitCode> {
    let is_closed = |error: &std::io::Error| error.kind() == ErrorKind::BrokenPipe;
    if error.downcast_ref().is_some_and(is_closed) {
        return Ok(ExitCode::SUCCESS);
    }
    Err(error)
}
