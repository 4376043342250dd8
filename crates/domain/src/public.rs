//! Amazon ECR Public as pure values (API 2020-10-30): aliases of registries and catalog data.
//!
//! Repositories, images and their deletion are those of every registry; nothing here repeats them.

pub mod alias;
pub mod arn;
pub mod catalog_data;
pub mod logo;
pub mod pull_rate;
