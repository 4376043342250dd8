//! Previews: what a policy would do, without doing it (lifecycle.md 4).
//!
//! Asking stores a row; a worker evaluates it and stores the results in pages, so
//! that reading them later costs the page. A preview that a crash interrupts is done again.

use std::sync::Arc;
use std::time::Duration;

use roadstead_domain::digest::Digest;
use roadstead_domain::ids::{RepositoryId, uuid_text};
use roadstead_domain::image::{ImageId, ImageSelector, TagStatus};
use roadstead_domain::lifecycle::evaluate::{Cause, Evaluation, Planned};
use roadstead_domain::lifecycle::policy::{LifecycleAction, LifecyclePolicy, StorageClass};
use roadstead_domain::limits::{PAGE_DEFAULT, PAGE_MAX};
use roadstead_domain::name::RepositoryKey;
use roadstead_domain::time::{Span, Timestamp};
use roadstead_store::metadata::{
    MetadataRead, MetadataWrite, PreviewStatus, Repository, StoreError, StoredPage, StoredPreview,
};

use super::loaded::Loading;
use super::preview_page::{entries, text_of};
use super::stored_policy;
use crate::Registry;
use crate::access::Authorized;
use crate::context::RequestContext;
use crate::error::{Error, Place};
use crate::images::find;
use crate::loading;
use crate::paging::PageRequest;

/// How long the results of a preview can be read (lifecycle.md 4: inferred).
const LIFE: Span = Span::hours(24);
/// Results in one stored page.
const PAGE_RESULTS: usize = 2_000;
/// Previews that wait and are looked at in one step.
const WAITING_ROWS: usize = 20;
/// Stored pages that one answer looks through for results that fit.
const PAGES_PER_ANSWER: usize = 20;
/// Pages of former previews that one step removes.
const PRUNED_PAGES: usize = 200;
/// Between two pages: other writers go first.
const PAUSE: Duration = Duration::from_millis(3);
/// How long a previewer may stay silent before another takes over.
const LEASE: Span = Span::seconds(60);

/// `status` as the API shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PreviewState {
    /// Being evaluated.
    InProgress,
    /// Its results can be read.
    Complete,
    /// Its results are too old.
    Expired,
    /// It could not be evaluated.
    Failed,
}

/// One image that would be acted upon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviewResult {
    /// Its digest.
    pub digest: String,
    /// Its tags at the time of the preview.
    pub tags: Vec<String>,
    /// `imagePushedAt`, microseconds.
    pub pushed_at: i64,
    /// Whether it would expire; otherwise it would be archived.
    pub expires: bool,
    /// `appliedRulePriority`.
    pub rule: i32,
    /// Whether it is in the archive now.
    pub is_archived: bool,
}

/// A preview with some of its results.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// The policy text exactly as it was given.
    pub text: String,
    /// How far it is.
    pub state: PreviewState,
    /// Images that would expire, on all pages.
    pub expiring: u64,
    /// Images that would be archived, on all pages.
    pub transitioning: u64,
    /// Results, oldest push first.
    pub results: Vec<PreviewResult>,
    /// The token of the next page.
    pub next_token: Option<String>,
}

/// Which results of a preview are asked for.
#[derive(Debug, Clone)]
pub enum PreviewQuery {
    /// Those of these images; images that it does not act upon are skipped.
    Images(Vec<ImageId>),
    /// All, in pages.
    Page(PageRequest),
}

impl Registry {
    /// Asks for a preview of `text`, or of the repository's own policy.
    pub async fn start_preview(
        &self,
        context: &RequestContext,
        key: Authorized<RepositoryKey>,
        text: Option<String>,
    ) -> Result<Preview, Error> {
        if let Some(Err(refusal)) = text.as_deref().map(LifecyclePolicy::parse) {
            let missing = self.repository(&key).await.err();
            return Err(missing.unwrap_or(Error::InvalidLifecyclePolicy(refusal)));
        }
        let input = (
            key.into_inner(),
            text,
            uuid_text(self.ids.bits()),
            context.now,
        );
        let started = self
            .metadata
            .write(input, |tx, (key, text, preview_id, now)| {
                Box::pin(async move {
                    let repository = loading::repository(tx, key).await?;
                    let text = match text {
                        Some(text) => text.clone(),
                        None => stored_policy(tx, &repository).await?.text,
                    };
                    let present = tx.preview(repository.id).await?;
                    if present.is_some_and(|p| p.status == PreviewStatus::InProgress) {
                        return Err(Error::LifecyclePreviewInProgress(Place::from(key)));
                    }
                    let started = StoredPreview {
                        preview_id: preview_id.clone(),
                        text,
                        status: PreviewStatus::InProgress,
                        started_at: *now,
                        completed_at: None,
                        expiring: 0,
                        transitioning: 0,
                    };
                    tx.put_preview(repository.id, &started).await?;
                    Ok(started)
                })
            })
            .await?;
        self.preview_bell.notify_one();
        Ok(shown(started, context.now))
    }

