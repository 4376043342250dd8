//! A signature presented by a client: judged in two steps around the look-up of its secret.
//! `parse` decides all that needs no key, in the order recorded from real JSON services;
//! `verify` compares. Between them the caller finds the key and checks the session token.
//! It must never grant anything: a verified signature only says who asks.

use std::collections::HashSet;
use std::fmt;

use crate::canonical::{SIGNATURE_PARAMETER, Signed, canonical_request, string_to_sign};
use crate::limits::{EXPIRES_SECS_MAX, SIGNED_HEADERS_MAX};
use crate::raw::{self, Raw};
use crate::request::is_host;
use crate::scope::TERMINATOR;
use crate::{ALGORITHM, Error, PathStyle, Policy, Request, Scope, SigningKey, instant};

/// Where the signature was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The `Authorization` header.
    Header,
    /// Query parameters: a presigned request. It can be replayed while it is valid, so a caller
    /// may want to refuse it for operations that change something.
    Query,
}

/// A well-formed, timely signature of an accepted scope, not yet verified.
#[derive(Clone)]
pub struct Presented {
    access_key_id: String,
    scope: Scope,
    session_token: Option<String>,
    signed_at_secs: i64,
    expires_secs: Option<u32>,
    form: Form,
    timestamp: String,
    signed_headers: String,
    /// None when it is not 64 lower-case hex digits; such a signature matches nothing.
    signature: Option<[u8; 32]>,
    payload: Payload,
    path_style: PathStyle,
}

#[derive(Clone)]
enum Payload {
    /// No header: the hash of the body is signed.
    Body,
    /// The value of `x-amz-content-sha256`, which must be the hash of the body.
    Declared(String),
    Unsigned,
}

impl fmt::Debug for Presented {
    /// Leaves out the token and the signature, which must not reach a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presented")
            .field("access_key_id", &self.access_key_id)
            .field("scope", &self.scope)
            .field("signed_at", &self.timestamp)
            .field("form", &self.form)
            .finish_non_exhaustive()
    }
}

/// Everything that can be decided before the key is known. `now_secs` is the server's time in
/// seconds since the epoch.
///
/// # Errors
/// The first failing check of: form, parameters, date, clock, signed headers, algorithm,
/// credential, scope, payload kind (section 1.8 of the authentication reference).
pub fn parse(
    request: &Request<'_>,
    policy: &Policy<'_>,
    now_secs: i64,
) -> Result<Presented, Error> {
    let raw = raw::extract(request)?;
    let signed_at_secs = signed_at(&raw)?;
    let expires_secs = check_clock(&raw, signed_at_secs, policy, now_secs)?;
    check_signed_headers(request, &raw.signed_headers)?;
    if raw.algorithm != ALGORITHM {
        return Err(Error::Algorithm(raw.algorithm));
    }
    let timestamp = instant::format(signed_at_secs);
    let (access_key_id, scope) = check_scope(&raw.credential, &timestamp, policy)?;
    Ok(Presented {
        access_key_id,
        scope,
        session_token: raw.session_token,
        signed_at_secs,
        expires_secs,
        form: raw.form,
        timestamp,
        signed_headers: raw.signed_headers,
        signature: signature_bytes(&raw.signature),
        payload: payload(request, policy)?,
        path_style: policy.path_style,
    })
}

impl Presented {
    /// Key that the caller must look up; any text, possibly empty.
    pub fn access_key_id(&self) -> &str {
        &self.access_key_id
    }

    /// Scope the signing key must be derived for.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Session token, unverified; the caller checks that it belongs to the key.
    pub fn session_token(&self) -> Option<&str> {
        self.session_token.as_deref()
    }

    /// When the client says it signed, in seconds since the epoch.
    pub fn signed_at_secs(&self) -> i64 {
        self.signed_at_secs
    }

    /// Validity of a presigned request, in seconds from `signed_at_secs`.
    pub fn expires_secs(&self) -> Option<u32> {
        self.expires_secs
    }

    /// Where the signature was found.
    pub fn form(&self) -> Form {
        self.form
    }

