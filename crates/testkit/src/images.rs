//! Small images with content of their own.

use bytes::Bytes;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// A manifest and what names it.
#[derive(Debug, Clone)]
pub struct Artifact {
    /// The media type.
    pub media_type: String,
    /// The exact bytes.
    pub bytes: Bytes,
    /// Their digest.
    pub digest: String,
}

impl Artifact {
    /// A manifest of these bytes.
    pub fn new(media_type: &str, json: &Value) -> Self {
        let bytes = Bytes::from(json.to_string());
        Self {
            media_type: media_type.into(),
            digest: digest(&bytes),
            bytes,
        }
    }

    /// The bytes as text, as PutImage takes them.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.bytes).expect("JSON is text")
    }
}

/// An image with its blobs.
#[derive(Debug, Clone)]
pub struct Layout {
    /// Config and layers.
    pub blobs: Vec<Bytes>,
    /// The manifest.
    pub manifest: Artifact,
}

/// The OCI image manifest's media type.
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// The OCI index's media type.
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// `sha256:` and hex.
pub fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

impl Layout {
    /// An OCI image whose config and only layer hold `content`.
    pub fn image(content: &str) -> Self {
        Self::of(content, vec![Bytes::from(format!("layer of {content}"))])
    }

    /// An OCI image of these layers.
    pub fn of(content: &str, layers: Vec<Bytes>) -> Self {
        let config = Bytes::from(
            json!({ "architecture": "amd64", "os": "linux", "comment": content }).to_string(),
        );
        let describe = |media_type: &str, bytes: &Bytes| json!({ "mediaType": media_type, "digest": digest(bytes), "size": bytes.len() });
        let layer_type = "application/vnd.oci.image.layer.v1.tar+gzip";
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": describe("application/vnd.oci.image.config.v1+json", &config),
            "layers": layers.iter().map(|layer| describe(layer_type, layer)).collect::<Vec<_>>(),
        });
        let mut blobs = vec![config];
        blobs.extend(layers);
        Self {
            blobs,
            manifest: Artifact::new(OCI_MANIFEST, &manifest),
        }
    }

    /// The same image as an artifact that refers to `subject`.
    pub fn referring_to(mut self, subject: &Artifact, artifact_type: &str) -> Self {
        let mut manifest: Value = serde_json::from_slice(&self.manifest.bytes).expect("JSON");
        manifest["artifactType"] = artifact_type.into();
        manifest["subject"] = json!({
            "mediaType": subject.media_type, "digest": subject.digest, "size": subject.bytes.len(),
        });
        self.manifest = Artifact::new(OCI_MANIFEST, &manifest);
        self
    }
}

/// An OCI index of manifests.
pub fn index(children: &[&Artifact]) -> Artifact {
    let describe = |(n, child): (usize, &&Artifact)| {
        json!({
            "mediaType": child.media_type,
            "digest": child.digest,
            "size": child.bytes.len(),
            "platform": { "os": "linux", "architecture": (["amd64", "arm64", "riscv64"])[n % 3] },
        })
    };
    let manifests: Vec<Value> = children.iter().enumerate().map(describe).collect();
    Artifact::new(
        OCI_INDEX,
        &json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests }),
    )
}
