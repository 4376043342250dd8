//! Why a Lightsail call is refused: the exact message, and which exception and code carry it.
//!
//! Clients match parts of some messages; those parts are constants and stand verbatim. The two
//! that make Terraform try again belong to transient states only.

use super::deployment::DeploymentVersion;
use super::limits::{
    CERTIFICATES_PER_SERVICE_MAX, CONTAINERS_PER_DEPLOYMENT_MAX, DOMAINS_PER_SERVICE_MAX,
    IMAGES_PER_SERVICE_MAX, LOG_FILTER_CHARACTERS_MAX, METRIC_PERIOD_SECS_MAX,
    METRIC_PERIOD_SECS_MIN, METRIC_POINTS_MAX, SCALE_MAX, SERVICES_MAX,
};
use super::names::{ContainerName, NAME_PATTERN, RegisteredImage, ServiceName};
use super::state::ServiceState;
use crate::digest::Digest;
use crate::limits::RESOURCE_TAGS_MAX;

/// Terraform tries again when an InvalidInputException says this.
pub const RETRY_IN_MINUTES: &str = "Please try again in a few minutes";
/// Terraform tries again when any exception says this.
pub const RETRY_WHEN_COMPLETE: &str = "Please wait for it to complete before trying again";
/// Terraform expects this of a deployment to a disabled service.
pub const DISABLED: &str = "disabled and cannot be deployed to";
/// Terraform expects this where certificates are unknown.
pub const DO_NOT_EXIST: &str = "do not exist";

/// Which exception a refusal is, with its `code` member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefusalKind {
    /// `NotFoundException` with `DoesNotExist`.
    NotFound,
    /// `InvalidInputException` with `InvalidParameterValue`: the request can never succeed.
    InvalidParameter,
    /// `InvalidInputException` with `UnsupportedOperation`: not in the present state.
    Unsupported,
}

impl RefusalKind {
    /// The name of the exception.
    pub fn exception(self) -> &'static str {
        match self {
            Self::NotFound => "NotFoundException",
            Self::InvalidParameter | Self::Unsupported => "InvalidInputException",
        }
    }

    /// The value of the `code` member; Terraform looks for `DoesNotExist`.
    pub fn code(self) -> &'static str {
        match self {
            Self::NotFound => "DoesNotExist",
            Self::InvalidParameter => "InvalidParameterValue",
            Self::Unsupported => "UnsupportedOperation",
        }
    }
}

/// What a refused name names; displays as it opens a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NameKind {
    /// A container service.
    Service,
    /// An image label.
    Label,
    /// A container of a deployment.
    Container,
}

impl std::fmt::Display for NameKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Service => "Container service name",
            Self::Label => "Label",
            Self::Container => "Container name",
        })
    }
}

