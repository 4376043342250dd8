//! The reference registry: plain maps, the rules of ecr.md sections 4 and 5 written a second time,
//! and nothing of the server.

use std::collections::{BTreeMap, BTreeSet};

use roadstead_domain::time::{Span, Timestamp};
use serde_json::{Value, json};

/// Filters of the modes with exclusions match this prefix.
pub const EXCLUDED: &str = "dev-";
const GRACE: Span = Span::hours(1);
const EXPIRY: Span = Span::hours(24);

/// A manifest as far as the rules care.
#[derive(Debug, Clone)]
pub struct Thing {
    pub digest: String,
    pub blobs: Vec<String>,
    pub children: Vec<String>,
}

#[derive(Debug, Default)]
struct Repository {
    incarnation: u64,
    mode: usize,
    images: BTreeMap<String, Thing>,
    /// In the order of attachment.
    tags: Vec<(String, String)>,
    /// Blobs, with the time since when no image refers to them.
    links: BTreeMap<String, Option<Timestamp>>,
}

/// One entry of a deletion: digest, tag.
pub type Entry = (Option<String>, Option<String>);

/// The registry that the server is compared with.
#[derive(Debug, Default)]
pub struct Reference {
    repositories: BTreeMap<String, Repository>,
    made: u64,
    uploads: Vec<(String, u64, Timestamp)>,
}

/// A status on `/v2` and a code on the API; an empty code is success.
pub type Told = (u16, &'static str);

const NO_REPOSITORY: Told = (404, "RepositoryNotFoundException");

impl Repository {
    fn tagged(&self, tag: &str) -> Option<String> {
        let found = self.tags.iter().find(|(name, _)| name == tag);
        found.map(|(_, digest)| digest.clone())
    }

    fn tags_of(&self, digest: &str) -> Vec<String> {
        let of = self.tags.iter().filter(|(_, target)| target == digest);
        of.map(|(name, _)| name.clone()).collect()
    }

    fn is_listed(&self, digest: &str) -> bool {
        let mut images = self.images.values();
        images.any(|image| image.children.iter().any(|child| child == digest))
    }

    fn may_move(&self, tag: &str) -> bool {
        let is_excluded = tag.starts_with(EXCLUDED);
        [true, false, is_excluded, !is_excluded][self.mode]
    }

    fn remove_image(&mut self, digest: &str, now: Timestamp) -> Result<Vec<Value>, &'static str> {
        if self.is_listed(digest) {
            return Err("ImageReferencedByManifestList");
        }
        let gone = self.images.remove(digest).ok_or("ImageNotFound")?;
        for blob in gone.blobs {
            let mut left = self.images.values();
            if !left.any(|image| image.blobs.contains(&blob)) {
                self.links.insert(blob, Some(now));
            }
        }
        let tags = self.tags_of(digest);
        self.tags.retain(|(_, target)| target != digest);
        if tags.is_empty() {
            return Ok(vec![json!({ "imageDigest": digest })]);
        }
        let pair = |tag| json!({ "imageDigest": digest, "imageTag": tag });
        Ok(tags.into_iter().map(pair).collect())
    }

    fn remove_tag(&mut self, tag: &str, now: Timestamp) -> Result<Vec<Value>, &'static str> {
        let digest = self.tagged(tag).ok_or("ImageNotFound")?;
        if self.tags_of(&digest).len() == 1 {
            return self.remove_image(&digest, now);
        }
        self.tags.retain(|(name, _)| name != tag);
        Ok(vec![json!({ "imageDigest": digest, "imageTag": tag })])
    }

    fn delete(&mut self, entry: &Entry, now: Timestamp) -> Result<Vec<Value>, &'static str> {
        match entry {
            (None, None) => Err("MissingDigestAndTag"),
            (Some(digest), _) if !digest.contains(':') => Err("InvalidImageDigest"),
            (_, Some(tag)) if tag.contains('!') => Err("InvalidImageTag"),
            (Some(digest), None) => self.remove_image(digest, now),
            (None, Some(tag)) => self.remove_tag(tag, now),
            (Some(digest), Some(tag)) => match self.tagged(tag) {
                None => Err("ImageNotFound"),
                Some(target) if target != *digest => Err("ImageTagDoesNotMatchDigest"),
                Some(_) => self.remove_tag(tag, now),
            },
        }
    }

    fn touch(&mut self, blob: &str, now: Timestamp) -> bool {
        match self.links.get_mut(blob) {
            Some(since) => {
                *since = since.map(|_| now);
                true
            }
            None => false,
        }
    }
}

impl Reference {
    fn of(&mut self, name: &str) -> Option<&mut Repository> {
        self.repositories.get_mut(name)
    }

    pub fn create(&mut self, name: &str) -> Told {
        if self.repositories.contains_key(name) {
            return (0, "RepositoryAlreadyExistsException");
        }
        self.made += 1;
        let incarnation = self.made;
        let repository = Repository {
            incarnation,
            ..Repository::default()
        };
        self.repositories.insert(name.into(), repository);
        (0, "")
    }

    pub fn remove(&mut self, name: &str, force: bool) -> Told {
        match self.of(name) {
            None => NO_REPOSITORY,
            Some(found) if !force && !found.images.is_empty() => (0, "RepositoryNotEmptyException"),
            Some(_) => {
                self.repositories.remove(name);
                (0, "")
            }
        }
    }

    pub fn set_mode(&mut self, name: &str, mode: usize) -> Told {
        match self.of(name) {
            None => NO_REPOSITORY,
            Some(found) => {
                found.mode = mode;
                (0, "")
            }
        }
    }

