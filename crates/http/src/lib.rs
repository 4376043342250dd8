//! The faces of the registry over HTTP: the AWS JSON APIs, the OCI distribution API, and the
//! pages for operators. They translate; every rule is behind them.
//!
//! This crate never sees a store, never decides who may do what, and reads the clock once per
//! request.

pub mod admin;
pub mod arriving;
pub mod aws;
pub mod body;
pub mod endpoint;
pub mod host;
mod kernel_send;
pub mod logos;
pub mod metrics;
pub mod oci;
pub mod proxies;
pub mod server;
pub mod stack;

use std::sync::Arc;

use roadstead_domain::ids::{AccountId, Region};
use roadstead_domain::time::Timestamp;
use roadstead_registry::Registry;
use roadstead_registry::context::Clock;

use crate::aws::SigningKeys;
use crate::body::Budget;
use crate::host::Arrival;
use crate::metrics::Metrics;
use crate::proxies::Proxies;

/// What an operator can set about the faces.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The account of requests that name none: `--dev` without login, bare hosts.
    pub default_account: AccountId,
    /// The region of requests that name none.
    pub default_region: Region,
    /// Any access key is accepted and login is optional.
    pub is_dev: bool,
    /// The host that `repositoryUri` and `proxyEndpoint` name, with `{account}` and `{region}`;
    /// the address that the caller used if none.
    pub repository_host: Option<String>,
    /// The scheme of `proxyEndpoint`, of download links and of the realm on `/v2`, `http` or
    /// `https`; the one that the request came by if none.
    pub repository_scheme: Option<String>,
    /// Further names under which a signature may have been made (host or host:port), for servers
    /// behind a proxy that changes the Host header.
    pub public_endpoints: Vec<String>,
    /// What the addresses of container services end with; `cs.` and the address that the caller
    /// used if none.
    pub container_url_suffix: Option<String>,
    /// The host of the public registry (host or host:port); besides it any host that starts with
    /// `public.ecr.` is one.
    pub public_host: Option<String>,
    /// Below which path the public registry is on every other host.
    pub public_path: String,
    /// Who is believed about the clients of whom it passes on requests.
    pub trusted_proxies: Proxies,
}

impl Settings {
    /// The usual settings.
    pub fn new(default_account: AccountId, default_region: Region) -> Self {
        Self {
            default_account,
            default_region,
            is_dev: false,
            repository_host: None,
            repository_scheme: None,
            public_endpoints: Vec::new(),
            public_host: None,
            public_path: "public.ecr.aws".into(),
            container_url_suffix: None,
            trusted_proxies: Proxies::default(),
        }
    }
}

/// Everything that handles a request.
pub struct Faces {
    /// The use cases.
    pub registry: Arc<Registry>,
    /// The only clock.
    pub clock: Arc<dyn Clock>,
    /// The settings.
    pub settings: Settings,
    /// Counters for `/metrics`.
    pub metrics: Metrics,
    /// Signing keys derived a moment ago.
    pub signing_keys: SigningKeys,
    /// Asks the nodes of container services.
    pub endpoints: endpoint::Client,
    /// Room for bodies that are read before it is known who sends them.
    pub unread_bodies: Budget,
}

/// What the bodies that are read before their signature can be checked may hold together: the
/// longest requests of sixteen strangers, or the parts of some forty uploads.
const UNREAD_BODY_BYTES_MAX: usize = 512 * 1024 * 1024;

impl Faces {
    /// Puts the faces of `registry` together.
    pub fn new(registry: Arc<Registry>, clock: Arc<dyn Clock>, settings: Settings) -> Self {
        let (metrics, signing_keys) = (Metrics::default(), SigningKeys::default());
        Self {
            registry,
            clock,
            settings,
            metrics,
            signing_keys,
            endpoints: endpoint::Client::new(server::requests_to_nodes()),
            unread_bodies: Budget::new(UNREAD_BODY_BYTES_MAX),
        }
    }
}

/// What is known of a request before anything of it is read.
#[derive(Debug, Clone)]
pub struct Arrived {
    /// When.
    pub now: Timestamp,
    /// Its id, answered as `x-amzn-RequestId`.
    pub request_id: String,
    /// By which address it came.
    pub arrival: Arrival,
}
