//! The AWS SDK's own signer signs random requests and our verifier takes them, in both forms.
//! Left out, because clients differ among themselves there: a raw `+` or bytes that are no UTF-8
//! in a query, tabs inside a header value, and a path that ends in a dot segment.

mod support;

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation, SigningParams,
    SigningSettings, UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use proptest::collection::vec;
use proptest::prelude::*;
use roadstead_sigv4::{PathStyle, Policy};
use support::{KEY_ID, Owned, SECRET, SIGNED_AT};

const HOST: &str = "registry.example:5000";

fn requests() -> impl Strategy<Value = Owned> {
    let segment = prop_oneof![
        "[a-zA-Z0-9:@~_-]{1,6}",
        "(%[0-9A-F]{2}){1,3}",
        prop_oneof![Just("."), Just(".."), Just("")].prop_map(str::to_owned),
    ];
    let path = (vec(segment, 0..5), "[a-z]{1,5}/?");
    let parameter = "[a-zA-Z0-9.~_-]{1,4}(=([a-zA-Z0-9.~_/:*-]|%[2-7][0-9A-E]|%E1%88%B4){0,6})?";
    let header = ("x-[b-z0-9-]{0,9}", "[ -~]{0,24}");
    (
        path,
        vec(parameter, 0..5),
        vec(header, 0..6),
        vec(any::<u8>(), 0..40),
    )
        .prop_map(|((segments, end), parameters, headers, body)| {
            let mut request = Owned {
                method: "POST".into(),
                body,
                ..Owned::default()
            };
            request.path = segments.iter().map(|s| format!("/{s}")).collect();
            request.path.push_str(&format!("/{end}"));
            request.query = parameters.join("&");
            request.headers = headers
                .into_iter()
                .map(|(n, v)| (n, v.into_bytes()))
                .collect();
            request.set("host", Some(HOST));
            request
        })
}

fn settings(style: PathStyle, in_query: bool) -> SigningSettings {
    let mut settings = SigningSettings::default();
    settings.percent_encoding_mode = PercentEncodingMode::Double;
    settings.uri_path_normalization_mode =
        UriPathNormalizationMode::from(style == PathStyle::Normalized);
    if in_query {
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(Duration::from_secs(60));
    }
    settings
}

/// Signs with the SDK and puts what it says where it says.
fn signed_by_sdk(mut request: Owned, token: Option<String>, settings: SigningSettings) -> Owned {
    let identity = Credentials::new(KEY_ID, SECRET, token, None, "test").into();
    let signed_at = SystemTime::UNIX_EPOCH + Duration::from_secs(SIGNED_AT.unsigned_abs());
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region("eu-north-1")
        .name("ecr")
        .time(signed_at)
        .settings(settings);
    let parameters: SigningParams<'_> = parameters.build().unwrap().into();
    let target = format!("http://{HOST}{}?{}", request.path, request.query);
    let target = target.trim_end_matches('?');
    let sent = request.clone();
    let headers = sent
        .headers
        .iter()
        .map(|(n, v)| (n.as_str(), std::str::from_utf8(v).unwrap()));
    let body = SignableBody::Bytes(&sent.body);
    let signable = SignableRequest::new("POST", target, headers, body).unwrap();
    let (headers, parameters) = sign(signable, &parameters)
        .unwrap()
        .into_parts()
        .0
        .into_parts();
    for header in headers {
        request.set(header.name(), Some(header.value()));
    }
    for (name, value) in parameters {
        let escaped: String = value.bytes().map(|b| format!("%{b:02X}")).collect();
        let separator = if request.query.is_empty() { "" } else { "&" };
        request
            .query
            .push_str(&format!("{separator}{name}={escaped}"));
    }
    request
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn what_the_sdk_signs_we_accept(
        request in requests(),
        token in proptest::option::of("[A-Za-z0-9/+=]{1,40}"),
        normalized: bool,
        in_query: bool,
    ) {
        let style = if normalized { PathStyle::Normalized } else { PathStyle::AsIs };
        let request = signed_by_sdk(request, token.clone(), settings(style, in_query));
        let policy = Policy { path_style: style, ..Policy::new("ecr") };
        let accepted = request.accept(&policy, SECRET, SIGNED_AT);
        let accepted = accepted.map_err(|e| TestCaseError::fail(format!("{e}: {request:?}")))?;
        prop_assert_eq!(accepted.session_token(), token.as_deref());
        prop_assert_eq!(accepted.expires_secs(), in_query.then_some(60));
    }
}
