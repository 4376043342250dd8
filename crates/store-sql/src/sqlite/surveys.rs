//! Long reads that nobody waits for: each on a thread and a connection of its own, below requests.
//!
//! They take no connection from requests and little of the processor that requests want.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use roadstead_store::metadata::{ErasedRead, StoreError};
use rustix::process::{getpriority_process, setpriority_process};
use rustix::thread::gettid;
use tokio::sync::{Semaphore, oneshot};

use super::connection::open_reader;
use super::readers::snapshot;

/// Surveys at a time: one for a preview, one for a run.
const SURVEYS_MAX: usize = 2;
/// How much nicer than others their threads are: they get about a tenth of what a busy thread of a
/// request gets.
const NICE: i32 = 10;

/// The way to long reads.
pub(super) struct Surveys {
    path: PathBuf,
    permits: Semaphore,
}

impl Surveys {
    /// Opens nothing yet.
    pub(super) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            permits: Semaphore::new(SURVEYS_MAX),
        }
    }

    /// Runs a body on a thread of its own.
    pub(super) async fn read(&self, body: ErasedRead) -> Result<(), StoreError> {
        let gone = |what: &dyn std::fmt::Display| StoreError::Unavailable(what.to_string());
        let _permit = self.permits.acquire().await.map_err(|e| gone(&e))?;
        let (answer, answered) = oneshot::channel();
        let path = self.path.clone();
        std::thread::Builder::new()
            .name("metadata-survey".into())
            .spawn(move || {
                give_way();
                let read = AssertUnwindSafe(|| snapshot(&mut open_reader(&path)?, &body));
                let panicked = |_| Err(StoreError::Failed("the read panicked".into()));
                // Whoever asked may have gone.
                let _ = answer.send(catch_unwind(read).unwrap_or_else(panicked));
            })
            .map_err(|e| gone(&e))?;
        answered.await.map_err(|e| gone(&e))?
    }
}

/// Lowers the priority of this thread; on Linux a thread has one of its own. Where that is not
/// allowed it reads all the same.
fn give_way() {
    let thread = Some(gettid());
    if let Ok(nice) = getpriority_process(thread) {
        let _ = setpriority_process(thread, nice + NICE);
    }
}
