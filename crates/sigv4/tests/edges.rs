//! The edges of acceptance: clocks, limits, order of checks, repeated parts, session tokens,
//! hosts behind proxies, keys kept by the caller. Fails when a bound moves by one.

mod support;

use roadstead_sigv4::{Credentials, Error, Form, Policy, limits, presign, signing_key};
use support::ecr::*;
use support::{KEY_ID, Owned, SECRET, SIGNED_AT};

#[test]
fn a_lone_date_header_is_enough() {
    // `sign_header` always writes `x-amz-date`, so this signature is made by hand.
    for date in [
        "Sun, 30 Aug 2015 12:36:00 GMT",
        "Sun, 30 Aug 2015 12:36:00 -0000",
        "20150830T123600Z",
    ] {
        let mut request = signed();
        request.set("X-Amz-Date", None).set("Date", Some(date));
        let header = request
            .header("authorization")
            .replace("x-amz-date", "date");
        // `date` sorts before `host`, but the order of the list is the signer's own affair.
        request.set("Authorization", Some(&header));
        let signature = request.with(|r| {
            let presented = roadstead_sigv4::parse(r, &policy(), SIGNED_AT).unwrap();
            assert_eq!(presented.signed_at_secs(), SIGNED_AT);
            oracle(SECRET, &presented.string_to_sign(r))
        });
        let (front, _) = header.rsplit_once('=').unwrap();
        request.set("Authorization", Some(&format!("{front}={signature}")));
        accepted_at(SIGNED_AT, &request);
        let other = if date.starts_with('S') {
            date.replace("36", "37")
        } else {
            "20150830T123601Z".into()
        };
        request.set("Date", Some(&other));
        refused(&request, INVALID, MISMATCH);
    }
}

/// HMAC written out again from RFC 2104, for the scope that `support::ecr` signs.
fn oracle(secret: &str, string_to_sign: &str) -> String {
    use sha2::{Digest, Sha256};
    let hmac = |key: &[u8], message: &[u8]| -> Vec<u8> {
        let key = if key.len() > 64 {
            Sha256::digest(key).to_vec()
        } else {
            key.to_vec()
        };
        let pad = |byte: u8| -> Vec<u8> {
            (0..64)
                .map(|at| key.get(at).copied().unwrap_or(0) ^ byte)
                .collect()
        };
        let inner = Sha256::digest([&pad(0x36), message].concat());
        Sha256::digest([pad(0x5c), inner.to_vec()].concat()).to_vec()
    };
    let mut key = format!("AWS4{secret}").into_bytes();
    for part in ["20150830", "us-east-1", "ecr", "aws4_request"] {
        key = hmac(&key, part.as_bytes());
    }
    hex::encode(hmac(&key, string_to_sign.as_bytes()))
}

#[test]
fn clock_window() {
    accepted_at(SIGNED_AT + 15 * 60, &signed());
    accepted_at(SIGNED_AT - 15 * 60, &signed());
    refused_at(
        SIGNED_AT + 15 * 60 + 1,
        &signed(),
        INVALID,
        "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z \
         (20150830T125101Z - 15 min.)",
    );
    refused_at(
        SIGNED_AT - 15 * 60 - 1,
        &signed(),
        INVALID,
        "Signature not yet current: 20150830T123600Z is still later than 20150830T123559Z \
         (20150830T122059Z + 15 min.)",
    );
    let five = Policy {
        window_minutes: 5,
        ..policy()
    };
    assert!(signed().accept(&five, SECRET, SIGNED_AT + 300).is_ok());
    let error = signed().accept(&five, SECRET, SIGNED_AT + 301).unwrap_err();
    assert!(
        error.to_string().ends_with("(20150830T124101Z - 5 min.)"),
        "{error}"
    );
    for now in [i64::MIN, i64::MAX] {
        assert!(signed().accept(&policy(), SECRET, now).is_err());
        assert!(presigned(60).accept(&policy(), SECRET, now).is_err());
    }
}

#[test]
fn presigned_window() {
    accepted_at(SIGNED_AT + 3600, &presigned(3600));
    accepted_at(SIGNED_AT - 15 * 60, &presigned(3600));
    accepted_at(SIGNED_AT + 604_800, &presigned(604_800));
    accepted_at(SIGNED_AT + 1, &presigned(1));
    let expired = ("InvalidSignatureException", 400, "RequestExpired", 400);
    refused_at(
        SIGNED_AT + 3601,
        &presigned(3600),
        expired,
        "Signature expired: 20150830T133600Z is now earlier than 20150830T133601Z \
         (20150830T133601Z - 0 min.)",
    );
    refused_at(
        SIGNED_AT - 15 * 60 - 1,
        &presigned(3600),
        INVALID,
        "Signature not yet current: 20150830T123600Z is still later than 20150830T123559Z \
         (20150830T122059Z + 15 min.)",
    );
    for bad in [
        "0",
        "604801",
        "691200",
        "-1",
        "+60",
        "1e3",
        "4294967297",
        "60s",
    ] {
        let mut request = presigned(77);
        request.query = request
            .query
            .replace("X-Amz-Expires=77", &format!("X-Amz-Expires={bad}"));
        refused(
            &request,
            INVALID,
            &format!("'X-Amz-Expires' must be a number of seconds from 1 to 604800, got '{bad}'."),
        );
    }
}

