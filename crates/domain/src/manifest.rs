//! Reading manifests: images and indexes, OCI and Docker schema 2.
//!
//! The bytes are the truth and are kept apart, verbatim; what is parsed here is only used to
//! decide. A manifest that two readers could read differently is refused (CVE-2021-41190).

mod strict_json;

use std::collections::{BTreeMap, HashSet};

use serde_json::{Map, Value};

use crate::digest::Digest;
use crate::limits::{CHILDREN_MAX, LAYERS_MAX};
use crate::media_type::{DOCKER_LIST, DOCKER_MANIFEST, MediaType, OCI_INDEX, OCI_MANIFEST};

/// A pointer inside a manifest (OCI image-spec, descriptor.md).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descriptor {
    /// Its media type.
    pub media_type: MediaType,
    /// What it points to.
    pub digest: Digest,
    /// How long that is, bytes.
    pub size_bytes: u64,
    /// Whether registries need not hold it: a layer with `urls`, or of a non-distributable media type.
    pub is_foreign: bool,
}

/// What a manifest is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Contents {
    /// An image or artifact.
    Image {
        /// The config.
        config: Descriptor,
        /// The layers, in order, repeats kept.
        layers: Vec<Descriptor>,
    },
    /// An OCI index or Docker manifest list.
    Index {
        /// The listed manifests, in order, repeats kept.
        children: Vec<Descriptor>,
    },
}

/// A parsed manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Its media type: its own, else the one it was sent with.
    pub media_type: MediaType,
    /// What it is.
    pub contents: Contents,
    /// The manifest that it refers to.
    pub subject: Option<Descriptor>,
    /// `artifactType` as written.
    artifact_type: Option<String>,
    /// `annotations`, values that are not strings left out.
    pub annotations: BTreeMap<String, String>,
}

/// Why bytes are not a manifest that this registry takes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestRefusal {
    /// Not one JSON object, or one with a repeated key.
    #[error("the manifest is not a JSON object: {0}")]
    NotJson(String),
    /// `schemaVersion` is not 2.
    #[error("the manifest has no schemaVersion 2")]
    NoSchemaVersion,
    /// Neither the manifest nor the request names a media type.
    #[error("the media type of the manifest cannot be determined")]
    NoMediaType,
    /// The manifest and the request name different media types.
    #[error("the manifest says media type '{own}' but was sent as '{sent}'")]
    MediaTypeMismatch {
        /// `mediaType` of the manifest.
        own: String,
        /// The media type of the request.
        sent: String,
    },
    /// A media type that is not a manifest's.
    #[error("manifest media type '{0}' is not supported")]
    UnsupportedMediaType(String),
    /// It has members of both an image and an index.
    #[error("the manifest could be read as an image and as an index")]
    Ambiguous,
    /// A descriptor is missing or malformed.
    #[error("'{0}' is not a valid descriptor")]
    BadDescriptor(String),
    /// Too many layers or children.
    #[error("Limit on number of layers per image exceeded")]
    TooManyLayers,
}

impl Manifest {
    /// Parses `bytes`, which were sent as media type `sent`, if any was named.
    pub fn parse(bytes: &[u8], sent: Option<&MediaType>) -> Result<Self, ManifestRefusal> {
        let object = strict_json::object(bytes).map_err(ManifestRefusal::NotJson)?;
        if has_lookalike(&object, MEMBERS) {
            return Err(ManifestRefusal::Ambiguous);
        }
        if object.get("schemaVersion").and_then(Value::as_u64) != Some(2) {
            return Err(ManifestRefusal::NoSchemaVersion);
        }
        let media_type = media_type(&object, sent)?;
        let contents = match media_type.as_str() {
            OCI_MANIFEST | DOCKER_MANIFEST => image(&object)?,
            OCI_INDEX | DOCKER_LIST => index(&object)?,
            other => return Err(ManifestRefusal::UnsupportedMediaType(other.into())),
        };
        let artifact_type = text(&object, "artifactType").filter(|t| !t.is_empty());
        if artifact_type.is_some_and(|artifact_type| !is_plain(artifact_type)) {
            return Err(ManifestRefusal::BadDescriptor("artifactType".into()));
        }
        let subject = match object.get("subject") {
            None | Some(Value::Null) => None,
            Some(value) => Some(descriptor(value, "subject")?),
        };
        Ok(Self {
            media_type,
            contents,
            subject,
            artifact_type: artifact_type.map(str::to_owned),
            annotations: annotations(&object),
        })
    }

    /// `artifactMediaType` of the ECR API: `artifactType`, else the config's media type.
    pub fn artifact_type(&self) -> Option<&str> {
        let from_config = || match &self.contents {
            Contents::Image { config, .. } => Some(config.media_type.as_str()),
            Contents::Index { .. } => None,
        };
        self.artifact_type.as_deref().or_else(from_config)
    }

    /// Config and layers, each digest once. What of it the repository holds is kept for this
    /// image, foreign layers too.
    pub fn blobs(&self) -> Vec<&Descriptor> {
        match &self.contents {
            Contents::Image { config, layers } => each_once(std::iter::once(config).chain(layers)),
            Contents::Index { .. } => Vec::new(),
        }
    }

    /// Config and layers that the repository has to hold, each digest once.
    pub fn required_blobs(&self) -> Vec<&Descriptor> {
        let mut blobs = self.blobs();
        blobs.retain(|descriptor| !descriptor.is_foreign);
        blobs
    }

    /// The manifests that an index lists, each digest once.
    pub fn children(&self) -> Vec<&Descriptor> {
        match &self.contents {
            Contents::Image { .. } => Vec::new(),
            Contents::Index { children } => each_once(children.iter()),
        }
    }

