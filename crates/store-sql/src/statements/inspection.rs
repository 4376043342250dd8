//! Every row as it is, for whoever verifies a store. Texts and numbers go out as they stand.
//!
//! Pages follow the primary keys. The pages of repositories go over rows of everybody, on purpose.

use async_trait::async_trait;
use roadstead_domain::ids::{BlobKey, RepositoryId};
use roadstead_store::metadata::{
    InspectedBlob, InspectedChild, InspectedEdge, InspectedImage, InspectedLink,
    InspectedRepository, InspectedTag, InspectedUpload, Needer, ReadInspection, StoreError,
};

use crate::sql::{Row, Sql, Tx, limit, params};

fn repository_row(row: &Row) -> Result<InspectedRepository, StoreError> {
    Ok(InspectedRepository {
        id: RepositoryId(row.int(0)?),
        account: row.text(1)?.to_owned(),
        region: row.text(2)?.to_owned(),
        name: row.text(3)?.to_owned(),
        is_reaped: row.int(4)? != 0,
    })
}

fn blob_row(row: &Row) -> Result<InspectedBlob, StoreError> {
    Ok(InspectedBlob {
        key: row.text(0)?.to_owned(),
        digest: row.text(1)?.to_owned(),
        size_bytes: row.int(2)?,
        is_lost: row.optional_int(3)?.is_some(),
        has_link: row.optional_int(4)?.is_some(),
        is_garbage: row.optional_text(5)?.is_some(),
    })
}

fn upload_row(row: &Row) -> Result<InspectedUpload, StoreError> {
    Ok(InspectedUpload {
        id: row.text(0)?.to_owned(),
        key: row.text(1)?.to_owned(),
        received_bytes: row.int(2)?,
        is_elsewhere: row.optional_text(3)?.is_some() || row.optional_text(4)?.is_some(),
    })
}

impl<S: Sql> Tx<S> {
    async fn inspected_edges(
        &mut self,
        repository: RepositoryId,
        image: i64,
    ) -> Result<Vec<InspectedEdge>, StoreError> {
        let rows = self
            .0
            .query(
                "SELECT blob_edge.digest, blob_link.blob_key FROM blob_edge \
                 LEFT JOIN blob_link ON blob_link.repository_id = ?2 \
                 AND blob_link.digest = blob_edge.digest \
                 WHERE blob_edge.image_id = ?1 ORDER BY blob_edge.digest",
                &params![image, repository.0],
            )
            .await?;
        let edge = |row: &Row| {
            Ok(InspectedEdge {
                digest: row.text(0)?.to_owned(),
                has_link: row.optional_text(1)?.is_some(),
            })
        };
        rows.iter().map(edge).collect()
    }

    async fn inspected_children(
        &mut self,
        repository: RepositoryId,
        image: i64,
    ) -> Result<Vec<InspectedChild>, StoreError> {
        let rows = self
            .0
            .query(
                "SELECT manifest_child.child, image.id FROM manifest_child \
                 LEFT JOIN image ON image.repository_id = ?2 \
                 AND image.digest = manifest_child.child \
                 WHERE manifest_child.image_id = ?1 ORDER BY manifest_child.child",
                &params![image, repository.0],
            )
            .await?;
        let child = |row: &Row| {
            Ok(InspectedChild {
                digest: row.text(0)?.to_owned(),
                is_there: row.optional_int(1)?.is_some(),
            })
        };
        rows.iter().map(child).collect()
    }

    async fn tag_texts(&mut self, image: i64) -> Result<Vec<String>, StoreError> {
        let rows = self
            .0
            .query(
                "SELECT tag FROM tag WHERE image_id = ?1 ORDER BY tag",
                &params![image],
            )
            .await?;
        rows.iter().map(|row| Ok(row.text(0)?.to_owned())).collect()
    }

    async fn manifest_bytes(&mut self, image: i64) -> Result<Option<Vec<u8>>, StoreError> {
        let row = self
            .query_first(
                "SELECT bytes FROM manifest WHERE image_id = ?1",
                &params![image],
            )
            .await?;
        row.map(|mut row| row.take_bytes(0)).transpose()
    }
}

