//! Project automation: `cargo xtask <command>`. Each command is one module with one `run`.

mod bench;
mod ci;
mod clients;
mod codegen;
mod conformance;
mod fuzz;
mod golang;
mod install;
mod layers;
mod model;
mod newer;
mod process;
mod services;
mod test;
mod tidy;
mod torture;

use anyhow::{Result, bail};
use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask <command>
  test [FILTER...]        install what the tests need, then run them all
  ci                      formatting, lints, docs, layers, tidy, fresh generated code, then test
  bench [CASE...]         measure side by side and write docs/performance.md (--rounds N)
  fuzz [TARGET...]        look for input that breaks a parser (--seconds N, 60 of each)
  torture [PART...]       run the proof of durability (--seed N, --long, --amount N)
  torture --mutants [NAME...]  show that it notices a product broken on purpose
  model import [VERSION]  read botocore's model from PyPI into models/ (facts only)
  model drift [VERSION]   compare models/ with the newest botocore, each difference in words
  codegen [--check]       write the generated shapes and docs/operations.md
  layers                  check that crate arrows go one way
  tidy                    check what neither compiler nor clippy can
";

fn main() -> ExitCode {
    match dispatch() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let rest = args.get(1..).unwrap_or_default();
    match args.first().map(String::as_str) {
        Some("test") => test::run(rest),
        Some("ci") => ci::run(rest),
        Some("fuzz") => fuzz::run(rest),
        Some("model") => model::run(rest),
        Some("codegen") => codegen::run(rest),
        Some("layers") => layers::run(rest),
        Some("tidy") => tidy::run(rest),
        Some("bench") => bench::run(rest),
        Some("torture") => torture::run(rest),
        _ => bail!("{USAGE}"),
    }
}
