//! Long reads that nobody waits for, one after the other on a thread of their own, below requests.
//!
//! They take no connection from requests and little of the processor that requests want.

use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};

use roadstead_store::metadata::{ErasedRead, StoreError};
use rusqlite::Connection;
use rustix::process::{getpriority_process, setpriority_process};
use rustix::thread::gettid;
use tokio::sync::oneshot;

use super::connection::open_reader;
use super::readers::snapshot;

/// How much nicer than others the thread is: it gets about a tenth of what a busy thread of a
/// request gets, and all that those leave.
const NICE: i32 = 10;

struct Survey {
    body: ErasedRead,
    answer: oneshot::Sender<Result<(), StoreError>>,
}

/// The way to the thread, which ends when this is dropped.
pub(super) struct Surveys(Sender<Survey>);

impl Surveys {
    /// Starts the thread.
    pub(super) fn start(path: &Path) -> Result<Self, StoreError> {
        let mut connection = open_reader(path)?;
        let (sender, surveys) = channel();
        std::thread::Builder::new()
            .name("metadata-survey".into())
            .spawn(move || run(&mut connection, &surveys))
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(Self(sender))
    }

    /// Runs a body after those that were given before.
    pub(super) async fn read(&self, body: ErasedRead) -> Result<(), StoreError> {
        let gone = || StoreError::Unavailable("the survey thread has ended".into());
        let (answer, answered) = oneshot::channel();
        self.0.send(Survey { body, answer }).map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

fn run(connection: &mut Connection, surveys: &Receiver<Survey>) {
    give_way();
    for survey in surveys {
        if survey.answer.is_closed() {
            continue;
        }
        let result = snapshot(connection, &survey.body);
        // Whoever asked may have gone meanwhile.
        let _ = survey.answer.send(result);
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
