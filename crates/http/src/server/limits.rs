//! What bounds the peers of a server, and the usual bounds of this process.
//!
//! Values only; `watch.rs` holds connections to them.

use std::time::Duration;

use rustix::process::{Resource, getrlimit};

/// Connections served at once at most, unless a setting says otherwise.
const CONNECTIONS_MAX: u64 = 10_000;
/// File descriptors kept for everything but connections and the files that they send or fill.
const DESCRIPTORS_RESERVED: u64 = 200;

/// What bounds the peers.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections served at once; more wait to be accepted.
    pub connections: usize,
    /// Requests answered at once; more are told to come again. HTTP/2 has many on one connection.
    pub requests: usize,
    /// How long a head may take, the handshake of TLS included for the first one. It is looked at
    /// four times as often, so that the end comes at most a quarter later.
    pub head: Duration,
    /// How long a connection may rest between requests, with the same precision.
    pub idle: Duration,
    /// How long an answer may stay without the peer taking any of it.
    pub unread: Duration,
    /// How often the peer of an HTTP/2 connection is asked whether it is there.
    pub ping_interval: Duration,
    /// How long it may take to answer.
    pub ping_timeout: Duration,
    /// How long requests in flight may take to end once the server stops.
    pub drain: Duration,
}

impl Default for Limits {
    /// As many connections as the open files of this process allow.
    fn default() -> Self {
        let connections = connections(open_files());
        Self {
            connections,
            // Each may hold a file, as a connection of HTTP/1.1 does.
            requests: connections,
            head: Duration::from_secs(20),
            idle: Duration::from_secs(90),
            unread: Duration::from_secs(300),
            ping_interval: Duration::from_secs(60),
            ping_timeout: Duration::from_secs(30),
            drain: Duration::from_secs(30),
        }
    }
}

fn open_files() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// A connection takes a descriptor, and another one for the file that it sends or fills.
fn connections(open_files: u64) -> usize {
    let most = open_files.saturating_sub(DESCRIPTORS_RESERVED) / 2;
    usize::try_from(most.clamp(1, CONNECTIONS_MAX)).unwrap_or(1)
}

/// How many requests may be on their way to containers at once: a quarter of the connections, since
/// each takes a descriptor or two besides.
pub(crate) fn requests_to_nodes() -> usize {
    (connections(open_files()) / 4).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_for_the_rest() {
        let rows = [(0, 1), (256, 28), (1024, 412), (65_536, 10_000)];
        for (open_files, expected) in rows {
            assert_eq!(connections(open_files), expected, "{open_files}");
        }
        assert_eq!(connections(u64::MAX), 10_000);
    }
}
