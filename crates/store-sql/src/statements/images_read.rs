//! Questions about images, tags and the edges between manifests.
//!
//! A listing is a merge of at most six index ranges, one for each (status, tagged) class that its
//! filter lets through; each range gives at most a page.

use std::collections::BTreeMap;

use async_trait::async_trait;
use bytes::Bytes;
use roadstead_domain::digest::Digest;
use roadstead_domain::ids::RepositoryId;
use roadstead_domain::image::{Image, ImageStatus, TagStatus};
use roadstead_domain::media_type::MediaType;
use roadstead_domain::reference::ImageTag;
use roadstead_store::metadata::{
    ImageCursor, ImageEntry, ImageFilter, ImageWithTags, ReadImages, StoreError, TaggedImage,
};

use super::codes::{STATUSES, status_code};
use crate::sql::{Param, Row, Sql, Tx, limit, params};

/// The columns of an image, in the order that [`image_row`] reads.
macro_rules! select_image {
    ($rest:literal) => {
        concat!(
            "SELECT digest, media_type, size_bytes, manifest_size_bytes, artifact_type, subject, \
             pushed_at, push_seq, status, last_pulled_at, archived_at, activated_at FROM image ",
            $rest
        )
    };
}

/// The two statements of a page: its images with their numbers behind the other columns, and the
/// tags of these.
macro_rules! select_page {
    ($rest:literal) => {
        (
            concat!(
                "SELECT digest, media_type, size_bytes, manifest_size_bytes, artifact_type, \
                 subject, pushed_at, push_seq, status, last_pulled_at, archived_at, activated_at, \
                 id FROM image ",
                $rest
            ),
            concat!(
                "SELECT tag.image_id, tag.seq, tag.tag FROM (SELECT id FROM image ",
                $rest,
                ") AS page JOIN tag ON tag.image_id = page.id"
            ),
        )
    };
}

fn by_attachment(mut tags: Vec<(i64, ImageTag)>) -> Vec<ImageTag> {
    tags.sort();
    tags.into_iter().map(|(_, tag)| tag).collect()
}

/// Reads the columns of [`select_image`], which come first.
pub(super) fn image_row(row: &Row) -> Result<Image, StoreError> {
    Ok(Image {
        digest: row.digest(0)?,
        media_type: MediaType::new(row.text(1)?),
        size_bytes: row.size(2)?,
        manifest_size_bytes: row.size(3)?,
        artifact_type: row.optional_text(4)?.map(str::to_owned),
        subject: row.optional_digest(5)?,
        pushed_at: row.time(6)?,
        push_seq: row.int(7)?,
        status: row.status(8)?,
        last_pulled_at: row.optional_time(9)?,
        archived_at: row.optional_time(10)?,
        activated_at: row.optional_time(11)?,
    })
}

/// The (status, tagged) classes that a filter lets through.
fn classes(filter: ImageFilter) -> impl Iterator<Item = (i64, bool)> {
    let tagged: &[bool] = match filter.tag_status {
        TagStatus::Any => &[false, true],
        TagStatus::Tagged => &[true],
        TagStatus::Untagged => &[false],
    };
    let statuses = STATUSES
        .into_iter()
        .filter(move |status| filter.status.is_none_or(|only| only == *status));
    statuses.flat_map(|status| tagged.iter().map(move |t| (status_code(status), *t)))
}

/// One class of a repository's images.
#[derive(Clone, Copy)]
struct Class {
    repository: RepositoryId,
    status: i64,
    is_tagged: bool,
}

