//! A whole server in one process, with a clock that tests move and clients that speak its public
//! doors. For tests only.

pub mod answer;
pub mod aws;
pub mod client;
pub mod clock;
pub mod folder;
pub mod images;
pub mod lifecycle;
pub mod oci;
pub mod random;
pub mod session;
pub mod world;

pub use answer::Answer;
pub use clock::{CountingIds, TestClock};
pub use images::{Artifact, Layout};
pub use random::Random;
pub use session::Session;
pub use world::{Credentials, World, WorldBuilder};
