//! The kernel's door to a [`Volume`]: a FUSE mount that lasts as long as its value.
//!
//! Translates and nothing else. Pages are cached by the kernel, as `mmap` needs, but every write
//! comes through at once; only writes to shared mappings come late, and those are of files that
//! are not meant to last. Needs root, or the right to mount.

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use fuser::{
    AccessFlags, BackgroundSession, BsdFileFlags, Config, Errno, FileAttr, FileHandle, FileType,
    Filesystem, FopenFlags, Generation, INodeNo, LockOwner, MountOption, OpenFlags, RenameFlags,
    ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyOpen,
    ReplyStatfs, ReplyWrite, Request, Session, TimeOrNow, WriteFlags,
};

use super::volume::{Inode, Kind, Node, Volume};

/// The kernel need not ask again: nobody else changes the volume.
const LASTING: Duration = Duration::from_secs(3600);
/// Free room to tell of, in blocks of 4096 bytes: 64 GiB.
const FREE_BLOCKS: u64 = 1 << 24;

/// A mounted volume; unmounted when dropped, which waits for whoever uses it.
#[derive(Debug)]
pub struct Mounted {
    session: Option<BackgroundSession>,
}

impl Mounted {
    /// Mounts a volume over a folder.
    ///
    /// # Errors
    /// Without `/dev/fuse` or the right to mount.
    pub fn new(volume: Arc<Volume>, at: &Path) -> Result<Self> {
        let mut config = Config::default();
        config.mount_options = vec![
            MountOption::FSName("roadstead-torture".into()),
            MountOption::NoAtime,
        ];
        let session = Session::new(Door(volume), at, &config)
            .and_then(Session::spawn)
            .context("mounting a FUSE file system: this needs /dev/fuse and root")?;
        Ok(Self {
            session: Some(session),
        })
    }

    /// Unmounts and waits for the end of it.
    ///
    /// # Errors
    /// If a program still uses it.
    pub fn end(mut self) -> Result<()> {
        match self.session.take() {
            Some(session) => match session.umount_and_join() {
                // Its thread was just asking the kernel for more.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => Ok(()),
                ended => ended.context("unmounting"),
            },
            None => Ok(()),
        }
    }
}

struct Door(Arc<Volume>);

fn attributes(node: Node, inode: &Inode) -> FileAttr {
    let (kind, size) = match &inode.kind {
        Kind::Folder(_) => (FileType::Directory, 0),
        Kind::File(bytes) => (FileType::RegularFile, bytes.len() as u64),
        Kind::Socket => (FileType::Socket, 0),
    };
    let perm = u16::try_from(inode.mode & 0o7777).unwrap_or(0o700);
    FileAttr {
        ino: INodeNo(node),
        size,
        blocks: size.div_ceil(512),
        atime: UNIX_EPOCH,
        mtime: UNIX_EPOCH,
        ctime: UNIX_EPOCH,
        crtime: UNIX_EPOCH,
        kind,
        perm,
        nlink: 1,
        uid: rustix::process::getuid().as_raw(),
        gid: rustix::process::getgid().as_raw(),
        rdev: 0,
        blksize: 4096,
        flags: 0,
    }
}

fn errno(error: rustix::io::Errno) -> Errno {
    Errno::from_i32(error.raw_os_error())
}

fn text(name: &OsStr) -> &str {
    // The product's names are ASCII; any other one is not found.
    name.to_str().unwrap_or_default()
}

fn number<N: TryInto<usize>>(number: N) -> usize {
    number.try_into().unwrap_or(usize::MAX)
}

impl Door {
    fn attributes(&self, node: Node) -> Result<FileAttr, Errno> {
        let seen = self.0.look(node, |inode| attributes(node, inode));
        seen.map_err(errno)
    }

    fn enter(&self, made: Result<Node, rustix::io::Errno>, reply: ReplyEntry) {
        let found = made.map_err(errno).and_then(|node| self.attributes(node));
        match found {
            Ok(found) => reply.entry(&LASTING, &found, Generation(0)),
            Err(error) => reply.error(error),
        }
    }
}

fn done(outcome: Result<(), rustix::io::Errno>, reply: ReplyEmpty) {
    match outcome {
        Ok(()) => reply.ok(),
        Err(error) => reply.error(errno(error)),
    }
}

