//! A file system in memory that keeps a log of what was done to it, and that can be told to fail.
//!
//! Knows nothing of the kernel (`mount` does) nor of what survives a power cut (`crash::disk`).
//! SQLite's shared memory (`*-shm`) is neither logged nor failed: it is not meant to last.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result};
use rustix::io::Errno;

use super::told::Mark;

/// A file or folder, whatever it is called. Never used twice.
pub type Node = u64;

/// The folder that holds all others.
pub const ROOT: Node = 1;

/// What a path holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Content {
    /// A folder.
    Folder,
    /// A file and its bytes.
    File(Arc<Vec<u8>>),
}

/// Folders and files by their paths; a folder comes before what it holds.
pub type Tree = BTreeMap<String, Content>;

/// One thing that was done. Those that failed are not here, but for a sync: it loses bytes.
#[derive(Debug, Clone)]
pub enum Op {
    /// A new file or folder.
    Make {
        /// In this folder.
        folder: Node,
        /// Under this name.
        name: String,
        /// The new one.
        node: Node,
        /// Whether it is a folder.
        is_folder: bool,
    },
    /// Bytes of a file.
    Write {
        /// Which file.
        node: Node,
        /// Where they start.
        at: usize,
        /// The bytes.
        bytes: Arc<[u8]>,
    },
    /// The length of a file.
    Cut {
        /// Which file.
        node: Node,
        /// The new length.
        length: usize,
    },
    /// A sync of a file or folder.
    Sync {
        /// Which.
        node: Node,
    },
    /// A sync that failed: what it should have written may be lost, though it can still be read.
    FailedSync {
        /// Of which.
        node: Node,
    },
    /// Another name, in the place of whatever had it.
    Move {
        /// From this folder.
        folder: Node,
        /// The old name.
        name: String,
        /// Into this folder.
        to_folder: Node,
        /// The new name.
        to_name: String,
    },
    /// A name that is gone.
    Remove {
        /// Of this folder.
        folder: Node,
        /// The name.
        name: String,
    },
}

/// One line of the log.
#[derive(Debug, Clone)]
pub enum Entry {
    /// Something was done to the disk.
    Op(Op),
    /// A client asked or was told something.
    Mark(Mark),
}

/// How an operation fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// A change fails with EIO.
    Io,
    /// A change that needs room fails with ENOSPC.
    Full,
    /// A write takes half of its bytes.
    Short,
    /// A sync fails with EIO, and what it should have written is lost.
    Sync,
    /// A read fails with EIO.
    Read,
}

/// Which operations fail.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// How.
    pub fault: Fault,
    /// The first one that fails, counted from 1 among those that can fail so.
    pub nth: u64,
    /// Whether all after it fail too.
    pub lasts: bool,
}

/// What can fail, by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Doing {
    /// A change that needs room.
    Grow,
    /// A write of more than a byte.
    Write,
    /// Any other change.
    Change,
    Sync,
    Read,
}

impl Fault {
    /// Every way.
    pub const ALL: [Self; 5] = [Self::Io, Self::Full, Self::Short, Self::Sync, Self::Read];

    fn hits(self, doing: Doing) -> bool {
        match self {
            Self::Io => matches!(doing, Doing::Grow | Doing::Write | Doing::Change),
            Self::Full => matches!(doing, Doing::Grow | Doing::Write),
            Self::Short => doing == Doing::Write,
            Self::Sync => doing == Doing::Sync,
            Self::Read => doing == Doing::Read,
        }
    }

    fn errno(self) -> Errno {
        match self {
            Self::Full => Errno::NOSPC,
            _ => Errno::IO,
        }
    }
}

/// What a node is.
#[derive(Debug, Clone)]
pub enum Kind {
    /// Names and what they mean.
    Folder(BTreeMap<String, Node>),
    /// Bytes.
    File(Vec<u8>),
    /// A socket.
    Socket,
}

/// A file, folder or socket.
#[derive(Debug, Clone)]
pub struct Inode {
    /// What it is.
    pub kind: Kind,
    /// Permissions.
    pub mode: u32,
    /// Whether it is not meant to last.
    is_volatile: bool,
}

