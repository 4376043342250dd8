//! A metadata store that stops at a chosen call until it is told to go on: a test does something
//! in between, through the same store.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use roadstead_server::compose::Stores;
use roadstead_store::metadata::{ErasedRead, ErasedWrite, MetadataStore, StoreError};
use roadstead_testkit::World;
use tokio::sync::watch;

/// Where the store stops.
pub struct Pause {
    inner: Arc<dyn MetadataStore>,
    calls: AtomicU64,
    at: AtomicU64,
    is_reached: watch::Sender<bool>,
    is_over: watch::Sender<bool>,
}

impl Pause {
    /// A world over such a store, which stops nowhere yet.
    pub async fn world() -> (World, Arc<Self>) {
        let mut made = None;
        let wrap = |stores: Stores| {
            let pause = Arc::new(Self {
                inner: stores.metadata,
                calls: AtomicU64::new(0),
                at: AtomicU64::new(0),
                is_reached: watch::Sender::new(false),
                is_over: watch::Sender::new(false),
            });
            made = Some(pause.clone());
            Stores {
                metadata: pause,
                blobs: stores.blobs,
            }
        };
        let world = World::builder().start_over(wrap).await;
        (world, made.expect("the store is wrapped"))
    }

    /// Stops before the `nth` call from now on, counted from 1; nowhere for 0.
    pub fn stop_before(&self, nth: u64) {
        self.is_reached.send_replace(false);
        self.is_over.send_replace(false);
        self.at.store(nth, Ordering::SeqCst);
        self.calls.store(0, Ordering::SeqCst);
    }

    /// Calls since then.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }

    /// Waits until the call comes.
    pub async fn reached(&self) {
        let mut reached = self.is_reached.subscribe();
        let waited = reached.wait_for(|is_reached| *is_reached).await;
        drop(waited.expect("a store"));
    }

    /// Lets the call go on.
    pub fn go_on(&self) {
        self.is_over.send_replace(true);
    }

    async fn pass(&self) {
        let call = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        if call == self.at.load(Ordering::SeqCst) {
            self.is_reached.send_replace(true);
            let mut over = self.is_over.subscribe();
            drop(over.wait_for(|is_over| *is_over).await.expect("a store"));
        }
    }
}

#[async_trait]
impl MetadataStore for Pause {
    async fn write_erased(&self, body: ErasedWrite) -> Result<(), StoreError> {
        self.pass().await;
        self.inner.write_erased(body).await
    }

    async fn read_erased(&self, body: ErasedRead) -> Result<(), StoreError> {
        self.pass().await;
        self.inner.read_erased(body).await
    }
}
