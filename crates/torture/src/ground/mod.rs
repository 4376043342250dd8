//! The ground that `crash`, `faults` and `kill` stand on: a disk in memory that records every file
//! operation (`volume`) behind a mount of the kernel's (`mount`), the real server program on it
//! (`program`), clients that work it (`work`), the book of what they were told (`told`),
//! and the check of a data directory against that book (`check`).
//!
//! Must never know what the product's files mean, but in `check`.

pub mod check;
pub mod mount;
pub mod program;
pub mod told;
pub mod volume;
pub mod work;

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use roadstead_registry::context::Clock;
use roadstead_testkit::{Credentials, Session};

/// The account of all repositories.
pub const ACCOUNT: &str = "123456789012";
/// Their region.
pub const REGION: &str = "us-east-1";

/// Logs in with a key that the server told: its id and its secret.
///
/// # Errors
/// If there is none, or it is not accepted.
pub async fn log_in(
    address: SocketAddr,
    key: Option<&(String, String)>,
    clock: Arc<dyn Clock>,
) -> Result<Session> {
    let (id, secret) = key.cloned().context("no access key was made")?;
    let region = REGION.into();
    let key = Credentials { id, secret, region };
    Session::log_in(address, key, clock).await
}
