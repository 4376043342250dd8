//! What trusted proxies say of the requests that they pass on: `X-Forwarded-*`, or `Forwarded` of
//! RFC 7239 where there is none of those.
//!
//! Pure. Must never believe what a client could have said itself: of a list, which every proxy
//! makes longer at its end, only the end that trusted proxies have written counts.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use http::HeaderMap;
use ipnet::IpNet;

use crate::arriving::is_host;

const FOR: &str = "x-forwarded-for";
const PROTO: &str = "x-forwarded-proto";
const HOST: &str = "x-forwarded-host";
const FORWARDED: &str = "forwarded";

/// The addresses that proxies have which are believed.
#[derive(Debug, Clone, Default)]
pub struct Proxies(Vec<IpNet>);

impl FromIterator<IpNet> for Proxies {
    fn from_iter<I: IntoIterator<Item = IpNet>>(nets: I) -> Self {
        Self(nets.into_iter().collect())
    }
}

/// What a proxy says; what it leaves out is as the connection has it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// `http` or `https`.
    pub scheme: Option<&'static str>,
    /// The host that the client asked, with its port.
    pub host: Option<String>,
    /// Who asked.
    pub client: Option<IpAddr>,
}

impl Proxies {
    fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|net| net.contains(&address))
    }

    /// What `peer` says of a request, if it is to be believed.
    pub fn told(&self, peer: IpAddr, headers: &HeaderMap) -> Option<Told> {
        if !self.trusts(peer) {
            return None;
        }
        let has = |name| headers.contains_key(name);
        Some(match has(FOR) || has(PROTO) || has(HOST) {
            true => self.by_x_forwarded(headers),
            false => self.by_forwarded(headers),
        })
    }

    fn by_x_forwarded(&self, headers: &HeaderMap) -> Told {
        let last = |name| list(headers, name).last().map(str::trim).map(str::to_owned);
        let clients: Vec<Option<IpAddr>> = list(headers, FOR).map(address).collect();
        Told {
            scheme: last(PROTO).and_then(|text| scheme(&text)),
            host: last(HOST).filter(|text| is_host(text)),
            client: self.client(&clients).and_then(|at| clients[at]),
        }
    }

    fn by_forwarded(&self, headers: &HeaderMap) -> Told {
        let elements: Vec<Element> = list(headers, FORWARDED)
            .map(|text| text.parse().unwrap_or_default())
            .collect();
        let clients: Vec<Option<IpAddr>> = elements.iter().map(|one| one.client).collect();
        let Some(element) = self.client(&clients).or(elements.len().checked_sub(1)) else {
            return Told::default();
        };
        let element = &elements[element];
        Told {
            scheme: element.scheme,
            host: element.host.clone(),
            client: element.client,
        }
    }

    /// Which of a list of clients, the nearest last, asked: the first from its end that is no proxy
    /// of ours, or the last one known before the list has none or breaks off.
    fn client(&self, clients: &[Option<IpAddr>]) -> Option<usize> {
        let mut found = None;
        for (at, client) in clients.iter().enumerate().rev() {
            let Some(client) = client else { break };
            found = Some(at);
            if !self.trusts(*client) {
                break;
            }
        }
        found
    }
}

/// The parts of a list in all headers of that name. One that is no text ends what is known.
fn list<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).into_iter();
    values.flat_map(|value| value.to_str().unwrap_or_default().split(','))
}

fn scheme(text: &str) -> Option<&'static str> {
    ["http", "https"]
        .into_iter()
        .find(|known| text.eq_ignore_ascii_case(known))
}

/// An address, with a port or without; of IPv6 with a port in brackets.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let ip = bare.unwrap_or(text).parse().ok();
    let ip = ip.or_else(|| {
        text.parse()
            .ok()
            .map(|with_port: SocketAddr| with_port.ip())
    });
    ip.map(|ip| ip.to_canonical())
}

/// An element of `Forwarded`: what one proxy saw.
#[derive(Debug, Default)]
struct Element {
    client: Option<IpAddr>,
    scheme: Option<&'static str>,
    host: Option<String>,
}

impl FromStr for Element {
    type Err = ();

