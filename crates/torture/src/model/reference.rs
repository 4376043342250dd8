//! The reference registry: plain maps, the rules of deletion, tags, grace and undelete written a
//! second time, and nothing of the server.

use std::collections::{BTreeMap, BTreeSet};

use roadstead_domain::time::{Span, Timestamp};
use serde_json::{Value, json};

use super::lifecycle;
use super::universe::Thing;

/// Filters of the modes with exclusions match this prefix.
pub const EXCLUDED: &str = "dev-";
const GRACE: Span = Span::hours(1);
const EXPIRY: Span = Span::hours(24);

/// A stored manifest.
#[derive(Debug, Clone)]
pub struct Image {
    /// What it is.
    pub thing: Thing,
    /// When it came.
    pub pushed_at: Timestamp,
    /// The how manieth push.
    pub number: u64,
    /// When it was brought back.
    pub activated_at: Option<Timestamp>,
    /// Since when its subject is gone.
    pub orphaned_at: Option<Timestamp>,
}

/// A deleted image that can be brought back.
#[derive(Debug)]
struct Deleted {
    image: Image,
    tags: Vec<String>,
    kept_until: Timestamp,
}

/// A repository.
#[derive(Debug, Default)]
pub struct Repository {
    name: String,
    incarnation: u64,
    deleted_at: Option<Timestamp>,
    mode: usize,
    policy: Option<usize>,
    /// The images by digest.
    pub images: BTreeMap<String, Image>,
    deleted: Vec<Deleted>,
    /// In the order of attachment.
    tags: Vec<(String, String)>,
    /// Blobs, with the time since when no image refers to them.
    links: BTreeMap<String, Option<Timestamp>>,
}

/// An upload.
#[derive(Debug)]
struct Upload {
    incarnation: u64,
    received: usize,
    expires_at: Timestamp,
}

/// One entry of a deletion: digest, tag.
pub type Entry = (Option<String>, Option<String>);

/// What happened, so that a run which tries nothing is seen.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    /// Images stored.
    pub stored: u64,
    /// Images deleted, by whatever way.
    pub removed: u64,
    /// Deletions refused because an index lists the image.
    pub held: u64,
    /// Images brought back.
    pub undeleted: u64,
}

/// The registry that the server is compared with.
#[derive(Debug)]
pub struct Reference {
    /// What happened to it.
    pub counts: Counts,
    /// Live and deleted ones, in the order of their making.
    repositories: Vec<Repository>,
    made: u64,
    pushed: u64,
    window: Option<Span>,
    uploads: Vec<Option<Upload>>,
}