#[derive(Debug, Default)]
struct Inner {
    nodes: HashMap<Node, Inode>,
    last: Node,
    log: Vec<Entry>,
    plan: Option<Plan>,
    counted: BTreeMap<Doing, u64>,
    /// What failed, for reports.
    failed: Vec<String>,
}

/// The file system.
#[derive(Debug, Default)]
pub struct Volume(Mutex<Inner>);

type Outcome<T> = std::result::Result<T, Errno>;

impl Inner {
    fn node(&self, node: Node) -> Outcome<&Inode> {
        self.nodes.get(&node).ok_or(Errno::NOENT)
    }

    fn names(&mut self, folder: Node) -> Outcome<&mut BTreeMap<String, Node>> {
        match self.nodes.get_mut(&folder).map(|inode| &mut inode.kind) {
            Some(Kind::Folder(names)) => Ok(names),
            Some(_) => Err(Errno::NOTDIR),
            None => Err(Errno::NOENT),
        }
    }

    fn bytes(&mut self, node: Node) -> Outcome<&mut Vec<u8>> {
        match self.nodes.get_mut(&node).map(|inode| &mut inode.kind) {
            Some(Kind::File(bytes)) => Ok(bytes),
            Some(_) => Err(Errno::ISDIR),
            None => Err(Errno::NOENT),
        }
    }

    fn is_volatile(&self, node: Node) -> bool {
        self.nodes.get(&node).is_some_and(|inode| inode.is_volatile)
    }

    /// Whether this operation is to fail.
    fn fails(&mut self, doing: Doing, what: impl FnOnce() -> String) -> Option<Fault> {
        let plan = self.plan?;
        *self.counted.entry(doing).or_default() += 1;
        if !plan.fault.hits(doing) {
            return None;
        }
        let counted = self.counted(plan.fault);
        let is_hit = counted == plan.nth || (plan.lasts && counted > plan.nth);
        if is_hit && self.failed.len() < 4 {
            self.failed.push(what());
        }
        is_hit.then_some(plan.fault)
    }

    /// How many operations could have failed so.
    fn counted(&self, fault: Fault) -> u64 {
        let hit = self.counted.iter().filter(|(doing, _)| fault.hits(**doing));
        hit.map(|(_, count)| count).sum()
    }

    fn check(&mut self, doing: Doing, what: impl FnOnce() -> String) -> Outcome<()> {
        match self.fails(doing, what) {
            Some(fault) => Err(fault.errno()),
            None => Ok(()),
        }
    }

    fn add(&mut self, folder: Node, name: &str, kind: Kind, mode: u32) -> Outcome<Node> {
        let is_volatile = name.ends_with("-shm") || matches!(kind, Kind::Socket);
        if self.names(folder)?.contains_key(name) {
            return Err(Errno::EXIST);
        }
        if !is_volatile {
            self.check(Doing::Grow, || format!("make {name}"))?;
        }
        let is_folder = matches!(kind, Kind::Folder(_));
        self.last += 1;
        let node = self.last;
        let inode = Inode {
            kind,
            mode,
            is_volatile,
        };
        self.nodes.insert(node, inode);
        self.names(folder)?.insert(name.to_owned(), node);
        if !is_volatile {
            self.log.push(Entry::Op(Op::Make {
                folder,
                name: name.to_owned(),
                node,
                is_folder,
            }));
        }
        Ok(node)
    }

    fn list(&self, node: Node, path: &str, tree: &mut Tree) {
        let Some(Kind::Folder(names)) = self.nodes.get(&node).map(|inode| &inode.kind) else {
            return;
        };
        for (name, child) in names {
            let path = join(path, name);
            match self.nodes.get(child) {
                Some(inode) if inode.is_volatile => {}
                Some(Inode {
                    kind: Kind::File(bytes),
                    ..
                }) => {
                    tree.insert(path, Content::File(Arc::new(bytes.clone())));
                }
                _ => {
                    tree.insert(path.clone(), Content::Folder);
                    self.list(*child, &path, tree);
                }
            }
        }
    }
}

