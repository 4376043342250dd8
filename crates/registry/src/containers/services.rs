//! Container services: create, update, delete, show, and the login for pushes.

use roadstead_domain::ids::{AccountId, ContainerServiceId};
use roadstead_domain::lightsail::addresses::{
    ADDRESS_PART_DIGITS, AddressPart, ROLE_ID_DIGITS, RoleId,
};
use roadstead_domain::lightsail::domain_names::{
    Certificates, PublicDomainNames, plan_domain_names,
};
use roadstead_domain::lightsail::limits::SERVICES_MAX;
use roadstead_domain::lightsail::names::ServiceName;
use roadstead_domain::lightsail::power::{Power, Scale};
use roadstead_domain::lightsail::registry_access::RegistryAccess;
use roadstead_domain::lightsail::requests::DeploymentRequest;
use roadstead_domain::lightsail::service::{
    NewService, Service, ServiceUpdate, check_creation, check_registry_login,
};
use roadstead_domain::lightsail::spec::{DeploymentSpec, Pins};
use roadstead_domain::lightsail::tags::{ServiceTags, tag};
use roadstead_domain::tagging::TagMutability;
use roadstead_domain::time::Timestamp;
use roadstead_store::metadata::{MetadataWrite, NewRepository};

use super::changes::Moment;
use super::{ContainerPlace, ContainerService, StoredService, loaded, placed};
use crate::Registry;
use crate::access::Authorized;
use crate::access::containers::{ContainerServiceKey, ContainersKey};
use crate::context::RequestContext;
use crate::credentials::{Audience, AuthorizationToken};
use crate::error::Error;

/// What CreateContainerService asks for.
#[derive(Debug, Clone)]
pub struct ServiceRequest {
    /// The name.
    pub name: ServiceName,
    /// The size of its nodes.
    pub power: Power,
    /// How many nodes it has.
    pub scale: Scale,
    /// Domains by certificate.
    pub domain_names: PublicDomainNames,
    /// Whether it may pull from private repositories.
    pub is_puller: Option<bool>,
    /// What it runs first.
    pub deployment: Option<DeploymentRequest>,
    /// Its tags.
    pub tags: Vec<(String, Option<String>)>,
}

/// What UpdateContainerService asks for; what is absent stays.
#[derive(Debug, Clone, Default)]
pub struct UpdateRequest {
    /// The size of its nodes.
    pub power: Option<Power>,
    /// How many nodes it has.
    pub scale: Option<Scale>,
    /// Whether it is switched off.
    pub is_disabled: Option<bool>,
    /// Domains by certificate; an empty list detaches.
    pub domain_names: Option<PublicDomainNames>,
    /// Whether it may pull from private repositories.
    pub is_puller: Option<bool>,
}

/// A service to be made, with all that is drawn for it.
struct Draft {
    key: ContainersKey,
    id: ContainerServiceId,
    role: RoleId,
    place: ContainerPlace,
    service: NewService,
    spec: Option<DeploymentSpec>,
    tags: ServiceTags,
    now: Timestamp,
}

impl Draft {
    async fn create(&self, tx: &mut dyn MetadataWrite) -> Result<ContainerService, Error> {
        let (account, region) = (&self.key.account, &self.key.region);
        let name = &self.service.name;
        let is_taken = tx.container_service(account, region, name).await?.is_some();
        let count = tx.container_service_count(account, region).await?;
        check_creation(
            name,
            is_taken,
            usize::try_from(count).unwrap_or(SERVICES_MAX),
        )?;
        let mut new = self.service.clone();
        if let Some(spec) = &self.spec {
            // A new service stores no images: only those of elsewhere can be meant.
            new.deployment = Some((spec.clone(), spec.pin(&[])?));
        }
        self.make_room(tx).await?;
        let stored = StoredService {
            id: self.id.clone(),
            account: account.clone(),
            region: region.clone(),
            created_at: self.now,
            service: Service::create(new, self.now),
            tags: self.tags.clone(),
            role: self.role.clone(),
        };
        tx.insert_container_service(&stored).await?;
        placed(tx, stored).await
    }

    /// The repository and the place that all services share.
    async fn make_room(&self, tx: &mut dyn MetadataWrite) -> Result<(), Error> {
        tx.insert_container_place(&self.place).await?;
        let key = self.key.repository();
        if tx.repository(&key).await?.is_none() {
            tx.insert_repository(&NewRepository {
                key,
                created_at: self.now,
                tag_mutability: TagMutability::default(),
                scan_on_push: false,
                resource_tags: Vec::new(),
            })
            .await?;
        }
        Ok(())
    }
}

/// An update with what is drawn for it.
struct Update {
    key: ContainerServiceKey,
    request: UpdateRequest,
    fresh_role: RoleId,
    moment: Moment,
}

impl Update {
    async fn run(&self, tx: &mut dyn MetadataWrite) -> Result<ContainerService, Error> {
        let before = loaded(tx, &self.key).await?;
        let (service, request) = (&before.service, &self.request);
        let domain_names = request.domain_names.as_ref().map(|requested| {
            plan_domain_names(&service.domain_names, requested, &Certificates::default())
        });
        let access = &service.registry_access;
        let update = ServiceUpdate {
            power: request.power,
            scale: request.scale,
            is_disabled: request.is_disabled,
            domain_names: domain_names.transpose()?,
            registry_access: Some(access.after(request.is_puller, self.fresh_role.clone())),
        };
        let changed = service.update(update, self.moment.now)?;
        let after = self.moment.store(tx, &before, changed).await?;
        placed(tx, after).await
    }
}

