//! By which address a request came, which registry that names, and which address to give out.
//!
//! A registry is named by the host `<account>.dkr.ecr.<region>.<any domain>`; on any other host
//! the token, or the default, names it.

use std::net::IpAddr;
use std::sync::Arc;

use http::{HeaderMap, header};
use roadstead_domain::ids::{AccountId, Region};
use roadstead_registry::context::Origin;

use crate::{Arrived, Settings};

/// How a request came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// `http` or `https`, as the client has it.
    pub scheme: &'static str,
    /// The host that the client asked, port included; none if it named none.
    pub authority: Option<String>,
    /// Who asks: the other end, or whom a trusted proxy there names.
    pub client: IpAddr,
    /// The other end of the connection.
    pub peer: IpAddr,
    /// The address of this end, `ip:port`: what a caller without a Host header used.
    pub local: Arc<str>,
}

impl Arrival {
    /// The address that the caller used.
    pub fn authority(&self) -> &str {
        self.authority.as_deref().unwrap_or(&self.local)
    }
}

/// From where a request came, for the conditions of policies.
pub fn origin(settings: &Settings, arrived: &Arrived, headers: &HeaderMap) -> Origin {
    let user_agent = headers.get(header::USER_AGENT);
    let user_agent = user_agent.and_then(|value| value.to_str().ok());
    Origin {
        peer: arrived.arrival.client,
        is_secure: scheme(settings, &arrived.arrival) == "https",
        user_agent: user_agent.map(str::to_owned),
    }
}

/// `scheme://authority` of a link to ourselves, as the caller can follow it: behind a proxy that
/// ends TLS only the settings know the scheme.
pub fn own_address(settings: &Settings, arrival: &Arrival) -> String {
    format!("{}://{}", scheme(settings, arrival), arrival.authority())
}

/// The scheme that the caller used, before any proxy.
pub fn scheme<'a>(settings: &'a Settings, arrival: &'a Arrival) -> &'a str {
    let set = settings.repository_scheme.as_deref();
    set.unwrap_or(arrival.scheme)
}

/// What every host of a public registry starts with, whatever is set.
const PUBLIC_START: &str = "public.ecr.";

/// Whether a host is the public registry's.
pub fn is_public_host(settings: &Settings, authority: &str) -> bool {
    let set = settings.public_host.as_deref();
    let is_set = set.is_some_and(|set| set == authority.to_ascii_lowercase());
    let start = authority.get(..PUBLIC_START.len());
    is_set || start.is_some_and(|start| start.eq_ignore_ascii_case(PUBLIC_START))
}

/// An address of private registries on this host: the one that the caller used, but where that is
/// the public registry's. This machine is `localhost` as well.
pub fn private_authority(settings: &Settings, arrival: &Arrival) -> String {
    let used = arrival.authority();
    match below(used) {
        (Some("localhost"), port) if is_public_host(settings, used) => format!("localhost{port}"),
        _ => used.to_owned(),
    }
}

/// What the public registry is called in addresses of repositories: its host, or the path that it
/// has on the address that the caller used.
pub fn public_address(settings: &Settings, arrival: &Arrival) -> String {
    let used = arrival.authority();
    match &settings.public_host {
        Some(host) => host.clone(),
        None if is_public_host(settings, used) => used.to_owned(),
        None => format!("{used}/{}", settings.public_path),
    }
}

/// `scheme://authority` of links to the public registry's own host, or to ourselves.
pub fn public_origin(settings: &Settings, arrival: &Arrival) -> String {
    match &settings.public_host {
        Some(host) => format!("{}://{host}", scheme(settings, arrival)),
        None => own_address(settings, arrival),
    }
}

/// What a host that names a registry consists of.
struct Named<'a> {
    account: AccountId,
    service: &'a str,
    region: Region,
    /// The rest, with the port.
    domain: &'a str,
}

impl<'a> Named<'a> {
    /// `<account>.dkr.ecr.<region>.<domain>`, with ECR's own variants `dkr-ecr`, `dkr.ecr-fips`
    /// and `dkr-ecr-fips` (ecr.md section 8).
    fn parse(authority: &'a str) -> Option<Self> {
        let (account, rest) = authority.split_once('.')?;
        let (service, rest) = ["dkr.ecr", "dkr-ecr", "dkr.ecr-fips", "dkr-ecr-fips"]
            .into_iter()
            .find_map(|service| Some((service, rest.strip_prefix(service)?.strip_prefix('.')?)))?;
        let (region, domain) = rest.split_once('.')?;
        Some(Self {
            account: AccountId::parse(account).ok()?,
            service,
            region: Region::parse(region).ok()?,
            domain,
        })
    }
}

