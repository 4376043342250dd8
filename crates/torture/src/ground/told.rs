//! The book of what clients asked and were told, and so of what may be found: facts with the values
//! that each may have. What was acknowledged has one value; what is on its way, or was never
//! answered, has two.
//!
//! Must never learn from the server what it should expect of it, but by [`Told::saw`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use super::volume::Volume;

/// Something that can be looked at through the doors.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fact {
    /// A repository, which is there with an empty value.
    Repository(String),
    /// A tag of a repository; its value is a digest.
    Tag(String, String),
    /// An image of a repository, by digest; there with an empty value.
    Image(String, String),
    /// A blob of a repository, by digest; there with an empty value.
    Blob(String, String),
    /// An open upload by its path; its value names the bytes that it is to receive.
    Upload(String),
}

impl Fact {
    /// Its repository.
    pub fn repository(&self) -> &str {
        match self {
            Self::Repository(name)
            | Self::Tag(name, _)
            | Self::Image(name, _)
            | Self::Blob(name, _) => name,
            Self::Upload(path) => path
                .strip_prefix("/v2/")
                .and_then(|path| path.split_once("/blobs/"))
                .map_or("", |(name, _)| name),
        }
    }
}

/// Absent, or what is there.
pub type Value = Option<String>;

/// What is there if nothing more can be said.
pub fn there() -> Value {
    Some(String::new())
}

/// What a client says it did or heard.
#[derive(Debug, Clone)]
pub enum Said {
    /// It is about to ask for these values.
    Asked(Vec<(Fact, Value)>),
    /// It was told that they hold.
    Done,
    /// It was told that nothing was done.
    Refused,
    /// It was not told.
    Unknown,
    /// It was told of something that it could not name before.
    Learned(Fact, Value),
    /// A sweep may run until the next word of this client: blobs that no image has may go.
    Sweep,
    /// It was given an access key: id and secret.
    Key(String, String),
}

/// What which client said.
#[derive(Debug, Clone)]
pub struct Mark {
    /// The client; each has one request at a time.
    pub client: usize,
    /// What it said.
    pub said: Said,
}

/// What may be found.
#[derive(Debug, Clone, Default)]
pub struct Told {
    facts: BTreeMap<Fact, BTreeSet<Value>>,
    /// What is on its way, with what held before.
    asked: BTreeMap<usize, Vec<(Fact, Value, BTreeSet<Value>)>>,
    /// Who had a sweep begun that may still run.
    sweeping: BTreeSet<usize>,
    /// The access key.
    pub key: Option<(String, String)>,
    /// How often something was said.
    pub version: u64,
    /// How many requests were not answered.
    pub unknown: u64,
}

impl Told {
    /// Takes down what a client said.
    pub fn hear(&mut self, mark: &Mark) {
        self.version += 1;
        match &mark.said {
            Said::Asked(values) => {
                let mut asked = Vec::new();
                for (fact, value) in values {
                    let absent = || BTreeSet::from([None]);
                    let allowed = self.facts.entry(fact.clone()).or_insert_with(absent);
                    asked.push((fact.clone(), value.clone(), allowed.clone()));
                    allowed.insert(value.clone());
                }
                self.asked.insert(mark.client, asked);
            }
            Said::Done => {
                self.sweeping.remove(&mark.client);
                for (fact, value, _) in self.asked.remove(&mark.client).unwrap_or_default() {
                    self.holds(fact, value);
                }
            }
            Said::Refused => {
                for (fact, value, before) in self.asked.remove(&mark.client).unwrap_or_default() {
                    if let Some(allowed) = self.facts.get_mut(&fact)
                        && !before.contains(&value)
                    {
                        allowed.remove(&value);
                    }
                }
            }
            Said::Unknown => {
                self.unknown += 1;
                self.sweeping.remove(&mark.client);
                self.asked.remove(&mark.client);
            }
            Said::Learned(fact, value) => self.holds(fact.clone(), value.clone()),
            Said::Sweep => {
                self.sweeping.insert(mark.client);
                self.swept();
            }
            Said::Key(id, secret) => self.key = Some((id.clone(), secret.clone())),
        }
    }