impl<S: Sql> Tx<S> {
    async fn tagged_entries(
        &mut self,
        class: Class,
        after: Option<&ImageEntry>,
        limit_rows: usize,
    ) -> Result<Vec<ImageEntry>, StoreError> {
        let rows = self
            .0
            .query(
                "SELECT image.digest, tag.tag FROM image JOIN tag ON tag.image_id = image.id \
                 WHERE image.repository_id = ?1 AND image.status = ?2 AND image.is_tagged = 1 \
                 AND image.digest >= ?3 AND (image.digest > ?3 OR tag.tag > ?4) \
                 ORDER BY image.digest, tag.tag LIMIT ?5",
                &[
                    class.repository.0.into(),
                    class.status.into(),
                    after.map_or("", |entry| entry.digest.as_str()).into(),
                    after
                        .and_then(|entry| entry.tag.as_ref())
                        .map_or("", ImageTag::as_str)
                        .into(),
                    limit(limit_rows),
                ],
            )
            .await?;
        let entries = rows.iter().map(|row| {
            Ok(ImageEntry {
                digest: row.digest(0)?,
                tag: Some(row.image_tag(1)?),
            })
        });
        entries.collect()
    }

    async fn untagged_entries(
        &mut self,
        class: Class,
        after: Option<&ImageEntry>,
        limit_rows: usize,
    ) -> Result<Vec<ImageEntry>, StoreError> {
        let rows = self
            .0
            .query(
                "SELECT digest FROM image WHERE repository_id = ?1 AND status = ?2 \
                 AND is_tagged = 0 AND digest > ?3 ORDER BY digest LIMIT ?4",
                &[
                    class.repository.0.into(),
                    class.status.into(),
                    after.map_or("", |entry| entry.digest.as_str()).into(),
                    limit(limit_rows),
                ],
            )
            .await?;
        let entries = rows.iter().map(|row| {
            Ok(ImageEntry {
                digest: row.digest(0)?,
                tag: None,
            })
        });
        entries.collect()
    }

