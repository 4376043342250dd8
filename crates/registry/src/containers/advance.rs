//! How changes of services come to their end, and pushes that nobody registered: a worker's step.
//!
//! A step may stop anywhere and be taken again, here or on another node: what it decides is decided
//! against the row that it replaces.

use roadstead_domain::digest::Digest;
use roadstead_domain::ids::ContainerServiceId;
use roadstead_domain::lightsail::service::{Advance, Changed, Report};
use roadstead_domain::lightsail::state::ServiceState;
use roadstead_domain::name::RepositoryKey;
use roadstead_domain::time::{Span, Timestamp};
use roadstead_store::metadata::{
    MetadataWrite, PassingCursor, PendingPush, Repository, StoreError, StoredService,
};

use super::changes::Moment;
use super::images::{end_push, free};
use super::wanted;
use crate::Registry;
use crate::delete_images::Deleting;
use crate::error::Error;

/// Services that are loaded at once.
const PAGE: usize = 50;
/// Lines, and as many measurements, of a service that one transaction removes.
const STEP_ROWS: usize = 1_000;
/// Pushes that one step ends.
const PUSHES: usize = 20;
/// How soon a service is asked for again that is due but not ready; ours.
const ASKED_AGAIN: Span = Span::seconds(1);

impl Registry {
    /// One step: ends what is due, keeps what the runtime wrote, ends pushes that nobody
    /// registered. When to take the next one, at the latest; whenever it is asked for if none.
    pub async fn containers_step(&self, now: Timestamp) -> Result<Option<Timestamp>, Error> {
        let next = self.advance_container_services(now).await?;
        let has_more = self.keep_container_records(now).await? | self.end_pushes(now).await?;
        Ok(if has_more { Some(now) } else { next })
    }

    /// Tells the runtime of everything that should run: at the start, since it may have missed the
    /// last changes.
    pub async fn want_all_containers(&self) -> Result<(), Error> {
        match self.runtime() {
            Some(runtime) => {
                self.each_container_service(|stored| runtime.want(wanted(stored)))
                    .await
            }
            None => Ok(()),
        }
    }

    /// Every service that there is, those included that are being deleted: nothing of any other
    /// may run.
    pub async fn container_service_ids(&self) -> Result<Vec<ContainerServiceId>, Error> {
        let mut ids = Vec::new();
        self.each_container_service(|stored| ids.push(stored.id.clone()))
            .await?;
        Ok(ids)
    }

    async fn each_container_service(
        &self,
        mut visit: impl FnMut(&StoredService) + Send,
    ) -> Result<(), Error> {
        let mut after = None;
        loop {
            let page: Vec<StoredService> = self
                .metadata
                .read(after, |tx, after| {
                    Box::pin(async move {
                        let services = tx.every_container_service(after.as_ref(), PAGE);
                        Ok::<_, Error>(services.await?)
                    })
                })
                .await?;
            page.iter().for_each(&mut visit);
            match page.last() {
                Some(last) if page.len() == PAGE => after = Some(last.id.clone()),
                _ => return Ok(()),
            }
        }
    }

    /// Advances every service that is due; when the next one is.
    async fn advance_container_services(&self, now: Timestamp) -> Result<Option<Timestamp>, Error> {
        let mut next: Option<Timestamp> = None;
        let mut after: Option<PassingCursor> = None;
        loop {
            let page: Vec<StoredService> = self
                .metadata
                .read(after, |tx, after| {
                    Box::pin(async move {
                        let services = tx.passing_container_services(after.as_ref(), PAGE);
                        Ok::<_, Error>(services.await?)
                    })
                })
                .await?;
            for stored in &page {
                let due = stored.service.due_at(self.rules.container_dwell);
                let due = due.unwrap_or(now);
                if due > now {
                    // The rest began later.
                    return Ok(Some(next.map_or(due, |next| next.min(due))));
                }
                let again = self.advance_container_service(stored, now).await?;
                next = match (next, again) {
                    (Some(next), Some(again)) => Some(next.min(again)),
                    (next, again) => next.or(again),
                };
            }
            after = match page.last() {
                Some(last) if page.len() == PAGE => Some(PassingCursor {
                    since: last.service.since,
                    id: last.id.clone(),
                }),
                _ => return Ok(next),
            };
        }
    }

