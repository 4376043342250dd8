//! The verdicts: pure functions of rows and of what was found under their keys.

use std::collections::BTreeSet;

use roadstead_domain::digest::Digest;
use roadstead_domain::ids::{BlobKey, RepositoryId};
use roadstead_domain::manifest::Manifest;
use roadstead_domain::media_type::MediaType;
use roadstead_store::metadata::{
    InspectedBlob, InspectedImage, InspectedLink, InspectedTag, InspectedUpload,
};

use super::finding::Kind;

/// What is wrong and how.
pub(super) type Fault = (Kind, String);

/// What lies under the key of a blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing.
    Nothing,
    /// So many bytes, which nobody hashed.
    Bytes(u64),
    /// Bytes of this digest.
    Hashed(Digest),
    /// Bytes that cannot be read, and why.
    Unreadable(String),
}

/// A blob row that can be understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ReadableBlob {
    pub(super) key: BlobKey,
    pub(super) digest: Digest,
    pub(super) size_bytes: u64,
}

/// Reads a blob row.
pub(super) fn readable(row: &InspectedBlob) -> Result<ReadableBlob, Fault> {
    let broken = |what: &str| (Kind::RowBroken, format!("its {what} cannot be understood"));
    Ok(ReadableBlob {
        key: BlobKey::parse(&row.key).map_err(|_| broken("key"))?,
        digest: Digest::parse(&row.digest).map_err(|_| broken("digest"))?,
        size_bytes: u64::try_from(row.size_bytes).map_err(|_| broken("size"))?,
    })
}

/// What is wrong with a blob row among the other rows (M3).
pub(super) fn blob_row(row: &InspectedBlob) -> Vec<Fault> {
    let mut faults = Vec::new();
    if !row.has_link {
        faults.push((Kind::BlobUnlinked, "no repository has it".into()));
    }
    if row.is_garbage {
        faults.push((Kind::KeyShared, "its key is garbage as well".into()));
    }
    faults
}

/// What is wrong with the bytes of a blob.
pub(super) fn blob_bytes(blob: &ReadableBlob, found: &Found) -> Option<Fault> {
    match found {
        Found::Nothing => Some((Kind::BlobMissing, "its bytes are gone".into())),
        Found::Bytes(size) if *size != blob.size_bytes => Some((
            Kind::BlobResized,
            format!("{size} bytes, not {}", blob.size_bytes),
        )),
        Found::Bytes(_) => None,
        Found::Hashed(digest) if *digest != blob.digest => {
            Some((Kind::BlobRotten, format!("its bytes are {digest}")))
        }
        Found::Hashed(_) => None,
        Found::Unreadable(why) => Some((Kind::BlobUnreadable, why.clone())),
    }
}

/// What is wrong with an open upload, whose file holds `held` bytes. More is fine: they were not
/// acknowledged yet.
pub(super) fn upload(row: &InspectedUpload, held: u64) -> Vec<Fault> {
    let mut faults = Vec::new();
    if row.is_elsewhere {
        let what = "its key is a blob's or garbage as well";
        faults.push((Kind::KeyShared, what.into()));
    }
    match u64::try_from(row.received_bytes) {
        Err(_) => faults.push((Kind::RowBroken, "its size cannot be understood".into())),
        Ok(received) if held < received => {
            let detail = format!("{held} bytes of {received} that were acknowledged");
            faults.push((Kind::UploadShort, detail));
        }
        Ok(_) => {}
    }
    faults
}

/// What is wrong with an image (M2, M5).
pub(super) fn image(row: &InspectedImage) -> Vec<Fault> {
    let mut faults = Vec::new();
    if row.is_tagged == row.tags.is_empty() {
        let counted = if row.is_tagged { "tagged" } else { "untagged" };
        let detail = format!("it counts as {counted} and has {} tags", row.tags.len());
        faults.push((Kind::TagCountWrong, detail));
    }
    let gone = row.children.iter().filter(|child| !child.is_there);
    faults.extend(gone.map(|child| {
        let detail = format!("it lists {}, which is not there", child.digest);
        (Kind::ChildMissing, detail)
    }));
    match manifest_of(row) {
        Ok(manifest) => faults.extend(edges(row, &manifest)),
        Err(fault) => faults.push(fault),
    }
    faults
}

