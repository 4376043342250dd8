//! A disk for tests: the real one, with faults at planned calls and a list of what was asked.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use rustix::io::Errno;

use crate::disk::{Disk, Kernel};

/// One call, without its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    Create,
    Open,
    Write,
    Cut,
    SyncBytes,
    SyncFolder,
    Unlink,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// Nothing does.
    None,
    /// The call with this number fails, and those after it work again.
    Once(usize, Errno),
    /// The calls from this number on fail: the machine is dead, or the disk stays full.
    From(usize, Errno),
    /// Every call of this kind fails.
    Every(Call, Errno),
    /// Each write takes this many bytes at most, and every other one is interrupted.
    ShortWrites(usize),
}

/// The calls so far, and the plan; shared with the test. The calls of `open` are not counted.
#[derive(Debug, Clone)]
pub(crate) struct Plan(Arc<Mutex<(Vec<Call>, Fault)>>);

impl Plan {
    pub(crate) fn new(fault: Fault) -> Self {
        Self(Arc::new(Mutex::new((Vec::new(), fault))))
    }

    /// Starts counting at zero with another fault.
    pub(crate) fn restart(&self, fault: Fault) {
        *self.0.lock().unwrap() = (Vec::new(), fault);
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.0.lock().unwrap().0.clone()
    }

    fn count(&self, call: Call) -> io::Result<()> {
        let mut planned = self.0.lock().unwrap();
        let number = planned.0.len();
        planned.0.push(call);
        let errno = match planned.1 {
            Fault::Once(at, errno) if at == number => errno,
            Fault::From(at, errno) if at <= number => errno,
            Fault::Every(kind, errno) if kind == call => errno,
            Fault::ShortWrites(_) if call == Call::Write && number % 2 == 1 => Errno::INTR,
            _ => return Ok(()),
        };
        Err(io::Error::from_raw_os_error(errno.raw_os_error()))
    }

    fn longest_write(&self) -> usize {
        match self.0.lock().unwrap().1 {
            Fault::ShortWrites(length) => length,
            _ => usize::MAX,
        }
    }
}

/// The real disk behind a plan.
#[derive(Debug)]
pub(crate) struct PlannedDisk(pub(crate) Plan);

impl Disk for PlannedDisk {
    fn create(&self, path: &Path) -> io::Result<File> {
        self.0.count(Call::Create)?;
        Kernel.create(path)
    }

    fn open_staged(&self, path: &Path) -> io::Result<File> {
        self.0.count(Call::Open)?;
        Kernel.open_staged(path)
    }

    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.0.count(Call::Write)?;
        let length = bytes.len().min(self.0.longest_write());
        Kernel.write_at(file, &bytes[..length], offset)
    }

    fn cut(&self, file: &File, length: u64) -> io::Result<()> {
        self.0.count(Call::Cut)?;
        Kernel.cut(file, length)
    }

    fn sync_bytes(&self, file: &File) -> io::Result<()> {
        self.0.count(Call::SyncBytes)?;
        Kernel.sync_bytes(file)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.0.count(Call::SyncFolder)?;
        Kernel.sync_folder(path)
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        self.0.count(Call::Unlink)?;
        Kernel.unlink(path)
    }
}

/// A disk whose first write waits until the test lets it go.
#[derive(Debug)]
pub(crate) struct SlowDisk {
    started: Sender<()>,
    gate: Mutex<Option<Receiver<()>>>,
}

impl SlowDisk {
    /// The disk, the end that hears of the first write, and the end that lets it go.
    pub(crate) fn new() -> (Self, Receiver<()>, Sender<()>) {
        let (started, has_started) = channel();
        let (open, gate) = channel();
        let gate = Mutex::new(Some(gate));
        (Self { started, gate }, has_started, open)
    }
}

impl Disk for SlowDisk {
    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let gate = self.gate.lock().unwrap().take();
        if let Some(gate) = gate {
            let _ = self.started.send(());
            let _ = gate.recv();
        }
        Kernel.write_at(file, bytes, offset)
    }
}
