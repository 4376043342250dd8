//! Runs: a policy applied to its repository (lifecycle.md 5).
//!
//! A run evaluates what it reads and then acts in short transactions. Each action is decided again
//! inside its transaction, so that a push, a retag or a pull in between wins. An age action depends
//! on its image alone. A count action depends on the others too: it holds only as long as none of
//! them left the competition, which `departures` counts; else the rest is evaluated anew.

use roadstead_domain::lifecycle::evaluate::{Blocked, Cause, Evaluation, Planned};
use roadstead_domain::lifecycle::policy::{Count, LifecycleAction, LifecyclePolicy};
use roadstead_domain::lifecycle::recheck::Recheck;
use roadstead_domain::name::RepositoryKey;
use roadstead_domain::time::{Span, Timestamp};
use roadstead_store::metadata::{MetadataWrite, Repository, StoreError, StoredPage};
use serde::{Deserialize, Serialize};

use super::loaded::Loading;
use super::policy_event::{RunFacts, Teller};
use super::{acting, stored_policy};
use crate::Registry;
use crate::access::Authorized;
use crate::error::{Error, Place};
use crate::loading;

/// Images that one transaction acts upon.
const BATCH: usize = 50;
/// How often a run evaluates its repository, if others change it meanwhile.
const EVALUATIONS_MAX: u32 = 5;
/// Images held by an index that a record names; all are counted.
const HELD_MAX: usize = 1_000;
/// Runs whose records a repository keeps.
const RUNS_KEPT: usize = 100;
/// Policies that are due and looked at in one step.
const DUE_ROWS: usize = 20;
/// How long a runner may stay silent before another takes over.
pub(super) const LEASE: Span = Span::seconds(60);

/// Who asked for a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trigger {
    /// Its schedule.
    Schedule,
    /// Somebody.
    Command,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "ended")]
pub enum RunEnd {
    /// Not yet, or never: its process ended first.
    Unfinished,
    /// It did all that the policy asks for.
    Complete,
    /// It would have deleted more of the repository than one run may, and did nothing.
    AboveCeiling {
        /// What it would have deleted, percent.
        percent: u64,
        /// The ceiling.
        percent_max: u8,
    },
    /// The policy was replaced or deleted, or the repository was deleted.
    PolicyChanged,
    /// It stood still for so long that another run took over.
    TakenOver,
    /// The server could not go on; its log says why. The next run does the rest.
    Failed,
    /// Others changed the repository all the time; the next run does the rest.
    Overtaken,
}

/// The record of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunRecord {
    /// Its number.
    #[serde(default)]
    pub run: i64,
    /// Who asked for it.
    pub trigger: Trigger,
    /// Which policy.
    pub policy_id: String,
    /// The policy's text.
    pub policy: String,
    /// When it started, microseconds.
    pub started_at: i64,
    /// When it ended.
    pub finished_at: Option<i64>,
    /// How.
    #[serde(flatten)]
    pub end: RunEnd,
    /// Images in the repository at its start.
    pub images: u64,
    /// Images deleted.
    pub expired: u64,
    /// Images archived.
    pub transitioned: u64,
    /// Images of both kinds that went with their subject.
    pub followed: u64,
    /// Images left alone because they changed meanwhile.
    pub changed: u64,
    /// Images that an age rule asks for and an index holds.
    pub referenced: u64,
}

impl RunRecord {
    /// Counts what became of an image.
    pub(super) fn count(&mut self, entry: &RunEntry) {
        let counter = match &entry.outcome {
            RunOutcome::Changed => &mut self.changed,
            // Those that the evaluation found are counted there.
            RunOutcome::ReferencedByManifestList { .. } => return,
            RunOutcome::Done if entry.rule.is_none() => &mut self.followed,
            RunOutcome::Done if entry.expires => &mut self.expired,
            RunOutcome::Done => &mut self.transitioned,
        };
        *counter += 1;
    }
}

