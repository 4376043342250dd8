//! The images of a repository as lifecycle policies look at them: all, in the order in which they
//! were stored, and what its indexes list.
//!
//! A page is two walks side by side, over the images and over their tags, each in its order.

use std::collections::HashMap;

use roadstead_domain::digest::Digest;
use roadstead_domain::ids::RepositoryId;
use roadstead_domain::reference::ImageTag;
use roadstead_store::metadata::{ImageNumber, IndexMember, LifecycleImage, StoreError};

use crate::sql::{Row, Sql, Tx, limit, params};

/// The columns of an image, in the order that [`image_row`] reads.
macro_rules! select_image {
    ($rest:literal) => {
        concat!(
            "SELECT id, digest, status, pushed_at, push_seq, last_pulled_at, archived_at, \
             activated_at, subject, orphaned_at, is_tagged FROM image ",
            $rest
        )
    };
}

/// An image still without its tags.
fn image_row(row: &Row) -> Result<LifecycleImage, StoreError> {
    Ok(LifecycleImage {
        number: ImageNumber(row.int(0)?),
        digest: row.digest(1)?,
        tags: Vec::new(),
        status: row.status(2)?,
        pushed_at: row.time(3)?,
        push_seq: row.int(4)?,
        last_pulled_at: row.optional_time(5)?,
        archived_at: row.optional_time(6)?,
        activated_at: row.optional_time(7)?,
        subject: row.optional_digest(8)?,
        orphaned_at: row.optional_time(9)?,
    })
}

/// A tag with its place: what sorts the tags of an image by attachment.
type Placed = (i64, ImageTag);

fn in_order(mut tags: Vec<Placed>) -> Vec<ImageTag> {
    tags.sort();
    tags.into_iter().map(|(_, tag)| tag).collect()
}

impl<S: Sql> Tx<S> {
    pub(super) async fn images_by_number(
        &mut self,
        repository: RepositoryId,
        after: Option<ImageNumber>,
        limit_rows: usize,
    ) -> Result<Vec<LifecycleImage>, StoreError> {
        let after = after.map_or(i64::MIN, |number| number.0);
        let rows = self
            .0
            .query(
                select_image!("WHERE repository_id = ?1 AND id > ?2 ORDER BY id LIMIT ?3"),
                &[repository.0.into(), after.into(), limit(limit_rows)],
            )
            .await?;
        let mut images = rows.iter().map(image_row).collect::<Result<Vec<_>, _>>()?;
        let mut has_tags = false;
        for row in &rows {
            has_tags |= row.flag(10)?;
        }
        if let Some(last) = images.last()
            && has_tags
        {
            let mut tags = self.tags_by_image(repository, after, last.number).await?;
            for image in &mut images {
                image.tags = in_order(tags.remove(&image.number.0).unwrap_or_default());
            }
        }
        Ok(images)
    }

    /// The tags of the images after `after` up to `last`, by image.
    async fn tags_by_image(
        &mut self,
        repository: RepositoryId,
        after: i64,
        last: ImageNumber,
    ) -> Result<HashMap<i64, Vec<Placed>>, StoreError> {
        let rows = self
            .0
            .query(
                "SELECT tag.image_id, tag.seq, tag.tag FROM image \
                 JOIN tag ON tag.image_id = image.id \
                 WHERE image.repository_id = ?1 AND image.id > ?2 AND image.id <= ?3",
                &params![repository.0, after, last.0],
            )
            .await?;
        let mut tags: HashMap<i64, Vec<Placed>> = HashMap::new();
        for row in &rows {
            let placed = (row.int(1)?, row.image_tag(2)?);
            tags.entry(row.int(0)?).or_default().push(placed);
        }
        Ok(tags)
    }

    pub(super) async fn image_with_number(
        &mut self,
        repository: RepositoryId,
        digest: &Digest,
    ) -> Result<Option<LifecycleImage>, StoreError> {
        let row = self
            .query_first(
                select_image!("WHERE repository_id = ?1 AND digest = ?2"),
                &params![repository.0, digest.as_str()],
            )
            .await?;
        let Some(row) = row else { return Ok(None) };
        let mut image = image_row(&row)?;
        let tags = self
            .0
            .query(
                "SELECT seq, tag FROM tag WHERE image_id = ?1",
                &params![image.number.0],
            )
            .await?;
        let tags = tags
            .iter()
            .map(|row| Ok((row.int(0)?, row.image_tag(1)?)))
            .collect::<Result<Vec<Placed>, StoreError>>()?;
        image.tags = in_order(tags);
        Ok(Some(image))
    }

    pub(super) async fn members_by_child(
        &mut self,
        repository: RepositoryId,
        after: Option<&IndexMember>,
        limit_rows: usize,
    ) -> Result<Vec<IndexMember>, StoreError> {
        let rows = self
            .0
            .query(
                "SELECT child, image_id FROM manifest_child WHERE repository_id = ?1 \
                 AND (child, image_id) > (?2, ?3) ORDER BY child, image_id LIMIT ?4",
                &[
                    repository.0.into(),
                    after.map_or("", |member| member.child.as_str()).into(),
                    after.map_or(i64::MIN, |member| member.index.0).into(),
                    limit(limit_rows),
                ],
            )
            .await?;
        let members = rows.iter().map(|row| {
            Ok(IndexMember {
                child: row.digest(0)?,
                index: ImageNumber(row.int(1)?),
            })
        });
        members.collect()
    }
}
