//! Black box: the five pages that this server was first made from, page by page through the stock
//! AWS CLI: every example, every sample body, every error that they document.
//!
//! What only a broken store provokes is asked of a server in this process (`faults.rs`).

#[path = "../support/mod.rs"]
mod support;

mod batch_delete_image;
mod delete_container_image;
mod delete_lifecycle_policy;
mod faults;
mod lightsail;
mod public_batch_delete_image;
mod register_container_image;

/// What the CLI says of an error: its code and its operation.
fn error(code: &str, operation: &str) -> String {
    format!("An error occurred ({code}) when calling the {operation} operation: ")
}
