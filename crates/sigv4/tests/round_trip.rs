//! Properties over random requests: what we sign we accept, what is changed we refuse, and no
//! input whatever makes parsing or verification panic.

mod support;

use proptest::collection::vec;
use proptest::prelude::*;
use roadstead_sigv4::{
    Credentials, PathStyle, Policy, Signing, parse, presign, sign_header, signing_key,
};
use support::{KEY_ID, Owned, SECRET, SIGNED_AT};

fn requests() -> impl Strategy<Value = Owned> {
    let header = ("[A-Za-z][A-Za-z0-9-]{0,12}", vec(any::<u8>(), 0..24));
    let method = prop_oneof![Just("GET"), Just("POST"), Just("PUT"), Just("DELETE")];
    let query = prop_oneof![
        "([a-z%+ ]{1,4}(=[A-Za-z0-9%+/=~é]{0,6})?(&){1,2}){0,5}",
        "[a-zA-Z0-9&=%+]{0,20}",
    ];
    let path = "/[a-zA-Z0-9./%@ :é+~-]{0,24}";
    (
        method,
        path,
        query,
        vec(header, 0..8),
        vec(any::<u8>(), 0..40),
    )
        .prop_map(|(method, path, query, headers, body)| {
            let mut request = Owned {
                method: method.into(),
                path,
                query,
                headers,
                body,
                ..Owned::default()
            };
            request
                .headers
                .retain(|(name, _)| !name.eq_ignore_ascii_case("authorization"));
            request.set("Host", Some("registry.example:5000"));
            request
        })
}

fn signing(path_style: PathStyle) -> Signing<'static> {
    Signing {
        region: "eu-north-1",
        service: "ecr",
        signed_at_secs: SIGNED_AT,
        path_style,
    }
}

fn policy(path_style: PathStyle) -> Policy<'static> {
    Policy {
        path_style,
        ..Policy::new("ecr")
    }
}

fn styles() -> impl Strategy<Value = PathStyle> {
    prop_oneof![Just(PathStyle::Normalized), Just(PathStyle::AsIs)]
}

fn sign(mut request: Owned, token: Option<&str>, style: PathStyle, in_query: bool) -> Owned {
    let credentials = Credentials {
        access_key_id: KEY_ID,
        secret_access_key: SECRET,
        session_token: token,
    };
    if in_query {
        request.query = request.with(|r| presign(r, &credentials, &signing(style), 60));
    } else {
        for (name, value) in request.with(|r| sign_header(r, &credentials, &signing(style))) {
            request.set(name, Some(&value));
        }
    }
    request
}

proptest! {
    #[test]
    fn what_we_sign_we_accept(
        request in requests(),
        token in proptest::option::of("[A-Za-z0-9/+=]{1,40}"),
        style in styles(),
        in_query: bool,
    ) {
        let request = sign(request, token.as_deref(), style, in_query);
        let accepted = request.accept(&policy(style), SECRET, SIGNED_AT);
        let accepted = accepted.map_err(|e| TestCaseError::fail(format!("{e}: {request:?}")))?;
        prop_assert_eq!(accepted.session_token(), token.as_deref());
        prop_assert!(request.accept(&policy(style), "other", SIGNED_AT).is_err());
    }

    /// A proxy may reorder different names and change their case, but nothing else.
    #[test]
    fn header_order_and_case_do_not_matter(request in requests(), in_query: bool) {
        let mut request = sign(request, None, PathStyle::Normalized, in_query);
        request.headers.sort_by_key(|(name, _)| std::cmp::Reverse(name.to_lowercase()));
        for (name, _) in &mut request.headers {
            *name = name.to_uppercase();
        }
        let accepted = request.accept(&policy(PathStyle::Normalized), SECRET, SIGNED_AT);
        prop_assert!(accepted.is_ok(), "{:?}", accepted);
    }

    #[test]
    fn an_added_parameter_or_body_byte_is_refused(request in requests(), in_query: bool) {
        let good = sign(request, None, PathStyle::AsIs, in_query);
        let policy = policy(PathStyle::AsIs);
        let mut bad = good.clone();
        bad.query.push_str("&added");
        prop_assert!(bad.accept(&policy, SECRET, SIGNED_AT).is_err());
        let mut bad = good.clone();
        bad.path.push('q');
        prop_assert!(bad.accept(&policy, SECRET, SIGNED_AT).is_err());
        let mut bad = good;
        bad.body.push(0);
        prop_assert!(bad.accept(&policy, SECRET, SIGNED_AT).is_err());
    }

    #[test]
    fn nothing_panics(
        method in ".{0,8}",
        path in ".{0,40}",
        query in prop_oneof![
            ".{0,60}",
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=(a/){0,4}.{0,9}&X-Amz-Date=.{0,16}\
             &X-Amz-Expires=.{0,8}&X-Amz-SignedHeaders=.{0,20}&X-Amz-Signature=.{0,64}",
        ],
        headers in vec((".{0,12}", vec(any::<u8>(), 0..60)), 0..6),
        authorization in proptest::option::of(prop_oneof![
            vec(any::<u8>(), 0..120),
            "AWS4-HMAC-SHA256 Credential=(a/){0,4}.{0,9}, ?SignedHeaders=host(;.{0,5}){0,3}, ?Signature=.{0,64}"
                .prop_map(String::into_bytes),
        ]),
        date in prop_oneof![".{0,30}", "[0-9]{8}T[0-9]{6}Z", Just("20150830T123600Z".to_owned())],
        now: i64,
        window_minutes: u32,
    ) {
        let mut request = Owned { method, path, query, headers, ..Owned::default() };
        request.headers.push(("x-amz-date".into(), date.into_bytes()));
        if let Some(authorization) = authorization {
            request.headers.push(("authorization".into(), authorization));
        }
        for now in [now, SIGNED_AT] {
            request.with(|r| {
                let policy = Policy { window_minutes, ..Policy::new("ecr") };
                match parse(r, &policy, now) {
                    Ok(presented) => {
                        let key = signing_key(SECRET, presented.scope());
                        assert!(presented.verify(r, &key).is_err());
                    }
                    Err(error) => assert!(!error.to_string().is_empty()),
                }
            });
        }
    }

    /// Parts that pass every check before the key, so that verification itself sees odd bytes.
    #[test]
    fn odd_bytes_reach_verification(
        path in ".{0,40}",
        query in "[^&]{0,30}",
        value in vec(any::<u8>(), 0..60),
        signature in "[0-9a-f]{64}|.{1,20}",
    ) {
        let mut request = Owned { method: "GET".into(), path, query, ..Owned::default() };
        let signature: String =
            signature.chars().filter(|c| !c.is_whitespace() && *c != ',').collect();
        request.headers.push(("h".into(), value));
        request.set("host", Some("x")).set("x-amz-date", Some("20150830T123600Z")).set(
            "authorization",
            Some(&format!(
                "AWS4-HMAC-SHA256 Credential=k/20150830/r/ecr/aws4_request,SignedHeaders=h;host,\
                 Signature=0{signature}"
            )),
        );
        request.with(|r| {
            let presented = parse(r, &Policy::new("ecr"), SIGNED_AT).unwrap();
            assert!(presented.verify(r, &signing_key("", presented.scope())).is_err());
        });
    }
}
