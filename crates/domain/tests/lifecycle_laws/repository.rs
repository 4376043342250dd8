//! A small repository as the laws see it: plain values, drawn from a seed, changed by a run, shrunk.

use std::fmt;

use roadstead_domain::image::ImageStatus;
use roadstead_domain::lifecycle::evaluate::Evaluation;
use roadstead_domain::lifecycle::images::{ImageFacts, Images};
use roadstead_domain::lifecycle::policy::{
    Count, LifecycleAction, LifecyclePolicy, LifecycleRule, StorageClass, TagSelection,
};
use roadstead_domain::time::{Span, Timestamp};

pub const NOW: Timestamp = Timestamp::from_seconds(1_767_225_600);
pub const GRACE: Span = Span::hours(24);

const NAMES: [&str; 14] = [
    "a", "b", "c", "d", "e", "f", "g", "B", "h", "i", "j", "0", "ab", "k",
];
const TAGS: [&str; 12] = [
    "v1", "v1.0", "v2", "v10", "a", "ab", "aab", "b1", "prod", "prod-rc", "-rc", "1",
];
const PREFIXES: [&str; 8] = ["v", "v1", "v1.", "a", "ab", "p", "-", "x"];
const PATTERNS: [&str; 13] = [
    "*", "v*", "v1", "*1", "v*1", "*b", "a*b", "*a*b*", "*rc", "*-rc*", "prod", "*.*", "x*",
];

#[derive(Clone)]
pub struct Image {
    pub name: &'static str,
    pub tags: Vec<&'static str>,
    pub status: ImageStatus,
    pub pushed_at: Timestamp,
    pub push_seq: i64,
    pub last_pulled_at: Option<Timestamp>,
    pub archived_at: Option<Timestamp>,
    pub activated_at: Option<Timestamp>,
    pub orphaned_at: Option<Timestamp>,
    pub subject: Option<&'static str>,
    pub children: Vec<&'static str>,
}

#[derive(Clone)]
pub struct Repository {
    pub images: Vec<Image>,
    pub policy: LifecyclePolicy,
}

impl Image {
    pub fn facts(&self) -> ImageFacts<'_> {
        ImageFacts {
            name: self.name,
            tags: &self.tags,
            status: self.status,
            pushed_at: self.pushed_at,
            push_seq: self.push_seq,
            last_pulled_at: self.last_pulled_at,
            archived_at: self.archived_at,
            activated_at: self.activated_at,
            orphaned_at: self.orphaned_at,
            subject: self.subject,
        }
    }
}

impl Repository {
    pub fn find(&self, name: &str) -> Option<usize> {
        self.images.iter().position(|image| image.name == name)
    }

    pub fn lists_of(&self, name: &str) -> impl Iterator<Item = &Image> {
        let lists = self.images.iter();
        lists.filter(move |list| list.children.contains(&name))
    }

    /// The engine's view, with the images in the order of `turns`.
    pub fn evaluate_in(&self, turns: &[usize]) -> Evaluation {
        let mut images = Images::new(&self.policy);
        for (place, turn) in (0..).zip(turns) {
            let image = &self.images[*turn];
            images.push(&image.facts());
            for child in &image.children {
                images.list_member(place, child);
            }
        }
        images.evaluate(NOW, GRACE)
    }

    pub fn evaluate(&self) -> Evaluation {
        let turns: Vec<usize> = (0..self.images.len()).collect();
        self.evaluate_in(&turns)
    }

    /// Does what a run does to one image.
    pub fn apply(&mut self, at: usize, action: LifecycleAction) {
        match action {
            LifecycleAction::Transition => {
                self.images[at].status = ImageStatus::Archived;
                self.images[at].archived_at = Some(NOW);
            }
            LifecycleAction::Expire => {
                let gone = self.images.remove(at);
                for image in &mut self.images {
                    if image.subject == Some(gone.name) {
                        image.orphaned_at = Some(NOW);
                    }
                }
            }
        }
    }

    /// Everything that is simpler by one thing, or by the tags or members from some on.
    pub fn simpler(&self) -> Vec<Self> {
        let mut all = Vec::new();
        let mut try_with = |change: &dyn Fn(&mut Self)| {
            let mut simpler = self.clone();
            change(&mut simpler);
            all.push(simpler);
        };
        for rule in 0..self.policy.rules.len() {
            try_with(&|it| drop(it.policy.rules.remove(rule)));
        }
        for (at, image) in self.images.iter().enumerate() {
            try_with(&|it| drop(it.images.remove(at)));
            for tag in 0..image.tags.len() {
                try_with(&|it| it.images[at].tags.truncate(tag));
            }
            for child in 0..image.children.len() {
                try_with(&|it| it.images[at].children.truncate(child));
            }
            if image.subject.is_some() {
                try_with(&|it| it.images[at].subject = None);
            }
            if image.activated_at.is_some() {
                try_with(&|it| it.images[at].activated_at = None);
            }
            if image.orphaned_at.is_some() {
                try_with(&|it| it.images[at].orphaned_at = None);
            }
        }
        all
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for rule in &self.policy.rules {
            let (priority, class) = (rule.priority, rule.selects());
            let (tags, count, action) = (&rule.tags, rule.count, rule.action);
            writeln!(f, "{priority}: {class:?} {tags:?} {count:?} {action:?}")?;
        }
        let days = |at: Timestamp| (NOW.0 - at.0) as f64 / 86_400e6;
        for image in &self.images {
            writeln!(
                f,
                "{}{:?} {:?} pushed={}d seq={} pull={:?} arch={:?} act={:?} orphan={:?} subj={:?} list{:?}",
                image.name,
                image.tags,
                image.status,
                days(image.pushed_at),
                image.push_seq,
                image.last_pulled_at.map(days),
                image.archived_at.map(days),
                image.activated_at.map(days),
                image.orphaned_at.map(days),
                image.subject,
                image.children,
            )?;
        }
        Ok(())
    }
}

