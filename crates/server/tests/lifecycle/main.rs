//! Lifecycle policies and the archive through the public doors, in process and with a clock that
//! is moved: what policies do, what previews say, who wins a race, what a crash leaves.
//!
//! Expected values come from `lifecycle-cases.json` and from the ECR user guide and API reference,
//! never from what the server answered before.

mod archive;
mod cases;
mod crashes;
mod operations;
mod orphans;
mod pause;
mod previews;
mod races;
mod runs;
mod shelf;
mod texts;

#[path = "../api/mod.rs"]
mod api;

#[allow(dead_code, reason = "each suite uses a part of this module")]
#[path = "../faults/doors.rs"]
mod doors;
