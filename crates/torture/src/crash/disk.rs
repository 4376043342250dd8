//! What a disk may hold after a power cut, from the log of what was done to it.
//!
//! A file's bytes and a folder's names are sure once they were synced. Of what came after, a disk
//! may have kept anything: nothing, all, the first part, any selection, any sectors of a write, a
//! length without its bytes, a name without its file or the reverse. This is the model of
//! CrashMonkey and ALICE without any promise that a particular file system adds.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};

use crate::ground::volume::{Content, Node, Op, ROOT, Tree, join, put};
use roadstead_testkit::random::Random;

/// Writes longer than this are torn in pages, shorter ones in sectors.
const TORN_IN_PAGES: usize = 64 * 1024;

#[derive(Debug, Clone)]
enum Change {
    Write(usize, Arc<[u8]>),
    Cut(usize),
}

#[derive(Debug, Clone)]
enum Naming {
    Add(String, Node),
    Drop(String),
    Move(String, String, Node),
}

#[derive(Debug, Clone)]
enum Held {
    File {
        durable: Arc<Vec<u8>>,
        since: Vec<Change>,
    },
    Folder {
        durable: BTreeMap<String, Node>,
        since: Vec<Naming>,
    },
}

/// How much of what was not synced a disk keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeps {
    /// Nothing.
    Nothing,
    /// Everything: the program was killed and the machine went on.
    Everything,
    /// What chance says.
    Something,
}

/// A disk between two operations.
#[derive(Debug, Clone)]
pub struct Disk {
    nodes: HashMap<Node, Held>,
}

impl Default for Disk {
    fn default() -> Self {
        let root = Held::Folder {
            durable: BTreeMap::new(),
            since: Vec::new(),
        };
        Self {
            nodes: [(ROOT, root)].into(),
        }
    }
}

impl Disk {
    /// Does what was done.
    ///
    /// # Errors
    /// If the log is not one of a volume.
    pub fn apply(&mut self, op: &Op) -> Result<()> {
        match op {
            Op::Make {
                folder,
                name,
                node,
                is_folder,
            } => {
                let held = match is_folder {
                    true => Held::Folder {
                        durable: BTreeMap::new(),
                        since: Vec::new(),
                    },
                    false => Held::File {
                        durable: Arc::default(),
                        since: Vec::new(),
                    },
                };
                self.nodes.insert(*node, held);
                self.name(*folder, Naming::Add(name.clone(), *node))
            }
            Op::Write { node, at, bytes } => self.change(*node, Change::Write(*at, bytes.clone())),
            Op::Cut { node, length } => self.change(*node, Change::Cut(*length)),
            Op::Move {
                folder,
                name,
                to_folder,
                to_name,
            } => {
                if folder != to_folder {
                    bail!("{name} was moved to another folder, which this model does not know");
                }
                let node = self.names(*folder)?.get(name).copied();
                let node = node.with_context(|| format!("no {name}"))?;
                self.name(*folder, Naming::Move(name.clone(), to_name.clone(), node))
            }
            Op::Remove { folder, name } => self.name(*folder, Naming::Drop(name.clone())),
            Op::Sync { node } => {
                match self.held(*node)? {
                    Held::File { durable, since } => {
                        let changes = std::mem::take(since);
                        if !changes.is_empty() {
                            let bytes = Arc::make_mut(durable);
                            changes.iter().for_each(|change| do_change(bytes, change));
                        }
                    }
                    Held::Folder { durable, since } => {
                        for naming in std::mem::take(since) {
                            do_naming(durable, naming);
                        }
                    }
                }
                Ok(())
            }
            Op::FailedSync { node } => {
                // The kernel may count lost pages as clean: no later sync writes them.
                if let Held::File { since, .. } = self.held(*node)? {
                    since.clear();
                }
                Ok(())
            }
        }
    }

    fn held(&mut self, node: Node) -> Result<&mut Held> {
        self.nodes.get_mut(&node).context("an unknown node")
    }

    fn name(&mut self, folder: Node, naming: Naming) -> Result<()> {
        match self.held(folder)? {
            Held::Folder { since, .. } => since.push(naming),
            Held::File { .. } => bail!("a file is no folder"),
        }
        Ok(())
    }