    /// Compares the signature with the one this request must have, for each host in turn.
    /// `request` is the one given to [`parse`]. For an unknown key, call it with the key of a
    /// dummy secret before answering, so that both refusals take the same time.
    ///
    /// # Errors
    /// [`Error::PayloadHashMismatch`] or [`Error::SignatureMismatch`].
    pub fn verify(&self, request: &Request<'_>, key: &SigningKey) -> Result<(), Error> {
        if let Payload::Declared(declared) = &self.payload {
            let mut hash = [0u8; 32];
            if hex::decode_to_slice(declared, &mut hash).is_err() || hash != request.body_sha256 {
                return Err(Error::PayloadHashMismatch);
            }
        }
        let signature = self.signature.ok_or(Error::SignatureMismatch)?;
        let mut candidates = hosts(request)
            .into_iter()
            .flat_map(|host| self.omissions().iter().map(move |omitted| (host, *omitted)));
        let matched = candidates.any(|(host, omitted)| {
            let canonical = self.canonical(request, host, omitted);
            key.matches(
                &string_to_sign(&self.timestamp, &self.scope, &canonical),
                &signature,
            )
        });
        if matched {
            Ok(())
        } else {
            Err(Error::SignatureMismatch)
        }
    }

    /// The canonical request for the first host: for a debug mode only, never for production
    /// answers. It holds no secret but may hold a session token.
    pub fn canonical_request(&self, request: &Request<'_>) -> Vec<u8> {
        let host = hosts(request).first().copied().unwrap_or_default();
        let omitted = self.omissions().first().copied().unwrap_or_default();
        self.canonical(request, host, omitted)
    }

    /// The string to sign for the first host, under the same rule as `canonical_request`.
    pub fn string_to_sign(&self, request: &Request<'_>) -> String {
        string_to_sign(
            &self.timestamp,
            &self.scope,
            &self.canonical_request(request),
        )
    }

    fn canonical(&self, request: &Request<'_>, host: &[u8], omitted: &[&str]) -> Vec<u8> {
        let body_hash;
        let payload = match &self.payload {
            Payload::Declared(value) => value,
            Payload::Unsigned => UNSIGNED_PAYLOAD,
            Payload::Body => {
                body_hash = hex::encode(request.body_sha256);
                &body_hash
            }
        };
        let headers = &self.signed_headers;
        let path_style = self.path_style;
        canonical_request(
            request,
            &Signed {
                headers,
                host,
                payload,
                omitted,
                path_style,
            },
        )
    }

    /// Sets of query parameters left out, in the order tried. A client may add its session token
    /// after signing (vector post-sts-header-after); harmless, as the token is checked against
    /// the key by itself.
    fn omissions(&self) -> &'static [&'static [&'static str]] {
        match (self.form, &self.session_token) {
            (Form::Header, _) => &[&[]],
            (Form::Query, None) => &[&[SIGNATURE_PARAMETER]],
            (Form::Query, Some(_)) => &[
                &[SIGNATURE_PARAMETER],
                &[SIGNATURE_PARAMETER, "X-Amz-Security-Token"],
            ],
        }
    }
}

const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

fn hosts<'a>(request: &Request<'a>) -> Vec<&'a [u8]> {
    if request.hosts.is_empty() {
        return request.header("host").into_iter().collect();
    }
    request.hosts.iter().map(|host| host.as_bytes()).collect()
}

fn signed_at(raw: &Raw) -> Result<i64, Error> {
    let basic = instant::parse_basic(&raw.date);
    let read = if raw.date_is_http {
        basic.or_else(|| instant::parse_http(&raw.date))
    } else {
        basic
    };
    read.ok_or_else(|| Error::DateSyntax(raw.date.clone()))
}

fn check_clock(
    raw: &Raw,
    signed_at: i64,
    policy: &Policy<'_>,
    now: i64,
) -> Result<Option<u32>, Error> {
    let window_minutes = policy.window_minutes;
    let window = i64::from(window_minutes) * 60;
    let (earliest, latest) = (now.saturating_sub(window), now.saturating_add(window));
    let text = instant::format;
    let expires = match raw.form {
        Form::Header => None,
        Form::Query => Some(parse_expires(&raw.expires)?),
    };
    if signed_at > latest {
        let (signed_at, latest, now) = (text(signed_at), text(latest), text(now));
        return Err(Error::NotYetCurrent {
            signed_at,
            latest,
            now,
            window_minutes,
        });
    }
    match expires.map(|secs| signed_at.saturating_add(i64::from(secs))) {
        Some(until) if now > until => Err(Error::PresignedExpired {
            expired_at: text(until),
            now: text(now),
        }),
        None if signed_at < earliest => {
            let (signed_at, earliest, now) = (text(signed_at), text(earliest), text(now));
            Err(Error::Expired {
                signed_at,
                earliest,
                now,
                window_minutes,
            })
        }
        _ => Ok(expires),
    }
}

