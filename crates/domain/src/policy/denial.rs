//! The sentence that tells a requester what it may not do, and which policies stand in the way
//! (IAM user guide, "Troubleshoot access denied error messages").
//!
//! The same sentence on every face. It never names a policy or a statement.

use super::evaluate::{Decision, PolicySource};
use super::request::Request;

/// The text of a denial; none for an allowed request.
pub fn denial(request: &Request<'_>, decision: Decision) -> Option<String> {
    let action = request.action;
    let cause = match decision {
        Decision::Allowed(_) => return None,
        Decision::DeniedExplicitly(origin) => {
            let policy = match origin.source {
                PolicySource::Identity => "an identity-based policy",
                PolicySource::Resource => "a resource-based policy",
                PolicySource::Boundary => "a permissions boundary",
                PolicySource::Session => "a session policy",
            };
            format!("with an explicit deny in {policy}")
        }
        Decision::DeniedByDefault(lacking) => {
            let policy = match lacking {
                PolicySource::Identity => "identity-based policy",
                PolicySource::Resource => "resource-based policy",
                PolicySource::Boundary => "permissions boundary",
                PolicySource::Session => "session policy",
            };
            format!("because no {policy} allows the {action} action")
        }
    };
    Some(format!(
        "User: {} is not authorized to perform: {action} on resource: {} {cause}",
        request.requester, request.resource
    ))
}