    fn change(&mut self, file: Node, change: Change) -> Result<()> {
        match self.held(file)? {
            Held::File { since, .. } => since.push(change),
            Held::Folder { .. } => bail!("a folder is no file"),
        }
        Ok(())
    }

    /// The names of a folder as programs see them.
    fn names(&mut self, folder: Node) -> Result<BTreeMap<String, Node>> {
        match self.held(folder)? {
            Held::Folder { durable, since } => {
                let mut names = durable.clone();
                for naming in since.clone() {
                    do_naming(&mut names, naming);
                }
                Ok(names)
            }
            Held::File { .. } => bail!("a file is no folder"),
        }
    }

    /// One of the states after a power cut now.
    pub fn state(&self, keeps: Keeps, random: &mut Random) -> Tree {
        let mut tree = Tree::new();
        self.list(ROOT, "", keeps, random, &mut tree);
        tree
    }

    fn list(&self, node: Node, path: &str, keeps: Keeps, random: &mut Random, tree: &mut Tree) {
        match self.nodes.get(&node) {
            None => {}
            Some(Held::File { durable, since }) => {
                let bytes = match since.is_empty() || keeps == Keeps::Nothing {
                    true => durable.clone(),
                    false => Arc::new(kept_bytes(durable, since, keeps, random)),
                };
                tree.insert(path.to_owned(), Content::File(bytes));
            }
            Some(Held::Folder { durable, since }) => {
                if node != ROOT {
                    tree.insert(path.to_owned(), Content::Folder);
                }
                let mut names = durable.clone();
                for naming in kept(since, keeps, random) {
                    do_naming(&mut names, naming);
                }
                for (name, child) in names {
                    self.list(child, &join(path, &name), keeps, random, tree);
                }
            }
        }
    }
}

fn do_change(bytes: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Write(at, part) => put(bytes, *at, part),
        Change::Cut(length) => bytes.resize(*length, 0),
    }
}

fn do_naming(names: &mut BTreeMap<String, Node>, naming: Naming) {
    match naming {
        Naming::Add(name, node) => {
            names.insert(name, node);
        }
        Naming::Drop(name) => {
            names.remove(&name);
        }
        Naming::Move(from, to, node) => {
            names.remove(&from);
            names.insert(to, node);
        }
    }
}

/// The part of what was not synced that a disk kept, in order.
fn kept<T: Clone>(since: &[T], keeps: Keeps, random: &mut Random) -> Vec<T> {
    if since.is_empty() {
        return Vec::new();
    }
    match keeps {
        Keeps::Nothing => Vec::new(),
        Keeps::Everything => since.to_vec(),
        Keeps::Something => match random.below(4) {
            0 => Vec::new(),
            1 => since.to_vec(),
            2 => {
                let count = random.below(since.len() as u64 + 1);
                since[..usize::try_from(count).unwrap_or(0)].to_vec()
            }
            _ => {
                let some = since.iter().filter(|_| random.one_in(2));
                some.cloned().collect()
            }
        },
    }
}

fn kept_bytes(durable: &[u8], since: &[Change], keeps: Keeps, random: &mut Random) -> Vec<u8> {
    let mut bytes = durable.to_vec();
    let is_torn = keeps == Keeps::Something && random.one_in(2);
    for change in kept(since, keeps, random) {
        match change {
            Change::Write(at, part) if is_torn && random.one_in(2) => {
                tear(&mut bytes, at, &part, random);
            }
            change => do_change(&mut bytes, &change),
        }
    }
    if keeps == Keeps::Something && random.one_in(4) {
        // The length got there before the bytes.
        let mut whole = durable.len();
        for change in since {
            whole = match change {
                Change::Write(at, part) => whole.max(at + part.len()),
                Change::Cut(length) => *length,
            };
        }
        if whole > bytes.len() {
            bytes.resize(whole, 0);
        }
    }
    bytes
}

