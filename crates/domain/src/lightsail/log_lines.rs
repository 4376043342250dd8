//! The lines that Lightsail itself writes into the log of every container of a deployment.
//!
//! Where nothing runs the containers, the log says so instead of telling of nodes.

use std::fmt;

use super::deployment::DeploymentVersion;

/// One line about a deployment; displays as it stands in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SystemLine {
    /// The deployment.
    pub deployment: DeploymentVersion,
    /// What happened to it.
    pub happening: Happening,
}

/// What can happen to a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happening {
    /// It is being made.
    Creating,
    /// So many nodes are up.
    StartedNodes(u8),
    /// It serves.
    ReachedSteadyState,
    /// A later one took over, or its service was switched off.
    Finalizing,
    /// It failed: not healthy in time.
    TookTooLong,
    /// It failed: given up before it was decided.
    Canceled,
    /// Nothing is there to run it.
    RecordedOnly,
    /// It failed: what should run it does not answer.
    RuntimeUnreachable,
}

impl fmt::Display for SystemLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[deployment:{}] ", self.deployment.0)?;
        match self.happening {
            Happening::Creating => f.write_str("Creating your deployment"),
            Happening::StartedNodes(1) => f.write_str("Started 1 new node"),
            Happening::StartedNodes(nodes) => write!(f, "Started {nodes} new nodes"),
            Happening::ReachedSteadyState => f.write_str("Reached a steady state"),
            Happening::Finalizing => f.write_str("Finalizing your deployment"),
            Happening::TookTooLong => f.write_str("Took too long"),
            Happening::Canceled => f.write_str("Canceled"),
            Happening::RecordedOnly => {
                f.write_str("No engine configured: nothing runs. The deployment is recorded only.")
            }
            Happening::RuntimeUnreachable => {
                f.write_str("The container runtime could not be reached.")
            }
        }
    }
}
