//! The writer thread: group commit.
//!
//! It takes what has queued up, runs it in one transaction with a savepoint each, syncs once, and
//! only then answers all, refusals included: a refusal may rest on a change of the same group.
//!
//! The log is moved into the file when it is long, which writers wait for, and when nobody writes:
//! then its disk is given back too.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use roadstead_domain::ids::RepositoryId;
use roadstead_store::metadata::{ErasedWrite, Part, StoreError, Verdict};
use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::connection::{BUSY, failed, run_body};
use super::epochs::Epochs;

/// Most bodies of one commit. Bounds what a failed commit takes with it.
const GROUP_MAX: usize = 256;
/// How long nobody writes until the log is emptied.
const REST: Duration = Duration::from_secs(5);

struct Job {
    body: ErasedWrite,
    answer: oneshot::Sender<Result<(), StoreError>>,
}

/// A job and its place in the queue, which is free once the job is taken.
type Queued = (Job, OwnedSemaphorePermit);

/// The way to the writer thread. Dropping it lets the thread finish its queue and waits for it.
pub(super) struct Writer {
    queue: Option<Sender<Queued>>,
    places: Arc<Semaphore>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread, which owns the connection from now on.
    pub(super) fn start(
        mut connection: Connection,
        epochs: Arc<Epochs>,
        queued_max: usize,
    ) -> Result<Self, StoreError> {
        let (queue, jobs) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("metadata-writer".into())
            .spawn(move || run(&mut connection, &epochs, &jobs))
            .map_err(|e| StoreError::Unavailable(e.to_string()))?;
        Ok(Self {
            queue: Some(queue),
            places: Arc::new(Semaphore::new(queued_max.max(1))),
            thread: Some(thread),
        })
    }

