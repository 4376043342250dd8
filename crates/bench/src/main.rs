//! The load that `cargo xtask bench` puts on registries: one thread, many connections, plain
//! HTTP/1.1. Takes one piece of work as JSON on the command line, answers one line of JSON.
//!
//! It measures and never judges, knows nothing of the servers but their protocol, and must never
//! be used by the product.

mod aws;
mod connection;
mod content;
mod fill;
mod load;

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde::Deserialize;

/// What to do.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
enum Task {
    /// Logs in with an access key and makes repositories; answers the `Authorization` header.
    Login {
        server: aws::Server,
        repositories: Vec<String>,
    },
    /// Fills an empty data directory with a repository of tagged images.
    Fill {
        directory: PathBuf,
        repository: String,
        images: u64,
    },
    /// Puts load on a server.
    Load(load::Plan),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let text = std::env::args().nth(1).context("usage: TASK (as JSON)")?;
    let answer = match serde_json::from_str(&text).context("the task")? {
        Task::Login {
            server,
            repositories,
        } => aws::log_in(&server, &repositories).await?,
        Task::Fill {
            directory,
            repository,
            images,
        } => fill::fill(&directory, &repository, images).await?,
        Task::Load(plan) => load::run(plan).await?,
    };
    println!("{answer}");
    Ok(())
}
