//! By which address a request came, which registry that names, and which address to give out.
//!
//! A registry is named by the host `<account>.dkr.ecr.<region>.<any domain>`; on any other host
//! the token, or the default, names it.

use std::net::IpAddr;

use roadstead_domain::ids::{AccountId, Region};

use crate::Settings;

/// How a request came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// `http` or `https`.
    pub scheme: &'static str,
    /// The `Host` header or `:authority` as sent, port included; none if there was none.
    pub authority: Option<String>,
    /// The other end.
    pub peer: IpAddr,
    /// The address of this end, `ip:port`: what a caller without a Host header used.
    pub local: String,
}

impl Arrival {
    /// The address that the caller used.
    pub fn authority(&self) -> &str {
        self.authority.as_deref().unwrap_or(&self.local)
    }

    /// `scheme://authority`.
    pub fn origin(&self) -> String {
        format!("{}://{}", self.scheme, self.authority())
    }
}

/// The registry that a host names: `<account>.dkr.ecr.<region>.<domain>`, with ECR's own variants
/// `dkr-ecr`, `dkr.ecr-fips` and `dkr-ecr-fips` (ecr.md section 8). The port does not matter.
pub fn registry_of(authority: &str) -> Option<(AccountId, Region)> {
    let host = authority
        .rsplit_once(':')
        .map_or(authority, |(host, _)| host);
    let (account, rest) = host.split_once('.')?;
    let rest = ["dkr.ecr.", "dkr-ecr.", "dkr.ecr-fips.", "dkr-ecr-fips."]
        .iter()
        .find_map(|service| rest.strip_prefix(service))?;
    let (region, _domain) = rest.split_once('.')?;
    Some((AccountId::parse(account).ok()?, Region::parse(region).ok()?))
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

/// Where the registry (account, region) is for a caller that came by `arrival`.
pub fn address(
    settings: &Settings,
    arrival: &Arrival,
    account: &AccountId,
    region: &Region,
) -> RegistryAddress {
    let scheme = settings
        .repository_scheme
        .as_deref()
        .unwrap_or(arrival.scheme)
        .to_owned();
    if let Some(template) = &settings.repository_host {
        let authority = template
            .replace("{account}", account.as_str())
            .replace("{region}", region.as_str());
        return RegistryAddress { scheme, authority };
    }
    let used = arrival.authority();
    // A token names its registry on a bare host. Without login the default is what a bare host
    // means, so in `--dev` any other registry needs a host that names it.
    let is_reached = match registry_of(used) {
        Some(named) => named == (account.clone(), region.clone()),
        None => {
            let is_default =
                *account == settings.default_account && *region == settings.default_region;
            !settings.is_dev || is_default
        }
    };
    let authority = match used.rsplit_once(':') {
        _ if is_reached => used.to_owned(),
        Some((_, port)) if port.bytes().all(|b| b.is_ascii_digit()) => {
            format!("{account}.dkr.ecr.{region}.localhost:{port}")
        }
        _ => format!("{account}.dkr.ecr.{region}.localhost"),
    };
    RegistryAddress { scheme, authority }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(is_dev: bool, template: Option<&str>) -> Settings {
        Settings {
            default_account: AccountId::parse("000000000000").unwrap(),
            default_region: Region::parse("us-east-1").unwrap(),
            is_dev,
            repository_host: template.map(str::to_owned),
            repository_scheme: None,
            public_endpoints: vec![],
        }
    }

    fn address_of(settings: &Settings, used: &str, account: &str, region: &str) -> String {
        let arrival = Arrival {
            scheme: "http",
            authority: Some(used.into()),
            peer: IpAddr::from([127, 0, 0, 1]),
            local: "127.0.0.1:80".into(),
        };
        let (account, region) = (
            AccountId::parse(account).unwrap(),
            Region::parse(region).unwrap(),
        );
        address(settings, &arrival, &account, &region).authority
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
    fn the_address_used_is_given_back() {
        let settings = settings(false, None);
        assert_eq!(
            address_of(&settings, "localhost:5000", "123456789012", "eu-west-1"),
            "localhost:5000"
        );
    }

    #[test]
    fn a_template_wins() {
        let settings = settings(false, Some("{account}.dkr.ecr.{region}.amazonaws.com"));
        let address = address_of(&settings, "localhost:5000", "123456789012", "us-east-1");
        assert_eq!(address, "123456789012.dkr.ecr.us-east-1.amazonaws.com");
    }

    #[test]
    fn without_login_only_the_default_registry_is_on_the_bare_host() {
        let settings = settings(true, None);
        assert_eq!(
            address_of(&settings, "localhost:5000", "000000000000", "us-east-1"),
            "localhost:5000"
        );
        assert_eq!(
            address_of(&settings, "localhost:5000", "123456789012", "us-east-1"),
            "123456789012.dkr.ecr.us-east-1.localhost:5000"
        );
    }
}