/// A status on `/v2` and a code on the API; an empty code is success.
pub type Told = (u16, &'static str);

const DONE: Told = (200, "");
const NO_REPOSITORY: Told = (404, "RepositoryNotFoundException");
const NO_IMAGE: Told = (404, "ImageNotFoundException");

impl Repository {
    fn tagged(&self, tag: &str) -> Option<String> {
        let found = self.tags.iter().find(|(name, _)| name == tag);
        found.map(|(_, digest)| digest.clone())
    }

    /// The tags of an image in the order of attachment.
    pub fn tags_of(&self, digest: &str) -> Vec<String> {
        let of = self.tags.iter().filter(|(_, target)| target == digest);
        of.map(|(name, _)| name.clone()).collect()
    }

    /// The indexes that list an image.
    pub fn lists_of(&self, digest: &str) -> impl Iterator<Item = &String> {
        let lists = |image: &&Image| image.thing.children.iter().any(|child| child == digest);
        let found = self.images.values().filter(lists);
        let found: Vec<&String> = found.map(|image| &image.thing.digest).collect();
        found.into_iter()
    }

    /// Whether an index lists it.
    pub fn is_listed(&self, digest: &str) -> bool {
        self.lists_of(digest).next().is_some()
    }

    fn may_move(&self, tag: &str) -> bool {
        let is_excluded = tag.starts_with(EXCLUDED);
        [true, false, is_excluded, !is_excluded][self.mode]
    }

    /// Lets go of blobs that neither a live nor a kept image has any more.
    fn release(&mut self, blobs: &[String], now: Timestamp) {
        for blob in blobs {
            let has = |image: &Image| image.thing.blobs.contains(blob);
            let is_held =
                self.images.values().any(has) || self.deleted.iter().any(|one| has(&one.image));
            if !is_held {
                self.links.insert(blob.clone(), Some(now));
            }
        }
    }

    fn remove_image(
        &mut self,
        digest: &str,
        (now, window): (Timestamp, Option<Span>),
    ) -> Result<Vec<Value>, &'static str> {
        if self.is_listed(digest) {
            return Err("ImageReferencedByManifestList");
        }
        let gone = self.images.remove(digest).ok_or("ImageNotFound")?;
        let tags = self.tags_of(digest);
        self.tags.retain(|(_, target)| target != digest);
        for other in self.images.values_mut() {
            if other.thing.subject.as_deref() == Some(digest) {
                other.orphaned_at = Some(now);
            }
        }
        let blobs = gone.thing.blobs.clone();
        if let Some(window) = window {
            self.deleted.push(Deleted {
                image: gone,
                tags: tags.clone(),
                kept_until: now + window,
            });
        }
        self.release(&blobs, now);
        if tags.is_empty() {
            return Ok(vec![json!({ "imageDigest": digest })]);
        }
        let pair = |tag| json!({ "imageDigest": digest, "imageTag": tag });
        Ok(tags.into_iter().map(pair).collect())
    }

    fn remove_tag(
        &mut self,
        tag: &str,
        at: (Timestamp, Option<Span>),
    ) -> Result<Vec<Value>, &'static str> {
        let digest = self.tagged(tag).ok_or("ImageNotFound")?;
        if self.tags_of(&digest).len() == 1 {
            return self.remove_image(&digest, at);
        }
        self.tags.retain(|(name, _)| name != tag);
        Ok(vec![json!({ "imageDigest": digest, "imageTag": tag })])
    }

    fn delete(
        &mut self,
        entry: &Entry,
        at: (Timestamp, Option<Span>),
    ) -> Result<Vec<Value>, &'static str> {
        match entry {
            (None, None) => Err("MissingDigestAndTag"),
            (Some(digest), _) if !digest.contains(':') => Err("InvalidImageDigest"),
            (_, Some(tag)) if tag.contains('!') => Err("InvalidImageTag"),
            (Some(digest), None) => self.remove_image(digest, at),
            (None, Some(tag)) => self.remove_tag(tag, at),
            (Some(digest), Some(tag)) => match self.tagged(tag) {
                None => Err("ImageNotFound"),
                Some(target) if target != *digest => Err("ImageTagDoesNotMatchDigest"),
                Some(_) => self.remove_tag(tag, at),
            },
        }
    }

    /// An image is there, new or again.
    fn arrive(&mut self, image: Image) {
        let digest = image.thing.digest.clone();
        for other in self.images.values_mut() {
            if other.thing.subject.as_ref() == Some(&digest) {
                other.orphaned_at = None;
            }
        }
        for blob in &image.thing.blobs {
            self.links.insert(blob.clone(), None);
        }
        self.images.insert(digest, image);
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

    /// What has to come back with a deleted image, itself first; or an error, or nothing.
    fn missing(&self, digest: &str) -> Result<Vec<usize>, Told> {
        let (mut found, mut is_whole) = (Vec::new(), true);
        let mut sought = vec![digest.to_owned()];
        while let Some(digest) = sought.pop() {
            let mut latest = self.deleted.iter();
            let latest = latest.rposition(|one| one.image.thing.digest == digest);
            match latest {
                _ if self.images.contains_key(&digest) => {}
                Some(at) if found.contains(&at) => {}
                Some(at) => {
                    sought.extend(self.deleted[at].image.thing.children.iter().cloned());
                    found.push(at);
                }
                None => is_whole = false,
            }
        }
        match (found.is_empty(), is_whole) {
            (false, false) => Err((400, "ReferencedImagesNotFoundException")),
            (true, false) => Err(NO_IMAGE),
            (_, true) => Ok(found),
        }
    }
}

