//! Deleted images and repositories, and bringing them back, as JSON.

use anyhow::{Context as _, Result, bail};
use roadstead_domain::digest::Digest;
use roadstead_registry::Registry;
use roadstead_registry::context::Clock;
use roadstead_registry::error::Error;
use roadstead_registry::undelete::{DeletedImage, Undeleted};
use serde_json::{Value, json};

use super::Place;

/// Deleted images that are listed.
const LISTED_MAX: usize = 1_000;

/// The deleted images of a repository, the latest deletion first, at most 1,000.
pub(super) async fn list(registry: &Registry, place: &Place) -> Result<Value> {
    let deleted = registry.deleted_images(place.key()?, LISTED_MAX).await?;
    let deleted: Vec<Value> = deleted.iter().map(described).collect();
    Ok(json!({ "schemaVersion": 1, "deleted": deleted }))
}

/// Brings images back, or the repository if none is named. Also without a window: what was deleted
/// under an earlier one may still be kept.
pub(super) async fn undelete(
    registry: &Registry,
    clock: &dyn Clock,
    place: &Place,
    digests: &[String],
) -> Result<Value> {
    if digests.is_empty() {
        return match registry.undelete_repository(place.key()?).await {
            Ok(repository) => Ok(json!({ "repository": repository.key.name.as_str() })),
            Err(Error::RepositoryAlreadyExists(_)) => bail!(
                "the repository '{}' is there: name the images to bring back, or --list them",
                place.repository
            ),
            Err(Error::RepositoryNotFound(_)) => {
                bail!("no deleted repository '{}' is kept", place.repository)
            }
            Err(error) => Err(error.into()),
        };
    }
    let parse = |text: &String| Digest::parse(text).with_context(|| format!("digest '{text}'"));
    let digests: Vec<Digest> = digests.iter().map(parse).collect::<Result<_>>()?;
    let mut undeleted = Vec::new();
    for digest in digests {
        let missing = format!(
            "no deleted image '{digest}' is kept in '{}'",
            place.repository
        );
        let work = registry.undelete_image(place.key()?, digest, clock.now());
        match work.await {
            Ok(images) => undeleted.extend(images.iter().map(told)),
            Err(Error::ImageNotFound { .. }) => bail!(missing),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(json!({ "undeleted": undeleted }))
}

fn described(deleted: &DeletedImage) -> Value {
    let tags: Vec<&str> = deleted.tags.iter().map(|tag| tag.as_str()).collect();
    json!({
        "digest": deleted.image.digest.as_str(),
        "tags": tags,
        "pushedAt": deleted.image.pushed_at.rfc3339(),
        "deletedAt": deleted.deleted_at.rfc3339(),
        "keptUntil": deleted.kept_until.rfc3339(),
    })
}

fn told(undeleted: &Undeleted) -> Value {
    let texts = |tags: &[roadstead_domain::reference::ImageTag]| -> Vec<String> {
        tags.iter().map(ToString::to_string).collect()
    };
    json!({
        "digest": undeleted.digest.as_str(),
        "tags": texts(&undeleted.tags),
        "tagsElsewhere": texts(&undeleted.lost_tags),
        "wasThere": undeleted.was_there,
    })
}