#[async_trait]
impl<S: Sql> ReadInspection for Tx<S> {
    async fn inspected_repositories(
        &mut self,
        after: RepositoryId,
        limit_rows: usize,
    ) -> Result<Vec<InspectedRepository>, StoreError> {
        let rows = self
            .0
            .query(
                "SELECT id, account, region, name, is_reaped FROM repository \
                 WHERE id > ?1 ORDER BY id LIMIT ?2",
                &[after.0.into(), limit(limit_rows)],
            )
            .await?;
        rows.iter().map(repository_row).collect()
    }

    async fn inspected_repository(
        &mut self,
        id: RepositoryId,
    ) -> Result<Option<InspectedRepository>, StoreError> {
        let row = self
            .query_first(
                "SELECT id, account, region, name, is_reaped FROM repository WHERE id = ?1",
                &params![id.0],
            )
            .await?;
        row.as_ref().map(repository_row).transpose()
    }

    async fn inspected_images(
        &mut self,
        repository: RepositoryId,
        after: &str,
        limit_rows: usize,
    ) -> Result<Vec<InspectedImage>, StoreError> {
        let rows = self
            .0
            .query(
                "SELECT id, digest, media_type, manifest_size_bytes, is_tagged FROM image \
                 WHERE repository_id = ?1 AND digest > ?2 ORDER BY digest LIMIT ?3",
                &[repository.0.into(), after.into(), limit(limit_rows)],
            )
            .await?;
        let mut images = Vec::with_capacity(rows.len());
        for row in &rows {
            let id = row.int(0)?;
            images.push(InspectedImage {
                digest: row.text(1)?.to_owned(),
                media_type: row.text(2)?.to_owned(),
                manifest_size_bytes: row.int(3)?,
                is_tagged: row.int(4)? != 0,
                manifest: self.manifest_bytes(id).await?,
                tags: self.tag_texts(id).await?,
                edges: self.inspected_edges(repository, id).await?,
                children: self.inspected_children(repository, id).await?,
            });
        }
        Ok(images)
    }

    async fn inspected_tags(
        &mut self,
        repository: RepositoryId,
        after: &str,
        limit_rows: usize,
    ) -> Result<Vec<InspectedTag>, StoreError> {
        let rows = self
            .0
            .query(
                "SELECT tag.tag, image.repository_id FROM tag \
                 LEFT JOIN image ON image.id = tag.image_id \
                 WHERE tag.repository_id = ?1 AND tag.tag > ?2 ORDER BY tag.tag LIMIT ?3",
                &[repository.0.into(), after.into(), limit(limit_rows)],
            )
            .await?;
        let tag = |row: &Row| {
            Ok(InspectedTag {
                tag: row.text(0)?.to_owned(),
                image_repository: row.optional_int(1)?.map(RepositoryId),
            })
        };
        rows.iter().map(tag).collect()
    }

    async fn inspected_links(
        &mut self,
        repository: RepositoryId,
        after: &str,
        limit_rows: usize,
    ) -> Result<Vec<InspectedLink>, StoreError> {
        let rows = self
            .0
            .query(
                "SELECT blob_link.digest, blob_link.blob_key, blob.digest, \
                 blob_link.unreferenced_since, (SELECT min(blob_edge.image_id) FROM blob_edge \
                 WHERE blob_edge.repository_id = ?1 AND blob_edge.digest = blob_link.digest) \
                 FROM blob_link LEFT JOIN blob ON blob.key = blob_link.blob_key \
                 WHERE blob_link.repository_id = ?1 AND blob_link.digest > ?2 \
                 ORDER BY blob_link.digest LIMIT ?3",
                &[repository.0.into(), after.into(), limit(limit_rows)],
            )
            .await?;
        let link = |row: &Row| {
            Ok(InspectedLink {
                digest: row.text(0)?.to_owned(),
                key: row.text(1)?.to_owned(),
                blob_digest: row.optional_text(2)?.map(str::to_owned),
                is_unreferenced: row.optional_int(3)?.is_some(),
                has_edge: row.optional_int(4)?.is_some(),
            })
        };
        rows.iter().map(link).collect()
    }

