//! Delivery of events: one worker for each destination, which reads the rows that wait for it, hands
//! them over in order, and forgets them afterwards. At least once, in order for a repository.
//!
//! A destination that is slow or gone delays nobody but itself. Nothing here makes an event.

mod audit;
mod webhook;

pub use self::audit::AuditLog;
pub use self::webhook::{SIGNATURE, Webhook};

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use roadstead_domain::time::{Span, Timestamp};
use roadstead_registry::Registry;
use roadstead_registry::context::Clock;
use roadstead_registry::events::Event;
use tokio::sync::watch;

use crate::config::Config;

/// Events that are read, and forgotten, together.
const BATCH: usize = 20;
/// Events that are dropped in one transaction.
const DROP_BATCH: usize = 1_000;
/// How long an idle worker waits until it looks again: one look into an index.
const IDLE: Duration = Duration::from_secs(1);
/// The first pause after a failure at most; each further one is twice as long.
const PAUSE_FIRST: Duration = Duration::from_secs(2);
/// The longest pause after a failure.
const PAUSE_MAX: Duration = Duration::from_secs(300);
/// How long the answer to an event is waited for once the server ends.
const LAST_ANSWER: Duration = Duration::from_secs(1);

/// Who is told.
pub enum Receiver {
    /// An HTTP server.
    Webhook(Box<Webhook>),
    /// A file.
    Audit(AuditLog),
}

impl Receiver {
    /// Hands events over in order: how many were taken, and why not the next one. Between two
    /// events it looks whether it is to stop.
    async fn take(
        &self,
        events: &[Event],
        stopping: &watch::Receiver<bool>,
    ) -> (usize, Result<()>) {
        match self {
            Self::Audit(log) => match log.append(events).await {
                Ok(()) => (events.len(), Ok(())),
                Err(error) => (0, Err(error)),
            },
            Self::Webhook(hook) => {
                for (taken, event) in events.iter().enumerate() {
                    if *stopping.borrow() {
                        return (taken, Ok(()));
                    }
                    tokio::select! {
                        posted = hook.post(&event.payload) => if let Err(error) = posted {
                            return (taken, Err(error));
                        },
                        // It may have been understood: it will be told again.
                        () = stopped_for_a_while(stopping.clone()) => return (taken, Ok(())),
                    }
                }
                (events.len(), Ok(()))
            }
        }
    }
}

/// The worker of one destination.
pub struct Delivery {
    /// Where the events wait.
    pub registry: Arc<Registry>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Its name in the rows.
    pub destination: String,
    /// Its name in the log, without secrets.
    pub label: String,
    /// Who is told.
    pub receiver: Receiver,
    /// How long an event waits. An older one is dropped once a webhook has refused it; those of
    /// the audit log wait for ever.
    pub keep: Span,
}

/// What a step found.
enum Step {
    /// Everything read was delivered.
    Delivered,
    /// Nothing waits.
    Idle,
    /// The first event was refused and dropped.
    Lost,
    /// The receiver would not take an event: the first of all, or one after others that it took.
    Refused {
        error: anyhow::Error,
        is_first: bool,
    },
}

/// The workers of every configured destination.
pub fn all(
    config: &Config,
    registry: &Arc<Registry>,
    clock: &Arc<dyn Clock>,
) -> Result<Vec<Delivery>> {
    let delivery = |destination: &str, label: String, receiver| Delivery {
        registry: registry.clone(),
        clock: clock.clone(),
        destination: destination.to_owned(),
        label,
        receiver,
        keep: Span::seconds(config.events.keep_seconds.into()),
    };
    let mut all = Vec::new();
    for url in &registry.rules().event_destinations {
        let hook = Webhook::new(url, config.events.secret.as_ref())?;
        let label = format!("webhook {}", hook.origin());
        all.push(delivery(url, label, Receiver::Webhook(Box::new(hook))));
    }
    if let (Some(name), Some(path)) = (&registry.rules().audit_destination, config.audit_file()) {
        let label = format!("audit log {}", path.display());
        all.push(delivery(name, label, Receiver::Audit(AuditLog::new(path))));
    }
    Ok(all)
}

