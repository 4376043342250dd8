//! Manifests. The first byte chooses the media type that the bytes are sent as.

use std::collections::HashSet;

use roadstead_domain::limits::{CHILDREN_MAX, LAYERS_MAX};
use roadstead_domain::manifest::{Contents, Descriptor, Manifest};
use roadstead_domain::media_type::{
    DOCKER_LIST, DOCKER_MANIFEST, MediaType, OCI_INDEX, OCI_MANIFEST,
};
use serde_json::Value;

/// What is taken is what any reader of JSON finds there, within the limits, and is taken again
/// when it is printed anew.
pub fn check(data: &[u8]) {
    let (choice, bytes) = crate::choice(data);
    let kinds = [OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST];
    let sent = kinds.get(choice % 5).copied().map(MediaType::new);
    let Ok(manifest) = Manifest::parse(bytes, sent.as_ref()) else {
        return;
    };
    if let Some(sent) = &sent {
        assert_eq!(manifest.media_type, *sent);
    }
    let own = Some(&manifest.media_type);
    assert_eq!(Manifest::parse(bytes, own).as_ref(), Ok(&manifest));
    let value: Value = serde_json::from_slice(bytes).expect("JSON to any reader");
    let printed = value.to_string();
    assert_eq!(
        Manifest::parse(printed.as_bytes(), own).as_ref(),
        Ok(&manifest)
    );

    match &manifest.contents {
        Contents::Image { config, layers } => {
            assert!(value.get("manifests").is_none());
            assert!(layers.len() <= LAYERS_MAX);
            is_as_written(config, &value["config"]);
            for (layer, written) in layers
                .iter()
                .zip(value["layers"].as_array().expect("layers"))
            {
                is_as_written(layer, written);
            }
            assert!(manifest.children().is_empty());
        }
        Contents::Index { children } => {
            assert!(value.get("layers").is_none() && value.get("config").is_none());
            assert!(children.len() <= CHILDREN_MAX);
            let all = value["manifests"].as_array().expect("manifests");
            for (child, written) in children.iter().zip(all) {
                is_as_written(child, written);
            }
            assert!(manifest.blobs().is_empty());
        }
    }
    for listed in [manifest.blobs(), manifest.children()] {
        let distinct: HashSet<_> = listed.iter().map(|one| &one.digest).collect();
        assert_eq!(distinct.len(), listed.len());
    }
    assert!(manifest.required_blobs().len() <= manifest.blobs().len());
    for blob in manifest.blobs() {
        assert!(
            blob.size_bytes <= manifest.image_size_bytes(),
            "no sum overflows"
        );
    }
    if let Some(subject) = &manifest.subject {
        is_as_written(subject, &value["subject"]);
    }
}

fn is_as_written(descriptor: &Descriptor, written: &Value) {
    assert_eq!(written["digest"], descriptor.digest.as_str());
    assert_eq!(written["size"].as_u64(), Some(descriptor.size_bytes));
    assert!(i64::try_from(descriptor.size_bytes).is_ok());
}
