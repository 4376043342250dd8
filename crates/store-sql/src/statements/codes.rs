//! How values that are not integers or texts stand in columns, both ways.
//!
//! Codes are stored: they are appended to and never change their meaning.

use roadstead_domain::digest::Digest;
use roadstead_domain::ids::{AccountId, BlobKey, Malformed, Region};
use roadstead_domain::image::ImageStatus;
use roadstead_domain::name::{RepositoryKey, RepositoryKind, RepositoryName};
use roadstead_domain::reference::ImageTag;
use roadstead_domain::tagging::{ExclusionFilter, MutabilityMode, TagMutability};
use roadstead_domain::time::Timestamp;
use roadstead_store::metadata::{PreviewStatus, StoreError};

use crate::sql::Row;

/// Every image status, each at the index that is its code.
pub(crate) const STATUSES: [ImageStatus; 3] = [
    ImageStatus::Active,
    ImageStatus::Archived,
    ImageStatus::Activating,
];

const KINDS: [RepositoryKind; 3] = [
    RepositoryKind::Private,
    RepositoryKind::Public,
    RepositoryKind::Lightsail,
];

const MODES: [MutabilityMode; 4] = [
    MutabilityMode::Mutable,
    MutabilityMode::Immutable,
    MutabilityMode::ImmutableWithExclusion,
    MutabilityMode::MutableWithExclusion,
];

const PREVIEW_STATUSES: [PreviewStatus; 3] = [
    PreviewStatus::InProgress,
    PreviewStatus::Complete,
    PreviewStatus::Failed,
];

/// The code of a status.
pub(crate) const fn status_code(status: ImageStatus) -> i64 {
    match status {
        ImageStatus::Active => 0,
        ImageStatus::Archived => 1,
        ImageStatus::Activating => 2,
    }
}

/// The code of a repository kind.
pub(crate) const fn kind_code(kind: RepositoryKind) -> i64 {
    match kind {
        RepositoryKind::Private => 0,
        RepositoryKind::Public => 1,
        RepositoryKind::Lightsail => 2,
    }
}

/// The code of a mutability mode.
pub(crate) const fn mode_code(mode: MutabilityMode) -> i64 {
    match mode {
        MutabilityMode::Mutable => 0,
        MutabilityMode::Immutable => 1,
        MutabilityMode::ImmutableWithExclusion => 2,
        MutabilityMode::MutableWithExclusion => 3,
    }
}

/// The code of the status of a preview. The schema names that of InProgress.
pub(crate) const fn preview_status_code(status: PreviewStatus) -> i64 {
    match status {
        PreviewStatus::InProgress => 0,
        PreviewStatus::Complete => 1,
        PreviewStatus::Failed => 2,
    }
}

/// The region column of a key.
pub(crate) fn region_text(region: Option<&Region>) -> &str {
    region.map_or("", Region::as_str)
}

/// The exclusion filters as one text.
pub(crate) fn filters_text(setting: &TagMutability) -> String {
    list_text(setting.filters.iter().map(ExclusionFilter::as_str))
}

/// Texts as one: a JSON list.
pub(crate) fn list_text<'t>(texts: impl IntoIterator<Item = &'t str>) -> String {
    let texts: Vec<&str> = texts.into_iter().collect();
    serde_json::json!(texts).to_string()
}

/// The texts that [`list_text`] made one.
pub(crate) fn text_list(text: &str) -> Result<Vec<String>, StoreError> {
    serde_json::from_str(text).map_err(|e| StoreError::Corrupt(format!("a list of texts: {e}")))
}

impl Row {
    /// A column that holds a digest.
    pub(crate) fn digest(&self, column: usize) -> Result<Digest, StoreError> {
        parsed(Digest::parse(self.text(column)?))
    }

    /// A column that holds a digest or NULL.
    pub(crate) fn optional_digest(&self, column: usize) -> Result<Option<Digest>, StoreError> {
        let text = self.optional_text(column)?;
        text.map(|text| parsed(Digest::parse(text))).transpose()
    }

