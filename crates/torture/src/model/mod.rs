//! Part `model`: the server against the reference registry over random operations on both planes,
//! with time moved, sweeps, restarts, undeletes and lifecycle runs between them. A run that fails
//! prints its seed and the shortest list of operations that still fails.

mod compare;
mod lifecycle;
mod op;
mod reference;
mod run;
mod universe;
mod uploading;

use std::sync::Mutex;

use anyhow::{Context as _, Result};

use crate::{Report, Work, in_parallel};
use op::{Op, generate};
use reference::Counts;
use run::Run;
use universe::Universe;

/// Operations of one run: the states of a few repositories grow and end within them.
const RUN_STEPS: u64 = 1000;
/// How often the listings are compared, and how often every byte.
const COMPARED_EVERY: usize = 25;
const READ_EVERY: usize = 200;
/// Runs that are tried to make a failing list of operations shorter.
const SHRINKS_MAX: u32 = 400;

/// What one list of operations came to.
type Outcome = Result<Counts, (usize, String)>;

/// `amount` operations, a thousand to a run.
pub fn run(work: Work) -> Result<Report> {
    let runs = work.amount.div_ceil(RUN_STEPS).max(1);
    let (steps, total) = (Mutex::new(0), Mutex::new(Counts::default()));
    let findings = in_parallel(runs, |n| {
        let count = RUN_STEPS.min(work.amount - n * RUN_STEPS);
        let (counts, finding) = check(work.seed + n, count as usize)?;
        *steps.lock().expect("no panic") += count;
        let mut total = total.lock().expect("no panic");
        total.stored += counts.stored;
        total.removed += counts.removed;
        total.held += counts.held;
        total.undeleted += counts.undeleted;
        Ok(finding)
    })?;
    let total = total.into_inner().expect("no panic");
    Ok(Report {
        counts: vec![
            ("steps", steps.into_inner().expect("no panic")),
            ("runs", runs),
            ("images stored", total.stored),
            ("images deleted", total.removed),
            ("deletions refused for an index", total.held),
            ("images brought back", total.undeleted),
        ],
        findings,
    })
}

/// Whether the runs of a seed keep what is deleted for a while.
fn keeps_deleted(seed: u64) -> bool {
    seed.is_multiple_of(2)
}

/// One run; says what is wrong, if something is.
fn check(seed: u64, count: usize) -> Result<(Counts, Option<String>)> {
    let universe = Universe::new();
    let ops = generate(seed, count, &universe);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("a runtime")?;
    runtime.block_on(async {
        let (at, difference) = match play(&universe, seed, &ops).await {
            Ok(counts) => return Ok((counts, None)),
            Err(found) => found,
        };
        let fewest = shrink(&universe, seed, ops[..=at].to_vec()).await;
        let fewest: Vec<String> = fewest.iter().map(|op| format!("    {op:?}")).collect();
        let finding = format!(
            "{difference}\n  at operation {at} of `model --seed {seed} --amount {count}`; the \
             fewest operations that fail:\n{}",
            fewest.join("\n")
        );
        Ok((Counts::default(), Some(finding)))
    })
}

/// Plays operations on a fresh server: at which one it and the reference differ, and how.
async fn play(universe: &Universe, seed: u64, ops: &[Op]) -> Outcome {
    let at_start = |difference| (0, difference);
    let mut run = Run::new(universe, keeps_deleted(seed))
        .await
        .map_err(at_start)?;
    for (n, op) in ops.iter().enumerate() {
        let here = |difference| (n, difference);
        run.step(op).await.map_err(here)?;
        let is_last = n + 1 == ops.len();
        if n % COMPARED_EVERY == COMPARED_EVERY - 1 || is_last {
            run.compare().await.map_err(here)?;
        }
        if n % READ_EVERY == READ_EVERY - 1 || is_last {
            run.compare_contents().await.map_err(here)?;
        }
    }
    let last = ops.len().saturating_sub(1);
    let ended = run.end().await;
    ended.map_err(|difference| (last, difference))?;
    Ok(run.reference.counts)
}

/// Takes operations away as long as what is left still fails.
async fn shrink(universe: &Universe, seed: u64, mut ops: Vec<Op>) -> Vec<Op> {
    let (mut size, mut tried) = (ops.len() / 2, 0);
    while size > 0 && tried < SHRINKS_MAX {
        let mut start = 0;
        while start < ops.len() && tried < SHRINKS_MAX {
            tried += 1;
            let mut fewer = ops.clone();
            fewer.drain(start..(start + size).min(ops.len()));
            match play(universe, seed, &fewer).await {
                Err((at, _)) if !fewer.is_empty() => {
                    fewer.truncate(at + 1);
                    ops = fewer;
                }
                Err(_) | Ok(_) => start += size,
            }
        }
        size /= 2;
    }
    ops
}