/// The registry that a host names. The port does not matter.
pub fn registry_of(authority: &str) -> Option<(AccountId, Region)> {
    // Most hosts name none: they are told by their first label.
    let (account, _) = authority.split_once('.')?;
    AccountId::parse(account).ok()?;
    let authority = authority.to_ascii_lowercase();
    let named = Named::parse(&authority)?;
    Some((named.account, named.region))
}

/// The address under which a registry can be pushed to, as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryAddress {
    /// `http` or `https`.
    pub scheme: String,
    /// Host and port.
    pub authority: String,
}

impl RegistryAddress {
    /// `proxyEndpoint`.
    pub fn endpoint(&self) -> String {
        format!("{}://{}", self.scheme, self.authority)
    }
}

/// Where the registry (account, region) is for a caller of the account `caller` that came by
/// `arrival`: at the address that it used if that means this registry, else at one that names the
/// registry in front of it.
pub fn address(
    settings: &Settings,
    arrival: &Arrival,
    caller: &AccountId,
    account: &AccountId,
    region: &Region,
) -> RegistryAddress {
    let scheme = scheme(settings, arrival).to_owned();
    if let Some(template) = &settings.repository_host {
        let authority = template
            .replace("{account}", account.as_str())
            .replace("{region}", region.as_str());
        return RegistryAddress { scheme, authority };
    }
    let used = arrival.authority();
    // Hosts know no case: one in capitals names another registry than the caller's all the same.
    let lower = used.to_ascii_lowercase();
    let authority = match Named::parse(&lower) {
        Some(named) => {
            let Named {
                service, domain, ..
            } = named;
            format!("{account}.{service}.{region}.{domain}")
        }
        // A login names its registry on a bare host. Without login the default is what it means.
        None => {
            let bare = private_authority(settings, arrival);
            let is_meant = match settings.is_dev {
                false => account == caller,
                true => *account == settings.default_account && *region == settings.default_region,
            };
            match is_meant && !is_public_host(settings, &bare) {
                true => bare,
                false => in_front_of(used, account, region),
            }
        }
    };
    RegistryAddress { scheme, authority }
}

/// Scheme and suffix of the addresses of container services, for a caller that came by `arrival`.
pub fn container_suffix<'a>(settings: &'a Settings, arrival: &'a Arrival) -> (&'a str, String) {
    if let Some(suffix) = &settings.container_url_suffix {
        return ("https", suffix.clone());
    }
    let (domain, port) = below(arrival.authority());
    let domain = domain.unwrap_or(arrival.authority());
    (scheme(settings, arrival), format!("cs.{domain}{port}"))
}

/// A name for the registry below a bare host.
fn in_front_of(bare: &str, account: &AccountId, region: &Region) -> String {
    match below(bare) {
        (Some(domain), port) => format!("{account}.dkr.ecr.{region}.{domain}{port}"),
        (None, _) => bare.to_owned(),
    }
}

