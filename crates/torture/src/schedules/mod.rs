//! Part `schedules`: a few tasks at once, whose store calls a seeded executor puts in order, one
//! at a time. After each schedule the answers, the invariants M1 to M5, and what a last sweep
//! leaves are checked. Schedules are counted once, however often they come.

mod executor;
mod gate;
mod scenarios;
mod scene;
mod state;

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, Result};
use roadstead_domain::time::Span;
use roadstead_registry::Rules;
use roadstead_testkit::Random;
use tokio::runtime::Runtime;

use crate::house::House;
use crate::{Report, Work, in_parallel};
use executor::{Executor, Played};
use gate::{Gate, gated};
use scenarios::{SCENARIOS, Scenario};
use scene::{Scene, Told};
use state::Rows;

/// How many schedules are tried at most for each that is wanted: small scenarios repeat.
const TRIES_MAX: u64 = 3;

/// A scene with what drives it; used again as long as nothing was found in it.
struct Stage {
    runtime: Runtime,
    scene: Scene,
    rows: Rows,
}

impl Stage {
    fn new(keeps_deleted: bool) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let gate = Arc::new(Gate::default());
        let rules = Rules {
            undelete_window: keeps_deleted.then_some(Span::hours(6)),
            ..Rules::default()
        };
        let behind = gate.clone();
        let wrap = Arc::new(move |stores| gated(behind.clone(), stores));
        let house = House::around(rules, wrap)?;
        let rows = Rows::open(&house.store())?;
        let scene = Scene::new(house, gate);
        Ok(Self {
            runtime,
            scene,
            rows,
        })
    }

    /// Prepares a scenario in one of its variants and plays one schedule of it.
    fn perform(&mut self, scenario: &Scenario, mut random: Random) -> Result<Played<Told>, String> {
        self.scene.variant = random.below(4);
        let prepared = self.runtime.block_on((scenario.prepare)(&self.scene));
        let refused = |refusal| format!("{}, before it begins: {refusal}", scenario.name);
        prepared.map_err(refused)?;
        Ok(self.play(scenario, random))
    }

    fn play(&self, scenario: &Scenario, random: Random) -> Played<Told> {
        // The stores use its threads; what runs next is the executor's choice.
        let _entered = self.runtime.enter();
        let scene = &self.scene;
        let settle = || {
            // The one writer takes this behind the write whose caller went.
            let ready = scene.house.settled();
            let _ = self.runtime.handle().block_on(ready);
        };
        Executor::new(&scene.gate, (scenario.tasks)(scene), random).play(settle)
    }

    fn check(&self, scenario: &Scenario, played: &Played<Told>) -> Result<(), String> {
        let told = |error: anyhow::Error| format!("{error:#}");
        if played.is_stuck {
            return Err("tasks wait for one another".into());
        }
        for ended in played.ended.iter().flatten() {
            if let Err(refusal) = ended
                && (refusal.starts_with("Store(") || refusal.starts_with("Blob("))
            {
                return Err(refusal.clone());
            }
        }
        self.rows.check(&self.scene.house.files()).map_err(told)?;
        let shown = self.rows.shown().map_err(told)?;
        (scenario.check)(&self.scene, &played.ended, &shown)
    }

    /// Deletes everything; when every grace is over a sweep must leave nothing.
    fn empty(&self) -> Result<(), String> {
        let scene = &self.scene;
        self.runtime.block_on(async {
            for name in ["app", "other"] {
                let gone = scene.remove(name).await;
                if gone.is_err_and(|refusal| refusal != "RepositoryNotFound") {
                    return Err(format!("{name} cannot be deleted"));
                }
            }
            scene.advance(Span::hours(25));
            scene.sweep().await.map(drop)
        })?;
        let files = scene.house.files();
        let rows = self.rows.count().map_err(|error| format!("{error:#}"))?;
        if files.is_empty() && rows == 0 {
            return Ok(());
        }
        Err(format!("{rows} rows and {files:?} after the last sweep"))
    }
}

/// What a seed is about, and the chance that is left.
fn drawn(seed: u64) -> (&'static Scenario, Random) {
    let mut random = Random::new(seed);
    let at = random.below(SCENARIOS.len() as u64) as usize;
    (&SCENARIOS[at], random)
}

/// The choices of one schedule on a fresh stage, as a text: the same for the same seed.
pub fn choices_of(seed: u64) -> Result<String> {
    let (scenario, random) = drawn(seed);
    let mut stage = Stage::new(scenario.keeps_deleted)?;
    let played = stage.perform(scenario, random);
    let played = played.map_err(|refusal| anyhow::anyhow!(refusal))?;
    Ok(format!("{}: {}", scenario.name, order(&played)))
}

fn order(schedule: &Played<Told>) -> String {
    let choices = schedule.choices.iter();
    let choices: Vec<String> = choices
        .map(|(task, call)| format!("{task}:{call:?}"))
        .collect();
    choices.join(" ")
}

/// `amount` schedules that differ from one another.
pub fn run(work: Work) -> Result<Report> {
    let (seen, played) = (Mutex::new(HashSet::new()), AtomicU64::new(0));
    let stages: [Mutex<Vec<Stage>>; 2] = Default::default();
    let findings = in_parallel(work.amount * TRIES_MAX, |n| {
        if seen.lock().expect("no panic").len() as u64 >= work.amount {
            return Ok(None);
        }
        played.fetch_add(1, Ordering::Relaxed);
        let seed = work.seed + n;
        let (scenario, random) = drawn(seed);
        let pool = &stages[usize::from(scenario.keeps_deleted)];
        let idle = pool.lock().expect("no panic").pop();
        let mut stage = match idle {
            Some(stage) => stage,
            None => Stage::new(scenario.keeps_deleted).context("a stage")?,
        };
        let schedule = match stage.perform(scenario, random) {
            Ok(schedule) => schedule,
            Err(difference) => return Ok(Some(format!("{difference}\n  seed {seed}"))),
        };
        let checked = stage.check(scenario, &schedule);
        if let Err(difference) = checked.and_then(|()| stage.empty()) {
            return Ok(Some(described(
                seed,
                scenario,
                &stage,
                &schedule,
                &difference,
            )));
        }
        let is = (scenario.name, stage.scene.variant, schedule.trace);
        seen.lock().expect("no panic").insert(is);
        pool.lock().expect("no panic").push(stage);
        Ok(None)
    })?;
    let distinct = seen.into_inner().expect("no panic");
    let mut findings = findings;
    let is_short = (distinct.len() as u64) < work.amount;
    if is_short && findings.is_empty() {
        findings.push("the scenarios have no more schedules than these".into());
    }
    Ok(Report {
        counts: vec![
            ("distinct schedules", distinct.len() as u64),
            ("schedules", played.into_inner()),
            ("scenarios", SCENARIOS.len() as u64),
        ],
        findings,
    })
}

fn described(
    seed: u64,
    scenario: &Scenario,
    stage: &Stage,
    schedule: &Played<Told>,
    difference: &str,
) -> String {
    format!(
        "{}: {difference}\n  `schedules --seed {seed} --amount 1`, variant {}\n  order: {}\n  \
         answers: {:?}",
        scenario.name,
        stage.scene.variant,
        order(schedule),
        schedule.ended
    )
}