impl Registry {
    /// Makes a service, PENDING. With the first one of an account in a region come the repository
    /// for its images and the address that its services share.
    pub async fn create_container_service(
        &self,
        context: &RequestContext,
        key: Authorized<ContainersKey>,
        request: ServiceRequest,
    ) -> Result<ContainerService, Error> {
        let no_certificates = Certificates::default();
        let none = PublicDomainNames::new();
        let domain_names = plan_domain_names(&none, &request.domain_names, &no_certificates)?;
        let deployment = request.deployment.as_ref();
        let spec = deployment
            .map(|deployment| DeploymentSpec::check(&request.name, deployment))
            .transpose()?;
        let tags = tag(&ServiceTags::new(), &request.tags)?;
        let (key, now) = (key.into_inner(), context.now);
        let draft = Draft {
            id: ContainerServiceId::from_random(self.ids().bits()),
            role: self.draw_role(),
            place: self.draw_place(&key),
            key,
            service: NewService {
                name: request.name,
                power: request.power,
                scale: request.scale,
                domain_names,
                registry_access: RegistryAccess::default()
                    .after(request.is_puller, self.draw_role()),
                deployment: None::<(DeploymentSpec, Pins)>,
            },
            spec,
            tags,
            now,
        };
        let made = self
            .metadata
            .write(draft, |tx, draft| Box::pin(draft.create(tx)))
            .await?;
        self.container_service_changed(&made.stored);
        Ok(made)
    }

    /// Starts an update of a service.
    pub async fn update_container_service(
        &self,
        context: &RequestContext,
        key: Authorized<ContainerServiceKey>,
        request: UpdateRequest,
    ) -> Result<ContainerService, Error> {
        let update = Update {
            key: key.into_inner(),
            request,
            fresh_role: self.draw_role(),
            moment: self.moment(context.now),
        };
        let updated = self
            .metadata
            .write(update, |tx, update| Box::pin(update.run(tx)))
            .await?;
        self.container_service_changed(&updated.stored);
        Ok(updated)
    }

    /// Starts the deletion of a service with all that belongs to it.
    pub async fn delete_container_service(
        &self,
        context: &RequestContext,
        key: Authorized<ContainerServiceKey>,
    ) -> Result<(), Error> {
        let input = (key.into_inner(), self.moment(context.now));
        let deleted = self
            .metadata
            .write(input, |tx, (key, moment)| {
                Box::pin(async move {
                    let before = loaded(tx, key).await?;
                    let changed = before.service.delete(moment.now);
                    Ok::<_, Error>(moment.store(tx, &before, changed).await?)
                })
            })
            .await?;
        self.container_service_changed(&deleted);
        Ok(())
    }

    /// One service.
    pub async fn container_service(
        &self,
        key: Authorized<ContainerServiceKey>,
    ) -> Result<ContainerService, Error> {
        self.metadata
            .read(key.into_inner(), |tx, key| {
                Box::pin(async move {
                    let stored = loaded(tx, key).await?;
                    placed(tx, stored).await
                })
            })
            .await
    }

    /// Every service of an account in a region, by name.
    pub async fn container_services(
        &self,
        key: Authorized<ContainersKey>,
    ) -> Result<Vec<ContainerService>, Error> {
        self.metadata
            .read(key.into_inner(), |tx, key| {
                Box::pin(async move {
                    let (account, region) = (&key.account, &key.region);
                    let Some(place) = tx.container_place(account, region).await? else {
                        return Ok(Vec::new());
                    };
                    // There are no more than that.
                    let services = tx.container_services(account, region, None, SERVICES_MAX);
                    let with_place = |stored| ContainerService {
                        stored,
                        place: place.clone(),
                    };
                    Ok(services.await?.into_iter().map(with_place).collect())
                })
            })
            .await
    }

    /// A token with which images are pushed, while there is a service to push them for.
    pub async fn container_registry_login(
        &self,
        context: &RequestContext,
        key: Authorized<ContainersKey>,
    ) -> Result<AuthorizationToken, Error> {
        let count: u64 = self
            .metadata
            .read(key.into_inner(), |tx, key| {
                Box::pin(async move {
                    let count = tx.container_service_count(&key.account, &key.region);
                    Ok::<_, Error>(count.await?)
                })
            })
            .await?;
        check_registry_login(usize::try_from(count).unwrap_or(SERVICES_MAX))?;
        Ok(self.issue_token(context, Audience::ContainerPush))
    }

    fn draw_role(&self) -> RoleId {
        let mut bytes = [0; ROLE_ID_DIGITS];
        self.ids().fill(&mut bytes);
        RoleId::from_random(bytes)
    }

    /// A place for an account that has none in the region yet.
    fn draw_place(&self, key: &ContainersKey) -> ContainerPlace {
        let mut bytes = [0; ADDRESS_PART_DIGITS];
        self.ids().fill(&mut bytes);
        ContainerPlace {
            account: key.account.clone(),
            region: key.region.clone(),
            address_part: AddressPart::from_random(bytes),
            lightsail: self.draw_account(&key.account),
        }
    }

    /// An account for the roles of services: nobody's, and never the owner's own, since a principal
    /// of an account may do everything in it.
    fn draw_account(&self, owner: &AccountId) -> AccountId {
        let bits = self.ids().bits();
        match AccountId::from_random(bits) {
            drawn if drawn == *owner => AccountId::from_random(bits.wrapping_add(1)),
            drawn => drawn,
        }
    }
}
