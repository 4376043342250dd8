//! What a value can break: one `Refusal` per broken rule.
//! The checker makes them, `wording.rs` says them, probes expect them.
//! It must hold facts of the model only, never the refused value.

use crate::facts::shape::Kind;
use crate::path::Path;

/// One broken rule and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Where the value sits.
    pub at: Path,
    /// What it breaks.
    pub rule: Rule,
    /// Name of the shape whose rule it is; empty if the facts have none.
    pub shape: &'static str,
}

/// A rule of the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// The JSON value is of another kind. Base64 that does not decode counts as such.
    WrongType(Kind),
    /// A required value is absent or null, or a list or map holds null.
    Required,
    /// Fewer characters, bytes or entries than this.
    MinLength(i64),
    /// More characters, bytes or entries than this.
    MaxLength(i64),
    /// A number below this.
    MinValue(i64),
    /// A number above this.
    MaxValue(i64),
    /// The string as a whole does not match this expression.
    Pattern(&'static str),
    /// The string is none of these, in the order in which AWS prints them.
    Enum(&'static [String]),
    /// The facts have no shape for this value: a defect of ours, refused rather than let through.
    UnknownShape,
}