impl Delivery {
    /// Delivers until it is told to stop, and then forgets what it has delivered.
    pub async fn run(self, mut stopping: watch::Receiver<bool>) {
        let mut delivered = Vec::new();
        let mut failures = 0;
        while !*stopping.borrow() {
            let pause = match self.step(&mut delivered, failures, &stopping).await {
                Ok(Step::Delivered) => {
                    failures = 0;
                    continue;
                }
                // The next one is tried at once: a pause for each, and they never end.
                Ok(Step::Lost) => continue,
                Ok(Step::Idle) => IDLE,
                Ok(Step::Refused { error, is_first }) => {
                    failures = if is_first { failures + 1 } else { 1 };
                    let pause = self.pause(failures);
                    let (error, again_in) = (format_args!("{error:#}"), pause);
                    tracing::warn!(%error, ?again_in, "{}: not delivered", self.label);
                    pause
                }
                Err(error) => {
                    tracing::error!(error = %format_args!("{error:#}"), "{}", self.label);
                    self.pause(1)
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                // An end of whoever says so is an end too.
                _ = stopping.wait_for(|is_stopping| *is_stopping) => break,
            }
        }
        if let Err(error) = self.forget(&mut delivered).await {
            tracing::error!(%error, "{}: will be told again", self.label);
        }
    }

    /// Delivers one batch. `delivered` is what was delivered and is not forgotten yet: should
    /// forgetting fail, it is tried again before anything is told twice. After the first of
    /// `failures` nothing is dropped yet: a receiver may start together with the server.
    async fn step(
        &self,
        delivered: &mut Vec<i64>,
        failures: u32,
        stopping: &watch::Receiver<bool>,
    ) -> Result<Step> {
        self.forget(delivered).await?;
        // Always from the first that waits: see `ReadEvents::events`.
        let waiting = self.registry.waiting_events(&self.destination, None, BATCH);
        let events = waiting.await?;
        if events.is_empty() {
            return Ok(Step::Idle);
        }
        let (taken, refused) = self.receiver.take(&events, stopping).await;
        delivered.extend(events[..taken].iter().map(|event| event.seq));
        let is_first = taken == 0;
        let lost = match (&refused, events.get(taken)) {
            (Err(_), Some(event)) if is_first && failures > 0 && self.is_too_old(event) => {
                delivered.push(event.seq);
                Some(event)
            }
            _ => None,
        };
        self.forget(delivered).await?;
        let Err(error) = refused else {
            return Ok(Step::Delivered);
        };
        Ok(match lost {
            None => Step::Refused { error, is_first },
            Some(event) => {
                self.tell_of_loss(event, &error);
                Step::Lost
            }
        })
    }

    async fn forget(&self, delivered: &mut Vec<i64>) -> Result<()> {
        if !delivered.is_empty() {
            self.registry.forget_events(delivered.clone()).await?;
            delivered.clear();
        }
        Ok(())
    }

    /// Whether an event is too old to be tried again. Age is no reason to drop one untried: the
    /// server may have been away, or the clock may have jumped.
    fn is_too_old(&self, event: &Event) -> bool {
        let is_webhook = matches!(self.receiver, Receiver::Webhook(_));
        is_webhook && event.at < self.clock.now() - self.keep
    }

    fn tell_of_loss(&self, event: &Event, error: &anyhow::Error) {
        let kept = self.keep.0 / Span::seconds(1).0;
        tracing::warn!(
            error = %format_args!("{error:#}"),
            dropped = 1,
            "{}: an event of {} waited for more than {kept} s and is lost to it",
            self.label,
            event.at.rfc3339(),
        );
    }

    /// Half of the time is chance, so that workers which failed together do not try together.
    /// `failures`: one after another, with this one.
    fn pause(&self, failures: u32) -> Duration {
        let longest = longest_pause(failures);
        let mut chance = [0; 4];
        self.registry.ids().fill(&mut chance);
        let part = f64::from(u32::from_le_bytes(chance)) / f64::from(u32::MAX);
        longest.mul_f64(0.5 + part / 2.0)
    }
}

async fn stopped_for_a_while(mut stopping: watch::Receiver<bool>) {
    // An end of whoever says so is an end too.
    let _ = stopping.wait_for(|is_stopping| *is_stopping).await;
    tokio::time::sleep(LAST_ANSWER).await;
}

fn longest_pause(failures: u32) -> Duration {
    let doubled = PAUSE_FIRST.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)));
    doubled.min(PAUSE_MAX)
}

async fn drop_all(registry: &Registry, destination: &str, before: Timestamp) -> Result<u64> {
    let mut total = 0;
    loop {
        let dropped = registry
            .drop_events(destination, before, DROP_BATCH)
            .await?;
        total += dropped;
        if dropped < DROP_BATCH as u64 {
            return Ok(total);
        }
    }
}

/// Forgets what waits for destinations that are not configured any more.
pub async fn drop_strangers(registry: &Registry) -> Result<()> {
    let rules = registry.rules();
    let configured = rules
        .event_destinations
        .iter()
        .chain(&rules.audit_destination);
    let configured: Vec<&String> = configured.collect();
    for destination in registry.event_destinations().await? {
        if configured.contains(&&destination) {
            continue;
        }
        let dropped = drop_all(registry, &destination, Timestamp(i64::MAX)).await?;
        let label = webhook::origin_of(&destination);
        tracing::warn!(
            dropped,
            "{label} is not configured any more: its events are dropped"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_from_two_seconds_to_five_minutes() {
        let seconds = |failures| longest_pause(failures).as_secs();
        let pauses: Vec<u64> = [1, 2, 3, 4, 8, 9, 40, u32::MAX].map(seconds).to_vec();
        assert_eq!(pauses, [2, 4, 8, 16, 256, 300, 300, 300]);
    }
}
