//! Freeing bytes while the server runs, at a cost proportional to the garbage.
//!
//! A link that no image refers to is removed once its grace is over; that is decided again inside
//! the removing transaction, against whatever came in between (F01, F02). Bytes without any link
//! become garbage in the same transaction, and are deleted after it. A key is never used twice, so
//! no decision about old bytes can reach new ones (F03).

use std::ops::AddAssign;
use std::sync::PoisonError;

use roadstead_domain::ids::{BlobKey, RepositoryId};
use roadstead_domain::time::{Span, Timestamp};
use roadstead_store::metadata::{BlobLink, Garbage};

use crate::Registry;
use crate::error::Error;

/// Rows that one step looks at.
const STEP_ROWS: usize = 200;
/// How long a sweeper may stay silent before another takes over.
const LEASE: Span = Span::seconds(60);
const LEASE_NAME: &str = "sweep";

/// What a sweep did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SweepReport {
    /// Unreferenced links removed.
    pub links_removed: u64,
    /// Uploads given up.
    pub uploads_expired: u64,
    /// Deleted repositories whose last row went.
    pub repositories_reaped: u64,
    /// Blobs whose bytes were deleted.
    pub blobs_deleted: u64,
    /// Bytes freed, as the blob store counted them.
    pub bytes_freed: u64,
    /// Whether rows were left for another step.
    pub has_more: bool,
}

impl AddAssign for SweepReport {
    fn add_assign(&mut self, other: Self) {
        self.links_removed += other.links_removed;
        self.uploads_expired += other.uploads_expired;
        self.repositories_reaped += other.repositories_reaped;
        self.blobs_deleted += other.blobs_deleted;
        self.bytes_freed += other.bytes_freed;
        self.has_more = other.has_more;
    }
}

/// What a sweep would find.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SweepStatus {
    /// Links waiting for their grace to end, counted up to 1,000.
    pub links_waiting: u64,
    /// Their bytes; a blob that several repositories link to is counted for each.
    pub bytes_waiting: u64,
    /// Of these, links whose grace is over.
    pub links_due: u64,
    /// Blobs to be deleted, counted up to 1,000.
    pub blobs_doomed: u64,
    /// Their bytes, as far as known.
    pub bytes_doomed: u64,
    /// Deleted repositories that still hold rows, counted up to 1,000.
    pub repositories_deleted: u64,
    /// The grace in force, seconds.
    pub grace_seconds: u64,
}

impl Registry {
    /// What a sweep would find now.
    pub async fn sweep_status(&self, now: Timestamp) -> Result<SweepStatus, Error> {
        let grace = self.rules.sweep_grace;
        let due_before = now - grace;
        let mut status = self
            .metadata
            .read(due_before, |tx, due_before| {
                Box::pin(async move {
                    let waiting = tx.unreferenced_links(Timestamp(i64::MAX), 1000).await?;
                    let doomed = tx.garbage(None, 1000).await?;
                    let deleted = tx.deleted_repositories(Timestamp(i64::MAX), 1000).await?;
                    let is_due =
                        |link: &&BlobLink| link.unreferenced_since.is_some_and(|t| t < *due_before);
                    Ok::<_, Error>(SweepStatus {
                        links_waiting: waiting.len() as u64,
                        bytes_waiting: waiting.iter().map(|link| link.size_bytes).sum(),
                        links_due: waiting.iter().filter(is_due).count() as u64,
                        blobs_doomed: doomed.len() as u64,
                        bytes_doomed: doomed.iter().map(|garbage| garbage.size_bytes).sum(),
                        repositories_deleted: deleted.len() as u64,
                        grace_seconds: 0,
                    })
                })
            })
            .await?;
        status.grace_seconds = u64::try_from(grace.0 / 1_000_000).unwrap_or_default();
        Ok::<_, Error>(status)
    }

