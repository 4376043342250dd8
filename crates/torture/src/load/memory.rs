//! The anonymous memory of a process, looked at all along: `RssAnon` of `/proc/PID/status`
//! (proc_pid_status(5)), what it holds itself without the files that it has mapped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, Result};

/// The pause between looks.
const PAUSE: Duration = Duration::from_millis(10);

#[derive(Debug, Default)]
struct Seen {
    peak_kib: AtomicU64,
    looks: AtomicU64,
    is_over: AtomicBool,
}

/// Looks until it is dropped.
#[derive(Debug)]
pub(super) struct Sampler {
    seen: Arc<Seen>,
    thread: Option<JoinHandle<()>>,
}

impl Sampler {
    /// Looks at the process of that id.
    pub(super) fn start(id: u32) -> Result<Self> {
        let path = format!("/proc/{id}/status");
        anonymous_kib(&path).with_context(|| format!("no RssAnon in {path}"))?;
        let seen = Arc::new(Seen::default());
        let looking = seen.clone();
        let thread = std::thread::spawn(move || {
            while !looking.is_over.load(Relaxed) {
                if let Some(kib) = anonymous_kib(&path) {
                    looking.peak_kib.fetch_max(kib, Relaxed);
                    looking.looks.fetch_add(1, Relaxed);
                }
                std::thread::sleep(PAUSE);
            }
        });
        Ok(Self {
            seen,
            thread: Some(thread),
        })
    }

    /// The most that was seen, KiB.
    pub(super) fn peak_kib(&self) -> u64 {
        self.seen.peak_kib.load(Relaxed)
    }

    /// How many looks that were.
    pub(super) fn looks(&self) -> u64 {
        self.seen.looks.load(Relaxed)
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.seen.is_over.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn anonymous_kib(path: &str) -> Option<u64> {
    let status = std::fs::read_to_string(path).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse().ok()
}