impl Reference {
    /// An empty one, which keeps what is deleted for so long.
    pub fn new(window: Option<Span>) -> Self {
        Self {
            counts: Counts::default(),
            repositories: Vec::new(),
            made: 0,
            pushed: 0,
            window,
            uploads: Vec::new(),
        }
    }

    fn live(&self, name: &str) -> Option<&Repository> {
        let mut all = self.repositories.iter();
        all.find(|one| one.name == name && one.deleted_at.is_none())
    }

    fn of(&mut self, name: &str) -> Option<&mut Repository> {
        let mut all = self.repositories.iter_mut();
        all.find(|one| one.name == name && one.deleted_at.is_none())
    }

    /// Makes a repository.
    pub fn create(&mut self, name: &str) -> Told {
        if self.live(name).is_some() {
            return (400, "RepositoryAlreadyExistsException");
        }
        self.made += 1;
        self.repositories.push(Repository {
            name: name.into(),
            incarnation: self.made,
            ..Repository::default()
        });
        DONE
    }

    /// Deletes one.
    pub fn remove(&mut self, name: &str, force: bool, now: Timestamp) -> Told {
        match self.of(name) {
            None => NO_REPOSITORY,
            Some(found) if !force && !found.images.is_empty() => {
                (400, "RepositoryNotEmptyException")
            }
            Some(found) => {
                found.deleted_at = Some(now);
                DONE
            }
        }
    }

    /// Brings the latest deleted one of this name back.
    pub fn restore(&mut self, name: &str) -> Told {
        if self.live(name).is_some() {
            return (400, "RepositoryAlreadyExistsException");
        }
        let deleted = self.repositories.iter_mut().filter(|one| one.name == name);
        match deleted.max_by_key(|one| (one.deleted_at, one.incarnation)) {
            None => NO_REPOSITORY,
            Some(latest) => {
                latest.deleted_at = None;
                DONE
            }
        }
    }

    /// Sets the mutability.
    pub fn set_mode(&mut self, name: &str, mode: usize) -> Told {
        self.of(name).map_or(NO_REPOSITORY, |found| {
            found.mode = mode;
            DONE
        })
    }

    /// Sets a policy, or removes it.
    pub fn set_policy(&mut self, name: &str, policy: Option<usize>) -> Told {
        let Some(found) = self.of(name) else {
            return NO_REPOSITORY;
        };
        match (policy, found.policy) {
            (None, None) => (400, "LifecyclePolicyNotFoundException"),
            _ => {
                found.policy = policy;
                DONE
            }
        }
    }

    /// Runs the policy: how many images go.
    pub fn run(&mut self, name: &str, now: Timestamp) -> Result<usize, Told> {
        let window = self.window;
        let found = self.of(name).ok_or(NO_REPOSITORY)?;
        let policy = found.policy;
        let policy = policy.ok_or((400, "LifecyclePolicyNotFoundException"))?;
        let doomed = lifecycle::doomed(found, policy, now);
        let mut left = doomed.clone();
        // Indexes go before what they list: each round removes those that nothing lists any more.
        for _ in 0..doomed.len() {
            left.retain(|digest| found.remove_image(digest, (now, window)).is_err());
        }
        let removed = doomed.len() - left.len();
        self.counts.removed += removed as u64;
        Ok(removed)
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

    /// Somebody who may push asks for a blob.
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

    /// Deletes a blob that no image has, live or kept.
    pub fn drop_blob(&mut self, name: &str, blob: &str) -> Told {
        let Some(found) = self.of(name) else {
            return NO_REPOSITORY;
        };
        match found.links.get(blob) {
            None => (404, ""),
            Some(None) => (405, ""),
            Some(Some(_)) => {
                found.links.remove(blob);
                (202, "")
            }
        }
    }

    /// Mounts a blob.
    pub fn mount(&mut self, from: &str, to: &str, blob: &str, now: Timestamp) -> Told {
        let source = self.live(from);
        let is_there = source.is_some_and(|source| source.links.contains_key(blob));
        match self.of(to) {
            None => NO_REPOSITORY,
            Some(_) if is_there => self.push(to, blob, now),
            Some(_) => (202, ""),
        }
    }

    /// Stores a manifest and its tag.
    pub fn put(&mut self, name: &str, thing: &Thing, tag: Option<&str>, now: Timestamp) -> Told {
        self.pushed += 1;
        let number = self.pushed;
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
            found.arrive(Image {
                thing: thing.clone(),
                pushed_at: now,
                number,
                activated_at: None,
                orphaned_at: None,
            });
        }
        if let Some(tag) = tag {
            found.tags.retain(|(name, _)| name != tag);
            found.tags.push((tag.into(), thing.digest.clone()));
        }
        self.counts.stored += u64::from(!is_there);
        (201, "")
    }

