//! Rows against bytes and bytes against rows: suspected at the first look, judged at the second.

use std::collections::VecDeque;

use roadstead_domain::ids::BlobKey;
use roadstead_store::blobs::BlobError;
use roadstead_store::metadata::{
    InspectedBlob, InspectedUpload, MetadataRead, MetadataStore, StoreError,
};

use super::finding::{Action, Finding, Kind};
use super::verdicts::{self, Fault, Found, ReadableBlob};
use super::{Examination, Stage};
use crate::error::Error;
use crate::rot::Verdict;

/// Rows of a page.
const ROWS: usize = 200;
/// After so many hashed bytes a step ends, so that its caller sees progress.
const STEP_BYTES: u64 = 64 * 1024 * 1024;
/// Strangers that one examination names.
const STRANGERS_MAX: usize = 10_000;

type Stepped = Result<(Stage, Vec<Finding>), Error>;

impl Examination<'_> {
    pub(super) async fn blobs(
        &mut self,
        mut after: String,
        mut waiting: VecDeque<InspectedBlob>,
    ) -> Stepped {
        if waiting.is_empty() {
            let page = self
                .registry
                .metadata
                .survey(after.clone(), |tx, after| {
                    Box::pin(async move { Ok::<_, Error>(tx.inspected_blobs(after, ROWS).await?) })
                })
                .await?;
            waiting = page.into();
        }
        if waiting.is_empty() {
            return Ok((Stage::Uploads(String::new()), Vec::new()));
        }
        let (mut found, bytes_before) = (Vec::new(), self.looked.bytes);
        while let Some(row) = waiting.pop_front() {
            self.looked.blobs += 1;
            for (kind, detail) in verdicts::blob_row(&row) {
                found.push(Finding::new(kind, subject(&row), detail));
            }
            found.extend(self.blob(&row).await?);
            after = row.key;
            if self.looked.bytes - bytes_before >= STEP_BYTES {
                break;
            }
        }
        Ok((Stage::Blobs(after, waiting), found))
    }

    /// Looks at the bytes of one blob.
    async fn blob(&mut self, row: &InspectedBlob) -> Result<Option<Finding>, Error> {
        let blob = match verdicts::readable(row) {
            Ok(blob) => blob,
            Err((kind, detail)) => return self.broken(row, kind, detail).await.map(Some),
        };
        let first = self.look(&blob).await?;
        if row.is_lost {
            return self.lost(row, &blob, &first).await;
        }
        if verdicts::blob_bytes(&blob, &first).is_none() {
            return Ok(None);
        }
        let Some(again) = self.row_of(&row.key).await? else {
            return Ok(None);
        };
        if again != *row {
            // A pull that found it first, or a push: what it is now.
            return Ok(match again.is_lost {
                true => Some(self.still_lost(row).await?),
                false => None,
            });
        }
        let second = self.look(&blob).await?;
        match verdicts::blob_bytes(&blob, &second) {
            None => Ok(None),
            Some(fault) => self.set_right(row, &blob, fault).await,
        }
    }

    /// What lies under the key of a blob.
    async fn look(&mut self, blob: &ReadableBlob) -> Result<Found, Error> {
        let blobs = &self.registry.blobs;
        match blobs.size_bytes(&blob.key).await {
            Ok(None) => return Ok(Found::Nothing),
            Ok(Some(size)) if self.options.is_quick || size != blob.size_bytes => {
                return Ok(Found::Bytes(size));
            }
            Ok(Some(_)) => {}
            Err(error) => return Ok(Found::Unreadable(error.to_string())),
        }
        let rate = self.options.bytes_per_second;
        let algorithm = blob.digest.algorithm();
        let hashed = blobs.digest_at_rate(&blob.key, algorithm, rate).await;
        self.looked.bytes += blob.size_bytes;
        Ok(match hashed {
            Ok(digest) => Found::Hashed(digest),
            Err(BlobError::NotFound(_)) => Found::Nothing,
            Err(error) => Found::Unreadable(error.to_string()),
        })
    }

    /// Does what can be done about a blob whose bytes are wrong.
    async fn set_right(
        &self,
        row: &InspectedBlob,
        blob: &ReadableBlob,
        (kind, detail): Fault,
    ) -> Result<Option<Finding>, Error> {
        let mut finding = Finding::new(kind, subject(row), detail);
        finding.images = self.needers(&row.key).await?;
        if self.options.is_dry_run || kind == Kind::BlobUnreadable {
            return Ok(Some(finding));
        }
        let condemner = self.registry.condemner();
        finding.action = match condemner.condemn(&blob.key, &blob.digest).await? {
            Verdict::SetAside => Action::SetAside,
            Verdict::Missing if condemner.mark_lost(&blob.key).await? => Action::MarkedLost,
            Verdict::Missing => Action::Reported,
            Verdict::Good => return Ok(None),
        };
        Ok(Some(finding))
    }

    /// A blob that was known to be lost: perhaps somebody put its bytes back.
    async fn lost(
        &self,
        row: &InspectedBlob,
        blob: &ReadableBlob,
        found: &Found,
    ) -> Result<Option<Finding>, Error> {
        let is_good = matches!(found, Found::Hashed(digest) if *digest == blob.digest);
        if self.row_of(&row.key).await?.as_ref() != Some(row) {
            return Ok(None);
        }
        if !is_good {
            return self.still_lost(row).await.map(Some);
        }
        let detail = "its bytes are there again";
        let mut finding = Finding::new(Kind::BlobRestored, subject(row), detail);
        if !self.options.is_dry_run {
            self.registry
                .metadata
                .write(blob.key.clone(), |tx, key| {
                    Box::pin(async move { Ok::<_, Error>(tx.mark_blob_found(key).await?) })
                })
                .await?;
            finding.action = Action::Restored;
        }
        Ok(Some(finding))
    }

    async fn still_lost(&self, row: &InspectedBlob) -> Result<Finding, Error> {
        let detail = "it is known to be lost and was not pushed again";
        let mut finding = Finding::new(Kind::BlobLost, subject(row), detail);
        finding.images = self.needers(&row.key).await?;
        Ok(finding)
    }

    async fn broken(
        &self,
        row: &InspectedBlob,
        kind: Kind,
        detail: String,
    ) -> Result<Finding, Error> {
        let mut finding = Finding::new(kind, subject(row), detail);
        finding.images = self.needers(&row.key).await?;
        Ok(finding)
    }

    async fn row_of(&self, key: &str) -> Result<Option<InspectedBlob>, Error> {
        self.registry
            .metadata
            .survey(key.to_owned(), |tx, key| {
                Box::pin(async move { Ok(tx.inspected_blob(key).await?) })
            })
            .await
    }

    pub(super) async fn uploads(&mut self, after: String) -> Stepped {
        let page = self
            .registry
            .metadata
            .survey(after, |tx, after| {
                Box::pin(async move { Ok::<_, Error>(tx.inspected_uploads(after, ROWS).await?) })
            })
            .await?;
        let mut found = Vec::new();
        for row in &page {
            self.looked.uploads += 1;
            for (kind, detail) in self.upload(row).await? {
                found.push(Finding::new(kind, format!("upload {}", row.id), detail));
            }
        }
        let next = match page.into_iter().nth(ROWS - 1) {
            Some(last) => Stage::Uploads(last.id),
            None => Stage::Files(None),
        };
        Ok((next, found))
    }

    async fn upload(&self, row: &InspectedUpload) -> Result<Vec<Fault>, Error> {
        let Ok(key) = BlobKey::parse(&row.key) else {
            let detail = "its key cannot be understood".to_owned();
            return Ok(vec![(Kind::RowBroken, detail)]);
        };
        let held = async || {
            let size = self.registry.blobs.size_bytes(&key).await?;
            Ok::<_, Error>(size.unwrap_or_default())
        };
        if verdicts::upload(row, held().await?).is_empty() {
            return Ok(Vec::new());
        }
        let again = self
            .registry
            .metadata
            .survey(row.id.clone(), |tx, id| {
                Box::pin(async move { Ok::<_, Error>(tx.inspected_upload(id).await?) })
            })
            .await?;
        match again.as_ref() == Some(row) {
            true => Ok(verdicts::upload(row, held().await?)),
            false => Ok(Vec::new()),
        }
    }

    pub(super) async fn files(&mut self, after: Option<BlobKey>) -> Stepped {
        let keys = self.registry.blobs.keys(after.as_ref(), ROWS).await?;
        let Some(last) = keys.last().cloned() else {
            return Ok((Stage::Strangers, Vec::new()));
        };
        self.looked.files += keys.len() as u64;
        let metadata = &*self.registry.metadata;
        let mut unknown = unheld(metadata, keys).await?;
        if !unknown.is_empty() {
            unknown = unheld(metadata, unknown).await?;
        }
        let mut found = Vec::new();
        for key in unknown {
            let Some(size) = self.registry.blobs.size_bytes(&key).await? else {
                continue;
            };
            let detail = format!("{size} bytes that belong to no blob, upload or garbage");
            let mut finding = Finding::new(Kind::FileUnknown, format!("file {key}"), detail);
            if !self.options.is_dry_run && self.registry.blobs.set_aside(&key).await? {
                finding.action = Action::SetAside;
            }
            found.push(finding);
        }
        Ok((Stage::Files(Some(last)), found))
    }

    pub(super) async fn strangers(&mut self) -> Stepped {
        let blobs = &self.registry.blobs;
        let mut found = Vec::new();
        for name in blobs.strangers(STRANGERS_MAX).await? {
            let detail = "not the file of any key";
            let mut finding = Finding::new(Kind::FileUnknown, format!("file {name}"), detail);
            if !self.options.is_dry_run && blobs.set_stranger_aside(&name).await? {
                finding.action = Action::SetAside;
            }
            found.push(finding);
        }
        Ok((Stage::Done, found))
    }
}

fn subject(row: &InspectedBlob) -> String {
    format!("blob {} {}", row.key, row.digest)
}

/// Those keys that no row names, as of one snapshot.
async fn unheld(metadata: &dyn MetadataStore, keys: Vec<BlobKey>) -> Result<Vec<BlobKey>, Error> {
    metadata
        .survey(keys, |tx, keys| {
            Box::pin(async move { Ok::<_, Error>(unheld_in(tx, keys).await?) })
        })
        .await
}

async fn unheld_in(
    tx: &mut dyn MetadataRead,
    keys: &[BlobKey],
) -> Result<Vec<BlobKey>, StoreError> {
    let mut unheld = Vec::new();
    for key in keys {
        if !tx.is_blob_or_garbage(key).await? {
            unheld.push(key.clone());
        }
    }
    // Few are open at a time, and no index leads from a key to its upload.
    let mut after = String::new();
    while !unheld.is_empty() {
        let page = tx.inspected_uploads(&after, ROWS).await?;
        unheld.retain(|key| page.iter().all(|upload| upload.key != key.as_str()));
        match page.into_iter().nth(ROWS - 1) {
            Some(last) => after = last.id,
            None => break,
        }
    }
    Ok(unheld)
}
