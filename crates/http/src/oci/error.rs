//! How refusals look on `/v2`: status, code and text, in one exhaustive match (ecr.md 9.1).
//!
//! Where real ECR departs from the OCI distribution-spec, `strict_ecr` decides. What failed inside
//! is logged here and never told.

use std::fmt;

use http::header::{self, HeaderName};
use http::{HeaderValue, Response, StatusCode};
use roadstead_domain::ids::UploadId;
use roadstead_domain::manifest::ManifestRefusal;
use roadstead_registry::error::Error;

use super::range;
use crate::body::{Body, full};

/// Error codes of the OCI distribution-spec ("Error Codes"), and `UNKNOWN`, which ECR adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// `BLOB_UNKNOWN`
    BlobUnknown,
    /// `BLOB_UPLOAD_INVALID`
    BlobUploadInvalid,
    /// `BLOB_UPLOAD_UNKNOWN`
    BlobUploadUnknown,
    /// `DIGEST_INVALID`
    DigestInvalid,
    /// `MANIFEST_BLOB_UNKNOWN`
    ManifestBlobUnknown,
    /// `MANIFEST_INVALID`
    ManifestInvalid,
    /// `MANIFEST_UNKNOWN`
    ManifestUnknown,
    /// `NAME_INVALID`
    NameInvalid,
    /// `NAME_UNKNOWN`
    NameUnknown,
    /// `PAGINATION_NUMBER_INVALID`
    PaginationNumberInvalid,
    /// `SIZE_INVALID`
    SizeInvalid,
    /// `TAG_INVALID`
    TagInvalid,
    /// `DENIED`
    Denied,
    /// `UNAUTHORIZED`
    Unauthorized,
    /// `TOOMANYREQUESTS`
    TooManyRequests,
    /// `UNSUPPORTED`
    Unsupported,
    /// `UNKNOWN`
    Unknown,
}

impl Code {
    /// The text on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BlobUnknown => "BLOB_UNKNOWN",
            Self::BlobUploadInvalid => "BLOB_UPLOAD_INVALID",
            Self::BlobUploadUnknown => "BLOB_UPLOAD_UNKNOWN",
            Self::DigestInvalid => "DIGEST_INVALID",
            Self::ManifestBlobUnknown => "MANIFEST_BLOB_UNKNOWN",
            Self::ManifestInvalid => "MANIFEST_INVALID",
            Self::ManifestUnknown => "MANIFEST_UNKNOWN",
            Self::NameInvalid => "NAME_INVALID",
            Self::NameUnknown => "NAME_UNKNOWN",
            Self::PaginationNumberInvalid => "PAGINATION_NUMBER_INVALID",
            Self::SizeInvalid => "SIZE_INVALID",
            Self::TagInvalid => "TAG_INVALID",
            Self::Denied => "DENIED",
            Self::Unauthorized => "UNAUTHORIZED",
            Self::TooManyRequests => "TOOMANYREQUESTS",
            Self::Unsupported => "UNSUPPORTED",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// A refusal as it goes out.
#[derive(Debug)]
pub struct Refused {
    status: StatusCode,
    content: Content,
    headers: Vec<(HeaderName, String)>,
}

#[derive(Debug)]
enum Content {
    Envelope { code: Code, message: String },
    Text(&'static str),
}

impl Refused {
    /// A refusal in the JSON envelope.
    pub fn new(status: StatusCode, code: Code, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            status,
            content: Content::Envelope { code, message },
            headers: Vec::new(),
        }
    }

    /// A refusal with 400.
    pub fn bad_request(code: Code, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// A refusal in plain text.
    pub fn text(status: StatusCode, text: &'static str) -> Self {
        Self {
            status,
            content: Content::Text(text),
            headers: Vec::new(),
        }
    }

    /// Adds a header; one whose value cannot be sent is left out.
    pub fn with(mut self, name: HeaderName, value: impl fmt::Display) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }

