//! What the machine did during a measurement: processor and disk, of a server and of everybody.

use anyhow::{Context, Result};
use std::collections::HashMap;
use std::fs;
use std::time::Instant;

/// Ticks of `proc(5)` in a second.
const TICKS: f64 = 100.0;

/// How many cores there are.
pub fn cores() -> f64 {
    std::thread::available_parallelism().map_or(1.0, |count| count.get() as f64)
}

/// What there was at one instant.
pub struct Instance {
    at: Instant,
    server: f64,
    everybody: f64,
    disk: f64,
}

/// What happened since: seconds of time, of processor, and of the busiest disk.
#[derive(Debug, Clone, Copy, Default)]
pub struct Spent {
    pub seconds: f64,
    pub server: f64,
    pub everybody: f64,
    pub disk: f64,
}

/// The one clock of the benchmarks.
#[expect(
    clippy::disallowed_methods,
    reason = "a benchmark measures time; no clock of the product is meant"
)]
pub fn now() -> Instant {
    Instant::now()
}

impl Instance {
    /// Now, for a server process with its children.
    pub fn of(server: u32) -> Self {
        Self {
            at: now(),
            server: processor(server),
            everybody: busy(),
            disk: disk(),
        }
    }

    /// Until now.
    pub fn spent(&self, server: u32) -> Spent {
        Spent {
            seconds: self.at.elapsed().as_secs_f64(),
            server: processor(server) - self.server,
            everybody: busy() - self.everybody,
            disk: disk() - self.disk,
        }
    }
}

/// Processor seconds of a process and its children.
fn processor(process: u32) -> f64 {
    let mut by_parent: HashMap<u32, Vec<(u32, f64)>> = HashMap::new();
    let mut total = 0.0;
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Ok(id) = entry.file_name().to_string_lossy().parse::<u32>() else {
            continue;
        };
        let Some((parent, seconds)) = stat(id) else {
            continue;
        };
        if id == process {
            total += seconds;
        }
        by_parent.entry(parent).or_default().push((id, seconds));
    }
    let children = by_parent.get(&process).into_iter().flatten();
    total + children.map(|(_, seconds)| seconds).sum::<f64>()
}

/// Parent and processor seconds of a process.
fn stat(process: u32) -> Option<(u32, f64)> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let fields: Vec<&str> = text.rsplit(')').next()?.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<f64>().ok();
    Some((
        fields.get(1)?.parse().ok()?,
        (ticks(11)? + ticks(12)?) / TICKS,
    ))
}

/// Processor seconds of everybody.
fn busy() -> f64 {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = text.lines().next().unwrap_or_default();
    let fields: Vec<f64> = line
        .split_whitespace()
        .skip(1)
        .flat_map(str::parse)
        .collect();
    // user nice system idle iowait irq softirq
    let busy = [0, 1, 2, 5, 6].map(|at| fields.get(at).copied().unwrap_or(0.0));
    busy.iter().sum::<f64>() / TICKS
}

/// Seconds for which the busiest disk had something to do.
fn disk() -> f64 {
    let text = fs::read_to_string("/proc/diskstats").unwrap_or_default();
    let ticks = text
        .lines()
        .filter_map(|line| line.split_whitespace().nth(12)?.parse().ok());
    ticks.fold(0.0, f64::max) / 1e3
}

/// Resident memory of a process, MiB.
pub fn resident(process: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next());
    Ok(kilobytes.context("no VmRSS")?.parse::<f64>()? / 1024.0)
}