    /// `imageSizeInBytes` of an image: config and layers. An index takes its largest child
    /// instead, which only the repository knows.
    pub fn image_size_bytes(&self) -> u64 {
        match &self.contents {
            Contents::Image { config, layers } => {
                layers.iter().fold(config.size_bytes, |sum, layer| {
                    sum.saturating_add(layer.size_bytes)
                })
            }
            Contents::Index { .. } => 0,
        }
    }
}

/// The members of a manifest that readers act on.
const MEMBERS: &[&str] = &[
    "schemaVersion",
    "mediaType",
    "artifactType",
    "config",
    "layers",
    "manifests",
    "fsLayers",
    "subject",
    "annotations",
];
/// The members of a descriptor that readers act on.
const DESCRIPTOR_MEMBERS: &[&str] = &["mediaType", "digest", "size", "urls", "artifactType"];

/// Whether a key differs from a member in case only: readers that ignore case would take it.
fn has_lookalike(object: &Map<String, Value>, members: &[&str]) -> bool {
    object.keys().any(|key| {
        let is_like = |member: &&&str| member.eq_ignore_ascii_case(key) && **member != key;
        members.iter().any(|member| is_like(&member))
    })
}

fn each_once<'a>(all: impl Iterator<Item = &'a Descriptor>) -> Vec<&'a Descriptor> {
    let mut seen = HashSet::new();
    all.filter(|descriptor| seen.insert(&descriptor.digest))
        .collect()
}

fn text<'a>(object: &'a Map<String, Value>, member: &str) -> Option<&'a str> {
    object.get(member).and_then(Value::as_str)
}

fn media_type(
    object: &Map<String, Value>,
    sent: Option<&MediaType>,
) -> Result<MediaType, ManifestRefusal> {
    let own = match object.get("mediaType") {
        None | Some(Value::Null) => None,
        Some(Value::String(own)) => Some(MediaType::new(own)),
        Some(_) => return Err(ManifestRefusal::NoMediaType),
    };
    match (own, sent) {
        (None, None) => Err(ManifestRefusal::NoMediaType),
        (Some(own), Some(sent)) if own != *sent => Err(ManifestRefusal::MediaTypeMismatch {
            own: own.to_string(),
            sent: sent.to_string(),
        }),
        (Some(own), _) => Ok(own),
        (None, Some(sent)) => Ok(sent.clone()),
    }
}

fn image(object: &Map<String, Value>) -> Result<Contents, ManifestRefusal> {
    if object.contains_key("manifests") || object.contains_key("fsLayers") {
        return Err(ManifestRefusal::Ambiguous);
    }
    let config = object.get("config").unwrap_or(&Value::Null);
    let layers = descriptors(object, "layers", LAYERS_MAX)?;
    // No address stands in for it: only layers are fetched from elsewhere.
    let config = Descriptor {
        is_foreign: false,
        ..descriptor(config, "config")?
    };
    Ok(Contents::Image { config, layers })
}

fn index(object: &Map<String, Value>) -> Result<Contents, ManifestRefusal> {
    if ["layers", "fsLayers", "config"]
        .iter()
        .any(|member| object.contains_key(*member))
    {
        return Err(ManifestRefusal::Ambiguous);
    }
    Ok(Contents::Index {
        children: descriptors(object, "manifests", CHILDREN_MAX)?,
    })
}

fn descriptors(
    object: &Map<String, Value>,
    member: &str,
    at_most: usize,
) -> Result<Vec<Descriptor>, ManifestRefusal> {
    let Some(Value::Array(list)) = object.get(member) else {
        return Err(ManifestRefusal::BadDescriptor(member.into()));
    };
    if list.len() > at_most {
        return Err(ManifestRefusal::TooManyLayers);
    }
    let parse = |(at, value)| descriptor(value, &format!("{member}[{at}]"));
    list.iter().enumerate().map(parse).collect()
}

fn descriptor(value: &Value, at: &str) -> Result<Descriptor, ManifestRefusal> {
    let bad = || ManifestRefusal::BadDescriptor(at.into());
    let object = value.as_object().ok_or_else(bad)?;
    if has_lookalike(object, DESCRIPTOR_MEMBERS) {
        return Err(bad());
    }
    let media_type = MediaType::new(text(object, "mediaType").ok_or_else(bad)?);
    let digest = Digest::parse(text(object, "digest").ok_or_else(bad)?).map_err(|_| bad())?;
    let size_bytes = object.get("size").and_then(Value::as_u64).ok_or_else(bad)?;
    if size_bytes > i64::MAX as u64 || !is_plain(media_type.as_str()) {
        return Err(bad());
    }
    let has_urls = object
        .get("urls")
        .and_then(Value::as_array)
        .is_some_and(|urls| !urls.is_empty());
    let is_foreign = has_urls
        || media_type.as_str().contains(".nondistributable.")
        || media_type.as_str().contains(".foreign.");
    Ok(Descriptor {
        media_type,
        digest,
        size_bytes,
        is_foreign,
    })
}

/// Media types travel in headers and rest in columns: visible ASCII and blanks only.
fn is_plain(media_type: &str) -> bool {
    !media_type.is_empty()
        && media_type
            .bytes()
            .all(|b| b == b' ' || b.is_ascii_graphic())
}

fn annotations(object: &Map<String, Value>) -> BTreeMap<String, String> {
    let Some(Value::Object(annotations)) = object.get("annotations") else {
        return BTreeMap::new();
    };
    let only_text =
        |(key, value): (&String, &Value)| Some((key.clone(), value.as_str()?.to_owned()));
    annotations.iter().filter_map(only_text).collect()
}

#[cfg(test)]
mod tests;
