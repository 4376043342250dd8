//! Failing disks: each kind of failure at each file operation in turn, of each wish that a client
//! or operator can have. A request that met the failure is answered as an error or has done what
//! was asked; refused, it has changed nothing (F14). Once the disk works again so does the server,
//! and a power cut right then loses nothing that was acknowledged, though a failed sync may have
//! lost what it should have written (F15).

mod wish;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use roadstead_registry::context::Clock as _;
use roadstead_server::ambient::SystemClock;

use crate::crash::{Disk, Keeps, check_state, scratch};
use crate::ground::check::verify;
use crate::ground::mount::Mounted;
use crate::ground::told::{Book, Said, Told};
use crate::ground::volume::{Entry, Fault, Plan, Tree, Volume};
use crate::ground::work::End;
use crate::{Report, Work};
use roadstead_testkit::random::Random;
use wish::{Base, Server, WISHES, Wish};

/// Each failure, once and until it is lifted.
const FAILURES: [(Fault, bool); 8] = [
    (Fault::Io, false),
    (Fault::Io, true),
    (Fault::Full, false),
    (Fault::Full, true),
    (Fault::Short, false),
    (Fault::Sync, false),
    (Fault::Sync, true),
    (Fault::Read, false),
];

/// A run with so many findings ends.
const FINDINGS_MAX: usize = 20;

/// One failure at one operation of one wish.
#[derive(Debug, Clone, Copy)]
struct Point {
    wish: Wish,
    plan: Plan,
}

/// What the points came to.
#[derive(Default)]
struct Tally {
    counts: BTreeMap<&'static str, u64>,
    wrong: Vec<String>,
}

impl Tally {
    fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }
}

/// Runs the part: up to `work.amount` points, chosen by chance if there are more.
///
/// # Errors
/// If nothing can be mounted or the server does not work on a disk that does.
pub fn run(work: Work) -> Result<Report> {
    let base = Base::make()?;
    let mut points = Vec::new();
    for wish in WISHES {
        points.extend(points_of(&base, wish)?);
    }
    let known = points.len() as u64;
    let mut random = Random::new(work.seed);
    for at in (1..points.len()).rev() {
        let other = usize::try_from(random.below(at as u64 + 1))?;
        points.swap(at, other);
    }
    points.truncate(usize::try_from(work.amount).unwrap_or(usize::MAX));
    let (next, tally) = (AtomicUsize::new(0), Mutex::new(Tally::default()));
    let threads = std::thread::available_parallelism()
        .map_or(2, usize::from)
        .max(2);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| try_all(&base, &points, &next, &tally));
        }
    });
    let mut tally = tally.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut counts = vec![
        ("wishes", WISHES.len() as u64),
        ("points where an operation can fail", known),
        ("points tried", points.len() as u64),
    ];
    counts.extend(std::mem::take(&mut tally.counts));
    Ok(Report {
        counts,
        findings: tally.wrong,
    })
}

/// The points of a wish: every operation of a run without failures, and two more, since no two runs
/// are quite alike.
fn points_of(base: &Base, wish: Wish) -> Result<Vec<Point>> {
    let volume = Arc::new(base.volume()?);
    let none = Plan {
        fault: Fault::Io,
        nth: u64::MAX,
        lasts: false,
    };
    let run = Run::of(base, wish, volume.clone(), none)?;
    anyhow::ensure!(run.is_done, "{wish:?} is refused by a disk that works");
    let mut points = Vec::new();
    for (fault, lasts) in FAILURES {
        let counted = run.counted.iter().find(|(one, _)| *one == fault);
        let counted = counted.map_or(0, |(_, count)| *count);
        for nth in 1..=counted + 2 {
            let plan = Plan { fault, nth, lasts };
            points.push(Point { wish, plan });
        }
    }
    Ok(points)
}

fn try_all(base: &Base, points: &[Point], next: &AtomicUsize, tally: &Mutex<Tally>) {
    let lock = || tally.lock().unwrap_or_else(PoisonError::into_inner);
    while let Some(point) = points.get(next.fetch_add(1, Ordering::Relaxed)) {
        if lock().wrong.len() >= FINDINGS_MAX {
            return;
        }
        let named = |what: String| format!("{point:?}: {what}");
        match try_one(base, *point) {
            Err(error) => lock().wrong.push(named(format!("{error:#}"))),
            Ok(outcome) => {
                let mut tally = lock();
                outcome
                    .counts
                    .into_iter()
                    .for_each(|what| tally.count(what));
                let failed = outcome.failed.join(", ");
                let wrong = outcome.wrong.into_iter();
                let wrong = wrong.map(|what| named(format!("{what} (after {failed})")));
                tally.wrong.extend(wrong);
            }
        }
    }
}

struct Outcome {
    counts: Vec<&'static str>,
    failed: Vec<String>,
    wrong: Vec<String>,
}

