//! The part of the port that lifecycle policies, the archive of deleted images and events use:
//! rows, questions and changes.

use async_trait::async_trait;
use roadstead_domain::digest::Digest;
use roadstead_domain::ids::RepositoryId;
use roadstead_domain::image::{Image, ImageStatus};
use roadstead_domain::name::RepositoryKey;
use roadstead_domain::reference::ImageTag;
use roadstead_domain::time::Timestamp;

use super::{Repository, StoreError};

/// A lifecycle policy as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLifecyclePolicy {
    /// The text in its compact form.
    pub text: String,
    /// Tells this policy from every one that the repository had before; a UUID.
    pub policy_id: String,
    /// When it was put.
    pub put_at: Timestamp,
    /// `lastEvaluatedAt`: the end of the last run of this policy.
    pub evaluated_at: Option<Timestamp>,
    /// When it is due.
    pub next_run_at: Timestamp,
    /// How often an image may have left the competition for the places of a count rule since the
    /// policy was put: see [`WriteLifecycle`].
    pub departures: i64,
}

/// Orders the images of a repository by when they were stored. Gaps are ordinary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ImageNumber(pub i64);

/// An image as far as lifecycle policies care.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LifecycleImage {
    /// Its place among the images of its repository.
    pub number: ImageNumber,
    /// Its digest.
    pub digest: Digest,
    /// Its tags in the order in which they were attached.
    pub tags: Vec<ImageTag>,
    /// Whether it can be pulled.
    pub status: ImageStatus,
    /// When it was first pushed.
    pub pushed_at: Timestamp,
    /// Orders pushes that share an instant.
    pub push_seq: i64,
    /// `lastRecordedPullTime`.
    pub last_pulled_at: Option<Timestamp>,
    /// `lastArchivedAt`.
    pub archived_at: Option<Timestamp>,
    /// `lastActivatedAt`.
    pub activated_at: Option<Timestamp>,
    /// The manifest that it refers to.
    pub subject: Option<Digest>,
    /// Since when its subject, which had been here, is gone.
    pub orphaned_at: Option<Timestamp>,
}

/// One entry of an index of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexMember {
    /// The manifest that is listed, present or not.
    pub child: Digest,
    /// The index that lists it.
    pub index: ImageNumber,
}

/// `status` of a preview (`LifecyclePolicyPreviewStatus` in the ECR API model). EXPIRED is the age
/// of a complete one and not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PreviewStatus {
    /// Asked for.
    InProgress,
    /// Done.
    Complete,
    /// Given up.
    Failed,
}

/// A preview: one per repository, the newest in place of the one before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPreview {
    /// Tells it from every other preview; a UUID.
    pub preview_id: String,
    /// The policy text exactly as it was given.
    pub text: String,
    /// How far it is.
    pub status: PreviewStatus,
    /// When it was asked for.
    pub started_at: Timestamp,
    /// When it was done.
    pub completed_at: Option<Timestamp>,
    /// Images that would expire.
    pub expiring: u64,
    /// Images that would be archived.
    pub transitioning: u64,
}

/// Some results of a preview or actions of a run, in a form that only their writer reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPage {
    /// Counts from 0 without gaps.
    pub page: i64,
    /// Where the page starts in the order of its writer: a page may be found by it.
    pub starts_at: i64,
    /// The entries.
    pub text: String,
}

/// The record of one run, in a form that only its writer reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRun {
    /// Tells it from every other run; later runs of a repository have larger ones.
    pub run: i64,
    /// When it started.
    pub started_at: Timestamp,
    /// The record.
    pub text: String,
}

/// An image that was deleted and can be brought back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeletedImage {
    /// Its place among the images of its repository.
    pub number: ImageNumber,
    /// The repository.
    pub repository: RepositoryId,
    /// The record as it was.
    pub image: Image,
    /// The tags that it had, in the order in which they were attached.
    pub tags: Vec<ImageTag>,
    /// The manifests that it lists, if it is an index.
    pub children: Vec<Digest>,
    /// When it was deleted.
    pub deleted_at: Timestamp,
    /// Until when it can be brought back.
    pub kept_until: Timestamp,
}

/// Something to tell a destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// Who is to be told.
    pub destination: String,
    /// The repository that it is about.
    pub repository: RepositoryId,
    /// What to tell.
    pub payload: String,
}