/// A refused call. `Display` is the whole message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the fields are the blanks of the messages")]
pub enum Refusal {
    /// A name does not have the form of names.
    #[error("{kind} \"{name}\" does not match pattern: {NAME_PATTERN}")]
    NamePattern { kind: NameKind, name: String },
    /// A name is too long.
    #[error("{kind} \"{name}\" must not have more than {characters_max} characters.")]
    NameLength {
        kind: NameKind,
        name: String,
        characters_max: usize,
    },
    /// No such power.
    #[error("Power \"{0}\" is not valid.")]
    UnknownPower(String),
    /// A scale outside 1 to 20.
    #[error("Scale {0} is not valid. It must be between 1 and {SCALE_MAX}.")]
    Scale(i64),
    /// A service of that name is there.
    #[error("Some names are already in use: {0}")]
    NameInUse(ServiceName),
    /// The account has as many services in the region as it may have.
    #[error("You cannot have more than {SERVICES_MAX} container services in a region.")]
    TooManyServices,
    /// No such service.
    #[error("The container service \"{0}\" does not exist.")]
    ServiceNotFound(ServiceName),
    /// A registry login without any service.
    #[error(
        "You must create a container service before retrieving container registry login credentials"
    )]
    NoServiceForLogin,
    /// The service is about to be gone.
    #[error("The container service \"{0}\" is being deleted.")]
    BeingDeleted(ServiceName),
    /// The service is between two states that last.
    #[error(
        "The container service \"{service}\" is in the {} state. {RETRY_IN_MINUTES}.",
        state.as_str()
    )]
    Busy {
        service: ServiceName,
        state: ServiceState,
    },
    /// A deployment is being activated.
    #[error(
        "Sorry, deployment {} is in progress for service \"{service}\". {RETRY_WHEN_COMPLETE}.",
        deployment.0
    )]
    DeploymentInProgress {
        service: ServiceName,
        deployment: DeploymentVersion,
    },
    /// A deployment to a disabled service.
    #[error("The container service \"{0}\" is {DISABLED}.")]
    Disabled(ServiceName),

    /// A digest that is not SHA-256 in canonical form.
    #[error("Digest \"{0}\" does not match pattern: ^sha256:[a-f0-9]{{64}}$")]
    DigestForm(String),
    /// A digest that nobody pushed.
    #[error("Image with digest \"{0}\" does not exist in the container service registry.")]
    DigestNotPushed(Digest),
    /// The service stores as many images as it may.
    #[error(
        "The container service \"{0}\" cannot store more than {IMAGES_PER_SERVICE_MAX} images."
    )]
    TooManyImages(ServiceName),
    /// Not the name of one stored image of this service.
    #[error("Invalid image \"{image}\". Example of valid image: \":{service}.mylabel.1\".")]
    ImageForm { image: String, service: ServiceName },
    /// A well-formed name that names nothing.
    #[error("The image \"{0}\" does not exist.")]
    ImageNotFound(String),
    /// A deployment needs the image.
    #[error("Image \"{0}\" is in use by the current deployment and cannot be deleted.")]
    ImageInUse(RegisteredImage),

    /// A deployment without containers.
    #[error("A deployment must have at least one container.")]
    NoContainers,
    /// A deployment with too many containers.
    #[error("A deployment cannot have more than {CONTAINERS_PER_DEPLOYMENT_MAX} containers.")]
    TooManyContainers,
    /// A container without an image.
    #[error("Container \"{0}\" must have an image.")]
    NoImage(ContainerName),
    /// A container whose image cannot be meant.
    #[error(
        "Container \"{container}\" has invalid image \"{image}\". Example of valid image: \":{service}.{container}.123\"."
    )]
    ContainerImage {
        container: ContainerName,
        image: String,
        service: ServiceName,
    },
    /// A port that is no number from 1 to 65535.
    #[error(
        "Container \"{container}\" has invalid port \"{port}\". A port must be between 1 and 65535."
    )]
    Port {
        container: ContainerName,
        port: String,
    },
    /// A protocol that is none of the four.
    #[error(
        "Container \"{container}\" has invalid protocol \"{protocol}\". A protocol must be one of HTTP, HTTPS, TCP, UDP."
    )]
    Protocol {
        container: ContainerName,
        protocol: String,
    },
    /// The public endpoint names no container of the deployment.
    #[error("Public endpoint container \"{0}\" is not a container of the deployment.")]
    EndpointContainer(String),
    /// The public endpoint names a port that the container does not open as HTTP or HTTPS.
    #[error(
        "Public endpoint port {port} is not an open HTTP or HTTPS port of container \"{container}\"."
    )]
    EndpointPort { container: ContainerName, port: i64 },
    /// A number of the health check is out of its range.
    #[error("Health check {member} {value} is not valid. It must be between {min} and {max}.")]
    HealthCheckRange {
        member: &'static str,
        value: i64,
        min: i64,
        max: i64,
    },
    /// The health check's path is no path.
    #[error("Health check path \"{0}\" is not valid. It must start with \"/\".")]
    HealthCheckPath(String),
    /// The health check's codes are not codes or ranges from 200 to 499.
    #[error(
        "Health check success codes \"{0}\" are not valid. Specify values between 200 and 499, for example \"200,202\" or \"200-299\"."
    )]
    SuccessCodes(String),

    /// Certificates that nobody has.
    #[error("Some certificates {DO_NOT_EXIST}: {}", .0.join(", "))]
    CertificatesUnknown(Vec<String>),
    /// A domain outside its certificate.
    #[error("The certificate \"{certificate}\" does not cover the domain \"{domain}\".")]
    DomainNotCovered { certificate: String, domain: String },
    /// A domain that another service, or another certificate of this one, serves.
    #[error("The domain \"{0}\" is already in use.")]
    DomainInUse(String),
    /// Too many certificates on one service.
    #[error(
        "A container service cannot have more than {CERTIFICATES_PER_SERVICE_MAX} certificates."
    )]
    TooManyCertificates,
    /// Too many domains on one service.
    #[error(
        "A container service cannot have more than {DOMAINS_PER_SERVICE_MAX} public domain names."
    )]
    TooManyDomains,

    /// A tag that cannot be set.
    #[error("The tag \"{0}\" is not valid.")]
    Tag(String),
    /// More tags than a service may have.
    #[error("A container service cannot have more than {RESOURCE_TAGS_MAX} tags.")]
    TooManyTags,

    /// A filter pattern with an open quote.
    #[error("The filter pattern \"{0}\" is not valid.")]
    FilterPattern(String),
    /// A filter pattern that is too long.
    #[error("The filter pattern must not have more than {LOG_FILTER_CHARACTERS_MAX} characters.")]
    FilterPatternLength,
    /// A page token that no answer gave.
    #[error("The page token is not valid.")]
    PageToken,
    /// An interval whose end does not follow its start.
    #[error("The start time must be before the end time.")]
    Interval,
    /// A metric period that is not a multiple of a minute up to a day.
    #[error(
        "Period {0} is not valid. It must be a multiple of {METRIC_PERIOD_SECS_MIN} between {METRIC_PERIOD_SECS_MIN} and {METRIC_PERIOD_SECS_MAX}."
    )]
    Period(i64),
    /// A metric that there is not.
    #[error("Metric name \"{0}\" is not valid.")]
    MetricName(String),
    /// A statistic that there is not.
    #[error("Statistic \"{0}\" is not valid.")]
    Statistic(String),
    /// No statistics at all.
    #[error("At least one statistic must be specified.")]
    NoStatistics,
    /// More data points than one answer holds.
    #[error("The interval has more than {METRIC_POINTS_MAX} data points of that period.")]
    TooManyPoints,
}

