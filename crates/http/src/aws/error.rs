//! Every way in which an AWS call fails, and its code: one exhaustive match over the errors of
//! the registry (ecr.md 1.3, 1.4; auth.md section 2).
//!
//! Causes of internal failures go to the log with the request id, never to a client.

use roadstead_api_model::{Operation, Service};
use roadstead_registry::error::Error;
use serde_json::{Map, Value, json};

use super::lightsail;

/// Why a call is not answered.
#[derive(Debug)]
pub(crate) enum Failure {
    /// `X-Amz-Target` names nothing.
    UnknownTarget(String),
    /// `X-Amz-Target` names an operation that this server does not answer.
    NotOffered(Operation),
    /// The body is not JSON, or holds a value of a wrong type.
    Serialization(String),
    /// A constraint of the model is broken; the text is the whole message.
    Constraint(String),
    /// The service is not to be had in the region that was signed for.
    UnsupportedRegion,
    /// The signature is not accepted.
    Signature(roadstead_sigv4::Error),
    /// A layer part is not as long as its first and last byte say.
    PartLength(Box<PartLength>),
    /// A use case refused.
    Registry(Error),
    /// The work was given up, as when the server stops.
    Unfinished,
}

/// The facts of [`Failure::PartLength`].
#[derive(Debug)]
pub(crate) struct PartLength {
    pub(crate) registry_id: String,
    pub(crate) repository_name: String,
    pub(crate) upload_id: String,
    pub(crate) received_bytes: u64,
    pub(crate) first_byte: i64,
    pub(crate) last_byte: i64,
    pub(crate) part_bytes: usize,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Registry(error)
    }
}

impl From<roadstead_sigv4::Error> for Failure {
    fn from(error: roadstead_sigv4::Error) -> Self {
        Self::Signature(error)
    }
}

/// A failure as it goes over the wire.
#[derive(Debug, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) code: &'static str,
    pub(crate) status: u16,
    pub(crate) message: String,
    /// Members beside code and message.
    pub(crate) members: Map<String, Value>,
}

/// What a client reads of an internal failure.
pub(super) const INTERNAL: &str = "The server could not complete the request";

impl Failure {
    /// The wire form of this failure of `operation`, if one is known. Logs internal causes.
    pub(crate) fn into_refusal(self, operation: Option<Operation>, request_id: &str) -> Refusal {
        if let Some(operation) = operation.filter(|one| one.service() == Service::Lightsail) {
            return lightsail::failure::refusal(self, operation, request_id);
        }
        let mut members = Map::new();
        let (code, message) = match self {
            Self::UnknownTarget(target) => {
                let message = format!("No operation has the target '{target}'");
                ("UnknownOperationException", message)
            }
            Self::NotOffered(operation) => ("UnknownOperationException", not_offered(operation)),
            Self::Serialization(message) => ("SerializationException", message),
            Self::Constraint(message) => (constraint_code(operation), message),
            Self::UnsupportedRegion => (
                "UnsupportedCommandException",
                "The action isn't supported in this Region".into(),
            ),
            Self::Signature(error) => (error.code_json(), error.to_string()),
            Self::PartLength(facts) => {
                members = facts.members();
                ("InvalidLayerPartException", facts.message())
            }
            Self::Registry(error) => {
                members = details(&error);
                let code = code(&error, operation);
                (code, message(&error, code, request_id))
            }
            Self::Unfinished => (internal_code(operation), INTERNAL.into()),
        };
        let is_fault = code == "ServerException" || code == "ServiceException";
        Refusal {
            code,
            status: if is_fault { 500 } else { 400 },
            message,
            members,
        }
    }
}

impl PartLength {
    fn message(&self) -> String {
        format!(
            "Layer part has {} bytes, which is not what its first byte {} and last byte {} say",
            self.part_bytes, self.first_byte, self.last_byte
        )
    }

    fn members(&self) -> Map<String, Value> {
        part_members(
            &self.registry_id,
            &self.repository_name,
            &self.upload_id,
            self.received_bytes,
        )
    }
}

