//! The signing side: for tests, for the demo and for links this server hands out.
//! Uses the canonical form of the verifying side, whose vectors bind both.
//! It must never sign what the verifier would refuse for its shape.

use crate::canonical::{SIGNATURE_PARAMETER, Signed, canonical_request, encoded, string_to_sign};
use crate::request::is_host;
use crate::{ALGORITHM, PathStyle, Request, Scope, instant, signing_key};

/// Headers that hops may change; botocore's own list, plus the one that carries the result.
const UNSIGNED_HEADERS: [&str; 12] = [
    "authorization",
    "connection",
    "expect",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "x-amzn-trace-id",
];

/// Who signs.
#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    /// Access key id.
    pub access_key_id: &'a str,
    /// Secret of that key.
    pub secret_access_key: &'a str,
    /// Token of a temporary key.
    pub session_token: Option<&'a str>,
}

/// For whom and when.
#[derive(Clone, Copy, Debug)]
pub struct Signing<'a> {
    /// Region of the scope.
    pub region: &'a str,
    /// Signing name of the service.
    pub service: &'a str,
    /// Time of signing, seconds since the epoch.
    pub signed_at_secs: i64,
    /// How the path is made canonical.
    pub path_style: PathStyle,
}

impl Signing<'_> {
    fn timestamp_and_scope(&self) -> (String, Scope) {
        let timestamp = instant::format(self.signed_at_secs);
        let date = timestamp.get(..8).unwrap_or_default().to_owned();
        let (region, service) = (self.region.to_owned(), self.service.to_owned());
        (
            timestamp,
            Scope {
                date,
                region,
                service,
            },
        )
    }

    /// Hex signature of a request whose signing headers or parameters are already in place.
    fn sign(&self, request: &Request<'_>, headers: &str, credentials: &Credentials<'_>) -> String {
        let (timestamp, scope) = self.timestamp_and_scope();
        let named = request.headers.iter().find(|(name, _)| is_host(name));
        let host = match request.hosts.first() {
            Some(host) => host.as_bytes(),
            None => named.map(|(_, value)| *value).unwrap_or_default(),
        };
        let body = hex::encode(request.body_sha256);
        let declared = request
            .header("x-amz-content-sha256")
            .map(crate::canonical::text);
        let payload = declared.as_deref().map_or(body.as_str(), str::trim_ascii);
        let (omitted, path_style) = (&[][..], self.path_style);
        let signed = Signed {
            headers,
            host,
            payload,
            omitted,
            path_style,
        };
        let canonical = canonical_request(request, &signed);
        let key = signing_key(credentials.secret_access_key, &scope);
        hex::encode(key.sign(&string_to_sign(&timestamp, &scope, &canonical)))
    }
}

/// Headers to set so that the request is signed: `x-amz-date`, `x-amz-security-token` when there
/// is a token, and `authorization`; they replace those of the same name. Every header given is
/// signed but those that hops may change, and the host is signed always.
pub fn sign_header(
    request: &Request<'_>,
    credentials: &Credentials<'_>,
    signing: &Signing<'_>,
) -> Vec<(&'static str, String)> {
    let (timestamp, scope) = signing.timestamp_and_scope();
    let mut added = vec![("x-amz-date", timestamp)];
    if let Some(token) = credentials.session_token {
        added.push(("x-amz-security-token", token.to_owned()));
    }
    let replaced = |name: &str| added.iter().any(|(new, _)| name.eq_ignore_ascii_case(new));
    let mut headers: Vec<(&str, &[u8])> = request
        .headers
        .iter()
        .filter(|(name, _)| !replaced(name))
        .copied()
        .collect();
    headers.extend(added.iter().map(|(name, value)| (*name, value.as_bytes())));
    let names = signed_names(&headers);
    let signature = signing.sign(
        &Request {
            headers: &headers,
            ..*request
        },
        &names,
        credentials,
    );
    let id = credentials.access_key_id;
    added.push((
        "authorization",
        format!(
            "{ALGORITHM} Credential={id}/{scope}, SignedHeaders={names}, Signature={signature}"
        ),
    ));
    added
}

/// The whole query of a presigned request, good for `expires_secs` (at most
/// [`crate::limits::EXPIRES_SECS_MAX`]) from the time of signing. The query given is kept in
/// front and must hold no signing parameter yet; every header given must be sent along.
pub fn presign(
    request: &Request<'_>,
    credentials: &Credentials<'_>,
    signing: &Signing<'_>,
    expires_secs: u32,
) -> String {
    let (timestamp, scope) = signing.timestamp_and_scope();
    let names = signed_names(request.headers);
    let credential = format!("{}/{scope}", credentials.access_key_id);
    let expires = expires_secs.to_string();
    let mut parameters = vec![
        ("X-Amz-Algorithm", ALGORITHM),
        ("X-Amz-Credential", &credential),
        ("X-Amz-Date", &timestamp),
        ("X-Amz-Expires", &expires),
        ("X-Amz-SignedHeaders", &names),
    ];
    parameters.extend(
        credentials
            .session_token
            .map(|token| ("X-Amz-Security-Token", token)),
    );
    let mut query = request.query.to_owned();
    for (name, value) in parameters {
        push_parameter(&mut query, name, value);
    }
    let signature = signing.sign(
        &Request {
            query: &query,
            ..*request
        },
        &names,
        credentials,
    );
    push_parameter(&mut query, SIGNATURE_PARAMETER, &signature);
    query
}

fn push_parameter(query: &mut String, name: &str, value: &str) {
    if !query.is_empty() {
        query.push('&');
    }
    query.push_str(name);
    query.push('=');
    query.push_str(&String::from_utf8_lossy(&encoded(value.as_bytes())));
}

fn signed_names(headers: &[(&str, &[u8])]) -> String {
    let mut names: Vec<String> = headers
        .iter()
        .map(|(name, _)| name.to_ascii_lowercase())
        .filter(|name| !UNSIGNED_HEADERS.contains(&name.as_str()) && !is_host(name))
        .collect();
    names.push("host".to_owned());
    names.sort_unstable();
    names.dedup();
    names.join(";")
}
