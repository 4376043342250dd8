//! Settings: a TOML file, then `ROADSTEAD_*` variables, then the command line.
//!
//! `docs/configuration.md` explains each; a test holds it to this file.

mod mistakes;
mod sections;
mod serving;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use roadstead_domain::ids::{AccountId, Region};
use roadstead_domain::lightsail::service::RecordedEnd;
use roadstead_domain::lightsail::versions::VersionScope;
use roadstead_domain::name::RepositoryName;
use roadstead_domain::public::pull_rate::PullRate;
use roadstead_domain::time::Span;
use roadstead_registry::Rules;
use roadstead_registry::public::PullLimits;
use roadstead_registry::rot::VerifyReads;
use serde::Deserialize;

pub use self::sections::{
    Audit, EcrPublic, Events, Http, Lifecycle, Lightsail, Log, Secret, Sweep, Tokens, Undelete,
    Uploads,
};
pub use self::serving::{Limits, Tls};

/// The name of the audit log among the destinations of events.
const AUDIT: &str = "audit";

/// What runs the containers of deployments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// Nothing: they are recorded only.
    None,
    /// A Docker-compatible engine.
    Docker,
}

/// Everything that can be set.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The addresses to listen on, one at least.
    #[serde(deserialize_with = "serving::addresses")]
    pub listen: Vec<SocketAddr>,
    /// The data directory.
    pub data: PathBuf,
    /// The default account.
    pub account: String,
    /// The default region.
    pub region: String,
    /// Answer as real ECR does where it departs from the OCI spec.
    pub strict_ecr: bool,
    /// When the bytes of blobs are hashed before they are served: `off`, `first` or `always`.
    pub verify_reads: String,
    /// Addresses.
    pub http: Http,
    /// The certificate.
    pub tls: Tls,
    /// What bounds clients.
    pub limits: Limits,
    /// The public registry.
    pub ecr_public: EcrPublic,
    /// The sweep.
    pub sweep: Sweep,
    /// Uploads.
    pub uploads: Uploads,
    /// Authorization tokens.
    pub tokens: Tokens,
    /// Lifecycle policies.
    pub lifecycle: Lifecycle,
    /// Container services.
    pub lightsail: Lightsail,
    /// Bringing back what was deleted.
    pub undelete: Undelete,
    /// Webhooks.
    #[serde(deserialize_with = "sections::quiet_section")]
    pub events: Events,
    /// The audit log.
    pub audit: Audit,
    /// Logs.
    pub log: Log,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::from(([127, 0, 0, 1], 5080))],
            data: "roadstead-data".into(),
            account: "000000000000".into(),
            region: "us-east-1".into(),
            strict_ecr: false,
            verify_reads: "first".into(),
            http: Http::default(),
            tls: Tls::default(),
            limits: Limits::default(),
            ecr_public: EcrPublic::default(),
            sweep: Sweep::default(),
            uploads: Uploads::default(),
            tokens: Tokens::default(),
            lifecycle: Lifecycle::default(),
            lightsail: Lightsail::default(),
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
    ("", "verify_reads"),
    ("http", "repository_host"),
    ("http", "repository_scheme"),
    ("http", "public_endpoints"),
    ("http", "trusted_proxies"),
    ("tls", "certificate"),
    ("tls", "key"),
    ("tls", "required"),
    ("tls", "reload_seconds"),
    ("limits", "connections_max"),
    ("limits", "requests_max"),
    ("limits", "header_seconds"),
    ("limits", "idle_seconds"),
    ("limits", "drain_seconds"),
    ("ecr_public", "host"),
    ("ecr_public", "path"),
    ("ecr_public", "anonymous_pulls_max"),
    ("ecr_public", "account_pulls_max"),
    ("sweep", "grace_seconds"),
    ("sweep", "interval_seconds"),
    ("uploads", "expiry_seconds"),
    ("tokens", "lifetime_seconds"),
    ("lifecycle", "interval_seconds"),
    ("lifecycle", "orphan_grace_seconds"),
    ("lifecycle", "expire_percent_max"),
    ("lightsail", "version_scope"),
    ("lightsail", "recorded_end"),
    ("lightsail", "dwell_milliseconds"),
    ("lightsail", "url_suffix"),
    ("lightsail", "engine"),
    ("lightsail", "engine_socket"),
    ("lightsail", "engine_registry"),
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
        let text = match file {
            None => String::new(),
            Some(path) => std::fs::read_to_string(path)
                .with_context(|| format!("reading the configuration {}", path.display()))?,
        };
        let in_file = |error: &toml::de::Error| {
            let path = file.unwrap_or(Path::new("")).display();
            mistakes::at_its_place(error, &text).context(format!("in the configuration {path}"))
        };
        let mut table: toml::Table = text.parse().map_err(|error| in_file(&error))?;
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
        let config: Self = table.try_into().map_err(|error| {
            // Values have no place; the file has, if the mistake is there.
            match toml::from_str::<Self>(&text) {
                Err(error) => in_file(&error),
                Ok(_) => anyhow!("in the variables: {}", mistakes::in_words(&error)),
            }
        })?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<()> {
        self.default_account()?;
        self.default_region()?;
        self.tls.check()?;
        self.limits.check()?;
        self.trusted_proxies()?;
        if !["text", "json"].contains(&self.log.format.as_str()) {
            bail!("log.format is 'text' or 'json', not '{}'", self.log.format);
        }
        if let Some(host) = &self.ecr_public.host {
            let is_plain =
                |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-._:[]".contains(c);
            if host.is_empty() || !host.chars().all(is_plain) {
                bail!("ecr_public.host is a host, or host:port, in lower case");
            }
            if self.lightsail.engine_registry.as_ref() == Some(host) {
                bail!("lightsail.engine_registry is not the public registry's host");
            }
        }
        // It stands before aliases in paths, as a repository name does.
        if RepositoryName::parse(&self.ecr_public.path).is_err() {
            bail!("ecr_public.path has the form of a repository name");
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
        self.verify_reads()?;
        self.version_scope()?;
        self.recorded_end()?;
        self.engine()?;
        if let Some(address) = &self.lightsail.engine_registry
            && (!address.contains(':') || address.contains(['/', '@', ' ']))
        {
            bail!("lightsail.engine_registry is host:port, not '{address}'");
        }
        if let Some(suffix) = &self.lightsail.url_suffix
            && (suffix.is_empty() || suffix.contains(['/', ' ']) || suffix.starts_with('.'))
        {
            bail!("lightsail.url_suffix is a domain, with a port or without, not '{suffix}'");
        }
        Ok(())
    }

    fn verify_reads(&self) -> Result<VerifyReads> {
        match self.verify_reads.as_str() {
            "off" => Ok(VerifyReads::Off),
            "first" => Ok(VerifyReads::First),
            "always" => Ok(VerifyReads::Always),
            other => bail!("verify_reads is 'off', 'first' or 'always', not '{other}'"),
        }
    }

    fn version_scope(&self) -> Result<VersionScope> {
        match self.lightsail.version_scope.as_str() {
            "label" => Ok(VersionScope::PerLabel),
            "service" => Ok(VersionScope::PerService),
            other => bail!("lightsail.version_scope is 'label' or 'service', not '{other}'"),
        }
    }

    /// What runs the containers of deployments.
    pub fn engine(&self) -> Result<Engine> {
        match self.lightsail.engine.as_str() {
            "none" => Ok(Engine::None),
            "docker" => Ok(Engine::Docker),
            other => bail!("lightsail.engine is 'none' or 'docker', not '{other}'"),
        }
    }

    fn recorded_end(&self) -> Result<RecordedEnd> {
        match self.lightsail.recorded_end.as_str() {
            "active" => Ok(RecordedEnd::Active),
            "failed" => Ok(RecordedEnd::Failed),
            other => bail!("lightsail.recorded_end is 'active' or 'failed', not '{other}'"),
        }
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
            // Checked when it was read, as the two below.
            verify_reads: self.verify_reads().unwrap_or_default(),
            upload_expiry: seconds(self.uploads.expiry_seconds),
            token_lifetime: seconds(self.tokens.lifetime_seconds),
            lifecycle_interval: seconds(self.lifecycle.interval_seconds),
            orphan_grace: seconds(self.lifecycle.orphan_grace_seconds),
            expire_percent_max: self.lifecycle.expire_percent_max,
            undelete_window: match self.undelete.window_seconds {
                0 => None,
                window => Some(seconds(window)),
            },
            public_pulls: PullLimits {
                anonymous: PullRate::per_second(self.ecr_public.anonymous_pulls_max),
                account: PullRate::per_second(self.ecr_public.account_pulls_max),
            },
            event_destinations: self.events.webhooks.clone(),
            audit_destination: self.audit_file().map(|_| AUDIT.to_owned()),
            container_version_scope: self.version_scope().unwrap_or_default(),
            container_recorded_end: self.recorded_end().unwrap_or_default(),
            container_dwell: Span(i64::from(self.lightsail.dwell_milliseconds) * 1000),
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
            container_url_suffix: self.lightsail.url_suffix.clone(),
            public_host: self.ecr_public.host.clone(),
            public_path: self.ecr_public.path.clone(),
            trusted_proxies: self.trusted_proxies()?,
        })
    }
}

