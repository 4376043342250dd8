//! The server under test.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use roadstead_domain::ids::{AccountId, Region};
use roadstead_domain::time::Span;
use roadstead_http::server::{Serving, serve};
use roadstead_http::{Faces, Settings};
use roadstead_registry::context::Clock as _;
use roadstead_registry::keyring::{KEY_BYTES, KeyRing, RingKey};
use roadstead_registry::work::SweepReport;
use roadstead_registry::{Registry, Rules};
use roadstead_server::compose::{self, Stores};
use roadstead_store::fault::{Faults, FaultyBlobs, FaultyMetadata};
use roadstead_store::metadata::MetadataStore;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use crate::{CountingIds, TestClock, folder};

/// The account of [`World::credentials`].
pub const ACCOUNT: &str = "123456789012";
/// The region that clients ask.
pub const REGION: &str = "us-east-1";

/// An access key.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The id.
    pub id: String,
    /// The secret.
    pub secret: String,
    /// The region to sign for.
    pub region: String,
}

impl Credentials {
    /// The same key in another region.
    pub fn in_region(&self, region: &str) -> Self {
        Self {
            region: region.into(),
            ..self.clone()
        }
    }
}

/// How a world differs from the usual one.
#[derive(Debug, Clone)]
pub struct WorldBuilder {
    /// The rules.
    pub rules: Rules,
    /// The faces' settings.
    pub settings: Settings,
    /// How it is served.
    pub serving: Serving,
}

impl Default for WorldBuilder {
    fn default() -> Self {
        let settings = Settings::new(
            AccountId::parse(ACCOUNT).expect("an account"),
            Region::parse(REGION).expect("a region"),
        );
        Self {
            rules: Rules::default(),
            settings,
            serving: Serving::default(),
        }
    }
}

impl WorldBuilder {
    /// `strict_ecr` on.
    pub fn strict(mut self) -> Self {
        self.rules.is_strict_ecr = true;
        self
    }

    /// `--dev`.
    pub fn dev(mut self) -> Self {
        self.settings.is_dev = true;
        self
    }

    /// No grace: the next sweep frees whatever is unreferenced.
    pub fn without_grace(mut self) -> Self {
        self.rules.sweep_grace = Span::seconds(0);
        self
    }

    /// Addresses in AWS's own form.
    pub fn with_aws_hosts(mut self) -> Self {
        self.settings.repository_host = Some("{account}.dkr.ecr.{region}.amazonaws.com".into());
        self.settings.repository_scheme = Some("https".into());
        self.settings.public_host = Some("public.ecr.aws".into());
        self.settings.container_url_suffix = Some("cs.amazonlightsail.com".into());
        self
    }

    /// Starts the server.
    pub async fn start(self) -> World {
        self.start_over(|stores| stores).await
    }

    /// Starts the server over stores that `wrap` puts something around.
    pub async fn start_over(self, wrap: impl FnOnce(Stores) -> Stores + Send) -> World {
        World::with(self, wrap).await
    }
}

/// A server over a directory of its own, stopped and removed when dropped.
pub struct World {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its clock.
    pub clock: Arc<TestClock>,
    /// Its use cases, for what has no public door.
    pub registry: Arc<Registry>,
    /// A root key of [`ACCOUNT`].
    pub credentials: Credentials,
    /// Makes the stores fail on command.
    pub faults: Arc<Faults>,
    /// The rows, past all faults.
    pub metadata: Arc<dyn MetadataStore>,
    directory: TempDir,
    _stop: oneshot::Sender<()>,
}

impl World {
    /// The usual world.
    pub async fn start() -> Self {
        WorldBuilder::default().start().await
    }

    /// A world to be changed before it starts.
    pub fn builder() -> WorldBuilder {
        WorldBuilder::default()
    }

    async fn with(builder: WorldBuilder, wrap: impl FnOnce(Stores) -> Stores + Send) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let (clock, ids) = (
            Arc::new(TestClock::default()),
            Arc::new(CountingIds::default()),
        );
        let stores = Stores::embedded(
            &directory.path().join("metadata.sqlite"),
            &directory.path().join("blobs"),
        );
        let stores = wrap(stores.expect("the stores open"));
        let faults = Arc::new(Faults::default());
        let metadata = stores.metadata.clone();
        let stores = Stores {
            metadata: Arc::new(FaultyMetadata::new(stores.metadata, faults.clone())),
            blobs: Arc::new(FaultyBlobs::new(stores.blobs, faults.clone())),
        };
        let key = RingKey {
            id: 1,
            key: Zeroizing::new([7; KEY_BYTES]),
        };
        let keyring = KeyRing::new(&[key]).expect("a key ring");
        let registry = compose::registry(stores, clock.clone(), ids, keyring, builder.rules);
        let faces: Arc<Faces> = compose::faces(registry.clone(), clock.clone(), builder.settings);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (stop, stopped) = oneshot::channel();
        let stopped = async {
            // Dropping the world stops the server.
            let _ = stopped.await;
        };
        tokio::spawn(serve(faces, vec![listener], builder.serving, stopped));
        let mut world = Self {
            address,
            clock,
            registry,
            credentials: Credentials {
                id: String::new(),
                secret: String::new(),
                region: REGION.into(),
            },
            faults,
            metadata,
            directory,
            _stop: stop,
        };
        world.credentials = world.key_of(ACCOUNT).await;
        world
    }

    /// A fresh root key of an account.
    pub async fn key_of(&self, account: &str) -> Credentials {
        let account = AccountId::parse(account).expect("an account");
        let key = self
            .registry
            .create_access_key(account, self.clock.now())
            .await
            .expect("a key");
        Credentials {
            id: key.id,
            secret: key.secret.to_string(),
            region: REGION.into(),
        }
    }

    /// Sweeps until nothing is left to do.
    pub async fn sweep(&self) -> SweepReport {
        let mut total = SweepReport::default();
        loop {
            let step = self
                .registry
                .sweep_step(self.clock.now())
                .await
                .expect("a sweep");
            total += step.expect("the lease");
            if !total.has_more {
                return total;
            }
        }
    }

    /// Where its stores are: `metadata.sqlite` and `blobs`.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The files that hold blobs, staged ones included.
    pub fn blob_files(&self) -> Vec<PathBuf> {
        folder::files_below(&self.directory.path().join("blobs"))
    }

    /// The tables of the embedded store that hold rows, with how many.
    pub fn rows(&self) -> BTreeMap<String, i64> {
        folder::rows(&self.store())
    }

    /// The file of the embedded store.
    pub fn store(&self) -> PathBuf {
        self.directory.path().join("metadata.sqlite")
    }

    /// The bytes in those files.
    pub fn blob_bytes(&self) -> u64 {
        let length = |path: &PathBuf| std::fs::metadata(path).map_or(0, |metadata| metadata.len());
        self.blob_files().iter().map(length).sum()
    }
}