/// Xorshift64*: seeded, fast, good enough to choose cases.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        // Neighbouring seeds shall not start alike, and none at 0.
        Self(seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
        ((high * bound as u64) >> 32) as usize
    }

    fn one_in(&mut self, of: usize) -> bool {
        self.below(of) == 0
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    fn some<T>(&mut self, one_in: usize, draw: impl Fn(&mut Self) -> T) -> Option<T> {
        self.one_in(one_in).then(|| draw(self))
    }

    pub fn shuffled(&mut self, count: usize) -> Vec<usize> {
        let mut turns: Vec<usize> = (0..count).collect();
        for at in (1..count).rev() {
            turns.swap(at, self.below(at + 1));
        }
        turns
    }

    /// Mostly whole days ago, so that ties and exact ages are common; now and then in the future.
    fn instant(&mut self) -> Timestamp {
        let days = self.below(8) as i64 - 1;
        let jitter = self.pick(&[0, 0, 0, 0, 1, -1, 43_200_000_000]);
        NOW - Span(days * 86_400_000_000 + jitter)
    }

    fn image(&mut self, name: &'static str, names: &[&'static str]) -> Image {
        let status = match self.below(8) {
            0 | 1 => ImageStatus::Archived,
            2 => ImageStatus::Activating,
            _ => ImageStatus::Active,
        };
        let pushed_at = self.instant();
        let tags: Vec<_> = (0..self.below(4)).map(|_| self.pick(&TAGS)).collect();
        let children = if self.one_in(5) { self.below(4) } else { 0 };
        let is_archived = status != ImageStatus::Active;
        Image {
            name,
            tags,
            status,
            pushed_at,
            push_seq: self.below(2) as i64,
            last_pulled_at: self.some(3, Self::instant).map(|at| at.max(pushed_at)),
            archived_at: (is_archived || self.one_in(6)).then(|| self.instant()),
            activated_at: self.some(6, Self::instant).map(|at| at.max(pushed_at)),
            orphaned_at: self.some(4, Self::instant),
            subject: self.some(5, |dice| dice.pick(names)),
            children: (0..children).map(|_| self.pick(names)).collect(),
        }
    }

    fn rule(&mut self, priority: i32) -> LifecycleRule {
        let list = |dice: &mut Self, from: &[&str]| -> Vec<String> {
            let length = dice.pick(&[1, 1, 1, 2, 2, 3]);
            (0..length).map(|_| dice.pick(from).to_owned()).collect()
        };
        let number = 1 + self.below(4) as u64;
        let (expire, transition) = (LifecycleAction::Expire, LifecycleAction::Transition);
        let action = if self.one_in(4) { transition } else { expire };
        let (count, action) = match self.below(8) {
            0..=3 => (Count::ImageCountMoreThan(number), action),
            4 | 5 => (Count::SinceImagePushed(number), action),
            6 => (Count::SinceImagePulled(number), transition),
            _ => (Count::SinceImageTransitioned(number), expire),
        };
        LifecycleRule {
            priority,
            description: None,
            tags: match self.below(8) {
                0 | 1 => TagSelection::Any,
                2 => TagSelection::Untagged,
                3..=5 => TagSelection::Prefixes(list(self, &PREFIXES)),
                _ => TagSelection::Patterns(list(self, &PATTERNS)),
            },
            storage_class: match count {
                Count::SinceImageTransitioned(_) => Some(StorageClass::Archive),
                _ => self.some(4, |_| StorageClass::Standard),
            },
            count,
            action,
        }
    }

    fn policy(&mut self, rules: usize) -> LifecyclePolicy {
        let mut priorities: Vec<i32> = (1..).step_by(3).take(rules).collect();
        for at in (1..rules).rev() {
            priorities.swap(at, self.below(at + 1));
        }
        LifecyclePolicy {
            rules: priorities.into_iter().map(|it| self.rule(it)).collect(),
        }
    }

    pub fn repository(&mut self) -> Repository {
        let rules = self.below(6);
        let policy = self.policy(rules);
        let count = self.below(NAMES.len() - 1);
        let chosen = self.shuffled(NAMES.len());
        // One name is never pushed: missing subjects and members.
        let names: Vec<_> = chosen[..=count].iter().map(|at| NAMES[*at]).collect();
        let images = names[..count].iter().map(|name| self.image(name, &names));
        Repository {
            images: images.collect(),
            policy,
        }
    }

    /// As many rules as a policy may have, over hundreds of images.
    pub fn large_repository(&mut self, names: &[&'static str]) -> Repository {
        let policy = self.policy(50);
        let present = &names[..names.len() - 3];
        let images = present.iter().map(|name| self.image(name, names));
        Repository {
            images: images.collect(),
            policy,
        }
    }
}
