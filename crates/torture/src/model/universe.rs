//! Everything that a run can push: few blobs, images that share them, signatures, and indexes of
//! images and of indexes.

use std::collections::BTreeMap;

use bytes::Bytes;
use roadstead_testkit::images::{self, Artifact, Layout, index};
use roadstead_testkit::random::bytes_of;

/// A manifest as far as the rules care.
#[derive(Debug, Clone)]
pub struct Thing {
    /// Its digest.
    pub digest: String,
    /// The blobs that it needs.
    pub blobs: Vec<String>,
    /// The images that it lists.
    pub children: Vec<String>,
    /// The image that it refers to.
    pub subject: Option<String>,
}

/// See the module.
pub struct Universe {
    /// The blobs.
    pub blobs: Vec<Bytes>,
    /// The manifests.
    pub artifacts: Vec<Artifact>,
    /// What the rules see of them, in the same order.
    pub things: Vec<Thing>,
}

/// How many of the first manifests are plain images.
const IMAGES: usize = 5;

impl Universe {
    /// The one that there is.
    pub fn new() -> Self {
        let layers: Vec<_> = (0..4)
            .map(|n| bytes_of(&format!("layer {n}"), 400))
            .collect();
        let mut layouts: Vec<(Layout, Option<String>)> = (0..IMAGES)
            .map(|n| {
                let two = vec![layers[n % 4].clone(), layers[(n + 1) % 4].clone()];
                (Layout::of(&format!("config {}", n / 2), two), None)
            })
            .collect();
        // Signatures of the first two images, and one of a signature.
        for n in 0..3 {
            let signature = Layout::of(&format!("config {}", n % 2), vec![layers[n].clone()]);
            let subject = layouts[[0, 1, IMAGES][n]].0.manifest.clone();
            let signature = signature.referring_to(&subject, "test/signature");
            layouts.push((signature, Some(subject.digest)));
        }
        let mut universe = Self {
            blobs: Vec::new(),
            artifacts: Vec::new(),
            things: Vec::new(),
        };
        for (layout, subject) in layouts {
            let named = layout.blobs.iter().map(|blob| images::digest(blob));
            universe.add(layout.manifest, named.collect(), &[], subject);
            for blob in layout.blobs {
                if !universe.blobs.contains(&blob) {
                    universe.blobs.push(blob);
                }
            }
        }
        // The third lists an index, the last two share a member with others.
        for children in [vec![0, 1], vec![1, 2, 5], vec![8], vec![3, 9], vec![11, 0]] {
            let all: Vec<&Artifact> = children.iter().map(|n| &universe.artifacts[*n]).collect();
            let list = index(&all);
            let named: Vec<String> = all.iter().map(|one| one.digest.clone()).collect();
            universe.add(list, vec![], &named, None);
        }
        universe
    }

    fn add(
        &mut self,
        artifact: Artifact,
        blobs: Vec<String>,
        children: &[String],
        subject: Option<String>,
    ) {
        self.things.push(Thing {
            digest: artifact.digest.clone(),
            blobs,
            children: children.to_vec(),
            subject,
        });
        self.artifacts.push(artifact);
    }

    /// A manifest behind all that it lists.
    pub fn with_members(&self, a: usize) -> Vec<usize> {
        let (mut order, mut left) = (Vec::new(), vec![a]);
        while let Some(one) = left.pop() {
            order.insert(0, one);
            let is_member = |other: &usize| {
                let digest = &self.things[*other].digest;
                self.things[one].children.contains(digest)
            };
            left.extend((0..self.things.len()).filter(is_member));
        }
        order
    }

    /// The blobs by digest.
    pub fn blobs_by_digest(&self) -> BTreeMap<String, Bytes> {
        let named = |blob: &Bytes| (images::digest(blob), blob.clone());
        self.blobs.iter().map(named).collect()
    }
}
