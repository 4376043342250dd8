//! Who asks on `/v2` of private registries: the user `AWS` with an authorization token as its
//! password (auth.md 5.1).
//!
//! Says who the caller is and which registry it came to; what it may do is decided elsewhere.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, StatusCode, header};
use roadstead_domain::ids::{AccountId, Region};
use roadstead_domain::time::Timestamp;
use roadstead_registry::context::{Principal, RequestContext};
use roadstead_registry::credentials::{Audience, TokenHolder, TokenRefusal};

use super::Addressed;
use super::error::{Code, Failure, Refused};
use crate::host::{self, Arrival, registry_of};
use crate::{Arrived, Faces, Settings};

const USER: &str = "AWS";
pub(super) const EXPIRED: &str =
    "Your authorization token has expired. Reauthenticate and try again.";

/// An authenticated request.
pub(crate) struct Caller {
    /// The principal, the region and the instant.
    pub context: RequestContext,
    /// The registry that it came to.
    pub registry: Addressed,
}

/// What a request shows of whoever makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shown {
    /// Nothing, or a login without name and password, which some clients send for nothing.
    Nothing,
    /// The password of the user `AWS`.
    Password(String),
    /// A bearer token.
    Bearer(String),
    /// Anything else.
    Unreadable,
}

impl Shown {
    /// Reads the header; two of them are as good as none that can be read.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut all = headers.get_all(header::AUTHORIZATION).iter();
        let only = match (all.next(), all.next()) {
            (None, _) => return Self::Nothing,
            (Some(only), None) => only,
            (Some(_), Some(_)) => return Self::Unreadable,
        };
        let parts = only.to_str().ok().and_then(|text| text.split_once(' '));
        match parts {
            Some((scheme, text)) if scheme.eq_ignore_ascii_case("basic") => {
                Self::basic(text.trim()).unwrap_or(Self::Unreadable)
            }
            Some((scheme, text)) if scheme.eq_ignore_ascii_case("bearer") => {
                Self::Bearer(text.trim().to_owned())
            }
            _ => Self::Unreadable,
        }
    }

    fn basic(credentials: &str) -> Option<Self> {
        let mut decoded = String::from_utf8(STANDARD.decode(credentials).ok()?).ok()?;
        match decoded.split_once(':')? {
            ("", "") => Some(Self::Nothing),
            (USER, _) => {
                decoded.drain(..=USER.len());
                Some(Self::Password(decoded))
            }
            _ => None,
        }
    }

    /// The token in it: of a bearer also what GetAuthorizationToken gives, as it stands.
    fn token(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Nothing | Self::Unreadable => None,
            Self::Password(password) => Some(password.into()),
            Self::Bearer(text) => Some(match Self::basic(text) {
                Some(Self::Password(password)) => password.into(),
                _ => text.into(),
            }),
        }
    }
}

/// The token that a request shows: a door for fuzzing alone.
#[doc(hidden)]
pub fn shown_token(headers: &HeaderMap) -> Option<String> {
    Shown::of(headers).token().map(Cow::into_owned)
}

/// Opens what is shown. A token without an access key was made in `--dev` for somebody who proved
/// nothing, so it is none elsewhere, even on the same data; but for those of our own nodes, and
/// those that are nobody's.
pub(super) async fn open(
    faces: &Faces,
    arrived: &Arrived,
    shown: &Shown,
    is_good_for: impl Fn(Audience) -> bool,
) -> Result<TokenHolder, TokenRefusal> {
    let token = shown.token().ok_or(TokenRefusal::Invalid)?;
    let holder = faces.registry.open_token(&token, arrived.now).await?;
    let has_proof = faces.settings.is_dev
        || holder.principal.access_key_id().is_some()
        || holder.audience == Audience::ContainerPull
        || match holder.principal {
            Principal::Anonymous | Principal::ContainerPuller(_) => true,
            Principal::Root { .. } => false,
        };
    match has_proof && is_good_for(holder.audience) {
        true => Ok(holder),
        false => Err(TokenRefusal::Invalid),
    }
}

/// Finds out who asks a private registry. On a host that names no registry the public one is too,
/// and a client has one login for a host: there its tokens are good as well. In `--dev` whoever
/// shows no token of ours is the owner of the registry that the host names.
pub(super) async fn private_caller(
    faces: &Faces,
    arrived: &Arrived,
    headers: &HeaderMap,
) -> Result<Caller, Failure> {
    let named = registry_of(arrived.arrival.authority());
    let shown = match Shown::of(headers) {
        Shown::Bearer(_) => Shown::Unreadable,
        shown => shown,
    };
    let is_good_for = |audience| match audience {
        Audience::Private | Audience::ContainerPush | Audience::ContainerPull => true,
        Audience::Public => named.is_none(),
        Audience::Bearer => false,
    };
    let holder = match open(faces, arrived, &shown, is_good_for).await {
        Ok(holder) => holder,
        Err(TokenRefusal::Invalid) if faces.settings.is_dev => owner(faces, named.clone()),
        Err(refusal) => return Err(refuse(faces, arrived, refusal)),
    };
    let account = holder.registry.as_ref().or(holder.principal.account());
    let Some(account) = account.cloned() else {
        return Err(refuse(faces, arrived, TokenRefusal::Invalid));
    };
    let (registry, region) = match holder.audience {
        Audience::ContainerPush => (Addressed::ContainerPush(account), holder.region),
        Audience::ContainerPull => (Addressed::ContainerPull(account), holder.region),
        Audience::Private | Audience::Public | Audience::Bearer => {
            let (account, region) = named.unwrap_or((account, holder.region));
            (Addressed::Private(account), region)
        }
    };
    Ok(Caller {
        context: context(faces, arrived, headers, holder.principal, region),
        registry,
    })
}

