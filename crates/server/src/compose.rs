//! Putting the parts together: which stores there are is known here only.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use roadstead_http::{Faces, Settings};
use roadstead_registry::context::{Clock, Ids};
use roadstead_registry::keyring::KeyRing;
use roadstead_registry::{Registry, Rules};
use roadstead_store::blobs::BlobStore;
use roadstead_store::metadata::MetadataStore;
use roadstead_store_blob::FileBlobs;
use roadstead_store_sql::{SqliteOptions, SqliteStore};

use crate::data_dir::DataDir;

/// The two stores.
pub struct Stores {
    /// Rows.
    pub metadata: Arc<dyn MetadataStore>,
    /// Bytes.
    pub blobs: Arc<dyn BlobStore>,
}

impl Stores {
    /// The embedded stores: SQLite and files.
    pub fn embedded(metadata: &Path, blobs: &Path) -> Result<Self> {
        let metadata = SqliteStore::open(metadata, &SqliteOptions::default())?;
        Ok(Self {
            metadata: Arc::new(metadata),
            blobs: Arc::new(FileBlobs::open(blobs)?),
        })
    }
}

/// A registry over a data directory.
pub fn embedded(
    data: &DataDir,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    rules: Rules,
) -> Result<Arc<Registry>> {
    let stores = Stores::embedded(&data.metadata(), &data.blobs())?;
    let keyring = data.keyring(&*ids)?;
    Ok(registry(stores, clock, ids, keyring, rules))
}

/// A registry over any stores.
pub fn registry(
    stores: Stores,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    keyring: KeyRing,
    rules: Rules,
) -> Arc<Registry> {
    Arc::new(Registry::new(
        stores.metadata,
        stores.blobs,
        clock,
        ids,
        keyring,
        rules,
    ))
}

/// The faces over a registry.
pub fn faces(registry: Arc<Registry>, clock: Arc<dyn Clock>, settings: Settings) -> Arc<Faces> {
    Arc::new(Faces::new(registry, clock, settings))
}
