//! The canonical text of a lifecycle policy: compact JSON with its fields in a fixed order.
//!
//! It is what PutLifecyclePolicy, GetLifecyclePolicy and DeleteLifecyclePolicy answer with. A preview
//! answers with the caller's own text instead, which is never to be taken from here.

use super::form::PolicyForm;
use super::policy::LifecyclePolicy;

impl LifecyclePolicy {
    /// The policy as ECR echoes it. Reading the text gives the same policy again; it can be shorter
    /// than [`parse`](Self::parse) allows.
    pub fn to_text(&self) -> String {
        // Strings, numbers and lists under fixed names: nothing that cannot be written.
        serde_json::to_string(&PolicyForm::from(self)).unwrap_or_default()
    }
}
