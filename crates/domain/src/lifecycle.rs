//! Lifecycle policies: their grammar, what they do to the images of a repository, and why.
//!
//! Everything here is a pure function of (policy, images, now). Whoever runs a policy loads the
//! images before and applies the evaluation after; a preview lists the same evaluation.

mod form;
pub mod lint;
pub mod parse;
pub mod policy;
mod schema;
mod tag_set;
mod text;