/// `--dev`: the root of the account that a host names, or of the default one.
pub(super) fn owner(faces: &Faces, named: Option<(AccountId, Region)>) -> TokenHolder {
    let settings = &faces.settings;
    let default = || {
        (
            settings.default_account.clone(),
            settings.default_region.clone(),
        )
    };
    let (account, region) = named.unwrap_or_else(default);
    TokenHolder {
        principal: Principal::Root {
            account,
            access_key_id: None,
        },
        region,
        until: Timestamp(i64::MAX),
        registry: None,
        audience: Audience::Private,
    }
}

pub(super) fn context(
    faces: &Faces,
    arrived: &Arrived,
    headers: &HeaderMap,
    principal: Principal,
    region: Region,
) -> RequestContext {
    RequestContext {
        principal,
        origin: host::origin(&faces.settings, arrived, headers),
        region,
        now: arrived.now,
        request_id: arrived.request_id.clone(),
    }
}

/// The answer to a stranger of a private registry.
pub(super) fn not_authorized(faces: &Faces, arrived: &Arrived) -> Failure {
    refuse(faces, arrived, TokenRefusal::Invalid)
}

pub(super) fn refuse(faces: &Faces, arrived: &Arrived, refusal: TokenRefusal) -> Failure {
    let is_strict_ecr = faces.registry.rules().is_strict_ecr;
    let refused = match refusal {
        TokenRefusal::Failed(error) => return Failure::Registry(error),
        TokenRefusal::Expired if is_strict_ecr => {
            return Refused::new(StatusCode::FORBIDDEN, Code::Denied, EXPIRED).into();
        }
        TokenRefusal::Expired => Refused::new(StatusCode::UNAUTHORIZED, Code::Denied, EXPIRED),
        TokenRefusal::Invalid => Refused::text(StatusCode::UNAUTHORIZED, "Not Authorized\n"),
    };
    refused
        .with(
            header::WWW_AUTHENTICATE,
            challenge(&faces.settings, &arrived.arrival),
        )
        .into()
}

/// The address that the caller used, fit to stand between quotes: none that could break out.
pub(super) fn quotable_authority(arrival: &Arrival) -> &str {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
    let authority = Some(arrival.authority());
    let authority = authority.filter(|text| text.chars().all(is_plain));
    authority.unwrap_or(&arrival.local)
}

fn challenge(settings: &Settings, arrival: &Arrival) -> String {
    let scheme = host::scheme(settings, arrival);
    let authority = quotable_authority(arrival);
    format!("Basic realm=\"{scheme}://{authority}/\",service=\"ecr.amazonaws.com\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn sent(values: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        }
        match Shown::of(&headers) {
            Shown::Password(password) => Some(password),
            _ => None,
        }
    }

    #[test]
    fn only_the_user_aws_has_a_password() {
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        assert_eq!(sent(&[&basic("AWS:secret")]).as_deref(), Some("secret"));
        assert_eq!(sent(&[&basic("AWS:a:b")]).as_deref(), Some("a:b"));
        assert_eq!(
            sent(&[&format!("bAsIc {}", STANDARD.encode("AWS:x"))]).as_deref(),
            Some("x")
        );
        for bad in [
            basic("aws:secret"),
            basic("admin:secret"),
            basic("AWS"),
            basic(""),
            "Basic".into(),
            "Basic !!!".into(),
            format!("Bearer {}", STANDARD.encode("AWS:secret")),
            format!("Basic {}", STANDARD.encode([0xff, 0xfe])),
        ] {
            assert_eq!(sent(&[&bad]), None, "{bad}");
        }
        assert_eq!(sent(&[]), None);
        assert_eq!(sent(&[&basic("AWS:a"), &basic("AWS:b")]), None);
    }

    #[test]
    fn the_challenge_cannot_be_broken_out_of() {
        let arrival = |authority: &str| Arrival {
            scheme: "http",
            authority: Some(authority.into()),
            client: std::net::IpAddr::from([127, 0, 0, 1]),
            peer: std::net::IpAddr::from([127, 0, 0, 1]),
            local: "127.0.0.1:5000".into(),
        };
        let mut settings = Settings::new(
            AccountId::parse("123456789012").unwrap(),
            Region::parse("us-east-1").unwrap(),
        );
        let expected =
            |realm: &str| format!("Basic realm=\"{realm}/\",service=\"ecr.amazonaws.com\"");
        for (authority, realm) in [
            ("localhost:5000", "http://localhost:5000"),
            ("x\", evil=\"y", "http://127.0.0.1:5000"),
        ] {
            let challenge = challenge(&settings, &arrival(authority));
            assert_eq!(challenge, expected(realm));
        }
        settings.repository_scheme = Some("https".into());
        let challenge = challenge(&settings, &arrival("registry.example"));
        assert_eq!(challenge, expected("https://registry.example"));
    }
}
