//! Power cuts: the real server works on a disk that records every file operation; then, for
//! prefixes of that record, the states that a disk may hold after a cut there are laid out, opened
//! as the server opens them, and checked against what clients had been told by then.
//!
//! A state counts once, by the content of its files. It is checked again if more had been
//! acknowledged when it could still be what the disk holds.

mod disk;
mod record;

use std::collections::HashSet;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use roadstead_domain::time::Timestamp;

pub use disk::{Disk, Keeps};

use crate::ground::check::check;
use crate::ground::told::{Said, Told};
use crate::ground::volume::{Entry, Tree, lay_out};
use crate::{Report, Work};
use record::{Recording, record};
use roadstead_testkit::random::Random;

/// States of one recording: more would differ less and less.
const STATES_OF_RECORDING: u64 = 1500;
/// A run with so many findings ends.
const FINDINGS_MAX: usize = 20;
/// States that are kept to be looked at.
const KEPT_MAX: usize = 3;

/// One state to check.
struct State {
    name: String,
    tree: Tree,
    told: Arc<Told>,
    now: Timestamp,
}

/// What the checkers count and find.
#[derive(Default)]
struct Found {
    checked: AtomicU64,
    resumed: AtomicU64,
    refused: AtomicU64,
    wrong: Mutex<Vec<String>>,
}

impl Found {
    fn wrong(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.wrong.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where states are laid out: in memory where that is to be had.
pub fn scratch() -> Result<tempfile::TempDir> {
    let memory = Path::new("/dev/shm");
    let made = match memory.is_dir() {
        true => tempfile::tempdir_in(memory),
        false => tempfile::tempdir(),
    };
    made.context("a folder for states")
}

/// Runs the part: `work.amount` distinct states.
///
/// # Errors
/// If the server cannot be recorded.
pub fn run(work: Work) -> Result<Report> {
    let found = Found::default();
    let threads = std::thread::available_parallelism()
        .map_or(2, usize::from)
        .max(2);
    let (sender, receiver) = sync_channel::<State>(threads);
    let receiver = Mutex::new(receiver);
    let explored = std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                if let Err(error) = check_all(&receiver, &found) {
                    found.wrong().push(format!("the check failed: {error:#}"));
                }
            });
        }
        let explored = explore_all(work, &sender, &found);
        drop(sender);
        explored
    })?;
    let findings = std::mem::take(&mut *found.wrong());
    Ok(Report {
        counts: vec![
            ("recordings of the server", explored.recordings),
            ("file operations recorded", explored.operations),
            ("acknowledgements recorded", explored.acknowledged),
            (
                "distinct states of the disk",
                explored.contents.len() as u64,
            ),
            ("checks of them", found.checked.into_inner()),
            ("uploads that went on", found.resumed.into_inner()),
            ("uploads that had to begin anew", found.refused.into_inner()),
        ],
        findings,
    })
}

#[derive(Default)]
struct Explored {
    recordings: u64,
    operations: u64,
    acknowledged: u64,
    contents: HashSet<u64>,
    /// Contents with what had been said by then.
    checked: HashSet<(u64, u64)>,
}

fn explore_all(work: Work, sender: &SyncSender<State>, found: &Found) -> Result<Explored> {
    let mut explored = Explored::default();
    while (explored.contents.len() as u64) < work.amount && found.wrong().len() < FINDINGS_MAX {
        let seed = work.seed + explored.recordings;
        let recording = record(seed)?;
        explored.recordings += 1;
        explored.checked.clear();
        let wanted = work.amount - explored.contents.len() as u64;
        explore(
            &recording,
            wanted.min(STATES_OF_RECORDING),
            &mut explored,
            sender,
        )?;
    }
    Ok(explored)
}

fn acknowledges(said: &Said) -> bool {
    matches!(said, Said::Done | Said::Key(..) | Said::Learned(..))
}

