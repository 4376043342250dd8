//! By which way a request came: its host, its scheme and whoever asked, past the proxies that are
//! trusted.
//!
//! Pure. What a peer says of others is believed of trusted proxies only (`proxies.rs`); its own
//! Host header is checked for its form (RFC 9112, section 3.2).

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use http::{Request, Version, header};

use crate::Settings;
use crate::host::Arrival;

/// The connection that a request came by.
#[derive(Debug)]
pub struct Way {
    /// Within TLS.
    pub is_tls: bool,
    /// The other end.
    pub peer: IpAddr,
    /// This end, `ip:port`.
    pub local: Arc<str>,
}

/// How a request came, and what is wrong with what it says of that.
pub fn arrival<B>(
    settings: &Settings,
    way: Way,
    request: &Request<B>,
) -> (Arrival, Option<&'static str>) {
    let (own, fault) = match own_host(request) {
        Ok(own) => (own, None),
        Err(fault) => (None, Some(fault)),
    };
    let told = settings
        .trusted_proxies
        .told(way.peer, request.headers())
        .unwrap_or_default();
    let used = if way.is_tls { "https" } else { "http" };
    let arrival = Arrival {
        scheme: told.scheme.unwrap_or(used),
        authority: told.host.or(own),
        client: told.client.unwrap_or(way.peer),
        peer: way.peer,
        local: way.local,
    };
    (arrival, fault)
}

/// The host that a request names, if any. Of a target that names one (absolute form, HTTP/2) the
/// Host header says nothing more (RFC 9112, section 3.2.2; RFC 9113, section 8.3.1).
///
/// Of the other ambiguity, a length beside chunks, nothing arrives here: hyper goes by the chunks,
/// drops the length and closes the connection (RFC 9112, section 6.1), and refuses lengths that
/// differ.
fn own_host<B>(request: &Request<B>) -> Result<Option<String>, &'static str> {
    let mut named = request.headers().get_all(header::HOST).into_iter();
    let (first, second) = (named.next(), named.next());
    // Two readers of one request must not find two hosts in it.
    if second.is_some() {
        return Err("more than one Host header\n");
    }
    if let Some(authority) = request.uri().authority() {
        return well_formed(authority.as_str()).map(Some);
    }
    match first.map(|host| host.to_str()) {
        None if request.version() == Version::HTTP_11 => Err("no Host header\n"),
        None => Ok(None),
        Some(Ok(host)) if host.trim().is_empty() => Ok(None),
        Some(Ok(host)) => well_formed(host.trim()).map(Some),
        Some(Err(_)) => Err(MALFORMED),
    }
}

const MALFORMED: &str = "malformed Host header\n";

fn well_formed(host: &str) -> Result<String, &'static str> {
    match is_host(host) {
        true => Ok(host.to_owned()),
        false => Err(MALFORMED),
    }
}

