//! Amazon Lightsail container services as pure values and functions (API 2016-11-28).
//!
//! Callers load a service, its images and its deployments, ask here, and store what comes back.
//! Whatever is refused is a [`refusal::Refusal`]; nothing here runs a container or knows the wire.

pub mod addresses;
pub mod deployment;
pub mod domain_names;
pub mod endpoint;
pub mod images;
pub mod limits;
pub mod log_filter;
pub mod log_lines;
pub mod log_pages;
pub mod metrics;
pub mod names;
pub mod power;
pub mod refusal;
pub mod registry_access;
pub mod requests;
pub mod service;
pub mod spec;
pub mod state;
pub mod tags;
pub mod versions;
