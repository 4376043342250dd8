//! Every row of the error table: what provokes it, its code and status in both protocols, and
//! its exact message. Expected texts are those of the authentication reference; the ones marked
//! ours there are this crate's promise to its callers.

mod support;

use roadstead_sigv4::{Error, Policy, Regions, limits};
use support::ecr::*;
use support::{KEY_ID, SECRET, SIGNED_AT};

#[test]
fn the_untouched_requests_are_accepted() {
    accepted_at(SIGNED_AT, &signed());
    accepted_at(SIGNED_AT, &presigned(60));
}

#[test]
fn no_authentication_or_another_scheme() {
    refused(&unsigned(), MISSING, "Missing Authentication Token");
    for scheme in ["Basic QVdTOnRva2Vu", "Bearer AWS4-HMAC-SHA256", "", "X"] {
        refused(
            &with_authorization(scheme),
            MISSING,
            "Missing Authentication Token",
        );
    }
    let mut request = unsigned();
    request.query =
        "X-Amz-Credential=a&X-Amz-Signature=b&X-Amz-SignedHeaders=c&X-Amz-Date=d".into();
    refused(&request, MISSING, "Missing Authentication Token");
}

#[test]
fn both_forms() {
    let text = "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP \
                header.";
    let mut request = presigned(60);
    request.set("Authorization", Some(&signed().header("authorization")));
    refused(&request, INVALID, text);
    let mut request = signed();
    request.query = "X-Amz-Algorithm".into();
    refused(&request, INVALID, text);
}

#[test]
fn header_parameters_missing() {
    let credential = "Authorization header requires 'Credential' parameter. ";
    let signature = "Authorization header requires 'Signature' parameter. ";
    let headers = "Authorization header requires 'SignedHeaders' parameter. ";
    let date = "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' \
                header. ";
    let mut request = with_authorization("AWS4-HMAC-SHA256");
    refused(
        &request,
        INCOMPLETE,
        &format!("{credential}{signature}{headers}Authorization=AWS4-HMAC-SHA256"),
    );
    request.set("X-Amz-Date", None);
    refused(
        &request,
        INCOMPLETE,
        &format!("{credential}{signature}{headers}{date}Authorization=AWS4-HMAC-SHA256"),
    );
    // Pieces may be parted by blanks alone, as recorded from Kinesis.
    for header in [
        "AWS4- Signature=b Credential=a",
        "AWS4- Signature=b,Credential=a",
        "AWS4- Signature=b, Credential=a",
    ] {
        refused(
            &with_authorization(header),
            INCOMPLETE,
            &format!("{headers}Authorization={header}"),
        );
    }
    let header = "AWS4-HMAC-SHA256 Credential=,Signature=b,SignedHeaders=c";
    refused(
        &with_authorization(header),
        INCOMPLETE,
        &format!("{credential}Authorization={header}"),
    );
}

#[test]
fn query_parameters_missing() {
    let sentence = |name: &str| format!("AWS query-string parameters must include '{name}'. ");
    let end = "Re-examine the query-string parameters.";
    let mut request = unsigned();
    request.query = "X-Amz-Algorithm".into();
    let all = [
        "X-Amz-Algorithm",
        "X-Amz-Credential",
        "X-Amz-Signature",
        "X-Amz-SignedHeaders",
        "X-Amz-Date",
        "X-Amz-Expires",
    ];
    refused(&request, INCOMPLETE, &(all.map(sentence).concat() + end));
    for name in &all[1..] {
        let mut request = presigned(60);
        request.query = request.query.replace(&format!("{name}="), "x=");
        refused(&request, INCOMPLETE, &(sentence(name) + end));
    }
}

#[test]
fn not_key_value() {
    let header = "AWS4-HMAC-SHA256 Signature=b,    Credential,    SignedHeaders";
    refused(
        &with_authorization(header),
        INCOMPLETE,
        &format!(
            "'Credential' not a valid key=value pair (missing equal-sign) in Authorization \
             header: '{header}'."
        ),
    );
}

#[test]
fn date_syntax() {
    for date in [
        "201",
        "2015-08-30T12:36:00Z",
        "Sun, 30 Aug 2015 12:36:00 GMT",
    ] {
        let mut request = signed();
        request.set("X-Amz-Date", Some(date));
        refused(
            &request,
            INCOMPLETE,
            &format!(
                "Date must be in ISO-8601 'basic format'. Got '{date}'. \
                 See http://en.wikipedia.org/wiki/ISO_8601"
            ),
        );
    }
}

#[test]
fn host_unsigned() {
    refused(
        &edited("host;", ""),
        INVALID,
        "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
    );
}

#[test]
fn target_unsigned() {
    let text = "'X-Amz-Target' must be a 'SignedHeader' in the AWS Authorization.";
    refused(&edited(";x-amz-target", ""), INVALID, text);
    // Signed without a target, which is then added.
    let mut request = unsigned();
    let target = request.header("x-amz-target");
    request.set("x-amz-target", None);
    let mut request = signed_with(credentials(None), request);
    accepted_at(SIGNED_AT, &request);
    request.set("x-amz-target", Some(&target));
    refused(&request, INVALID, text);
    let mut request = presigned(60);
    request.query = request.query.replace("%3Bx-amz-target", "");
    refused(&request, INVALID, text);
}

#[test]
fn signed_header_absent_or_repeated() {
    refused(
        &edited("host;", "host;range;"),
        INVALID,
        "'range' is a 'SignedHeader' but is not in the request.",
    );
    refused(
        &edited("host;", "host;Host;"),
        INVALID,
        "'host' is named twice in 'SignedHeaders'.",
    );
    let mut request = signed();
    request.set("Host", None);
    refused(
        &request,
        INVALID,
        "'host' is a 'SignedHeader' but is not in the request.",
    );
}

