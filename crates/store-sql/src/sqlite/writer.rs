//! The writer thread: group commit.
//!
//! It takes what has queued up, runs it in one transaction with a savepoint each, syncs once, and
//! only then answers all, refusals included: a refusal may rest on a change of the same group.

use std::thread::JoinHandle;

use roadstead_store::metadata::{ErasedWrite, StoreError, Verdict};
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::connection::{failed, run_body};

/// Most bodies of one commit. Bounds what a failed commit takes with it.
const GROUP_MAX: usize = 256;

struct Job {
    body: ErasedWrite,
    answer: oneshot::Sender<Result<(), StoreError>>,
}

/// The way to the writer thread. Dropping it lets the thread finish its queue and waits for it.
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread, which owns the connection from now on.
    pub(super) fn start(mut connection: Connection, queued_max: usize) -> Result<Self, StoreError> {
        let (queue, mut jobs) = mpsc::channel(queued_max.max(1));
        let thread = std::thread::Builder::new()
            .name("metadata-writer".into())
            .spawn(move || run(&mut connection, &mut jobs))
            .map_err(|e| StoreError::Unavailable(e.to_string()))?;
        Ok(Self {
            queue: Some(queue),
            thread: Some(thread),
        })
    }

    /// Queues a body and waits for its answer. Once queued it runs, whether or not the caller
    /// still waits.
    pub(super) async fn write(&self, body: ErasedWrite) -> Result<(), StoreError> {
        let stopped = || StoreError::Unavailable("the writer has stopped".into());
        let (answer, answered) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or_else(stopped)?;
        let sent = queue.send(Job { body, answer }).await;
        sent.map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // The thread catches what bodies do; nothing is left to report here.
            let _ = thread.join();
        }
    }
}

fn run(connection: &mut Connection, jobs: &mut mpsc::Receiver<Job>) {
    while let Some(first) = jobs.blocking_recv() {
        let mut group = vec![first];
        while group.len() < GROUP_MAX
            && let Ok(job) = jobs.try_recv()
        {
            group.push(job);
        }
        run_group(connection, group);
    }
    // A clean end leaves an empty log; where that fails, the next start replays it.
    let _ = connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
}

fn run_group(connection: &mut Connection, group: Vec<Job>) {
    let mut outcomes = Vec::with_capacity(group.len());
    let committed = commit_group(connection, &group, &mut outcomes);
    if committed.is_err() && !connection.is_autocommit() {
        let _ = connection.execute_batch("ROLLBACK");
    }
    for (at, job) in group.into_iter().enumerate() {
        let answer = match (&committed, outcomes.get_mut(at)) {
            (Err(e), _) => Err(StoreError::Failed(e.to_string())),
            (Ok(()), Some(outcome)) => std::mem::replace(outcome, Ok(())),
            (Ok(()), None) => Err(StoreError::Failed("the body did not run".into())),
        };
        // A caller that went away does not need its answer.
        let _ = job.answer.send(answer);
    }
}

/// Runs every body and commits; an error means that none of them happened.
fn commit_group(
    connection: &mut Connection,
    group: &[Job],
    outcomes: &mut Vec<Result<(), StoreError>>,
) -> Result<(), StoreError> {
    execute(connection, "BEGIN IMMEDIATE")?;
    for job in group {
        execute(connection, "SAVEPOINT body")?;
        let outcome = match run_body(connection, |tx| (job.body)(tx)) {
            Ok(ran) if ran.answer == Verdict::Rollback => Ok(Verdict::Rollback),
            Ok(ran) => ran.failure.map_or(Ok(Verdict::Commit), |failure| {
                Err(StoreError::Failed(failure))
            }),
            Err(e) => Err(e),
        };
        // A full disk or a failed read may end the whole transaction.
        if connection.is_autocommit() {
            return Err(StoreError::Failed("the transaction was lost".into()));
        }
        if !matches!(outcome, Ok(Verdict::Commit)) {
            execute(connection, "ROLLBACK TO body")?;
        }
        execute(connection, "RELEASE body")?;
        outcomes.push(outcome.map(drop));
    }
    execute(connection, "COMMIT")
}

fn execute(connection: &Connection, sql: &'static str) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    statement.execute([]).map(drop).map_err(failed)
}