#[test]
fn limits_are_refused() {
    let header = signed().header("authorization");
    let pad = |bytes: usize| format!("{header}{}", ",".repeat(bytes - header.len()));
    accepted_at(
        SIGNED_AT,
        &with_authorization(&pad(limits::AUTHORIZATION_BYTES_MAX)),
    );
    refused(
        &with_authorization(&pad(limits::AUTHORIZATION_BYTES_MAX + 1)),
        INCOMPLETE,
        "Authorization header is longer than 8192 bytes.",
    );
    let many = |count: usize| {
        let mut request = unsigned();
        for at in 0..count - 4 {
            request.set(&format!("x-{at}"), Some("v"));
        }
        signed_with(credentials(None), request)
    };
    accepted_at(SIGNED_AT, &many(limits::SIGNED_HEADERS_MAX));
    refused(
        &many(limits::SIGNED_HEADERS_MAX + 1),
        INCOMPLETE,
        "SignedHeaders is longer than 128 names.",
    );
}

#[test]
fn order_of_checks() {
    // Each step makes the next earlier check fail too; the earlier one must speak.
    let code = |request: &Owned, now: i64| request.accept(&policy(), SECRET, now).unwrap_err();
    let late = SIGNED_AT + 901;
    let request = edited(KEY_ID, "AKIDOTHER");
    assert!(matches!(code(&request, SIGNED_AT), Error::UnknownKey));
    let change = |request: &Owned, from: &str, to: &str| {
        let header = request.header("authorization").replace(from, to);
        let mut request = request.clone();
        request.set("authorization", Some(&header));
        request
    };
    let request = change(&request, "/ecr/", "/sts/");
    assert!(matches!(code(&request, SIGNED_AT), Error::Scope(_)));
    let request = change(&request, "/aws4_request", "");
    assert!(matches!(
        code(&request, SIGNED_AT),
        Error::CredentialParts(_)
    ));
    let request = change(&request, "SHA256 ", "SHA512 ");
    assert!(matches!(code(&request, SIGNED_AT), Error::Algorithm(_)));
    let request = change(&request, "host;", "");
    assert!(matches!(code(&request, SIGNED_AT), Error::HostUnsigned));
    assert!(matches!(code(&request, late), Error::Expired { .. }));
    let mut request = request;
    request.set("x-amz-date", Some("x"));
    assert!(matches!(code(&request, late), Error::DateSyntax(_)));
    let mut request = change(&request, "Signature", "Sig");
    assert!(matches!(
        code(&request, late),
        Error::HeaderParametersMissing { .. }
    ));
    request.query = "X-Amz-Algorithm".into();
    assert!(matches!(code(&request, late), Error::BothForms));
}

#[test]
fn repetitions() {
    let good = signed().header("authorization");
    // Two headers: the first wins.
    let mut request = signed();
    request
        .headers
        .push(("Authorization".into(), b"AWS4-HMAC-SHA256 junk".to_vec()));
    accepted_at(SIGNED_AT, &request);
    request
        .headers
        .retain(|(name, _)| !name.eq_ignore_ascii_case("authorization"));
    request
        .headers
        .push(("Authorization".into(), b"Basic eA==".to_vec()));
    request
        .headers
        .push(("Authorization".into(), good.clone().into_bytes()));
    refused(&request, MISSING, "Missing Authentication Token");
    // One key twice in one header: the last wins.
    accepted_at(
        SIGNED_AT,
        &with_authorization(&good.replace(" Credential", " Signature=0,Credential")),
    );
    refused(
        &with_authorization(&format!("{good},Signature=0")),
        INVALID,
        MISMATCH,
    );
    // One query parameter twice: the first wins, and the second breaks what is signed.
    let mut request = presigned(60);
    request.query = format!("X-Amz-Expires=0&{}", request.query);
    let error = request.parse(&policy(), SIGNED_AT).unwrap_err();
    assert_eq!(error, Error::ExpiresRange("0".into()));
    let mut request = presigned(60);
    request.query.push_str("&X-Amz-Expires=0");
    assert_eq!(
        request.parse(&policy(), SIGNED_AT).unwrap().expires_secs(),
        Some(60)
    );
    refused(&request, INVALID, MISMATCH);
}

