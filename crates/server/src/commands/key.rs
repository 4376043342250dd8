//! `roadstead key`: access keys of a data directory, beside a running server or without one.

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::Value;

use super::{ConfigArgs, Output, text};
use crate::control::{self, Command};

/// `roadstead key`.
#[derive(Debug, Args)]
pub struct KeyArgs {
    /// What to do with keys.
    #[command(subcommand)]
    pub action: KeyAction,
}

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub enum KeyAction {
    /// Make a root access key of an account and print it, this once.
    Create {
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
    /// List keys, without their secrets.
    List {
        /// Of this account only.
        #[arg(long)]
        account: Option<String>,
        /// Where.
        #[command(flatten)]
        config: ConfigArgs,
        /// How to print.
        #[arg(long, value_enum, default_value = "text")]
        output: Output,
    },
    /// Make a key stop working, within seconds on every node.
    Disable {
        /// The access key id.
        id: String,
        /// Where.
        #[command(flatten)]
        config: ConfigArgs,
    },
}

/// Runs the command.
pub fn run(args: &KeyArgs) -> Result<()> {
    match &args.action {
        KeyAction::Create {
            account,
            config,
            output,
        } => {
            let config = config.load()?;
            let account = account.clone().unwrap_or_else(|| config.account.clone());
            let key = control::run(&config, &Command::KeyCreate { account }, |_| Ok(()))?;
            match output {
                Output::Json => println!("{key}"),
                Output::Table => {
                    println!("export AWS_ACCESS_KEY_ID={}", text(&key, "accessKeyId"));
                    println!(
                        "export AWS_SECRET_ACCESS_KEY={}",
                        text(&key, "secretAccessKey")
                    );
                }
            }
        }
        KeyAction::List {
            account,
            config,
            output,
        } => {
            let command = Command::KeyList {
                account: account.clone(),
            };
            let keys = control::run(&config.load()?, &command, |_| Ok(()))?;
            match output {
                Output::Json => println!("{keys}"),
                Output::Table => keys.as_array().into_iter().flatten().for_each(print_key),
            }
        }
        KeyAction::Disable { id, config } => {
            control::run(
                &config.load()?,
                &Command::KeyDisable { id: id.clone() },
                |_| Ok(()),
            )?;
            println!("{id} is disabled");
        }
    }
    Ok(())
}

fn print_key(key: &Value) {
    let state = if key.get("disabledAt").is_some_and(Value::is_number) {
        "disabled"
    } else {
        "active"
    };
    println!(
        "{}  {}  {state}",
        text(key, "accessKeyId"),
        text(key, "account")
    );
}
