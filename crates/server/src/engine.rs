//! What runs the containers of deployments, if the settings name an engine.
//!
//! Composition only: what the engine is told is the registry's, how is `roadstead-engine`'s.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use anyhow::{Result, bail};
use roadstead_engine::{Docker, Options};
use roadstead_registry::Registry;
use roadstead_registry::containers::pulls::Pulls;
use roadstead_registry::context::{Clock, Ids};

use crate::config::{Config, Engine};
use crate::data_dir::DataDir;

/// Connects the registry with the engine of the settings. `address` is where this server listens.
/// Must be called before anything is asked of the registry.
pub async fn attach(
    config: &Config,
    data: &DataDir,
    registry: &Arc<Registry>,
    (clock, ids): (&Arc<dyn Clock>, &dyn Ids),
    (address, is_dev): (SocketAddr, bool),
) -> Result<()> {
    match (config.engine()?, is_dev) {
        (Engine::None, _) => {
            if data.has_engine_id() {
                tracing::warn!(
                    "lightsail.engine was set before: what runs on that engine runs on, and nothing \
                     ends it while the setting is off"
                );
            }
            return Ok(());
        }
        // In --dev nothing asks an engine for a login, so all accounts would be one to it.
        (Engine::Docker, true) => bail!("lightsail.engine needs a server without --dev"),
        (Engine::Docker, false) => {}
    }
    let own = || {
        let own = on_this_machine(address);
        match config.ecr_public.host.as_deref() == Some(own.to_string().as_str()) {
            // There the public registry is; this machine has another name.
            true if own.ip().is_loopback() => format!("localhost:{}", own.port()),
            _ => own.to_string(),
        }
    };
    let reached_at = config.lightsail.engine_registry.clone();
    let mut options = Options::new(
        config.lightsail.engine_socket.clone(),
        data.engine_id(ids)?,
        reached_at.unwrap_or_else(own),
    );
    options.positions = Some(data.log_positions());
    tracing::info!(
        socket = %options.socket.display(),
        registry = options.registry,
        "deployments run on the engine"
    );
    let docker = Docker::new(options, clock.clone(), Arc::new(Pulls::of(registry)));
    docker.keep_only(&registry.container_service_ids().await?);
    registry.set_runtime(Arc::new(docker));
    Ok(())
}

/// An address that listens everywhere is asked on the loopback, which engines trust without TLS.
fn on_this_machine(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engine_is_on_this_machine() {
        for (listen, reached) in [
            ("0.0.0.0:5080", "127.0.0.1:5080"),
            ("[::]:5080", "[::1]:5080"),
            ("127.0.0.1:1", "127.0.0.1:1"),
            ("192.0.2.1:80", "192.0.2.1:80"),
        ] {
            let address = on_this_machine(listen.parse().unwrap());
            assert_eq!(address.to_string(), reached);
        }
    }
}
