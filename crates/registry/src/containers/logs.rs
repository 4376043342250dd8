//! The log of a container: pages of what passes a filter.
//!
//! A page looks at a bounded number of lines: where few pass, it may hold fewer than fit, or none,
//! and go on behind the last line that it looked at.

use roadstead_domain::lightsail::limits::LOG_PAGE_EVENTS_MAX;
use roadstead_domain::lightsail::log_filter::LogFilter;
use roadstead_domain::lightsail::log_pages::{LogPage, LogPosition, LogWindow};
use roadstead_domain::lightsail::names::ContainerName;
use roadstead_domain::time::Timestamp;
use roadstead_store::metadata::MetadataRead;

use super::loaded;
use crate::Registry;
use crate::access::Authorized;
use crate::access::containers::ContainerServiceKey;
use crate::error::Error;

/// Lines that are read at once.
const BATCH: usize = LOG_PAGE_EVENTS_MAX + 1;
/// Batches that one page looks at; ours.
const BATCHES_MAX: usize = 10;

/// What GetContainerLog asks for.
#[derive(Debug, Clone)]
pub struct LogQuery {
    /// The container; one that no deployment has has no lines.
    pub container: String,
    /// The interval.
    pub window: LogWindow,
    /// Which lines.
    pub filter: LogFilter,
    /// Behind which line to go on.
    pub after: Option<LogPosition>,
}

impl LogQuery {
    /// Behind which position the page begins.
    fn begin(&self) -> LogPosition {
        let before_window = LogPosition {
            at: Timestamp(self.window.start.0.saturating_sub(1)),
            sequence: u64::MAX,
        };
        self.after
            .map_or(before_window, |after| after.max(before_window))
    }

    async fn page<R>(&self, tx: &mut R, key: &ContainerServiceKey) -> Result<LogPage, Error>
    where
        R: MetadataRead + ?Sized,
    {
        let stored = loaded(tx, key).await?;
        let mut events = Vec::new();
        let Ok(container) = ContainerName::parse(&self.container) else {
            return Ok(LogPage { events, next: None });
        };
        let mut at = self.begin();
        for _ in 0..BATCHES_MAX {
            let until = self.window.end;
            let batch = tx.container_log(&stored.id, &container, at, until, BATCH);
            let batch = batch.await?;
            let is_last = batch.len() < BATCH;
            at = batch.last().map_or(at, |event| event.position());
            let passing = |event: &_| self.passes(event);
            events.extend(batch.into_iter().filter(passing));
            if is_last || events.len() > LOG_PAGE_EVENTS_MAX {
                let filter = LogFilter::default();
                return Ok(LogPage::select(events, self.window, &filter, self.after));
            }
        }
        Ok(LogPage {
            events,
            next: Some(at),
        })
    }

    fn passes(&self, event: &roadstead_domain::lightsail::log_pages::LogEvent) -> bool {
        self.filter.matches(&event.message)
    }
}

impl Registry {
    /// A page of a container's log, oldest first.
    pub async fn container_log(
        &self,
        key: Authorized<ContainerServiceKey>,
        query: LogQuery,
    ) -> Result<LogPage, Error> {
        self.metadata
            .read((key.into_inner(), query), |tx, (key, query)| {
                Box::pin(query.page(tx, key))
            })
            .await
    }
}
