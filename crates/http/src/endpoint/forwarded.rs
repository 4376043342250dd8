//! The heads that pass through: what belongs to one connection stays there, and a node is told who
//! asked, and how.

use std::net::IpAddr;

use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, Request, Version};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Fields of one connection (RFC 9110, section 7.6.1), whether `Connection` names them or not.
const HOPS: [HeaderName; 9] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// The protocol that a request wants to switch its connection to.
pub fn upgrade<B>(request: &Request<B>) -> Option<HeaderValue> {
    let connection = request.headers().get_all(header::CONNECTION).into_iter();
    let is_asked = tokens(connection).any(|token| token == header::UPGRADE.as_str());
    let protocol = request.headers().get(header::UPGRADE)?;
    (is_asked && request.version() == Version::HTTP_11).then(|| protocol.clone())
}

/// Makes the head of a request one for a node.
pub fn prepare(headers: &mut HeaderMap, peer: IpAddr, scheme: &str, authority: &str) {
    drop_hops(headers);
    // Whoever sent it waits for us, not for the node.
    headers.remove(header::EXPECT);
    join_cookies(headers);
    let mut clients: Vec<String> = headers
        .get_all(&FORWARDED_FOR)
        .iter()
        .filter_map(|value| value.to_str().ok().map(str::to_owned))
        .collect();
    clients.push(peer.to_canonical().to_string());
    // What a client says of scheme and host is not passed on as if we had seen it.
    let fields = [
        (FORWARDED_FOR, clients.join(", ")),
        (FORWARDED_PROTO, scheme.to_owned()),
        (FORWARDED_HOST, authority.to_owned()),
        (header::HOST, authority.to_owned()),
    ];
    for (name, value) in fields {
        match HeaderValue::try_from(value) {
            Ok(value) => drop(headers.insert(name, value)),
            Err(_) => drop(headers.remove(name)),
        }
    }
}

/// Removes what belongs to one connection.
pub fn drop_hops(headers: &mut HeaderMap) {
    let connection: Vec<HeaderValue> = headers
        .get_all(header::CONNECTION)
        .iter()
        .cloned()
        .collect();
    for token in tokens(connection.iter()) {
        headers.remove(token.as_str());
    }
    for name in HOPS {
        headers.remove(name);
    }
}

/// HTTP/2 may split them, HTTP/1.1 may not (RFC 9113, section 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let cookies: Vec<&[u8]> = headers
        .get_all(header::COOKIE)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    if cookies.len() > 1
        && let Ok(joined) = HeaderValue::from_bytes(&cookies.join(&b"; "[..]))
    {
        headers.insert(header::COOKIE, joined);
    }
}

fn tokens<'a>(values: impl Iterator<Item = &'a HeaderValue>) -> impl Iterator<Item = String> {
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|token| token.trim().to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in fields {
            map.append(*name, HeaderValue::from_static(value));
        }
        map
    }

    fn prepared(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = map(fields);
        let client = IpAddr::from([192, 0, 2, 7]);
        prepare(&mut headers, client, "https", "web.example:8443");
        headers
    }

    #[test]
    fn what_belongs_to_one_connection_stays_there() {
        let headers = prepared(&[
            ("connection", "close, X-Secret"),
            ("connection", "keep-alive"),
            ("x-secret", "1"),
            ("keep-alive", "timeout=5"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("proxy-authorization", "Basic x"),
            ("expect", "100-continue"),
            ("authorization", "Bearer y"),
            ("content-length", "3"),
        ]);
        let mut names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        let kept = ["authorization", "content-length", "host"];
        let told = ["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"];
        assert_eq!(names, [kept, told].concat());
    }

    #[test]
    fn a_node_is_told_who_asked_and_how() {
        let headers = prepared(&[
            ("host", "spoofed"),
            ("x-forwarded-for", "10.0.0.1"),
            ("x-forwarded-for", "10.0.0.2"),
            ("x-forwarded-proto", "gopher"),
            ("x-forwarded-host", "spoofed"),
            ("cookie", "a=1"),
            ("cookie", "b=2"),
        ]);
        for (name, value) in [
            ("host", "web.example:8443"),
            ("x-forwarded-for", "10.0.0.1, 10.0.0.2, 192.0.2.7"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "web.example:8443"),
            ("cookie", "a=1; b=2"),
        ] {
            let found: Vec<&HeaderValue> = headers.get_all(name).iter().collect();
            assert_eq!(found, [value], "{name}");
        }
    }

    #[test]
    fn upgrades_are_asked_for_twice_and_on_http_1_only() {
        let request = |version, fields: &[(&'static str, &'static str)]| {
            let mut request = Request::new(());
            *request.version_mut() = version;
            *request.headers_mut() = map(fields);
            upgrade(&request)
        };
        let both = [
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "websocket"),
        ];
        assert_eq!(
            request(Version::HTTP_11, &both),
            Some(HeaderValue::from_static("websocket"))
        );
        assert_eq!(request(Version::HTTP_2, &both), None);
        assert_eq!(request(Version::HTTP_11, &both[..1]), None);
        assert_eq!(request(Version::HTTP_11, &both[1..]), None);
    }
}
