//! The two ports of the registry: metadata (rows) and blobs (bytes), with the contract that every
//! implementation has to pass.
//!
//! Bytes are written before the row that names them and removed after it. Nothing here knows SQL,
//! paths or HTTP.

pub mod blobs;
#[cfg(feature = "contract")]
pub mod fault;
pub mod metadata;
