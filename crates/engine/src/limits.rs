//! How the power of a node is split over its containers.
//!
//! AWS limits the node; an engine limits containers, and a group of them only through the control
//! groups of its machine, which differ. So each container of a deployment gets an equal share of
//! the node, processors and memory alike, and what one leaves unused no other gets. The sandbox
//! needs next to nothing and gets no share.

use roadstead_domain::lightsail::power::Power;

const BYTES_PER_GB: f64 = 1024.0 * 1024.0 * 1024.0;

/// What a container may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Billionths of a processor.
    pub nano_cpus: i64,
    /// Memory, with no swap beyond it.
    pub memory_bytes: i64,
}

impl Limits {
    /// The share of each of `members` containers on a node. An engine refuses to promise more
    /// processors than its machine has.
    pub fn of_member(power: Power, members: usize, processors: f64) -> Self {
        let (size, members) = (power.size(), members.max(1) as f64);
        Self {
            nano_cpus: (size.cpu_count.min(processors) * 1e9 / members) as i64,
            memory_bytes: (size.ram_gb * BYTES_PER_GB / members) as i64,
        }
    }
}

/// The memory of a whole node.
pub fn node_memory(power: Power) -> f64 {
    power.size().ram_gb * BYTES_PER_GB
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_equal_and_within_the_machine() {
        for (power, members, processors, nano_cpus, megabytes) in [
            (Power::Nano, 1, 2.0, 250_000_000, 512),
            (Power::Nano, 10, 2.0, 25_000_000, 51),
            (Power::Medium, 2, 2.0, 500_000_000, 1024),
            (Power::Xlarge, 1, 2.0, 2_000_000_000, 8192),
            (Power::Xlarge, 4, 8.0, 1_000_000_000, 2048),
        ] {
            let limits = Limits::of_member(power, members, processors);
            let found = (limits.nano_cpus, limits.memory_bytes / 1024 / 1024);
            assert_eq!(found, (nano_cpus, megabytes), "{power:?} {members}");
        }
    }
}
