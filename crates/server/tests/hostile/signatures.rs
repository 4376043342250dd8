//! E1: every row of the error table about signatures (auth.md section 2) over the wire, in both
//! protocols: code, status and message.
//!
//! Messages are those that clients recorded; where a row has none, only its code is asked for.

use crate::api::ask::{
    Ask, BOTH, IDENTITY, INCOMPLETE, INVALID, MISSING, Protocol, Row, UNRECOGNIZED, element,
    held_against, send, with_authorization,
};
use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use roadstead_registry::context::Clock as _;
use roadstead_testkit::World;

/// Where the clock of a test world stands, as signatures write it.
const NOW: &str = "20260102T030405Z";
const INVALID_TOKEN: &str = "The security token included in the request is invalid.";
const MISMATCH: &str = "The request signature we calculated does not match the signature you \
                        provided. Check your AWS Secret Access Key and signing method. Consult \
                        the service documentation for details.";

#[tokio::test]
async fn e1_a_right_signature_is_accepted_in_both_forms() {
    let world = World::start().await;
    for protocol in BOTH {
        let ask = Ask::of(&world, protocol);
        for request in [ask.signed(&world), ask.presigned(&world, 60)] {
            send(&world, request).await.expect(200);
        }
    }
    let identity = send(&world, Ask::of(&world, Protocol::Query).signed(&world)).await;
    let text = identity.text();
    assert_eq!(element(&text, "Arn"), "arn:aws:iam::123456789012:root");
    assert_eq!(element(&text, "UserId"), "123456789012");
    assert_eq!(element(&text, "Account"), "123456789012");
    assert_eq!(
        element(&text, "RequestId"),
        identity.header("x-amzn-requestid")
    );
    let namespace = "<GetCallerIdentityResponse \
                     xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">";
    assert!(text.starts_with(namespace), "{text}");
}

#[tokio::test]
async fn e1_no_signature_and_two_signatures() {
    let world = World::start().await;
    for protocol in BOTH {
        let ask = Ask::of(&world, protocol);
        let without = send(&world, ask.bare(&world, "/")).await;
        let message = held_against(MISSING, protocol, &without);
        assert_eq!(message, "Missing Authentication Token");
        for other in ["Basic QVdTOng=", "Bearer x", ""] {
            let (request, _) = with_authorization(&ask, &world, |_| other.into());
            let message = held_against(MISSING, protocol, &send(&world, request).await);
            assert_eq!(message, "Missing Authentication Token");
        }
        let mut both = ask.presigned(&world, 60);
        let authorization = ask.signed(&world).headers()["authorization"].clone();
        both.headers_mut().insert("authorization", authorization);
        assert_eq!(
            held_against(INVALID, protocol, &send(&world, both).await),
            "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP \
             header."
        );
    }
}

#[tokio::test]
async fn e1_parameters_that_are_missing() {
    let world = World::start().await;
    for protocol in BOTH {
        let ask = Ask::of(&world, protocol);
        let (mut request, sent) =
            with_authorization(&ask, &world, |_| "AWS4-HMAC-SHA256 Extra=1".into());
        request.headers_mut().remove("x-amz-date");
        assert_eq!(
            held_against(INCOMPLETE, protocol, &send(&world, request).await),
            format!(
                "Authorization header requires 'Credential' parameter. Authorization header \
                 requires 'Signature' parameter. Authorization header requires 'SignedHeaders' \
                 parameter. Authorization header requires existence of either a 'X-Amz-Date' or \
                 a 'Date' header. Authorization={sent}"
            )
        );
        let bare = ask.bare(&world, "/?X-Amz-Algorithm=AWS4-HMAC-SHA256");
        let message = held_against(INCOMPLETE, protocol, &send(&world, bare).await);
        assert!(message.ends_with("Re-examine the query-string parameters."));
        for name in [
            "X-Amz-Credential",
            "X-Amz-Date",
            "X-Amz-Signature",
            "X-Amz-SignedHeaders",
        ] {
            let sentence = format!("AWS query-string parameters must include '{name}'. ");
            assert!(message.contains(&sentence), "{message}");
        }
    }
}

