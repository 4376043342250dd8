//! One batch of a run: each action is decided again inside the transaction that carries it out.

use roadstead_domain::digest::Digest;
use roadstead_domain::image::{ImageFailureCode, ImageId, ImageStatus};
use roadstead_domain::lifecycle::evaluate::{Cause, Planned};
use roadstead_domain::lifecycle::policy::{LifecycleAction, StorageClass};
use roadstead_domain::lifecycle::recheck::{Recheck, Standing, Subject};
use roadstead_domain::time::{Span, Timestamp};
use roadstead_store::metadata::{
    LifecycleImage, MetadataWrite, Repository, StoreError, StoredPage,
};

use super::loaded::with_facts;
use super::policy_event::Teller;
use super::runs::{LEASE, Run, RunEntry, RunOutcome, is_counted, text_of};
use crate::Registry;
use crate::delete_images::Deleting;
use crate::error::Error;
use crate::events::Announcer;
use crate::pull_times::PullTimes;
use crate::storage_class::announce_move;

/// How a batch ended.
pub(super) enum Acted {
    /// What still held was done.
    Done,
    /// An image left the competition for the places of a count rule: no such rule acted.
    Overtaken,
    /// The policy is another one, or its repository is gone: nothing was done.
    PolicyChanged,
    /// Another run took over: nothing was done.
    TakenOver,
}

/// What a batch works with.
struct Batch {
    repository: Repository,
    policy_id: String,
    departures: i64,
    lease: (String, String),
    run: i64,
    page: i64,
    images: Vec<Candidate>,
    /// Recorded beside the images.
    held: Vec<RunEntry>,
    recheck: Recheck,
    orphan_grace: Span,
    /// Asked inside the transaction: a pull may come while that waits for its turn.
    pulled: PullTimes,
    deleting: Deleting,
    announcer: Announcer,
    teller: Teller,
    /// The instant that the policy is evaluated at.
    at: Timestamp,
    /// The present: what is done now counts from now, however long the run takes (F02).
    now: Timestamp,
}

/// An image that a batch may act upon.
struct Candidate {
    entry: RunEntry,
    planned: Planned,
    /// Whether the action depends on other images too.
    is_counted: bool,
    /// Whether the run acted upon its subject in a batch before.
    follows: bool,
}

enum Outcome {
    Acted(Box<Done>),
    PolicyChanged,
    TakenOver,
}

struct Done {
    entries: Vec<RunEntry>,
    /// The places of those that were acted upon.
    places: Vec<u32>,
    departed: i64,
    is_overtaken: bool,
    has_told: bool,
}

impl Registry {
    /// Acts upon a batch, as far as each action still holds, and records it.
    pub(super) async fn act_on(
        &self,
        run: &mut Run,
        images: Vec<(RunEntry, Planned)>,
        at: Timestamp,
    ) -> Result<Acted, Error> {
        let now = self.clock.now();
        let candidate = |(entry, planned): (RunEntry, Planned)| Candidate {
            is_counted: is_counted(&run.facts.policy, &planned),
            follows: matches!(planned.cause, Cause::Subject(place) if run.is_taken(place)),
            entry,
            planned,
        };
        let batch = Batch {
            repository: run.facts.repository.clone(),
            policy_id: run.facts.policy_id.clone(),
            departures: run.departures,
            lease: run.lease.clone(),
            run: run.record.run,
            page: run.page,
            images: images.into_iter().map(candidate).collect(),
            held: run.held.clone(),
            recheck: run.recheck.clone(),
            orphan_grace: self.rules.orphan_grace,
            pulled: self.pull_times.clone(),
            deleting: self.deleting(now),
            announcer: self.announcer(now),
            teller: self.teller(&run.facts),
            at,
            now,
        };
        let outcome = self
            .metadata
            .write(batch, |tx, batch| Box::pin(act(tx, batch)))
            .await?;
        let done = match outcome {
            Outcome::TakenOver => return Ok(Acted::TakenOver),
            Outcome::PolicyChanged => return Ok(Acted::PolicyChanged),
            Outcome::Acted(done) => done,
        };
        run.departures += done.departed;
        run.page += 1;
        run.held.clear();
        run.has_told |= done.has_told;
        for entry in &done.entries {
            run.record.count(entry);
        }
        for place in done.places {
            run.take(place);
        }
        Ok(if done.is_overtaken {
            Acted::Overtaken
        } else {
            Acted::Done
        })
    }
}

