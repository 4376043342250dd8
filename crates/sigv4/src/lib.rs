//! AWS Signature Version 4, the server's side first: parse what a request presents, let the
//! caller look up the secret, then verify. A small signing side shares the same canonical form.
//! Sits beside the AWS face, which turns its own request into [`Request`] and its [`Error`] into
//! an answer. Pure: it must never read a clock, a store or a socket, and never panic on input.
//!
//! Cost is linear in the size of the request, but for the sort of query parameters and of
//! signed header names; both lists are bounded (see [`limits`] and the caller's URI limit).

mod canonical;
mod error;
mod instant;
pub mod limits;
mod policy;
mod presented;
mod raw;
mod request;
mod scope;
mod sign;

pub use error::Error;
pub use policy::{Policy, Regions};
pub use presented::{Form, Presented, parse};
pub use request::{PathStyle, Request};
pub use scope::{Scope, SigningKey, signing_key};
pub use sign::{Credentials, Signing, presign, sign_header};

/// The one algorithm accepted and produced.
pub const ALGORITHM: &str = "AWS4-HMAC-SHA256";
