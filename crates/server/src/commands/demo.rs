//! placeholder
use clap::Args;
/// `roadstead demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {}
/// Runs the command.
pub fn run(_args: &DemoArgs) -> anyhow::Result<()> {
    Ok(())
}
