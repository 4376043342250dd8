//! Sealed texts (tokens, cursors, links) and the logins that carry them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue, header};
use roadstead_http::oci::authenticate::shown_token;
use roadstead_registry::keyring::{KEY_BYTES, KeyRing, Purpose, RingKey};
use zeroize::Zeroizing;

const PURPOSES: [Purpose; 4] = [
    Purpose::Secret,
    Purpose::Token,
    Purpose::Page,
    Purpose::Download,
];

/// Only what was sealed here opens, for what it was sealed for, unchanged; and a login is read
/// the same however often it is written.
pub fn check(data: &[u8]) {
    let (choice, data) = crate::choice(data);
    let keys = [1, 2].map(|id: u8| RingKey {
        id: id.into(),
        key: Zeroizing::new([id; KEY_BYTES]),
    });
    let ring = KeyRing::new(&keys).expect("a ring");
    for purpose in PURPOSES {
        assert!(
            ring.open(purpose, data).is_err(),
            "opened what was never sealed"
        );
    }
    let purpose = PURPOSES[choice % 4];
    let mut sealed = ring.seal(purpose, [7; 12], data);
    for other in PURPOSES {
        let opened = ring.open(other, &sealed);
        assert_eq!(
            opened.as_ref().ok().map(|plain| &plain[..]),
            (other == purpose).then_some(data)
        );
    }
    let at = choice % sealed.len();
    sealed[at] ^= 1 << (choice % 8);
    assert!(
        ring.open(purpose, &sealed).is_err(),
        "opened what was changed"
    );

    logins(data);
}

fn logins(data: &[u8]) {
    let mut headers = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n') {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append(header::AUTHORIZATION, value);
        }
    }
    let token = shown_token(&headers);
    let count = headers.get_all(header::AUTHORIZATION).iter().count();
    assert!(
        count == 1 || token.is_none(),
        "a token out of {count} headers"
    );
    // Written as a login it is found again, whatever it holds.
    let Some(password) = crate::text(data).filter(|text| !text.is_empty()) else {
        return;
    };
    let login = format!("Basic {}", STANDARD.encode(format!("AWS:{password}")));
    let login = HeaderValue::try_from(login).expect("base64 is plain");
    let mut headers = HeaderMap::new();
    headers.insert(header::AUTHORIZATION, login);
    assert_eq!(shown_token(&headers).as_deref(), Some(password));
}
