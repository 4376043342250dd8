//! Deployments of a service: versions, states, and how many are kept.
//!
//! One at most is ACTIVE and one at most ACTIVATING; only those two protect the images that they
//! use. [`super::service`] moves them from state to state.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::limits::DEPLOYMENTS_KEPT_MAX;
use super::names::RegisteredImage;
use super::spec::{DeploymentSpec, Pins};
use crate::time::Timestamp;

/// The number of a deployment: 1, 2, 3 and so on per service, failed ones included, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeploymentVersion(pub u64);

impl DeploymentVersion {
    /// The first of a service.
    pub const FIRST: Self = Self(1);

    /// The one after this.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// `ContainerServiceDeploymentState`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeploymentState {
    /// Being started; the deployment before it still serves.
    Activating,
    /// The one that serves.
    Active,
    /// Served until a later one took over.
    Inactive,
    /// Never served.
    Failed,
}

impl DeploymentState {
    /// Every state, in model order.
    pub const ALL: [Self; 4] = [Self::Activating, Self::Active, Self::Inactive, Self::Failed];

    /// The wire name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Activating => "ACTIVATING",
            Self::Active => "ACTIVE",
            Self::Inactive => "INACTIVE",
            Self::Failed => "FAILED",
        }
    }

    /// Whether the service still needs the deployment: its images and its row stay.
    pub fn is_live(self) -> bool {
        matches!(self, Self::Activating | Self::Active)
    }
}

/// One deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// Its number.
    pub version: DeploymentVersion,
    /// Its state.
    pub state: DeploymentState,
    /// What it runs, as asked for.
    pub spec: DeploymentSpec,
    /// The registered images that it stood for when it was made.
    pub pins: Pins,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it was replaced or failed.
    pub finished_at: Option<Timestamp>,
}

impl Deployment {
    /// Whether `image` must not be deleted because of this deployment.
    pub fn protects(&self, image: &RegisteredImage) -> bool {
        self.state.is_live() && self.pins.values().any(|pin| pin.image == *image)
    }

    /// This deployment in its last state.
    #[must_use]
    pub(super) fn finished(mut self, state: DeploymentState, now: Timestamp) -> Self {
        self.state = state;
        self.finished_at = Some(now);
        self
    }
}

/// Orders deployments as GetContainerServiceDeployments lists them: the newest first.
pub fn sort_newest_first(deployments: &mut [Deployment]) {
    deployments.sort_by_key(|deployment| Reverse(deployment.version));
}

/// The deployments that are no longer kept: all but the newest 50, where the live ones are always
/// among the 50.
pub fn superseded(
    deployments: &[(DeploymentVersion, DeploymentState)],
) -> BTreeSet<DeploymentVersion> {
    let mut by_worth = deployments.to_vec();
    by_worth.sort_by_key(|(version, state)| Reverse((state.is_live(), *version)));
    by_worth
        .into_iter()
        .skip(DEPLOYMENTS_KEPT_MAX)
        .filter(|(_, state)| !state.is_live())
        .map(|(version, _)| version)
        .collect()
}