fn parse_expires(text: &str) -> Result<u32, Error> {
    // Digits only: `str::parse` alone would take a leading `+`.
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    let secs = text
        .parse()
        .ok()
        .filter(|secs| digits && (1..=EXPIRES_SECS_MAX).contains(secs));
    secs.ok_or_else(|| Error::ExpiresRange(text.to_owned()))
}

fn check_signed_headers(request: &Request<'_>, listed: &str) -> Result<(), Error> {
    let names: Vec<String> = listed.split(';').map(str::to_ascii_lowercase).collect();
    if names.len() > SIGNED_HEADERS_MAX {
        let max = format!("{SIGNED_HEADERS_MAX} names");
        return Err(Error::TooLong {
            what: "SignedHeaders",
            max,
        });
    }
    if !names.iter().any(|name| is_host(name)) {
        return Err(Error::HostUnsigned);
    }
    if request.header("x-amz-target").is_some() && !names.iter().any(|n| n == "x-amz-target") {
        return Err(Error::TargetUnsigned);
    }
    let present: HashSet<String> = request
        .headers
        .iter()
        .map(|(name, _)| name.to_ascii_lowercase())
        .collect();
    let mut seen = HashSet::new();
    for name in &names {
        let known = present.contains(name) || (is_host(name) && !hosts(request).is_empty());
        if !known {
            return Err(Error::SignedHeaderAbsent(name.clone()));
        }
        // A repeated name would let a short list make a long canonical request.
        if !seen.insert(name) {
            return Err(Error::SignedHeaderRepeated(name.clone()));
        }
    }
    Ok(())
}

fn check_scope(
    credential: &str,
    timestamp: &str,
    policy: &Policy<'_>,
) -> Result<(String, Scope), Error> {
    let parts: Vec<&str> = credential.split('/').collect();
    let &[access_key_id, date, region, service, terminator] = &parts[..] else {
        return Err(Error::CredentialParts(credential.to_owned()));
    };
    let mut wrong = Vec::new();
    if !policy.regions.allow(region) {
        wrong.push(format!(
            "Credential should be scoped to a valid region, not '{region}'."
        ));
    }
    let expected = policy.expected_service;
    if service != expected {
        wrong.push(format!(
            "Credential should be scoped to correct service: '{expected}'."
        ));
    }
    if terminator != TERMINATOR {
        wrong.push(format!(
            "Credential should be scoped with a valid terminator: '{TERMINATOR}', \
             not '{terminator}'."
        ));
    }
    let day = timestamp.get(..8).unwrap_or_default();
    if date != day {
        wrong.push(format!(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date \
             from HTTP: '{date}' != '{day}', from '{timestamp}'."
        ));
    }
    if !wrong.is_empty() {
        return Err(Error::Scope(wrong));
    }
    let (date, region, service) = (date.to_owned(), region.to_owned(), service.to_owned());
    Ok((
        access_key_id.to_owned(),
        Scope {
            date,
            region,
            service,
        },
    ))
}

fn payload(request: &Request<'_>, policy: &Policy<'_>) -> Result<Payload, Error> {
    let Some(value) = request.header("x-amz-content-sha256") else {
        return Ok(Payload::Body);
    };
    let value = crate::canonical::text(value.trim_ascii());
    if value == UNSIGNED_PAYLOAD {
        return match policy.allow_unsigned_payload {
            true => Ok(Payload::Unsigned),
            false => Err(Error::UnsignedPayload),
        };
    }
    if value.starts_with("STREAMING-") {
        return Err(Error::StreamingPayload(value.into_owned()));
    }
    Ok(Payload::Declared(value.into_owned()))
}

/// 64 lower-case hex digits; upper case is refused, as it is by comparing text.
fn signature_bytes(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0u8; 32];
    let lower = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    (lower && hex::decode_to_slice(text, &mut bytes).is_ok()).then_some(bytes)
}
