//! What nodes use, as percent of what their power gives.

use std::collections::HashMap;

use bollard::models::ContainerStatsResponse;
use roadstead_domain::lightsail::power::Power;
use roadstead_registry::containers::runtime::Usage;

use crate::limits::node_memory;

/// What a container had used when it was asked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// When, in nanoseconds.
    pub at_nanos: i64,
    /// Processor time since its start, in nanoseconds.
    pub processor_nanos: u64,
    /// Memory, without what the kernel can take back.
    pub memory_bytes: u64,
}

/// Reads an answer; none if the container does not run.
pub fn read(stats: &ContainerStatsResponse) -> Option<Reading> {
    let at: jiff::Timestamp = stats.read.as_ref()?.parse().ok()?;
    let processor = stats.cpu_stats.as_ref()?.cpu_usage.as_ref()?.total_usage?;
    let memory = stats.memory_stats.as_ref()?;
    let detail = |key: &str| memory.stats.as_ref()?.get(key).copied();
    // Version 2 of control groups names it the first way, version 1 the second.
    let cached = detail("inactive_file").or_else(|| detail("total_inactive_file"));
    Some(Reading {
        at_nanos: i64::try_from(at.as_nanosecond()).ok()?,
        processor_nanos: processor,
        memory_bytes: memory.usage?.saturating_sub(cached.unwrap_or(0)),
    })
}

/// The use of a node between two looks; none unless a container was seen in both. One that was
/// started between them counts with what it used since.
pub fn between(
    power: Power,
    before: &HashMap<String, Reading>,
    now: &HashMap<String, Reading>,
) -> Option<Usage> {
    let (mut share, mut memory, mut is_known) = (0.0, 0.0, false);
    for (id, reading) in now {
        memory += reading.memory_bytes as f64;
        let Some(earlier) = before.get(id) else {
            continue;
        };
        let elapsed = reading.at_nanos.saturating_sub(earlier.at_nanos);
        if elapsed <= 0 {
            continue;
        }
        is_known = true;
        let used = match reading.processor_nanos.checked_sub(earlier.processor_nanos) {
            Some(used) => used,
            None => reading.processor_nanos,
        };
        share += used as f64 / elapsed as f64;
    }
    is_known.then(|| Usage {
        cpu_percent: 100.0 * share / power.size().cpu_count,
        memory_percent: 100.0 * memory / node_memory(power),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readings(rows: &[(&str, i64, u64, u64)]) -> HashMap<String, Reading> {
        let reading = |row: &(&str, i64, u64, u64)| {
            let reading = Reading {
                at_nanos: row.1,
                processor_nanos: row.2,
                memory_bytes: row.3,
            };
            (row.0.to_owned(), reading)
        };
        rows.iter().map(reading).collect()
    }

    #[test]
    fn percent_of_a_node() {
        const MB: u64 = 1024 * 1024;
        let before = readings(&[("a", 0, 100, MB), ("b", 0, 500, MB)]);
        // A quarter of a processor and 512 MB are all of it.
        let now = readings(&[("a", 1000, 200, 64 * MB), ("b", 1000, 25, 64 * MB)]);
        let usage = between(Power::Nano, &before, &now).unwrap();
        assert_eq!(usage.memory_percent, 25.0);
        assert_eq!(usage.cpu_percent, 50.0, "b was started again");
        assert_eq!(between(Power::Nano, &HashMap::new(), &now), None);
        assert_eq!(between(Power::Nano, &now, &now), None);
    }
}