    /// Advances one service as it was loaded; when to ask for it again, if it has to be.
    async fn advance_container_service(
        &self,
        loaded: &StoredService,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, Error> {
        let later = Ok(Some(now + ASKED_AGAIN));
        let report = match self.runtime() {
            None => Report::NoRuntime(self.rules.container_recorded_end),
            Some(runtime) => {
                // Said again: the process may have ended between a commit and this.
                runtime.want(wanted(loaded));
                let is_left = !runtime.is_gone(&loaded.id);
                if loaded.service.state == ServiceState::Deleting && is_left {
                    return later;
                }
                match &loaded.service.next {
                    Some(next) => runtime.report(&loaded.id, next.version),
                    None => Report::Healthy,
                }
            }
        };
        let dwell = self.rules.container_dwell;
        match loaded.service.advance(now, dwell, report) {
            Advance::Unchanged => later,
            Advance::Changed(changed) => {
                let due = changed.service.due_at(dwell);
                self.store_advance(loaded, *changed, now).await?;
                Ok(due)
            }
            Advance::Gone => {
                let is_gone = self.remove_container_service(loaded, now).await?;
                Ok((!is_gone).then_some(now))
            }
        }
    }

    async fn store_advance(
        &self,
        loaded: &StoredService,
        changed: Changed,
        now: Timestamp,
    ) -> Result<(), Error> {
        let input = (loaded.clone(), changed, self.moment(now));
        let stored: Option<StoredService> = self
            .metadata
            .write(input, |tx, (loaded, changed, moment)| {
                Box::pin(advance(tx, loaded, changed, moment))
            })
            .await?;
        if let Some(stored) = stored {
            self.container_service_changed(&stored);
        }
        Ok(())
    }

    /// Removes a service for good, in steps; false if it is not gone yet.
    async fn remove_container_service(
        &self,
        loaded: &StoredService,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let id = loaded.id.clone();
        let is_empty: bool = self
            .metadata
            .write(id, |tx, id| {
                Box::pin(async move {
                    let emptied = tx.empty_container_service(id, STEP_ROWS);
                    Ok::<_, Error>(emptied.await?)
                })
            })
            .await?;
        if !is_empty {
            return Ok(false);
        }
        let input = (loaded.clone(), self.deleting(now));
        self.metadata
            .write(input, |tx, (loaded, deleting)| {
                Box::pin(async move { Ok(remove(tx, loaded, deleting).await?) })
            })
            .await
    }

    /// Ends pushes that nobody registered in time; true if there are more.
    async fn end_pushes(&self, now: Timestamp) -> Result<bool, Error> {
        let expired: Vec<PendingPush> = self
            .metadata
            .read(now, |tx, now| {
                Box::pin(async move {
                    let expired = tx.expired_container_pushes(*now, PUSHES);
                    Ok::<_, Error>(expired.await?)
                })
            })
            .await?;
        let has_more = expired.len() == PUSHES;
        for PendingPush {
            repository, digest, ..
        } in expired
        {
            let push = (repository, digest, now, self.deleting(now));
            self.metadata
                .write(push, |tx, (repository, digest, now, deleting)| {
                    Box::pin(async move {
                        let ended = expire(tx, repository, digest, *now, deleting);
                        Ok::<_, Error>(ended.await?)
                    })
                })
                .await?;
        }
        Ok(has_more)
    }
}

/// Stores what becomes of a service, unless another writer came in between.
async fn advance(
    tx: &mut dyn MetadataWrite,
    loaded: &StoredService,
    changed: &Changed,
    moment: &Moment,
) -> Result<Option<StoredService>, Error> {
    let Some(before) = tx.container_service_with(&loaded.id).await? else {
        return Ok(None);
    };
    if before.service != loaded.service {
        return Ok(None);
    }
    let after = moment.store(tx, &before, changed.clone()).await?;
    Ok(Some(after))
}

/// Removes a service with its images; false if lines came in between.
async fn remove(
    tx: &mut dyn MetadataWrite,
    loaded: &StoredService,
    deleting: &Deleting,
) -> Result<bool, StoreError> {
    let Some(stored) = tx.container_service_with(&loaded.id).await? else {
        return Ok(true);
    };
    if !tx.empty_container_service(&stored.id, STEP_ROWS).await? {
        return Ok(false);
    }
    let images = tx.container_images(&stored.key()).await?;
    tx.delete_container_service(&stored.id).await?;
    let key = RepositoryKey::containers(stored.account.clone(), stored.region.clone());
    let Some(repository) = tx.repository(&key).await? else {
        return Ok(true);
    };
    for image in images {
        free(tx, deleting, &repository, &image.digest).await?;
    }
    Ok(true)
}

/// Ends a push whose time is over: a manifest without a name goes, one with a name loses its tags.
async fn expire(
    tx: &mut dyn MetadataWrite,
    repository: &Repository,
    digest: &Digest,
    now: Timestamp,
    deleting: &Deleting,
) -> Result<(), StoreError> {
    let waits_until = tx.container_push(repository.id, digest).await?;
    if waits_until.is_none_or(|until| until > now) {
        // Registered, or pushed again, in between.
        return Ok(());
    }
    end_push(tx, repository.id, digest).await?;
    free(tx, deleting, repository, digest).await
}
