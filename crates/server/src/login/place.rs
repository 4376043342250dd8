//! Which registry a host is: its service, region and address, from its name and the user's file.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use crate::config::Secret;

/// Registries that everybody knows and that are not roadstead; a client that asks this program for
/// every login is told at once.
const OTHERS: &[&str] = &[
    "docker.io",
    "index.docker.io",
    "registry-1.docker.io",
    "ghcr.io",
    "quay.io",
    "gcr.io",
    "registry.k8s.io",
    "mcr.microsoft.com",
    "public.ecr.aws",
];

/// `~/.config/roadstead/login.toml`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// Certificates to trust besides those of the system, for all registries.
    ca_file: Option<PathBuf>,
    /// By host, with its port.
    registry: BTreeMap<String, Registry>,
}

/// What the user says about one registry.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Registry {
    /// The AWS profile to sign in with.
    pub(super) profile: Option<String>,
    /// A key of the registry, in place of a profile.
    pub(super) access_key_id: Option<String>,
    /// Its secret.
    pub(super) secret_access_key: Option<Secret>,
    /// The region to sign for.
    pub(super) region: Option<String>,
    /// `ecr` or `ecr-public`.
    service: Option<String>,
    /// `http` or `https`.
    scheme: Option<String>,
    /// Certificates to trust besides those of the system.
    ca_file: Option<PathBuf>,
}

/// A registry to sign in to.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// Host and port, as the client names it.
    pub(super) host: String,
    /// Where its API is.
    pub(super) url: String,
    /// Whether it is a public registry.
    pub(super) is_public: bool,
    /// The region that its name says.
    pub(super) region: Option<String>,
    /// Certificates to trust.
    pub(super) ca_file: Option<PathBuf>,
    /// What the user says about it.
    pub(super) user: Registry,
}

/// The host of a server URL or an image name: clients send both kinds, with a scheme and a path or
/// without.
pub(super) fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest)
}

/// The registry that a host is, as far as the user's file and its name say; none if it is another.
pub(super) fn place(host: &str) -> Result<Option<Place>> {
    let mut settings = settings()?;
    let said = settings.registry.remove(host);
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let is_other = OTHERS.contains(&name) || name.ends_with(".amazonaws.com");
    let is_name = !host.is_empty() && !host.contains(['@', '?', '#', '\\', ' ']);
    if !is_name || (said.is_none() && is_other) {
        return Ok(None);
    }
    let user = said.unwrap_or_default();
    let scheme = match user.scheme.as_deref() {
        Some(scheme @ ("http" | "https")) => scheme,
        Some(other) => bail!("the scheme of '{host}' is 'http' or 'https', not '{other}'"),
        None if is_local(name) => "http",
        None => "https",
    };
    let is_public = match user.service.as_deref() {
        Some("ecr-public") => true,
        Some("ecr") => false,
        Some(other) => bail!("the service of '{host}' is 'ecr' or 'ecr-public', not '{other}'"),
        None => name.starts_with("public.ecr."),
    };
    Ok(Some(Place {
        host: host.to_owned(),
        url: format!("{scheme}://{host}/"),
        is_public,
        region: region_in(name).map(str::to_owned),
        ca_file: user.ca_file.clone().or(settings.ca_file),
        user,
    }))
}

/// This machine needs no certificate.
fn is_local(name: &str) -> bool {
    let is_loopback = name
        .trim_matches(['[', ']'])
        .parse::<std::net::IpAddr>()
        .is_ok_and(|address| address.is_loopback());
    is_loopback || name == "localhost" || name.ends_with(".localhost")
}

/// The region of `<account>.dkr.ecr.<region>.<any domain>`.
fn region_in(name: &str) -> Option<&str> {
    let mut labels = name.split('.');
    let account = labels.next()?;
    let is_account = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
    let is_ecr = (labels.next()?, labels.next()?) == ("dkr", "ecr");
    labels.next().filter(|_| is_account && is_ecr)
}

/// A folder of the user: a variable, or a folder below the home.
pub(super) fn folder(variable: &str, below_home: &str) -> Result<PathBuf> {
    let absolute = |path: &PathBuf| path.is_absolute();
    if let Some(path) = std::env::var_os(variable)
        .map(PathBuf::from)
        .filter(absolute)
    {
        return Ok(path);
    }
    self::below_home(below_home)
}

/// A folder below the user's home.
pub(super) fn below_home(folder: &str) -> Result<PathBuf> {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let home = home.filter(|path| path.is_absolute());
    Ok(home.context("HOME is not set")?.join(folder))
}

fn settings() -> Result<Settings> {
    let path = match std::env::var_os("ROADSTEAD_LOGIN_CONFIG") {
        Some(path) => path.into(),
        None => folder("XDG_CONFIG_HOME", ".config")?.join("roadstead/login.toml"),
    };
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(Settings::default());
        }
        Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
    };
    // The parser's own words would show the line, which may hold a secret.
    let settings: Settings = toml::from_str(&text)
        .map_err(|error| anyhow::anyhow!("{}: {}", path.display(), error.message()))?;
    let has_secret = |registry: &Registry| registry.secret_access_key.is_some();
    if settings.registry.values().any(has_secret) {
        let mode = std::fs::metadata(&path)?.permissions().mode();
        if mode & 0o077 != 0 {
            let path = path.display();
            bail!("{path} holds a secret and others may read it: chmod 600 {path}");
        }
    }
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_urls_and_images() {
        for (url, host) in [
            ("localhost:5080", "localhost:5080"),
            ("https://r.example.com/v2/", "r.example.com"),
            ("r.example.com:443/team/app:v1", "r.example.com:443"),
            ("https://index.docker.io/v1/", "index.docker.io"),
        ] {
            assert_eq!(host_of(url), host);
        }
    }

    #[test]
    fn regions_in_names() {
        let private = "123456789012.dkr.ecr.eu-west-1.registry.example.com";
        assert_eq!(region_in(private), Some("eu-west-1"));
        for other in [
            "localhost",
            "app.dkr.ecr.eu-west-1.x",
            "123456789012.dkr.x.y",
        ] {
            assert_eq!(region_in(other), None, "{other}");
        }
    }

    #[test]
    fn only_this_machine_is_plain() {
        for local in ["localhost", "127.0.0.1", "[::1]", "1.dkr.ecr.x.localhost"] {
            assert!(is_local(local), "{local}");
        }
        for remote in [
            "example.com",
            "10.0.0.1",
            "localhost.example.com",
            "notlocalhost",
        ] {
            assert!(!is_local(remote), "{remote}");
        }
    }
}