/// The domain of a bare host below which there are names, and its port with the colon. An address
/// has no names below it: this machine is `localhost` as well, and of any other there is nothing
/// better than the address itself.
fn below(bare: &str) -> (Option<&str>, String) {
    let (host, port) = match bare.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => {
            (host, format!(":{port}"))
        }
        _ => (bare, String::new()),
    };
    let ip = host.trim_start_matches('[').trim_end_matches(']').parse();
    match ip {
        Ok(IpAddr::V4(ip)) if ip.is_loopback() => (Some("localhost"), port),
        Ok(IpAddr::V6(ip)) if ip.is_loopback() => (Some("localhost"), port),
        Ok(_) => (None, String::new()),
        Err(_) => (Some(host), port),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(is_dev: bool, template: Option<&str>) -> Settings {
        Settings {
            is_dev,
            repository_host: template.map(str::to_owned),
            ..Settings::new(
                AccountId::parse("000000000000").unwrap(),
                Region::parse("us-east-1").unwrap(),
            )
        }
    }

    const DEFAULT: &str = "000000000000";
    const OWN: &str = "123456789012";
    const OTHER: &str = "210987654321";

    fn arrival(used: &str) -> Arrival {
        Arrival {
            scheme: "http",
            authority: Some(used.into()),
            client: IpAddr::from([127, 0, 0, 1]),
            peer: IpAddr::from([127, 0, 0, 1]),
            local: "127.0.0.1:80".into(),
        }
    }

    /// Where [`OWN`] is told that a registry is.
    fn address_of(settings: &Settings, used: &str, account: &str, region: &str) -> String {
        let caller = AccountId::parse(OWN).unwrap();
        let account = AccountId::parse(account).unwrap();
        let region = Region::parse(region).unwrap();
        address(settings, &arrival(used), &caller, &account, &region).authority
    }

    #[test]
    fn hosts_that_name_a_registry() {
        let named = |host| registry_of(host).map(|(account, region)| format!("{account} {region}"));
        for host in [
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com",
            "123456789012.dkr.ecr.eu-west-1.localhost:5000",
            "123456789012.dkr-ecr.eu-west-1.on.aws",
            "123456789012.dkr.ecr-fips.eu-west-1.amazonaws.com",
        ] {
            assert_eq!(
                named(host).as_deref(),
                Some("123456789012 eu-west-1"),
                "{host}"
            );
        }
        for host in [
            "localhost:5000",
            "127.0.0.1:5000",
            "[::1]:5000",
            "1234.dkr.ecr.eu-west-1.x",
            "123456789012.dkr.ecr.eu-west-1",
            "",
        ] {
            assert_eq!(named(host), None, "{host}");
        }
    }

    #[test]
    fn addresses_with_login() {
        let settings = settings(false, None);
        let rows = [
            // The address used, where it means the registry.
            ("localhost:5000", OWN, "localhost:5000"),
            ("registry.example", OWN, "registry.example"),
            ("192.0.2.1:5000", OWN, "192.0.2.1:5000"),
            ("[::1]:5000", OWN, "[::1]:5000"),
            // On a bare host a login means its own account only.
            ("localhost:5000", OTHER, "OTHER.localhost:5000"),
            ("localhost", OTHER, "OTHER.localhost"),
            ("registry.example", OTHER, "OTHER.registry.example"),
            ("registry.example:443", OTHER, "OTHER.registry.example:443"),
            ("127.0.0.1:5000", OTHER, "OTHER.localhost:5000"),
            ("[::1]:5000", OTHER, "OTHER.localhost:5000"),
            ("[::1]", OTHER, "OTHER.localhost"),
            // No names are below an address.
            ("192.0.2.1:5000", OTHER, "192.0.2.1:5000"),
            ("[2001:db8::1]:5000", OTHER, "[2001:db8::1]:5000"),
            ("[2001:db8::1]", OTHER, "[2001:db8::1]"),
        ];
        for (used, account, expected) in rows {
            let expected = expected.replace("OTHER", &format!("{OTHER}.dkr.ecr.eu-west-1"));
            let address = address_of(&settings, used, account, "eu-west-1");
            assert_eq!(address, expected, "{used} {account}");
        }
    }

    #[test]
    fn a_host_that_names_a_registry_names_the_others_too() {
        for is_dev in [false, true] {
            let settings = settings(is_dev, None);
            for (service, domain) in [
                ("dkr.ecr", "registry.example:443"),
                ("dkr.ecr", "localhost:5000"),
                ("dkr-ecr", "on.example"),
                ("dkr.ecr-fips", "registry.example"),
            ] {
                let used = format!("{OWN}.{service}.us-east-1.{domain}");
                for account in [OWN, OTHER, DEFAULT] {
                    for region in ["us-east-1", "eu-west-1"] {
                        let address = address_of(&settings, &used, account, region);
                        assert_eq!(address, format!("{account}.{service}.{region}.{domain}"));
                    }
                }
            }
        }
    }

    #[test]
    fn a_host_in_capitals_names_a_registry_too() {
        let settings = settings(false, None);
        let used = format!("{OTHER}.DKR.ECR.US-EAST-1.Registry.example");
        for account in [OWN, OTHER] {
            let address = address_of(&settings, &used, account, "eu-west-1");
            assert_eq!(
                registry_of(&address).unwrap().0.as_str(),
                account,
                "{address}"
            );
        }
    }

    #[test]
    fn a_template_wins() {
        let settings = settings(false, Some("{account}.dkr.ecr.{region}.amazonaws.com"));
        let address = address_of(&settings, "localhost:5000", OWN, "us-east-1");
        assert_eq!(address, "123456789012.dkr.ecr.us-east-1.amazonaws.com");
    }

    #[test]
    fn without_login_only_the_default_registry_is_on_the_bare_host() {
        let settings = settings(true, None);
        let rows = [
            (DEFAULT, "us-east-1", "localhost:5000".to_owned()),
            (
                DEFAULT,
                "eu-west-1",
                format!("{DEFAULT}.dkr.ecr.eu-west-1.localhost:5000"),
            ),
            (
                OWN,
                "us-east-1",
                format!("{OWN}.dkr.ecr.us-east-1.localhost:5000"),
            ),
        ];
        for (account, region, expected) in rows {
            let address = address_of(&settings, "localhost:5000", account, region);
            assert_eq!(address, expected);
        }
    }

    #[test]
    fn links_to_ourselves_have_the_scheme_of_the_settings() {
        let mut settings = settings(false, Some("{account}.example"));
        let arrival = arrival("registry.example:8443");
        assert_eq!(
            own_address(&settings, &arrival),
            "http://registry.example:8443"
        );
        settings.repository_scheme = Some("https".into());
        assert_eq!(
            own_address(&settings, &arrival),
            "https://registry.example:8443"
        );
    }
}