#[test]
fn algorithm() {
    refused(
        &edited("AWS4-HMAC-SHA256 ", "AWS4-HMAC-SHA25 "),
        INCOMPLETE,
        "Unsupported AWS 'algorithm': 'AWS4-HMAC-SHA25'",
    );
    let mut request = presigned(60);
    request.query = request
        .query
        .replace("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256");
    refused(
        &request,
        INCOMPLETE,
        "Unsupported AWS 'algorithm': 'AWS4-ECDSA-P256-SHA256'",
    );
}

#[test]
fn credential_parts() {
    for bad in ["a/b/c/d", "a/b/c/d/e/f", "a"] {
        let good = "AKIDEXAMPLE/20150830/us-east-1/ecr/aws4_request";
        refused(
            &edited(good, bad),
            INCOMPLETE,
            &format!(
                "Credential must have exactly 5 slash-delimited elements, \
                 e.g. keyid/date/region/service/term, got '{bad}'"
            ),
        );
    }
}

#[test]
fn scope() {
    let region = "Credential should be scoped to a valid region, not 'c'.";
    let service = "Credential should be scoped to correct service: 'ecr'.";
    let terminator =
        "Credential should be scoped with a valid terminator: 'aws4_request', not 'e'.";
    let date = "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date \
                from HTTP: 'b' != '20150830', from '20150830T123600Z'.";
    refused(&edited("/us-east-1/", "/c/"), INVALID, region);
    refused(&edited("/ecr/", "/ecr-public/"), INVALID, service);
    refused(&edited("aws4_request", "e"), INVALID, terminator);
    refused(&edited("/20150830/", "/b/"), INVALID, date);
    refused(
        &edited("20150830/us-east-1/ecr/aws4_request", "b/c/d/e"),
        INVALID,
        &[region, service, terminator, date].join(" "),
    );
    accepted_at(SIGNED_AT, &signed());
    let any = Policy {
        regions: Regions::Any,
        ..policy()
    };
    assert_eq!(signed().accept(&any, SECRET, SIGNED_AT).map(drop), Ok(()));
    let long = "a".repeat(limits::REGION_BYTES_MAX + 1);
    for bad in ["", "US-EAST-1", "us_east", "eu\u{e9}", &long] {
        let error = edited("/us-east-1/", &format!("/{bad}/"))
            .parse(&any, SIGNED_AT)
            .unwrap_err();
        assert!(matches!(error, Error::Scope(_)), "{bad}: {error}");
    }
}

#[test]
fn payload_kinds() {
    let mut request = unsigned();
    request.set("x-amz-content-sha256", Some("UNSIGNED-PAYLOAD"));
    let request = signed_with(credentials(None), request);
    refused(
        &request,
        INVALID,
        "'UNSIGNED-PAYLOAD' is not accepted: the payload must be signed.",
    );
    let lax = Policy {
        allow_unsigned_payload: true,
        ..policy()
    };
    let mut other_body = request.clone();
    other_body.body = b"{\"maxResults\":1}".to_vec();
    assert_eq!(other_body.accept(&lax, SECRET, SIGNED_AT).map(drop), Ok(()));

    let streaming = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
    let mut request = unsigned();
    request.set("x-amz-content-sha256", Some(streaming));
    refused(
        &signed_with(credentials(None), request),
        INVALID,
        &format!("'{streaming}' is not accepted: the payload must be signed as a whole."),
    );
}

#[test]
fn payload_hash_mismatch() {
    let text = "The provided 'x-amz-content-sha256' header does not match what was computed.";
    // printf '{}' | sha256sum
    let hash = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
    let mut request = unsigned();
    request.set("x-amz-content-sha256", Some(hash));
    let mut request = signed_with(credentials(None), request);
    accepted_at(SIGNED_AT, &request);
    request.body = b"{ }".to_vec();
    refused(&request, INVALID, text);
    for bad in ["", "garbage", &hash[1..]] {
        let mut request = unsigned();
        request.set("x-amz-content-sha256", Some(bad));
        refused(&signed_with(credentials(None), request), INVALID, text);
    }
    // Without the header the body is still covered.
    let mut request = signed();
    request.body = b"{ }".to_vec();
    refused(&request, INVALID, MISMATCH);
}

#[test]
fn signature_mismatch() {
    let header = signed().header("authorization");
    let (front, signature) = header.rsplit_once('=').unwrap();
    for bad in [
        signature.to_uppercase(),
        signature[1..].to_owned(),
        format!("{signature}0"),
        format!("{signature}00"),
        "0".repeat(64),
        "zz".to_owned(),
    ] {
        refused(
            &with_authorization(&format!("{front}={bad}")),
            INVALID,
            MISMATCH,
        );
    }
    let error = signed()
        .accept(&policy(), "another secret", SIGNED_AT)
        .unwrap_err();
    assert_eq!(error, Error::SignatureMismatch);
}

#[test]
fn raised_by_the_caller() {
    let invalid = "The security token included in the request is invalid.";
    for error in [Error::UnknownKey, Error::BadSessionToken] {
        assert_eq!(error.to_string(), invalid);
        assert_wire(&error, UNRECOGNIZED);
    }
    let expired = "The security token included in the request is expired";
    assert_eq!(Error::ExpiredToken.to_string(), expired);
    assert_wire(&Error::ExpiredToken, EXPIRED_TOKEN);
    refused(&edited(KEY_ID, "AKIDOTHER"), UNRECOGNIZED, invalid);
}
