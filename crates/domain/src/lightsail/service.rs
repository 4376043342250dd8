//! A container service and everything that changes its state.
//!
//! Each change is asked of the present value and answers the next one, with the deployments that
//! it finishes and what has to be done outside. Calls only start a change; [`Service::advance`]
//! ends it, never before the dwell is over, so that a client sees the state in between.

mod advance;

pub use advance::{Advance, Failure, RecordedEnd, Report};

use super::deployment::{Deployment, DeploymentState, DeploymentVersion};
use super::domain_names::PublicDomainNames;
use super::limits::SERVICES_MAX;
use super::log_lines::{Happening, SystemLine};
use super::names::ServiceName;
use super::power::{Power, Scale};
use super::refusal::Refusal;
use super::registry_access::RegistryAccess;
use super::spec::{DeploymentSpec, Pins};
use super::state::{ServiceState, StateDetailCode};
use crate::time::{Span, Timestamp};

/// A container service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Its name, unique in the account and region.
    pub name: ServiceName,
    /// The size of its nodes.
    pub power: Power,
    /// How many nodes it has.
    pub scale: Scale,
    /// Whether it is switched off.
    pub is_disabled: bool,
    /// Its state.
    pub state: ServiceState,
    /// What goes on in a state that passes.
    pub detail: Option<StateDetailCode>,
    /// Since when it is in this state.
    pub since: Timestamp,
    /// The ACTIVE deployment.
    pub current: Option<Deployment>,
    /// The ACTIVATING deployment.
    pub next: Option<Deployment>,
    /// The number that its next deployment gets.
    pub next_version: DeploymentVersion,
    /// The domains that it answers to.
    pub domain_names: PublicDomainNames,
    /// Its access to private repositories.
    pub registry_access: RegistryAccess,
}

/// What CreateContainerService asks for, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewService {
    /// Its name.
    pub name: ServiceName,
    /// The size of its nodes.
    pub power: Power,
    /// How many nodes it has.
    pub scale: Scale,
    /// The domains that it answers to.
    pub domain_names: PublicDomainNames,
    /// Its access to private repositories.
    pub registry_access: RegistryAccess,
    /// What it runs first.
    pub deployment: Option<(DeploymentSpec, Pins)>,
}

/// What UpdateContainerService asks for, checked; what is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceUpdate {
    /// The new size of nodes.
    pub power: Option<Power>,
    /// The new number of nodes.
    pub scale: Option<Scale>,
    /// Whether to switch it off or on.
    pub is_disabled: Option<bool>,
    /// The domains after the update.
    pub domain_names: Option<PublicDomainNames>,
    /// The access after the update.
    pub registry_access: Option<RegistryAccess>,
}

/// Something to do outside once a change is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Start nodes for this deployment.
    Start(DeploymentVersion),
    /// Replace the nodes of this deployment by nodes of the new power and scale.
    Restart(DeploymentVersion),
    /// Stop the nodes of this deployment.
    Stop(DeploymentVersion),
    /// Write this line into the log of each of its containers.
    Log(SystemLine),
}

impl Effect {
    fn log(deployment: DeploymentVersion, happening: Happening) -> Self {
        Self::Log(SystemLine {
            deployment,
            happening,
        })
    }
}

/// The outcome of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// The service afterwards.
    pub service: Service,
    /// Deployments that are neither current nor next any more, in their last state.
    pub finished: Vec<Deployment>,
    /// What to do outside, in order.
    pub effects: Vec<Effect>,
}

/// Checks whether a service may be created beside the `services` that the account has in the
/// region.
pub fn check_creation(
    name: &ServiceName,
    is_name_taken: bool,
    services: usize,
) -> Result<(), Refusal> {
    if is_name_taken {
        return Err(Refusal::NameInUse(name.clone()));
    }
    if services >= SERVICES_MAX {
        return Err(Refusal::TooManyServices);
    }
    Ok(())
}

/// Checks whether CreateContainerServiceRegistryLogin may answer: only beside a service.
pub fn check_registry_login(services: usize) -> Result<(), Refusal> {
    if services == 0 {
        return Err(Refusal::NoServiceForLogin);
    }
    Ok(())
}

impl Service {
    /// A new service, PENDING. Its first deployment waits in `next` until the service is there.
    pub fn create(new: NewService, now: Timestamp) -> Self {
        let mut service = Self {
            name: new.name,
            power: new.power,
            scale: new.scale,
            is_disabled: false,
            state: ServiceState::Pending,
            detail: None,
            since: now,
            current: None,
            next: None,
            next_version: DeploymentVersion::FIRST,
            domain_names: new.domain_names,
            registry_access: new.registry_access,
        };
        if let Some((spec, pins)) = new.deployment {
            service.add_deployment(spec, pins, now);
        }
        service
    }