impl Refusal {
    /// The exception and code of this refusal.
    pub fn kind(&self) -> RefusalKind {
        match self {
            Self::ServiceNotFound(_) | Self::DigestNotPushed(_) | Self::ImageNotFound(_) => {
                RefusalKind::NotFound
            }
            Self::NoServiceForLogin
            | Self::BeingDeleted(_)
            | Self::Busy { .. }
            | Self::DeploymentInProgress { .. }
            | Self::Disabled(_)
            | Self::ImageInUse(_)
            | Self::TooManyServices
            | Self::TooManyImages(_) => RefusalKind::Unsupported,
            Self::NamePattern { .. }
            | Self::NameLength { .. }
            | Self::UnknownPower(_)
            | Self::Scale(_)
            | Self::NameInUse(_)
            | Self::DigestForm(_)
            | Self::ImageForm { .. }
            | Self::NoContainers
            | Self::TooManyContainers
            | Self::NoImage(_)
            | Self::ContainerImage { .. }
            | Self::Port { .. }
            | Self::Protocol { .. }
            | Self::EndpointContainer(_)
            | Self::EndpointPort { .. }
            | Self::HealthCheckRange { .. }
            | Self::HealthCheckPath(_)
            | Self::SuccessCodes(_)
            | Self::CertificatesUnknown(_)
            | Self::DomainNotCovered { .. }
            | Self::DomainInUse(_)
            | Self::TooManyCertificates
            | Self::TooManyDomains
            | Self::Tag(_)
            | Self::TooManyTags
            | Self::FilterPattern(_)
            | Self::FilterPatternLength
            | Self::PageToken
            | Self::Interval
            | Self::Period(_)
            | Self::MetricName(_)
            | Self::Statistic(_)
            | Self::NoStatistics
            | Self::TooManyPoints => RefusalKind::InvalidParameter,
        }
    }
}
