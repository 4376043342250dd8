//! A whole server in this process, without a socket: requests go in where the listener would hand
//! them over. Its stores are closed and opened again at will, and a run may put something around
//! them.
//!
//! Must be exactly what `serve` composes, but for the clock, the ids and what is put around.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http::{HeaderValue, Request, header};
use http_body_util::BodyExt as _;
use roadstead_domain::ids::{AccountId, Region};
use roadstead_http::host::Arrival;
use roadstead_http::stack::{self, Entry};
use roadstead_http::{Arrived, Faces, Settings, body};
use roadstead_registry::context::Clock as _;
use roadstead_registry::keyring::{KEY_BYTES, KeyRing, RingKey};
use roadstead_registry::{Registry, Rules};
use roadstead_server::compose::{self, Stores};
use roadstead_store::metadata::{MetadataStore, StoreError};
use roadstead_testkit::world::{ACCOUNT, REGION};
use roadstead_testkit::{Answer, CountingIds, Credentials, TestClock, folder};
use tempfile::TempDir;
use zeroize::Zeroizing;

/// The address that requests name.
pub const HOST: &str = "localhost:5080";

/// Puts something around the stores each time they are opened.
pub type Wrap = Arc<dyn Fn(Stores) -> Stores + Send + Sync>;

/// A server without a socket, over a folder of its own.
pub struct House {
    /// Its clock.
    pub clock: Arc<TestClock>,
    ids: Arc<CountingIds>,
    rules: Rules,
    wrap: Wrap,
    faces: Option<Arc<Faces>>,
    metadata: Option<Arc<dyn MetadataStore>>,
    folder: TempDir,
}

/// A folder in memory where there is one: nothing here is about what a disk keeps.
fn folder() -> Result<TempDir> {
    let memory = Path::new("/dev/shm");
    let builder = tempfile::Builder::new();
    let made = if memory.is_dir() {
        builder.tempdir_in(memory)
    } else {
        builder.tempdir()
    };
    made.context("a folder for the stores")
}

impl House {
    /// An empty one.
    pub fn new(rules: Rules) -> Result<Self> {
        Self::around(rules, Arc::new(|stores| stores))
    }

    /// An empty one whose stores are wrapped.
    pub fn around(rules: Rules, wrap: Wrap) -> Result<Self> {
        let mut house = Self {
            clock: Arc::new(TestClock::default()),
            ids: Arc::new(CountingIds::default()),
            rules,
            wrap,
            faces: None,
            metadata: None,
            folder: folder()?,
        };
        house.open()?;
        Ok(house)
    }

    fn open(&mut self) -> Result<()> {
        let stores = Stores::embedded(&self.store(), &self.blobs())?;
        let key = RingKey {
            id: 1,
            key: Zeroizing::new([7; KEY_BYTES]),
        };
        let (clock, ids) = (self.clock.clone(), self.ids.clone());
        let keyring = KeyRing::new(&[key]).context("a key ring")?;
        self.metadata = Some(stores.metadata.clone());
        let stores = (self.wrap)(stores);
        let registry = compose::registry(stores, clock.clone(), ids, keyring, self.rules.clone());
        let settings = Settings::new(
            AccountId::parse(ACCOUNT).context("an account")?,
            Region::parse(REGION).context("a region")?,
        );
        self.faces = Some(compose::faces(registry, clock, settings));
        Ok(())
    }

    /// Ends the server and starts it again over the same folder: what was in memory is gone.
    pub fn restart(&mut self) -> Result<()> {
        self.restart_after(|_| Ok(()))
    }

    /// As [`Self::restart`], with something done to the file of the rows while it is closed.
    pub fn restart_after(&mut self, meanwhile: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        self.faces = None;
        self.metadata = None;
        meanwhile(&self.store())?;
        self.open()
    }

    fn faces(&self) -> &Arc<Faces> {
        self.faces.as_ref().expect("an open house")
    }

    /// Its use cases.
    pub fn registry(&self) -> &Arc<Registry> {
        &self.faces().registry
    }

    /// The file of its rows.
    pub fn store(&self) -> PathBuf {
        self.folder.path().join("metadata.sqlite")
    }

    fn blobs(&self) -> PathBuf {
        self.folder.path().join("blobs")
    }

    /// The files that hold blobs.
    pub fn files(&self) -> Vec<PathBuf> {
        folder::files_below(&self.blobs())
    }

    /// What is left after everything was deleted and swept: nothing, if all is well.
    pub fn left(&self) -> (Vec<PathBuf>, BTreeMap<String, i64>) {
        (self.files(), folder::rows_left(&self.store()))
    }

    /// A root key of the account.
    pub async fn key(&self) -> Result<Credentials> {
        let account = AccountId::parse(ACCOUNT).context("an account")?;
        let now = self.clock.now();
        let key = self.registry().create_access_key(account, now).await?;
        Ok(Credentials {
            id: key.id,
            secret: key.secret.to_string(),
            region: REGION.into(),
        })
    }

    /// Sends a request and reads the whole answer.
    pub async fn send(&self, mut request: Request<Bytes>) -> Answer {
        let length = HeaderValue::from(request.body().len());
        let headers = request.headers_mut();
        headers.insert(header::CONTENT_LENGTH, length);
        headers.insert(header::HOST, HeaderValue::from_static(HOST));
        let arrived = Arrived {
            now: self.clock.now(),
            request_id: self.registry().ids().request_id(),
            arrival: Arrival {
                scheme: "http",
                authority: Some(HOST.into()),
                client: IpAddr::V4(Ipv4Addr::LOCALHOST),
                peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
                local: HOST.into(),
            },
        };
        let request = request.map(body::full);
        let (head, body) = stack::answer(self.faces(), arrived, Entry::Free, request)
            .await
            .into_parts();
        // A body that breaks off is shorter than its digest and length say.
        let body = body.collect().await.map(|body| body.to_bytes());
        Answer {
            status: head.status,
            headers: head.headers,
            body: body.unwrap_or_default(),
        }
    }

    /// Waits until every write that was queued is done.
    pub async fn settled(&self) -> Result<()> {
        let metadata = self.metadata.as_ref().context("an open house")?;
        let nothing = metadata.write((), |_, ()| Box::pin(async { Ok::<_, StoreError>(()) }));
        Ok(nothing.await?)
    }

    /// Sweeps until nothing is left to do.
    pub async fn sweep(&self) -> Result<()> {
        loop {
            let step = self.registry().sweep_step(self.clock.now()).await?;
            if !step.context("the lease of the sweep")?.has_more {
                return Ok(());
            }
        }
    }
}