/// The manifest of an image, if it is what was pushed.
fn manifest_of(row: &InspectedImage) -> Result<Manifest, Fault> {
    let digest = Digest::parse(&row.digest);
    let digest = digest.map_err(|_| {
        let detail = "its digest cannot be understood".to_owned();
        (Kind::RowBroken, detail)
    })?;
    let Some(bytes) = &row.manifest else {
        return Err((Kind::ManifestMissing, "its manifest is gone".into()));
    };
    let found = Digest::of(digest.algorithm(), bytes);
    if found != digest {
        let detail = format!("its manifest is {found}");
        return Err((Kind::ManifestRotten, detail));
    }
    if i64::try_from(bytes.len()) != Ok(row.manifest_size_bytes) {
        let (held, recorded) = (bytes.len(), row.manifest_size_bytes);
        let detail = format!("its manifest has {held} bytes and counts as {recorded}");
        return Err((Kind::ManifestRotten, detail));
    }
    let media_type = MediaType::new(row.media_type.as_str());
    Manifest::parse(bytes, Some(&media_type))
        .map_err(|refusal| (Kind::RowBroken, format!("its manifest: {refusal}")))
}

/// Compares what a manifest names with what is recorded.
fn edges(row: &InspectedImage, manifest: &Manifest) -> Vec<Fault> {
    let mut faults = Vec::new();
    let digests = |named: Vec<&roadstead_domain::manifest::Descriptor>| -> BTreeSet<String> {
        named.iter().map(|one| one.digest.to_string()).collect()
    };
    let recorded: BTreeSet<String> = row.edges.iter().map(|edge| edge.digest.clone()).collect();
    let listed: BTreeSet<String> = row.children.iter().map(|one| one.digest.clone()).collect();
    let pairs = [
        ("blobs", digests(manifest.blobs()), recorded),
        ("manifests", digests(manifest.children()), listed),
    ];
    for (what, named, recorded) in pairs {
        let difference: Vec<&String> = named.symmetric_difference(&recorded).collect();
        if let [first, ..] = difference[..] {
            let count = difference.len();
            let detail =
                format!("{count} of the {what} it names and those recorded differ: {first}");
            faults.push((Kind::EdgesWrong, detail));
        }
    }
    let required = digests(manifest.required_blobs());
    let unlinked = row.edges.iter();
    let unlinked = unlinked.filter(|edge| !edge.has_link && required.contains(&edge.digest));
    faults.extend(unlinked.map(|edge| {
        let detail = format!("its repository cannot read {}", edge.digest);
        (Kind::LinkMissing, detail)
    }));
    faults
}

/// What is wrong with a tag (M1).
pub(super) fn tag(repository: RepositoryId, row: &InspectedTag) -> Option<Fault> {
    match row.image_repository {
        Some(found) if found == repository => None,
        Some(_) => Some((
            Kind::TagAstray,
            "it points to an image of another repository".into(),
        )),
        None => Some((Kind::TagAstray, "it points to no image".into())),
    }
}

/// What is wrong with a link.
pub(super) fn link(row: &InspectedLink) -> Vec<Fault> {
    let mut faults = Vec::new();
    match &row.blob_digest {
        None => faults.push((
            Kind::LinkAstray,
            format!("it leads to no blob: {}", row.key),
        )),
        Some(digest) if *digest != row.digest => {
            faults.push((Kind::LinkAstray, format!("it leads to {digest}")));
        }
        Some(_) => {}
    }
    match (row.has_edge, row.is_unreferenced) {
        (true, true) => faults.push((
            Kind::LinkLoose,
            "an image needs it and the sweep may take it".into(),
        )),
        (false, false) => faults.push((
            Kind::LinkHeld,
            "no image needs it and the sweep never takes it".into(),
        )),
        (true, false) | (false, true) => {}
    }
    faults
}

