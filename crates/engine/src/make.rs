//! What the engine is told to make: the network, the sandbox and the containers of a node. Values
//! only; `actor` sends them.

use std::collections::HashMap;

use bollard::models::{
    ContainerCreateBody, EndpointSettings, HostConfig, HostConfigLogConfig, NetworkingConfig,
    PortBinding,
};
use roadstead_domain::lightsail::addresses::private_domain_name;
use roadstead_domain::lightsail::names::ContainerName;
use roadstead_domain::lightsail::spec::Container;
use roadstead_registry::containers::runtime::WantedService;

use crate::limits::Limits;
use crate::node::{NodeKey, Role, container_name, labels, short};
use crate::sandbox;

/// Processes that a container may have: a runaway must not take the machine along.
const PROCESSES_MAX: i64 = 4096;

/// A container to make: its name and what it is.
pub type Made = (String, ContainerCreateBody);

/// The network of all services of an account in a region: there they find each other by their
/// private domain names, and nobody else does.
pub fn network(server: &str, wanted: &WantedService) -> String {
    let server = short(server);
    format!("roadstead-{server}-{}-{}", wanted.account, wanted.region)
}

/// The sandbox of a node, which publishes the port of the endpoint on this machine only.
pub fn sandbox(server: &str, wanted: &WantedService, node: NodeKey, port: Option<u16>) -> Made {
    let (role, network) = (Role::Sandbox, network(server, wanted));
    let port = port.map(|port| format!("{port}/tcp"));
    let binding = PortBinding {
        host_ip: Some("127.0.0.1".to_owned()),
        host_port: Some(String::new()),
    };
    let bindings = port
        .iter()
        .map(|port| (port.clone(), Some(vec![binding.clone()])));
    let endpoint = EndpointSettings {
        aliases: Some(vec![private_domain_name(&wanted.name)]),
        ..Default::default()
    };
    let body = ContainerCreateBody {
        image: Some(sandbox::image(server)),
        entrypoint: Some(vec![sandbox::PROGRAM.to_owned()]),
        labels: Some(labels(server, &wanted.id, node, &role)),
        exposed_ports: Some(port.iter().cloned().collect()),
        host_config: Some(HostConfig {
            network_mode: Some(network.clone()),
            port_bindings: Some(bindings.collect()),
            log_config: Some(short_log()),
            ..Default::default()
        }),
        networking_config: Some(NetworkingConfig {
            endpoints_config: Some(HashMap::from([(network, endpoint)])),
        }),
        ..Default::default()
    };
    (container_name(server, &wanted.id, node, &role), body)
}

/// A container of the deployment, on the network of the container `sandbox`.
pub fn member(
    server: &str,
    wanted: &WantedService,
    node: NodeKey,
    (name, container): (&ContainerName, &Container),
    (image, sandbox): (&str, &str),
    limits: Limits,
) -> Made {
    let role = Role::Member(name.clone());
    let environment = container.environment.iter();
    let body = ContainerCreateBody {
        image: Some(image.to_owned()),
        cmd: (!container.command.is_empty()).then(|| container.command.clone()),
        env: Some(
            environment
                .map(|(key, value)| format!("{key}={value}"))
                .collect(),
        ),
        labels: Some(labels(server, &wanted.id, node, &role)),
        host_config: Some(HostConfig {
            network_mode: Some(format!("container:{sandbox}")),
            nano_cpus: Some(limits.nano_cpus),
            memory: Some(limits.memory_bytes),
            memory_swap: Some(limits.memory_bytes),
            pids_limit: Some(PROCESSES_MAX),
            log_config: Some(short_log()),
            ..Default::default()
        }),
        ..Default::default()
    };
    (container_name(server, &wanted.id, node, &role), body)
}

/// The engine's own copy of the log is read at once; it must not fill the disk.
fn short_log() -> HostConfigLogConfig {
    let settings = [("max-size", "10m"), ("max-file", "2")];
    let settings = settings.map(|(key, value)| (key.to_owned(), value.to_owned()));
    HostConfigLogConfig {
        typ: Some("json-file".to_owned()),
        config: Some(settings.into()),
    }
}