#[tokio::test]
async fn e1_parameters_that_are_malformed() {
    let world = World::start().await;
    for protocol in BOTH {
        let ask = Ask::of(&world, protocol);
        let (request, sent) = with_authorization(&ask, &world, |right| {
            right.replace("Credential=", "Credential")
        });
        let piece = sent
            .split_once(' ')
            .and_then(|(_, rest)| rest.split_once(','))
            .map(|(piece, _)| piece)
            .expect("a first piece");
        assert_eq!(
            held_against(INCOMPLETE, protocol, &send(&world, request).await),
            format!(
                "'{piece}' not a valid key=value pair (missing equal-sign) in Authorization \
                 header: '{sent}'."
            )
        );
        let mut request = ask.signed(&world);
        let date = HeaderValue::from_static("yesterday");
        request.headers_mut().insert("x-amz-date", date);
        assert_eq!(
            held_against(INCOMPLETE, protocol, &send(&world, request).await),
            "Date must be in ISO-8601 'basic format'. Got 'yesterday'. See \
             http://en.wikipedia.org/wiki/ISO_8601"
        );
        let (request, _) =
            with_authorization(&ask, &world, |right| right.replace("-SHA256", "-SHA512"));
        assert_eq!(
            held_against(INCOMPLETE, protocol, &send(&world, request).await),
            "Unsupported AWS 'algorithm': 'AWS4-HMAC-SHA512'"
        );
        let (request, _) =
            with_authorization(&ask, &world, |right| right.replace("/us-east-1", ""));
        assert_eq!(
            held_against(INCOMPLETE, protocol, &send(&world, request).await),
            format!(
                "Credential must have exactly 5 slash-delimited elements, e.g. \
                 keyid/date/region/service/term, got '{}/20260102/{}/aws4_request'",
                ask.id, ask.service
            )
        );
        let (request, _) = with_authorization(&ask, &world, |right| {
            right.replace("host;", "").replace("host", "x")
        });
        let mut request = request;
        let value = HeaderValue::from_static("x");
        request.headers_mut().insert("x", value);
        assert_eq!(
            held_against(INVALID, protocol, &send(&world, request).await),
            "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."
        );
    }
}

#[tokio::test]
async fn e1_clocks_that_differ() {
    let world = World::start().await;
    for protocol in BOTH {
        let mut ask = Ask::of(&world, protocol);
        for skew in [-15 * 60, 15 * 60] {
            ask.skew = skew;
            send(&world, ask.signed(&world)).await.expect(200);
        }
        ask.skew = -16 * 60;
        assert_eq!(
            held_against(INVALID, protocol, &send(&world, ask.signed(&world)).await)
                .replace("&lt;", "<"),
            format!(
                "Signature expired: 20260102T024805Z is now earlier than 20260102T024905Z ({NOW} \
                 - 15 min.)"
            )
        );
        ask.skew = 16 * 60;
        assert_eq!(
            held_against(INVALID, protocol, &send(&world, ask.signed(&world)).await),
            format!(
                "Signature not yet current: 20260102T032005Z is still later than \
                 20260102T031905Z ({NOW} + 15 min.)"
            )
        );
        ask.skew = -61;
        let expired = send(&world, ask.presigned(&world, 60)).await;
        let row = Row {
            query: (400, "RequestExpired"),
            ..INVALID
        };
        let message = held_against(row, protocol, &expired);
        assert!(message.starts_with("Signature expired: "), "{message}");
        ask.skew = 0;
        for expires_secs in [0, 8 * 24 * 3600] {
            let answer = send(&world, ask.presigned(&world, expires_secs)).await;
            held_against(INVALID, protocol, &answer);
        }
    }
}

#[tokio::test]
async fn e1_a_scope_that_does_not_fit() {
    let world = World::start().await;
    for protocol in BOTH {
        let ask = Ask::of(&world, protocol);
        let right = format!("20260102/us-east-1/{}/aws4_request", ask.service);
        let (request, _) = with_authorization(&ask, &world, |authorization| {
            authorization.replace(&right, "20260101/Mars_1/s3/aws5_request")
        });
        assert_eq!(
            held_against(INVALID, protocol, &send(&world, request).await),
            format!(
                "Credential should be scoped to a valid region, not 'Mars_1'. Credential should \
                 be scoped to correct service: '{}'. Credential should be scoped with a valid \
                 terminator: 'aws4_request', not 'aws5_request'. Date in Credential scope does \
                 not match YYYYMMDD from ISO-8601 version of date from HTTP: '20260101' != \
                 '20260102', from '{NOW}'.",
                ask.service
            )
        );
        // A region of one letter is well-formed for a signature, but names none.
        let short = Ask {
            region: "x",
            ..Ask::of(&world, protocol)
        };
        assert_eq!(
            held_against(INVALID, protocol, &send(&world, short.signed(&world)).await),
            "Credential should be scoped to a valid region, not 'x'."
        );
        // Any region that is one is served.
        let other = Ask {
            region: "mars-north-1",
            ..ask
        };
        send(&world, other.signed(&world)).await.expect(200);
    }
}