/// Whether a text is a host, with a port or without, that can stand in links: a name, an address of
/// IPv4, or one of IPv6 in brackets; no user in front of it.
pub(crate) fn is_host(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    let (is_good, rest) = match text.strip_prefix('[').and_then(|text| text.split_once(']')) {
        Some((ip, rest)) => (ip.parse::<Ipv6Addr>().is_ok(), rest),
        None => {
            let (host, rest) = text.split_at(text.find(':').unwrap_or(text.len()));
            (!host.is_empty() && host.chars().all(is_plain), rest)
        }
    };
    let is_port =
        |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
    is_good && (rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use roadstead_domain::ids::{AccountId, Region};

    fn settings() -> Settings {
        let mut settings = Settings::new(
            AccountId::parse("000000000000").unwrap(),
            Region::parse("us-east-1").unwrap(),
        );
        let trusted = ["10.0.0.0/8", "fd00::/8"];
        settings.trusted_proxies = trusted
            .map(|net| net.parse().unwrap())
            .into_iter()
            .collect();
        settings
    }

    fn request(version: Version, target: &str, headers: &[(&'static str, &str)]) -> Request<()> {
        let mut request = Request::builder().version(version).uri(target);
        for (name, value) in headers {
            request = request.header(*name, HeaderValue::from_str(value).unwrap());
        }
        request.body(()).unwrap()
    }

    fn arrived(is_tls: bool, peer: &str, request: &Request<()>) -> (Arrival, Option<&'static str>) {
        let way = Way {
            is_tls,
            peer: peer.parse().unwrap(),
            local: "192.0.2.1:5080".into(),
        };
        arrival(&settings(), way, request)
    }

    #[test]
    fn hosts() {
        for good in [
            "a",
            "a.b-c_d",
            "a:1",
            "a:65535",
            "127.0.0.1:80",
            "[::1]",
            "[::1]:5080",
            "A.B",
        ] {
            assert!(is_host(good), "{good}");
        }
        for bad in [
            "", ":80", "a:", "a:b", "a:65536", "user@a", "a@", "a b", "a/b", "a\"b", "a,b", "::1",
            "[::1", "a:1:2", "é", "a?b", "a#b", "[a]b:1",
        ] {
            assert!(!is_host(bad), "{bad}");
        }
    }

    /// hostile.md B7, RFC 9112 section 3.2.
    #[test]
    fn the_host_of_a_request() {
        use Version as V;
        let absolute = "http://target.example:81/v2/";
        type Row<'r> = (
            V,
            &'r str,
            &'r [(&'r str, &'r str)],
            Result<&'r str, &'r str>,
        );
        let rows: [Row<'_>; 12] = [
            (V::HTTP_11, "/", &[("host", "a.example")], Ok("a.example")),
            (V::HTTP_11, "/", &[("host", " a:81 ")], Ok("a:81")),
            (V::HTTP_11, "/", &[("host", "")], Ok("192.0.2.1:5080")),
            (V::HTTP_11, "/", &[], Err("no Host header\n")),
            (V::HTTP_10, "/", &[], Ok("192.0.2.1:5080")),
            (V::HTTP_11, "/", &[("host", "user@a")], Err(MALFORMED)),
            (V::HTTP_11, "/", &[("host", "a\",x=\"")], Err(MALFORMED)),
            (
                V::HTTP_11,
                absolute,
                &[("host", "b")],
                Ok("target.example:81"),
            ),
            (V::HTTP_11, absolute, &[], Ok("target.example:81")),
            (
                V::HTTP_11,
                "http://user@a/",
                &[("host", "a")],
                Err(MALFORMED),
            ),
            (V::HTTP_2, "https://a.example/", &[], Ok("a.example")),
            (
                V::HTTP_11,
                "/",
                &[("host", "a"), ("host", "a")],
                Err("more than one Host header\n"),
            ),
        ];
        for (version, target, headers, expected) in rows {
            let headers: Vec<(&'static str, &str)> =
                headers.iter().map(|(_, value)| ("host", *value)).collect();
            let (arrival, fault) =
                arrived(false, "203.0.113.9", &request(version, target, &headers));
            let found = fault.map_or(Ok(arrival.authority()), Err);
            assert_eq!(found, expected, "{version:?} {target} {headers:?}");
        }
    }

    /// F39: who is believed about what.
    #[test]
    fn only_trusted_proxies_are_believed() {
        let told: &[(&'static str, &str)] = &[
            ("host", "inner:5080"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "registry.example"),
            ("x-forwarded-for", "198.51.100.7"),
        ];
        let forwarded: &[(&'static str, &str)] = &[
            ("host", "inner:5080"),
            (
                "forwarded",
                "for=198.51.100.7;proto=https;host=registry.example",
            ),
        ];
        for headers in [told, forwarded] {
            let request = request(Version::HTTP_11, "/", headers);
            for (peer, is_tls, is_believed) in [
                ("10.1.2.3", false, true),
                ("fd00::1", false, true),
                ("::ffff:10.1.2.3", false, true),
                ("203.0.113.9", false, false),
                ("203.0.113.9", true, false),
                ("2001:db8::1", false, false),
            ] {
                let (arrival, fault) = arrived(is_tls, peer, &request);
                let found = (
                    arrival.scheme,
                    arrival.authority(),
                    arrival.client.to_string(),
                );
                let own = if is_tls { "https" } else { "http" };
                let expected = match is_believed {
                    true => ("https", "registry.example", "198.51.100.7".to_owned()),
                    false => (own, "inner:5080", peer.to_owned()),
                };
                assert_eq!(
                    (found, fault),
                    (expected, None),
                    "{peer} {is_tls} {headers:?}"
                );
                assert_eq!(arrival.peer.to_string(), peer);
            }
        }
    }
}
