//! The settings of how clients are served: addresses, certificate, limits, trusted proxies.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use ipnet::IpNet;
use roadstead_http::proxies::Proxies;
use roadstead_http::server;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::Config;

/// `[tls]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// The certificate and those above it, PEM; without, TLS is not spoken.
    pub certificate: Option<PathBuf>,
    /// Its private key, PEM.
    pub key: Option<PathBuf>,
    /// Plain HTTP is refused.
    pub required: bool,
    /// Seconds between looks whether the files have changed.
    pub reload_seconds: u32,
}

impl Default for Tls {
    fn default() -> Self {
        Self {
            certificate: None,
            key: None,
            required: false,
            reload_seconds: 10,
        }
    }
}

impl Tls {
    pub(super) fn check(&self) -> Result<()> {
        if self.certificate.is_some() != self.key.is_some() {
            bail!("tls.certificate and tls.key go together");
        }
        if self.required && self.certificate.is_none() {
            bail!("tls.required needs tls.certificate and tls.key");
        }
        if self.reload_seconds == 0 {
            bail!("tls.reload_seconds is at least 1");
        }
        Ok(())
    }
}

/// `[limits]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Connections served at once; 0 is as many as the limit of open files allows.
    pub connections_max: u32,
    /// Requests answered at once; 0 is as many as connections.
    pub requests_max: u32,
    /// Seconds for the head of a request.
    pub header_seconds: u32,
    /// Seconds for which a connection may rest.
    pub idle_seconds: u32,
    /// Seconds for which requests in flight may go on once the server stops.
    pub drain_seconds: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 0,
            requests_max: 0,
            header_seconds: 20,
            idle_seconds: 90,
            drain_seconds: 30,
        }
    }
}

impl Limits {
    pub(super) fn check(&self) -> Result<()> {
        if self.header_seconds == 0 || self.idle_seconds == 0 {
            bail!("limits.header_seconds and limits.idle_seconds are at least 1");
        }
        Ok(())
    }

    fn limits(&self) -> server::Limits {
        let seconds = |seconds: u32| Duration::from_secs(seconds.into());
        let number = |set: u32, usual: usize| match usize::try_from(set) {
            Ok(0) | Err(_) => usual,
            Ok(set) => set,
        };
        let usual = server::Limits::default();
        let connections = number(self.connections_max, usual.connections);
        server::Limits {
            connections,
            requests: number(self.requests_max, connections),
            head: seconds(self.header_seconds),
            idle: seconds(self.idle_seconds),
            drain: seconds(self.drain_seconds),
            ..usual
        }
    }
}

impl Config {
    /// How to serve, with a certificate or without. The limit of open files is as it is now.
    pub fn serving(&self, certificates: Option<server::Certificates>) -> server::Serving {
        server::Serving {
            limits: self.limits.limits(),
            certificates,
            is_tls_required: self.tls.required,
        }
    }

    pub(super) fn trusted_proxies(&self) -> Result<Proxies> {
        let nets = self.http.trusted_proxies.iter().map(|text| {
            let net = text.parse::<IpNet>().or_else(|error| {
                let address = text.parse::<IpAddr>().map_err(|_| error)?;
                Ok::<_, ipnet::AddrParseError>(address.into())
            });
            net.with_context(|| {
                format!(
                    "http.trusted_proxies has addresses and networks such as 10.0.0.0/8, not '{text}'"
                )
            })
        });
        nets.collect()
    }
}

/// One address or a list of them.
pub(super) fn addresses<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<SocketAddr>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMore {
        One(String),
        More(Vec<String>),
    }
    let texts = match OneOrMore::deserialize(from) {
        Ok(OneOrMore::One(text)) => vec![text],
        Ok(OneOrMore::More(texts)) => texts,
        Err(_) => {
            return Err(D::Error::custom(
                "not an address and port, or a list of them",
            ));
        }
    };
    if texts.is_empty() {
        return Err(D::Error::custom("no address to listen on"));
    }
    let parsed = texts.iter().map(|text| {
        let wrong = || D::Error::custom(format!("'{text}' is not an address and port"));
        text.parse().map_err(|_| wrong())
    });
    parsed.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(text: &str) -> Result<Config> {
        let file = tempfile::NamedTempFile::new()?;
        std::fs::write(file.path(), text)?;
        Config::load(Some(file.path()), |_| None)
    }

    #[test]
    fn one_address_or_more() {
        let listen = |text: &str| from(text).map(|config| format!("{:?}", config.listen));
        for (text, expected) in [
            ("", "[127.0.0.1:5080]"),
            ("listen = '[::1]:80'", "[[::1]:80]"),
            (
                "listen = ['0.0.0.0:80', '[::]:80']",
                "[0.0.0.0:80, [::]:80]",
            ),
        ] {
            assert_eq!(listen(text).unwrap(), expected);
        }
        for bad in ["listen = []", "listen = 'host:80'", "listen = 80"] {
            let said = format!("{:#}", listen(bad).unwrap_err());
            assert!(said.contains("listen"), "{said}");
        }
        let variable =
            |name: &str| (name == "ROADSTEAD_LISTEN").then(|| "127.0.0.1:1, [::1]:2".to_owned());
        let config = Config::load(None, variable).unwrap();
        assert_eq!(format!("{:?}", config.listen), "[127.0.0.1:1, [::1]:2]");
    }

    #[test]
    fn halves_of_a_certificate_and_endless_times_are_refused() {
        for bad in [
            "[tls]\ncertificate = 'a'",
            "[tls]\nkey = 'a'",
            "[tls]\nrequired = true",
            "[tls]\nreload_seconds = 0",
            "[limits]\nheader_seconds = 0",
            "[limits]\nidle_seconds = 0",
            "[http]\ntrusted_proxies = ['10.0.0.0/33']",
            "[http]\ntrusted_proxies = ['proxy.example']",
        ] {
            assert!(from(bad).is_err(), "{bad}");
        }
        assert!(from("[http]\ntrusted_proxies = ['10.0.0.0/8', '::1', '127.0.0.1']").is_ok());
    }

    #[test]
    fn limits_are_those_of_the_settings_or_of_the_machine() {
        let usual = from("").unwrap().serving(None).limits;
        let machine = server::Limits::default();
        assert_eq!(usual.connections, machine.connections);
        assert_eq!(usual.requests, machine.connections);
        assert_eq!(usual.head, Duration::from_secs(20));
        assert_eq!(usual.idle, Duration::from_secs(90));
        assert_eq!(usual.drain, Duration::from_secs(30));
        let text = "[limits]\nconnections_max = 7\nheader_seconds = 1\nidle_seconds = 2\ndrain_seconds = 0";
        let set = from(text).unwrap().serving(None).limits;
        assert_eq!((set.connections, set.requests), (7, 7));
        let seconds = [set.head, set.idle, set.drain].map(|time| time.as_secs());
        assert_eq!(seconds, [1, 2, 0]);
        let set = from("[limits]\nrequests_max = 3").unwrap().serving(None);
        assert_eq!(set.limits.requests, 3);
    }
}