    /// What every step since the start of this process did together.
    pub fn swept(&self) -> SweepReport {
        *self.swept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One bounded step of the sweep, under its lease. None if another node is sweeping.
    pub async fn sweep_step(&self, now: Timestamp) -> Result<Option<SweepReport>, Error> {
        let _one_at_a_time = self.sweeping.lock().await;
        self.sessions.drop_idle(now);
        if self.is_clean(now).await? {
            return Ok(Some(SweepReport::default()));
        }
        let claimed = self
            .metadata
            .write((self.rules.node.clone(), now), |tx, (holder, now)| {
                Box::pin(async move {
                    Ok::<_, Error>(
                        tx.claim_lease(LEASE_NAME, holder, *now, *now + LEASE)
                            .await?,
                    )
                })
            })
            .await?;
        if !claimed {
            return Ok(None);
        }
        let mut report = SweepReport::default();
        self.purge_deletions(now, &mut report).await?;
        self.reap_repositories(now, &mut report).await?;
        self.expire_uploads(now, &mut report).await?;
        self.remove_links(now, &mut report).await?;
        self.delete_garbage(&mut report).await?;
        *self.swept.lock().unwrap_or_else(PoisonError::into_inner) += report;
        Ok(Some(report))
    }

    /// Whether a step would find nothing: an idle server writes nothing.
    async fn is_clean(&self, now: Timestamp) -> Result<bool, Error> {
        let due_before = now - self.rules.sweep_grace;
        let reaped_before = self.reaped_before(now);
        self.metadata
            .read((now, due_before, reaped_before), |tx, input| {
                let (now, due_before, reaped_before) = input;
                Box::pin(async move {
                    Ok(tx.deleted_repositories(*reaped_before, 1).await?.is_empty()
                        && tx.expired_deletions(*now, 1).await?.is_empty()
                        && tx.expired_uploads(*now, 1).await?.is_empty()
                        && tx.unreferenced_links(*due_before, 1).await?.is_empty()
                        && tx.garbage(None, 1).await?.is_empty())
                })
            })
            .await
    }

    /// Repositories that were deleted by then cannot be brought back any more.
    fn reaped_before(&self, now: Timestamp) -> Timestamp {
        let window = self.rules.undelete_window;
        window.map_or(Timestamp(i64::MAX), |window| now - window)
    }

    /// Gives up deleted images whose undelete window is over: their blobs are unreferenced from now.
    async fn purge_deletions(&self, now: Timestamp, report: &mut SweepReport) -> Result<(), Error> {
        let purged = self
            .metadata
            .write(now, |tx, now| {
                Box::pin(async move {
                    let due = tx.expired_deletions(*now, STEP_ROWS).await?;
                    for deleted in &due {
                        tx.purge_deleted_image(deleted.repository, deleted.number, *now)
                            .await?;
                    }
                    Ok::<_, Error>(due.len())
                })
            })
            .await?;
        report.has_more |= purged == STEP_ROWS;
        Ok(())
    }

    async fn reap_repositories(
        &self,
        now: Timestamp,
        report: &mut SweepReport,
    ) -> Result<(), Error> {
        let deleted: Vec<RepositoryId> = self
            .metadata
            .read(self.reaped_before(now), |tx, before| {
                Box::pin(async move { Ok::<_, Error>(tx.deleted_repositories(*before, 2).await?) })
            })
            .await?;
        let Some(repository) = deleted.first() else {
            return Ok(());
        };
        let is_gone = self
            .metadata
            .write(*repository, |tx, repository| {
                Box::pin(async move {
                    Ok::<_, Error>(tx.reap_repository(*repository, STEP_ROWS).await?)
                })
            })
            .await?;
        report.repositories_reaped += u64::from(is_gone);
        report.has_more |= !is_gone || deleted.len() > 1;
        Ok(())
    }

    async fn expire_uploads(&self, now: Timestamp, report: &mut SweepReport) -> Result<(), Error> {
        let expired = self
            .metadata
            .read(now, |tx, now| {
                Box::pin(async move { Ok::<_, Error>(tx.expired_uploads(*now, STEP_ROWS).await?) })
            })
            .await?;
        let listed = expired.len();
        let expired_before = report.uploads_expired;
        for upload in expired {
            if !self.sessions.is_claimed(&upload.id) {
                report.uploads_expired += u64::from(self.expire(upload, now).await?);
            }
        }
        // Uploads that requests hold are listed again and again: only progress calls for more.
        report.has_more |= listed == STEP_ROWS && report.uploads_expired > expired_before;
        Ok(())
    }

    async fn remove_links(&self, now: Timestamp, report: &mut SweepReport) -> Result<(), Error> {
        let before = now - self.rules.sweep_grace;
        let due = self
            .metadata
            .read(before, |tx, before| {
                Box::pin(
                    async move { Ok::<_, Error>(tx.unreferenced_links(*before, STEP_ROWS).await?) },
                )
            })
            .await?;
        report.has_more |= due.len() == STEP_ROWS;
        if due.is_empty() {
            return Ok(());
        }
        report.links_removed += self
            .metadata
            .write((due, before), |tx, (due, before)| {
                Box::pin(async move {
                    let mut removed = 0;
                    for link in due {
                        removed += u64::from(
                            tx.unlink_blob(link.repository, &link.digest, *before)
                                .await?,
                        );
                    }
                    Ok::<_, Error>(removed)
                })
            })
            .await?;
        Ok(())
    }

    /// Deletes garbage, page by page until one page had anything to delete. A file that cannot be
    /// deleted stays garbage and keeps nothing else from going (F33).
    async fn delete_garbage(&self, report: &mut SweepReport) -> Result<(), Error> {
        let mut after = None;
        loop {
            let garbage: Vec<Garbage> = self
                .metadata
                .read(after, |tx, after| {
                    Box::pin(
                        async move { Ok::<_, Error>(tx.garbage(after.as_ref(), STEP_ROWS).await?) },
                    )
                })
                .await?;
            let is_full = garbage.len() == STEP_ROWS;
            after = garbage.last().map(|one| one.key.clone());
            // A request that outlives its upload may still make the file: its key waits for it.
            let claimed = self.sessions.claimed_keys();
            let mut keys: Vec<BlobKey> = garbage.into_iter().map(|one| one.key).collect();
            keys.retain(|key| !claimed.contains(key));
            let deleted = self.delete_bytes(keys, report).await;
            if !deleted.is_empty() {
                report.has_more |= is_full;
                report.blobs_deleted += deleted.len() as u64;
                return self
                    .metadata
                    .write(deleted, |tx, deleted| {
                        Box::pin(async move { Ok(tx.delete_garbage(deleted).await?) })
                    })
                    .await;
            }
            if !is_full {
                return Ok(());
            }
        }
    }

    /// Deletes bytes, all at once if that works, else one by one; gives the keys that are gone.
    async fn delete_bytes(&self, keys: Vec<BlobKey>, report: &mut SweepReport) -> Vec<BlobKey> {
        if keys.is_empty() {
            return keys;
        }
        if let Ok(freed) = self.blobs.delete(&keys).await {
            report.bytes_freed += freed;
            return keys;
        }
        let mut deleted = Vec::new();
        for key in keys {
            match self.blobs.delete(std::slice::from_ref(&key)).await {
                Ok(freed) => {
                    report.bytes_freed += freed;
                    deleted.push(key);
                }
                Err(error) => tracing::error!(%key, %error, "garbage that cannot be deleted"),
            }
        }
        deleted
    }
}