/// A path below another one; the root is empty.
pub fn join(folder: &str, name: &str) -> String {
    match folder {
        "" => name.to_owned(),
        folder => format!("{folder}/{name}"),
    }
}

impl Volume {
    /// An empty one.
    pub fn new() -> Self {
        let volume = Self::default();
        {
            let mut inner = volume.lock();
            let root = Inode {
                kind: Kind::Folder(BTreeMap::new()),
                mode: 0o700,
                is_volatile: false,
            };
            inner.nodes.insert(ROOT, root);
            inner.last = ROOT;
        }
        volume
    }

    /// One that holds `tree`, all of it durable.
    pub fn holding(tree: &Tree) -> Outcome<Self> {
        let volume = Self::new();
        let mut paths = HashMap::from([(String::new(), ROOT)]);
        let mut synced = vec![ROOT];
        for (path, content) in tree {
            let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
            let folder = *paths.get(folder).ok_or(Errno::NOENT)?;
            let node = match content {
                Content::Folder => volume.make_folder(folder, name, 0o700)?,
                Content::File(bytes) => {
                    let node = volume.make_file(folder, name, 0o600)?;
                    volume.write(node, 0, bytes)?;
                    node
                }
            };
            paths.insert(path.clone(), node);
            synced.push(node);
        }
        for node in synced {
            volume.sync(node)?;
        }
        Ok(volume)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a mark between what was done and what will be.
    pub fn mark(&self, mark: Mark) {
        self.lock().log.push(Entry::Mark(mark));
    }

    /// What was done since the start or the last call.
    pub fn take_log(&self) -> Vec<Entry> {
        std::mem::take(&mut self.lock().log)
    }

    /// Makes operations fail from now on.
    pub fn arm(&self, plan: Plan) {
        let mut inner = self.lock();
        inner.plan = Some(plan);
        inner.counted.clear();
        inner.failed.clear();
    }

    /// Lets nothing fail any more; what failed, and how many operations could have, by failure.
    pub fn disarm(&self) -> (Vec<String>, Vec<(Fault, u64)>) {
        let mut inner = self.lock();
        inner.plan = None;
        let counted = Fault::ALL.map(|fault| (fault, inner.counted(fault)));
        (std::mem::take(&mut inner.failed), counted.to_vec())
    }

    /// Everything as programs see it now.
    pub fn tree(&self) -> Tree {
        let mut tree = Tree::new();
        self.lock().list(ROOT, "", &mut tree);
        tree
    }

    /// What a name means.
    pub fn look_up(&self, folder: Node, name: &str) -> Outcome<Node> {
        let mut inner = self.lock();
        let names = inner.names(folder)?;
        names.get(name).copied().ok_or(Errno::NOENT)
    }

    /// Looks at a node.
    pub fn look<T>(&self, node: Node, see: impl FnOnce(&Inode) -> T) -> Outcome<T> {
        Ok(see(self.lock().node(node)?))
    }

    /// Makes a folder.
    pub fn make_folder(&self, folder: Node, name: &str, mode: u32) -> Outcome<Node> {
        let kind = Kind::Folder(BTreeMap::new());
        self.lock().add(folder, name, kind, mode)
    }

    /// Makes an empty file.
    pub fn make_file(&self, folder: Node, name: &str, mode: u32) -> Outcome<Node> {
        let kind = Kind::File(Vec::new());
        self.lock().add(folder, name, kind, mode)
    }

    /// Makes a socket, which is not logged.
    pub fn make_socket(&self, folder: Node, name: &str, mode: u32) -> Outcome<Node> {
        self.lock().add(folder, name, Kind::Socket, mode)
    }

    /// Bytes of a file.
    pub fn read(&self, node: Node, at: usize, length: usize) -> Outcome<Vec<u8>> {
        let mut inner = self.lock();
        if !inner.is_volatile(node) {
            inner.check(Doing::Read, || format!("read {node} at {at}"))?;
        }
        let bytes = inner.bytes(node)?;
        let end = bytes.len().min(at.saturating_add(length));
        Ok(bytes.get(at..end).unwrap_or_default().to_vec())
    }

    /// Writes bytes and says how many.
    pub fn write(&self, node: Node, at: usize, mut bytes: &[u8]) -> Outcome<usize> {
        let mut inner = self.lock();
        let is_volatile = inner.is_volatile(node);
        if !is_volatile {
            let doing = match bytes.len() {
                0 | 1 => Doing::Grow,
                _ => Doing::Write,
            };
            match inner.fails(doing, || format!("write {node} at {at}")) {
                Some(Fault::Short) => bytes = &bytes[..bytes.len() / 2],
                Some(fault) => return Err(fault.errno()),
                None => {}
            }
        }
        put(inner.bytes(node)?, at, bytes);
        if !is_volatile {
            let bytes = bytes.into();
            inner.log.push(Entry::Op(Op::Write { node, at, bytes }));
        }
        Ok(bytes.len())
    }

    /// Sets the length of a file.
    pub fn cut(&self, node: Node, length: usize) -> Outcome<()> {
        let mut inner = self.lock();
        let is_volatile = inner.is_volatile(node);
        let held = inner.bytes(node)?.len();
        if !is_volatile {
            let doing = match length > held {
                true => Doing::Grow,
                false => Doing::Change,
            };
            inner.check(doing, || format!("cut {node} to {length}"))?;
        }
        inner.bytes(node)?.resize(length, 0);
        if !is_volatile {
            inner.log.push(Entry::Op(Op::Cut { node, length }));
        }
        Ok(())
    }

    /// Makes a file or folder durable.
    pub fn sync(&self, node: Node) -> Outcome<()> {
        let mut inner = self.lock();
        if inner.is_volatile(node) {
            return Ok(());
        }
        if let Some(fault) = inner.fails(Doing::Sync, || format!("sync {node}")) {
            inner.log.push(Entry::Op(Op::FailedSync { node }));
            return Err(fault.errno());
        }
        inner.log.push(Entry::Op(Op::Sync { node }));
        Ok(())
    }

    /// Gives a node another name.
    pub fn rename(&self, from: (Node, &str), to: (Node, &str)) -> Outcome<()> {
        let mut inner = self.lock();
        let node = *inner.names(from.0)?.get(from.1).ok_or(Errno::NOENT)?;
        inner.check(Doing::Grow, || format!("rename {} to {}", from.1, to.1))?;
        inner.names(from.0)?.remove(from.1);
        inner.names(to.0)?.insert(to.1.to_owned(), node);
        inner.log.push(Entry::Op(Op::Move {
            folder: from.0,
            name: from.1.to_owned(),
            to_folder: to.0,
            to_name: to.1.to_owned(),
        }));
        Ok(())
    }

    /// Takes a name away. Whoever has the file open keeps it.
    pub fn remove(&self, folder: Node, name: &str) -> Outcome<()> {
        let mut inner = self.lock();
        let node = *inner.names(folder)?.get(name).ok_or(Errno::NOENT)?;
        if let Kind::Folder(names) = &inner.node(node)?.kind
            && !names.is_empty()
        {
            return Err(Errno::NOTEMPTY);
        }
        let is_volatile = inner.is_volatile(node);
        if !is_volatile {
            inner.check(Doing::Change, || format!("remove {name}"))?;
        }
        inner.names(folder)?.remove(name);
        if !is_volatile {
            let name = name.to_owned();
            inner.log.push(Entry::Op(Op::Remove { folder, name }));
        }
        Ok(())
    }
}

/// Puts bytes into a file that may have to grow.
pub fn put(file: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    let end = at + bytes.len();
    if file.len() < end {
        file.resize(end, 0);
    }
    file[at..end].copy_from_slice(bytes);
}

/// Writes a tree below a folder that is there.
pub fn lay_out(tree: &Tree, root: &Path) -> Result<()> {
    for (path, content) in tree {
        let path = root.join(path);
        match content {
            Content::Folder => std::fs::create_dir(&path),
            Content::File(bytes) => std::fs::write(&path, bytes.as_slice()),
        }
        .with_context(|| format!("laying out {}", path.display()))?;
    }
    Ok(())
}
