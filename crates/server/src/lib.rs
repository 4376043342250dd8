//! The program: settings, the real clock and randomness, the data directory, and the commands.
//!
//! This is the only place that puts the parts together; nothing else knows which stores there are.

pub mod ambient;
pub mod certificate;
pub mod client;
pub mod commands;
pub mod compose;
pub mod config;
pub mod control;
pub mod data_dir;
pub mod delivery;
pub mod engine;
pub mod login;
pub mod workers;
