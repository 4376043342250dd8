//! Metrics of a service: the measurements of its nodes, folded into data points.

use roadstead_domain::lightsail::log_pages::LogPosition;
use roadstead_domain::lightsail::metrics::{DataPoint, MetricName, MetricQuery, Sample};
use roadstead_domain::time::Timestamp;
use roadstead_store::metadata::MetadataRead;

use super::loaded;
use crate::Registry;
use crate::access::Authorized;
use crate::access::containers::ContainerServiceKey;
use crate::error::Error;

/// Measurements that are read at once.
const BATCH: usize = 5_000;

async fn data<R>(
    tx: &mut R,
    key: &ContainerServiceKey,
    metric: MetricName,
    query: &MetricQuery,
) -> Result<Vec<DataPoint>, Error>
where
    R: MetadataRead + ?Sized,
{
    let stored = loaded(tx, key).await?;
    let reset_at = stored.service.current.map(|current| current.created_at);
    let start = reset_at.map_or(query.start, |reset_at| reset_at.max(query.start));
    let mut at = LogPosition {
        at: Timestamp(start.0.saturating_sub(1)),
        sequence: u64::MAX,
    };
    let mut samples = Vec::new();
    loop {
        let batch = tx.container_usage(&stored.id, at, query.end, BATCH).await?;
        let is_last = batch.len() < BATCH;
        if let Some(last) = batch.last() {
            (at.at, at.sequence) = (last.at, last.sequence);
        }
        samples.extend(batch.into_iter().map(|sample| Sample {
            at: sample.at,
            percent: match metric {
                MetricName::CpuUtilization => sample.cpu_percent,
                MetricName::MemoryUtilization => sample.memory_percent,
            },
        }));
        if is_last {
            return Ok(query.fold(samples, reset_at));
        }
    }
}

impl Registry {
    /// Data points of a metric, oldest first. A new deployment starts afresh.
    pub async fn container_metric(
        &self,
        key: Authorized<ContainerServiceKey>,
        metric: MetricName,
        query: MetricQuery,
    ) -> Result<Vec<DataPoint>, Error> {
        let input = (key.into_inner(), metric, query);
        self.metadata
            .read(input, |tx, (key, metric, query)| {
                Box::pin(data(tx, key, *metric, query))
            })
            .await
    }
}