/// A variable is text; the settings that are not get their type from their name.
fn value_of(key: &str, text: &str) -> toml::Value {
    match key {
        "listen" | "public_endpoints" | "trusted_proxies" | "webhooks" => {
            let parts = text
                .split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty());
            toml::Value::Array(parts.map(|part| toml::Value::String(part.into())).collect())
        }
        "strict_ecr" | "required" if text == "true" || text == "false" => {
            toml::Value::Boolean(text == "true")
        }
        key if key.ends_with("seconds") || key.ends_with("_max") => match text.parse() {
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
    fn mistakes_name_their_place_and_key() {
        for (text, place, key) in [
            (
                "account = 'a'\n[events]\nsecret = 1",
                "line 3, column 10",
                "events.secret",
            ),
            (
                "[events]\nwebhooks = 'x'",
                "line 2, column 12",
                "events.webhooks",
            ),
            (
                "[sweep]\n  grace_seconds = 'soon'",
                "line 2, column 19",
                "sweep.grace_seconds",
            ),
            ("[sweep]\ngrace = 1", "line 2, column 1", "`grace`"),
            ("region = 'é', x", "line 1, column 13", "newline"),
        ] {
            let said = format!("{:#}", from(text, &[]).unwrap_err());
            assert!(said.contains(place) && said.contains(key), "{said}");
            assert!(said.contains("in the configuration /"), "{said}");
        }
        let variables = [("ROADSTEAD_SWEEP_GRACE_SECONDS", "soon")];
        let said = format!("{:#}", from("", &variables).unwrap_err());
        assert!(said.contains("sweep.grace_seconds"), "{said}");
    }

    #[test]
    fn no_mistake_tells_a_secret() {
        for text in [
            "webhooks = 'https://user:hunter2@host/x'",
            "webhooks = ['https://user:hunter2@host/x', 1]",
            "webhooks = ['ftp://user:hunter2@host/x']",
            "webhooks = ['hunter2']",
            "webhooks = ['http://hunter2@host/', 'http://hunter2@host/']",
            "webhooks = { url = 'hunter2' }",
            "webhooks = ['https://user:hunter2@host/x'",
            "secret = 62772",
            "secret = 62772.5",
            "secret = ['hunter2']",
            "secret = { is = 'hunter2' }",
            "secret = 'hunter2",
            "secret = \"hunter2",
            "secret = \"hunter2\\q\"",
            "secret = hunter2",
            "secret = 'a' hunter2",
            "secret = 'a'\nsecret = 'hunter2'",
            "secret = \"\"\"hunter2",
            "secret = 'hunter2'\nsecret.more = 'hunter2'",
        ] {
            expect_silence(&format!("[events]\n{text}"));
        }
        for text in ["'hunter2'", "['hunter2']", "62772", "62772.5"] {
            expect_silence(&format!("events = {text}"));
        }
    }

    fn expect_silence(text: &str) {
        let error = from(text, &[]).expect_err(text);
        for said in [format!("{error:#}"), format!("{error:?}")] {
            assert!(
                !said.contains("hunter2") && !said.contains("62772"),
                "{said}"
            );
        }
    }

    #[test]
    fn settings_that_are_printed_tell_no_secret() {
        let text = "[events]\nsecret = 'hush'\nwebhooks = ['http://user:hunter2@host/?quiet']";
        let said = format!("{:#?}", from(text, &[]).unwrap());
        for secret in ["hush", "hunter2", "quiet"] {
            assert!(!said.contains(secret), "{said}");
        }
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
