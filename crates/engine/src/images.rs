//! Getting the images of a deployment, and removing those of ours that nothing needs any more.
//!
//! A registered image comes from this server by its digest, so one that is there already is the
//! right one. An image of a private repository of this server is pulled each time, since it has to
//! be asked whether the service may. Any other image is pulled by name; if that cannot be done, one
//! that the engine has under that very name will do. Images of others are never removed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bollard::auth::DockerCredentials;
use roadstead_domain::digest::Digest;
use roadstead_domain::lightsail::names::ContainerName;
use roadstead_domain::lightsail::spec::{DeploymentSpec, ImageSource, Pins};
use roadstead_registry::containers::runtime::{Pull, PullAccess, WantedService};

use crate::engine::{Engine, EngineError, LocalImage};

/// The repository of registered images on this server.
const REPOSITORY: &str = "sr";
/// The user that a token is the password of.
const USER: &str = "AWS";
/// The pauses between attempts to pull.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(4)];

/// What each container runs: the engine's ids of images.
pub type Prepared = BTreeMap<ContainerName, String>;

/// An image that cannot be had.
#[derive(Debug)]
pub struct Unprepared {
    /// Whose.
    pub container: ContainerName,
    /// Why, for the log.
    pub message: String,
    /// Whether the engine was there.
    pub is_final: bool,
}

/// What to get and how.
pub struct Wanted {
    /// For which service.
    pub service: WantedService,
    /// The containers.
    pub spec: DeploymentSpec,
    /// The digests of registered images.
    pub pins: Pins,
    /// The address of this server's registry, for the engine.
    pub registry: String,
    /// What opens it.
    pub pulls: Arc<dyn PullAccess>,
    /// Whether names are looked up again: not while nodes of the deployment run, which all have
    /// the same images.
    pub is_fresh: bool,
}

impl Wanted {
    /// Gets them all.
    pub async fn prepare(self, engine: &Engine) -> Result<Prepared, Unprepared> {
        let mut prepared = Prepared::new();
        for (name, container) in &self.spec.containers {
            let got = match &container.image {
                ImageSource::Registered(_) => self.registered(engine, name).await,
                ImageSource::Elsewhere(text) => self.elsewhere(engine, text).await,
            };
            let id = got.map_err(|error| Unprepared {
                container: name.clone(),
                message: format!("The image {} cannot be had: {error}", container.image),
                is_final: !matches!(error, EngineError::Unreachable(_)),
            })?;
            prepared.insert(name.clone(), id);
        }
        Ok(prepared)
    }

    async fn registered(
        &self,
        engine: &Engine,
        name: &ContainerName,
    ) -> Result<String, EngineError> {
        let pin = self.pins.get(name);
        let pin = pin.ok_or_else(|| EngineError::Missing("it has no digest".to_owned()))?;
        let reference = own_reference(&self.registry, &pin.digest);
        if let Ok(image) = engine.image(&reference).await {
            return Ok(image.id);
        }
        let order = self.pulls.registered(&self.service, &pin.digest);
        self.own_repository(engine, order).await
    }

    /// Pulls an image of this server.
    async fn own_repository(&self, engine: &Engine, order: Pull) -> Result<String, EngineError> {
        let reference = full_reference(&format!("{}/{}", self.registry, order.path));
        let credentials = DockerCredentials {
            username: Some(USER.to_owned()),
            password: Some(order.password),
            serveraddress: Some(self.registry.clone()),
            ..Default::default()
        };
        pull(engine, &reference, Some(credentials)).await?;
        Ok(engine.image(&reference).await?.id)
    }

    async fn elsewhere(&self, engine: &Engine, text: &str) -> Result<String, EngineError> {
        match self.pulls.private(&self.service, text).await {
            Ok(None) => {}
            Ok(Some(order)) => return self.own_repository(engine, order).await,
            Err(why) => return Err(EngineError::Missing(why)),
        }
        let reference = full_reference(text);
        match self.local(engine, &reference).await? {
            Some(id) if !self.is_fresh => Ok(id),
            Some(id) => match engine.pull(&reference, None).await {
                Ok(()) => Ok(engine.image(&reference).await?.id),
                Err(error @ EngineError::Unreachable(_)) => Err(error),
                Err(error) => {
                    tracing::debug!(reference, %error, "the image that is there has to do");
                    Ok(id)
                }
            },
            None => {
                pull(engine, &reference, None).await?;
                Ok(engine.image(&reference).await?.id)
            }
        }
    }