/// Goes through a recording and makes about `wanted` states of it: what is sure at each
/// acknowledgement, and at every operation some that chance says.
fn explore(
    recording: &Recording,
    wanted: u64,
    explored: &mut Explored,
    sender: &SyncSender<State>,
) -> Result<()> {
    let (mut disk, mut told) = (Disk::default(), Arc::new(Told::default()));
    let mut random = Random::new(recording.seed);
    let all = recording.entries.len() as u64;
    let told_of = |entry: &&Entry| matches!(entry, Entry::Mark(mark) if acknowledges(&mark.said));
    let acknowledged = recording.entries.iter().filter(told_of).count() as u64;
    for (at, entry) in recording.entries.iter().enumerate() {
        let mut wants = Vec::new();
        match entry {
            Entry::Op(op) => {
                disk.apply(op)?;
                explored.operations += 1;
                // A share of `wanted`, and some more: not every draw is a new state.
                let share = wanted * 5 / 4;
                let count = share / all + u64::from(random.below(all) < share % all);
                for _ in 0..count {
                    wants.push(match random.below(8) {
                        0 => Keeps::Nothing,
                        1 => Keeps::Everything,
                        _ => Keeps::Something,
                    });
                }
            }
            Entry::Mark(mark) => {
                Arc::make_mut(&mut told).hear(mark);
                if acknowledges(&mark.said) {
                    explored.acknowledged += 1;
                    // All of them, unless few states are wanted.
                    if random.below(acknowledged) < wanted / 2 {
                        wants.push(Keeps::Nothing);
                    }
                }
            }
        }
        for keeps in wants {
            let tree = disk.state(keeps, &mut random);
            let mut hasher = DefaultHasher::new();
            tree.hash(&mut hasher);
            let content = hasher.finish();
            if !explored.checked.insert((content, told.version)) {
                continue;
            }
            explored.contents.insert(content);
            let name = format!("seed {} entry {at} of {all} {keeps:?}", recording.seed);
            let (told, now) = (told.clone(), recording.ended);
            // Nobody takes it once all checkers have failed; then there is a finding.
            let _ = sender.send(State {
                name,
                tree,
                told,
                now,
            });
        }
    }
    Ok(())
}

fn check_all(states: &Mutex<Receiver<State>>, found: &Found) -> Result<()> {
    let scratch = scratch()?;
    loop {
        let next = states.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(state) = next else { return Ok(()) };
        let (wrong, uploads) = check_state(&state.tree, &state.told, state.now, scratch.path())?;
        found.checked.fetch_add(1, Ordering::Relaxed);
        found.resumed.fetch_add(uploads.resumed, Ordering::Relaxed);
        found.refused.fetch_add(uploads.refused, Ordering::Relaxed);
        if !wrong.is_empty() {
            let mut all = found.wrong();
            let kept = match all.len() < KEPT_MAX {
                true => keep(&state, all.len())?.display().to_string(),
                false => "nowhere".into(),
            };
            all.push(format!(
                "{}: {} (kept in {kept})",
                state.name,
                wrong.join("; ")
            ));
        }
    }
}

/// Lays a tree out below a folder, checks the data directory in it, and removes it.
///
/// # Errors
/// If the check cannot be made.
pub fn check_state(
    tree: &Tree,
    told: &Told,
    now: Timestamp,
    scratch: &Path,
) -> Result<(Vec<String>, crate::ground::check::Uploads)> {
    let root = scratch.join("state");
    std::fs::create_dir(&root)?;
    lay_out(tree, &root)?;
    let checked = check(&root.join("data"), told, now)?;
    std::fs::remove_dir_all(&root)?;
    Ok(checked)
}

/// Lays a state out where it stays.
fn keep(state: &State, number: usize) -> Result<PathBuf> {
    let kept =
        std::env::temp_dir().join(format!("roadstead-torture-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&kept)?;
    lay_out(&state.tree, &kept)?;
    Ok(kept)
}