    /// The image that a digest or a tag names.
    pub fn get(&self, name: &str, digest: &str, tag: Option<&str>) -> Result<String, Told> {
        let found = self.live(name).ok_or(NO_REPOSITORY)?;
        let digest = match tag {
            Some(tag) => found.tagged(tag),
            None => Some(digest.to_owned()),
        };
        let digest = digest.filter(|digest| found.images.contains_key(digest));
        digest.ok_or(NO_IMAGE)
    }

    /// The answer of BatchDeleteImage, reasons left out; none without the repository.
    pub fn delete(&mut self, name: &str, entries: &[Entry], now: Timestamp) -> Option<Value> {
        let window = self.window;
        let found = self.of(name)?;
        let (mut removed, mut failures) = (Vec::new(), Vec::new());
        let before = found.images.len();
        for entry in entries {
            match found.delete(entry, (now, window)) {
                Ok(pairs) => removed.extend(pairs),
                Err(code) => failures.push(json!([code, entry_json(entry)])),
            }
        }
        let gone = before - found.images.len();
        let is_held = |failure: &&Value| failure[0] == "ImageReferencedByManifestList";
        self.counts.removed += gone as u64;
        self.counts.held += failures.iter().filter(is_held).count() as u64;
        Some(json!({ "imageIds": removed, "failures": failures }))
    }

    /// Brings an image back with what it lists.
    pub fn undelete(&mut self, name: &str, digest: &str, now: Timestamp) -> Told {
        let Some(found) = self.of(name) else {
            return NO_REPOSITORY;
        };
        let mut back = match found.missing(digest) {
            Ok(back) => back,
            Err(told) => return told,
        };
        // What an index lists comes before it.
        back.reverse();
        let undeleted = back.len() as u64;
        let keys: Vec<u64> = back
            .iter()
            .map(|at| found.deleted[*at].image.number)
            .collect();
        for key in keys {
            let at = found.deleted.iter().position(|one| one.image.number == key);
            let Some(at) = at else { continue };
            let Deleted {
                mut image, tags, ..
            } = found.deleted.remove(at);
            image.activated_at = Some(now);
            image.orphaned_at = None;
            let digest = image.thing.digest.clone();
            found.arrive(image);
            for tag in tags {
                if found.tagged(&tag).is_none() {
                    found.tags.push((tag, digest.clone()));
                }
            }
        }
        self.counts.undeleted += undeleted;
        DONE
    }

    /// Opens an upload.
    pub fn open_upload(&mut self, name: &str, now: Timestamp) -> Told {
        let Some(found) = self.of(name) else {
            return NO_REPOSITORY;
        };
        let incarnation = found.incarnation;
        self.uploads.push(Some(Upload {
            incarnation,
            received: 0,
            expires_at: now + EXPIRY,
        }));
        (202, "")
    }

    /// How many were opened.
    pub fn uploads(&self) -> usize {
        self.uploads.len()
    }

