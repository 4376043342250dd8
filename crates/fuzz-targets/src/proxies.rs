//! What proxies say of the requests that they pass on. Each line is a header line.

use std::net::IpAddr;

use http::HeaderMap;
use roadstead_http::proxies::{Proxies, Told};

use crate::header_lines;

/// Nobody but a trusted peer is believed; and what a client writes in front of what proxies add
/// changes nothing of what they say.
pub fn check(data: &[u8]) {
    let nets = ["10.0.0.0/8", "fd00::/8"].map(|net| net.parse().expect("a net"));
    let proxies: Proxies = nets.into_iter().collect();
    let headers = header_lines(data);
    let stranger = IpAddr::from([198, 51, 100, 9]);
    assert_eq!(proxies.told(stranger, &headers), None);

    let peer = IpAddr::from([10, 0, 0, 1]);
    let told = proxies.told(peer, &headers).expect("a trusted peer");
    sound(&told);
    for field in ["x-forwarded-for", "forwarded"] {
        let seen = added(&headers, field);
        let told = proxies.told(peer, &seen).expect("a trusted peer");
        sound(&told);
        if field == "x-forwarded-for" || !says_x_forwarded(&headers) {
            assert_eq!(told.client, Some(IpAddr::from([192, 0, 2, 7])), "{seen:?}");
        }
        if field == "forwarded" && !says_x_forwarded(&headers) {
            assert_eq!(told.scheme, Some("https"), "{seen:?}");
            assert_eq!(told.host.as_deref(), Some("registry.example"), "{seen:?}");
        }
    }
}

fn sound(told: &Told) {
    if let Some(host) = &told.host {
        assert!(host.parse::<http::uri::Authority>().is_ok(), "{host:?}");
        assert!(!host.contains('@'), "{host:?}");
    }
    let client = told.client.map(|client| client.to_canonical());
    assert_eq!(told.client, client);
}

fn says_x_forwarded(headers: &HeaderMap) -> bool {
    let all = ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"];
    all.into_iter().any(|name| headers.contains_key(name))
}

/// The headers as a proxy passes them on that saw the client 192.0.2.7.
fn added(headers: &HeaderMap, field: &'static str) -> HeaderMap {
    let mut headers = headers.clone();
    let seen = match field {
        "forwarded" => "for=192.0.2.7;proto=https;host=registry.example",
        _ => "192.0.2.7",
    };
    headers.append(field, seen.parse().expect("a value"));
    headers
}
