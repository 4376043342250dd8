//! Lifecycle policies: their grammar, what they do to the images of a repository, and why.
//!
//! Everything here is a pure function of (policy, images, now). Whoever runs a policy loads the
//! images before and applies the evaluation after; a preview lists the same evaluation.

pub mod cases;
mod clocks;
pub mod evaluate;
pub mod explain;
mod form;
mod glob;
pub mod images;
pub mod lint;
mod names;
mod outcome;
pub mod parse;
mod plan;
pub mod policy;
pub mod recheck;
mod schema;
mod selection;
mod tag_set;
mod text;
