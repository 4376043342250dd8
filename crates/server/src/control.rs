//! Commands to a data directory: through the process that owns it, over an owner-only Unix
//! socket, or by opening the store here when no process does.
//!
//! One line of JSON asks; lines of JSON answer, the last one with `done` or `error`.

mod aliases;
mod doctor;
mod explain;
mod keys;
mod lifecycle;
mod undelete;

use std::fs::File;
use std::io::{BufRead as _, BufReader, ErrorKind, Write as _};
use std::num::NonZeroU64;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow, bail};
use roadstead_domain::ids::AccountId;
use roadstead_domain::time::Timestamp;
use roadstead_registry::Registry;
use roadstead_registry::context::Clock;
use roadstead_registry::doctor::Options;
use roadstead_registry::work::SweepReport;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixListener;
use tokio::net::unix::OwnedWriteHalf;
use tokio::sync::mpsc::Sender;

use crate::ambient::{SystemClock, SystemIds};
use crate::compose;
use crate::config::Config;
use crate::data_dir::{DataDir, socket_path};

pub use self::lifecycle::Place;

/// Longest command, bytes: two policies of 30,720 characters, however they are escaped.
const COMMAND_BYTES_MAX: u64 = 1024 * 1024;
/// Lines on their way to whoever asked.
const LINES: usize = 256;

/// A command.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case")]
pub enum Command {
    /// Make an access key.
    KeyCreate {
        /// For this account.
        account: String,
    },
    /// List access keys, without secrets.
    KeyList {
        /// Of this account, or of all.
        account: Option<String>,
    },
    /// Make an access key stop working.
    KeyDisable {
        /// Its id.
        id: String,
    },
    /// Give a public registry an alias.
    AliasAdd {
        /// Of this account.
        account: String,
        /// The alias.
        alias: String,
        /// Whether addresses show it.
        is_primary: bool,
    },
    /// List the aliases of a public registry.
    AliasList {
        /// Of this account.
        account: String,
    },
    /// What a sweep would find.
    SweepStatus,
    /// Sweep until nothing is left to do.
    Sweep,
    /// Verify the store.
    Doctor {
        /// Only report.
        dry_run: bool,
        /// Look at the lengths of blobs only.
        quick: bool,
        /// The most bytes of blobs to read in a second, 0 for no limit; by default none, and beside
        /// a running server 100 MiB.
        bytes_per_second: Option<u64>,
    },
    /// What lifecycle policies would do to each image.
    LifecycleExplain {
        /// To which repository.
        #[serde(flatten)]
        place: Place,
        /// As of when, RFC 3339; now if none.
        at: Option<String>,
        /// The policy, and one to compare it with: texts, or none for the one in force.
        policies: Vec<Option<String>>,
    },
    /// Run a lifecycle policy now.
    LifecycleRun {
        /// Of this repository.
        #[serde(flatten)]
        place: Place,
        /// Whatever part of the repository it deletes.
        above_ceiling: bool,
    },
    /// The records of runs.
    LifecycleRuns {
        /// Of this repository.
        #[serde(flatten)]
        place: Place,
        /// What this one did, image by image.
        run: Option<i64>,
    },
    /// What can be brought back.
    UndeleteList {
        /// Into this repository.
        #[serde(flatten)]
        place: Place,
    },
    /// Bring back what was deleted.
    Undelete {
        /// Into this repository, or this repository itself.
        #[serde(flatten)]
        place: Place,
        /// These images, by digest; none for the repository.
        digests: Vec<String>,
    },
}

/// Runs a command against whoever owns `config.data`; `progress` gets the lines before the last.
pub fn run(
    config: &Config,
    command: &Command,
    mut progress: impl FnMut(&Value) -> Result<()> + Send,
) -> Result<Value> {
    if let Some(stream) = connect(&config.data)? {
        return ask(stream, command, progress);
    }
    let makes_data = matches!(command, Command::KeyCreate { .. });
    if !makes_data && !config.data.join("metadata.sqlite").exists() {
        bail!("there is no registry in {}", config.data.display());
    }
    let data = DataDir::take(&config.data)?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let registry = compose::embedded(
            &data,
            Arc::new(SystemClock),
            Arc::new(SystemIds::default()),
            config.rules(),
        )?;
        let audience = Audience::Here(&mut progress);
        conduct(&registry, &SystemClock, command, audience).await
    })
}

