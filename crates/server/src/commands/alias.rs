//! `roadstead alias`: names of public registries, beside a running server or without one.
//!
//! AWS gives out names of one's choice on request only; here the operator does.

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::Value;

use super::{ConfigArgs, Output, text};
use crate::control::{self, Command};

/// `roadstead alias`.
#[derive(Debug, Args)]
pub struct AliasArgs {
    /// What to do with aliases.
    #[command(subcommand)]
    pub action: AliasAction,
}

/// What to do with aliases.
#[derive(Debug, Subcommand)]
pub enum AliasAction {
    /// Give the public registry of an account one more alias.
    Add {
        /// The alias: 2 to 50 characters, a letter first.
        alias: String,
        /// The account, 12 digits; the default account if none.
        #[arg(long)]
        account: Option<String>,
        /// Show it in addresses from now on; the others stay good.
        #[arg(long)]
        primary: bool,
        /// Where.
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// List the aliases of an account's public registry.
    List {
        /// The account, 12 digits; the default account if none.
        #[arg(long)]
        account: Option<String>,
        /// Where.
        #[command(flatten)]
        config: ConfigArgs,
        /// How to print.
        #[arg(long, value_enum, default_value = "text")]
        output: Output,
    },
}

/// Runs the command.
pub fn run(args: &AliasArgs) -> Result<()> {
    match &args.action {
        AliasAction::Add {
            alias,
            account,
            primary,
            config,
        } => {
            let config = config.load()?;
            let command = Command::AliasAdd {
                account: account.clone().unwrap_or_else(|| config.account.clone()),
                alias: alias.clone(),
                is_primary: *primary,
            };
            control::run(&config, &command, |_| Ok(()))?;
            println!("{alias} is an alias");
        }
        AliasAction::List {
            account,
            config,
            output,
        } => {
            let config = config.load()?;
            let account = account.clone().unwrap_or_else(|| config.account.clone());
            let aliases = control::run(&config, &Command::AliasList { account }, |_| Ok(()))?;
            match output {
                Output::Json => println!("{aliases}"),
                Output::Table => aliases
                    .as_array()
                    .into_iter()
                    .flatten()
                    .for_each(print_alias),
            }
        }
    }
    Ok(())
}

fn print_alias(alias: &Value) {
    let is = |member| alias.get(member).and_then(Value::as_bool) == Some(true);
    let kind = match (is("primary"), is("default")) {
        (true, true) => "primary, default",
        (true, false) => "primary",
        (false, true) => "default",
        (false, false) => "",
    };
    println!("{}  {kind}", text(alias, "alias"));
}