    /// The preview of a repository with the results that `query` and `tag_status` ask for.
    pub async fn preview(
        &self,
        context: &RequestContext,
        key: Authorized<RepositoryKey>,
        query: PreviewQuery,
        tag_status: TagStatus,
    ) -> Result<Preview, Error> {
        let (repository, stored) = self
            .metadata
            .read(key.into_inner(), |tx, key| {
                Box::pin(async move {
                    let repository = loading::repository(tx, key).await?;
                    let stored = tx.preview(repository.id).await?;
                    let missing = || Error::LifecyclePreviewNotFound(Place::from(key));
                    Ok::<_, Error>((repository, stored.ok_or_else(missing)?))
                })
            })
            .await?;
        let preview_id = stored.preview_id.clone();
        let mut preview = shown(stored, context.now);
        if preview.state != PreviewState::Complete {
            return Ok(preview);
        }
        match query {
            PreviewQuery::Images(ids) => {
                let found = self.preview_results_of(repository, preview_id, ids).await?;
                preview.results = found;
                preview.results.retain(|result| fits(result, tag_status));
            }
            PreviewQuery::Page(request) => {
                (preview.results, preview.next_token) =
                    self.preview_page(preview_id, &request, tag_status).await?;
            }
        }
        Ok(preview)
    }

    async fn preview_results_of(
        &self,
        repository: Repository,
        preview_id: String,
        ids: Vec<ImageId>,
    ) -> Result<Vec<PreviewResult>, Error> {
        self.metadata
            .read(
                (repository, preview_id, ids),
                |tx, (repository, preview, ids)| {
                    Box::pin(async move {
                        let mut results: Vec<PreviewResult> = Vec::new();
                        for id in ids {
                            let Some(result) = result_of(tx, repository, preview, id).await? else {
                                continue;
                            };
                            if results.iter().all(|other| other.digest != result.digest) {
                                results.push(result);
                            }
                        }
                        Ok(results)
                    })
                },
            )
            .await
    }

    async fn preview_page(
        &self,
        preview_id: String,
        request: &PageRequest,
        tag_status: TagStatus,
    ) -> Result<(Vec<PreviewResult>, Option<String>), Error> {
        let scope = format!("preview {preview_id} {tag_status:?}");
        let limit = request.limit.unwrap_or(PAGE_DEFAULT).min(PAGE_MAX);
        let (mut page, mut skipped) = match &request.token {
            None => (0, 0),
            Some(token) => match self.open_cursor(&scope, token)?.as_slice() {
                [page, skipped] => (page.parse().unwrap_or(0), skipped.parse().unwrap_or(0)),
                _ => (0, 0),
            },
        };
        let mut results = Vec::new();
        for _ in 0..PAGES_PER_ANSWER {
            let stored = self.stored_preview_page(&preview_id, page).await?;
            let Some(entries) = stored else {
                return Ok((results, None));
            };
            for (at, result) in entries.into_iter().enumerate().skip(skipped) {
                if !fits(&result, tag_status) {
                    continue;
                }
                if results.len() == limit {
                    let cursor = [page.to_string(), at.to_string()];
                    return Ok((results, Some(self.seal_cursor(&scope, &cursor))));
                }
                results.push(result);
            }
            (page, skipped) = (page + 1, 0);
        }
        // Few fit: the next answer goes on from here.
        let cursor = [page.to_string(), skipped.to_string()];
        Ok((results, Some(self.seal_cursor(&scope, &cursor))))
    }

    async fn stored_preview_page(
        &self,
        preview_id: &str,
        page: i64,
    ) -> Result<Option<Vec<PreviewResult>>, Error> {
        self.metadata
            .read((preview_id.to_owned(), page), |tx, (preview_id, page)| {
                Box::pin(async move {
                    let pages = tx.preview_pages(preview_id, *page, 1).await?;
                    let stored = pages.first().filter(|stored| stored.page == *page);
                    Ok(stored.map(entries).transpose()?)
                })
            })
            .await
    }

