//! Media types of manifests (OCI image-spec; Docker image manifest v2 schema 2).

use std::fmt;

/// A media type as it was sent, without parameters.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct MediaType(Box<str>);

/// OCI image manifest.
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// OCI image index.
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// Docker image manifest, schema 2.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Docker manifest list.
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

impl MediaType {
    /// Takes the part before any `;`, trimmed.
    pub fn new(text: &str) -> Self {
        Self(text.split(';').next().unwrap_or_default().trim().into())
    }

    /// The text without parameters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
