//! Amazon Lightsail container services: the rules against the cases of the reference.
//!
//! Expected texts and numbers stand as the API model, the guides and real transcripts give them.

mod accounts;
mod deployments;
mod fixtures;
mod images;
mod logs;
mod machine;
mod metrics;
mod names;
mod refusals;
mod services;