impl Filesystem for Door {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        self.enter(self.0.look_up(parent.0, text(name)), reply);
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.attributes(ino.0) {
            Ok(found) => reply.attr(&LASTING, &found),
            Err(error) => reply.error(error),
        }
    }

    fn setattr(
        &self,
        _: &Request,
        ino: INodeNo,
        _mode: Option<u32>,
        _uid: Option<u32>,
        _gid: Option<u32>,
        size: Option<u64>,
        _atime: Option<TimeOrNow>,
        _mtime: Option<TimeOrNow>,
        _ctime: Option<SystemTime>,
        _fh: Option<FileHandle>,
        _crtime: Option<SystemTime>,
        _chgtime: Option<SystemTime>,
        _bkuptime: Option<SystemTime>,
        _flags: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let cut = size.map_or(Ok(()), |size| self.0.cut(ino.0, number(size)));
        match cut.map_err(errno).and_then(|()| self.attributes(ino.0)) {
            Ok(found) => reply.attr(&LASTING, &found),
            Err(error) => reply.error(error),
        }
    }

    fn mknod(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _umask: u32,
        _rdev: u32,
        reply: ReplyEntry,
    ) {
        let made = match rustix::fs::FileType::from_raw_mode(mode) {
            rustix::fs::FileType::Socket => self.0.make_socket(parent.0, text(name), mode),
            _ => self.0.make_file(parent.0, text(name), mode),
        };
        self.enter(made, reply);
    }

    fn mkdir(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _umask: u32,
        reply: ReplyEntry,
    ) {
        self.enter(self.0.make_folder(parent.0, text(name), mode), reply);
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        done(self.0.remove(parent.0, text(name)), reply);
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        done(self.0.remove(parent.0, text(name)), reply);
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        newparent: INodeNo,
        newname: &OsStr,
        _flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let (from, to) = ((parent.0, text(name)), (newparent.0, text(newname)));
        done(self.0.rename(from, to), reply);
    }

    fn open(&self, _: &Request, _ino: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        reply.opened(FileHandle(0), FopenFlags::FOPEN_KEEP_CACHE);
    }

    fn create(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _umask: u32,
        _flags: i32,
        reply: ReplyCreate,
    ) {
        let made = self.0.make_file(parent.0, text(name), mode);
        match made.map_err(errno).and_then(|node| self.attributes(node)) {
            Ok(found) => reply.created(
                &LASTING,
                &found,
                Generation(0),
                FileHandle(0),
                FopenFlags::empty(),
            ),
            Err(error) => reply.error(error),
        }
    }

    fn read(
        &self,
        _: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        match self.0.read(ino.0, number(offset), number(size)) {
            Ok(bytes) => reply.data(&bytes),
            Err(error) => reply.error(errno(error)),
        }
    }

    fn write(
        &self,
        _: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        offset: u64,
        data: &[u8],
        _write_flags: WriteFlags,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        match self.0.write(ino.0, number(offset), data) {
            Ok(count) => reply.written(u32::try_from(count).unwrap_or(0)),
            Err(error) => reply.error(errno(error)),
        }
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }

    fn fsync(&self, _: &Request, ino: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        done(self.0.sync(ino.0), reply);
    }

    fn fsyncdir(&self, _: &Request, ino: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        done(self.0.sync(ino.0), reply);
    }

    fn access(&self, _: &Request, _: INodeNo, _: AccessFlags, reply: ReplyEmpty) {
        reply.ok();
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        let free = FREE_BLOCKS;
        reply.statfs(free, free, free, free, free, 4096, 255, 4096);
    }

    fn readdir(
        &self,
        _: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        let names = self.0.look(ino.0, |inode| match &inode.kind {
            Kind::Folder(names) => names.clone(),
            _ => Default::default(),
        });
        let names = match names {
            Ok(names) => names,
            Err(error) => return reply.error(errno(error)),
        };
        for (at, (name, node)) in names.iter().enumerate().skip(number(offset)) {
            let kind = self.attributes(*node).map(|found| found.kind);
            let kind = kind.unwrap_or(FileType::RegularFile);
            if reply.add(INodeNo(*node), at as u64 + 1, kind, name) {
                break;
            }
        }
        reply.ok();
    }
}
