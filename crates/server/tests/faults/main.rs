//! The faults that registries really had, provoked here: each test is named after its fault
//! (F01 to F48). Pushing, deleting and sweeping are raced, failed at every call and killed.
//!
//! Everything goes through the public doors; only the sweep, the clock and the files on the disk
//! are reached past them.

mod disk;
mod doors;
mod gate;
mod images;
mod killed;
mod lists;
mod points;
mod races;
mod rest;
mod sweeping;
mod uploads;

#[path = "../support/mod.rs"]
mod support;
