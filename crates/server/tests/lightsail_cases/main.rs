//! Lightsail container services over the wire: the fifteen cases of the reference with whole
//! bodies, then every operation by the reference's rules (lightsail-containers.md 1 to 7).
//!
//! Nothing runs containers here: deployments are recorded. Time passes only in `lightsail::step`.

#[path = "../api/mod.rs"]
mod api;

mod access;
mod cases;
mod deployment_lists;
mod deployments;
mod domains;
mod faults;
mod images;
mod images_in_use;
mod logs;
mod metrics;
mod names;
mod pushes;
mod races;
mod registry_access;
mod registry_login;
mod services;
mod states;
mod tags;
