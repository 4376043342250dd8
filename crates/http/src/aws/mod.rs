//! The AWS face. Placeholder.
use crate::body::Body;
use crate::{Arrived, Faces};
use http::{Request, Response};
/// Answers one request to the AWS APIs.
pub async fn handle(_faces: &Faces, _arrived: &Arrived, _request: Request<Body>) -> Response<Body> {
    Response::new(crate::body::empty())
}
