//! Settings: a TOML file, then `ROADSTEAD_*` variables, then the command line.
//!
//! `docs/configuration.md` explains each; a test holds it to this file.

mod sections;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use roadstead_domain::ids::{AccountId, Region};
use roadstead_domain::time::Span;
use roadstead_registry::Rules;
use serde::Deserialize;

pub use self::sections::{
    Audit, Events, Http, Lifecycle, Log, Secret, Sweep, Tokens, Undelete, Uploads,
};

/// The name of the audit log among the destinations of events.
const AUDIT: &str = "audit";

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
    /// Lifecycle policies.
    pub lifecycle: Lifecycle,
    /// Bringing back what was deleted.
    pub undelete: Undelete,
    /// Webhooks.
    pub events: Events,
    /// The audit log.
    pub audit: Audit,
    /// Logs.
    pub log: Log,
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
            lifecycle: Lifecycle::default(),
            undelete: Undelete::default(),
            events: Events::default(),
            audit: Audit::default(),
            log: Log::default(),
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
    ("lifecycle", "interval_seconds"),
    ("lifecycle", "orphan_grace_seconds"),
    ("lifecycle", "expire_percent_max"),
    ("undelete", "window_seconds"),
    ("events", "webhooks"),
    ("events", "secret"),
    ("events", "keep_seconds"),
    ("audit", "file"),
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
        if self.lifecycle.interval_seconds == 0 {
            bail!("lifecycle.interval_seconds is at least 1");
        }
        if let Some(percent @ (0 | 101..)) = self.lifecycle.expire_percent_max {
            bail!("lifecycle.expire_percent_max is 1 to 100, not {percent}");
        }
        if self.events.secret.as_ref().is_some_and(Secret::is_empty) {
            bail!("events.secret is not empty");
        }
        for (at, url) in self.events.webhooks.iter().enumerate() {
            // The text may hold a password: not in the message.
            let parsed = reqwest::Url::parse(url).ok();
            let is_web = |url: &reqwest::Url| ["http", "https"].contains(&url.scheme());
            if !parsed.is_some_and(|url| is_web(&url)) {
                bail!("events.webhooks[{at}] is not an http or https URL");
            }
            if self.events.webhooks[..at].contains(url) {
                bail!("events.webhooks[{at}] is there twice");
            }
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
            lifecycle_interval: seconds(self.lifecycle.interval_seconds),
            orphan_grace: seconds(self.lifecycle.orphan_grace_seconds),
            expire_percent_max: self.lifecycle.expire_percent_max,
            undelete_window: match self.undelete.window_seconds {
                0 => None,
                window => Some(seconds(window)),
            },
            event_destinations: self.events.webhooks.clone(),
            audit_destination: self.audit_file().map(|_| AUDIT.to_owned()),
            ..Rules::default()
        }
    }

    /// The file of the audit log, if there is one.
    pub fn audit_file(&self) -> Option<PathBuf> {
        match self.audit.file.as_deref() {
            None => Some(self.data.join("audit.log")),
            Some("") => None,
            Some(path) => Some(path.into()),
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
        "public_endpoints" | "webhooks" => {
            let parts = text
                .split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty());
            toml::Value::Array(parts.map(|part| toml::Value::String(part.into())).collect())
        }
        "strict_ecr" if text == "true" || text == "false" => toml::Value::Boolean(text == "true"),
        key if key.ends_with("_seconds") || key.ends_with("_max") => match text.parse() {
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
            "[lifecycle]\ninterval_seconds = 0",
            "[lifecycle]\nexpire_percent_max = 0",
            "[lifecycle]\nexpire_percent_max = 101",
            "[events]\nwebhooks = ['ftp://host/']",
            "[events]\nwebhooks = ['host']",
            "[events]\nwebhooks = ['http://a/', 'http://a/']",
            "[events]\nsecret = ''",
        ] {
            assert!(from(bad, &[]).is_err(), "{bad}");
        }
        assert!(from("", &[("ROADSTEAD_SWEEP_GRACE_SECONDS", "soon")]).is_err());
    }

    #[test]
    fn lifecycle_undelete_events_and_audit_become_rules() {
        let rules = from("data = 'd'", &[]).unwrap().rules();
        assert_eq!(rules.lifecycle_interval, Span::hours(1));
        assert_eq!(rules.orphan_grace, Span::hours(24));
        assert_eq!(
            (rules.expire_percent_max, rules.undelete_window),
            (None, None)
        );
        assert!(rules.event_destinations.is_empty());
        assert_eq!(rules.audit_destination.as_deref(), Some("audit"));

        let config = from(
            "[audit]\nfile = ''\n[lifecycle]\ninterval_seconds = 5",
            &[
                ("ROADSTEAD_LIFECYCLE_ORPHAN_GRACE_SECONDS", "6"),
                ("ROADSTEAD_LIFECYCLE_EXPIRE_PERCENT_MAX", "7"),
                ("ROADSTEAD_UNDELETE_WINDOW_SECONDS", "8"),
                ("ROADSTEAD_EVENTS_WEBHOOKS", "http://a/, https://b/x"),
                ("ROADSTEAD_EVENTS_SECRET", "hush"),
                ("ROADSTEAD_EVENTS_KEEP_SECONDS", "9"),
            ],
        )
        .unwrap();
        let rules = config.rules();
        assert_eq!(rules.lifecycle_interval, Span::seconds(5));
        assert_eq!(rules.orphan_grace, Span::seconds(6));
        assert_eq!(rules.expire_percent_max, Some(7));
        assert_eq!(rules.undelete_window, Some(Span::seconds(8)));
        assert_eq!(rules.event_destinations, ["http://a/", "https://b/x"]);
        assert_eq!(rules.audit_destination, None);
        assert_eq!(config.events.keep_seconds, 9);
        assert!(!format!("{config:?}").contains("hush"));
    }

    #[test]
    fn the_audit_log_is_in_the_data_directory_or_where_it_is_said_to_be() {
        let file = |text| from(text, &[]).unwrap().audit_file();
        assert_eq!(file("data = 'd'"), Some("d/audit.log".into()));
        assert_eq!(file("[audit]\nfile = 'a'"), Some("a".into()));
        assert_eq!(file("[audit]\nfile = ''"), None);
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
