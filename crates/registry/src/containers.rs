//! Amazon Lightsail container services: their images, deployments, and what runs them.
//!
//! Each call loads, asks `domain::lightsail`, and stores in one transaction; what takes time is left
//! to [`advance`]. What should run is told to the runtime after the commit, and again whenever it
//! is asked how far it is, so that nothing is lost where a process ends in between.

pub mod advance;
pub mod deployments;
pub mod images;
pub mod logs;
pub mod metrics;
pub mod pulls;
pub mod records;
pub mod runtime;
pub mod services;
pub mod tags;

mod changes;

use std::sync::{Arc, Mutex, OnceLock};

use roadstead_domain::ids::{ContainerServiceId, Region};
use roadstead_domain::lightsail::addresses::AddressPart;
use roadstead_domain::lightsail::names::ServiceName;
use roadstead_domain::lightsail::refusal::Refusal;
use roadstead_domain::lightsail::service::Service;
use roadstead_domain::lightsail::state::ServiceState;
use roadstead_store::metadata::MetadataRead;

pub use roadstead_store::metadata::{ContainerPlace, StoredService};

use crate::Registry;
use crate::access::containers::ContainerServiceKey;
use crate::error::Error;
use records::Unwritten;
use runtime::{ContainerRuntime, WantedDeployment, WantedService};

/// A container service with what all services of its account and region share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerService {
    /// The service.
    pub stored: StoredService,
    /// Where it is.
    pub place: ContainerPlace,
}

/// What the registry keeps in memory of container services.
#[derive(Default)]
pub(crate) struct Containers {
    runtime: OnceLock<Arc<dyn ContainerRuntime>>,
    /// Rung when a call starts a change.
    bell: tokio::sync::Notify,
    /// What the runtime gave and could not be stored yet.
    unwritten: Mutex<Unwritten>,
}

impl Registry {
    /// Says what runs the containers of deployments, once, before anything is asked. Without it
    /// deployments are recorded only. False if it was said before.
    pub fn set_runtime(&self, runtime: Arc<dyn ContainerRuntime>) -> bool {
        self.containers.runtime.set(runtime).is_ok()
    }

    /// What runs the containers of deployments.
    pub fn runtime(&self) -> Option<&Arc<dyn ContainerRuntime>> {
        self.containers.runtime.get()
    }

    /// Waits until a call starts a change of a container service.
    pub async fn containers_asked(&self) {
        self.containers.bell.notified().await;
    }

    /// The service behind the host `<name>.<part>.<region>.<any domain>`; none if there is none, or
    /// if it has no active deployment with a public endpoint.
    pub async fn container_endpoint(
        &self,
        name: &ServiceName,
        part: &AddressPart,
        region: &Region,
    ) -> Result<Option<ContainerServiceId>, Error> {
        let input = (name.clone(), part.clone(), region.clone());
        self.metadata
            .read(input, |tx, (name, part, region)| {
                Box::pin(async move {
                    let place = tx.container_place_at(part).await?;
                    let Some(place) = place.filter(|place| place.region == *region) else {
                        return Ok(None);
                    };
                    let found = tx.container_service(&place.account, region, name).await?;
                    let found = found.filter(|found| has_endpoint(&found.service));
                    Ok(found.map(|found| found.id))
                })
            })
            .await
    }

    /// Tells the runtime and the worker of a change that is stored.
    fn container_service_changed(&self, stored: &StoredService) {
        if let Some(runtime) = self.runtime() {
            runtime.want(wanted(stored));
        }
        self.containers.bell.notify_one();
    }
}

fn has_endpoint(service: &Service) -> bool {
    let current = service.current.as_ref();
    service.state != ServiceState::Deleting
        && current.is_some_and(|current| current.spec.public_endpoint.is_some())
}

/// What should run of a service: its active deployment and the one that is to become healthy,
/// unless it is switched off or being deleted.
pub(crate) fn wanted(stored: &StoredService) -> WantedService {
    let service = &stored.service;
    let is_on = !service.is_disabled && service.state != ServiceState::Deleting;
    let is_deploying = service.state == ServiceState::Deploying;
    let live = [
        (service.current.as_ref().filter(|_| is_on), true),
        (service.next.as_ref().filter(|_| is_deploying), false),
    ];
    let deployments = live.into_iter().filter_map(|(deployment, is_serving)| {
        let deployment = deployment?;
        Some(WantedDeployment {
            version: deployment.version,
            is_serving,
            spec: deployment.spec.clone(),
            pins: deployment.pins.clone(),
        })
    });
    WantedService {
        id: stored.id.clone(),
        account: stored.account.clone(),
        region: stored.region.clone(),
        name: service.name.clone(),
        power: service.power,
        scale: service.scale,
        puller: service.registry_access.role.clone(),
        deployments: deployments.collect(),
    }
}

/// The service, or `NotFoundException`.
async fn loaded<R>(tx: &mut R, key: &ContainerServiceKey) -> Result<StoredService, Error>
where
    R: MetadataRead + ?Sized,
{
    let ContainerServiceKey { place, name } = key;
    let found = tx
        .container_service(&place.account, &place.region, name)
        .await?;
    found.ok_or_else(|| Refusal::ServiceNotFound(name.clone()).into())
}

/// A service with its place, which it never lacks.
async fn placed<R>(tx: &mut R, stored: StoredService) -> Result<ContainerService, Error>
where
    R: MetadataRead + ?Sized,
{
    let place = tx.container_place(&stored.account, &stored.region).await?;
    let missing =
        || roadstead_store::metadata::StoreError::Corrupt("a service without place".into());
    Ok(ContainerService {
        place: place.ok_or_else(missing)?,
        stored,
    })
}