    /// Queues a body and waits for its answer. Once queued it runs, whether or not the caller
    /// still waits.
    pub(super) async fn write(&self, body: ErasedWrite) -> Result<(), StoreError> {
        let stopped = || StoreError::Unavailable("the writer has stopped".into());
        let (answer, answered) = oneshot::channel();
        let place = Arc::clone(&self.places).acquire_owned().await;
        let place = place.map_err(|_| stopped())?;
        let queue = self.queue.as_ref().ok_or_else(stopped)?;
        let sent = queue.send((Job { body, answer }, place));
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

fn run(connection: &mut Connection, epochs: &Epochs, jobs: &Receiver<Queued>) {
    let mut is_log_empty = true;
    loop {
        let first = match is_log_empty {
            true => jobs.recv().map_err(|_| RecvTimeoutError::Disconnected),
            false => jobs.recv_timeout(REST),
        };
        match first {
            Ok((first, place)) => {
                drop(place);
                let mut group = vec![first];
                while group.len() < GROUP_MAX
                    && let Ok((job, _)) = jobs.try_recv()
                {
                    group.push(job);
                }
                run_group(connection, epochs, group);
                is_log_empty = false;
            }
            // Nobody waits for a reader here: a writer may come. Where the disk fails, the next one tells.
            Err(RecvTimeoutError::Timeout) => {
                is_log_empty = empty_log(connection, Duration::ZERO).unwrap_or(true);
            }
            // A clean end leaves an empty log; where that fails, the next start replays it.
            Err(RecvTimeoutError::Disconnected) => {
                let _ = empty_log(connection, BUSY);
                return;
            }
        }
    }
}

/// Moves what the log holds into the file and gives its disk back; false if a reader needs it still
/// after so long a wait.
fn empty_log(connection: &Connection, wait: Duration) -> Result<bool, StoreError> {
    connection.busy_timeout(wait).map_err(failed)?;
    let sql = "PRAGMA wal_checkpoint(TRUNCATE)";
    let is_busy = connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    connection.busy_timeout(BUSY).map_err(failed)?;
    Ok(is_busy.map_err(failed)? == 0)
}

fn run_group(connection: &mut Connection, epochs: &Epochs, group: Vec<Job>) {
    let mut outcomes = Vec::with_capacity(group.len());
    let changed = run_bodies(connection, &group, &mut outcomes);
    let committed = changed.and_then(|changed| {
        // Nothing that was read before is good from here on, nor is anything kept that is read
        // until the commit is over; then new epochs begin. Whatever came of the commit.
        let _changing = epochs.end(&changed);
        let committed = execute(connection, "COMMIT");
        if committed.is_err() {
            roll_back(connection);
        }
        committed
    });
    roll_back(connection);
    for (at, job) in group.into_iter().enumerate() {
        let answer = match (&committed, outcomes.get_mut(at)) {
            (Err(e), _) => Err(e.clone()),
            (Ok(()), Some(outcome)) => std::mem::replace(outcome, Ok(())),
            (Ok(()), None) => Err(StoreError::Failed("the body did not run".into())),
        };
        // A caller that went away does not need its answer.
        let _ = job.answer.send(answer);
    }
}

fn roll_back(connection: &Connection) {
    if !connection.is_autocommit() {
        let _ = connection.execute_batch("ROLLBACK");
    }
}

/// Runs every body, to be committed together, and says what they changed; an error means that none of
/// them happens.
fn run_bodies(
    connection: &mut Connection,
    group: &[Job],
    outcomes: &mut Vec<Result<(), StoreError>>,
) -> Result<Vec<(RepositoryId, Part)>, StoreError> {
    let mut changed = Vec::new();
    execute(connection, "BEGIN IMMEDIATE")?;
    for job in group {
        execute(connection, "SAVEPOINT body")?;
        let (outcome, failure) = match run_body(connection, |tx| (job.body)(tx)) {
            Ok(ran) => {
                let outcome = match (ran.answer, &ran.failure) {
                    (Verdict::Rollback, _) => Ok(Verdict::Rollback),
                    (Verdict::Commit, Some(failure)) => Err(failure.clone()),
                    (Verdict::Commit, None) => {
                        changed.extend(ran.changed);
                        Ok(Verdict::Commit)
                    }
                };
                (outcome, ran.failure)
            }
            Err(e) => (Err(e), None),
        };
        // A full disk or a failed read may end the whole transaction.
        if connection.is_autocommit() {
            let lost = || StoreError::Failed("the transaction was lost".into());
            return Err(failure.unwrap_or_else(lost));
        }
        if !matches!(outcome, Ok(Verdict::Commit)) {
            execute(connection, "ROLLBACK TO body")?;
        }
        execute(connection, "RELEASE body")?;
        outcomes.push(outcome.map(drop));
    }
    Ok(changed)
}

fn execute(connection: &Connection, sql: &'static str) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    statement.execute([]).map(drop).map_err(failed)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::connection::{migrate, open_writer};
    use super::*;

    type Answer = oneshot::Receiver<Result<(), StoreError>>;

    /// A job that stores garbage under `key` and then does as it is told.
    fn job(key: u128, verdict: Verdict) -> (Job, Answer) {
        let (answer, answered) = oneshot::channel();
        let body: ErasedWrite = Arc::new(move |tx| {
            Box::pin(async move {
                let key = roadstead_domain::ids::BlobKey::from_random(key);
                match tx.insert_garbage(&key, 1).await {
                    Ok(()) => verdict,
                    Err(_) => Verdict::Rollback,
                }
            })
        });
        (Job { body, answer }, answered)
    }

    fn rows(connection: &Connection) -> i64 {
        let count = "SELECT count(*) FROM garbage";
        let rows = connection.query_row(count, [], |row| row.get(0));
        rows.unwrap()
    }

    /// What could not be committed is answered so, refusals included, and the next group works.
    #[test]
    fn a_group_that_cannot_commit_answers_all() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("metadata.sqlite");
        let mut connection = open_writer(&path).unwrap();
        migrate(&mut connection).unwrap();
        let rival = Connection::open(&path).unwrap();
        connection.execute_batch("PRAGMA busy_timeout = 0").unwrap();

        rival.execute_batch("BEGIN IMMEDIATE").unwrap();
        let (kept, mut kept_answer) = job(1, Verdict::Commit);
        let (refused, mut refused_answer) = job(2, Verdict::Rollback);
        run_group(&mut connection, &Epochs::new(), vec![kept, refused]);
        for answer in [&mut kept_answer, &mut refused_answer] {
            let answer = answer.try_recv().unwrap();
            assert!(matches!(answer, Err(StoreError::Failed(_))), "{answer:?}");
        }
        rival.execute_batch("ROLLBACK").unwrap();
        assert_eq!(rows(&connection), 0);

        let (kept, mut kept_answer) = job(1, Verdict::Commit);
        let (refused, mut refused_answer) = job(2, Verdict::Rollback);
        run_group(&mut connection, &Epochs::new(), vec![kept, refused]);
        assert!(kept_answer.try_recv().unwrap().is_ok());
        assert!(refused_answer.try_recv().unwrap().is_ok());
        assert_eq!(rows(&connection), 1);
    }

    /// The log goes as soon as nobody reads it, and nobody is waited for.
    #[test]
    fn the_log_is_emptied() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("metadata.sqlite");
        let mut connection = open_writer(&path).unwrap();
        migrate(&mut connection).unwrap();
        let log_bytes = || {
            let log = directory.path().join("metadata.sqlite-wal");
            std::fs::metadata(log).unwrap().len()
        };
        assert!(empty_log(&connection, Duration::ZERO).unwrap());
        let reader = Connection::open(&path).unwrap();
        reader.execute_batch("BEGIN").unwrap();
        assert_eq!(rows(&reader), 0);
        let (kept, _answer) = job(1, Verdict::Commit);
        run_group(&mut connection, &Epochs::new(), vec![kept]);
        assert!(!empty_log(&connection, Duration::ZERO).unwrap());
        assert!(log_bytes() > 0);
        assert_eq!(rows(&reader), 0, "its snapshot");
        reader.execute_batch("ROLLBACK").unwrap();
        assert!(empty_log(&connection, Duration::ZERO).unwrap());
        assert_eq!(log_bytes(), 0);
        assert_eq!(rows(&reader), 1);
    }

    /// A body that loses the whole transaction takes its group with it, and nobody hears otherwise.
    #[test]
    fn a_lost_transaction_answers_all() {
        let directory = tempfile::tempdir().unwrap();
        let mut connection = open_writer(&directory.path().join("metadata.sqlite")).unwrap();
        migrate(&mut connection).unwrap();
        // Stands for a failed write of the disk: the statement ends the whole transaction.
        let trigger = "CREATE TRIGGER lose BEFORE INSERT ON garbage WHEN NEW.key LIKE '%2' \
             BEGIN SELECT RAISE(ROLLBACK, 'lost'); END";
        connection.execute_batch(trigger).unwrap();
        let jobs = [1, 2, 3].map(|key| job(key, Verdict::Commit));
        let (group, mut answers): (Vec<Job>, Vec<Answer>) = jobs.into_iter().unzip();
        run_group(&mut connection, &Epochs::new(), group);
        for answer in &mut answers {
            let answer = answer.try_recv().unwrap();
            assert!(matches!(answer, Err(StoreError::Failed(_))), "{answer:?}");
        }
        assert_eq!(rows(&connection), 0);
        let (next, mut answer) = job(3, Verdict::Commit);
        run_group(&mut connection, &Epochs::new(), vec![next]);
        assert!(answer.try_recv().unwrap().is_ok());
    }
}