    /// Waits until a preview is asked for.
    pub async fn preview_asked(&self) {
        self.preview_bell.notified().await;
    }

    /// Evaluates the oldest preview that was asked for; false if there is none.
    pub async fn preview_step(&self, now: Timestamp) -> Result<bool, Error> {
        let waiting = self
            .metadata
            .read((), |tx, ()| {
                Box::pin(
                    async move { Ok::<_, Error>(tx.previews_in_progress(WAITING_ROWS).await?) },
                )
            })
            .await?;
        let mut failed = None;
        for repository in waiting {
            match self.evaluate_claimed(&repository, now).await {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                // Tried again later; the others do not wait for it.
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(false), Err)
    }

    /// Evaluates a preview unless somebody else does.
    async fn evaluate_claimed(
        &self,
        repository: &Repository,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let name = format!("preview {}", repository.id.0);
        let holder = self.rules.node.clone();
        let Some(_alone) = self.doing.begin(&name) else {
            return Ok(false);
        };
        if !self.take_lease(&name, &holder, now, LEASE).await? {
            return Ok(false);
        }
        let lease = (name, holder);
        let done = self.evaluate_preview(repository, &lease, now).await;
        if let Err(error) = &done
            && !matches!(error, Error::Store(StoreError::Unavailable(_)))
        {
            self.give_up_preview(repository).await?;
        }
        self.give_lease_back(&lease.0, &lease.1).await?;
        done.map(|()| true)
    }

    async fn evaluate_preview(
        &self,
        repository: &Repository,
        lease: &(String, String),
        now: Timestamp,
    ) -> Result<(), Error> {
        self.write_pull_times().await?;
        let begun = self
            .metadata
            .survey(repository.id, |tx, repository| {
                Box::pin(async move {
                    let Some(stored) = tx.preview(*repository).await? else {
                        return Ok(None);
                    };
                    let Ok(policy) = LifecyclePolicy::parse_unpadded(&stored.text) else {
                        return Ok(Some((stored, None)));
                    };
                    let loading = Loading::begin(tx, *repository, &[policy]).await?;
                    Ok::<_, Error>(Some((stored, Some(loading))))
                })
            })
            .await?;
        let Some((mut stored, loading)) = begun else {
            return Ok(());
        };
        let evaluated = match loading {
            Some(loading) => {
                self.evaluate_loaded(repository.id, loading, now, Some(lease))
                    .await?
            }
            None => Vec::new(),
        };
        stored.status = PreviewStatus::Failed;
        if let Some(evaluation) = evaluated.into_iter().next() {
            let id = &stored.preview_id;
            if !self
                .store_results(repository, id, lease, &evaluation)
                .await?
            {
                return Ok(());
            }
            let summary = evaluation.summary();
            stored.status = PreviewStatus::Complete;
            stored.completed_at = Some(self.clock.now());
            stored.expiring = summary.expiring;
            stored.transitioning = summary.transitioning;
        }
        let id = repository.id;
        self.metadata
            .write((id, stored), |tx, (repository, stored)| {
                Box::pin(async move { end_preview(tx, *repository, stored).await })
            })
            .await?;
        self.prune_previews(id).await
    }

    /// Records that the preview in progress cannot be evaluated.
    async fn give_up_preview(&self, repository: &Repository) -> Result<(), Error> {
        self.metadata
            .write(repository.id, |tx, repository| {
                Box::pin(async move {
                    if let Some(mut stored) = tx.preview(*repository).await? {
                        stored.status = PreviewStatus::Failed;
                        end_preview(tx, *repository, &stored).await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    /// Stores the results page by page, each in a short transaction of its own; false if the lease
    /// was lost, and with it the preview.
    async fn store_results(
        &self,
        repository: &Repository,
        preview_id: &str,
        lease: &(String, String),
        evaluation: &Evaluation,
    ) -> Result<bool, Error> {
        let id = Arc::<str>::from(preview_id);
        let mut listed = evaluation.listed();
        for page in 0.. {
            let results: Vec<PreviewResult> = listed
                .by_ref()
                .take(PAGE_RESULTS)
                .map(|planned| result(evaluation, &planned))
                .collect();
            let Some(first) = results.first() else {
                break;
            };
            let stored = StoredPage {
                page,
                starts_at: first.pushed_at,
                text: text_of(&results)?,
            };
            let now = self.clock.now();
            let input = (repository.id, id.clone(), stored, lease.clone(), now);
            let is_held = self
                .metadata
                .write(input, |tx, (repository, id, stored, lease, now)| {
                    Box::pin(async move {
                        let (name, holder) = lease;
                        let is_held = tx.claim_lease(name, holder, *now, *now + LEASE).await?;
                        if is_held {
                            tx.put_preview_page(*repository, id, stored).await?;
                        }
                        Ok::<_, Error>(is_held)
                    })
                })
                .await?;
            if !is_held {
                return Ok(false);
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(true)
    }

    async fn prune_previews(&self, repository: RepositoryId) -> Result<(), Error> {
        loop {
            let is_done = self
                .metadata
                .write(repository, |tx, repository| {
                    Box::pin(async move {
                        Ok::<_, Error>(tx.prune_preview_pages(*repository, PRUNED_PAGES).await?)
                    })
                })
                .await?;
            if is_done {
                return Ok(());
            }
        }
    }
}

/// Records the end of a preview, unless another took its place.
async fn end_preview(
    tx: &mut dyn MetadataWrite,
    repository: RepositoryId,
    ended: &StoredPreview,
) -> Result<(), Error> {
    let present = tx.preview(repository).await?;
    let is_due = |present: &StoredPreview| {
        present.preview_id == ended.preview_id && present.status == PreviewStatus::InProgress
    };
    if present.as_ref().is_some_and(is_due) {
        tx.put_preview(repository, ended).await?;
    }
    Ok(())
}

fn shown(stored: StoredPreview, now: Timestamp) -> Preview {
    let is_old = stored.completed_at.is_some_and(|at| at + LIFE < now);
    Preview {
        text: stored.text,
        state: match stored.status {
            PreviewStatus::InProgress => PreviewState::InProgress,
            PreviewStatus::Failed => PreviewState::Failed,
            PreviewStatus::Complete if is_old => PreviewState::Expired,
            PreviewStatus::Complete => PreviewState::Complete,
        },
        expiring: stored.expiring,
        transitioning: stored.transitioning,
        results: Vec::new(),
        next_token: None,
    }
}

fn result(evaluation: &Evaluation, planned: &Planned) -> PreviewResult {
    PreviewResult {
        digest: evaluation.name(planned.place).into(),
        tags: evaluation.tags(planned.place).map(str::to_owned).collect(),
        pushed_at: evaluation.pushed_at(planned.place).0,
        expires: planned.action == LifecycleAction::Expire,
        rule: match planned.cause {
            Cause::Rule(priority) => priority,
            // Previews list neither.
            Cause::Subject(_) | Cause::Orphan => 0,
        },
        is_archived: evaluation.class(planned.place) == StorageClass::Archive,
    }
}

fn fits(result: &PreviewResult, tag_status: TagStatus) -> bool {
    match tag_status {
        TagStatus::Any => true,
        TagStatus::Tagged => !result.tags.is_empty(),
        TagStatus::Untagged => result.tags.is_empty(),
    }
}

/// What a preview says of one image: found by when it was pushed, the order of the pages.
async fn result_of<R>(
    tx: &mut R,
    repository: &Repository,
    preview_id: &str,
    id: &ImageId,
) -> Result<Option<PreviewResult>, StoreError>
where
    R: MetadataRead + ?Sized,
{
    let Ok(digest) = find(tx, repository.id, id).await? else {
        return Ok(None);
    };
    let Some(image) = tx.image(repository.id, &digest).await? else {
        return Ok(None);
    };
    let at = image.pushed_at.0;
    let mut page = tx.preview_page_at(preview_id, at).await?;
    while let Some(stored) = page {
        let is_first = stored.starts_at < at || stored.page == 0;
        let found = entries(&stored)?
            .into_iter()
            .find(|r| is_named(r, &digest, id));
        if found.is_some() || is_first {
            return Ok(found);
        }
        // Pushes of one instant can fill several pages.
        page = tx
            .preview_pages(preview_id, stored.page - 1, 1)
            .await?
            .into_iter()
            .next();
    }
    Ok(None)
}

/// Whether the result is of this image, and had the tag that was asked for.
fn is_named(result: &PreviewResult, digest: &Digest, id: &ImageId) -> bool {
    let has_tag = match id.selector() {
        Ok(Some(ImageSelector::ByTag(tag) | ImageSelector::Both(_, tag))) => {
            result.tags.iter().any(|own| own == tag.as_str())
        }
        Ok(Some(ImageSelector::ByDigest(_)) | None) | Err(_) => true,
    };
    result.digest == digest.as_str() && has_tag
}
