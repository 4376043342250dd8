//! SigV4, in the header and presigned. The input is a request as text: the request line, then
//! header lines, an empty line and the body.

use roadstead_sigv4::{
    Credentials, PathStyle, Policy, Request, Signing, parse, presign, sign_header, signing_key,
};
use sha2::{Digest as _, Sha256};

const NOW: i64 = 1_767_323_045;
const SECRET: &str = "a secret of forty characters, or so it is";

/// Nothing that was not signed verifies; what is signed does, by the header and presigned, and
/// not once anything is changed.
pub fn check(data: &[u8]) {
    let Some(text) = crate::text(data) else {
        return;
    };
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let mut lines = head.lines();
    let mut line = lines.next().unwrap_or_default().splitn(2, ' ');
    let method = line.next().unwrap_or_default();
    let target = line.next().unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers: Vec<(&str, &[u8])> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim(), value.trim().as_bytes()))
        .filter(|(name, _)| is_token(name))
        .collect();
    let request = Request {
        method,
        path,
        query,
        headers: &headers,
        hosts: &[],
        body_sha256: Sha256::digest(body).into(),
    };
    if let Ok(presented) = parse(&request, &Policy::new("ecr"), NOW) {
        let key = signing_key("not the secret", presented.scope());
        assert!(
            presented.verify(&request, &key).is_err(),
            "a signature of nobody"
        );
    }
    is_own_signature_taken(&request);
}

fn is_own_signature_taken(request: &Request<'_>) {
    let credentials = Credentials {
        access_key_id: "AKIAIOSFODNN7EXAMPLE",
        secret_access_key: SECRET,
        session_token: None,
    };
    let signing = Signing {
        region: "us-east-1",
        service: "ecr",
        signed_at_secs: NOW,
        path_style: PathStyle::Normalized,
    };
    let mut headers = vec![("host", &b"registry.example"[..])];
    let others = request.headers.iter();
    headers.extend(others.filter(|(name, _)| !name.eq_ignore_ascii_case("host")));
    let bare = Request {
        headers: &headers,
        ..*request
    };
    let added = sign_header(&bare, &credentials, &signing);
    let is_old = |name: &str| added.iter().any(|(new, _)| name.eq_ignore_ascii_case(new));
    let mut signed: Vec<(&str, &[u8])> = headers.clone();
    signed.retain(|(name, _)| !is_old(name));
    signed.extend(added.iter().map(|(name, value)| (*name, value.as_bytes())));
    verifies(&Request {
        headers: &signed,
        ..bare
    });
    if has_signing_parameter(request.query) {
        return;
    }
    let query = presign(&bare, &credentials, &signing, 60);
    verifies(&Request {
        query: &query,
        ..bare
    });
}

/// Where the form is accepted the signature is right, and of a changed request it is wrong.
fn verifies(request: &Request<'_>) {
    // Some requests cannot be signed: too many headers, two forms at once, a payload of a kind.
    let Ok(presented) = parse(request, &Policy::new("ecr"), NOW) else {
        return;
    };
    let key = signing_key(SECRET, presented.scope());
    let declares = |name: &str| name.eq_ignore_ascii_case("x-amz-content-sha256");
    if !request.headers.iter().any(|(name, _)| declares(name)) {
        let verified = presented.verify(request, &key);
        assert!(verified.is_ok(), "{verified:?}");
        let mut changed = *request;
        changed.body_sha256[0] ^= 1;
        assert!(presented.verify(&changed, &key).is_err(), "another body");
        let method = format!("{}X", request.method);
        let changed = Request {
            method: &method,
            ..*request
        };
        assert!(presented.verify(&changed, &key).is_err(), "another method");
    }
}

/// Whether a query holds a signing parameter, however it is written.
fn has_signing_parameter(query: &str) -> bool {
    let names = query.split('&').map(|pair| pair.split('=').next());
    names.flatten().any(|name| {
        let name = leniently_decoded(name.as_bytes());
        name.to_ascii_lowercase().starts_with(b"x-amz-")
    })
}

fn leniently_decoded(text: &[u8]) -> Vec<u8> {
    let digit = |at: usize| char::from(*text.get(at)?).to_digit(16);
    let (mut decoded, mut at) = (Vec::new(), 0);
    while let Some(byte) = text.get(at) {
        match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push((high << 4 | low) as u8);
                at += 3;
            }
            _ => {
                decoded.push(*byte);
                at += 1;
            }
        }
    }
    decoded
}

fn is_token(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}