/// One server, one wish, one failure.
fn try_one(base: &Base, point: Point) -> Result<Outcome> {
    let volume = Arc::new(base.volume()?);
    let run = Run::of(base, point.wish, volume.clone(), point.plan)?;
    let Run {
        mut counts,
        mut wrong,
        failed,
        told,
        ..
    } = run;
    counts.push(match failed.is_empty() {
        true => "points past the last operation",
        false => "failures met",
    });
    // A power cut right after it.
    let mut disk = Disk::default();
    for entry in volume.take_log() {
        if let Entry::Op(op) = entry {
            disk.apply(&op)?;
        }
    }
    let scratch = scratch()?;
    let mut random = Random::new(point.plan.nth);
    for keeps in [Keeps::Nothing, Keeps::Everything, Keeps::Something] {
        let tree: Tree = disk.state(keeps, &mut random);
        let (found, _) = check_state(&tree, &told, SystemClock.now(), scratch.path())?;
        counts.push("power cuts after it");
        wrong.extend(
            found
                .into_iter()
                .map(|what| format!("cut, {keeps:?}: {what}")),
        );
    }
    Ok(Outcome {
        counts,
        failed,
        wrong,
    })
}

/// A wish on a disk that fails as planned, again on one that works, and what was told of it.
struct Run {
    is_done: bool,
    counts: Vec<&'static str>,
    failed: Vec<String>,
    wrong: Vec<String>,
    counted: Vec<(Fault, u64)>,
    /// What may be found after a power cut.
    told: Told,
}

impl Run {
    fn of(base: &Base, wish: Wish, volume: Arc<Volume>, plan: Plan) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mounted = Mounted::new(volume.clone(), folder.path())?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let data = folder.path().join("data");
        let run = runtime.block_on(Self::on(base, wish, &volume, (plan, &data)));
        drop(runtime);
        mounted.end()?;
        run
    }

    async fn on(
        base: &Base,
        wish: Wish,
        volume: &Arc<Volume>,
        (plan, data): (Plan, &std::path::Path),
    ) -> Result<Self> {
        let mut server = Server::new(base, data, wish);
        if !wish.is_of_the_start() {
            server.start().await.context("on a disk that works")?;
        }
        // A failed sync leaves in doubt what a restart finds; any other failure changes nothing.
        let doubt = match plan.fault {
            Fault::Sync => Said::Unknown,
            _ => Said::Refused,
        };
        let live = Arc::new(Book::new(base.told.clone(), None));
        let later = Arc::new(Book::new(base.told.clone(), None));
        server.prepare(wish, [&live, &later]).await?;
        volume.arm(plan);
        let end = server
            .make(wish, (&live, Said::Refused), (&later, doubt))
            .await;
        let (failed, counted) = volume.disarm();
        let mut run = Self {
            is_done: matches!(end, Ok(End::Done(_))),
            counts: Vec::new(),
            failed,
            wrong: Vec::new(),
            counted,
            told: Told::default(),
        };
        run.judge(&end);
        if !run.is_done {
            run.again(&mut server, wish, &live, &later).await?;
        }
        run.counts
            .extend(server.restarted().then_some("restarts that it took"));
        if let Some(client) = server.client(&later).await? {
            let told = live.told();
            let wrong = verify(&client, &told, |_, _| {}).await?;
            run.wrong
                .extend(wrong.into_iter().map(|what| format!("in the end: {what}")));
        }
        server.end()?;
        run.told = later.told();
        Ok(run)
    }

    /// Holds an answer against what failed.
    fn judge(&mut self, end: &Result<End>) {
        let (count, is_fine) = match end {
            Ok(End::Done(_)) => ("done in spite of it", true),
            Ok(End::Failed(answer)) if answer.status == 507 || answer.status == 503 => {
                ("answered 503 or 507", !self.failed.is_empty())
            }
            Ok(End::Failed(_)) => ("answered 500", !self.failed.is_empty()),
            Err(_) => ("servers that did not start", !self.failed.is_empty()),
            Ok(End::Refused(_) | End::Silence(_)) => ("other answers", false),
        };
        self.counts.push(count);
        if !is_fine {
            self.wrong.push(format!("ended as {}", told(end)));
        }
    }

    /// The refused wish changed nothing; made again, it comes true.
    async fn again(
        &mut self,
        server: &mut Server<'_>,
        wish: Wish,
        live: &Arc<Book>,
        later: &Arc<Book>,
    ) -> Result<()> {
        if let Some(client) = server.client(later).await? {
            let told = live.told();
            let wrong = verify(&client, &told, |_, _| {}).await?;
            self.wrong
                .extend(wrong.into_iter().map(|what| format!("refused, but {what}")));
        }
        let first = (live, Said::Refused);
        let mut end = server.make(wish, first, (later, Said::Unknown)).await;
        if !matches!(end, Ok(End::Done(_))) {
            // A server that does not trust its disk any more may want to be started again.
            server.restart().await?;
            let first = (live, Said::Refused);
            end = server.make(wish, first, (later, Said::Unknown)).await;
        }
        match end {
            Ok(End::Done(_)) => self.is_done = true,
            end => {
                let end = told(&end);
                self.wrong.push(format!("made again, it ended as {end}"));
            }
        }
        Ok(())
    }
}

/// An end in words.
fn told(end: &Result<End>) -> String {
    match end {
        Err(error) => format!("{error:#}"),
        Ok(End::Silence(_)) => "silence".into(),
        Ok(End::Done(answer) | End::Refused(answer) | End::Failed(answer)) => {
            format!("{} {}", answer.status, answer.text())
        }
    }
}
