//! Images of layers that are all different, made from a seed.

use std::fmt;

use bytes::Bytes;
use roadstead_testkit::Layout;
use roadstead_testkit::images::digest;

/// Longest layer, bytes.
const LAYER_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Layers of an image.
const LAYERS: u64 = 2;

/// What one client pushes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    /// Images.
    pub images: u64,
    /// Bytes of each of their layers.
    pub layer_bytes: u64,
}

impl Plan {
    /// Images that hold about as many bytes together.
    pub(super) fn of(bytes: u64) -> Self {
        let images = bytes.div_ceil(LAYERS * LAYER_BYTES_MAX).max(2);
        Self {
            images,
            layer_bytes: (bytes / (images * LAYERS)).max(1),
        }
    }
}

/// What is known of an image that was pushed.
#[derive(Debug, Clone)]
pub(super) struct Image {
    /// Its repository.
    pub repository: String,
    /// The digest of its manifest.
    pub digest: String,
    /// The digests and lengths of its layers.
    pub layers: Vec<(String, u64)>,
    /// The digest of its configuration.
    pub config: String,
}

impl Image {
    pub(super) fn of(repository: &str, layout: &Layout) -> Self {
        let (config, layers) = (&layout.blobs[0], &layout.blobs[1..]);
        Self {
            repository: repository.to_owned(),
            digest: layout.manifest.digest.clone(),
            layers: layers
                .iter()
                .map(|bytes| (digest(bytes), bytes.len() as u64))
                .collect(),
            config: digest(config),
        }
    }

    /// Bytes of its layers.
    pub(super) fn bytes(&self) -> u64 {
        self.layers.iter().map(|(_, bytes)| bytes).sum()
    }

    /// Where its manifest is.
    pub(super) fn manifest(&self) -> Vec<String> {
        vec![format!("/v2/{}/manifests/{}", self.repository, self.digest)]
    }

    /// Where its manifest and blobs are.
    pub(super) fn paths(&self) -> Vec<String> {
        let layers = self.layers.iter().map(|(digest, _)| digest);
        let blobs = layers.chain([&self.config]);
        let blobs = blobs.map(|digest| format!("/v2/{}/blobs/{digest}", self.repository));
        self.manifest().into_iter().chain(blobs).collect()
    }
}

impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.repository, self.digest)
    }
}

/// The image of a seed.
pub(super) fn layout(seed: u64, plan: Plan) -> Layout {
    let layers = (0..LAYERS).map(|number| noise(seed ^ (number << 60), plan.layer_bytes));
    Layout::of(&format!("load {seed}"), layers.collect())
}

/// Bytes without any order (SplitMix64).
fn noise(seed: u64, bytes: u64) -> Bytes {
    let mut state = seed;
    let mut noise = Vec::with_capacity(bytes as usize + 8);
    while (noise.len() as u64) < bytes {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        noise.extend_from_slice(&(word ^ (word >> 31)).to_le_bytes());
    }
    noise.truncate(bytes as usize);
    noise.into()
}