/// What became of one image in a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunEntry {
    /// The image.
    pub digest: String,
    /// Its tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// When it was pushed, microseconds.
    pub pushed_at: i64,
    /// Whether it was to expire; otherwise it was to be archived.
    pub expires: bool,
    /// The rule; none for images that went with their subject.
    pub rule: Option<i32>,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: RunOutcome,
}

/// See [`RunEntry`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "outcome")]
pub enum RunOutcome {
    /// It was deleted or archived.
    Done,
    /// A push, retag or pull came in between, or it was gone.
    Changed,
    /// An index holds it.
    ReferencedByManifestList {
        /// The indexes.
        lists: Vec<String>,
    },
}

/// A run on its way.
pub(super) struct Run {
    pub(super) facts: RunFacts,
    /// Its name and its holder.
    pub(super) lease: (String, String),
    pub(super) recheck: Recheck,
    pub(super) record: RunRecord,
    /// Images that an index holds, to be recorded with the next page.
    pub(super) held: Vec<RunEntry>,
    /// The next page of what it did.
    pub(super) page: i64,
    /// The policy's count, as this run knows it.
    pub(super) departures: i64,
    /// Whether an event tells of it.
    pub(super) has_told: bool,
    /// The places that it acted upon, of the evaluation that it works from.
    taken: Vec<bool>,
}

impl Run {
    /// Whether it acted upon the image at this place.
    pub(super) fn is_taken(&self, place: u32) -> bool {
        self.taken.get(place as usize).is_some_and(|taken| *taken)
    }

    /// Notes that it acted upon the image at this place.
    pub(super) fn take(&mut self, place: u32) {
        if let Some(taken) = self.taken.get_mut(place as usize) {
            *taken = true;
        }
    }
}

/// What one evaluation found.
struct Evaluated {
    policy_id: String,
    departures: i64,
    evaluation: Evaluation,
}

