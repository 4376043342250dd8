//! Hosts, and the heads that pass through to container services. The first line is the host, the
//! others are header lines.

use std::net::IpAddr;

use http::{HeaderMap, header};
use roadstead_domain::ids::{AccountId, Region};
use roadstead_http::Settings;
use roadstead_http::endpoint::{endpoint_of, prepare_forwarded};
use roadstead_http::host::{
    Arrival, address, container_suffix, is_public_host, own_address, private_authority,
    public_address, public_origin, registry_of,
};

/// An address that is given out leads back to the registry that it is for, and nothing of one
/// connection passes through, whatever a client says.
pub fn check(data: &[u8]) {
    let mut lines = data.splitn(2, |byte| *byte == b'\n');
    let authority = lines.next().and_then(crate::text).unwrap_or_default();
    addresses(authority);
    let headers = lines.next().map(crate::header_lines);
    forwarded(headers.unwrap_or_default(), authority);
}

fn addresses(authority: &str) {
    let account = AccountId::parse("210987654321").expect("an account");
    let caller = AccountId::parse("123456789012").expect("an account");
    let region = Region::parse("eu-west-1").expect("a region");
    let settings = Settings::new(
        caller.clone(),
        Region::parse("us-east-1").expect("a region"),
    );
    let arrival = Arrival {
        scheme: "http",
        authority: Some(authority.to_owned()),
        peer: IpAddr::from([127, 0, 0, 1]),
        client: IpAddr::from([127, 0, 0, 1]),
        local: "127.0.0.1:80".into(),
    };
    for account in [&account, &caller] {
        let given = address(&settings, &arrival, &caller, account, &region).authority;
        match registry_of(&given) {
            Some(named) => assert_eq!(named, (account.clone(), region.clone()), "{given}"),
            // A login says which registry is meant.
            None => assert!(registry_of(authority).is_none(), "{given}"),
        }
    }
    // None of these may fail, and none makes a name of the public registry's private.
    let _ = (
        private_authority(&settings, &arrival),
        public_address(&settings, &arrival),
        public_origin(&settings, &arrival),
        own_address(&settings, &arrival),
        container_suffix(&settings, &arrival),
        is_public_host(&settings, authority),
    );
    let upper = authority.to_ascii_uppercase();
    assert_eq!(
        endpoint_of(&settings, &upper),
        endpoint_of(&settings, authority)
    );
    assert_eq!(registry_of(&upper), registry_of(authority));
    assert_eq!(
        is_public_host(&settings, &upper),
        is_public_host(&settings, authority)
    );
}

fn forwarded(mut headers: HeaderMap, authority: &str) {
    prepare_forwarded(
        &mut headers,
        IpAddr::from([192, 0, 2, 7]),
        "https",
        authority,
    );
    for hop in [
        "connection",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "expect",
    ] {
        assert!(!headers.contains_key(hop), "{hop}");
    }
    let only = |name: &str| headers.get_all(name).iter().count();
    assert!(only("host") <= 1 && only("x-forwarded-host") <= 1 && only("cookie") <= 1);
    assert_eq!(headers["x-forwarded-proto"], "https");
    let seen = headers.get_all("x-forwarded-for").iter().next_back();
    let seen = seen
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    assert!(
        seen == "192.0.2.7" || seen.ends_with(", 192.0.2.7"),
        "{seen}"
    );
    if let Some(host) = headers.get(header::HOST) {
        assert_eq!(host.as_bytes(), authority.as_bytes());
    }
}