    /// A blob arrives: it is there afterwards, and the API says so if it was before.
    pub fn push(&mut self, name: &str, blob: &str, now: Timestamp) -> Told {
        let Some(found) = self.of(name) else {
            return NO_REPOSITORY;
        };
        if found.touch(blob, now) {
            return (201, "LayerAlreadyExistsException");
        }
        found.links.insert(blob.into(), Some(now));
        (201, "")
    }

    pub fn has_blob(&mut self, name: &str, blob: &str, now: Timestamp) -> Told {
        match self.of(name) {
            None => NO_REPOSITORY,
            Some(found) => match found.links.get(blob) {
                None => (404, "UNAVAILABLE"),
                // Only asking after an eighth of the grace renews it (decisions/0003).
                Some(Some(since)) if *since + Span(GRACE.0 / 8) > now => (200, "AVAILABLE"),
                Some(_) => {
                    found.touch(blob, now);
                    (200, "AVAILABLE")
                }
            },
        }
    }

    pub fn mount(&mut self, from: &str, to: &str, blob: &str, now: Timestamp) -> Told {
        let mut sources = self.repositories.get(from).into_iter();
        let is_there = sources.any(|source| source.links.contains_key(blob));
        match self.of(to) {
            None => NO_REPOSITORY,
            Some(_) if is_there => self.push(to, blob, now),
            Some(_) => (202, ""),
        }
    }

    pub fn put(&mut self, name: &str, thing: &Thing, tag: Option<&str>) -> Told {
        let Some(found) = self.of(name) else {
            return NO_REPOSITORY;
        };
        let is_there = found.images.contains_key(&thing.digest);
        let lacks = |blob: &String| !found.links.contains_key(blob);
        let lacks_child = |child: &String| !found.images.contains_key(child);
        if !is_there && thing.blobs.iter().any(lacks) {
            return (400, "LayersNotFoundException");
        }
        if !is_there && thing.children.iter().any(lacks_child) {
            return (400, "ReferencedImagesNotFoundException");
        }
        let target = tag.and_then(|tag| found.tagged(tag));
        if tag.is_some_and(|tag| target.is_some() && !found.may_move(tag)) {
            return (400, "ImageTagAlreadyExistsException");
        }
        let changes_nothing = match tag {
            None => is_there,
            Some(_) => target.as_ref() == Some(&thing.digest),
        };
        if changes_nothing {
            return (201, "ImageAlreadyExistsException");
        }
        if !is_there {
            for blob in &thing.blobs {
                found.links.insert(blob.clone(), None);
            }
            found.images.insert(thing.digest.clone(), thing.clone());
        }
        if let Some(tag) = tag {
            found.tags.retain(|(name, _)| name != tag);
            found.tags.push((tag.into(), thing.digest.clone()));
        }
        (201, "")
    }

    /// The answer of BatchDeleteImage, reasons left out; none without the repository.
    pub fn delete(&mut self, name: &str, entries: &[Entry], now: Timestamp) -> Option<Value> {
        let found = self.of(name)?;
        let (mut removed, mut failures) = (Vec::new(), Vec::new());
        for entry in entries {
            match found.delete(entry, now) {
                Ok(pairs) => removed.extend(pairs),
                Err(code) => failures.push(json!([code, entry_json(entry)])),
            }
        }
        Some(json!({ "imageIds": removed, "failures": failures }))
    }

    pub fn open_upload(&mut self, name: &str, now: Timestamp) -> Told {
        let Some(found) = self.of(name) else {
            return NO_REPOSITORY;
        };
        let upload = (name.to_owned(), found.incarnation, now + EXPIRY);
        self.uploads.push(upload);
        (202, "")
    }

    /// Ends the nth upload, once: the repository if it is still open.
    pub fn end_upload(&mut self, n: usize, now: Timestamp) -> Option<String> {
        let (name, incarnation, expires_at) = self.uploads[n].clone();
        self.uploads[n].2 = Timestamp(0);
        let found = self.of(&name)?;
        (found.incarnation == incarnation && expires_at >= now).then_some(name)
    }

    pub fn uploads(&self) -> usize {
        self.uploads.len()
    }

    /// Removes what is due: how many different blobs are left.
    pub fn sweep(&mut self, now: Timestamp) -> usize {
        let mut left = BTreeSet::new();
        for repository in self.repositories.values_mut() {
            let is_kept =
                |_: &String, since: &mut Option<Timestamp>| since.is_none_or(|t| t >= now - GRACE);
            repository.links.retain(is_kept);
            left.extend(repository.links.keys().cloned());
        }
        left.len()
    }

    pub fn names(&self) -> Vec<String> {
        self.repositories.keys().cloned().collect()
    }

    /// Every image with its tags in the order of attachment.
    pub fn described(&self, name: &str) -> BTreeMap<String, Vec<String>> {
        let found = &self.repositories[name];
        let images = found.images.keys();
        images
            .map(|digest| (digest.clone(), found.tags_of(digest)))
            .collect()
    }

    /// All pairs as `digest tag`, sorted.
    pub fn listed(&self, name: &str) -> Vec<String> {
        let found = &self.repositories[name];
        let pair = |(tag, digest): &(String, String)| format!("{digest} {tag}");
        let mut pairs: Vec<String> = found.tags.iter().map(pair).collect();
        let untagged = found
            .images
            .keys()
            .filter(|one| found.tags_of(one).is_empty());
        pairs.extend(untagged.map(|digest| format!("{digest} ")));
        pairs.sort();
        pairs
    }
}

/// An entry as the API takes it.
pub fn entry_json((digest, tag): &Entry) -> Value {
    let mut id = json!({});
    if let Some(digest) = digest {
        id["imageDigest"] = digest.as_str().into();
    }
    if let Some(tag) = tag {
        id["imageTag"] = tag.as_str().into();
    }
    id
}