impl Registry {
    /// Runs the policy that is longest overdue at `now`, of those that nobody is running; false if
    /// there is none.
    pub async fn lifecycle_step(&self, now: Timestamp) -> Result<bool, Error> {
        let due = self
            .metadata
            .read(now, |tx, now| {
                Box::pin(async move { Ok::<_, Error>(tx.lifecycle_due(*now, DUE_ROWS).await?) })
            })
            .await?;
        let mut failed = None;
        for repository in due {
            match self.run(repository, now, Trigger::Schedule, false).await {
                Ok(_) => return Ok(true),
                Err(Error::LifecycleRunInProgress(_) | Error::LifecyclePolicyNotFound(_)) => {}
                // Tried again later; the others do not wait for it.
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(false), Err)
    }

    /// When the next policy is due.
    pub async fn lifecycle_next_due(&self) -> Result<Option<Timestamp>, Error> {
        self.metadata
            .read((), |tx, ()| {
                Box::pin(async move { Ok(tx.lifecycle_next_due().await?) })
            })
            .await
    }

    /// Runs the policy of a repository now. `above_ceiling` lifts the limit of what one run may
    /// delete.
    pub async fn run_lifecycle(
        &self,
        key: Authorized<RepositoryKey>,
        now: Timestamp,
        above_ceiling: bool,
    ) -> Result<RunRecord, Error> {
        let repository = self.repository(&key).await?;
        self.run(repository, now, Trigger::Command, above_ceiling)
            .await
    }

    async fn run(
        &self,
        repository: Repository,
        now: Timestamp,
        trigger: Trigger,
        above_ceiling: bool,
    ) -> Result<RunRecord, Error> {
        let lease = format!("lifecycle {}", repository.id.0);
        let holder = self.rules.node.clone();
        let busy = Error::LifecycleRunInProgress(Place::from(&repository.key));
        let Some(_alone) = self.doing.begin(&lease) else {
            return Err(busy);
        };
        if !self.take_lease(&lease, &holder, now, LEASE).await? {
            return Err(busy);
        }
        let done = self
            .run_claimed(repository, now, (trigger, above_ceiling), (&lease, &holder))
            .await;
        self.give_lease_back(&lease, &holder).await?;
        done
    }

    async fn run_claimed(
        &self,
        repository: Repository,
        now: Timestamp,
        (trigger, above_ceiling): (Trigger, bool),
        (lease, holder): (&str, &str),
    ) -> Result<RunRecord, Error> {
        let mut run = self
            .start_run(repository, now, trigger, (lease, holder))
            .await?;
        if let Err(error) = self.evaluate_and_act(&mut run, now, above_ceiling).await {
            let repository = &run.facts.repository.key.name;
            tracing::error!(%repository, run = run.record.run, ?error, "lifecycle run");
            run.record.end = RunEnd::Failed;
        }
        self.finish_run(run).await
    }

    async fn evaluate_and_act(
        &self,
        run: &mut Run,
        now: Timestamp,
        above_ceiling: bool,
    ) -> Result<(), Error> {
        for at in 0..EVALUATIONS_MAX {
            let evaluated = self.evaluate(run, now).await?;
            let Some(found) = evaluated.filter(|found| found.policy_id == run.facts.policy_id)
            else {
                run.record.end = RunEnd::PolicyChanged;
                return Ok(());
            };
            if at == 0 {
                run.record.images = found.evaluation.len() as u64;
            }
            let end = self.above_ceiling(&run.record, &found.evaluation);
            if let Some(end) = end.filter(|_| !above_ceiling) {
                run.record.end = end;
                return Ok(());
            }
            run.departures = found.departures;
            run.taken = vec![false; found.evaluation.len()];
            run.record.end = self.act(run, &found.evaluation, now, at == 0).await?;
            if run.record.end != RunEnd::Overtaken {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Reads the policy and records that the run started.
    async fn start_run(
        &self,
        repository: Repository,
        now: Timestamp,
        trigger: Trigger,
        (lease, holder): (&str, &str),
    ) -> Result<Run, Error> {
        let (stored, record) = self
            .metadata
            .write(
                (repository.clone(), now, trigger),
                |tx, (repository, now, trigger)| {
                    Box::pin(async move {
                        let stored = stored_policy(tx, repository).await?;
                        let mut record = RunRecord {
                            run: 0,
                            trigger: *trigger,
                            policy_id: stored.policy_id.clone(),
                            policy: stored.text.clone(),
                            started_at: now.0,
                            finished_at: None,
                            end: RunEnd::Unfinished,
                            images: 0,
                            expired: 0,
                            transitioned: 0,
                            followed: 0,
                            changed: 0,
                            referenced: 0,
                        };
                        record.run = tx
                            .insert_run(repository.id, *now, &text_of(&record)?)
                            .await?;
                        Ok::<_, Error>((stored, record))
                    })
                },
            )
            .await?;
        // One that cannot be read any more does nothing; its evaluation says so.
        let policy = LifecyclePolicy::parse_unpadded(&stored.text)
            .unwrap_or_else(|_| LifecyclePolicy { rules: Vec::new() });
        Ok(Run {
            recheck: Recheck::new(&policy),
            facts: RunFacts {
                repository,
                policy,
                policy_id: stored.policy_id,
                evaluated_before: stored.evaluated_at,
            },
            lease: (lease.to_owned(), holder.to_owned()),
            record,
            held: Vec::new(),
            has_told: false,
            taken: Vec::new(),
            page: 0,
            departures: stored.departures,
        })
    }

    /// Evaluates the stored policy; none if there is no policy any more.
    async fn evaluate(&self, run: &Run, now: Timestamp) -> Result<Option<Evaluated>, Error> {
        let repository = run.facts.repository.id;
        self.write_pull_times().await?;
        let begun = self
            .metadata
            .survey(repository, |tx, repository| {
                Box::pin(async move {
                    let Some(stored) = tx.lifecycle_policy(*repository).await? else {
                        return Ok(None);
                    };
                    let policy = LifecyclePolicy::parse_unpadded(&stored.text)
                        .map_err(|refusal| StoreError::Corrupt(refusal.to_string()))?;
                    let loading = Loading::begin(tx, *repository, &[policy]).await?;
                    Ok::<_, Error>(Some((stored, loading)))
                })
            })
            .await?;
        let Some((stored, loading)) = begun else {
            return Ok(None);
        };
        let lease = Some(&run.lease);
        let evaluated = self
            .evaluate_loaded(repository, loading, now, lease)
            .await?;
        Ok(evaluated.into_iter().next().map(|evaluation| Evaluated {
            policy_id: stored.policy_id,
            departures: stored.departures,
            evaluation,
        }))
    }

    /// Whether a run would delete more of the repository, with what it has deleted, than one may.
    fn above_ceiling(&self, record: &RunRecord, evaluation: &Evaluation) -> Option<RunEnd> {
        let percent_max = self.rules.expire_percent_max?;
        let planned = evaluation
            .planned()
            .filter(|planned| planned.action == LifecycleAction::Expire)
            .count() as u64;
        let deleted = planned + record.expired + record.followed;
        let is_above = planned > 0 && deleted * 100 > record.images * u64::from(percent_max);
        is_above.then(|| RunEnd::AboveCeiling {
            percent: (deleted * 100).div_ceil(record.images.max(1)),
            percent_max,
        })
    }

    /// Acts batch by batch. Images that an index holds are recorded with the first evaluation.
    async fn act(
        &self,
        run: &mut Run,
        evaluation: &Evaluation,
        now: Timestamp,
        is_first: bool,
    ) -> Result<RunEnd, Error> {
        if is_first {
            run.record.referenced = evaluation.blocked().count() as u64;
            let held = evaluation.blocked().take(HELD_MAX);
            run.held = held
                .map(|blocked| held_entry(evaluation, &blocked))
                .collect();
        }
        let mut planned = evaluation.planned();
        let mut end = RunEnd::Complete;
        loop {
            let batch: Vec<(RunEntry, Planned)> = planned
                .by_ref()
                .take(BATCH)
                .map(|planned| (entry(evaluation, &planned), planned))
                .collect();
            if batch.is_empty() {
                return Ok(end);
            }
            match self.act_on(run, batch, now).await? {
                acting::Acted::Done => {}
                // Count rules wait for the next evaluation; age rules go on.
                acting::Acted::Overtaken => end = RunEnd::Overtaken,
                acting::Acted::PolicyChanged => return Ok(RunEnd::PolicyChanged),
                acting::Acted::TakenOver => return Ok(RunEnd::TakenOver),
            }
        }
    }

    /// Records the end of a run, when it was evaluated, and when the next is due.
    async fn finish_run(&self, mut run: Run) -> Result<RunRecord, Error> {
        let now = self.clock.now();
        run.record.finished_at = Some(now.0);
        let teller = self.teller(&run.facts);
        let evaluated_at = match run.record.end {
            RunEnd::Complete | RunEnd::Overtaken => Some(now),
            RunEnd::AboveCeiling { .. }
            | RunEnd::Unfinished
            | RunEnd::PolicyChanged
            | RunEnd::TakenOver
            | RunEnd::Failed => run.facts.evaluated_before,
        };
        let ended = Ended {
            next_run_at: now + self.rules.lifecycle_interval,
            evaluated_at,
            run,
            teller,
            now,
        };
        self.metadata
            .write(ended, |tx, ended| Box::pin(record_end(tx, ended)))
            .await
    }

    /// The latest runs of a repository's policies, the newest first.
    pub async fn lifecycle_runs(
        &self,
        key: Authorized<RepositoryKey>,
        limit: usize,
    ) -> Result<Vec<RunRecord>, Error> {
        self.metadata
            .read((key.into_inner(), limit), |tx, (key, limit)| {
                Box::pin(async move {
                    let repository = loading::repository(tx, key).await?.id;
                    let stored = tx.lifecycle_runs(repository, None, *limit).await?;
                    let records = stored.iter().map(|run| {
                        let mut record: RunRecord = parsed(&run.text)?;
                        record.run = run.run;
                        Ok(record)
                    });
                    Ok(records.collect::<Result<_, StoreError>>()?)
                })
            })
            .await
    }

    /// What a run of this repository did, from page `page` on: some entries and the next page.
    pub async fn lifecycle_run_entries(
        &self,
        key: Authorized<RepositoryKey>,
        run: i64,
        page: i64,
    ) -> Result<Option<Vec<RunEntry>>, Error> {
        self.metadata
            .read((key.into_inner(), run, page), |tx, (key, run, page)| {
                Box::pin(async move {
                    let repository = loading::repository(tx, key).await?.id;
                    let own = tx.lifecycle_runs(repository, Some(*run + 1), 1).await?;
                    if own.first().is_none_or(|own| own.run != *run) {
                        return Ok(None);
                    }
                    let pages = tx.run_pages(*run, *page, 1).await?;
                    let stored = pages.first().filter(|stored| stored.page == *page);
                    Ok(stored.map(|stored| parsed(&stored.text)).transpose()?)
                })
            })
            .await
    }
}

/// A run that is over.
struct Ended {
    run: Run,
    teller: Teller,
    evaluated_at: Option<Timestamp>,
    next_run_at: Timestamp,
    now: Timestamp,
}

async fn record_end(tx: &mut dyn MetadataWrite, ended: &Ended) -> Result<RunRecord, Error> {
    let (run, now) = (&ended.run, ended.now);
    let (repository, record) = (&run.facts.repository, &run.record);
    let live = tx.repository(&repository.key).await?;
    if live.is_none_or(|live| live.id != repository.id) {
        // It was deleted meanwhile, and its records go with it.
        return Ok(record.clone());
    }
    if run.page == 0 {
        let page = StoredPage {
            page: 0,
            starts_at: 0,
            text: text_of(&run.held)?,
        };
        tx.insert_run_page(repository.id, record.run, &page).await?;
        let events = ended.teller.events(&run.held, now);
        tx.append_events(now, &events).await?;
    }
    if !run.has_told && run.held.is_empty() {
        tx.append_events(now, &ended.teller.nothing(now)).await?;
    }
    tx.update_run(record.run, &text_of(record)?).await?;
    // Whoever took over says when the next run is due.
    if record.end != RunEnd::TakenOver {
        let (evaluated_at, next_run_at) = (ended.evaluated_at, ended.next_run_at);
        let policy_id = &run.facts.policy_id;
        tx.lifecycle_evaluated(repository.id, policy_id, evaluated_at, next_run_at)
            .await?;
    }
    tx.prune_runs(repository.id, RUNS_KEPT).await?;
    Ok(record.clone())
}

fn entry(evaluation: &Evaluation, planned: &Planned) -> RunEntry {
    RunEntry {
        digest: evaluation.name(planned.place).into(),
        tags: evaluation.tags(planned.place).map(str::to_owned).collect(),
        pushed_at: evaluation.pushed_at(planned.place).0,
        expires: planned.action == LifecycleAction::Expire,
        rule: match planned.cause {
            Cause::Rule(priority) => Some(priority),
            Cause::Subject(_) | Cause::Orphan => None,
        },
        outcome: RunOutcome::Done,
    }
}

fn held_entry(evaluation: &Evaluation, blocked: &Blocked) -> RunEntry {
    let lists = blocked.lists.iter();
    RunEntry {
        digest: evaluation.name(blocked.place).into(),
        tags: evaluation.tags(blocked.place).map(str::to_owned).collect(),
        pushed_at: evaluation.pushed_at(blocked.place).0,
        expires: blocked.action == LifecycleAction::Expire,
        rule: Some(blocked.rule),
        outcome: RunOutcome::ReferencedByManifestList {
            lists: lists.map(|list| evaluation.name(*list).into()).collect(),
        },
    }
}

/// Whether the action depends on other images too.
pub(super) fn is_counted(policy: &LifecyclePolicy, planned: &Planned) -> bool {
    let Cause::Rule(priority) = planned.cause else {
        return false;
    };
    let mut rules = policy.rules.iter();
    let rule = rules.find(|rule| rule.priority == priority);
    rule.is_none_or(|rule| matches!(rule.count, Count::ImageCountMoreThan(_)))
}

pub(super) fn text_of<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Failed(error.to_string()))
}

fn parsed<'t, T: Deserialize<'t>>(text: &'t str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Corrupt(error.to_string()))
}
