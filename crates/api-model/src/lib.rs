//! The AWS wire model: operations, shapes, and the constraints that AWS puts on them.
//! Pure; it knows nothing of roadstead. A request goes target -> `Operation` -> `check` against the
//! input shape -> `message` for a refusal, or the typed struct. The facts come from `/models`.
//! It must never decide what an operation means.

mod check;
mod facts;
mod operation;
mod path;
pub mod probe;
mod rule;
mod wire;
mod wording;

#[allow(clippy::too_many_lines, reason = "an enum of the model may be long")]
mod generated {
    pub mod ecr;
    pub mod ecr_public;
    pub mod lightsail;
    pub mod operation;
    pub mod quirks;
}

pub use check::{REFUSALS_MAX, check, first_reported};
pub use facts::shape::{Kind, Paginator};
pub use facts::{Facts, Shape, facts};
pub use generated::operation::Operation;
pub use generated::{ecr, ecr_public, lightsail};
pub use operation::Service;
pub use path::{Path, Segment};
pub use rule::{Refusal, Rule};
pub use wire::{Blob, Sensitive, Timestamp};
pub use wording::message;
