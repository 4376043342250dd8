//! Counters for `/metrics` in the Prometheus text format.

use std::sync::atomic::AtomicI64;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry as Names;
use roadstead_registry::work::SweepReport;

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

    /// The page of `/metrics`, with what the sweep of this process did so far.
    pub fn page(&self, swept: SweepReport) -> String {
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
            ConstCounter::new(swept.blobs_deleted),
        );
        names.register(
            "roadstead_swept_bytes",
            "Bytes freed by the sweep",
            ConstCounter::new(swept.bytes_freed),
        );
        let mut page = String::new();
        // Writing to a String cannot fail.
        let _ = text::encode(&mut page, &names);
        page
    }
}