    /// An image that the engine has under this name. Those of this server are for whoever may pull
    /// them, wherever they are.
    async fn local(&self, engine: &Engine, reference: &str) -> Result<Option<String>, EngineError> {
        if behind(&self.registry, reference).is_some() {
            return Ok(None);
        }
        match engine.image(reference).await {
            Ok(image) => Ok(has_name(&image, reference).then_some(image.id)),
            Err(EngineError::Unreachable(why)) => Err(EngineError::Unreachable(why)),
            Err(_) => Ok(None),
        }
    }
}

/// Pulls, and tries again unless the answer is clear.
async fn pull(
    engine: &Engine,
    reference: &str,
    credentials: Option<DockerCredentials>,
) -> Result<(), EngineError> {
    for pause in PAUSES {
        match engine.pull(reference, credentials.clone()).await {
            Err(EngineError::Refused(why)) if !is_clear(&why) => {
                tracing::debug!(reference, why, "pulling again");
                tokio::time::sleep(pause).await;
            }
            other => return other,
        }
    }
    engine.pull(reference, credentials).await
}

/// Whether asking again would get the same answer. Engines tell it in words only.
fn is_clear(why: &str) -> bool {
    let why = why.to_lowercase();
    ["not found", "unknown", "denied", "unauthorized", "invalid"]
        .iter()
        .any(|word| why.contains(word))
}

/// How the engine names a registered image.
pub fn own_reference(registry: &str, digest: &Digest) -> String {
    format!("{registry}/{REPOSITORY}@{digest}")
}

/// What stands behind the address of this server's registry.
fn behind<'r>(registry: &str, reference: &'r str) -> Option<&'r str> {
    reference.strip_prefix(registry)?.strip_prefix('/')
}

fn is_own(registry: &str, reference: &str) -> bool {
    let rest = behind(registry, reference).and_then(|rest| rest.strip_prefix(REPOSITORY));
    rest.is_some_and(|rest| rest.starts_with(['@', ':']))
}

/// A name with its tag: without one an engine would pull every tag.
fn full_reference(text: &str) -> String {
    let name = text.rsplit('/').next().unwrap_or(text);
    match name.contains([':', '@']) {
        true => text.to_owned(),
        false => format!("{text}:latest"),
    }
}

/// Whether an image was found by its name, and not by the first digits of its id.
fn has_name(image: &LocalImage, reference: &str) -> bool {
    let short = |name: &str| {
        let name = name.strip_prefix("docker.io/").unwrap_or(name);
        name.strip_prefix("library/").unwrap_or(name).to_owned()
    };
    let wanted = short(reference);
    image.names.iter().any(|name| short(name) == wanted)
}

/// Removes registered images that are not `needed`. What a container uses stays.
pub async fn remove_unneeded(
    engine: &Engine,
    registry: &str,
    needed: impl FnOnce() -> BTreeSet<String>,
) -> Result<(), EngineError> {
    let mut names = engine.image_names().await?;
    // Asked after the look: whatever is wanted by now was not pulled in vain.
    let needed = needed();
    names.retain(|name| is_own(registry, name) && !needed.contains(name));
    for name in names {
        match engine.remove_image(&name).await {
            Err(error @ EngineError::Unreachable(_)) => return Err(error),
            Err(error) => tracing::debug!(name, %error, "an image stays"),
            Ok(()) => tracing::debug!(name, "removed an image"),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_get_the_tag_that_they_mean() {
        for (text, full) in [
            ("nginx", "nginx:latest"),
            ("nginx:1", "nginx:1"),
            ("a.example:5000/team/app", "a.example:5000/team/app:latest"),
            ("a.example:5000/app:v1", "a.example:5000/app:v1"),
            ("app@sha256:00", "app@sha256:00"),
        ] {
            assert_eq!(full_reference(text), full);
        }
    }

    #[test]
    fn a_local_image_has_the_very_name() {
        let image = LocalImage {
            id: "sha256:deadbeef".into(),
            names: vec!["nginx:1".into(), "a.example/app@sha256:00".into()],
        };
        for (reference, expected) in [
            ("nginx:1", true),
            ("docker.io/library/nginx:1", true),
            ("a.example/app@sha256:00", true),
            ("nginx:latest", false),
            ("deadbeef:latest", false),
            ("sha256:deadbeef", false),
        ] {
            assert_eq!(has_name(&image, reference), expected, "{reference}");
        }
    }

    #[test]
    fn our_own_images() {
        for (reference, expected) in [
            ("127.0.0.1:5080/sr@sha256:00", true),
            ("127.0.0.1:5080/sr:x", true),
            ("127.0.0.1:5080/srv@sha256:00", false),
            ("127.0.0.1:50801/sr@sha256:00", false),
            ("sr@sha256:00", false),
        ] {
            assert_eq!(is_own("127.0.0.1:5080", reference), expected, "{reference}");
        }
    }
}
