//! `roadstead sweep`: what waits to be freed, and freeing it now. Grace is never shortened.

use std::time::Duration;

use anyhow::Result;
use clap::Args;
use indicatif::ProgressBar;
use serde_json::Value;

use super::{ConfigArgs, Output, bytes_text};
use crate::control::{self, Command};

/// `roadstead sweep`.
#[derive(Debug, Args)]
pub struct SweepArgs {
    /// Sweep now instead of waiting for the next pass. Blobs in their grace stay.
    #[arg(long)]
    pub now: bool,
    /// Where.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// How to print.
    #[arg(long, value_enum, default_value = "text")]
    pub output: Output,
}

/// Runs the command.
pub fn run(args: &SweepArgs) -> Result<()> {
    let config = args.config.load()?;
    if !args.now {
        let status = control::run(&config, &Command::SweepStatus, |_| Ok(()))?;
        match args.output {
            Output::Json => println!("{status}"),
            Output::Table => print_status(&status),
        }
        return Ok(());
    }
    let spinner = ProgressBar::new_spinner().with_message("sweeping");
    spinner.enable_steady_tick(Duration::from_millis(100));
    let report = control::run(&config, &Command::Sweep, |so_far| {
        spinner.set_message(format!(
            "sweeping: {} freed",
            bytes_text(number(so_far, "bytesFreed"))
        ));
        Ok(())
    });
    spinner.finish_and_clear();
    let report = report?;
    match args.output {
        Output::Json => println!("{report}"),
        Output::Table => println!(
            "freed {} in {} blobs",
            bytes_text(number(&report, "bytesFreed")),
            number(&report, "blobsDeleted")
        ),
    }
    Ok(())
}

fn number(value: &Value, member: &str) -> u64 {
    value
        .get(member)
        .and_then(Value::as_u64)
        .unwrap_or_default()
}

fn print_status(status: &Value) {
    println!(
        "{} unreferenced blobs ({}) wait; grace is {} s, {} are past it",
        number(status, "blobsWaiting"),
        bytes_text(number(status, "bytesWaiting")),
        number(status, "graceSeconds"),
        number(status, "blobsDue"),
    );
    println!(
        "{} blobs ({}) and {} deleted repositories go with the next pass",
        number(status, "blobsDoomed"),
        bytes_text(number(status, "bytesDoomed")),
        number(status, "repositoriesDeleted"),
    );
}
