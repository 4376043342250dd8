//! Which images a deletion removes: the one author of that rule (ecr.md section 4).
//!
//! BatchDeleteImage of ECR and of ECR Public, Lightsail's DeleteContainerImage, OCI DELETE and
//! lifecycle expiry all load what they name, ask [`plan_deletion`], and apply the plan in the same
//! transaction.

use std::collections::{BTreeSet, HashMap};

use crate::digest::Digest;
use crate::image::{ImageFailure, ImageFailureCode, ImageId, ImageSelector};
use crate::reference::ImageTag;

/// What a repository holds of the images and tags that a request names.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    /// The images, by digest.
    pub images: HashMap<Digest, LoadedImage>,
    /// Where the named tags point; each target is in `images`.
    pub tags: HashMap<ImageTag, Digest>,
}

/// One image as far as deletion cares.
#[derive(Debug, Clone, Default)]
pub struct LoadedImage {
    /// Its tags in the order in which they were attached.
    pub tags: Vec<ImageTag>,
    /// The indexes in the repository that list it.
    pub parents: BTreeSet<Digest>,
}

/// One change to the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Remove this tag; the image stays.
    Untag(ImageTag),
    /// Remove this image with every tag it still has.
    Delete(Digest),
}

/// One removed (digest, tag) pair, as the API reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    /// The image.
    pub digest: Digest,
    /// The tag, none for an image that had none.
    pub tag: Option<ImageTag>,
}

/// What to change and what to answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeletionPlan {
    /// Changes, in order.
    pub steps: Vec<Step>,
    /// What is gone afterwards, in request order.
    pub removed: Vec<Removed>,
    /// The entries that failed, in request order.
    pub failures: Vec<ImageFailure>,
}

/// Finds the image that an entry names among what was loaded.
pub fn resolve(loaded: &Loaded, id: &ImageId) -> Result<ImageSelector, ImageFailure> {
    let Some(selector) = id.selector()? else {
        return Err(id.not_found());
    };
    let target = |tag: &ImageTag| {
        loaded
            .tags
            .get(tag)
            .filter(|d| loaded.images.contains_key(*d))
    };
    match &selector {
        ImageSelector::ByDigest(digest) if loaded.images.contains_key(digest) => Ok(selector),
        ImageSelector::ByTag(tag) => match target(tag) {
            Some(digest) => Ok(ImageSelector::Both(digest.clone(), tag.clone())),
            None => Err(id.not_found()),
        },
        ImageSelector::Both(digest, tag) => match target(tag) {
            Some(actual) if actual == digest => Ok(selector),
            Some(_) => Err(ImageFailure {
                id: id.clone(),
                code: ImageFailureCode::ImageTagDoesNotMatchDigest,
                reason: "Requested image tag does not match the requested image digest".into(),
            }),
            None => Err(id.not_found()),
        },
        ImageSelector::ByDigest(_) => Err(id.not_found()),
    }
}

/// Plans the deletion of `ids`, each against what the ones before it leave behind. Entries do not
/// depend on one another otherwise: a failed one changes nothing.
///
/// A tag entry removes the tag, and the image with its last tag; a digest entry removes the image
/// with all its tags. An image that an index still lists stays, with its last tag.
pub fn plan_deletion(mut loaded: Loaded, ids: &[ImageId]) -> DeletionPlan {
    let mut plan = DeletionPlan::default();
    for id in ids {
        match resolve(&loaded, id) {
            Ok(ImageSelector::Both(digest, tag)) => plan.remove_tag(&mut loaded, id, digest, tag),
            Ok(ImageSelector::ByDigest(digest)) => plan.remove_image(&mut loaded, id, digest),
            // `resolve` answers a tag with the digest that it points to.
            Ok(ImageSelector::ByTag(_)) => plan.failures.push(id.not_found()),
            Err(failure) => plan.failures.push(failure),
        }
    }
    plan
}

impl DeletionPlan {
    fn remove_tag(&mut self, loaded: &mut Loaded, id: &ImageId, digest: Digest, tag: ImageTag) {
        let Some(image) = loaded.images.get_mut(&digest) else {
            return;
        };
        if image.tags.len() > 1 {
            image.tags.retain(|other| *other != tag);
            loaded.tags.remove(&tag);
            self.steps.push(Step::Untag(tag.clone()));
            self.removed.push(Removed {
                digest,
                tag: Some(tag),
            });
        } else {
            self.remove_image(loaded, id, digest);
        }
    }

    fn remove_image(&mut self, loaded: &mut Loaded, id: &ImageId, digest: Digest) {
        let Some(image) = loaded.images.get(&digest) else {
            return;
        };
        if !image.parents.is_empty() {
            self.failures.push(referenced(id, &image.parents));
            return;
        }
        let Some(image) = loaded.images.remove(&digest) else {
            return;
        };
        for other in loaded.images.values_mut() {
            other.parents.remove(&digest);
        }
        self.removed.extend(match image.tags.as_slice() {
            [] => vec![Removed {
                digest: digest.clone(),
                tag: None,
            }],
            tags => tags
                .iter()
                .map(|tag| Removed {
                    digest: digest.clone(),
                    tag: Some(tag.clone()),
                })
                .collect(),
        });
        for tag in &image.tags {
            loaded.tags.remove(tag);
        }
        self.steps.push(Step::Delete(digest));
    }
}

fn referenced(id: &ImageId, parents: &BTreeSet<Digest>) -> ImageFailure {
    let parents: Vec<&str> = parents.iter().map(Digest::as_str).collect();
    ImageFailure {
        id: id.clone(),
        code: ImageFailureCode::ImageReferencedByManifestList,
        reason: format!(
            "Requested image referenced by manifest list: [{}]",
            parents.join(", ")
        ),
    }
}

#[cfg(test)]
mod tests;