fn connect(data: &Path) -> Result<Option<UnixStream>> {
    let directory = match File::open(data) {
        Ok(directory) => directory,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("opening {}", data.display())),
    };
    match UnixStream::connect(socket_path(&directory)) {
        Ok(stream) => Ok(Some(stream)),
        // No socket, or one that a server left when it died.
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::NotFound | ErrorKind::ConnectionRefused
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(error).context("reaching the server that owns the data directory"),
    }
}

fn ask(
    mut stream: UnixStream,
    command: &Command,
    mut progress: impl FnMut(&Value) -> Result<()>,
) -> Result<Value> {
    let asked = serde_json::to_string(command)? + "\n";
    let lost = |error| anyhow!("talking to the server: {error}");
    stream.write_all(asked.as_bytes()).map_err(lost)?;
    for line in BufReader::new(stream).lines() {
        let line: Value = serde_json::from_str(&line.map_err(lost)?)?;
        if let Some(done) = line.get("done") {
            return Ok(done.clone());
        }
        if let Some(error) = line.get("error").and_then(Value::as_str) {
            bail!("{error}");
        }
        progress(&line)?;
    }
    bail!("the server ended the conversation early");
}

/// Opens the control socket of a data directory that this process owns.
pub fn listen(data: &DataDir) -> Result<UnixListener> {
    let directory = File::open(data.path())?;
    let path = socket_path(&directory);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let listener = UnixListener::bind(&path).context("opening the control socket")?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Takes commands until the listener fails.
pub async fn serve(listener: UnixListener, registry: Arc<Registry>, clock: Arc<dyn Clock>) {
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "control socket");
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                continue;
            }
        };
        let (registry, clock) = (registry.clone(), clock.clone());
        tokio::spawn(async move {
            if let Err(error) = converse(stream, &registry, &*clock).await {
                tracing::warn!(%error, "control conversation");
            }
        });
    }
}

async fn converse(
    stream: tokio::net::UnixStream,
    registry: &Registry,
    clock: &dyn Clock,
) -> Result<()> {
    let (reading, mut writing) = stream.into_split();
    let mut line = String::new();
    tokio::io::BufReader::new(reading.take(COMMAND_BYTES_MAX))
        .read_line(&mut line)
        .await?;
    let outcome = match serde_json::from_str::<Command>(&line) {
        Err(error) => Err(anyhow!("not a command: {error}")),
        Ok(mut command) => {
            doctor::give_way(&mut command);
            let audience = Audience::There(&mut writing);
            conduct(registry, clock, &command, audience).await
        }
    };
    let last = match outcome {
        Ok(done) => json!({ "done": done }),
        Err(error) => json!({ "error": format!("{error:#}") }),
    };
    Ok(writing.write_all(format!("{last}\n").as_bytes()).await?)
}

/// Who sees the lines of a command.
enum Audience<'a> {
    /// This process.
    Here(&'a mut (dyn FnMut(&Value) -> Result<()> + Send)),
    /// Whoever is at the other end of the socket.
    There(&'a mut OwnedWriteHalf),
}

impl Audience<'_> {
    async fn see(&mut self, lines: &[Value]) -> Result<()> {
        match self {
            Self::Here(progress) => lines.iter().try_for_each(progress),
            Self::There(writing) => {
                let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
                Ok(writing.write_all(text.as_bytes()).await?)
            }
        }
    }
}

