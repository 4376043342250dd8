//! The part of the port that Lightsail container services use: rows, questions and changes.
//!
//! A service is stored as the domain has it; its images are names for digests of an ordinary
//! repository, the one of its account and region.

use async_trait::async_trait;
use roadstead_domain::digest::Digest;
use roadstead_domain::ids::{AccountId, ContainerServiceId, Region, RepositoryId};
use roadstead_domain::lightsail::addresses::{AddressPart, RoleId};
use roadstead_domain::lightsail::deployment::{Deployment, DeploymentState, DeploymentVersion};
use roadstead_domain::lightsail::images::StoredImage;
use roadstead_domain::lightsail::log_pages::{LogEvent, LogPosition};
use roadstead_domain::lightsail::names::{ContainerName, ImageLabel, RegisteredImage, ServiceName};
use roadstead_domain::lightsail::service::Service;
use roadstead_domain::lightsail::tags::ServiceTags;
use roadstead_domain::lightsail::versions::Counters;
use roadstead_domain::time::Timestamp;

use super::{Repository, StoreError};

/// What an account has in a region once it had a container service there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerPlace {
    /// The account.
    pub account: AccountId,
    /// The region.
    pub region: Region,
    /// Tells the default domains of its services from those of others.
    pub address_part: AddressPart,
    /// The account to which the roles of its services belong.
    pub lightsail: AccountId,
}

/// A container service as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredService {
    /// Its id.
    pub id: ContainerServiceId,
    /// The account that owns it.
    pub account: AccountId,
    /// Its region.
    pub region: Region,
    /// `createdAt`.
    pub created_at: Timestamp,
    /// Everything that changes by its rules, with its live deployments.
    pub service: Service,
    /// Its tags.
    pub tags: ServiceTags,
    /// The role that its containers have.
    pub role: RoleId,
}

impl StoredService {
    /// What images are stored under.
    pub fn key(&self) -> ServiceKey {
        ServiceKey {
            id: self.id.clone(),
            name: self.service.name.clone(),
        }
    }
}

/// A service as its images need it: they are named after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceKey {
    /// Its id.
    pub id: ContainerServiceId,
    /// Its name.
    pub name: ServiceName,
}

/// Where a listing of passing services goes on: by the time since when, then by id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassingCursor {
    /// `since` of the last service seen.
    pub since: Timestamp,
    /// Its id.
    pub id: ContainerServiceId,
}

/// A manifest that was pushed and waits to be registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingPush {
    /// Where it was pushed to.
    pub repository: Repository,
    /// The manifest.
    pub digest: Digest,
    /// Until when it waits.
    pub expires_at: Timestamp,
}

/// A line for the log of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLogLine {
    /// Of which service. A line of one that is gone is dropped.
    pub service: ContainerServiceId,
    /// Of which container.
    pub container: ContainerName,
    /// The line.
    pub event: LogEvent,
}

/// What a node used at an instant.
#[derive(Debug, Clone, PartialEq)]
pub struct UsageSample {
    /// Of which service. A sample of one that is gone is dropped.
    pub service: ContainerServiceId,
    /// When.
    pub at: Timestamp,
    /// Tells samples of one instant apart.
    pub sequence: u64,
    /// Of which deployment.
    pub version: DeploymentVersion,
    /// Percent of the processors, kept to a millionth.
    pub cpu_percent: f64,
    /// Percent of the memory, kept to a millionth.
    pub memory_percent: f64,
}

/// Container services and what belongs to them.
#[async_trait]
pub trait ReadContainers {
    /// The place of an account in a region.
    async fn container_place(
        &mut self,
        account: &AccountId,
        region: &Region,
    ) -> Result<Option<ContainerPlace>, StoreError>;

    /// The place that an address names.
    async fn container_place_at(
        &mut self,
        part: &AddressPart,
    ) -> Result<Option<ContainerPlace>, StoreError>;

    /// The service of this name.
    async fn container_service(
        &mut self,
        account: &AccountId,
        region: &Region,
        name: &ServiceName,
    ) -> Result<Option<StoredService>, StoreError>;

    /// The service with this id.
    async fn container_service_with(
        &mut self,
        id: &ContainerServiceId,
    ) -> Result<Option<StoredService>, StoreError>;

    /// Services of an account in a region by name, after `after`.
    async fn container_services(
        &mut self,
        account: &AccountId,
        region: &Region,
        after: Option<&ServiceName>,
        limit: usize,
    ) -> Result<Vec<StoredService>, StoreError>;

    /// How many services an account has in a region.
    async fn container_service_count(
        &mut self,
        account: &AccountId,
        region: &Region,
    ) -> Result<u64, StoreError>;

    /// Services of everybody by id, after `after`.
    async fn every_container_service(
        &mut self,
        after: Option<&ContainerServiceId>,
        limit: usize,
    ) -> Result<Vec<StoredService>, StoreError>;

    /// Services in a state that ends by itself, the longest in it first, after `after`.
    async fn passing_container_services(
        &mut self,
        after: Option<&PassingCursor>,
        limit: usize,
    ) -> Result<Vec<StoredService>, StoreError>;

