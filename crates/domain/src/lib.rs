//! The rules of a registry as pure values and functions.
//!
//! Nothing here waits, reads a clock, draws randomness or touches a store: callers load what a
//! decision needs, ask, and apply the answer.

pub mod arn;
pub mod deletion;
pub mod digest;
pub mod ids;
pub mod image;
pub mod lifecycle;
pub mod lightsail;
pub mod limits;
pub mod manifest;
pub mod media_type;
pub mod name;
pub mod policy;
pub mod public;
pub mod reference;
pub mod resource_tag;
pub mod tagging;
pub mod time;
pub mod upload;