/// Does what a command says and shows its lines as they come. A command goes on though nobody wants
/// to see them any more; one that does nothing else may end then.
async fn conduct(
    registry: &Registry,
    clock: &dyn Clock,
    command: &Command,
    mut audience: Audience<'_>,
) -> Result<Value> {
    let (sender, mut lines) = tokio::sync::mpsc::channel(LINES);
    let executed = async {
        // Dropped with the last line.
        let sender = sender;
        execute(registry, clock, command, &sender).await
    };
    let mut executed = std::pin::pin!(executed);
    let (mut outcome, mut shown, mut batch) = (None, Ok(()), Vec::new());
    loop {
        tokio::select! {
            done = &mut executed, if outcome.is_none() => outcome = Some(done),
            count = lines.recv_many(&mut batch, LINES) => {
                if count == 0 {
                    break;
                }
                if shown.is_ok() {
                    shown = audience.see(&batch).await;
                }
                if shown.is_err() {
                    lines.close();
                }
                batch.clear();
            }
        }
    }
    let outcome = match outcome {
        Some(outcome) => outcome,
        None => executed.await,
    };
    shown.and(outcome)
}

/// Does what a command says, in the process that owns the stores.
async fn execute(
    registry: &Registry,
    clock: &dyn Clock,
    command: &Command,
    progress: &Sender<Value>,
) -> Result<Value> {
    match command {
        Command::KeyCreate { account } => keys::create(registry, clock, account).await,
        Command::KeyList { account } => keys::list(registry, account.as_deref()).await,
        Command::KeyDisable { id } => keys::disable(registry, clock, id).await,
        Command::AliasAdd {
            account,
            alias,
            is_primary,
        } => aliases::add(registry, account, alias, *is_primary).await,
        Command::AliasList { account } => aliases::list(registry, account).await,
        Command::SweepStatus => {
            let status = registry.sweep_status(clock.now()).await?;
            Ok(json!({
                "blobsWaiting": status.links_waiting,
                "bytesWaiting": status.bytes_waiting,
                "blobsDue": status.links_due,
                "blobsDoomed": status.blobs_doomed,
                "bytesDoomed": status.bytes_doomed,
                "repositoriesDeleted": status.repositories_deleted,
                "graceSeconds": status.grace_seconds,
            }))
        }
        Command::Sweep => sweep(registry, clock, progress).await,
        Command::Doctor {
            dry_run,
            quick,
            bytes_per_second,
        } => {
            let options = Options {
                is_dry_run: *dry_run,
                is_quick: *quick,
                bytes_per_second: bytes_per_second.and_then(NonZeroU64::new),
            };
            doctor::examine(registry, options, progress).await
        }
        Command::LifecycleExplain {
            place,
            at,
            policies,
        } => {
            let at = match at {
                None => clock.now(),
                Some(at) => Timestamp::parse_rfc3339(at).context("not a date")?,
            };
            explain::explain(registry, place, at, policies, progress).await
        }
        Command::LifecycleRun {
            place,
            above_ceiling,
        } => lifecycle::run(registry, clock, place, *above_ceiling).await,
        Command::LifecycleRuns { place, run: None } => lifecycle::runs(registry, place).await,
        Command::LifecycleRuns {
            place,
            run: Some(run),
        } => lifecycle::entries(registry, place, *run, progress).await,
        Command::UndeleteList { place } => undelete::list(registry, place).await,
        Command::Undelete { place, digests } => {
            undelete::undelete(registry, clock, place, digests).await
        }
    }
}

fn account(text: &str) -> Result<AccountId> {
    AccountId::parse(text).context("an account has 12 digits")
}

async fn sweep(registry: &Registry, clock: &dyn Clock, progress: &Sender<Value>) -> Result<Value> {
    let mut total = SweepReport::default();
    loop {
        let Some(step) = registry.sweep_step(clock.now()).await? else {
            bail!("another node is sweeping");
        };
        total += step;
        if !total.has_more {
            return Ok(report(&total));
        }
        // Nobody may be listening any more; the sweep goes on.
        let _ = progress.send(report(&total)).await;
    }
}

/// A report as JSON.
fn report(report: &SweepReport) -> Value {
    json!({
        "bytesFreed": report.bytes_freed,
        "blobsDeleted": report.blobs_deleted,
        "linksRemoved": report.links_removed,
        "uploadsExpired": report.uploads_expired,
        "repositoriesReaped": report.repositories_reaped,
    })
}