    /// Every kept deployment of a service, the newest first.
    async fn container_deployments(
        &mut self,
        service: &ContainerServiceId,
    ) -> Result<Vec<Deployment>, StoreError>;

    /// Versions and states of the kept deployments of a service, the newest first.
    async fn container_deployment_states(
        &mut self,
        service: &ContainerServiceId,
    ) -> Result<Vec<(DeploymentVersion, DeploymentState)>, StoreError>;

    /// The images of a service, the newest first.
    async fn container_images(
        &mut self,
        service: &ServiceKey,
    ) -> Result<Vec<StoredImage>, StoreError>;

    /// One image of a service.
    async fn container_image(
        &mut self,
        service: &ServiceKey,
        image: &RegisteredImage,
    ) -> Result<Option<StoredImage>, StoreError>;

    /// The counters of a label; those of a fresh service if there is none.
    async fn container_counters(
        &mut self,
        service: &ContainerServiceId,
        label: &ImageLabel,
    ) -> Result<Counters, StoreError>;

    /// Whether an image of any service stands for this manifest of a repository.
    async fn is_container_image(
        &mut self,
        repository: RepositoryId,
        digest: &Digest,
    ) -> Result<bool, StoreError>;

    /// Until when a pushed manifest waits; none if it does not.
    async fn container_push(
        &mut self,
        repository: RepositoryId,
        digest: &Digest,
    ) -> Result<Option<Timestamp>, StoreError>;

    /// Manifests that wait until `now` at the latest, the longest overdue first.
    async fn expired_container_pushes(
        &mut self,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<PendingPush>, StoreError>;

    /// Lines of a container's log, oldest first: behind `after`, none later than `until`.
    async fn container_log(
        &mut self,
        service: &ContainerServiceId,
        container: &ContainerName,
        after: LogPosition,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<LogEvent>, StoreError>;

    /// Measurements of a service in `[from, until)`, oldest first, behind the instant and sequence
    /// `after`.
    async fn container_usage(
        &mut self,
        service: &ContainerServiceId,
        after: LogPosition,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<UsageSample>, StoreError>;

    /// Whether any line or measurement is older than `before`.
    async fn has_container_records_before(&mut self, before: Timestamp)
    -> Result<bool, StoreError>;
}

/// Changes to container services and what belongs to them.
#[async_trait]
pub trait WriteContainers {
    /// Stores the place of an account in a region, unless it has one.
    async fn insert_container_place(&mut self, place: &ContainerPlace) -> Result<(), StoreError>;

    /// Stores a new service with its first deployment; false if its name is taken.
    async fn insert_container_service(&mut self, new: &StoredService) -> Result<bool, StoreError>;

    /// Stores what may change of a service, its live deployments with it. Counters of images are
    /// left alone.
    async fn update_container_service(&mut self, service: &StoredService)
    -> Result<(), StoreError>;

    /// Stores a deployment, in place of the one with its number.
    async fn put_container_deployment(
        &mut self,
        service: &ContainerServiceId,
        deployment: &Deployment,
    ) -> Result<(), StoreError>;

    /// Removes deployments of a service.
    async fn delete_container_deployments(
        &mut self,
        service: &ContainerServiceId,
        versions: &[DeploymentVersion],
    ) -> Result<(), StoreError>;

    /// Removes up to `limit` lines and as many measurements of a service; true once none are left.
    async fn empty_container_service(
        &mut self,
        service: &ContainerServiceId,
        limit: usize,
    ) -> Result<bool, StoreError>;

    /// Removes a service with its deployments, images and counters. One with lines or measurements
    /// left is refused with [`StoreError::Failed`].
    async fn delete_container_service(
        &mut self,
        service: &ContainerServiceId,
    ) -> Result<(), StoreError>;

    /// Stores an image, a name for a manifest of `repository`, with the counters after it.
    async fn insert_container_image(
        &mut self,
        service: &ContainerServiceId,
        image: &StoredImage,
        repository: RepositoryId,
        counters: Counters,
    ) -> Result<(), StoreError>;

    /// Removes an image; its number is not free again.
    async fn delete_container_image(
        &mut self,
        service: &ContainerServiceId,
        image: &RegisteredImage,
    ) -> Result<(), StoreError>;

    /// Lets a pushed manifest wait until `expires_at`, or longer if it does already.
    async fn put_container_push(
        &mut self,
        repository: RepositoryId,
        digest: &Digest,
        expires_at: Timestamp,
    ) -> Result<(), StoreError>;

    /// Ends the waiting of a pushed manifest.
    async fn delete_container_push(
        &mut self,
        repository: RepositoryId,
        digest: &Digest,
    ) -> Result<(), StoreError>;

    /// Appends lines; one that is there already stays as it is.
    async fn append_container_log(&mut self, lines: &[NewLogLine]) -> Result<(), StoreError>;

    /// Stores measurements; one that is there already stays as it is.
    async fn insert_container_usage(&mut self, samples: &[UsageSample]) -> Result<(), StoreError>;

    /// Removes up to `limit` lines and as many measurements that are older than `before`, the
    /// oldest first; true once none are left.
    async fn prune_container_records(
        &mut self,
        before: Timestamp,
        limit: usize,
    ) -> Result<bool, StoreError>;
}