/// Some sectors of a write, with the length of all of it or of what got there.
fn tear(bytes: &mut Vec<u8>, at: usize, part: &[u8], random: &mut Random) {
    let sector = match part.len() > TORN_IN_PAGES || random.one_in(2) {
        true => 4096,
        false => 512,
    };
    let mut first = at;
    while first < at + part.len() {
        let end = ((first / sector + 1) * sector).min(at + part.len());
        if random.one_in(2) {
            put(bytes, first, &part[first - at..end - at]);
        }
        first = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ground::volume::{Entry, Volume};

    fn disk(volume: &Volume) -> Disk {
        let mut disk = Disk::default();
        for entry in volume.take_log() {
            if let Entry::Op(op) = entry {
                disk.apply(&op).unwrap();
            }
        }
        disk
    }

    fn text(tree: &Tree, path: &str) -> Option<String> {
        match tree.get(path)? {
            Content::File(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
            Content::Folder => None,
        }
    }

    #[test]
    fn only_what_was_synced_is_sure() {
        let volume = Volume::new();
        let mut random = Random::new(1);
        let file = volume.make_file(ROOT, "a", 0o600).unwrap();
        volume.write(file, 0, b"one").unwrap();
        volume.sync(file).unwrap();
        volume.write(file, 3, b"two").unwrap();
        let nothing = disk(&volume).state(Keeps::Nothing, &mut random);
        assert_eq!(nothing, Tree::new(), "the name was not synced");

        let volume = Volume::new();
        let file = volume.make_file(ROOT, "a", 0o600).unwrap();
        volume.write(file, 0, b"one").unwrap();
        volume.sync(file).unwrap();
        volume.sync(ROOT).unwrap();
        volume.write(file, 3, b"two").unwrap();
        let disk = disk(&volume);
        let nothing = disk.state(Keeps::Nothing, &mut random);
        let all = disk.state(Keeps::Everything, &mut random);
        assert_eq!(text(&nothing, "a").as_deref(), Some("one"));
        assert_eq!(text(&all, "a").as_deref(), Some("onetwo"));
    }

    #[test]
    fn a_failed_sync_loses_what_a_later_one_does_not_bring_back() {
        use crate::ground::volume::{Fault, Plan};
        let volume = Volume::new();
        let file = volume.make_file(ROOT, "a", 0o600).unwrap();
        volume.sync(ROOT).unwrap();
        volume.write(file, 0, b"lost").unwrap();
        let (fault, nth, lasts) = (Fault::Sync, 1, false);
        volume.arm(Plan { fault, nth, lasts });
        assert!(volume.sync(file).is_err());
        assert!(volume.sync(file).is_ok());
        let state = disk(&volume).state(Keeps::Nothing, &mut Random::new(1));
        assert_eq!(text(&state, "a").as_deref(), Some(""));
        assert_eq!(volume.read(file, 0, 9).unwrap(), b"lost");
    }

    #[test]
    fn names_come_and_go_with_a_sync_of_their_folder() {
        let volume = Volume::new();
        let mut random = Random::new(1);
        let folder = volume.make_folder(ROOT, "f", 0o700).unwrap();
        volume.sync(ROOT).unwrap();
        volume.make_file(folder, "a", 0o600).unwrap();
        volume.rename((folder, "a"), (folder, "b")).unwrap();
        volume.sync(folder).unwrap();
        volume.remove(folder, "b").unwrap();
        let disk = disk(&volume);
        let state = disk.state(Keeps::Nothing, &mut random);
        assert!(state.contains_key("f/b") && !state.contains_key("f/a"));
        let all = disk.state(Keeps::Everything, &mut random);
        assert!(!all.contains_key("f/b"));
    }

    #[test]
    fn chance_finds_every_kind_of_half_a_write() {
        let volume = Volume::new();
        let file = volume.make_file(ROOT, "a", 0o600).unwrap();
        volume.sync(ROOT).unwrap();
        volume.write(file, 0, &[1; 1024]).unwrap();
        volume.write(file, 1024, &[2; 1024]).unwrap();
        let disk = disk(&volume);
        let mut random = Random::new(5);
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..400 {
            if let Some(Content::File(bytes)) = disk.state(Keeps::Something, &mut random).get("a") {
                let marks: Vec<u8> = bytes.iter().step_by(512).copied().collect();
                seen.insert(marks);
            }
        }
        // Nothing, the first alone, the second alone over a hole, all, zeros, and a torn one.
        for marks in [
            &[][..],
            &[1, 1],
            &[0, 0, 2, 2],
            &[1, 1, 2, 2],
            &[0; 4],
            &[1, 0, 2, 2],
        ] {
            assert!(seen.contains(marks), "{marks:?}");
        }
    }
}
