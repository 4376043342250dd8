//! Settings: a TOML file, then `ROADSTEAD_*` variables, then the command line.
//!
//! `docs/configuration.md` explains each; a test holds it to this file.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use roadstead_domain::ids::{AccountId, Region};
use roadstead_domain::time::Span;
use roadstead_registry::Rules;
use serde::Deserialize;

/// Everything that can be set.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The address to listen on.
    pub listen: SocketAddr,
    /// The data directory.
    pub data: PathBuf,
    /// The default account.
    pub account: String,
    /// The default region.
    pub region: String,
    /// Answer as real ECR does where it departs from the OCI spec.
    pub strict_ecr: bool,
    /// Addresses.
    pub http: Http,
    /// The sweep.
    pub sweep: Sweep,
    /// Uploads.
    pub uploads: Uploads,
    /// Authorization tokens.
    pub tokens: Tokens,
    /// Logs.
    pub log: Log,
}

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

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 5080)),
            data: "roadstead-data".into(),
            account: "000000000000".into(),
            region: "us-east-1".into(),
            strict_ecr: false,
            http: Http::default(),
            sweep: Sweep::default(),
            uploads: Uploads::default(),
            tokens: Tokens::default(),
            log: Log::default(),
        }
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

/// Every setting as (section, key); no section for the top. The variable of a setting is
/// `ROADSTEAD_SECTION_KEY`.
pub const SETTINGS: &[(&str, &str)] = &[
    ("", "listen"),
    ("", "data"),
    ("", "account"),
    ("", "region"),
    ("", "strict_ecr"),
    ("http", "repository_host"),
    ("http", "repository_scheme"),
    ("http", "public_endpoints"),
    ("sweep", "grace_seconds"),
    ("sweep", "interval_seconds"),
    ("uploads", "expiry_seconds"),
    ("tokens", "lifetime_seconds"),
    ("log", "format"),
    ("log", "level"),
];

/// The variable of a setting.
pub fn variable(section: &str, key: &str) -> String {
    let parts = ["roadstead", section, key]
        .into_iter()
        .filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("_").to_uppercase()
}

impl Config {
    /// Reads the file, if one is named, and the variables over it.
    pub fn load(file: Option<&Path>, variables: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let mut table = match file {
            None => toml::Table::new(),
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .with_context(|| format!("reading the configuration {}", path.display()))?;
                text.parse()
                    .with_context(|| format!("in the configuration {}", path.display()))?
            }
        };
        for (section, key) in SETTINGS {
            let name = variable(section, key);
            let Some(text) = variables(&name) else {
                continue;
            };
            let place = match *section {
                "" => &mut table,
                section => {
                    let entry = table
                        .entry(section)
                        .or_insert_with(|| toml::Value::Table(toml::Table::new()));
                    entry
                        .as_table_mut()
                        .with_context(|| format!("[{section}] is not a section"))?
                }
            };
            place.insert((*key).to_owned(), value_of(key, &text));
        }
        let config: Self = table.try_into().context("in the configuration")?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<()> {
        self.default_account()?;
        self.default_region()?;
        if !["text", "json"].contains(&self.log.format.as_str()) {
            bail!("log.format is 'text' or 'json', not '{}'", self.log.format);
        }
        if self.sweep.interval_seconds == 0 {
            bail!("sweep.interval_seconds is at least 1");
        }
        if let Some(scheme) = &self.http.repository_scheme
            && !["http", "https"].contains(&scheme.as_str())
        {
            bail!("http.repository_scheme is 'http' or 'https', not '{scheme}'");
        }
        Ok(())
    }

    /// The default account.
    pub fn default_account(&self) -> Result<AccountId> {
        AccountId::parse(&self.account).context("account has 12 digits")
    }

    /// The default region.
    pub fn default_region(&self) -> Result<Region> {
        Region::parse(&self.region).context("region")
    }

    /// The settings of the use cases.
    pub fn rules(&self) -> Rules {
        let seconds = |seconds: u32| Span::seconds(seconds.into());
        Rules {
            is_strict_ecr: self.strict_ecr,
            sweep_grace: seconds(self.sweep.grace_seconds),
            upload_expiry: seconds(self.uploads.expiry_seconds),
            token_lifetime: seconds(self.tokens.lifetime_seconds),
            ..Rules::default()
        }
    }

    /// The settings of the faces.
    pub fn faces(&self, is_dev: bool) -> Result<roadstead_http::Settings> {
        Ok(roadstead_http::Settings {
            default_account: self.default_account()?,
            default_region: self.default_region()?,
            is_dev,
            repository_host: self.http.repository_host.clone(),
            repository_scheme: self.http.repository_scheme.clone(),
            public_endpoints: self.http.public_endpoints.clone(),
        })
    }
}

/// A variable is text; the settings that are not get their type from their name.
fn value_of(key: &str, text: &str) -> toml::Value {
    match key {
        "public_endpoints" => {
            let parts = text
                .split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty());
            toml::Value::Array(parts.map(|part| toml::Value::String(part.into())).collect())
        }
        "strict_ecr" if text == "true" || text == "false" => toml::Value::Boolean(text == "true"),
        key if key.ends_with("_seconds") => match text.parse() {
            Ok(number) => toml::Value::Integer(number),
            Err(_) => toml::Value::String(text.into()),
        },
        _ => toml::Value::String(text.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(text: &str, variables: &[(&str, &str)]) -> Result<Config> {
        let file = tempfile::NamedTempFile::new()?;
        std::fs::write(file.path(), text)?;
        let find = |name: &str| {
            variables
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        };
        Config::load(Some(file.path()), find)
    }

    #[test]
    fn variables_win_over_the_file_and_the_file_over_the_defaults() {
        let config = from(
            "region = 'eu-west-1'\n[sweep]\ngrace_seconds = 5",
            &[
                ("ROADSTEAD_SWEEP_GRACE_SECONDS", "0"),
                ("ROADSTEAD_STRICT_ECR", "true"),
            ],
        )
        .unwrap();
        assert_eq!(
            (config.region.as_str(), config.sweep.grace_seconds),
            ("eu-west-1", 0)
        );
        assert!(config.strict_ecr);
        assert_eq!(config.uploads.expiry_seconds, 86_400);
    }

    #[test]
    fn mistakes_are_refused() {
        for bad in [
            "typo = 1",
            "[sweep]\ngrace = 1",
            "account = '12'",
            "listen = 'nowhere'",
            "[log]\nformat = 'xml'",
            "[sweep]\ninterval_seconds = 0",
        ] {
            assert!(from(bad, &[]).is_err(), "{bad}");
        }
        assert!(from("", &[("ROADSTEAD_SWEEP_GRACE_SECONDS", "soon")]).is_err());
    }

    #[test]
    fn every_setting_is_documented_with_its_variable() {
        let page = include_str!("../../../docs/configuration.md");
        for (section, key) in SETTINGS {
            assert!(
                page.contains(&format!("`{}`", variable(section, key))),
                "{section}.{key}"
            );
            assert!(page.contains(key), "{section}.{key}");
        }
    }
}
