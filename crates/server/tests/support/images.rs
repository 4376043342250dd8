//! Images made by hand: tar layers, configurations, manifests and indexes as the OCI image
//! specification 1.1 has them, and OCI layout folders for skopeo.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// Bytes and their digest.
#[derive(Clone, Debug)]
pub struct Blob {
    pub digest: String,
    pub bytes: Vec<u8>,
}

impl Blob {
    pub fn new(bytes: Vec<u8>) -> Self {
        let digest = digest_of(&bytes);
        Self { digest, bytes }
    }

    fn descriptor(&self, media_type: &str) -> Value {
        json!({"mediaType": media_type, "digest": self.digest, "size": self.bytes.len()})
    }
}

/// An image of one platform.
#[derive(Clone, Debug)]
pub struct Image {
    pub config: Blob,
    pub layers: Vec<Blob>,
    pub manifest: Blob,
    architecture: &'static str,
}

impl Image {
    /// An image whose layer holds the one file `hello` with 64 KiB that follow from `seed`.
    pub fn new(seed: &str, architecture: &'static str) -> Self {
        Self::of_layers(&[seed], architecture)
    }

    /// An image of a layer of that kind for each seed; its label is the last of them.
    pub fn of_layers(seeds: &[&str], architecture: &'static str) -> Self {
        let layer = |seed: &&str| Blob::new(tar_of("hello", &content(seed, 64 * 1024)));
        let layers: Vec<Blob> = seeds.iter().map(layer).collect();
        let ids: Vec<&str> = layers.iter().map(|one| one.digest.as_str()).collect();
        let config = json!({
            "architecture": architecture,
            "os": "linux",
            "rootfs": {"type": "layers", "diff_ids": ids},
            "config": {"Labels": {"seed": seeds.last()}},
        });
        let config = Blob::new(config.to_string().into_bytes());
        let described: Vec<Value> = layers.iter().map(|one| one.descriptor(LAYER)).collect();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": config.descriptor(CONFIG),
            "layers": described,
        });
        let manifest = Blob::new(manifest.to_string().into_bytes());
        Self {
            config,
            layers,
            manifest,
            architecture,
        }
    }

    /// What a registry stores as blobs: not the manifest.
    pub fn blobs(&self) -> Vec<&Blob> {
        [&self.config].into_iter().chain(&self.layers).collect()
    }

    /// The manifest's digest, which is the image's.
    pub fn digest(&self) -> &str {
        &self.manifest.digest
    }
}

/// An index over images, one for each platform.
pub fn index_of(images: &[Image]) -> Blob {
    let manifests: Vec<Value> = images
        .iter()
        .map(|image| {
            let mut descriptor = image.manifest.descriptor(MANIFEST);
            descriptor["platform"] = json!({"os": "linux", "architecture": image.architecture});
            descriptor
        })
        .collect();
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests});
    Blob::new(index.to_string().into_bytes())
}

/// Writes an OCI layout that holds `index` under `name`, and everything below it.
pub fn write_layout(folder: &Path, name: &str, index: &Blob, images: &[Image]) {
    let blobs = folder.join("blobs/sha256");
    fs::create_dir_all(&blobs).expect("a layout folder");
    let below = images
        .iter()
        .flat_map(|image| image.blobs().into_iter().chain([&image.manifest]));
    for blob in below.chain([index]) {
        let hex = blob.digest.trim_start_matches("sha256:");
        fs::write(blobs.join(hex), &blob.bytes).expect("a blob file");
    }
    let mut entry = index.descriptor(INDEX);
    entry["annotations"] = json!({"org.opencontainers.image.ref.name": name});
    let top = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]});
    fs::write(folder.join("index.json"), top.to_string()).expect("the top index");
    let version = json!({"imageLayoutVersion": "1.0.0"});
    fs::write(folder.join("oci-layout"), version.to_string()).expect("the layout version");
}

/// How often each of these digests lies as a file below `folder`, whatever its name there.
pub fn stored_copies(folder: &Path, digests: &[&str]) -> BTreeMap<String, usize> {
    let mut copies: BTreeMap<String, usize> = digests
        .iter()
        .map(|digest| ((*digest).to_owned(), 0))
        .collect();
    let mut open = vec![folder.to_path_buf()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if let Ok(bytes) = fs::read(&path)
                && let Some(count) = copies.get_mut(&digest_of(&bytes))
            {
                *count += 1;
            }
        }
    }
    copies
}

/// `sha256:` and the lower-case hexadecimal digest.
pub fn digest_of(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

/// Incompressible bytes that follow from a seed.
pub fn content(seed: &str, length: usize) -> Vec<u8> {
    let blocks = (0_u64..).flat_map(|block| {
        let hash = Sha256::digest(format!("{seed} {block}"));
        <[u8; 32]>::from(hash)
    });
    blocks.take(length).collect()
}

/// A tar archive (POSIX ustar) of one file.
fn tar_of(name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut header = [0_u8; 512];
    let mut put =
        |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, name);
    put(100, "0000644\0");
    put(108, "0000000\0");
    put(116, "0000000\0");
    put(124, &format!("{:011o}\0", bytes.len()));
    put(136, "00000000000\0");
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\u{0}00");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut archive = header.to_vec();
    archive.extend_from_slice(bytes);
    // Padding to whole blocks, then two empty ones.
    archive.resize(archive.len().next_multiple_of(512) + 1024, 0);
    archive
}