    /// How far the nth upload is, if it is open.
    pub fn received(&self, n: usize, now: Timestamp) -> Option<usize> {
        let upload = self.uploads[n].as_ref()?;
        let mut all = self.repositories.iter();
        let home = all.find(|one| one.incarnation == upload.incarnation);
        let is_open = home.is_some_and(|one| one.deleted_at.is_none());
        (is_open && upload.expires_at >= now).then_some(upload.received)
    }

    /// Bytes arrive at the nth upload.
    pub fn receive(&mut self, n: usize, bytes: usize, now: Timestamp) {
        if let Some(upload) = &mut self.uploads[n] {
            upload.received += bytes;
            upload.expires_at = now + EXPIRY;
        }
    }

    /// Ends the nth upload.
    pub fn end_upload(&mut self, n: usize) {
        self.uploads[n] = None;
    }

    /// Removes what is due: how many files are left, one for each blob and each upload with bytes.
    pub fn sweep(&mut self, now: Timestamp) -> usize {
        for repository in &mut self.repositories {
            let (due, kept) = std::mem::take(&mut repository.deleted)
                .into_iter()
                .partition(|one| one.kept_until < now);
            let due: Vec<Deleted> = due;
            repository.deleted = kept;
            for one in due {
                repository.release(&one.image.thing.blobs, now);
            }
        }
        let window = self.window;
        self.repositories
            .retain(|one| match (one.deleted_at, window) {
                (None, _) => true,
                (Some(_), None) => false,
                (Some(at), Some(window)) => at > now - window,
            });
        let homes: BTreeSet<u64> = self
            .repositories
            .iter()
            .map(|one| one.incarnation)
            .collect();
        for upload in &mut self.uploads {
            let is_kept = |one: &Upload| one.expires_at >= now && homes.contains(&one.incarnation);
            *upload = upload.take().filter(is_kept);
        }
        let mut left = BTreeSet::new();
        for repository in &mut self.repositories {
            let is_kept =
                |_: &String, since: &mut Option<Timestamp>| since.is_none_or(|t| t >= now - GRACE);
            repository.links.retain(is_kept);
            left.extend(repository.links.keys().cloned());
        }
        let open = self.uploads.iter().flatten();
        left.len() + open.filter(|upload| upload.received > 0).count()
    }

    /// The names of the repositories.
    pub fn names(&self) -> Vec<String> {
        let live = self.repositories.iter();
        let live = live.filter(|one| one.deleted_at.is_none());
        let names: BTreeSet<String> = live.map(|one| one.name.clone()).collect();
        names.into_iter().collect()
    }

    /// The digests and tags of a repository, as it should show them.
    pub fn shown(&self, name: &str) -> Shown {
        let Some(found) = self.live(name) else {
            return Shown::default();
        };
        let images = found.images.keys();
        let described: BTreeMap<String, Vec<String>> = images
            .map(|digest| (digest.clone(), found.tags_of(digest)))
            .collect();
        let pair = |(tag, digest): &(String, String)| format!("{digest} {tag}");
        let mut listed: Vec<String> = found.tags.iter().map(pair).collect();
        let untagged = described.iter().filter(|(_, tags)| tags.is_empty());
        listed.extend(untagged.map(|(digest, _)| format!("{digest} ")));
        listed.sort();
        let mut tags: Vec<String> = found.tags.iter().map(|(tag, _)| tag.clone()).collect();
        tags.sort();
        Shown {
            listed,
            described,
            tags,
        }
    }

    /// The images that refer to one, sorted.
    pub fn referrers(&self, name: &str, subject: &str) -> Vec<String> {
        let images = self
            .live(name)
            .into_iter()
            .flat_map(|one| one.images.values());
        let referring = images.filter(|one| one.thing.subject.as_deref() == Some(subject));
        referring.map(|one| one.thing.digest.clone()).collect()
    }
}

/// What a repository shows.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// All pairs as `digest tag`, sorted.
    pub listed: Vec<String>,
    /// Every image with its tags in the order of attachment.
    pub described: BTreeMap<String, Vec<String>>,
    /// The tags, sorted.
    pub tags: Vec<String>,
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
