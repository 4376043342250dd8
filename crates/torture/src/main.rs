//! `cargo xtask torture`: runs the parts that are named, or all, and fails if any finds something.

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Parser;
use roadstead_server::commands::Cli;
use roadstead_torture::ground::program::AS_SERVER;
use roadstead_torture::{Report, Work};

/// One part, by name, with the amount of a short and of a documented run.
struct Part {
    name: &'static str,
    short: u64,
    long: u64,
    run: fn(Work) -> Result<Report>,
}

const PARTS: &[Part] = &[
    Part {
        name: "model",
        short: 20_000,
        long: 1_000_000,
        run: roadstead_torture::model::run,
    },
    Part {
        name: "schedules",
        short: 2_000,
        long: 100_000,
        run: roadstead_torture::schedules::run,
    },
    Part {
        name: "crash",
        short: 300,
        long: 20_000,
        run: roadstead_torture::crash::run,
    },
    Part {
        name: "faults",
        short: 40,
        long: 10_000,
        run: roadstead_torture::faults::run,
    },
    Part {
        name: "kill",
        short: 12,
        long: 500,
        run: roadstead_torture::kill::run,
    },
    Part {
        name: "load",
        short: 256,
        long: 2048,
        run: roadstead_torture::load::run,
    },
];

/// Shows that nothing acknowledged is lost.
#[derive(Parser)]
struct Arguments {
    /// The parts to run; all without one.
    parts: Vec<String>,
    /// Where chance begins.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The amounts of a documented run.
    #[arg(long)]
    long: bool,
    /// Another amount, in the part's own unit.
    #[arg(long)]
    amount: Option<u64>,
}

fn main() -> Result<ExitCode> {
    if std::env::args().nth(1).as_deref() == Some(AS_SERVER) {
        return roadstead_server::commands::run(Cli::parse_from(std::env::args().skip(1)));
    }
    let arguments = Arguments::parse();
    if let Some(name) = arguments
        .parts
        .iter()
        .find(|name| !PARTS.iter().any(|part| part.name == **name))
    {
        let names: Vec<&str> = PARTS.iter().map(|part| part.name).collect();
        bail!("no part {name}; there are {}", names.join(", "));
    }
    let mut findings = 0;
    for part in PARTS {
        if !arguments.parts.is_empty() && !arguments.parts.iter().any(|name| name == part.name) {
            continue;
        }
        let usual = if arguments.long {
            part.long
        } else {
            part.short
        };
        let work = Work {
            seed: arguments.seed,
            amount: arguments.amount.unwrap_or(usual),
        };
        println!("{} (seed {}, {})", part.name, work.seed, work.amount);
        let report = (part.run)(work)?;
        for (what, count) in &report.counts {
            println!("  {what}: {count}");
        }
        for finding in &report.findings {
            println!("  FOUND {finding}");
        }
        findings += report.findings.len();
    }
    println!("{findings} findings");
    Ok(if findings == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