/// An event that waits for its delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Orders the events of a repository: later ones have larger numbers.
    pub seq: i64,
    /// The repository that it is about.
    pub repository: RepositoryId,
    /// When it was appended.
    pub at: Timestamp,
    /// What to tell.
    pub payload: String,
}

/// Policies, previews, runs, and the images that they are about.
#[async_trait]
pub trait ReadLifecycle {
    /// The policy of a repository.
    async fn lifecycle_policy(
        &mut self,
        repository: RepositoryId,
    ) -> Result<Option<StoredLifecyclePolicy>, StoreError>;

    /// Live repositories whose policy is due at `now`, the longest overdue first.
    async fn lifecycle_due(
        &mut self,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<Repository>, StoreError>;

    /// When the next policy of a live repository is due.
    async fn lifecycle_next_due(&mut self) -> Result<Option<Timestamp>, StoreError>;

    /// The preview of a repository, without its results.
    async fn preview(
        &mut self,
        repository: RepositoryId,
    ) -> Result<Option<StoredPreview>, StoreError>;

    /// Live repositories with a preview in progress, the oldest first.
    async fn previews_in_progress(&mut self, limit: usize) -> Result<Vec<Repository>, StoreError>;

    /// Pages of results of a preview from page `from` on.
    async fn preview_pages(
        &mut self,
        preview_id: &str,
        from: i64,
        limit: usize,
    ) -> Result<Vec<StoredPage>, StoreError>;

    /// The last page of results that starts at or before `at`.
    async fn preview_page_at(
        &mut self,
        preview_id: &str,
        at: i64,
    ) -> Result<Option<StoredPage>, StoreError>;

    /// Images of every status with their tags, in the order of their numbers, after `after`.
    async fn lifecycle_images(
        &mut self,
        repository: RepositoryId,
        after: Option<ImageNumber>,
        limit: usize,
    ) -> Result<Vec<LifecycleImage>, StoreError>;

    /// One image with its tags.
    async fn lifecycle_image(
        &mut self,
        repository: RepositoryId,
        digest: &Digest,
    ) -> Result<Option<LifecycleImage>, StoreError>;

    /// What the indexes of a repository list, by child, then index, after `after`.
    async fn index_members(
        &mut self,
        repository: RepositoryId,
        after: Option<&IndexMember>,
        limit: usize,
    ) -> Result<Vec<IndexMember>, StoreError>;

    /// The runs of a repository, the newest first, before run `before`.
    async fn lifecycle_runs(
        &mut self,
        repository: RepositoryId,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<StoredRun>, StoreError>;

    /// Pages of what a run did from page `from` on.
    async fn run_pages(
        &mut self,
        run: i64,
        from: i64,
        limit: usize,
    ) -> Result<Vec<StoredPage>, StoreError>;
}

/// Changes to policies, previews and runs.
///
/// `departures` of a policy moves, in the same transaction, whenever an image of its repository
/// may have left the competition for the places of a count rule: an image is deleted, a tag is
/// removed or moved, an image that was stored under another number gets its first tag, a status
/// changes, or a manifest is stored that lists or is the subject of images that are there. A
/// repository without a policy pays one look into an index.
#[async_trait]
pub trait WriteLifecycle {
    /// Sets the policy of a repository in place of the one before; `evaluated_at` and `departures`
    /// start anew, from the values given.
    async fn put_lifecycle_policy(
        &mut self,
        repository: RepositoryId,
        policy: &StoredLifecyclePolicy,
    ) -> Result<(), StoreError>;

    /// Removes the policy.
    async fn delete_lifecycle_policy(&mut self, repository: RepositoryId)
    -> Result<(), StoreError>;

    /// Records the end of a run of the policy `policy_id` and when the next is due; nothing if
    /// another policy was put meanwhile.
    async fn lifecycle_evaluated(
        &mut self,
        repository: RepositoryId,
        policy_id: &str,
        evaluated_at: Option<Timestamp>,
        next_run_at: Timestamp,
    ) -> Result<(), StoreError>;

    /// Sets the preview of a repository in place of the one before. Pages of others are left for
    /// [`Self::prune_preview_pages`].
    async fn put_preview(
        &mut self,
        repository: RepositoryId,
        preview: &StoredPreview,
    ) -> Result<(), StoreError>;

    /// Stores a page of results of the repository's preview, in place of the one with its number.
    async fn put_preview_page(
        &mut self,
        repository: RepositoryId,
        preview_id: &str,
        page: &StoredPage,
    ) -> Result<(), StoreError>;

    /// Removes at most `limit` pages of the repository's former previews; true if none are left.
    async fn prune_preview_pages(
        &mut self,
        repository: RepositoryId,
        limit: usize,
    ) -> Result<bool, StoreError>;

    /// Stores the record of a new run and gives its number.
    async fn insert_run(
        &mut self,
        repository: RepositoryId,
        started_at: Timestamp,
        text: &str,
    ) -> Result<i64, StoreError>;

    /// Replaces the record of a run.
    async fn update_run(&mut self, run: i64, text: &str) -> Result<(), StoreError>;

    /// Stores a page of what a run did. A run that the repository does not have is
    /// [`StoreError::Failed`].
    async fn insert_run_page(
        &mut self,
        repository: RepositoryId,
        run: i64,
        page: &StoredPage,
    ) -> Result<(), StoreError>;

    /// Removes all but the newest `keep` runs of a repository with their pages.
    async fn prune_runs(&mut self, repository: RepositoryId, keep: usize)
    -> Result<(), StoreError>;
}

/// Images and repositories that were deleted and can be brought back.
#[async_trait]
pub trait ReadDeleted {
    /// The deleted images of a repository, the latest deletion first, then by number.
    async fn deleted_images(
        &mut self,
        repository: RepositoryId,
        limit: usize,
    ) -> Result<Vec<DeletedImage>, StoreError>;

    /// The latest deletion of this digest.
    async fn deleted_image(
        &mut self,
        repository: RepositoryId,
        digest: &Digest,
    ) -> Result<Option<DeletedImage>, StoreError>;

    /// Deleted images that are kept until before `now`, the longest overdue first.
    async fn expired_deletions(
        &mut self,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<DeletedImage>, StoreError>;

    /// The latest deleted repository of this name that still holds all that it held.
    async fn deleted_repository(
        &mut self,
        key: &RepositoryKey,
    ) -> Result<Option<Repository>, StoreError>;
}

/// Changes to what was deleted.
#[async_trait]
pub trait WriteDeleted {
    /// Brings a deleted image back with its edges and the number it had, without tags, and orphan
    /// no more if it was one. One that was in the archive is there anew since `activated_at`, so
    /// that no rule finds it outlived at once; false if an image with its digest is there, or no such deleted one.
    async fn restore_image(
        &mut self,
        repository: RepositoryId,
        number: ImageNumber,
        activated_at: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Gives a deleted image up for good: its edges go, and links that nothing else of the
    /// repository refers to become unreferenced since `now`.
    async fn purge_deleted_image(
        &mut self,
        repository: RepositoryId,
        number: ImageNumber,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// Makes a deleted repository live again; false if its name is taken or it is being reaped.
    async fn restore_repository(&mut self, repository: RepositoryId) -> Result<bool, StoreError>;
}

/// Events that wait for their delivery.
#[async_trait]
pub trait ReadEvents {
    /// Events for a destination, by number, after `after`. Where several servers write, an event
    /// may show up behind one of a larger number: begin without `after` again after each delivery.
    async fn events(
        &mut self,
        destination: &str,
        after: Option<i64>,
        limit: usize,
    ) -> Result<Vec<Event>, StoreError>;

    /// Every destination for which events wait.
    async fn event_destinations(&mut self) -> Result<Vec<String>, StoreError>;
}

/// Changes to the events that wait.
#[async_trait]
pub trait WriteEvents {
    /// Appends events in the order given.
    async fn append_events(&mut self, at: Timestamp, events: &[NewEvent])
    -> Result<(), StoreError>;

    /// Forgets events that were delivered.
    async fn forget_events(&mut self, seqs: &[i64]) -> Result<(), StoreError>;

    /// Forgets at most `limit` events for a destination that were appended before `before`, the
    /// oldest first; says how many.
    async fn drop_events(
        &mut self,
        destination: &str,
        before: Timestamp,
        limit: usize,
    ) -> Result<u64, StoreError>;
}
