//! How the states that pass come to their end: the part of the machine that a worker drives.
//!
//! Advancing is idempotent: what it answers depends on the stored value, the clock and what the
//! container runtime reports, so a worker may stop anywhere and begin again.

use super::{Changed, Effect, Service, start};
use crate::lightsail::deployment::{Deployment, DeploymentState};
use crate::lightsail::limits::DEPLOYMENT_SECS_MAX;
use crate::lightsail::log_lines::Happening;
use crate::lightsail::state::{ServiceState, StateDetailCode};
use crate::time::{Span, Timestamp};

/// What the container runtime says about the deployment in progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// Not decided yet, and how far it is.
    Working(StateDetailCode),
    /// All nodes are healthy.
    Healthy,
    /// It cannot be activated.
    Failed(Failure),
    /// There is no runtime; a setting says how its deployments end.
    NoRuntime(RecordedEnd),
}

/// Why a deployment failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// Not healthy in time, or its containers ended.
    TookTooLong,
    /// Given up.
    Canceled,
    /// The configured runtime does not answer.
    RuntimeUnreachable,
}

/// How deployments end that nothing runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RecordedEnd {
    /// ACTIVE, so that clients that wait for it go on.
    #[default]
    Active,
    /// FAILED.
    Failed,
}

/// What became of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Advance {
    /// Nothing to do now.
    Unchanged,
    /// Store this.
    Changed(Box<Changed>),
    /// Remove the service with its deployments, registered images, counters and log.
    Gone,
}

impl Service {
    /// Ends a state that passes, once it lasted for `dwell`. `report` counts in DEPLOYING only;
    /// a deployment that is not decided stays and its detail moves forward, until it took
    /// [`DEPLOYMENT_SECS_MAX`].
    pub fn advance(&self, now: Timestamp, dwell: Span, report: Report) -> Advance {
        let is_over = self.due_at(dwell).is_some_and(|due| due <= now);
        match (self.state, &self.next) {
            (ServiceState::Deploying, Some(next)) => match report {
                Report::Working(_) if now >= self.since + Span::seconds(DEPLOYMENT_SECS_MAX) => {
                    self.give_up(next, now, Happening::TookTooLong)
                }
                Report::Working(code) => self.note_progress(code),
                _ if !is_over => Advance::Unchanged,
                Report::Healthy => self.activate(next, now, healthy_lines(self, next)),
                Report::NoRuntime(RecordedEnd::Active) => {
                    let line = Effect::log(next.version, Happening::RecordedOnly);
                    self.activate(next, now, vec![line])
                }
                Report::NoRuntime(RecordedEnd::Failed) => {
                    self.give_up(next, now, Happening::RecordedOnly)
                }
                Report::Failed(failure) => self.give_up(next, now, failure.happening()),
            },
            _ if !is_over => Advance::Unchanged,
            (ServiceState::Deleting, _) => Advance::Gone,
            (ServiceState::Pending, Some(next)) => {
                let mut service = self.clone();
                service.begin_deploying(now);
                changed(service, None, start(next.version))
            }
            _ => changed(self.settled(now), None, Vec::new()),
        }
    }

    fn note_progress(&self, code: StateDetailCode) -> Advance {
        if code.is_failure() || self.detail >= Some(code) {
            return Advance::Unchanged;
        }
        let mut service = self.clone();
        service.detail = Some(code);
        changed(service, None, Vec::new())
    }

    /// The new deployment takes over; only now does the old one end.
    fn activate(&self, next: &Deployment, now: Timestamp, mut effects: Vec<Effect>) -> Advance {
        let mut service = self.clone();
        service.next = None;
        let mut active = next.clone();
        active.state = DeploymentState::Active;
        let replaced = service.current.replace(active);
        if let Some(old) = &replaced {
            effects.push(Effect::log(old.version, Happening::Finalizing));
            effects.push(Effect::Stop(old.version));
        }
        let replaced = replaced.map(|old| old.finished(DeploymentState::Inactive, now));
        changed(service.settled(now), replaced, effects)
    }

    /// The new deployment ends; the old one serves on.
    fn give_up(&self, next: &Deployment, now: Timestamp, happening: Happening) -> Advance {
        let mut service = self.clone();
        service.next = None;
        let effects = vec![
            Effect::log(next.version, happening),
            Effect::Stop(next.version),
        ];
        let failed = next.clone().finished(DeploymentState::Failed, now);
        changed(service.settled(now), Some(failed), effects)
    }

    /// The service in the lasting state that its switch and its deployment ask for.
    fn settled(&self, now: Timestamp) -> Self {
        let state = match (self.is_disabled, &self.current) {
            (true, _) => ServiceState::Disabled,
            (false, Some(_)) => ServiceState::Running,
            (false, None) => ServiceState::Ready,
        };
        let mut service = self.clone();
        service.enter(state, None, now);
        service
    }
}

impl Failure {
    fn happening(self) -> Happening {
        match self {
            Self::TookTooLong => Happening::TookTooLong,
            Self::Canceled => Happening::Canceled,
            Self::RuntimeUnreachable => Happening::RuntimeUnreachable,
        }
    }
}

fn healthy_lines(service: &Service, next: &Deployment) -> Vec<Effect> {
    let nodes = Happening::StartedNodes(service.scale.nodes());
    vec![
        Effect::log(next.version, nodes),
        Effect::log(next.version, Happening::ReachedSteadyState),
    ]
}

fn changed(service: Service, finished: Option<Deployment>, effects: Vec<Effect>) -> Advance {
    Advance::Changed(Box::new(Changed {
        service,
        finished: finished.into_iter().collect(),
        effects,
    }))
}
