//! How Lightsail tells of a failure: only exceptions that its model declares, each with a code, a
//! pointer to our documentation and a tip (lightsail-containers.md 1.1, decision 20).
//!
//! Older SDKs look at the header and `__type` first; the member `code` is for those who look there.

use roadstead_api_model::Operation;
use roadstead_domain::lightsail::refusal::RefusalKind;
use roadstead_registry::error::Error;
use roadstead_sigv4::Error as SignatureError;
use serde_json::Map;

use crate::aws::error::{Failure, INTERNAL, Refusal, not_offered};

const DOCS: &str = "docs/lightsail.md";

/// An exception with the members that go with it.
struct Told {
    exception: &'static str,
    code: &'static str,
    tip: &'static str,
}

const UNAUTHENTICATED: Told = Told {
    exception: "UnauthenticatedException",
    code: "Unauthenticated",
    tip: "Sign the request with an access key of this server.",
};
const DENIED: Told = Told {
    exception: "AccessDeniedException",
    code: "AccessDenied",
    tip: "Check the access key, the clock and what the key may do.",
};
const INVALID: Told = Told {
    exception: "InvalidInputException",
    code: "InvalidParameterValue",
    tip: "Correct the request and try again.",
};
const UNSUPPORTED: Told = Told {
    exception: "InvalidInputException",
    code: "UnsupportedOperation",
    tip: "Try again in another state of the service.",
};
const NOT_FOUND: Told = Told {
    exception: "NotFoundException",
    code: "DoesNotExist",
    tip: "Check the name and the region.",
};
const FAULT: Told = Told {
    exception: "ServiceException",
    code: "InternalFailure",
    tip: "Try again; the log of the server says more.",
};

/// The wire form of a failure of an operation of Lightsail. Logs internal causes.
pub(in crate::aws) fn refusal(failure: Failure, operation: Operation, request_id: &str) -> Refusal {
    let (told, message) = match failure {
        Failure::UnknownTarget(_) | Failure::NotOffered(_) => {
            return Refusal {
                code: "UnknownOperationException",
                status: 400,
                message: not_offered(operation),
                members: Map::new(),
            };
        }
        Failure::Serialization(message) | Failure::Constraint(message) => (INVALID, message),
        Failure::Signature(error) => (unsigned(&error), error.to_string()),
        Failure::Registry(error) => of_registry(error, request_id),
        Failure::PartLength(_) | Failure::UnsupportedRegion | Failure::Unfinished => {
            (FAULT, INTERNAL.into())
        }
    };
    let mut members = Map::new();
    members.insert("code".into(), told.code.into());
    members.insert("docs".into(), DOCS.into());
    members.insert("tip".into(), told.tip.into());
    Refusal {
        code: told.exception,
        status: operation.service().error_status(told.exception),
        message,
        members,
    }
}

/// Whoever shows nothing is not known; whoever shows something wrong is not let in.
fn unsigned(error: &SignatureError) -> Told {
    if *error == SignatureError::MissingAuthentication {
        UNAUTHENTICATED
    } else {
        DENIED
    }
}

fn of_registry(error: Error, request_id: &str) -> (Told, String) {
    match error {
        Error::AccessDenied(message) => (DENIED, message),
        Error::Lightsail(refusal) => {
            let told = match refusal.kind() {
                RefusalKind::NotFound => NOT_FOUND,
                RefusalKind::InvalidParameter => INVALID,
                RefusalKind::Unsupported => UNSUPPORTED,
            };
            (told, refusal.to_string())
        }
        // No other refusal is about a container service.
        error => {
            tracing::error!(request_id, ?error, "a request failed inside");
            (FAULT, INTERNAL.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(failure: Failure) -> (&'static str, u16, String) {
        let refusal = refusal(failure, Operation::LightsailGetContainerImages, "id");
        let code = refusal.members["code"].as_str().unwrap_or_default();
        (refusal.code, refusal.status, code.to_owned())
    }

    #[test]
    fn only_declared_exceptions() {
        let declared = Operation::LightsailGetContainerImages.errors();
        for told in [
            UNAUTHENTICATED,
            DENIED,
            INVALID,
            UNSUPPORTED,
            NOT_FOUND,
            FAULT,
        ] {
            assert!(declared.contains(&told.exception), "{}", told.exception);
        }
        let fault = wire(Error::NoSpace.into());
        assert_eq!(fault, ("ServiceException", 500, "InternalFailure".into()));
        let nobody = wire(SignatureError::MissingAuthentication.into());
        let expected = ("UnauthenticatedException", 400, "Unauthenticated".into());
        assert_eq!(nobody, expected);
        let stranger = wire(SignatureError::UnknownKey.into());
        let expected = ("AccessDeniedException", 400, "AccessDenied".into());
        assert_eq!(stranger, expected);
    }
}
