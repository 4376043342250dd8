//! An ECR call, signed in both forms, and assertions on how a changed one is answered.
//! The wire tuples are the error table's: JSON code and status, Query code and status.
#![allow(dead_code, reason = "each test binary uses its own part")]

use roadstead_sigv4::{
    Credentials, Error, PathStyle, Policy, Regions, Signing, presign, sign_header,
};

use super::{KEY_ID, Owned, SECRET, SIGNED_AT};

pub const MISSING: Wire = (
    "MissingAuthenticationTokenException",
    400,
    "MissingAuthenticationToken",
    403,
);
pub const INCOMPLETE: Wire = (
    "IncompleteSignatureException",
    400,
    "IncompleteSignature",
    400,
);
pub const INVALID: Wire = (
    "InvalidSignatureException",
    400,
    "SignatureDoesNotMatch",
    403,
);
pub const UNRECOGNIZED: Wire = (
    "UnrecognizedClientException",
    400,
    "InvalidClientTokenId",
    403,
);
pub const EXPIRED_TOKEN: Wire = ("ExpiredTokenException", 400, "ExpiredToken", 403);
pub const MISMATCH: &str = "The request signature we calculated does not match the signature you \
     provided. Check your AWS Secret Access Key and signing method. Consult the service \
     documentation for details.";

pub type Wire = (&'static str, u16, &'static str, u16);

pub fn policy() -> Policy<'static> {
    Policy {
        regions: Regions::OneOf(&["eu-north-1", "us-east-1"]),
        ..Policy::new("ecr")
    }
}

pub fn credentials(session_token: Option<&str>) -> Credentials<'_> {
    Credentials {
        access_key_id: KEY_ID,
        secret_access_key: SECRET,
        session_token,
    }
}

pub fn signing() -> Signing<'static> {
    Signing {
        region: "us-east-1",
        service: "ecr",
        signed_at_secs: SIGNED_AT,
        path_style: PathStyle::Normalized,
    }
}

pub fn unsigned() -> Owned {
    let mut request = Owned {
        method: "POST".into(),
        path: "/".into(),
        ..Owned::default()
    };
    request.body = b"{}".to_vec();
    request
        .set("Host", Some("registry.example:8443"))
        .set("Content-Type", Some("application/x-amz-json-1.1"))
        .set(
            "X-Amz-Target",
            Some("AmazonEC2ContainerRegistry_V20150921.DescribeRepositories"),
        );
    request
}

pub fn signed_with(credentials: Credentials<'_>, mut request: Owned) -> Owned {
    let added = request.with(|r| sign_header(r, &credentials, &signing()));
    for (name, value) in added {
        request.set(name, Some(&value));
    }
    request
}

pub fn signed() -> Owned {
    signed_with(credentials(None), unsigned())
}

pub fn presigned(expires_secs: u32) -> Owned {
    let mut request = unsigned();
    request.query = request.with(|r| presign(r, &credentials(None), &signing(), expires_secs));
    request
}

/// The header form with another `Authorization`.
pub fn with_authorization(value: &str) -> Owned {
    let mut request = signed();
    request.set("Authorization", Some(value));
    request
}

/// The signed request with one text in its `Authorization` header replaced.
pub fn edited(from: &str, to: &str) -> Owned {
    let header = signed().header("Authorization");
    assert!(header.contains(from), "{header} lacks {from}");
    with_authorization(&header.replace(from, to))
}

#[track_caller]
pub fn refused_at(now: i64, request: &Owned, wire: Wire, message: &str) {
    let error = request
        .accept(&policy(), SECRET, now)
        .expect_err("accepted");
    assert_eq!(error.to_string(), message);
    assert_wire(&error, wire);
}

#[track_caller]
pub fn refused(request: &Owned, wire: Wire, message: &str) {
    refused_at(SIGNED_AT, request, wire, message);
}

#[track_caller]
pub fn assert_wire(error: &Error, wire: Wire) {
    let got = (
        error.code_json(),
        error.status_json(),
        error.code_query(),
        error.status_query(),
    );
    assert_eq!(got, wire);
}

#[track_caller]
pub fn accepted_at(now: i64, request: &Owned) {
    assert_eq!(request.accept(&policy(), SECRET, now).map(drop), Ok(()));
}
