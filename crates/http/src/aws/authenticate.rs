//! Who asks, and where: a SigV4 signature turned into a request context.
//!
//! The signature itself is judged by the sigv4 crate. In `--dev` nothing is judged: the access key
//! id and the region are taken at their word. Nothing here grants anything.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use http::header;
use http::request::Parts;
use roadstead_domain::ids::{AccountId, Region};
use roadstead_registry::context::{Principal, RequestContext};
use roadstead_registry::credentials::KnownKey;
use roadstead_sigv4::{Error, Policy, Presented, Request, Scope, SigningKey, parse, signing_key};
use zeroize::Zeroizing;

use super::error::Failure;
use crate::host::origin;
use crate::{Arrived, Faces};

/// More signing keys than this are not remembered at once.
const SIGNING_KEYS_MAX: usize = 10_000;

/// Signing keys that verified a request, by access key id and scope: deriving one costs four
/// HMACs. A key is good only with the secret that it was derived from.
#[derive(Default)]
pub struct SigningKeys(Mutex<HashMap<(String, Scope), Derived>>);

struct Derived {
    secret: Zeroizing<String>,
    key: SigningKey,
}

impl SigningKeys {
    fn get(&self, id: &str, secret: &str, scope: &Scope) -> Option<SigningKey> {
        let keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let derived = keys.get(&(id.to_owned(), scope.clone()))?;
        (*derived.secret == secret).then(|| derived.key.clone())
    }

    fn put(&self, id: &str, secret: Zeroizing<String>, scope: &Scope, key: SigningKey) {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.len() >= SIGNING_KEYS_MAX {
            keys.clear();
        }
        keys.insert((id.to_owned(), scope.clone()), Derived { secret, key });
    }
}

/// An authenticated request.
pub(super) struct Signed {
    /// Who asks, where and when.
    pub context: RequestContext,
    /// The account of whoever asks.
    pub account: AccountId,
}

/// Finds out who signed a request for `service`.
pub(super) async fn signed(
    faces: &Faces,
    arrived: &Arrived,
    head: &Parts,
    body_sha256: [u8; 32],
    service: &str,
) -> Result<Signed, Failure> {
    let (account, access_key_id, region) = if faces.settings.is_dev {
        taken_at_its_word(faces, head)
    } else {
        verified(faces, arrived, head, body_sha256, service).await?
    };
    let principal = Principal::Root {
        account: account.clone(),
        access_key_id,
    };
    let context = RequestContext {
        principal,
        origin: origin(&faces.settings, arrived, &head.headers),
        region,
        now: arrived.now,
        request_id: arrived.request_id.clone(),
    };
    Ok(Signed { context, account })
}

/// Whether the head of a request names a key of ours in good form: asked before a long body is
/// read, so that strangers cannot make us hold one.
pub(super) async fn is_worth_reading(
    faces: &Faces,
    arrived: &Arrived,
    head: &Parts,
    service: &str,
) -> Result<(), Failure> {
    if faces.settings.is_dev {
        return Ok(());
    }
    let received = Received::of(faces, arrived, head);
    let presented = parse(
        &received.request(head, [0; 32]),
        &Policy::new(service),
        arrived.now.seconds(),
    )?;
    let id = presented.access_key_id();
    let known = faces.registry.known_key(id, arrived.now).await?;
    known.map(drop).ok_or(Failure::Signature(Error::UnknownKey))
}

/// The parts of a request that its signature is over.
struct Received<'a> {
    headers: Vec<(&'a str, &'a [u8])>,
    hosts: Vec<&'a str>,
}

impl<'a> Received<'a> {
    fn of(faces: &'a Faces, arrived: &'a Arrived, head: &'a Parts) -> Self {
        let headers = head.headers.iter();
        let public = faces.settings.public_endpoints.iter().map(String::as_str);
        Self {
            headers: headers
                .map(|(name, value)| (name.as_str(), value.as_bytes()))
                .collect(),
            hosts: std::iter::once(arrived.arrival.authority())
                .chain(public)
                .collect(),
        }
    }

    fn request(&'a self, head: &'a Parts, body_sha256: [u8; 32]) -> Request<'a> {
        Request {
            method: head.method.as_str(),
            path: head.uri.path(),
            query: head.uri.query().unwrap_or_default(),
            headers: &self.headers,
            hosts: &self.hosts,
            body_sha256,
        }
    }
}

