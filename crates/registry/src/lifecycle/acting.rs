//! One batch of a run: each action is decided again inside the transaction that carries it out.

use roadstead_domain::digest::Digest;
use roadstead_domain::image::{ImageFailureCode, ImageId, ImageStatus};
use roadstead_domain::lifecycle::evaluate::Planned;
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
    /// An image left the competition for the places of a count rule: nothing was done.
    Overtaken,
    /// The policy is another one, or another run took over: nothing was done.
    PolicyChanged,
}

/// What a batch works with.
struct Batch {
    repository: Repository,
    policy_id: String,
    departures: i64,
    lease: (String, String),
    run: i64,
    page: i64,
    images: Vec<(RunEntry, Planned)>,
    is_counted: bool,
    /// Recorded beside the images.
    held: Vec<RunEntry>,
    recheck: Recheck,
    orphan_grace: Span,
    /// Asked inside the transaction: a pull may come while that waits for its turn.
    pulled: PullTimes,
    deleting: Deleting,
    announcer: Announcer,
    teller: Teller,
    now: Timestamp,
    clock_now: Timestamp,
}

enum Outcome {
    Acted(Vec<RunEntry>, i64),
    Overtaken,
    PolicyChanged,
}

impl Registry {
    /// Acts upon a batch, as far as each action still holds, and records it.
    pub(super) async fn act_on(
        &self,
        run: &mut Run,
        images: Vec<(RunEntry, Planned)>,
        now: Timestamp,
    ) -> Result<Acted, Error> {
        let repository = run.facts.repository.clone();
        let counted = |(_, planned): &(RunEntry, Planned)| is_counted(&run.facts.policy, planned);
        let batch = Batch {
            policy_id: run.facts.policy_id.clone(),
            departures: run.departures,
            lease: run.lease.clone(),
            run: run.record.run,
            page: run.page,
            is_counted: images.iter().any(counted),
            held: std::mem::take(&mut run.held),
            recheck: run.recheck.clone(),
            orphan_grace: self.rules.orphan_grace,
            pulled: self.pull_times.clone(),
            deleting: self.deleting(now),
            announcer: self.announcer(now),
            teller: self.teller(&run.facts),
            images,
            repository,
            now,
            clock_now: self.clock.now(),
        };
        let outcome = self
            .metadata
            .write(batch, |tx, batch| Box::pin(act(tx, batch)))
            .await?;
        match outcome {
            Outcome::Overtaken => Ok(Acted::Overtaken),
            Outcome::PolicyChanged => Ok(Acted::PolicyChanged),
            Outcome::Acted(entries, departed) => {
                run.departures += departed;
                run.page += 1;
                for entry in &entries {
                    run.record.count(entry);
                }
                Ok(Acted::Done)
            }
        }
    }
}

async fn act(tx: &mut dyn MetadataWrite, batch: &Batch) -> Result<Outcome, Error> {
    let repository = batch.repository.id;
    let (lease, holder) = &batch.lease;
    let until = batch.clock_now + LEASE;
    let is_held = tx
        .claim_lease(lease, holder, batch.clock_now, until)
        .await?;
    let policy = tx.lifecycle_policy(repository).await?;
    let Some(policy) = policy.filter(|p| is_held && p.policy_id == batch.policy_id) else {
        return Ok(Outcome::PolicyChanged);
    };
    if batch.is_counted && policy.departures != batch.departures {
        return Ok(Outcome::Overtaken);
    }
    let mut entries = batch.held.clone();
    for (entry, planned) in &batch.images {
        let mut entry = entry.clone();
        entry.outcome = act_on_one(tx, batch, &entry, planned).await?;
        entries.push(entry);
    }
    let page = StoredPage {
        page: batch.page,
        starts_at: batch.page,
        text: text_of(&entries)?,
    };
    tx.insert_run_page(repository, batch.run, &page).await?;
    tx.append_events(batch.now, &batch.teller.events(&entries, batch.now))
        .await?;
    let after = tx.lifecycle_policy(repository).await?;
    let departed = after.map_or(0, |after| after.departures - policy.departures);
    Ok(Outcome::Acted(entries, departed))
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
        let (now, grace) = (batch.now, batch.orphan_grace);
        batch
            .recheck
            .still_holds(planned, facts, &standing, now, grace)
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
