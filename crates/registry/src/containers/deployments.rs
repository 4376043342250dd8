//! Deployments of a service: start one, list those that are kept.

use roadstead_domain::lightsail::deployment::Deployment;
use roadstead_domain::lightsail::requests::DeploymentRequest;
use roadstead_domain::lightsail::spec::DeploymentSpec;
use roadstead_store::metadata::MetadataWrite;

use super::changes::Moment;
use super::{ContainerService, loaded, placed};
use crate::Registry;
use crate::access::Authorized;
use crate::access::containers::ContainerServiceKey;
use crate::context::RequestContext;
use crate::error::Error;

struct Deploying {
    key: ContainerServiceKey,
    spec: DeploymentSpec,
    moment: Moment,
}

impl Deploying {
    async fn run(&self, tx: &mut dyn MetadataWrite) -> Result<ContainerService, Error> {
        let before = loaded(tx, &self.key).await?;
        let images = tx.container_images(&before.key()).await?;
        let pins = self.spec.pin(&images);
        // The state of the service is refused before an image that is not there.
        let pinned = pins.as_ref().cloned().unwrap_or_default();
        let changed = before
            .service
            .deploy(self.spec.clone(), pinned, self.moment.now)?;
        pins?;
        let after = self.moment.store(tx, &before, changed).await?;
        placed(tx, after).await
    }
}

impl Registry {
    /// Starts a deployment.
    pub async fn deploy_containers(
        &self,
        context: &RequestContext,
        key: Authorized<ContainerServiceKey>,
        request: &DeploymentRequest,
    ) -> Result<ContainerService, Error> {
        let deploying = Deploying {
            spec: DeploymentSpec::check(&key.name, request)?,
            key: key.into_inner(),
            moment: self.moment(context.now),
        };
        let deployed = self
            .metadata
            .write(deploying, |tx, deploying| Box::pin(deploying.run(tx)))
            .await?;
        self.container_service_changed(&deployed.stored);
        Ok(deployed)
    }

    /// The deployments of a service that are kept, the newest first.
    pub async fn container_deployments(
        &self,
        key: Authorized<ContainerServiceKey>,
    ) -> Result<Vec<Deployment>, Error> {
        self.metadata
            .read(key.into_inner(), |tx, key| {
                Box::pin(async move {
                    let stored = loaded(tx, key).await?;
                    Ok(tx.container_deployments(&stored.id).await?)
                })
            })
            .await
    }
}
