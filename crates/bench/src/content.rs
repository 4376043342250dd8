//! Blobs and manifests that are a function of a seed and a number: no two are alike, and both ends
//! of a comparison get the same.

use std::sync::Arc;

use roadstead_domain::digest::Digest;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const BLOCK_BYTES: usize = 1024 * 1024;
/// Layers of each manifest, as an ordinary image has.
pub const LAYERS: u64 = 4;
pub const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";

/// Bytes that do not compress, the same each time (xorshift64).
pub fn block() -> Arc<[u8]> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut block = Vec::with_capacity(BLOCK_BYTES);
    while block.len() < BLOCK_BYTES {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        block.extend_from_slice(&state.to_le_bytes());
    }
    block.into()
}

/// One blob: 16 bytes of its own, then the block over and over.
#[derive(Debug, Clone)]
pub struct Blob {
    pub digest: String,
    pub size: usize,
    pub own: [u8; 16],
    block: Arc<[u8]>,
}

impl Blob {
    pub fn new(block: &Arc<[u8]>, seed: u64, number: u64, size: usize) -> Self {
        let mut own = [0; 16];
        own[..8].copy_from_slice(&seed.to_be_bytes());
        own[8..].copy_from_slice(&number.to_be_bytes());
        let mut blob = Self {
            digest: String::new(),
            size,
            own,
            block: block.clone(),
        };
        let mut hash = Sha256::new();
        for piece in blob.pieces() {
            hash.update(piece);
        }
        blob.digest = Digest::from_sha256(&hash.finalize()).to_string();
        blob
    }

    /// The bytes in order.
    pub fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let head = &self.own[..self.own.len().min(self.size)];
        let rest = self.size - head.len();
        let whole = std::iter::repeat_n(&self.block[..], rest / self.block.len());
        let last = &self.block[..rest % self.block.len()];
        let all = std::iter::once(head).chain(whole).chain([last]);
        all.filter(|piece| !piece.is_empty())
    }
}

/// The blobs that every manifest of [`manifest`] names: a configuration and the layers.
pub fn parts(block: &Arc<[u8]>) -> Vec<Blob> {
    (0..=LAYERS).map(|n| Blob::new(block, 0, n, 1024)).collect()
}

/// A manifest over those blobs.
pub fn manifest(parts: &[Blob], seed: u64, number: u64) -> String {
    let descriptor = |blob: &Blob, kind: &str| -> Value {
        json!({ "mediaType": kind, "digest": blob.digest, "size": blob.size })
    };
    let layer = "application/vnd.oci.image.layer.v1.tar+gzip";
    let layers: Vec<Value> = parts[1..].iter().map(|p| descriptor(p, layer)).collect();
    json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": descriptor(&parts[0], "application/vnd.oci.image.config.v1+json"),
        "layers": layers,
        "annotations": { "org.example.build": format!("{seed}-{number}") },
    })
    .to_string()
}

/// The digest of a text.
pub fn digest(text: &str) -> String {
    Digest::sha256(text.as_bytes()).to_string()
}
