//! What a store holds after a schedule, read past the server, and the invariants M1 to M5 of
//! ARCHITECTURE.md over it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use roadstead_testkit::images;
use rusqlite::{Connection, OpenFlags};

/// What must have no row.
const NEVER: [(&str, &str); 8] = [
    (
        "a tag without its image (M1)",
        "SELECT tag FROM tag LEFT JOIN image ON image.id = tag.image_id \
         AND image.repository_id = tag.repository_id WHERE image.id IS NULL",
    ),
    (
        "an image whose blob has no link (M2)",
        "SELECT image.digest FROM image JOIN repository ON repository.id = image.repository_id \
         AND repository.deleted_at IS NULL JOIN blob_edge ON blob_edge.image_id = image.id \
         LEFT JOIN blob_link ON blob_link.repository_id = image.repository_id \
         AND blob_link.digest = blob_edge.digest WHERE blob_link.digest IS NULL",
    ),
    (
        "an index whose child is missing (M2)",
        "SELECT manifest_child.child FROM manifest_child \
         JOIN image parent ON parent.id = manifest_child.image_id \
         JOIN repository ON repository.id = parent.repository_id AND deleted_at IS NULL \
         LEFT JOIN image ON image.repository_id = parent.repository_id \
         AND image.digest = manifest_child.child WHERE image.id IS NULL",
    ),
    (
        "a link that is held and says otherwise, or the reverse",
        "SELECT digest FROM blob_link WHERE (unreferenced_since IS NULL) <> EXISTS \
         (SELECT 1 FROM blob_edge WHERE blob_edge.repository_id = blob_link.repository_id \
         AND blob_edge.digest = blob_link.digest) AND repository_id IN \
         (SELECT id FROM repository WHERE deleted_at IS NULL)",
    ),
    (
        "a blob without a link (M3)",
        "SELECT key FROM blob WHERE NOT EXISTS \
         (SELECT 1 FROM blob_link WHERE blob_link.blob_key = blob.key)",
    ),
    (
        "a key in two tables (M3)",
        "SELECT key FROM (SELECT key FROM blob UNION ALL SELECT key FROM garbage \
         UNION ALL SELECT blob_key FROM upload) GROUP BY key HAVING count(*) > 1",
    ),
    (
        "a digest with two live generations",
        "SELECT digest FROM blob GROUP BY digest HAVING count(*) > 1",
    ),
    (
        "an image that forgot whether it has a tag",
        "SELECT digest FROM image WHERE is_tagged <> EXISTS \
         (SELECT 1 FROM tag WHERE tag.image_id = image.id)",
    ),
];

/// The rows of a store, read by a connection of its own.
pub struct Rows(Connection);

/// What live repositories hold, as (repository, digest) and so on.
#[derive(Debug, Default)]
pub struct Shown {
    /// Images.
    pub images: BTreeSet<(String, String)>,
    /// Where tags point.
    pub tags: BTreeMap<(String, String), String>,
    /// Linked blobs.
    pub blobs: BTreeSet<(String, String)>,
}

impl Rows {
    /// Of the store in this file.
    pub fn open(store: &Path) -> Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        let rows = Connection::open_with_flags(store, flags).context("the rows")?;
        rows.set_prepared_statement_cache_capacity(32);
        Ok(Self(rows))
    }

    fn texts(&self, sql: &str) -> Result<Vec<Vec<String>>> {
        let mut statement = self.0.prepare_cached(sql)?;
        let columns = statement.column_count();
        let read = statement.query_map([], |row| {
            (0..columns)
                .map(|column| row.get::<_, String>(column))
                .collect()
        })?;
        read.collect::<Result<_, _>>().context("texts")
    }

    /// What is shown.
    pub fn shown(&self) -> Result<Shown> {
        let pairs = |sql| -> Result<BTreeSet<(String, String)>> {
            let rows = self.texts(sql)?.into_iter();
            rows.map(|row| <[String; 2]>::try_from(row).map(Into::into))
                .collect::<Result<_, _>>()
                .map_err(|_| anyhow::anyhow!("two columns"))
        };
        let tags = self.texts(
            "SELECT name, tag, digest FROM tag JOIN image ON image.id = tag.image_id \
             JOIN repository ON repository.id = tag.repository_id WHERE deleted_at IS NULL",
        )?;
        Ok(Shown {
            images: pairs(
                "SELECT name, digest FROM image JOIN repository \
                 ON repository.id = repository_id WHERE deleted_at IS NULL",
            )?,
            tags: tags
                .into_iter()
                .map(|row| ((row[0].clone(), row[1].clone()), row[2].clone()))
                .collect(),
            blobs: pairs(
                "SELECT name, digest FROM blob_link JOIN repository \
                 ON repository.id = repository_id WHERE deleted_at IS NULL",
            )?,
        })
    }

    /// The invariants, with the bytes in `files` checked against their digests.
    pub fn check(&self, files: &[PathBuf]) -> Result<()> {
        for (what, sql) in NEVER {
            let found = self.texts(sql)?;
            ensure!(found.is_empty(), "{what}: {found:?}");
        }
        let mut statement = self.0.prepare_cached(
            "SELECT digest, bytes FROM image JOIN manifest ON image_id = image.id",
        )?;
        let mut manifests = statement.query([])?;
        while let Some(row) = manifests.next()? {
            let (digest, bytes): (String, Vec<u8>) = (row.get(0)?, row.get(1)?);
            ensure!(
                images::digest(&bytes) == digest,
                "{digest}: other bytes (M5)"
            );
        }
        let mut by_key: BTreeMap<String, &PathBuf> = BTreeMap::new();
        for file in files {
            let name = file.file_name().and_then(|name| name.to_str());
            by_key.insert(name.context("a key")?.to_owned(), file);
        }
        for row in self.texts("SELECT key, digest FROM blob")? {
            let file = by_key.remove(&row[0]);
            let bytes = std::fs::read(file.with_context(|| format!("{}: no file", row[1]))?)?;
            ensure!(images::digest(&bytes) == row[1], "{}: other bytes", row[1]);
        }
        for row in self.texts("SELECT key FROM garbage UNION SELECT blob_key FROM upload")? {
            by_key.remove(&row[0]);
        }
        ensure!(
            by_key.is_empty(),
            "files that no row names (M4): {by_key:?}"
        );
        Ok(())
    }

    /// Rows of everything that a sweep has to free.
    pub fn count(&self) -> Result<i64> {
        let sql = "SELECT (SELECT count(*) FROM repository) + (SELECT count(*) FROM image) + \
             (SELECT count(*) FROM manifest) + (SELECT count(*) FROM tag) + \
             (SELECT count(*) FROM manifest_child) + (SELECT count(*) FROM blob) + \
             (SELECT count(*) FROM blob_link) + (SELECT count(*) FROM blob_edge) + \
             (SELECT count(*) FROM upload) + (SELECT count(*) FROM garbage) + \
             (SELECT count(*) FROM deleted_image)";
        let mut statement = self.0.prepare_cached(sql)?;
        Ok(statement.query_row([], |row| row.get(0))?)
    }
}