#[test]
fn session_tokens() {
    let request = signed_with(credentials(Some("to/ken==")), unsigned());
    assert!(
        request
            .header("authorization")
            .contains(";x-amz-security-token;")
    );
    let presented = request.accept(&policy(), SECRET, SIGNED_AT).unwrap();
    assert_eq!(presented.session_token(), Some("to/ken=="));
    assert!(!format!("{presented:?}").contains("to/ken"));
    let mut other = request.clone();
    other.set("X-Amz-Security-Token", Some("other"));
    refused(&other, INVALID, MISMATCH);
    // Added after signing: accepted, the token speaks for itself.
    let mut after = signed();
    after.set("X-Amz-Security-Token", Some("to/ken=="));
    let presented = after.accept(&policy(), SECRET, SIGNED_AT).unwrap();
    assert_eq!(presented.session_token(), Some("to/ken=="));
    // Presigned with a token.
    let mut request = unsigned();
    request.query = request.with(|r| presign(r, &credentials(Some("to/ken==")), &signing(), 60));
    let presented = request.accept(&policy(), SECRET, SIGNED_AT).unwrap();
    assert_eq!(presented.session_token(), Some("to/ken=="));
    assert_eq!(presented.form(), Form::Query);
    request.query = request.query.replace("to%2Fken", "to%2Fkey");
    refused(&request, INVALID, MISMATCH);
}

#[test]
fn hosts_are_tried_in_turn() {
    let mut request = signed();
    request.set("Host", Some("10.0.0.7"));
    refused(&request, INVALID, MISMATCH);
    request.hosts = vec![
        "10.0.0.7".into(),
        "registry.example".into(),
        "registry.example:8443".into(),
    ];
    accepted_at(SIGNED_AT, &request);
    request.hosts.pop();
    refused(&request, INVALID, MISMATCH);
    // HTTP/2: no Host line, the caller gives the authority.
    let mut request = signed();
    request.set("Host", None);
    request.hosts = vec!["registry.example:8443".into()];
    accepted_at(SIGNED_AT, &request);
    // Its case is signed, its blanks are not.
    request.hosts = vec![" registry.example:8443 ".into()];
    accepted_at(SIGNED_AT, &request);
    request.hosts = vec!["Registry.example:8443".into()];
    refused(&request, INVALID, MISMATCH);
}

#[test]
fn a_kept_key_serves_its_scope_only() {
    let request = signed();
    let presented = request.parse(&policy(), SIGNED_AT).unwrap();
    let key = signing_key(SECRET, presented.scope());
    assert_eq!(request.with(|r| presented.verify(r, &key.clone())), Ok(()));
    assert_eq!(format!("{key:?}"), "SigningKey(..)");
    let mut scope = presented.scope().clone();
    assert_eq!(scope.to_string(), "20150830/us-east-1/ecr/aws4_request");
    scope.service = "sts".into();
    let other = signing_key(SECRET, &scope);
    assert_eq!(
        request.with(|r| presented.verify(r, &other)),
        Err(Error::SignatureMismatch)
    );
}

#[test]
fn secrets_of_any_length() {
    for length in [0, 1, 40, 59, 60, 61, 64, 200] {
        let secret = "s".repeat(length);
        let request = unsigned();
        let credentials = Credentials {
            secret_access_key: &secret,
            ..credentials(None)
        };
        let request = signed_with(credentials, request);
        let presented = request.parse(&policy(), SIGNED_AT).unwrap();
        let string_to_sign = request.with(|r| presented.string_to_sign(r));
        let header = request.header("authorization");
        assert_eq!(
            header.rsplit_once('=').unwrap().1,
            oracle(&secret, &string_to_sign),
            "{length}"
        );
        assert!(request.accept(&policy(), &secret, SIGNED_AT).is_ok());
    }
}

#[test]
fn only_the_query_form_leaves_its_signature_parameter_out() {
    let mut request = unsigned();
    request.query = "X-Amz-Signature=a".into();
    let mut request = signed_with(credentials(None), request);
    accepted_at(SIGNED_AT, &request);
    request.query = "X-Amz-Signature=b".into();
    refused(&request, INVALID, MISMATCH);
}

#[test]
fn the_authority_may_stand_for_the_host() {
    let mut request = signed();
    request.set("Host", None);
    request.hosts = vec!["registry.example:8443".into()];
    let header = request
        .header("authorization")
        .replace("host;", ":authority;");
    request.set("authorization", Some(&header));
    let presented = request.parse(&policy(), SIGNED_AT).unwrap();
    let signature = oracle(SECRET, &request.with(|r| presented.string_to_sign(r)));
    let canonical = request.with(|r| String::from_utf8(presented.canonical_request(r)).unwrap());
    assert!(
        canonical.contains("\n:authority:registry.example:8443\n"),
        "{canonical}"
    );
    let (front, _) = header.rsplit_once('=').unwrap();
    request.set("authorization", Some(&format!("{front}={signature}")));
    accepted_at(SIGNED_AT, &request);
}
