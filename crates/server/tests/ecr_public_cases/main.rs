//! Amazon ECR Public over the wire, held against `ecr-public.md`: first the fifteen cases that
//! naive implementations get wrong (section 16), then each operation by the tables of sections 3,
//! 6, 10 and 11, and the data plane of section 4.
//!
//! Every request is signed or made by hand; the stock clients are in `public_clients`.

#[path = "../public_api/mod.rs"]
mod public_api;

mod broken_stores;
mod cases;
mod catalog;
mod challenges;
mod data_plane;
mod deletions;
mod images;
mod layers;
mod logos;
mod pages;
mod policies;
mod pushes;
mod registries;
mod repositories;
mod resource_tags;
mod tokens;
mod wire_cases;
