//! Stored images of a service: registering, what `latest` means, deleting, listing.
//!
//! An image is a name for a digest that was pushed to the shared hidden repository. Deployments
//! protect names, not digests; bytes are the business of the sweep.

use super::deployment::Deployment;
use super::limits::IMAGES_PER_SERVICE_MAX;
use super::names::{ImageLabel, ImageReference, RegisteredImage, ServiceName};
use super::refusal::Refusal;
use super::state::ServiceState;
use super::versions::{Counters, VersionScope};
use crate::digest::{Algorithm, Digest};
use crate::time::Timestamp;

/// The one repository of an account and region to which all its services push.
pub const PUSH_REPOSITORY: &str = "sr";

/// One image that a service stores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredImage {
    /// Its name.
    pub image: RegisteredImage,
    /// What it stands for.
    pub digest: Digest,
    /// When it was registered.
    pub created_at: Timestamp,
    /// Grows with each registration of the service; tells images of one instant apart.
    pub sequence: u64,
}

/// Reads the digest of RegisterContainerImage: SHA-256 only.
pub fn parse_digest(text: &str) -> Result<Digest, Refusal> {
    Digest::parse(text)
        .ok()
        .filter(|digest| digest.algorithm() == Algorithm::Sha256)
        .ok_or_else(|| Refusal::DigestForm(text.into()))
}

/// What a registration finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistrationState {
    /// The state of the service.
    pub service_state: ServiceState,
    /// Whether the digest is an image of [`PUSH_REPOSITORY`] in this account and region.
    pub is_pushed: bool,
    /// How many images the service stores.
    pub stored_images: usize,
    /// The counters of the label.
    pub counters: Counters,
}

/// Plans RegisterContainerImage: the new name, and the counters to store with it. The same digest
/// again is a new version. A refusal consumes no number.
pub fn plan_registration(
    service: &ServiceName,
    label: &ImageLabel,
    digest: &Digest,
    now: &RegistrationState,
    scope: VersionScope,
) -> Result<(RegisteredImage, Counters), Refusal> {
    if !now.is_pushed {
        return Err(Refusal::DigestNotPushed(digest.clone()));
    }
    if now.service_state == ServiceState::Deleting {
        return Err(Refusal::BeingDeleted(service.clone()));
    }
    if now.stored_images >= IMAGES_PER_SERVICE_MAX {
        return Err(Refusal::TooManyImages(service.clone()));
    }
    let (version, counters) = now.counters.take(scope);
    let image = RegisteredImage {
        service: service.clone(),
        label: label.clone(),
        version,
    };
    Ok((image, counters))
}

/// The stored image that a reference of a deployment means now; `latest` is the highest version
/// that is still stored under the label.
pub fn resolve<'a>(
    reference: &ImageReference,
    stored: &'a [StoredImage],
) -> Option<&'a StoredImage> {
    match reference {
        ImageReference::Version(image) => stored.iter().find(|candidate| candidate.image == *image),
        ImageReference::Latest { service, label } => stored
            .iter()
            .filter(|candidate| {
                candidate.image.service == *service && candidate.image.label == *label
            })
            .max_by_key(|candidate| candidate.image.version),
    }
}

/// Reads the `image` of DeleteContainerImage: one version of a label of this very service.
pub fn parse_deletable(text: &str, service: &ServiceName) -> Result<RegisteredImage, Refusal> {
    match ImageReference::parse(text) {
        Ok(ImageReference::Version(image)) if image.service == *service => Ok(image),
        _ => Err(Refusal::ImageForm {
            image: text.into(),
            service: service.clone(),
        }),
    }
}

/// Plans DeleteContainerImage: the name whose row goes. Refuses what is not stored, and what the
/// active deployment or the one being activated uses; versions written as `latest` count as what
/// they were resolved to.
pub fn plan_delete_image(
    text: &str,
    service: &ServiceName,
    is_stored: impl FnOnce(&RegisteredImage) -> bool,
    current: Option<&Deployment>,
    next: Option<&Deployment>,
) -> Result<RegisteredImage, Refusal> {
    let image = parse_deletable(text, service)?;
    if !is_stored(&image) {
        return Err(Refusal::ImageNotFound(text.into()));
    }
    let is_in_use = [current, next]
        .into_iter()
        .flatten()
        .any(|deployment| deployment.protects(&image));
    if is_in_use {
        return Err(Refusal::ImageInUse(image));
    }
    Ok(image)
}

/// Orders images as GetContainerImages lists them: the newest first, across labels.
pub fn sort_newest_first(images: &mut [StoredImage]) {
    images.sort_by_key(|image| std::cmp::Reverse((image.created_at, image.sequence)));
}