    /// A column that holds an image tag.
    pub(crate) fn image_tag(&self, column: usize) -> Result<ImageTag, StoreError> {
        parsed(ImageTag::parse(self.text(column)?))
    }

    /// A column that holds a blob key.
    pub(crate) fn blob_key(&self, column: usize) -> Result<BlobKey, StoreError> {
        parsed(BlobKey::parse(self.text(column)?))
    }

    /// A column that holds an account.
    pub(crate) fn account(&self, column: usize) -> Result<AccountId, StoreError> {
        parsed(AccountId::parse(self.text(column)?))
    }

    /// A column that holds an instant.
    pub(crate) fn time(&self, column: usize) -> Result<Timestamp, StoreError> {
        self.int(column).map(Timestamp)
    }

    /// A column that holds an instant or NULL.
    pub(crate) fn optional_time(&self, column: usize) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.optional_int(column)?.map(Timestamp))
    }

    /// A column that holds a count or size.
    pub(crate) fn size(&self, column: usize) -> Result<u64, StoreError> {
        u64::try_from(self.int(column)?).map_err(|e| StoreError::Corrupt(e.to_string()))
    }

    /// A column that holds 0 or 1.
    pub(crate) fn flag(&self, column: usize) -> Result<bool, StoreError> {
        Ok(self.int(column)? != 0)
    }

    /// A column that holds the code of a status.
    pub(crate) fn status(&self, column: usize) -> Result<ImageStatus, StoreError> {
        decoded(&STATUSES, self.int(column)?)
    }

    /// A column that holds the code of the status of a preview.
    pub(crate) fn preview_status(&self, column: usize) -> Result<PreviewStatus, StoreError> {
        decoded(&PREVIEW_STATUSES, self.int(column)?)
    }

    /// Four columns that hold kind, account, region and name.
    pub(crate) fn repository_key(&self, column: usize) -> Result<RepositoryKey, StoreError> {
        let region = match self.text(column + 2)? {
            "" => None,
            text => Some(parsed(Region::parse(text))?),
        };
        Ok(RepositoryKey {
            kind: decoded(&KINDS, self.int(column)?)?,
            account: self.account(column + 1)?,
            region,
            name: parsed(RepositoryName::parse(self.text(column + 3)?))?,
        })
    }

    /// Two columns that hold a mutability mode and its filters.
    pub(crate) fn tag_mutability(&self, column: usize) -> Result<TagMutability, StoreError> {
        let texts = text_list(self.text(column + 1)?)?;
        let filters = texts
            .iter()
            .map(|text| parsed(ExclusionFilter::parse(text)));
        Ok(TagMutability {
            mode: decoded(&MODES, self.int(column)?)?,
            filters: filters.collect::<Result<_, _>>()?,
        })
    }
}

/// A value that was checked when it was written.
pub(crate) fn parsed<T>(result: Result<T, Malformed>) -> Result<T, StoreError> {
    result.map_err(|e| StoreError::Corrupt(e.to_string()))
}

fn decoded<T: Copy>(values: &[T], code: i64) -> Result<T, StoreError> {
    let value = usize::try_from(code).ok().and_then(|at| values.get(at));
    value
        .copied()
        .ok_or_else(|| StoreError::Corrupt(format!("no value has the code {code}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_positions() {
        for (at, status) in STATUSES.into_iter().enumerate() {
            assert_eq!(status_code(status), at as i64);
        }
        for (at, kind) in KINDS.into_iter().enumerate() {
            assert_eq!(kind_code(kind), at as i64);
        }
        for (at, mode) in MODES.into_iter().enumerate() {
            assert_eq!(mode_code(mode), at as i64);
        }
        for (at, status) in PREVIEW_STATUSES.into_iter().enumerate() {
            assert_eq!(preview_status_code(status), at as i64);
        }
    }

    #[test]
    fn unknown_codes_are_corruption() {
        assert!(matches!(decoded(&MODES, 4), Err(StoreError::Corrupt(_))));
        assert!(matches!(decoded(&MODES, -1), Err(StoreError::Corrupt(_))));
    }
}
