//! Black box: `docker-credential-roadstead` by its protocol, and as Docker, skopeo and Podman run it.

mod clients;
mod helper;
mod protocol;

#[path = "../support/mod.rs"]
mod support;