    async fn inspected_blobs(
        &mut self,
        after: &str,
        limit_rows: usize,
    ) -> Result<Vec<InspectedBlob>, StoreError> {
        let rows = self
            .0
            .query(
                "SELECT blob.key, blob.digest, blob.size_bytes, blob.lost_since, \
                 (SELECT min(repository_id) FROM blob_link WHERE blob_key = blob.key), \
                 (SELECT garbage.key FROM garbage WHERE garbage.key = blob.key) \
                 FROM blob WHERE blob.key > ?1 ORDER BY blob.key LIMIT ?2",
                &[after.into(), limit(limit_rows)],
            )
            .await?;
        rows.iter().map(blob_row).collect()
    }

    async fn inspected_blob(&mut self, key: &str) -> Result<Option<InspectedBlob>, StoreError> {
        let row = self
            .query_first(
                "SELECT blob.key, blob.digest, blob.size_bytes, blob.lost_since, \
                 (SELECT min(repository_id) FROM blob_link WHERE blob_key = blob.key), \
                 (SELECT garbage.key FROM garbage WHERE garbage.key = blob.key) \
                 FROM blob WHERE blob.key = ?1",
                &params![key],
            )
            .await?;
        row.as_ref().map(blob_row).transpose()
    }

    async fn inspected_uploads(
        &mut self,
        after: &str,
        limit_rows: usize,
    ) -> Result<Vec<InspectedUpload>, StoreError> {
        let rows = self
            .0
            .query(
                "SELECT id, blob_key, received_bytes, \
                 (SELECT blob.key FROM blob WHERE blob.key = upload.blob_key), \
                 (SELECT garbage.key FROM garbage WHERE garbage.key = upload.blob_key) \
                 FROM upload WHERE id > ?1 ORDER BY id LIMIT ?2",
                &[after.into(), limit(limit_rows)],
            )
            .await?;
        rows.iter().map(upload_row).collect()
    }

    async fn inspected_upload(&mut self, id: &str) -> Result<Option<InspectedUpload>, StoreError> {
        let row = self
            .query_first(
                "SELECT id, blob_key, received_bytes, \
                 (SELECT blob.key FROM blob WHERE blob.key = upload.blob_key), \
                 (SELECT garbage.key FROM garbage WHERE garbage.key = upload.blob_key) \
                 FROM upload WHERE id = ?1",
                &params![id],
            )
            .await?;
        row.as_ref().map(upload_row).transpose()
    }

    async fn is_blob_or_garbage(&mut self, key: &BlobKey) -> Result<bool, StoreError> {
        let row = self
            .query_first(
                "SELECT key FROM blob WHERE key = ?1 \
                 UNION ALL SELECT key FROM garbage WHERE key = ?1",
                &params![key.as_str()],
            )
            .await?;
        Ok(row.is_some())
    }

    async fn needers(&mut self, key: &str, limit_rows: usize) -> Result<Vec<Needer>, StoreError> {
        let rows = self
            .0
            .query(
                "SELECT image.id, image.digest, repository.account, repository.region, \
                 repository.name FROM blob_link JOIN blob_edge \
                 ON blob_edge.repository_id = blob_link.repository_id \
                 AND blob_edge.digest = blob_link.digest \
                 JOIN image ON image.id = blob_edge.image_id \
                 JOIN repository ON repository.id = image.repository_id \
                 WHERE blob_link.blob_key = ?1 LIMIT ?2",
                &[key.into(), limit(limit_rows)],
            )
            .await?;
        let mut needers = Vec::with_capacity(rows.len());
        for row in &rows {
            let place = [row.text(2)?, row.text(3)?, row.text(4)?];
            let place = place.into_iter().filter(|part| !part.is_empty());
            needers.push(Needer {
                repository: place.collect::<Vec<_>>().join("/"),
                digest: row.text(1)?.to_owned(),
                tags: self.tag_texts(row.int(0)?).await?,
            });
        }
        Ok(needers)
    }
}