    fn holds(&mut self, fact: Fact, value: Value) {
        let mut allowed = BTreeSet::from([value]);
        if matches!(fact, Fact::Blob(..)) && !self.sweeping.is_empty() {
            allowed.insert(None);
        }
        self.facts.insert(fact, allowed);
    }

    /// A sweep took what it may: of any blob it is only known that images need it.
    pub fn swept(&mut self) {
        for (fact, allowed) in &mut self.facts {
            if matches!(fact, Fact::Blob(..)) {
                allowed.insert(None);
            }
        }
    }

    /// The same book after so long a time that no upload is open any more.
    pub fn expired(&self) -> Self {
        let mut told = self.clone();
        told.swept();
        told.facts
            .retain(|fact, _| !matches!(fact, Fact::Upload(_)));
        told
    }

    /// Every fact with the values that it may have.
    pub fn facts(&self) -> impl Iterator<Item = (&Fact, &BTreeSet<Value>)> {
        self.facts.iter()
    }

    /// The value of a fact, if only one is possible.
    pub fn certain(&self, fact: &Fact) -> Option<&Value> {
        let allowed = self.facts.get(fact)?;
        match allowed.len() {
            1 => allowed.first(),
            _ => None,
        }
    }

    /// Whether all that is known of a repository is certain, blobs aside.
    pub fn is_certain(&self, repository: &str) -> bool {
        let mut facts = self.facts.iter();
        facts.all(|(fact, allowed)| {
            fact.repository() != repository || matches!(fact, Fact::Blob(..)) || allowed.len() == 1
        })
    }

    /// The tags of an image; none if any tag is in doubt that may be one of them.
    pub fn tags_of(&self, repository: &str, digest: &str) -> Option<Vec<Fact>> {
        let digest = Some(digest.to_owned());
        let mut tags = Vec::new();
        for (fact, allowed) in &self.facts {
            if matches!(fact, Fact::Tag(of, _) if of == repository) && allowed.contains(&digest) {
                if allowed.len() > 1 {
                    return None;
                }
                tags.push(fact.clone());
            }
        }
        Some(tags)
    }

    /// A fact was looked at while nothing is on its way: only what was seen can hold now.
    pub fn saw(&mut self, fact: &Fact, value: Value) {
        if let Some(allowed) = self.facts.get_mut(fact)
            && allowed.contains(&value)
        {
            *allowed = [value].into();
        }
    }

    /// Strikes out what is gone for good: whatever is shown and not in the book is wrong too.
    pub fn forget_gone(&mut self) {
        let gone = BTreeSet::from([None]);
        self.facts.retain(|_, allowed| *allowed != gone);
    }
}

/// The book that all clients of a store write into.
#[derive(Debug, Default)]
pub struct Book {
    told: Mutex<Told>,
    /// Where marks go too, in the order of the book.
    volume: Option<Arc<Volume>>,
}

impl Book {
    /// A book, with a volume whose log is to hold its marks.
    pub fn new(told: Told, volume: Option<Arc<Volume>>) -> Self {
        let told = Mutex::new(told);
        Self { told, volume }
    }

    /// Takes down what a client said.
    pub fn hear(&self, client: usize, said: Said) {
        let mark = Mark { client, said };
        self.change(|told| {
            told.hear(&mark);
            if let Some(volume) = &self.volume {
                volume.mark(mark);
            }
        });
    }

    /// Changes or reads the book.
    pub fn change<T>(&self, change: impl FnOnce(&mut Told) -> T) -> T {
        change(&mut self.told.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The value of a fact, if only one is possible.
    pub fn certain(&self, fact: &Fact) -> Option<Value> {
        self.change(|told| told.certain(fact).cloned())
    }

    /// A copy of the book.
    pub fn told(&self) -> Told {
        self.change(|told| told.clone())
    }
}
