//! Black box: the common clients of registries against the real server, each with its own login,
//! as `docs/clients.md` shows them. One file for each client.

mod bench;
mod buildah;
mod buildx;
mod cosign;
mod crane;
mod ctr;
mod guide;
mod helm;
mod notation;
mod oras;
mod podman;
mod regctl;
mod skopeo;
#[path = "../support/mod.rs"]
mod support;