pub(super) fn not_offered(operation: Operation) -> String {
    let service = match operation.service() {
        Service::Ecr => "Amazon ECR",
        Service::EcrPublic => "Amazon ECR Public",
        Service::Lightsail => "Amazon Lightsail",
    };
    let name = operation.name();
    format!("The operation {name} of {service} is not offered yet by this server")
}

fn constraint_code(operation: Option<Operation>) -> &'static str {
    operation.map_or("InvalidParameterException", Operation::constraint_code)
}

/// The service's own code for "our fault".
fn internal_code(operation: Option<Operation>) -> &'static str {
    match operation {
        Some(operation) if operation.errors().contains(&"ServiceException") => "ServiceException",
        _ => "ServerException",
    }
}

fn code(error: &Error, operation: Option<Operation>) -> &'static str {
    match error {
        Error::AccessDenied(_) => "AccessDeniedException",
        Error::RepositoryNotFound(_) | Error::RepositoryOfNoRegistry { .. } => {
            "RepositoryNotFoundException"
        }
        Error::RegistryNotFound(_) => "RegistryNotFoundException",
        Error::RepositoryPolicyNotFound(_) => "RepositoryPolicyNotFoundException",
        Error::RateExceeded => "ThrottlingException",
        Error::RepositoryAlreadyExists(_) => "RepositoryAlreadyExistsException",
        Error::RepositoryNotEmpty(_) => "RepositoryNotEmptyException",
        Error::ImageNotFound { .. } => "ImageNotFoundException",
        Error::ImageArchived => "ImageArchivedException",
        Error::ImageAlreadyExists { .. } => "ImageAlreadyExistsException",
        Error::ImageTagAlreadyExists { .. } => "ImageTagAlreadyExistsException",
        Error::ImageDigestDoesNotMatch { .. } => "ImageDigestDoesNotMatchException",
        Error::StorageClassUpdateNotSupported { .. } => {
            "ImageStorageClassUpdateNotSupportedException"
        }
        Error::LifecyclePolicyNotFound(_) => "LifecyclePolicyNotFoundException",
        Error::LifecyclePreviewNotFound(_) => "LifecyclePolicyPreviewNotFoundException",
        Error::LifecyclePreviewInProgress(_) | Error::LifecycleRunInProgress(_) => {
            "LifecyclePolicyPreviewInProgressException"
        }
        Error::LayersNotFound { .. } | Error::LayerNotFound { .. } => "LayersNotFoundException",
        Error::ReferencedImagesNotFound { .. } => "ReferencedImagesNotFoundException",
        Error::LayerInaccessible { .. } => "LayerInaccessibleException",
        Error::LayerAlreadyExists { .. } => "LayerAlreadyExistsException",
        Error::LayerPartTooSmall => "LayerPartTooSmallException",
        Error::EmptyUpload { .. } => "EmptyUploadException",
        Error::UploadNotFound { .. } => "UploadNotFoundException",
        Error::InvalidLayerPart { .. } => "InvalidLayerPartException",
        Error::UploadBusy(_) => busy_code(operation),
        Error::InvalidLayer { .. } => "InvalidLayerException",
        Error::LimitExceeded(_) => "LimitExceededException",
        Error::InvalidTagParameter => "InvalidTagParameterException",
        Error::TooManyTags => "TooManyTagsException",
        Error::SizeMismatch { .. }
        | Error::LayerReferenced { .. }
        | Error::BodyBrokeOff(_)
        | Error::InvalidManifest(_)
        | Error::InvalidLifecyclePolicy(_)
        | Error::InvalidRepositoryPolicy(_)
        | Error::ManifestTooLong
        | Error::InvalidParameter { .. } => constraint_code(operation),
        Error::Lightsail(refusal) => refusal.kind().exception(),
        Error::NoSpace | Error::Store(_) | Error::Blob(_) => internal_code(operation),
    }
}

/// A writer in the way is gone in a moment: a code that SDKs try again after.
fn busy_code(operation: Option<Operation>) -> &'static str {
    let declared = operation.map(Operation::errors).unwrap_or_default();
    if declared.contains(&"LimitExceededException") {
        "LimitExceededException"
    } else {
        "ThrottlingException"
    }
}