#[cfg(test)]
mod tests {
    use roadstead_domain::media_type::{OCI_INDEX, OCI_MANIFEST};
    use roadstead_store::metadata::{InspectedChild, InspectedEdge};

    use super::*;

    fn kinds(faults: &[Fault]) -> Vec<Kind> {
        faults.iter().map(|(kind, _)| *kind).collect()
    }

    fn blob() -> ReadableBlob {
        ReadableBlob {
            key: BlobKey::from_random(1),
            digest: Digest::sha256(b"abc"),
            size_bytes: 3,
        }
    }

    #[test]
    fn bytes_are_right_missing_resized_rotten_or_unreadable() {
        let kind = |found| blob_bytes(&blob(), &found).map(|(kind, _)| kind);
        assert_eq!(kind(Found::Bytes(3)), None);
        assert_eq!(kind(Found::Hashed(Digest::sha256(b"abc"))), None);
        assert_eq!(kind(Found::Nothing), Some(Kind::BlobMissing));
        assert_eq!(kind(Found::Bytes(2)), Some(Kind::BlobResized));
        assert_eq!(
            kind(Found::Hashed(Digest::sha256(b"abd"))),
            Some(Kind::BlobRotten)
        );
        assert_eq!(
            kind(Found::Unreadable("EIO".into())),
            Some(Kind::BlobUnreadable)
        );
    }

    #[test]
    fn blob_rows() {
        let row = InspectedBlob {
            key: blob().key.to_string(),
            digest: blob().digest.to_string(),
            size_bytes: 3,
            is_lost: false,
            has_link: true,
            is_garbage: false,
        };
        assert_eq!(readable(&row), Ok(blob()));
        assert_eq!(kinds(&blob_row(&row)), []);
        let alone = InspectedBlob {
            has_link: false,
            is_garbage: true,
            ..row.clone()
        };
        assert_eq!(
            kinds(&blob_row(&alone)),
            [Kind::BlobUnlinked, Kind::KeyShared]
        );
        for broken in [
            InspectedBlob {
                key: "../x".into(),
                ..row.clone()
            },
            InspectedBlob {
                digest: "sha256:x".into(),
                ..row.clone()
            },
            InspectedBlob {
                size_bytes: -1,
                ..row
            },
        ] {
            let fault = readable(&broken).map_err(|(kind, _)| kind);
            assert_eq!(fault, Err(Kind::RowBroken));
        }
    }

    #[test]
    fn uploads_may_hold_more_than_was_acknowledged() {
        let row = InspectedUpload {
            id: "u".into(),
            key: "k".into(),
            received_bytes: 10,
            is_elsewhere: false,
        };
        assert_eq!(kinds(&upload(&row, 10)), []);
        assert_eq!(kinds(&upload(&row, 11)), []);
        assert_eq!(kinds(&upload(&row, 9)), [Kind::UploadShort]);
        let shared = InspectedUpload {
            received_bytes: -1,
            is_elsewhere: true,
            ..row
        };
        assert_eq!(
            kinds(&upload(&shared, 0)),
            [Kind::KeyShared, Kind::RowBroken]
        );
    }

    fn digest(label: &str) -> String {
        Digest::sha256(label.as_bytes()).to_string()
    }

    /// An image of a config and a layer, as it should be.
    fn good() -> InspectedImage {
        let descriptor = |label: &str| {
            serde_json::json!({
                "mediaType": "application/octet-stream", "digest": digest(label), "size": 1,
            })
        };
        let manifest = serde_json::json!({
            "schemaVersion": 2, "mediaType": OCI_MANIFEST,
            "config": descriptor("config"), "layers": [descriptor("layer")],
        });
        let bytes = manifest.to_string().into_bytes();
        let edge = |label: &str| InspectedEdge {
            digest: digest(label),
            has_link: true,
        };
        InspectedImage {
            digest: Digest::sha256(&bytes).to_string(),
            media_type: OCI_MANIFEST.into(),
            manifest_size_bytes: bytes.len() as i64,
            is_tagged: true,
            manifest: Some(bytes),
            tags: vec!["v1".into()],
            edges: vec![edge("config"), edge("layer")],
            children: vec![],
        }
    }

