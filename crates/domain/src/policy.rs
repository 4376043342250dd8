//! IAM policies: their grammar, who may do what under them, and the words of a denial.
//!
//! Everything here is a pure function of (request, policies). Callers authenticate, load the
//! policies in play, ask [`evaluate::evaluate`], and obey; only texts that [`document::PolicyDocument::parse`]
//! accepted are ever evaluated.

mod action;
mod arn_pattern;
mod condition;
pub mod denial;
pub mod document;
mod echo;
pub mod evaluate;
mod json;
mod known_actions;
mod operator;
pub mod parse;
pub mod principal;
pub mod request;
pub mod requester;
mod template;

pub use action::Action;
pub use arn_pattern::Resource;
pub use condition::Condition;
pub use echo::echo;
