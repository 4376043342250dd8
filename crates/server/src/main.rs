//! The `roadstead` program.

use clap::Parser as _;
use roadstead_server::commands::{Cli, run};

fn main() -> std::process::ExitCode {
    match run(Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("roadstead: {error:#}");
            std::process::ExitCode::FAILURE
        }
    }
}
