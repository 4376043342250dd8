//! The OCI face. Placeholder.
use crate::body::Body;
use crate::{Arrived, Faces};
use http::{Request, Response};
/// Where the layer download links of the ECR API point to.
pub const DOWNLOAD_PREFIX: &str = "/download/layer/";
/// Answers one request to `/v2` or to a download link.
pub async fn handle(_faces: &Faces, _arrived: &Arrived, _request: Request<Body>) -> Response<Body> {
    Response::new(crate::body::empty())
}
