//! The states of a container service and their details, as the API names them.
//!
//! PENDING, DEPLOYING, UPDATING and DELETING pass; READY, RUNNING and DISABLED last. Only
//! [`super::service`] moves a service from one to another.

/// `ContainerServiceState`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ServiceState {
    /// Being created.
    Pending,
    /// Created, without an active deployment.
    Ready,
    /// Serving its active deployment.
    Running,
    /// Changing capacity, custom domains, registry access, or whether it is disabled.
    Updating,
    /// About to be gone.
    Deleting,
    /// Switched off; its deployment is kept but not served.
    Disabled,
    /// Activating a deployment.
    Deploying,
}

impl ServiceState {
    /// Every state, in model order.
    pub const ALL: [Self; 7] = [
        Self::Pending,
        Self::Ready,
        Self::Running,
        Self::Updating,
        Self::Deleting,
        Self::Disabled,
        Self::Deploying,
    ];

    /// The wire name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Ready => "READY",
            Self::Running => "RUNNING",
            Self::Updating => "UPDATING",
            Self::Deleting => "DELETING",
            Self::Disabled => "DISABLED",
            Self::Deploying => "DEPLOYING",
        }
    }

    /// Whether the state ends by itself: a work item for whoever advances services.
    pub fn is_passing(self) -> bool {
        match self {
            Self::Pending | Self::Updating | Self::Deploying | Self::Deleting => true,
            Self::Ready | Self::Running | Self::Disabled => false,
        }
    }
}

/// `ContainerServiceStateDetailCode`, in the order in which a deployment or update passes them;
/// the last two belong to a creation that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StateDetailCode {
    /// Making what the system needs.
    CreatingSystemResources,
    /// Making the network.
    CreatingNetworkInfrastructure,
    /// Making the certificate.
    ProvisioningCertificate,
    /// Making the service.
    ProvisioningService,
    /// Starting the nodes.
    CreatingDeployment,
    /// Waiting for healthy nodes.
    EvaluatingHealthCheck,
    /// Moving the traffic.
    ActivatingDeployment,
    /// The region has no certificate left.
    CertificateLimitExceeded,
    /// Anything else.
    UnknownError,
}

impl StateDetailCode {
    /// Every code, in model order.
    pub const ALL: [Self; 9] = [
        Self::CreatingSystemResources,
        Self::CreatingNetworkInfrastructure,
        Self::ProvisioningCertificate,
        Self::ProvisioningService,
        Self::CreatingDeployment,
        Self::EvaluatingHealthCheck,
        Self::ActivatingDeployment,
        Self::CertificateLimitExceeded,
        Self::UnknownError,
    ];

    /// The wire name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CreatingSystemResources => "CREATING_SYSTEM_RESOURCES",
            Self::CreatingNetworkInfrastructure => "CREATING_NETWORK_INFRASTRUCTURE",
            Self::ProvisioningCertificate => "PROVISIONING_CERTIFICATE",
            Self::ProvisioningService => "PROVISIONING_SERVICE",
            Self::CreatingDeployment => "CREATING_DEPLOYMENT",
            Self::EvaluatingHealthCheck => "EVALUATING_HEALTH_CHECK",
            Self::ActivatingDeployment => "ACTIVATING_DEPLOYMENT",
            Self::CertificateLimitExceeded => "CERTIFICATE_LIMIT_EXCEEDED",
            Self::UnknownError => "UNKNOWN_ERROR",
        }
    }

    /// Whether the code tells of a failed creation rather than of progress.
    pub fn is_failure(self) -> bool {
        matches!(self, Self::CertificateLimitExceeded | Self::UnknownError)
    }
}