async fn verified(
    faces: &Faces,
    arrived: &Arrived,
    head: &Parts,
    body_sha256: [u8; 32],
    service: &str,
) -> Result<(AccountId, Option<String>, Region), Failure> {
    let received = Received::of(faces, arrived, head);
    let request = received.request(head, body_sha256);
    let presented = parse(&request, &Policy::new(service), arrived.now.seconds())?;
    let region = &presented.scope().region;
    let region = Region::parse(region).map_err(|_| {
        let sentence = format!("Credential should be scoped to a valid region, not '{region}'.");
        Error::Scope(vec![sentence])
    })?;
    let id = presented.access_key_id();
    let known = faces.registry.known_key(id, arrived.now).await?;
    let account = check_signature(&faces.signing_keys, &presented, &request, known)?;
    Ok((account, Some(id.to_owned()), region))
}

/// The account of the key, if it made the signature. Every key is long-term so far, and those go
/// without a session token (auth.md 1.7).
fn check_signature(
    keys: &SigningKeys,
    presented: &Presented,
    request: &Request<'_>,
    known: Option<Arc<KnownKey>>,
) -> Result<AccountId, Error> {
    let (id, scope) = (presented.access_key_id(), presented.scope());
    let Some(known) = known else {
        // As much work as for a known key, so that time does not tell them apart.
        let _ = presented.verify(request, &signing_key("unknown", scope));
        return Err(Error::UnknownKey);
    };
    if presented.session_token().is_some() {
        return Err(Error::BadSessionToken);
    }
    if let Some(key) = keys.get(id, &known.secret, scope) {
        presented.verify(request, &key)?;
        return Ok(known.account.clone());
    }
    let key = signing_key(&known.secret, scope);
    presented.verify(request, &key)?;
    // Only now: what is remembered must not be for strangers to choose.
    keys.put(id, known.secret.clone(), scope, key);
    Ok(known.account.clone())
}

/// `--dev`: an access key id of 12 digits names its account, anything else the default one.
fn taken_at_its_word(faces: &Faces, head: &Parts) -> (AccountId, Option<String>, Region) {
    let settings = &faces.settings;
    let (account, region) = claimed(head).unwrap_or_default();
    let account = AccountId::parse(&account).unwrap_or_else(|_| settings.default_account.clone());
    let region = Region::parse(&region).unwrap_or_else(|_| settings.default_region.clone());
    (account, None, region)
}

/// The access key id and region that a request claims, in either form of a signature.
fn claimed(head: &Parts) -> Option<(String, String)> {
    let in_header = head.headers.get(header::AUTHORIZATION).and_then(|value| {
        let (_, rest) = value.to_str().ok()?.split_once("Credential=")?;
        rest.split([',', ' ']).next().map(str::to_owned)
    });
    let in_query = || {
        let mut parameters = head.uri.query()?.split('&');
        let value = parameters.find_map(|one| one.strip_prefix("X-Amz-Credential="))?;
        Some(value.replace("%2F", "/").replace("%2f", "/"))
    };
    let credential = in_header.or_else(in_query)?;
    let mut parts = credential.split('/');
    let (id, region) = (parts.next()?, parts.nth(1)?);
    Some((id.to_owned(), region.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(uri: &str, authorization: Option<&str>) -> Option<(String, String)> {
        let mut request = http::Request::builder().uri(uri);
        if let Some(value) = authorization {
            request = request.header(header::AUTHORIZATION, value);
        }
        claimed(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn claims_of_both_forms() {
        let expected = Some(("123456789012".to_owned(), "eu-west-1".to_owned()));
        let header = "AWS4-HMAC-SHA256 Credential=123456789012/20260101/eu-west-1/ecr/aws4_request, \
                      SignedHeaders=host, Signature=00";
        assert_eq!(claim("/", Some(header)), expected);
        let query = "/?X-Amz-Credential=123456789012%2F20260101%2Feu-west-1%2Fecr%2Faws4_request";
        assert_eq!(claim(query, None), expected);
        for bad in ["Basic abc", "AWS4-HMAC-SHA256 Credential=x", ""] {
            assert_eq!(claim("/", Some(bad)), None, "{bad}");
        }
        assert_eq!(claim("/", None), None);
    }

    #[test]
    fn a_signing_key_is_only_good_with_its_secret() {
        let (keys, scope) = (
            SigningKeys::default(),
            Scope {
                date: "20260101".into(),
                region: "us-east-1".into(),
                service: "ecr".into(),
            },
        );
        let key = signing_key("old", &scope);
        keys.put("AKIA", Zeroizing::new("old".into()), &scope, key);
        assert!(keys.get("AKIA", "old", &scope).is_some());
        assert!(keys.get("AKIA", "new", &scope).is_none());
        assert!(keys.get("AKIB", "old", &scope).is_none());
    }
}
