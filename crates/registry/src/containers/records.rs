//! What the runtime writes and measures, moved into rows, and rows that are too old removed.

use std::sync::PoisonError;

use roadstead_domain::lightsail::log_pages::{LogEvent, log_kept_since};
use roadstead_domain::time::Timestamp;
use roadstead_store::metadata::{NewLogLine, UsageSample};

use super::runtime::{ContainerLine, NodeUsage};
use crate::Registry;
use crate::error::Error;

/// Lines and measurements of one transaction.
const STEP_ROWS: usize = 1_000;
/// Most measurements that wait in memory while the store fails; older ones are given up.
const UNWRITTEN_MAX: usize = 20_000;

/// What was taken from the runtime and waits to be stored.
#[derive(Debug, Default)]
pub(crate) struct Unwritten {
    lines: Vec<NewLogLine>,
    usage: Vec<UsageSample>,
}

impl Registry {
    /// Stores what the runtime gave, and removes what is no longer kept. True if more is to do at
    /// once.
    pub(super) async fn keep_container_records(&self, now: Timestamp) -> Result<bool, Error> {
        self.take_records(now);
        let (lines, usage) = {
            let unwritten = self.containers.unwritten.lock();
            let unwritten = unwritten.unwrap_or_else(PoisonError::into_inner);
            let first = |rows: usize| rows.min(STEP_ROWS);
            (
                unwritten.lines[..first(unwritten.lines.len())].to_vec(),
                unwritten.usage[..first(unwritten.usage.len())].to_vec(),
            )
        };
        let (line_count, usage_count) = (lines.len(), usage.len());
        if line_count + usage_count > 0 {
            self.metadata
                .write((lines, usage), |tx, (lines, usage)| {
                    Box::pin(async move {
                        tx.append_container_log(lines).await?;
                        Ok::<_, Error>(tx.insert_container_usage(usage).await?)
                    })
                })
                .await?;
            // Only now: what a failure kept from being stored is stored the next time.
            let unwritten = self.containers.unwritten.lock();
            let mut unwritten = unwritten.unwrap_or_else(PoisonError::into_inner);
            unwritten.lines.drain(..line_count);
            unwritten.usage.drain(..usage_count);
        }
        let is_pruned = self.prune_records(now).await?;
        Ok(line_count == STEP_ROWS || usage_count == STEP_ROWS || !is_pruned)
    }

    fn take_records(&self, now: Timestamp) {
        let Some(runtime) = self.runtime() else {
            return;
        };
        let sequence = || self.ids.sequence(now).unsigned_abs();
        let line = |line: ContainerLine| NewLogLine {
            service: line.service,
            container: line.container,
            event: LogEvent {
                created_at: line.at,
                sequence: sequence(),
                message: line.message,
            },
        };
        let sample = |measured: NodeUsage| UsageSample {
            service: measured.service,
            at: measured.at,
            sequence: sequence(),
            version: measured.version,
            cpu_percent: measured.usage.cpu_percent,
            memory_percent: measured.usage.memory_percent,
        };
        let unwritten = self.containers.unwritten.lock();
        let mut unwritten = unwritten.unwrap_or_else(PoisonError::into_inner);
        // The runtime bounds what each container may leave with it, and says in its log what was
        // lost. So a loud one costs the others nothing.
        if unwritten.lines.len() < STEP_ROWS {
            let lines = runtime.take_lines().into_iter().map(line);
            unwritten.lines.extend(lines);
        }
        let usage = runtime.take_usage().into_iter().map(sample);
        unwritten.usage.extend(usage);
        let lost = unwritten.usage.len().saturating_sub(UNWRITTEN_MAX);
        unwritten.usage.drain(..lost);
    }

    /// Removes some of what is too old; true once nothing is. Nothing too old costs a look.
    async fn prune_records(&self, now: Timestamp) -> Result<bool, Error> {
        let before = log_kept_since(now);
        let is_any: bool = self
            .metadata
            .read(before, |tx, before| {
                Box::pin(
                    async move { Ok::<_, Error>(tx.has_container_records_before(*before).await?) },
                )
            })
            .await?;
        if !is_any {
            return Ok(true);
        }
        self.metadata
            .write(before, |tx, before| {
                Box::pin(async move { Ok(tx.prune_container_records(*before, STEP_ROWS).await?) })
            })
            .await
    }
}
