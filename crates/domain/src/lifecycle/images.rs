//! The images of one repository as the engine sees them, prepared for one policy while they are read.
//!
//! Everything is in a few large vectors: an image is a row, and its place in them (from 0, in the
//! order of the pushes) stands for it everywhere. Nothing here decides what happens to an image.

use super::clocks::{Clocks, Rules, selectable};
use super::evaluate::Evaluation;
use super::names::Names;
use super::policy::{LifecyclePolicy, StorageClass};
use super::selection::RuleSet;
use crate::image::ImageStatus;
use crate::time::{Span, Timestamp};

/// No place, and no name.
pub(super) const NONE: u32 = u32::MAX;

/// What a policy asks of an image.
#[derive(Debug, Clone)]
pub struct ImageFacts<'a> {
    /// Its digest, or whatever tells it from the others of its repository.
    pub name: &'a str,
    /// Its tags.
    pub tags: &'a [&'a str],
    /// Whether it can be pulled.
    pub status: ImageStatus,
    /// When it was first pushed.
    pub pushed_at: Timestamp,
    /// Orders pushes that share an instant; larger is later.
    pub push_seq: i64,
    /// `lastRecordedPullTime`.
    pub last_pulled_at: Option<Timestamp>,
    /// `lastArchivedAt`.
    pub archived_at: Option<Timestamp>,
    /// `lastActivatedAt`.
    pub activated_at: Option<Timestamp>,
    /// Since when its subject, which had been here, is gone.
    pub orphaned_at: Option<Timestamp>,
    /// The name of the image that it refers to, present or not.
    pub subject: Option<&'a str>,
}

impl ImageFacts<'_> {
    pub(super) fn clocks(&self) -> Clocks {
        Clocks::new(
            self.pushed_at,
            self.last_pulled_at,
            self.activated_at,
            self.archived_at,
        )
    }

    /// The class whose rules see it and which of them do, as far as that is in the image itself.
    pub(super) fn matched(&self, rules: &Rules) -> RuleSet {
        selectable(self.status).map_or(0, |class| rules.selections.matched(class, self.tags))
    }
}

/// One image.
#[derive(Debug)]
pub(super) struct Row {
    pub pushed_at: Timestamp,
    pub push_seq: i64,
    pub clocks: Clocks,
    pub orphaned_at: Option<Timestamp>,
    /// The rules that see it by its class and tags.
    pub matched: RuleSet,
    pub name: u32,
    /// The name of its subject.
    pub subject: u32,
    first_tag: u32,
    pub status: ImageStatus,
}

/// The images of one repository, prepared for one policy. At most 2³² - 1 images, tags and names.
#[derive(Debug)]
pub struct Images {
    pub(super) rules: Rules,
    pub(super) rows: Vec<Row>,
    pub(super) names: Names,
    tag_text: String,
    tag_ends: Vec<usize>,
    /// By name: its place.
    places: Vec<u32>,
    /// Which list names which name, as it was told.
    entries: Vec<(u32, u32)>,
}

impl Images {
    /// No images yet.
    pub fn new(policy: &LifecyclePolicy) -> Self {
        Self {
            rules: Rules::new(policy),
            rows: Vec::new(),
            names: Names::default(),
            tag_text: String::new(),
            tag_ends: Vec::new(),
            places: Vec::new(),
            entries: Vec::new(),
        }
    }

    /// Adds an image, whose name no other image has, and returns its place: they count from 0.
    pub fn push(&mut self, facts: &ImageFacts<'_>) -> u32 {
        let place = self.rows.len() as u32;
        let name = self.intern(facts.name);
        self.places[name as usize] = place;
        let subject = facts.subject.map_or(NONE, |subject| self.intern(subject));
        self.rows.push(Row {
            pushed_at: facts.pushed_at,
            push_seq: facts.push_seq,
            clocks: facts.clocks(),
            orphaned_at: facts.orphaned_at,
            matched: facts.matched(&self.rules),
            name,
            subject,
            first_tag: self.tag_ends.len() as u32,
            status: facts.status,
        });
        for tag in facts.tags {
            self.tag_text.push_str(tag);
            self.tag_ends.push(self.tag_text.len());
        }
        place
    }

    /// Notes that the image at `list` is an index that names `child`, which need not be present nor
    /// pushed before.
    pub fn list_member(&mut self, list: u32, child: &str) {
        let child = self.intern(child);
        self.entries.push((list, child));
    }

    /// How many images there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// What the policy does to these images at `now`. An image without tags that belongs
    /// to no rule expires once its subject has been gone for longer than `orphan_grace`.
    pub fn evaluate(self, now: Timestamp, orphan_grace: Span) -> Evaluation {
        Evaluation::new(self, now, orphan_grace)
    }

    fn intern(&mut self, name: &str) -> u32 {
        let id = self.names.intern(name);
        if self.names.len() > self.places.len() {
            self.places.push(NONE);
        }
        id
    }

    /// The image with this name.
    pub(super) fn find(&self, name: &str) -> Option<u32> {
        self.names.find(name).and_then(|id| self.present(id))
    }

    /// The place of a name; `NONE` is no name.
    fn present(&self, name: u32) -> Option<u32> {
        let place = *self.places.get(name as usize)?;
        (place != NONE).then_some(place)
    }

    /// The subject of an image, if it is here.
    pub(super) fn subject(&self, place: u32) -> Option<u32> {
        self.present(self.row(place).subject)
    }

    pub(super) fn row(&self, place: u32) -> &Row {
        &self.rows[place as usize]
    }

    pub(super) fn name(&self, place: u32) -> &str {
        self.names.get(self.row(place).name)
    }

    pub(super) fn tags(&self, place: u32) -> impl Iterator<Item = &str> {
        let first = self.row(place).first_tag as usize;
        let next = self.rows.get(place as usize + 1);
        let end = next.map_or(self.tag_ends.len(), |next| next.first_tag as usize);
        (first..end).map(|tag| {
            let start = if tag == 0 { 0 } else { self.tag_ends[tag - 1] };
            &self.tag_text[start..self.tag_ends[tag]]
        })
    }

    /// While it is being restored an image still counts as archived.
    pub(super) fn class(&self, place: u32) -> StorageClass {
        match self.row(place).status {
            ImageStatus::Active => StorageClass::Standard,
            ImageStatus::Archived | ImageStatus::Activating => StorageClass::Archive,
        }
    }

    /// Which images are in which lists.
    pub(super) fn memberships(&mut self) -> Pairs {
        let entries = std::mem::take(&mut self.entries);
        let here = entries.iter().filter_map(|(list, child)| {
            let is_list = (*list as usize) < self.rows.len();
            self.present(*child)
                .filter(|_| is_list)
                .map(|child| (child, *list))
        });
        Pairs::new(here)
    }
}

/// A relation between places, each pair once, found by the first of the two.
#[derive(Debug)]
pub(super) struct Pairs(Vec<(u32, u32)>);

impl Pairs {
    pub(super) fn new(pairs: impl Iterator<Item = (u32, u32)>) -> Self {
        let mut sorted: Vec<_> = pairs.collect();
        sorted.sort_unstable();
        sorted.dedup();
        Self(sorted)
    }

    /// The places that `first` is paired with, in ascending order.
    pub(super) fn of(&self, first: u32) -> impl Iterator<Item = u32> {
        let start = self.0.partition_point(|pair| pair.0 < first);
        self.0[start..]
            .iter()
            .take_while(move |pair| pair.0 == first)
            .map(|pair| pair.1)
    }

    /// Every pair, ordered by both.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, u32)> {
        self.0.iter().copied()
    }
}
