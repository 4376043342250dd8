//! What this crate calls things on the engine: nodes, the containers on them, and the labels that
//! say which container belongs where.
//!
//! The labels are all that survives a restart: whatever is needed to adopt a container has to be
//! in them. A container without every label of ours is not ours.

use std::collections::HashMap;

use roadstead_domain::ids::ContainerServiceId;
use roadstead_domain::lightsail::deployment::DeploymentVersion;
use roadstead_domain::lightsail::names::ContainerName;

/// Which server's data a container belongs to: two servers may share an engine.
pub const SERVER: &str = "roadstead.server";
/// The id of the service.
pub const SERVICE: &str = "roadstead.service";
/// The number of the deployment.
pub const DEPLOYMENT: &str = "roadstead.deployment";
/// The number of the node in the deployment.
pub const NODE: &str = "roadstead.node";
/// The container of the deployment, or [`SANDBOX`].
pub const CONTAINER: &str = "roadstead.container";
/// The value of [`CONTAINER`] that no container of a deployment can have.
const SANDBOX: &str = "/";

/// One node of a deployment: its containers and the sandbox that they share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeKey {
    /// The deployment.
    pub version: DeploymentVersion,
    /// From 0.
    pub number: u8,
}

/// What a container is on its node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// Holds the network that the others join.
    Sandbox,
    /// A container of the deployment.
    Member(ContainerName),
}

/// What the engine says of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Made, not started.
    Created,
    /// Runs.
    Running,
    /// Ran and ended.
    Ended,
    /// About to be gone, or broken beyond use.
    Going,
}

/// A container that the engine has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The engine's id of it.
    pub id: String,
    /// Its service.
    pub service: ContainerServiceId,
    /// Its node.
    pub node: NodeKey,
    /// What it is there.
    pub role: Role,
    /// How it is.
    pub condition: Condition,
    /// Ports on 127.0.0.1, as (inside, outside).
    pub published: Vec<(u16, u16)>,
}

/// The labels of a container.
pub fn labels(
    server: &str,
    service: &ContainerServiceId,
    node: NodeKey,
    role: &Role,
) -> HashMap<String, String> {
    let role = match role {
        Role::Sandbox => SANDBOX,
        Role::Member(name) => name.as_str(),
    };
    let pairs = [
        (SERVER, server.to_owned()),
        (SERVICE, service.as_str().to_owned()),
        (DEPLOYMENT, node.version.0.to_string()),
        (NODE, node.number.to_string()),
        (CONTAINER, role.to_owned()),
    ];
    let owned = pairs.map(|(key, value)| (key.to_owned(), value));
    owned.into()
}

/// What the labels of a container say; none if it is not ours.
pub fn read_labels(
    labels: &HashMap<String, String>,
) -> Option<(ContainerServiceId, NodeKey, Role)> {
    let label = |key: &str| labels.get(key).map(String::as_str);
    let service = ContainerServiceId::parse(label(SERVICE)?).ok()?;
    let node = NodeKey {
        version: DeploymentVersion(label(DEPLOYMENT)?.parse().ok()?),
        number: label(NODE)?.parse().ok()?,
    };
    let role = match label(CONTAINER)? {
        SANDBOX => Role::Sandbox,
        name => Role::Member(ContainerName::parse(name).ok()?),
    };
    Some((service, node, role))
}

/// The name of a container, for people: the engine refuses a second one of it, so that nothing is
/// made twice.
pub fn container_name(
    server: &str,
    service: &ContainerServiceId,
    node: NodeKey,
    role: &Role,
) -> String {
    let role = match role {
        Role::Sandbox => "sandbox.",
        Role::Member(name) => name.as_str(),
    };
    let (server, service) = (short(server), service.as_str());
    let (version, number) = (node.version.0, node.number);
    format!("roadstead-{server}-{service}-{version}-{number}-{role}")
}

/// The first digits of a server's id: enough for names, where labels decide.
pub fn short(server: &str) -> &str {
    server.get(..12).unwrap_or(server)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_read_as_they_were_written() {
        let service = ContainerServiceId::from_random(7);
        let node = NodeKey {
            version: DeploymentVersion(12),
            number: 3,
        };
        let app = ContainerName::parse("app").unwrap();
        for role in [Role::Sandbox, Role::Member(app)] {
            let written = labels("data", &service, node, &role);
            let expected = Some((service.clone(), node, role));
            assert_eq!(read_labels(&written), expected);
            for key in [SERVICE, DEPLOYMENT, NODE, CONTAINER] {
                let mut missing = written.clone();
                missing.remove(key);
                assert_eq!(read_labels(&missing), None, "{key}");
            }
        }
    }
}
