//! The sections of the settings and their defaults: values only, checked in `config.rs`.

use std::fmt;

use serde::Deserialize;

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

/// `[undelete]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Undelete {
    /// Seconds for which what was deleted can be brought back; 0 is not at all.
    pub window_seconds: u32,
}

/// `[events]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Events {
    /// The URLs that are told of pushes and deletions.
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
#[derive(Clone, Deserialize)]
#[serde(transparent)]
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
