//! The schema as numbered steps, applied in order, each once, and never changed afterwards.
//!
//! This file knows which steps there are and what they look like in a dialect; the adapters run
//! them in one transaction and record them in `schema_migration`.

use roadstead_domain::digest::Digest;
use roadstead_store::metadata::StoreError;

/// One step.
pub(crate) struct Migration {
    /// Its place; steps count up from 1 without gaps.
    pub(crate) version: i64,
    /// What it is called.
    pub(crate) name: &'static str,
    text: &'static str,
}

/// Every step, oldest first. Append only.
pub(crate) const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        name: "registry",
        text: include_str!("../schema/0001_registry.sql"),
    },
    Migration {
        version: 2,
        name: "lifecycle",
        text: include_str!("../schema/0002_lifecycle.sql"),
    },
    Migration {
        version: 3,
        name: "public",
        text: include_str!("../schema/0003_public.sql"),
    },
    Migration {
        version: 4,
        name: "containers",
        text: include_str!("../schema/0004_containers.sql"),
    },
    Migration {
        version: 5,
        name: "upload_hash",
        text: include_str!("../schema/0005_upload_hash.sql"),
    },
    Migration {
        version: 6,
        name: "lost blobs",
        text: include_str!("../schema/0006_lost_blobs.sql"),
    },
];

/// Makes the table that records which steps were applied.
pub(crate) const CREATE_RECORD: &str = "CREATE TABLE IF NOT EXISTS schema_migration \
     (version {integer} PRIMARY KEY, name {text} NOT NULL, checksum {text} NOT NULL) {table}";
/// Which steps were applied.
pub(crate) const SELECT_RECORD: &str =
    "SELECT version, checksum FROM schema_migration ORDER BY version";
/// Records one step.
pub(crate) const INSERT_RECORD: &str =
    "INSERT INTO schema_migration (version, name, checksum) VALUES (?1, ?2, ?3)";

/// What a dialect calls the types and table options that the schema uses.
pub(crate) struct Dialect {
    /// Placeholder and text, in order of substitution.
    pub(crate) words: &'static [(&'static str, &'static str)],
}

impl Dialect {
    /// Fills in the placeholders of a schema text.
    pub(crate) fn render(&self, text: &str) -> String {
        self.words
            .iter()
            .fold(text.to_owned(), |text, (placeholder, word)| {
                text.replace(placeholder, word)
            })
    }
}

impl Migration {
    /// Identifies the text of the step, before any dialect.
    pub(crate) fn checksum(&self) -> String {
        Digest::sha256(self.text.as_bytes()).to_string()
    }

    /// The statements of the step.
    pub(crate) fn render(&self, dialect: &Dialect) -> String {
        dialect.render(self.text)
    }
}

/// The steps that are still to be applied to a store with these (version, checksum) records. A
/// store that a newer program made, or whose recorded steps differ from ours, is refused.
pub(crate) fn pending(
    migrations: &'static [Migration],
    applied: &[(i64, String)],
) -> Result<&'static [Migration], StoreError> {
    for (at, (version, checksum)) in applied.iter().enumerate() {
        let Some(known) = migrations.get(at) else {
            return Err(StoreError::Unavailable(format!(
                "schema step {version} is newer than this program"
            )));
        };
        if known.version != *version || known.checksum() != *checksum {
            return Err(StoreError::Unavailable(format!(
                "schema step {version} is not the one this program knows"
            )));
        }
    }
    Ok(&migrations[applied.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEPS: &[Migration] = &[
        Migration {
            version: 1,
            name: "one",
            text: "a {integer}",
        },
        Migration {
            version: 2,
            name: "two",
            text: "b",
        },
    ];

    fn versions(applied: &[(i64, String)]) -> Option<Vec<i64>> {
        let steps = pending(STEPS, applied).ok()?;
        Some(steps.iter().map(|step| step.version).collect())
    }

    #[test]
    fn only_what_is_missing_is_pending() {
        let first = (1, STEPS[0].checksum());
        let second = (2, STEPS[1].checksum());
        assert_eq!(versions(&[]), Some(vec![1, 2]));
        assert_eq!(versions(std::slice::from_ref(&first)), Some(vec![2]));
        assert_eq!(versions(&[first, second]), Some(vec![]));
    }

    #[test]
    fn foreign_schemas_are_refused() {
        let first = (1, STEPS[0].checksum());
        let second = (2, STEPS[1].checksum());
        assert_eq!(versions(&[(1, "other".into())]), None);
        assert_eq!(versions(std::slice::from_ref(&second)), None);
        assert_eq!(versions(&[first, second, (3, "x".into())]), None);
    }

    #[test]
    fn steps_count_up_from_one() {
        for (at, step) in MIGRATIONS.iter().enumerate() {
            assert_eq!(step.version, at as i64 + 1, "{}", step.name);
        }
    }

    #[test]
    fn placeholders_are_filled_in() {
        let dialect = Dialect {
            words: &[("{integer}", "BIGINT")],
        };
        assert_eq!(STEPS[0].render(&dialect), "a BIGINT");
    }
}
