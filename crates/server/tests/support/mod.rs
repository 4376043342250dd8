//! What the black-box suites share: the real server as a child process, the stock clients, and
//! images made by hand.
//!
//! Must never look inside the server: only its commands, its addresses and its data folder.

#![allow(dead_code, reason = "each suite uses a part of this module")]

pub mod aws;
pub mod docker;
pub mod guide;
pub mod images;
pub mod program;
pub mod server;