    /// Starts a deployment. Refused while the service is disabled, being deleted or changing.
    pub fn deploy(
        &self,
        spec: DeploymentSpec,
        pins: Pins,
        now: Timestamp,
    ) -> Result<Changed, Refusal> {
        if self.is_disabled && self.state != ServiceState::Deleting {
            return Err(Refusal::Disabled(self.name.clone()));
        }
        self.check_changeable()?;
        let mut service = self.clone();
        let version = service.add_deployment(spec, pins, now);
        service.begin_deploying(now);
        Ok(Changed {
            service,
            finished: Vec::new(),
            effects: start(version),
        })
    }

    /// Starts an update; one that changes nothing passes through UPDATING as well. Switching off
    /// stops the nodes and keeps the deployment; a new capacity restarts it under its number.
    pub fn update(&self, update: ServiceUpdate, now: Timestamp) -> Result<Changed, Refusal> {
        self.check_changeable()?;
        let mut service = self.clone();
        service.power = update.power.unwrap_or(self.power);
        service.scale = update.scale.unwrap_or(self.scale);
        service.is_disabled = update.is_disabled.unwrap_or(self.is_disabled);
        if let Some(domain_names) = update.domain_names {
            service.domain_names = domain_names;
        }
        if let Some(registry_access) = update.registry_access {
            service.registry_access = registry_access;
        }
        service.enter(
            ServiceState::Updating,
            Some(StateDetailCode::ProvisioningService),
            now,
        );
        let is_resized = (service.power, service.scale) != (self.power, self.scale);
        let version = self.current.as_ref().map(|current| current.version);
        let effect = match (version, self.is_disabled, service.is_disabled) {
            (Some(version), false, true) => Some(Effect::Stop(version)),
            (Some(version), true, false) => Some(Effect::Start(version)),
            (Some(version), false, false) if is_resized => Some(Effect::Restart(version)),
            _ => None,
        };
        Ok(Changed {
            service,
            finished: Vec::new(),
            effects: effect.into_iter().collect(),
        })
    }

    /// Starts the deletion, from any state; one that is under way goes on.
    pub fn delete(&self, now: Timestamp) -> Changed {
        let mut service = self.clone();
        let mut effects = Vec::new();
        if self.state != ServiceState::Deleting {
            service.enter(ServiceState::Deleting, None, now);
            let live = [&self.current, &self.next].into_iter().flatten();
            effects.extend(live.map(|deployment| Effect::Stop(deployment.version)));
        }
        Changed {
            service,
            finished: Vec::new(),
            effects,
        }
    }

    /// When [`Service::advance`] may have something to do: never in a state that lasts.
    pub fn due_at(&self, dwell: Span) -> Option<Timestamp> {
        self.state.is_passing().then(|| self.since + dwell)
    }

    /// Whether `principalArn` is shown: not before the service is there.
    pub fn has_principal(&self) -> bool {
        self.state != ServiceState::Pending
    }

    fn check_changeable(&self) -> Result<(), Refusal> {
        let service = self.name.clone();
        match (self.state, &self.next) {
            (ServiceState::Deleting, _) => Err(Refusal::BeingDeleted(service)),
            (_, Some(next)) => Err(Refusal::DeploymentInProgress {
                service,
                deployment: next.version,
            }),
            (state, None) if state.is_passing() => Err(Refusal::Busy { service, state }),
            _ => Ok(()),
        }
    }

    fn add_deployment(
        &mut self,
        spec: DeploymentSpec,
        pins: Pins,
        now: Timestamp,
    ) -> DeploymentVersion {
        let version = self.next_version;
        self.next_version = version.next();
        self.next = Some(Deployment {
            version,
            state: DeploymentState::Activating,
            spec,
            pins,
            created_at: now,
            finished_at: None,
        });
        version
    }

    fn begin_deploying(&mut self, now: Timestamp) {
        self.enter(
            ServiceState::Deploying,
            Some(StateDetailCode::CreatingDeployment),
            now,
        );
    }

    fn enter(&mut self, state: ServiceState, detail: Option<StateDetailCode>, now: Timestamp) {
        self.state = state;
        self.detail = detail;
        self.since = now;
    }
}

fn start(version: DeploymentVersion) -> Vec<Effect> {
    vec![
        Effect::log(version, Happening::Creating),
        Effect::Start(version),
    ]
}