    #[test]
    fn images() {
        assert_eq!(kinds(&image(&good())), []);
        let with = |change: fn(&mut InspectedImage)| {
            let mut changed = good();
            change(&mut changed);
            kinds(&image(&changed))
        };
        assert_eq!(with(|row| row.manifest = None), [Kind::ManifestMissing]);
        let flip = |row: &mut InspectedImage| row.manifest.as_mut().unwrap()[0] ^= 1;
        assert_eq!(with(flip), [Kind::ManifestRotten]);
        assert_eq!(
            with(|row| row.manifest_size_bytes += 1),
            [Kind::ManifestRotten]
        );
        assert_eq!(with(|row| row.digest = "x".into()), [Kind::RowBroken]);
        assert_eq!(with(|row| row.is_tagged = false), [Kind::TagCountWrong]);
        assert_eq!(with(|row| row.tags.clear()), [Kind::TagCountWrong]);
        assert_eq!(with(|row| drop(row.edges.pop())), [Kind::EdgesWrong]);
        assert_eq!(
            with(|row| row.edges[0].digest = digest("other")),
            [Kind::EdgesWrong]
        );
        assert_eq!(
            with(|row| row.edges[1].has_link = false),
            [Kind::LinkMissing]
        );
    }

    #[test]
    fn indexes() {
        let child = serde_json::json!({
            "mediaType": OCI_MANIFEST, "digest": digest("child"), "size": 1,
        });
        let manifest = serde_json::json!({
            "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [child],
        });
        let bytes = manifest.to_string().into_bytes();
        let index = InspectedImage {
            digest: Digest::sha256(&bytes).to_string(),
            media_type: OCI_INDEX.into(),
            manifest_size_bytes: bytes.len() as i64,
            manifest: Some(bytes),
            edges: vec![],
            children: vec![InspectedChild {
                digest: digest("child"),
                is_there: true,
            }],
            ..good()
        };
        assert_eq!(kinds(&image(&index)), []);
        let mut sparse = index.clone();
        sparse.children[0].is_there = false;
        assert_eq!(kinds(&image(&sparse)), [Kind::ChildMissing]);
        let mut unrecorded = index;
        unrecorded.children.clear();
        assert_eq!(kinds(&image(&unrecorded)), [Kind::EdgesWrong]);
    }

    #[test]
    fn tags_and_links() {
        let astray = |image_repository| {
            let row = InspectedTag {
                tag: "v1".into(),
                image_repository,
            };
            tag(RepositoryId(1), &row).is_some()
        };
        assert!(!astray(Some(RepositoryId(1))));
        assert!(astray(Some(RepositoryId(2))) && astray(None));
        let row = InspectedLink {
            digest: digest("layer"),
            key: "k".into(),
            blob_digest: Some(digest("layer")),
            is_unreferenced: false,
            has_edge: true,
        };
        assert_eq!(kinds(&link(&row)), []);
        let with = |change: fn(&mut InspectedLink)| {
            let mut changed = row.clone();
            change(&mut changed);
            kinds(&link(&changed))
        };
        assert_eq!(with(|row| row.is_unreferenced = true), [Kind::LinkLoose]);
        assert_eq!(with(|row| row.has_edge = false), [Kind::LinkHeld]);
        assert_eq!(with(|row| row.blob_digest = None), [Kind::LinkAstray]);
        let other = |row: &mut InspectedLink| row.blob_digest = Some(digest("other"));
        assert_eq!(with(other), [Kind::LinkAstray]);
    }
}
