//! Counters for `/metrics` in the Prometheus text format.

use std::sync::atomic::AtomicI64;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry as Names;

/// What a counted request was.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RequestLabels {
    /// The face: `aws`, `oci`, `admin`.
    pub face: &'static str,
    /// The status class or code.
    pub status: u16,
}

/// All metrics of a server.
#[derive(Default)]
pub struct Metrics {
    requests: Family<RequestLabels, Counter>,
    connections: Gauge<i64, AtomicI64>,
    swept_bytes: Counter,
    swept_blobs: Counter,
}

impl Metrics {
    /// Counts an answered request.
    pub fn count_request(&self, face: &'static str, status: u16) {
        self.requests
            .get_or_create(&RequestLabels { face, status })
            .inc();
    }

    /// A connection came.
    pub fn connection_opened(&self) {
        self.connections.inc();
    }

    /// A connection went.
    pub fn connection_closed(&self) {
        self.connections.dec();
    }

    /// Counts what a sweep freed.
    pub fn count_sweep(&self, blobs: u64, bytes: u64) {
        self.swept_blobs.inc_by(blobs);
        self.swept_bytes.inc_by(bytes);
    }

    /// The page of `/metrics`.
    pub fn page(&self) -> String {
        let mut names = Names::default();
        names.register(
            "roadstead_requests",
            "Answered requests by face and status",
            self.requests.clone(),
        );
        names.register(
            "roadstead_connections",
            "Open connections",
            self.connections.clone(),
        );
        names.register(
            "roadstead_swept_blobs",
            "Blobs deleted by the sweep",
            self.swept_blobs.clone(),
        );
        names.register(
            "roadstead_swept_bytes",
            "Bytes freed by the sweep",
            self.swept_bytes.clone(),
        );
        let mut page = String::new();
        // Writing to a String cannot fail.
        let _ = text::encode(&mut page, &names);
        page
    }
}
