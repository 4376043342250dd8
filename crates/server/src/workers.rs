//! What a server does besides answering: sweeping, evaluating previews, running lifecycle policies,
//! writing pull times, advancing container services, delivering events. Each is a loop that logs its failures and goes on.
//!
//! Every step is a use case of the registry; nothing is decided here.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use roadstead_registry::Registry;
use roadstead_registry::context::Clock;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::config::Config;
use crate::delivery::{self, Delivery};

/// How long a pull waits for its time to be written.
const PULL_TIMES_EVERY: Duration = Duration::from_secs(5);
/// How long a preview can wait if the bell that it rings was not heard.
const PREVIEWS_EVERY: Duration = Duration::from_secs(5);
/// How long a policy that was put meanwhile can be overdue; no longer than from run to run.
const LIFECYCLE_EVERY: Duration = Duration::from_secs(30);
/// The shortest pause between looks for a policy that is due.
const LIFECYCLE_LEAST: Duration = Duration::from_secs(1);
/// How long a change of a container service can wait if the bell that it rings was not heard, and
/// how long what is too old is kept too long.
const CONTAINERS_EVERY: Duration = Duration::from_secs(30);
/// How long a line waits that a container wrote.
const CONTAINER_LINES_EVERY: Duration = Duration::from_secs(1);
/// The shortest pause between steps.
const CONTAINERS_LEAST: Duration = Duration::from_millis(10);
/// The pause after a failure.
const FAILED: Duration = Duration::from_secs(5);
/// How long the end of the server waits for what is being delivered.
const FAREWELL: Duration = Duration::from_secs(3);

/// The workers of a running server; they end when it is dropped.
pub struct Workers {
    /// End at any instant.
    steps: JoinSet<()>,
    /// Forget what they delivered before they end.
    deliveries: JoinSet<()>,
    stop: watch::Sender<bool>,
}

impl Workers {
    /// Starts all of them. Fails only if a webhook cannot be prepared.
    pub fn start(
        config: &Config,
        registry: &Arc<Registry>,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self> {
        let deliveries = delivery::all(config, registry, clock)?;
        let (stop, stopping) = watch::channel(false);
        let mut workers = Self {
            steps: JoinSet::new(),
            deliveries: deliveries
                .into_iter()
                .map(|delivery: Delivery| delivery.run(stopping.clone()))
                .collect(),
            stop,
        };
        let sweep_pause = Duration::from_secs(config.sweep.interval_seconds.into());
        let (registry, clock) = (registry.clone(), clock.clone());
        let steps = &mut workers.steps;
        steps.spawn(drop_strangers(registry.clone()));
        steps.spawn(write_pull_times(registry.clone()));
        steps.spawn(evaluate_previews(registry.clone(), clock.clone()));
        steps.spawn(run_lifecycle(registry.clone(), clock.clone()));
        steps.spawn(advance_containers(registry.clone(), clock.clone()));
        steps.spawn(sweep(registry, clock, sweep_pause));
        Ok(workers)
    }

    /// Ends all of them. What was delivered is forgotten first, as far as that is soon done.
    pub async fn end(mut self) {
        // Nobody listens if nothing is delivered.
        let _ = self.stop.send(true);
        self.steps.shutdown().await;
        let ended = async { while self.deliveries.join_next().await.is_some() {} };
        if tokio::time::timeout(FAREWELL, ended).await.is_err() {
            tracing::warn!("a receiver is slow: it may be told twice of an event");
        }
    }
}

/// Sweeps at every interval, and at once while there is more to do.
async fn sweep(registry: Arc<Registry>, clock: Arc<dyn Clock>, pause: Duration) {
    loop {
        match registry.sweep_step(clock.now()).await {
            Ok(Some(step)) => {
                if step.bytes_freed > 0 {
                    tracing::info!(
                        blobs = step.blobs_deleted,
                        bytes = step.bytes_freed,
                        "swept"
                    );
                }
                if step.has_more {
                    tokio::task::yield_now().await;
                    continue;
                }
            }
            Ok(None) => {}
            Err(error) => tracing::error!(error = %error_chain(&error), "sweep"),
        }
        tokio::time::sleep(pause).await;
    }
}

/// Writes noted pulls every few seconds.
async fn write_pull_times(registry: Arc<Registry>) {
    loop {
        tokio::time::sleep(PULL_TIMES_EVERY).await;
        if let Err(error) = registry.write_pull_times().await {
            tracing::warn!(error = %error_chain(&error), "pull times");
        }
    }
}

/// Evaluates previews as they are asked for.
async fn evaluate_previews(registry: Arc<Registry>, clock: Arc<dyn Clock>) {
    loop {
        match registry.preview_step(clock.now()).await {
            Ok(true) => tokio::task::yield_now().await,
            Ok(false) => {
                // Not heard is no loss: it is looked for again soon.
                let _ = tokio::time::timeout(PREVIEWS_EVERY, registry.preview_asked()).await;
            }
            Err(error) => {
                tracing::error!(error = %error_chain(&error), "lifecycle policy preview");
                tokio::time::sleep(FAILED).await;
            }
        }
    }
}

/// Runs lifecycle policies as they become due.
async fn run_lifecycle(registry: Arc<Registry>, clock: Arc<dyn Clock>) {
    let interval = registry.rules().lifecycle_interval.0;
    let interval = Duration::from_micros(u64::try_from(interval).unwrap_or(u64::MAX));
    let longest = LIFECYCLE_EVERY.min(interval).max(LIFECYCLE_LEAST);
    loop {
        let pause = match registry.lifecycle_step(clock.now()).await {
            Ok(true) => {
                tokio::task::yield_now().await;
                continue;
            }
            Ok(false) => match registry.lifecycle_next_due().await {
                Ok(due) => due.map_or(longest, |due| {
                    let micros = due.0.saturating_sub(clock.now().0);
                    // One that is due and not run is being run by somebody else.
                    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
                        .clamp(LIFECYCLE_LEAST, longest)
                }),
                Err(error) => {
                    tracing::error!(error = %error_chain(&error), "lifecycle");
                    FAILED
                }
            },
            Err(error) => {
                tracing::error!(error = %error_chain(&error), "lifecycle");
                FAILED
            }
        };
        tokio::time::sleep(pause).await;
    }
}

/// Ends changes of container services as they become due, and keeps what containers write.
async fn advance_containers(registry: Arc<Registry>, clock: Arc<dyn Clock>) {
    while let Err(error) = registry.want_all_containers().await {
        tracing::error!(error = %error_chain(&error), "container services");
        tokio::time::sleep(FAILED).await;
    }
    let longest = match registry.runtime() {
        Some(_) => CONTAINER_LINES_EVERY,
        None => CONTAINERS_EVERY,
    };
    loop {
        match registry.containers_step(clock.now()).await {
            Ok(due) => {
                let pause = due.map_or(longest, |due| {
                    let micros = due.0.saturating_sub(clock.now().0);
                    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
                        .clamp(CONTAINERS_LEAST, longest)
                });
                // Not heard is no loss: it is looked for again soon.
                let _ = tokio::time::timeout(pause, registry.containers_asked()).await;
            }
            Err(error) => {
                tracing::error!(error = %error_chain(&error), "container services");
                tokio::time::sleep(FAILED).await;
            }
        }
    }
}

/// Forgets the events of destinations that are gone, once.
async fn drop_strangers(registry: Arc<Registry>) {
    if let Err(error) = delivery::drop_strangers(&registry).await {
        tracing::error!(error = %format_args!("{error:#}"), "events of former destinations");
    }
}

fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
