//! One recording: the unmodified server on a recorded disk, worked by clients, killed or ended and
//! started again, and the log of all of it.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use roadstead_domain::time::Timestamp;
use roadstead_registry::context::Clock as _;
use roadstead_server::ambient::SystemClock;
use roadstead_server::control::Command;
use tokio::task::JoinSet;

use crate::ground::log_in;
use crate::ground::mount::Mounted;
use crate::ground::program::Program;
use crate::ground::told::{Book, Said, Told};
use crate::ground::volume::{Entry, Volume};
use crate::ground::work::{Worker, command};

/// Clients at a time.
const WORKERS: usize = 3;
/// What each does before the server ends.
const STEPS: u64 = 4;
/// How often the server is started; every other end is a kill.
const LIVES: u64 = 4;
/// Who speaks for the one who runs the server.
const OPERATOR: usize = WORKERS;

/// What was recorded.
pub struct Recording {
    /// Its seed.
    pub seed: u64,
    /// What was done and said, in order.
    pub entries: Vec<Entry>,
    /// When it ended.
    pub ended: Timestamp,
}

/// Records a server.
///
/// # Errors
/// If nothing can be mounted, the server does not start, or it fails at a request.
pub fn record(seed: u64) -> Result<Recording> {
    let folder = tempfile::tempdir()?;
    let volume = Arc::new(Volume::new());
    let mounted = Mounted::new(volume.clone(), folder.path())?;
    let data = folder.path().join("data");
    let book = Arc::new(Book::new(Told::default(), Some(volume.clone())));
    let mut workers: Vec<Worker> = (0..WORKERS)
        .map(|number| Worker::new(number, seed, book.clone(), &data))
        .collect();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    for life in 0..LIVES {
        // Each start sweeps once.
        book.hear(OPERATOR, Said::Sweep);
        let program = Program::start(&data)?;
        if let Some((id, secret)) = program.key.clone() {
            book.hear(OPERATOR, Said::Key(id, secret));
        }
        workers = runtime.block_on(live(program, &book, workers, (life, &data)))?;
    }
    drop(runtime);
    mounted.end()?;
    Ok(Recording {
        seed,
        entries: volume.take_log(),
        ended: SystemClock.now(),
    })
}

/// One life of the server. Every other one is ended by a kill when the first worker is done, with
/// requests on their way.
async fn live(
    program: Program,
    book: &Arc<Book>,
    mut workers: Vec<Worker>,
    (life, data): (u64, &Path),
) -> Result<Vec<Worker>> {
    let client = log_in(
        program.address,
        book.told().key.as_ref(),
        Arc::new(SystemClock),
    )
    .await?;
    // Comes behind the one of the start.
    command(data, Command::Sweep).await?;
    book.hear(OPERATOR, Said::Done);
    if life == 0 {
        for worker in &mut workers {
            worker.set_up(&client).await?;
        }
    }
    let is_killed = life.is_multiple_of(2);
    let mut working = JoinSet::new();
    for mut worker in workers {
        let client = client.clone();
        // The others are still at work when the first one is done.
        let steps = match is_killed && worker.number() > 0 {
            true => STEPS * 100,
            false => STEPS,
        };
        working.spawn(async move {
            worker.work(&client, steps).await;
            worker
        });
    }
    let (mut done, mut program) = (Vec::new(), Some(program));
    while let Some(worker) = working.join_next().await {
        let worker = worker.context("a worker")?;
        if let Some(failure) = worker.failures.first() {
            bail!("the server failed: {failure}");
        }
        done.push(worker);
        if is_killed && let Some(program) = program.take() {
            program.kill()?;
        }
    }
    if let Some(program) = program {
        program.stop()?;
    }
    Ok(done)
}
