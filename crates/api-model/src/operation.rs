//! What the wire says of an operation: its target, shapes, errors, and whether we offer it.
//! The enum and its rows are generated; this file reads them.
//! It must not know what an operation does.

use crate::facts::facts;
use crate::generated::operation::{Operation, ROWS};

/// The three AWS services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// Amazon ECR.
    Ecr,
    /// Amazon ECR Public.
    EcrPublic,
    /// Amazon Lightsail, its container services.
    Lightsail,
}

impl Service {
    /// All services, in the order in which everything lists them.
    pub const ALL: [Self; 3] = [Self::Ecr, Self::EcrPublic, Self::Lightsail];

    /// What precedes the dot in `X-Amz-Target` (model metadata).
    #[must_use]
    pub const fn target_prefix(self) -> &'static str {
        match self {
            Self::Ecr => "AmazonEC2ContainerRegistry_V20150921",
            Self::EcrPublic => "SpencerFrontendService",
            Self::Lightsail => "Lightsail_20161128",
        }
    }

    /// The service part of a SigV4 scope (model metadata).
    #[must_use]
    pub const fn signing_name(self) -> &'static str {
        match self {
            Self::Ecr => "ecr",
            Self::EcrPublic => "ecr-public",
            Self::Lightsail => "lightsail",
        }
    }

    /// HTTP status of an error code: 500 where the model calls it the service's fault, else 400.
    #[must_use]
    pub fn error_status(self, code: &str) -> u16 {
        let is_fault = facts(self)
            .shape(code)
            .is_some_and(|shape| shape.facts().fault);
        if is_fault { 500 } else { 400 }
    }
}

/// One operation's facts, as the generator writes them.
pub(crate) struct Row {
    pub(crate) service: Service,
    pub(crate) name: &'static str,
    pub(crate) target: &'static str,
    pub(crate) input: &'static str,
    pub(crate) output: &'static str,
    pub(crate) errors: &'static [&'static str],
    pub(crate) offered: bool,
}

impl Operation {
    fn row(self) -> &'static Row {
        // In bounds: the generator writes one row per variant, in their order.
        &ROWS[self as usize]
    }

    /// The operation that `X-Amz-Target` names, compared exactly.
    #[must_use]
    pub fn from_target(target: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|operation| operation.target() == target)
    }

    /// The value of `X-Amz-Target`.
    #[must_use]
    pub fn target(self) -> &'static str {
        self.row().target
    }

    /// The bare name, `BatchDeleteImage`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// The service that has the operation.
    #[must_use]
    pub fn service(self) -> Service {
        self.row().service
    }

    /// Name of the request's shape.
    #[must_use]
    pub fn input_shape(self) -> &'static str {
        self.row().input
    }

    /// Name of the result's shape.
    #[must_use]
    pub fn output_shape(self) -> &'static str {
        self.row().output
    }

    /// Codes of the declared errors, in model order.
    #[must_use]
    pub fn errors(self) -> &'static [&'static str] {
        self.row().errors
    }

    /// Whether the server answers it (`models/offered.toml`).
    #[must_use]
    pub fn is_offered(self) -> bool {
        self.row().offered
    }

    /// The error code of a broken constraint (`models/quirks.toml`, decision 12).
    #[must_use]
    pub fn constraint_code(self) -> &'static str {
        if self.service() == Service::Lightsail {
            "InvalidInputException"
        } else if self.errors().contains(&"InvalidParameterException") {
            "InvalidParameterException"
        } else {
            "ValidationException"
        }
    }
}