fn message(error: &Error, code: &str, request_id: &str) -> String {
    match error {
        Error::NoSpace | Error::Store(_) | Error::Blob(_) => {
            tracing::error!(request_id, code, ?error, "a request failed inside");
            INTERNAL.into()
        }
        Error::SizeMismatch { .. } => {
            format!("Invalid parameter at 'ImageManifest' failed to satisfy constraint: '{error}'")
        }
        other => other.to_string(),
    }
}

fn details(error: &Error) -> Map<String, Value> {
    match error {
        Error::InvalidLayerPart {
            expected_byte,
            id,
            place,
            ..
        } => part_members(
            place.registry.as_str(),
            place.name.as_str(),
            id.as_str(),
            *expected_byte,
        ),
        _ => Map::new(),
    }
}

/// The members of `InvalidLayerPartException`; the last valid byte only if there is one.
fn part_members(
    registry: &str,
    name: &str,
    upload: &str,
    received_bytes: u64,
) -> Map<String, Value> {
    let mut members = Map::new();
    members.insert("registryId".into(), json!(registry));
    members.insert("repositoryName".into(), json!(name));
    members.insert("uploadId".into(), json!(upload));
    if let Some(last) = received_bytes.checked_sub(1) {
        members.insert("lastValidByteReceived".into(), json!(last));
    }
    members
}

#[cfg(test)]
mod tests {
    use roadstead_domain::digest::Digest;
    use roadstead_domain::ids::{AccountId, UploadId};
    use roadstead_domain::name::RepositoryName;
    use roadstead_registry::error::Place;

    use super::*;

    fn wire(error: Error, operation: Operation) -> (&'static str, u16) {
        let refusal = Failure::from(error).into_refusal(Some(operation), "id");
        (refusal.code, refusal.status)
    }

    #[test]
    fn a_busy_upload_is_worth_another_try() {
        let busy = || Error::UploadBusy(UploadId::from_random(1));
        let declared = wire(busy(), Operation::EcrUploadLayerPart);
        assert_eq!(declared, ("LimitExceededException", 400));
        let undeclared = wire(busy(), Operation::EcrCompleteLayerUpload);
        assert_eq!(undeclared, ("ThrottlingException", 400));
    }

    #[test]
    fn our_own_faults_tell_nothing() {
        let refusal = Failure::from(Error::NoSpace).into_refusal(None, "id");
        assert_eq!((refusal.code, refusal.status), ("ServerException", 500));
        assert!(!refusal.message.contains("space"));
        let lightsail = wire(Error::NoSpace, Operation::LightsailGetContainerImages);
        assert_eq!(lightsail, ("ServiceException", 500));
    }

    #[test]
    fn the_last_valid_byte_is_the_one_before_the_expected() {
        let wrong = |expected_byte| {
            let error = Error::InvalidLayerPart {
                first_byte: 7,
                expected_byte,
                id: UploadId::from_random(1),
                place: Place {
                    name: RepositoryName::parse("app").unwrap(),
                    registry: AccountId::parse("123456789012").unwrap(),
                },
            };
            let operation = Some(Operation::EcrUploadLayerPart);
            let mut refusal = Failure::from(error).into_refusal(operation, "id");
            refusal.members.remove("lastValidByteReceived")
        };
        assert_eq!(wrong(10), Some(json!(9)));
        assert_eq!(wrong(0), None);
    }

    #[test]
    fn what_a_manifest_gets_wrong_is_an_invalid_parameter() {
        let digest = Digest::sha256(b"");
        let (declared, actual) = (1, 0);
        let error = Error::SizeMismatch {
            digest,
            declared,
            actual,
        };
        let refusal = Failure::from(error).into_refusal(Some(Operation::EcrPutImage), "id");
        assert_eq!(refusal.code, "InvalidParameterException");
        let start = "Invalid parameter at 'ImageManifest' failed to satisfy constraint: '";
        assert!(refusal.message.starts_with(start), "{}", refusal.message);
    }
}