#[tokio::test]
async fn e1_keys_that_do_not_work() {
    let world = World::start().await;
    let disabled = world.key_of("123456789012").await;
    let now = world.clock.now();
    let was_there = world.registry.disable_access_key(&disabled.id, now).await;
    assert!(was_there.expect("a disabled key"));
    for protocol in BOTH {
        let usual = || Ask::of(&world, protocol);
        let unknown = Ask {
            id: "AKIAAAAAAAAAAAAAAAAA".into(),
            ..usual()
        };
        let off = Ask {
            id: disabled.id.clone(),
            secret: disabled.secret.clone(),
            ..usual()
        };
        let with_token = Ask {
            token: Some("a session"),
            ..usual()
        };
        for ask in [unknown, off, with_token] {
            let answer = send(&world, ask.signed(&world)).await;
            assert_eq!(held_against(UNRECOGNIZED, protocol, &answer), INVALID_TOKEN);
        }
    }
}

#[tokio::test]
async fn e1_signatures_that_do_not_match() {
    let world = World::start().await;
    for protocol in BOTH {
        let ask = Ask::of(&world, protocol);
        // Twice, before and after the right key is remembered.
        for _ in 0..2 {
            let wrong = Ask {
                secret: "wrong".into(),
                ..Ask::of(&world, protocol)
            };
            let answer = send(&world, wrong.signed(&world)).await;
            assert_eq!(held_against(INVALID, protocol, &answer), MISMATCH);
            send(&world, ask.signed(&world)).await.expect(200);
        }
        let mut changed = ask.signed(&world);
        *changed.body_mut() = match protocol {
            Protocol::Json => Bytes::from_static(b"{ }"),
            Protocol::Query => Bytes::from(format!("{IDENTITY}&More=1")),
        };
        let answer = send(&world, changed).await;
        assert_eq!(held_against(INVALID, protocol, &answer), MISMATCH);
        let (absent, _) =
            with_authorization(&ask, &world, |right| right.replace("host", "absent;host"));
        held_against(INVALID, protocol, &send(&world, absent).await);
        let mut unsigned = ask.signed(&world);
        let value = HeaderValue::from_static("UNSIGNED-PAYLOAD");
        unsigned.headers_mut().insert("x-amz-content-sha256", value);
        held_against(INVALID, protocol, &send(&world, unsigned).await);
    }
}

#[tokio::test]
async fn e1_an_operation_that_is_not_signed_for() {
    let world = World::start().await;
    // Another operation than the signed one.
    let mut swapped = Ask::of(&world, Protocol::Json).signed(&world);
    let value = HeaderValue::from_static("AmazonEC2ContainerRegistry_V20150921.DescribeRegistry");
    swapped.headers_mut().insert("x-amz-target", value);
    let answer = send(&world, swapped).await;
    assert_eq!(held_against(INVALID, Protocol::Json, &answer), MISMATCH);
    // The target is there but nobody signed it.
    let ask = Ask::of(&world, Protocol::Json);
    let (request, _) = with_authorization(&ask, &world, |right| right.replace(";x-amz-target", ""));
    held_against(INVALID, Protocol::Json, &send(&world, request).await);
}

/// The first one counts (auth.md 1.1).
#[tokio::test]
async fn e1_two_authorization_headers() {
    let world = World::start().await;
    for protocol in BOTH {
        let ask = Ask::of(&world, protocol);
        let name = HeaderName::from_static("authorization");
        let mut right_first = ask.signed(&world);
        let nonsense = HeaderValue::from_static("nonsense");
        right_first.headers_mut().append(&name, nonsense.clone());
        send(&world, right_first).await.expect(200);
        let mut wrong_first = ask.signed(&world);
        let right = wrong_first.headers_mut().insert(&name, nonsense);
        let right = right.expect("the right one");
        wrong_first.headers_mut().append(&name, right);
        held_against(MISSING, protocol, &send(&world, wrong_first).await);
    }
}
