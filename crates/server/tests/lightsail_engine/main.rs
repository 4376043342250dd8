//! Black box: deployments of container services that run, from the stock AWS CLI and the Docker
//! client to the address of the service and back to nothing.
//!
//! Needs the Docker daemon of `cargo xtask test`: roadstead runs the containers on it, and it pulls
//! their images from roadstead.

#[path = "../support/mod.rs"]
mod support;

mod address;
mod life;
mod site;
