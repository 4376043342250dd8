//! Hostile and negative input, row by row: sections A (content), B (names, paths, encodings),
//! C (uploads), D (tokens and who may do what) and E (the AWS APIs) of `docs/hostile.md`. Each test
//! is named after its row.
//!
//! Every input of a row is sent through a public door; the answer is asserted, what is stored must
//! be what it was, and the server must answer a normal request afterwards.

#[path = "../api/mod.rs"]
mod api;
#[path = "../public_api/mod.rs"]
mod public_api;
#[path = "../support/mod.rs"]
mod support;

mod aws;
mod bench;
mod content;
mod names;
mod process;
mod signatures;
mod sweep;
mod tokens;
mod uploads;