    pub(super) fn response(self) -> Response<Body> {
        let (content_type, bytes) = match self.content {
            Content::Text(text) => ("text/plain; charset=utf-8", text.to_owned()),
            Content::Envelope { code, message } => {
                let error = serde_json::json!({"code": code.as_str(), "message": message});
                let envelope = serde_json::json!({"errors": [error]});
                ("application/json", format!("{envelope}\n"))
            }
        };
        let mut response = Response::new(full(bytes));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
        response
    }
}

/// Why a request on `/v2` is not answered with what it asked for.
#[derive(Debug)]
pub enum Failure {
    /// A use case refused or failed.
    Registry(Error),
    /// This face refused.
    Refused(Refused),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Registry(error)
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl Failure {
    /// The failure as it looks below `base`, in the registry that its callers know as `alias`.
    pub fn seen_at(self, base: &str, alias: &str) -> Self {
        match self {
            Self::Registry(Error::RepositoryNotFound(place)) => {
                let (name, registry) = (place.name.to_string(), alias.to_owned());
                Error::RepositoryOfNoRegistry { name, registry }.into()
            }
            Self::Registry(Error::InvalidLayerPart {
                expected_byte,
                first_byte,
                id,
                place,
            }) => {
                let path = format!("{base}/{}", place.name);
                let error = Error::InvalidLayerPart {
                    expected_byte,
                    first_byte,
                    id: id.clone(),
                    place,
                };
                out_of_place(&error, &path, &id, expected_byte).into()
            }
            other => other,
        }
    }

    /// The answer.
    pub fn response(self, is_strict_ecr: bool, request_id: &str) -> Response<Body> {
        match self {
            Self::Refused(refused) => refused.response(),
            Self::Registry(error) => refusal(&error, is_strict_ecr, request_id).response(),
        }
    }
}

fn refusal(error: &Error, is_strict_ecr: bool, request_id: &str) -> Refused {
    use StatusCode as S;
    let (status, code) = match error {
        Error::AccessDenied(_) | Error::LimitExceeded(_) => (S::FORBIDDEN, Code::Denied),
        Error::RepositoryNotFound(_)
        | Error::RepositoryOfNoRegistry { .. }
        | Error::RegistryNotFound(_) => (S::NOT_FOUND, Code::NameUnknown),
        Error::RateExceeded => (S::TOO_MANY_REQUESTS, Code::TooManyRequests),
        Error::ImageNotFound { .. } | Error::ImageArchived => (S::NOT_FOUND, Code::ManifestUnknown),
        Error::ImageTagAlreadyExists { .. } | Error::ImageAlreadyExists { .. } => {
            (S::BAD_REQUEST, Code::TagInvalid)
        }
        Error::ImageDigestDoesNotMatch { .. } | Error::InvalidLayer { .. } => {
            (S::BAD_REQUEST, Code::DigestInvalid)
        }
        Error::LayersNotFound { .. } | Error::ReferencedImagesNotFound { .. } => {
            (S::BAD_REQUEST, Code::ManifestBlobUnknown)
        }
        Error::SizeMismatch { .. } if is_strict_ecr => {
            let member = Error::invalid("ImageManifest", error.to_string());
            return refusal(&member, is_strict_ecr, request_id);
        }
        Error::SizeMismatch { .. } => (S::BAD_REQUEST, Code::ManifestInvalid),
        Error::LayerNotFound { .. } | Error::LayerInaccessible { .. } => {
            (S::NOT_FOUND, Code::BlobUnknown)
        }
        // As for an image that an index lists (ecr.md 9.1).
        Error::LayerReferenced { .. } => (S::METHOD_NOT_ALLOWED, Code::Unsupported),
        Error::LayerAlreadyExists { .. } | Error::LayerPartTooSmall | Error::EmptyUpload { .. } => {
            (S::BAD_REQUEST, Code::BlobUploadInvalid)
        }
        Error::UploadNotFound { .. } if is_strict_ecr => (S::NOT_FOUND, Code::Unknown),
        Error::UploadNotFound { .. } => (S::NOT_FOUND, Code::BlobUploadUnknown),
        Error::InvalidLayerPart {
            expected_byte,
            id,
            place,
            ..
        } => return out_of_place(error, &format!("/v2/{}", place.name), id, *expected_byte),
        Error::UploadBusy(_) => (S::CONFLICT, Code::BlobUploadInvalid),
        Error::BodyBrokeOff(_) => (S::BAD_REQUEST, Code::SizeInvalid),
        Error::InvalidManifest(refusal) if !is_strict_ecr => return invalid_manifest(refusal),
        Error::ManifestTooLong => (S::PAYLOAD_TOO_LARGE, Code::SizeInvalid),
        // ECR's own answer to whatever its API calls an InvalidParameterException.
        Error::InvalidManifest(_) | Error::InvalidParameter { .. } if is_strict_ecr => {
            (S::METHOD_NOT_ALLOWED, Code::Unsupported)
        }
        Error::InvalidManifest(_)
        | Error::InvalidParameter { .. }
        | Error::InvalidTagParameter
        | Error::InvalidLifecyclePolicy(_)
        | Error::InvalidRepositoryPolicy(_)
        | Error::RepositoryPolicyNotFound(_)
        | Error::StorageClassUpdateNotSupported { .. }
        | Error::LifecyclePolicyNotFound(_)
        | Error::LifecyclePreviewNotFound(_)
        | Error::LifecyclePreviewInProgress(_)
        | Error::LifecycleRunInProgress(_)
        | Error::TooManyTags
        | Error::Lightsail(_)
        | Error::RepositoryAlreadyExists(_)
        | Error::RepositoryNotEmpty(_) => (S::BAD_REQUEST, Code::Unsupported),
        Error::NoSpace => {
            tracing::error!(request_id, "no space is left");
            (S::INSUFFICIENT_STORAGE, Code::Unknown)
        }
        Error::Store(_) | Error::Blob(_) => return internal(error, request_id),
    };
    Refused::new(status, code, message(error))
}

/// ECR is short about images here (ecr.md 9.1).
fn message(error: &Error) -> String {
    match error {
        Error::ImageNotFound { .. } => "Requested image not found".into(),
        other => other.to_string(),
    }
}

/// A chunk that does not go on where the upload is; the answer says where that is.
fn out_of_place(error: &Error, path: &str, id: &UploadId, expected_byte: u64) -> Refused {
    let (status, code) = (StatusCode::RANGE_NOT_SATISFIABLE, Code::BlobUploadInvalid);
    Refused::new(status, code, error.to_string())
        .with(header::LOCATION, format!("{path}/blobs/uploads/{id}"))
        .with(header::RANGE, range::received(expected_byte))
}

/// The reason itself, where ECR only says that the JSON is wrong.
fn invalid_manifest(refusal: &ManifestRefusal) -> Refused {
    Refused::bad_request(Code::ManifestInvalid, refusal.to_string())
}

/// Logs a failure with its causes and tells nothing of them.
fn internal(error: &Error, request_id: &str) -> Refused {
    let mut causes = Vec::new();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        causes.push(cause.to_string());
        source = cause.source();
    }
    tracing::error!(request_id, %error, causes = causes.join(": "), "a request failed");
    let message = "the server could not do this; its log has the reason";
    Refused::new(StatusCode::INTERNAL_SERVER_ERROR, Code::Unknown, message)
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;
    use roadstead_domain::ids::AccountId;
    use roadstead_domain::name::RepositoryName;
    use roadstead_registry::error::Place;