    /// One page of a class, by the statements of [`select_page`].
    async fn page(
        &mut self,
        class: Class,
        (images, tags): (&'static str, &'static str),
        params: &[Param<'_>],
    ) -> Result<Vec<ImageWithTags>, StoreError> {
        let images = self.0.query(images, params).await?;
        let mut attached: BTreeMap<i64, Vec<(i64, ImageTag)>> = BTreeMap::new();
        if class.is_tagged && !images.is_empty() {
            for row in self.0.query(tags, params).await? {
                let tag = (row.int(1)?, row.image_tag(2)?);
                attached.entry(row.int(0)?).or_default().push(tag);
            }
        }
        let images = images.iter().map(|row| {
            let tags = attached.remove(&row.int(12)?).unwrap_or_default();
            Ok(ImageWithTags {
                image: image_row(row)?,
                tags: by_attachment(tags),
            })
        });
        images.collect()
    }

    /// The rest of the instant that the cursor stands in, then the instants before it.
    async fn images_of_class(
        &mut self,
        class: Class,
        after: Option<&ImageCursor>,
        limit_rows: usize,
    ) -> Result<Vec<ImageWithTags>, StoreError> {
        let fixed: [Param<'_>; 3] = params![class.repository.0, class.status, class.is_tagged];
        let mut images = Vec::new();
        if let Some(cursor) = after {
            let [repository, status, is_tagged] = fixed;
            let statements = select_page!(
                "WHERE repository_id = ?1 AND status = ?2 AND is_tagged = ?3 \
                 AND pushed_at = ?4 AND digest > ?5 ORDER BY digest LIMIT ?6"
            );
            let (pushed_at, digest) = (cursor.pushed_at.0.into(), cursor.digest.as_str().into());
            let most = limit(limit_rows);
            let params = [repository, status, is_tagged, pushed_at, digest, most];
            images = self.page(class, statements, &params).await?;
        }
        if images.len() < limit_rows {
            let [repository, status, is_tagged] = fixed;
            let statements = select_page!(
                "WHERE repository_id = ?1 AND status = ?2 AND is_tagged = ?3 \
                 AND pushed_at < ?4 ORDER BY pushed_at DESC, digest LIMIT ?5"
            );
            let before = after.map_or(i64::MAX, |cursor| cursor.pushed_at.0).into();
            let most = limit(limit_rows - images.len());
            let params = [repository, status, is_tagged, before, most];
            images.extend(self.page(class, statements, &params).await?);
        }
        Ok(images)
    }
}

#[async_trait]
impl<S: Sql> ReadImages for Tx<S> {
    async fn image(
        &mut self,
        repository: RepositoryId,
        digest: &Digest,
    ) -> Result<Option<Image>, StoreError> {
        let row = self
            .query_first(
                select_image!("WHERE repository_id = ?1 AND digest = ?2"),
                &params![repository.0, digest.as_str()],
            )
            .await?;
        row.as_ref().map(image_row).transpose()
    }

    async fn tagged(
        &mut self,
        repository: RepositoryId,
        tag: &ImageTag,
    ) -> Result<Option<Digest>, StoreError> {
        let row = self
            .query_first(
                "SELECT image.digest FROM tag JOIN image ON image.id = tag.image_id \
                 WHERE tag.repository_id = ?1 AND tag.tag = ?2",
                &params![repository.0, tag.as_str()],
            )
            .await?;
        row.map(|row| row.digest(0)).transpose()
    }

    async fn tags_of(
        &mut self,
        repository: RepositoryId,
        digest: &Digest,
    ) -> Result<Vec<ImageTag>, StoreError> {
        let rows = self
            .0
            .query(
                "SELECT tag.tag, tag.seq FROM image JOIN tag ON tag.image_id = image.id \
                 WHERE image.repository_id = ?1 AND image.digest = ?2",
                &params![repository.0, digest.as_str()],
            )
            .await?;
        let tags = rows
            .iter()
            .map(|row| Ok((row.int(1)?, row.image_tag(0)?)))
            .collect::<Result<Vec<_>, StoreError>>()?;
        Ok(by_attachment(tags))
    }

    async fn manifest(
        &mut self,
        repository: RepositoryId,
        digest: &Digest,
    ) -> Result<Option<Bytes>, StoreError> {
        let row = self
            .query_first(
                "SELECT manifest.bytes FROM image JOIN manifest ON manifest.image_id = image.id \
                 WHERE image.repository_id = ?1 AND image.digest = ?2",
                &params![repository.0, digest.as_str()],
            )
            .await?;
        row.map(|mut row| row.take_bytes(0).map(Bytes::from))
            .transpose()
    }

    async fn parents_of(
        &mut self,
        repository: RepositoryId,
        digest: &Digest,
    ) -> Result<Vec<Digest>, StoreError> {
        let rows = self
            .0
            .query(
                "SELECT image.digest FROM manifest_child \
                 JOIN image ON image.id = manifest_child.image_id \
                 WHERE manifest_child.repository_id = ?1 AND manifest_child.child = ?2",
                &params![repository.0, digest.as_str()],
            )
            .await?;
        let mut parents = rows
            .iter()
            .map(|row| row.digest(0))
            .collect::<Result<Vec<_>, _>>()?;
        parents.sort();
        Ok(parents)
    }

    async fn has_images(&mut self, repository: RepositoryId) -> Result<bool, StoreError> {
        let row = self
            .query_first(
                "SELECT id FROM image WHERE repository_id = ?1 LIMIT 1",
                &params![repository.0],
            )
            .await?;
        Ok(row.is_some())
    }

    async fn image_entries(
        &mut self,
        repository: RepositoryId,
        filter: ImageFilter,
        after: Option<&ImageEntry>,
        limit_rows: usize,
    ) -> Result<Vec<ImageEntry>, StoreError> {
        let mut entries = Vec::new();
        for (status, is_tagged) in classes(filter) {
            let class = Class {
                repository,
                status,
                is_tagged,
            };
            entries.extend(if is_tagged {
                self.tagged_entries(class, after, limit_rows).await?
            } else {
                self.untagged_entries(class, after, limit_rows).await?
            });
        }
        entries.sort();
        entries.truncate(limit_rows);
        Ok(entries)
    }

    async fn images(
        &mut self,
        repository: RepositoryId,
        filter: ImageFilter,
        after: Option<&ImageCursor>,
        limit_rows: usize,
    ) -> Result<Vec<ImageWithTags>, StoreError> {
        let mut images = Vec::new();
        for (status, is_tagged) in classes(filter) {
            let class = Class {
                repository,
                status,
                is_tagged,
            };
            images.extend(self.images_of_class(class, after, limit_rows).await?);
        }
        images.sort_by(|a, b| {
            let (a, b) = (&a.image, &b.image);
            let newest_first = b.pushed_at.cmp(&a.pushed_at);
            newest_first.then_with(|| a.digest.cmp(&b.digest))
        });
        images.truncate(limit_rows);
        Ok(images)
    }

    async fn tags(
        &mut self,
        repository: RepositoryId,
        after: Option<&ImageTag>,
        limit_rows: usize,
    ) -> Result<Vec<ImageTag>, StoreError> {
        let rows = self
            .0
            .query(
                "SELECT tag FROM tag WHERE repository_id = ?1 AND tag > ?2 ORDER BY tag LIMIT ?3",
                &[
                    repository.0.into(),
                    after.map_or("", ImageTag::as_str).into(),
                    limit(limit_rows),
                ],
            )
            .await?;
        rows.iter().map(|row| row.image_tag(0)).collect()
    }

    async fn tagged_images(
        &mut self,
        repository: RepositoryId,
        after: Option<&ImageTag>,
        limit_rows: usize,
    ) -> Result<Vec<TaggedImage>, StoreError> {
        let rows = self
            .0
            .query(
                "SELECT digest, media_type, size_bytes, manifest_size_bytes, artifact_type, \
                 subject, pushed_at, push_seq, status, last_pulled_at, archived_at, \
                 activated_at, tag, tagged_at FROM tag JOIN image ON image.id = tag.image_id \
                 WHERE tag.repository_id = ?1 AND tag > ?2 ORDER BY tag LIMIT ?3",
                &[
                    repository.0.into(),
                    after.map_or("", ImageTag::as_str).into(),
                    limit(limit_rows),
                ],
            )
            .await?;
        let tagged = rows.iter().map(|row| {
            Ok(TaggedImage {
                tag: row.image_tag(12)?,
                tagged_at: row.time(13)?,
                image: image_row(row)?,
            })
        });
        tagged.collect()
    }

    async fn referrers(
        &mut self,
        repository: RepositoryId,
        subject: &Digest,
        artifact_types: &[String],
        after: Option<&Digest>,
        limit_rows: usize,
    ) -> Result<Vec<Image>, StoreError> {
        let fixed = [
            Param::Int(repository.0),
            Param::Text(subject.as_str()),
            Param::Int(status_code(ImageStatus::Active)),
            Param::Text(after.map_or("", Digest::as_str)),
            limit(limit_rows),
        ];
        if artifact_types.is_empty() {
            let rows = self
                .0
                .query(
                    select_image!(
                        "WHERE repository_id = ?1 AND subject = ?2 AND status = ?3 \
                         AND digest > ?4 ORDER BY digest LIMIT ?5"
                    ),
                    &fixed,
                )
                .await?;
            return rows.iter().map(image_row).collect();
        }
        let types: std::collections::BTreeSet<&String> = artifact_types.iter().collect();
        let mut images = Vec::new();
        for artifact_type in types {
            let [repository, subject, status, after, limit] = fixed;
            let rows = self
                .0
                .query(
                    select_image!(
                        "WHERE repository_id = ?1 AND subject = ?2 AND status = ?3 \
                         AND artifact_type = ?6 AND digest > ?4 ORDER BY digest LIMIT ?5"
                    ),
                    &[
                        repository,
                        subject,
                        status,
                        after,
                        limit,
                        artifact_type.as_str().into(),
                    ],
                )
                .await?;
            for row in &rows {
                images.push(image_row(row)?);
            }
        }
        images.sort_by(|a, b| a.digest.cmp(&b.digest));
        images.truncate(limit_rows);
        Ok(images)
    }
}
