//! What the callers of the port and the actor of a service tell each other. Never waits.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use roadstead_domain::lightsail::deployment::DeploymentVersion;
use roadstead_domain::lightsail::service::{Failure, Report};
use roadstead_domain::lightsail::state::StateDetailCode;
use roadstead_registry::containers::runtime::{Upstream, WantedService};
use tokio::sync::Notify;

use crate::locked;
use crate::routes::Routes;

#[derive(Default)]
struct State {
    wanted: Option<WantedService>,
    reports: BTreeMap<DeploymentVersion, Report>,
    is_gone: bool,
}

/// Of one service.
#[derive(Default)]
pub struct Status {
    state: Mutex<State>,
    /// Its nodes.
    pub routes: Routes,
    /// Rung when there is something to look at.
    pub bell: Arc<Notify>,
}

impl Status {
    /// Replaces what is wanted. Requests go to the deployment that serves from this instant on.
    pub fn want(&self, wanted: WantedService) {
        let mut state = locked(&self.state);
        if state.wanted.as_ref() == Some(&wanted) {
            return;
        }
        let is_wanted = |version: &DeploymentVersion| {
            let mut versions = wanted.deployments.iter().map(|one| one.version);
            versions.any(|one| one == *version)
        };
        state.reports.retain(|version, _| is_wanted(version));
        state.is_gone = false;
        state.wanted = Some(wanted);
        drop(state);
        self.bell.notify_one();
    }

    /// What is wanted; none after a start until it is said.
    pub fn wanted(&self) -> Option<WantedService> {
        locked(&self.state).wanted.clone()
    }

    /// How far a deployment is. One that is not decided fails with an engine that `is_lost`.
    pub fn report(&self, version: DeploymentVersion, is_lost: bool) -> Report {
        let report = locked(&self.state).reports.get(&version).copied();
        let report = report.unwrap_or(Report::Working(StateDetailCode::CreatingDeployment));
        match report {
            Report::Working(_) if is_lost => Report::Failed(Failure::RuntimeUnreachable),
            Report::Working(_) | Report::Healthy | Report::Failed(_) | Report::NoRuntime(_) => {
                report
            }
        }
    }

    /// Tells how far the deployments are, as seen for what was `wanted` then.
    pub fn tell(&self, wanted: &WantedService, reports: BTreeMap<DeploymentVersion, Report>) {
        let mut state = locked(&self.state);
        if state.wanted.as_ref() == Some(wanted) {
            state.reports = reports;
        }
    }

    /// Tells that nothing is left, as seen for what was `wanted` then.
    pub fn tell_gone(&self, wanted: Option<&WantedService>) {
        let mut state = locked(&self.state);
        if state.wanted.as_ref() == wanted {
            state.is_gone = true;
        }
    }

    /// Whether nothing is left.
    pub fn is_gone(&self) -> bool {
        locked(&self.state).is_gone
    }

    /// A healthy node of the deployment that serves.
    pub fn upstream(&self) -> Option<Upstream> {
        let serving = {
            let state = locked(&self.state);
            let deployments = &state.wanted.as_ref()?.deployments;
            deployments.iter().find(|one| one.is_serving)?.version
        };
        self.routes.pick(serving)
    }
}
