//! What an actor remembers: of each deployment, each node and each container. Lost with the
//! process, and then made again from what the engine has.

use std::net::SocketAddr;
use std::sync::Arc;

use roadstead_domain::time::{Span, Timestamp};

use crate::Ending;
use crate::images::{Prepared, Unprepared};
use crate::limits::Limits;
use crate::plan::Phase;
use crate::routes::Health;

/// The longest pause between attempts.
const PAUSE_SECS_MAX: i64 = 60;
/// Who ran for so long begins again with the shortest pause.
const FORGIVEN_AFTER: Span = Span::seconds(60);

/// Pauses that double: 0, 1, 3, 7 seconds and so on, up to a minute.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: u32,
    not_before: Option<Timestamp>,
}

impl Backoff {
    /// Notes a failure.
    pub fn fail(&mut self, now: Timestamp) {
        let pause = 2_i64.saturating_pow(self.failures) - 1;
        self.not_before = Some(now + Span::seconds(pause.min(PAUSE_SECS_MAX)));
        self.failures = self.failures.saturating_add(1);
    }

    /// Notes the failure of something that ran since an instant.
    pub fn fail_after(&mut self, since: Timestamp, now: Timestamp) {
        if since + FORGIVEN_AFTER <= now {
            self.failures = 0;
        }
        self.fail(now);
    }

    /// Whether it is time to try again.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.not_before.is_none_or(|at| at <= now)
    }
}

/// The images of a deployment.
#[derive(Default)]
pub enum Images {
    /// To be got when they are needed.
    #[default]
    Unknown,
    /// On their way.
    Preparing(Ending<Result<Prepared, Unprepared>>),
    /// At hand.
    Ready(Prepared),
}

impl Images {
    /// The task that gets them, if it is done.
    pub fn take_finished(&mut self) -> Option<Ending<Result<Prepared, Unprepared>>> {
        let is_done = matches!(self, Self::Preparing(task) if task.0.is_finished());
        match is_done.then(|| std::mem::take(self))? {
            Self::Preparing(task) => Some(task),
            Self::Unknown | Self::Ready(_) => None,
        }
    }
}

/// A deployment.
#[derive(Default)]
pub struct Deployment {
    /// Its images.
    pub images: Images,
    /// When to try again to get them.
    pub images_retry: Backoff,
    /// All its nodes were healthy at once, or it serves.
    pub is_settled: bool,
    /// It cannot become healthy.
    pub has_failed: bool,
}

impl Deployment {
    /// How it stands.
    pub fn phase(&self) -> Phase {
        match (self.has_failed, self.is_settled) {
            (true, _) => Phase::Failed,
            (false, true) => Phase::Settled,
            (false, false) => Phase::Activating,
        }
    }
}

/// A node.
#[derive(Default)]
pub struct Node {
    /// Whether it may get requests.
    pub health: Arc<Health>,
    /// Who finds that out, and at which address.
    pub watcher: Option<(Option<SocketAddr>, Ending<()>)>,
}

impl Node {
    /// Nobody asks it any more, and it gets no requests until somebody does.
    pub fn rest(&mut self) {
        self.watcher = None;
        self.health.set(false);
    }
}

/// A container.
pub struct Contained {
    /// What it was last allowed to use; unknown after a restart.
    pub limits: Option<Limits>,
    /// When to start it again.
    pub restart: Backoff,
    /// Since when it runs, as far as is known.
    pub since: Timestamp,
    /// Its end was told in its log.
    pub is_end_told: bool,
    /// Who reads its log; none if it was read to its end.
    pub follower: Option<Ending<()>>,
    /// It was read since it was last started.
    pub was_followed: bool,
}

impl Contained {
    /// One that was not seen before `now`.
    pub fn new(now: Timestamp) -> Self {
        Self {
            limits: None,
            restart: Backoff::default(),
            since: now,
            is_end_told: false,
            follower: None,
            was_followed: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_minute() {
        let mut backoff = Backoff::default();
        let begun = Timestamp::from_seconds(1_000);
        assert!(backoff.is_over(begun));
        for seconds in [0, 1, 3, 7, 15, 31, 60, 60] {
            backoff.fail(begun);
            let over = begun + Span::seconds(seconds);
            assert!(backoff.is_over(over), "{seconds}");
            assert!(!backoff.is_over(over - Span(1)), "{seconds}");
        }
        backoff.fail_after(begun, begun + Span::seconds(60));
        assert!(backoff.is_over(begun + Span::seconds(60)));
    }
}
