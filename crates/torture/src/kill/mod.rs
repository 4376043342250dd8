//! `kill -9` of the real server under load: in rounds it is started, worked by clients and killed
//! at a moment that chance says; started again, it is checked against what each client was told:
//! what was acknowledged survives, what was deleted stays away, what was on its way is either. The
//! store goes on from round to round; at the end of all nothing may be left over.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use roadstead_registry::context::Clock as _;
use roadstead_server::ambient::SystemClock;
use roadstead_server::control::Command;
use roadstead_testkit::Session;
use roadstead_testkit::random::Random;
use tokio::task::JoinSet;

use crate::crash::scratch;
use crate::ground::check::{check, verify};
use crate::ground::log_in;
use crate::ground::program::Program;
use crate::ground::told::{Book, Said, Told};
use crate::ground::work::{Worker, command};
use crate::{Report, Work};

/// Stores at a time.
const STORES: u64 = 3;
/// Clients of each.
const WORKERS: usize = 4;
/// Who speaks for the one who runs the server.
const OPERATOR: usize = WORKERS;
/// How much is said in a round before the kill at most.
const SAID_MAX: u64 = 300;
/// A store with so many findings is given up.
const FINDINGS_MAX: usize = 5;

/// What one store counted and found.
#[derive(Default)]
struct Tally {
    rounds: u64,
    said: u64,
    unknown: u64,
    resumed: u64,
    wrong: Vec<String>,
}

/// Runs the part: `work.amount` kills.
///
/// # Errors
/// If a server cannot be started on a new folder.
pub fn run(work: Work) -> Result<Report> {
    let stores = STORES.min(work.amount.max(1));
    let tallies: Vec<Result<Tally>> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..stores)
            .map(|store| {
                let rounds = work.amount / stores + u64::from(store < work.amount % stores);
                scope.spawn(move || one_store(work.seed * 100 + store, rounds))
            })
            .collect();
        let died = || Err(anyhow::anyhow!("a store's thread died"));
        let joined = running.into_iter();
        joined
            .map(|one| one.join().unwrap_or_else(|_| died()))
            .collect()
    });
    let mut all = Tally::default();
    for tally in tallies {
        let tally = tally?;
        all.rounds += tally.rounds;
        all.said += tally.said;
        all.unknown += tally.unknown;
        all.resumed += tally.resumed;
        all.wrong.extend(tally.wrong);
    }
    Ok(Report {
        counts: vec![
            ("kills", all.rounds),
            ("words of clients", all.said),
            ("requests without an answer", all.unknown),
            ("uploads that went on at the end", all.resumed),
        ],
        findings: all.wrong,
    })
}

fn one_store(seed: u64, rounds: u64) -> Result<Tally> {
    let folder = scratch()?;
    let data = folder.path().join("data");
    let book = Arc::new(Book::new(Told::default(), None));
    let mut workers: Vec<Worker> = (0..WORKERS)
        .map(|number| Worker::new(number, seed, book.clone(), &data))
        .collect();
    let mut random = Random::new(seed);
    let mut tally = Tally::default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    for round in 0..rounds {
        let lived = runtime.block_on(async {
            let (program, client, mut wrong) = begin(&data, &book, round == 0).await?;
            if round == 0 {
                for worker in &mut workers {
                    worker.set_up(&client).await?;
                }
            }
            let taken = std::mem::take(&mut workers);
            let silent;
            (workers, silent) = until_killed(program, &client, &book, taken, &mut random).await?;
            wrong.extend(silent);
            for worker in &mut workers {
                wrong.append(&mut worker.failures);
            }
            Ok::<_, anyhow::Error>(wrong)
        });
        tally.rounds += 1;
        let wrong = lived.with_context(|| format!("store {seed}, round {round}"))?;
        let named = wrong
            .into_iter()
            .map(|what| format!("store {seed}, round {round}: {what}"));
        tally.wrong.extend(named);
        if tally.wrong.len() >= FINDINGS_MAX {
            return Ok(tally);
        }
    }
    let told = book.told();
    tally.said = told.version;
    tally.unknown = told.unknown;
    let (wrong, uploads) = check(&data, &told, SystemClock.now())?;
    tally.resumed = uploads.resumed;
    let named = wrong
        .into_iter()
        .map(|what| format!("store {seed}, at the end: {what}"));
    tally.wrong.extend(named);
    if uploads.refused > 0 {
        // A kill takes nothing from the page cache: every upload goes on.
        tally.wrong.push(format!(
            "store {seed}: {} uploads were lost",
            uploads.refused
        ));
    }
    Ok(tally)
}

/// Starts the server and holds what it shows against the book.
async fn begin(
    data: &Path,
    book: &Book,
    is_first: bool,
) -> Result<(Program, Session, Vec<String>)> {
    // Each start sweeps once.
    book.hear(OPERATOR, Said::Sweep);
    let program = Program::start(data)?;
    match program.key.clone() {
        Some((id, secret)) => book.hear(OPERATOR, Said::Key(id, secret)),
        None if is_first => bail!("the first start made no key"),
        None => {}
    }
    let client = log_in(
        program.address,
        book.told().key.as_ref(),
        Arc::new(SystemClock),
    )
    .await?;
    let (told, mut seen) = (book.told(), Vec::new());
    let see = |fact: &_, value| seen.push((std::clone::Clone::clone(fact), value));
    let wrong = verify(&client, &told, see).await?;
    book.change(|told| {
        for (fact, value) in seen {
            told.saw(&fact, value);
        }
        told.forget_gone();
    });
    // Comes behind the one of the start.
    command(data, Command::Sweep).await?;
    book.hear(OPERATOR, Said::Done);
    Ok((program, client, wrong))
}

/// Lets the workers work until the server is killed, in the middle of whatever they do by then; says
/// too whom the server left without an answer before.
async fn until_killed(
    program: Program,
    client: &Session,
    book: &Book,
    workers: Vec<Worker>,
    random: &mut Random,
) -> Result<(Vec<Worker>, Vec<String>)> {
    let version = |book: &Book| book.change(|told| told.version);
    let until = version(book) + 10 + random.below(SAID_MAX);
    let (mut working, mut done, mut silent) = (JoinSet::new(), Vec::new(), Vec::new());
    for mut worker in workers {
        let client = client.clone();
        working.spawn(async move {
            worker.work(&client, u64::MAX).await;
            worker
        });
    }
    // Nothing more is said once all of them have given up.
    while version(book) < until && !working.is_empty() {
        if let Some(worker) = working.try_join_next() {
            let worker: Worker = worker.context("a worker")?;
            let (number, why) = (worker.number(), &worker.silence);
            silent.push(format!(
                "client {number} had no answer of a server that lived: {why}"
            ));
            done.push(worker);
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    tokio::time::sleep(Duration::from_micros(random.below(3000))).await;
    program.kill()?;
    while let Some(worker) = working.join_next().await {
        done.push(worker.context("a worker")?);
    }
    done.sort_by_key(Worker::number);
    Ok((done, silent))
}
