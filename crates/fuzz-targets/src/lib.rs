//! What must hold of every parser that meets the outside, whatever it is given: one function for
//! each, from bytes, that panics where it does not hold.
//!
//! Two callers: libFuzzer (`cargo xtask fuzz`, the programs in `fuzz/`), which looks for new input,
//! and `tests/corpus.rs`, which replays what was found, and mutations of it, in every run of the
//! tests. For tests only.

pub mod filters;
pub mod hosts;
pub mod json_bodies;
pub mod lifecycle;
pub mod manifests;
pub mod mutate;
pub mod names;
pub mod paths;
pub mod policies;
pub mod proxies;
pub mod ranges;
pub mod signatures;
pub mod tokens;

use http::{HeaderMap, HeaderName, HeaderValue};

/// A property of one parser.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, that of its corpus and of its program.
    pub name: &'static str,
    /// The property.
    pub check: fn(&[u8]),
}

/// All of them.
pub const TARGETS: [Target; 12] = [
    target("filters", filters::check),
    target("hosts", hosts::check),
    target("json_bodies", json_bodies::check),
    target("lifecycle", lifecycle::check),
    target("manifests", manifests::check),
    target("names", names::check),
    target("paths", paths::check),
    target("policies", policies::check),
    target("proxies", proxies::check),
    target("ranges", ranges::check),
    target("signatures", signatures::check),
    target("tokens", tokens::check),
];

const fn target(name: &'static str, check: fn(&[u8])) -> Target {
    Target { name, check }
}

/// The first byte, 0 if there is none, and the rest: a choice and what it is about.
fn choice(data: &[u8]) -> (usize, &[u8]) {
    data.split_first()
        .map_or((0, data), |(first, rest)| (usize::from(*first), rest))
}

/// The bytes as text; what is none is left out, since no caller of a parser of texts has it.
fn text(data: &[u8]) -> Option<&str> {
    std::str::from_utf8(data).ok()
}

/// Lines of `name: value` as headers; what is none is left out, as it would not arrive.
fn header_lines(data: &[u8]) -> HeaderMap {
    let pairs = data.split(|byte| *byte == b'\n').filter_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = HeaderName::from_bytes(&line[..colon]).ok()?;
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?;
        Some((name, value))
    });
    // Collecting would keep the last of a name alone.
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(name, value);
    }
    headers
}