async fn act(tx: &mut dyn MetadataWrite, batch: &Batch) -> Result<Outcome, Error> {
    let repository = batch.repository.id;
    let (lease, holder) = &batch.lease;
    let until = batch.now + LEASE;
    if !tx.claim_lease(lease, holder, batch.now, until).await? {
        return Ok(Outcome::TakenOver);
    }
    let live = tx.repository(&batch.repository.key).await?;
    let is_live = live.is_some_and(|live| live.id == repository);
    let policy = tx.lifecycle_policy(repository).await?;
    let Some(policy) = policy.filter(|p| is_live && p.policy_id == batch.policy_id) else {
        return Ok(Outcome::PolicyChanged);
    };
    let has_departed = policy.departures != batch.departures;
    let mut done = Done {
        entries: batch.held.clone(),
        places: Vec::new(),
        departed: 0,
        is_overtaken: false,
        has_told: false,
    };
    for candidate in &batch.images {
        if candidate.is_counted && has_departed {
            done.is_overtaken = true;
            continue;
        }
        let mut entry = candidate.entry.clone();
        entry.outcome = match candidate.planned.cause {
            Cause::Subject(place) if !candidate.follows && !done.places.contains(&place) => {
                RunOutcome::Changed
            }
            Cause::Subject(_) | Cause::Rule(_) | Cause::Orphan => {
                act_on_one(tx, batch, &entry, &candidate.planned).await?
            }
        };
        if entry.outcome == RunOutcome::Done {
            done.places.push(candidate.planned.place);
        }
        done.entries.push(entry);
    }
    let page = StoredPage {
        page: batch.page,
        starts_at: batch.page,
        text: text_of(&done.entries)?,
    };
    tx.insert_run_page(repository, batch.run, &page).await?;
    let events = batch.teller.events(&done.entries, batch.now);
    done.has_told = !events.is_empty();
    tx.append_events(batch.now, &events).await?;
    let after = tx.lifecycle_policy(repository).await?;
    done.departed = after.map_or(0, |after| after.departures - policy.departures);
    Ok(Outcome::Acted(Box::new(done)))
}

/// Looks at the image again and acts upon it if the plan still holds.
async fn act_on_one(
    tx: &mut dyn MetadataWrite,
    batch: &Batch,
    entry: &RunEntry,
    planned: &Planned,
) -> Result<RunOutcome, Error> {
    let Ok(digest) = Digest::parse(&entry.digest) else {
        return Ok(RunOutcome::Changed);
    };
    let repository = &batch.repository;
    let Some(mut image) = tx.lifecycle_image(repository.id, &digest).await? else {
        return Ok(RunOutcome::Changed);
    };
    let pulled = batch.pulled.noted(repository.id, &digest);
    image.last_pulled_at = image.last_pulled_at.max(pulled);
    let standing = standing(tx, repository, &image).await?;
    let holds = with_facts(&image, |facts| {
        let (at, grace) = (batch.at, batch.orphan_grace);
        batch
            .recheck
            .still_holds(planned, facts, &standing, at, grace)
    });
    if !holds {
        return Ok(RunOutcome::Changed);
    }
    match planned.action {
        LifecycleAction::Expire => {
            let ids = [ImageId::by_digest(&digest)];
            let plan = batch.deleting.delete(tx, repository, &ids).await?;
            let parents = tx.parents_of(repository.id, &digest).await?;
            match plan.failures.first().map(|failure| failure.code) {
                None => Ok(RunOutcome::Done),
                Some(ImageFailureCode::ImageReferencedByManifestList) => {
                    let lists = parents.iter().map(Digest::to_string).collect();
                    Ok(RunOutcome::ReferencedByManifestList { lists })
                }
                Some(_) => Ok(RunOutcome::Changed),
            }
        }
        LifecycleAction::Transition => {
            let archived = ImageStatus::Archived;
            tx.set_image_status(repository.id, &digest, archived, batch.now)
                .await?;
            let class = StorageClass::Archive;
            announce_move(tx, &batch.announcer, repository, &digest, class).await?;
            Ok(RunOutcome::Done)
        }
    }
}

/// Where an image stands among the others of its repository.
async fn standing(
    tx: &mut dyn MetadataWrite,
    repository: &Repository,
    image: &LifecycleImage,
) -> Result<Standing, StoreError> {
    let parents = tx.parents_of(repository.id, &image.digest).await?;
    let subject = match &image.subject {
        None => Subject::None,
        Some(subject) => match tx.image(repository.id, subject).await? {
            None => Subject::Absent,
            Some(subject) if subject.status == ImageStatus::Archived => Subject::Archived,
            Some(_) => Subject::Active,
        },
    };
    Ok(Standing {
        is_list_member: !parents.is_empty(),
        subject,
    })
}
