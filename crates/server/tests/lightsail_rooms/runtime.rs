//! A runtime that does what a test says.

use std::sync::{Arc, Mutex};

use roadstead_domain::ids::ContainerServiceId;
use roadstead_domain::lightsail::deployment::DeploymentVersion;
use roadstead_domain::lightsail::names::ContainerName;
use roadstead_domain::lightsail::service::Report;
use roadstead_domain::lightsail::state::StateDetailCode;
use roadstead_domain::time::Timestamp;
use roadstead_registry::containers::runtime::{
    ContainerLine, ContainerRuntime, NodeUsage, Upstream, WantedService,
};

use crate::room::Room;

/// What the runtime was told and has to say.
pub struct Said {
    pub wanted: Vec<WantedService>,
    pub report: Report,
    pub is_gone: bool,
    pub lines: Vec<ContainerLine>,
    pub usage: Vec<NodeUsage>,
}

/// The runtime.
pub struct Puppet(pub Mutex<Said>);

impl Puppet {
    /// A runtime of a room; deployments are on their way.
    pub fn of(room: &Room) -> Arc<Self> {
        let puppet = Arc::new(Self(Mutex::new(Said {
            wanted: Vec::new(),
            report: Report::Working(StateDetailCode::CreatingDeployment),
            is_gone: false,
            lines: Vec::new(),
            usage: Vec::new(),
        })));
        assert!(room.world.registry.set_runtime(puppet.clone()));
        puppet
    }

    /// What it was told last of a service.
    pub fn wanted(&self) -> WantedService {
        let said = self.0.lock().expect("a lock");
        said.wanted.last().expect("something").clone()
    }

    /// The deployments that should run, with whether they serve.
    pub fn running(&self) -> Vec<(u64, bool)> {
        let wanted = self.wanted().deployments;
        let running = wanted.iter().map(|one| (one.version.0, one.is_serving));
        running.collect()
    }

    /// A line of the container `app`.
    pub fn write(&self, at: Timestamp, message: &str) {
        let service = self.wanted().id;
        self.0.lock().expect("a lock").lines.push(ContainerLine {
            service,
            version: DeploymentVersion(1),
            container: ContainerName::parse("app").expect("a name"),
            at,
            message: message.into(),
        });
    }

    /// Sets what it reports.
    pub fn report(&self, report: Report) {
        self.0.lock().expect("a lock").report = report;
    }
}

impl ContainerRuntime for Puppet {
    fn want(&self, wanted: WantedService) {
        self.0.lock().expect("a lock").wanted.push(wanted);
    }

    fn report(&self, _: &ContainerServiceId, _: DeploymentVersion) -> Report {
        self.0.lock().expect("a lock").report
    }

    fn is_gone(&self, _: &ContainerServiceId) -> bool {
        self.0.lock().expect("a lock").is_gone
    }

    fn take_lines(&self) -> Vec<ContainerLine> {
        std::mem::take(&mut self.0.lock().expect("a lock").lines)
    }

    fn take_usage(&self) -> Vec<NodeUsage> {
        std::mem::take(&mut self.0.lock().expect("a lock").usage)
    }

    fn upstream(&self, _: &ContainerServiceId) -> Option<Upstream> {
        None
    }
}
