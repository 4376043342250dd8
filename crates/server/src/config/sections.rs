//! The sections of the settings and their defaults: values only, checked in `config.rs`.

use std::fmt;
use std::path::PathBuf;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// `[http]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    /// The host of `repositoryUri`, with `{account}` and `{region}`.
    pub repository_host: Option<String>,
    /// The scheme of `proxyEndpoint`.
    pub repository_scheme: Option<String>,
    /// Names under which requests may be signed besides the Host header.
    pub public_endpoints: Vec<String>,
    /// Addresses and networks of proxies that are believed about their clients.
    pub trusted_proxies: Vec<String>,
}

/// `[ecr_public]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EcrPublic {
    /// The host of the public registry, host or host:port.
    pub host: Option<String>,
    /// Below which path it is on every other host.
    pub path: String,
    /// Pulls in a second of an address without a login; 0 is no limit.
    pub anonymous_pulls_max: u32,
    /// Pulls in a second of an account; 0 is no limit.
    pub account_pulls_max: u32,
}

impl Default for EcrPublic {
    fn default() -> Self {
        Self {
            host: None,
            path: "public.ecr.aws".into(),
            anonymous_pulls_max: 0,
            account_pulls_max: 0,
        }
    }
}

/// `[sweep]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sweep {
    /// Seconds for which an unreferenced blob is kept.
    pub grace_seconds: u32,
    /// Seconds between passes.
    pub interval_seconds: u32,
}

/// `[uploads]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Uploads {
    /// Seconds after which an upload that rests is given up.
    pub expiry_seconds: u32,
}

/// `[tokens]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tokens {
    /// Seconds for which an authorization token is good.
    pub lifetime_seconds: u32,
}

/// `[log]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// `text` or `json`.
    pub format: String,
    /// A filter such as `info` or `roadstead_http=debug,info`.
    pub level: String,
}

/// `[lifecycle]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Lifecycle {
    /// Seconds between the runs of a policy.
    pub interval_seconds: u32,
    /// Seconds for which a referrer is kept after its subject went.
    pub orphan_grace_seconds: u32,
    /// The most of a repository that one run may delete, percent.
    pub expire_percent_max: Option<u8>,
}

/// `[lightsail]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Lightsail {
    /// Over what the versions of registered images count: `label` or `service`.
    pub version_scope: String,
    /// How deployments end that nothing runs: `active` or `failed`.
    pub recorded_end: String,
    /// Milliseconds for which a state that ends by itself is shown at least.
    pub dwell_milliseconds: u32,
    /// What the `url` of a service ends with.
    pub url_suffix: Option<String>,
    /// What runs containers: `none` or `docker`.
    pub engine: String,
    /// The engine's socket.
    pub engine_socket: PathBuf,
    /// The address under which the engine reaches this server.
    pub engine_registry: Option<String>,
}

impl Default for Lightsail {
    fn default() -> Self {
        Self {
            version_scope: "label".into(),
            recorded_end: "active".into(),
            dwell_milliseconds: 500,
            url_suffix: None,
            engine: "none".into(),
            engine_socket: "/var/run/docker.sock".into(),
            engine_registry: None,
        }
    }
}

/// `[undelete]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Undelete {
    /// Seconds for which what was deleted can be brought back; 0 is not at all.
    pub window_seconds: u32,
}

/// `[events]`. Its URLs may hold passwords: neither they nor the secret are ever printed.
#[derive(Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Events {
    /// The URLs that are told of pushes and deletions.
    #[serde(deserialize_with = "quiet_list")]
    pub webhooks: Vec<String>,
    /// Signs what they are told.
    pub secret: Option<Secret>,
    /// Seconds for which an event waits for its delivery.
    pub keep_seconds: u32,
}

/// `[audit]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Audit {
    /// The file; one in the data directory if absent, none at all if empty.
    pub file: Option<String>,
}

/// A text that is never printed.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Whether it is no secret at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        // Anything is read first: the usual refusal would quote it.
        let text = text_of(toml::Value::deserialize(from)?);
        text.map(Self)
            .ok_or_else(|| D::Error::custom("this is no text in quotes"))
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events")
            .field("webhooks", &self.webhooks.len())
            .field("secret", &self.secret)
            .field("keep_seconds", &self.keep_seconds)
            .finish()
    }
}

/// A list of texts. What stands in its place is never quoted.
fn quiet_list<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let texts = match toml::Value::deserialize(from)? {
        toml::Value::Array(parts) => parts.into_iter().map(text_of).collect(),
        _ => None,
    };
    texts.ok_or_else(|| D::Error::custom("this is no list of texts in quotes"))
}

fn text_of(value: toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text),
        _ => None,
    }
}

/// `[events]`. What stands in its place is never quoted.
pub(super) fn quiet_section<'de, D: Deserializer<'de>>(from: D) -> Result<Events, D::Error> {
    struct Section;

    impl<'de> Visitor<'de> for Section {
        type Value = Events;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a section")
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Events, A::Error> {
            Events::deserialize(MapAccessDeserializer::new(map))
        }

        fn visit_str<E: Error>(self, _: &str) -> Result<Events, E> {
            Err(E::custom("this is no section"))
        }

        fn visit_i64<E: Error>(self, _: i64) -> Result<Events, E> {
            Err(E::custom("this is no section"))
        }

        fn visit_f64<E: Error>(self, _: f64) -> Result<Events, E> {
            Err(E::custom("this is no section"))
        }
    }

    from.deserialize_any(Section)
}

impl Default for Sweep {
    fn default() -> Self {
        Self {
            grace_seconds: 3600,
            interval_seconds: 30,
        }
    }
}

impl Default for Uploads {
    fn default() -> Self {
        Self {
            expiry_seconds: 24 * 3600,
        }
    }
}

impl Default for Tokens {
    fn default() -> Self {
        Self {
            lifetime_seconds: 12 * 3600,
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self {
            format: "text".into(),
            level: "info".into(),
        }
    }
}

impl Default for Lifecycle {
    fn default() -> Self {
        Self {
            interval_seconds: 3600,
            orphan_grace_seconds: 24 * 3600,
            expire_percent_max: None,
        }
    }
}

impl Default for Events {
    fn default() -> Self {
        Self {
            webhooks: Vec::new(),
            secret: None,
            keep_seconds: 7 * 24 * 3600,
        }
    }
}