    use super::*;

    fn place() -> Place {
        Place {
            name: RepositoryName::parse("team/app").unwrap(),
            registry: AccountId::parse("123456789012").unwrap(),
        }
    }

    async fn shown(error: Error, is_strict_ecr: bool) -> String {
        let response = Failure::from(error).response(is_strict_ecr, "id");
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        format!("{status} {}", std::str::from_utf8(&bytes).unwrap())
    }

    fn envelope(status: u16, code: &str, message: &str) -> String {
        format!("{status} {{\"errors\":[{{\"code\":\"{code}\",\"message\":\"{message}\"}}]}}\n")
    }

    #[tokio::test]
    async fn texts_of_the_api_go_out_verbatim() {
        let missing = Error::RepositoryNotFound(place());
        let text = "The repository with name 'team/app' does not exist in the registry with id '123456789012'";
        assert_eq!(
            shown(missing, false).await,
            envelope(404, "NAME_UNKNOWN", text)
        );
    }

    #[tokio::test]
    async fn a_bad_manifest_depends_on_the_mode() {
        let bad = || Error::InvalidManifest(ManifestRefusal::NotJson("eof".into()));
        assert!(
            shown(bad(), false)
                .await
                .starts_with("400 {\"errors\":[{\"code\":\"MANIFEST_INVALID\"")
        );
        let text = "Invalid parameter at 'ImageManifest' failed to satisfy constraint: 'Invalid JSON syntax'";
        assert_eq!(shown(bad(), true).await, envelope(405, "UNSUPPORTED", text));
    }

    #[tokio::test]
    async fn a_full_disk_is_the_servers_trouble() {
        let text = "no space is left";
        assert_eq!(
            shown(Error::NoSpace, false).await,
            envelope(507, "UNKNOWN", text)
        );
    }

    #[tokio::test]
    async fn a_wrong_offset_tells_what_is_kept() {
        let error = Error::InvalidLayerPart {
            first_byte: 7,
            expected_byte: 5,
            id: roadstead_domain::ids::UploadId::from_random(1),
            place: place(),
        };
        let response = Failure::from(error).response(false, "id");
        assert_eq!(response.status(), StatusCode::RANGE_NOT_SATISFIABLE);
        assert_eq!(response.headers()[header::RANGE], "0-4");
        assert_eq!(
            response.headers()[header::LOCATION],
            "/v2/team/app/blobs/uploads/00000000-0000-4000-8000-000000000001"
        );
    }
}