    /// `for=192.0.2.1;proto=https;host=registry.example`, values in quotes or not. No value of
    /// these has a comma or a semicolon, so one that has is none of ours.
    fn from_str(text: &str) -> Result<Self, ()> {
        let mut element = Self::default();
        for pair in text.split(';').filter(|pair| !pair.trim().is_empty()) {
            let (name, value) = pair.split_once('=').ok_or(())?;
            let value = value.trim();
            let quoted = value
                .strip_prefix('"')
                .and_then(|text| text.strip_suffix('"'));
            let value = quoted.unwrap_or(value);
            match name.trim().to_ascii_lowercase().as_str() {
                "for" => element.client = address(value),
                "proto" => element.scheme = scheme(value),
                "host" => element.host = Some(value.to_owned()).filter(|host| is_host(host)),
                _ => {}
            }
        }
        Ok(element)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn told(headers: &[(&'static str, &'static str)]) -> (String, String, String) {
        let trusted = ["10.0.0.0/8", "fd00::/8"];
        let proxies: Proxies = trusted
            .map(|net| net.parse().unwrap())
            .into_iter()
            .collect();
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        let peer = "10.0.0.1".parse().unwrap();
        let Told {
            scheme,
            host,
            client,
        } = proxies.told(peer, &map).unwrap();
        let client = client.map(|client| client.to_string());
        (
            client.unwrap_or_default(),
            scheme.unwrap_or_default().into(),
            host.unwrap_or_default(),
        )
    }

    /// RFC 7239, section 5.2, has the forms of addresses.
    #[test]
    fn the_client_is_the_nearest_that_is_no_proxy_of_ours() {
        for (list, expected) in [
            ("198.51.100.7", "198.51.100.7"),
            ("198.51.100.7:4711", "198.51.100.7"),
            ("2001:db8::7", "2001:db8::7"),
            ("[2001:db8::7]:4711", "2001:db8::7"),
            ("::ffff:198.51.100.7", "198.51.100.7"),
            // What a client says itself stands in front.
            ("127.0.0.1, 198.51.100.7", "198.51.100.7"),
            ("127.0.0.1, 198.51.100.7, 10.0.0.2, fd00::2", "198.51.100.7"),
            ("10.0.0.3, 10.0.0.2", "10.0.0.3"),
            // Beyond what cannot be read nothing is known.
            ("127.0.0.1, unknown, 10.0.0.2", "10.0.0.2"),
            ("127.0.0.1, unknown", ""),
            ("", ""),
        ] {
            assert_eq!(told(&[(FOR, list)]).0, expected, "{list}");
        }
        let two = [(FOR, "127.0.0.1"), (FOR, "198.51.100.7, 10.0.0.2")];
        assert_eq!(told(&two).0, "198.51.100.7");
    }

    #[test]
    fn scheme_and_host_are_the_last_proxys() {
        let row = |scheme, host| told(&[(PROTO, scheme), (HOST, host)]);
        let expected = |scheme: &str, host: &str| (String::new(), scheme.into(), host.into());
        assert_eq!(row("HTTPS", "a:81"), expected("https", "a:81"));
        assert_eq!(row("https, http", "evil, a"), expected("http", "a"));
        assert_eq!(row("gopher", "user@a"), expected("", ""));
        assert_eq!(row("", "a\"b"), expected("", ""));
    }

    #[test]
    fn forwarded() {
        for (value, expected) in [
            (
                "for=198.51.100.7;proto=https;host=a.example",
                ("198.51.100.7", "https", "a.example"),
            ),
            (
                "For=\"[2001:db8::7]:4711\"; Proto=\"https\" ;by=10.0.0.1; Host=\"a:81\"",
                ("2001:db8::7", "https", "a:81"),
            ),
            // Every element is what one proxy saw: that of whoever saw the client counts.
            (
                "for=127.0.0.1;host=evil, for=198.51.100.7;proto=https;host=a, for=10.0.0.2;proto=http;host=inner",
                ("198.51.100.7", "https", "a"),
            ),
            ("for=_hidden;proto=https", ("", "https", "")),
            ("for=127.0.0.1, proto=https", ("", "https", "")),
            ("garbage", ("", "", "")),
            ("", ("", "", "")),
        ] {
            let (client, scheme, host) = expected;
            let expected = (client.into(), scheme.into(), host.into());
            assert_eq!(told(&[(FORWARDED, value)]), expected, "{value}");
        }
    }

    /// A client that adds the other kind of header says nothing by it.
    #[test]
    fn one_kind_of_header_counts() {
        let both = [
            (FORWARDED, "for=127.0.0.1;proto=https;host=evil"),
            (FOR, "198.51.100.7"),
        ];
        assert_eq!(told(&both), ("198.51.100.7".into(), "".into(), "".into()));
    }
}
