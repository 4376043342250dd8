//! The embedded store: one SQLite file, one writer thread, a few read-only connections.
//!
//! Writes queue for the writer, which commits those that wait together (`writer`); reads run each
//! over its own snapshot (`readers`). Whoever opens the store must own the data directory.

pub(crate) mod connection;
mod epochs;
mod readers;
mod surveys;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use roadstead_domain::ids::RepositoryId;
use roadstead_store::metadata::{Epoch, ErasedRead, ErasedWrite, MetadataStore, Part, StoreError};

/// How an embedded store uses the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqliteOptions {
    /// Read-only connections, and so reads at a time.
    pub readers: usize,
    /// Writes that may wait for the writer; more wait to join the queue.
    pub queued_writes_max: usize,
    /// Largest size of the file in pages of 4096 bytes; none leaves it to the disk.
    pub page_count_max: Option<u32>,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            readers: 4,
            queued_writes_max: 1024,
            page_count_max: None,
        }
    }
}

/// A metadata store in one file. Dropping it waits for the writer to finish what is queued.
pub struct SqliteStore {
    // The writer goes first, so that it is the one that closes the log.
    writer: writer::Writer,
    readers: readers::Readers,
    surveys: surveys::Surveys,
    epochs: Arc<epochs::Epochs>,
    path: PathBuf,
}

impl SqliteStore {
    /// Opens the file, making it and bringing its schema up to date where needed.
    ///
    /// # Errors
    /// `Unavailable` if the file cannot be opened or was made by a newer program.
    pub fn open(path: &Path, options: &SqliteOptions) -> Result<Self, StoreError> {
        let mut connection = connection::open_writer(path)?;
        connection::migrate(&mut connection)?;
        connection::settle(&connection)?;
        if let Some(pages) = options.page_count_max {
            connection::limit_pages(&connection, pages)?;
        }
        let readers = readers::Readers::open(path, options.readers)?;
        let epochs = Arc::new(epochs::Epochs::new());
        let queued_max = options.queued_writes_max;
        let writer = writer::Writer::start(connection, epochs.clone(), queued_max)?;
        let surveys = surveys::Surveys::start(path)?;
        Ok(Self {
            writer,
            readers,
            surveys,
            epochs,
            path: path.to_owned(),
        })
    }
}

#[async_trait]
impl MetadataStore for SqliteStore {
    async fn write_erased(&self, body: ErasedWrite) -> Result<(), StoreError> {
        self.writer.write(body).await
    }

    async fn read_erased(&self, body: ErasedRead) -> Result<(), StoreError> {
        self.readers.read(body).await
    }

    async fn survey_erased(&self, body: ErasedRead) -> Result<(), StoreError> {
        self.surveys.read(body).await
    }

    fn epoch(&self, repository: RepositoryId, part: Part) -> Option<Epoch> {
        self.epochs.of(repository, part)
    }

    async fn damages(&self) -> Result<Vec<String>, StoreError> {
        let path = self.path.clone();
        let checked = tokio::task::spawn_blocking(move || {
            connection::damages(&connection::open_reader(&path)?)
        });
        let died = |error: tokio::task::JoinError| StoreError::Failed(error.to_string());
        checked.await.map_err(died)?
    }
}
