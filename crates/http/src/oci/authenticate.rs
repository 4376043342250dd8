//! Who asks on `/v2`: the user `AWS` with an authorization token as its password (auth.md 5.1).
//!
//! Says who the caller is and which registry it came to; what it may do is decided elsewhere.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, StatusCode, header};
use roadstead_domain::ids::AccountId;
use roadstead_registry::context::{Principal, RequestContext};
use roadstead_registry::credentials::{Audience, TokenHolder, TokenRefusal};

use super::error::{Code, Failure, Refused};
use crate::host::{self, Arrival, registry_of};
use crate::{Arrived, Faces, Settings};

const USER: &str = "AWS";
const EXPIRED: &str = "Your authorization token has expired. Reauthenticate and try again.";

/// An authenticated request.
pub struct Caller {
    /// The principal, the region and the instant.
    pub context: RequestContext,
    /// The registry that it came to: the one of the host, else the caller's own.
    pub registry: AccountId,
    /// What its token is good for.
    pub audience: Audience,
}

/// Finds out who asks. A token without an access key was made in `--dev` for somebody who proved
/// nothing, so it is none elsewhere, even on the same data; but for those of our own nodes. In
/// `--dev` whoever shows no token of ours is the owner of the registry that the host names.
pub async fn caller(
    faces: &Faces,
    arrived: &Arrived,
    headers: &HeaderMap,
) -> Result<Caller, Failure> {
    let named = registry_of(arrived.arrival.authority());
    let settings = &faces.settings;
    let opened = match password(headers) {
        Some(password) => faces.registry.open_token(&password, arrived.now).await,
        None => Err(TokenRefusal::Invalid),
    };
    let (holder, account) = match opened {
        Ok(holder) => match proven(settings, &holder) {
            Some(account) => (holder, account),
            None => return Err(refuse(faces, arrived, TokenRefusal::Invalid)),
        },
        Err(TokenRefusal::Invalid) if settings.is_dev => {
            let default = || {
                (
                    settings.default_account.clone(),
                    settings.default_region.clone(),
                )
            };
            let (account, region) = named.clone().unwrap_or_else(default);
            let holder = TokenHolder {
                principal: Principal::Root {
                    account: account.clone(),
                    access_key_id: None,
                },
                region,
                audience: Audience::Private,
            };
            (holder, account)
        }
        Err(refusal) => return Err(refuse(faces, arrived, refusal)),
    };
    let TokenHolder {
        principal,
        region,
        audience,
    } = holder;
    let (registry, region) = match audience {
        Audience::ContainerPush | Audience::ContainerPull => (account, region),
        Audience::Private | Audience::Public => named.unwrap_or((account, region)),
    };
    let context = RequestContext {
        principal,
        origin: host::origin(settings, arrived, headers),
        region,
        now: arrived.now,
        request_id: arrived.request_id.clone(),
    };
    Ok(Caller {
        context,
        registry,
        audience,
    })
}

/// The account that a token speaks for, if it proves anything.
fn proven(settings: &Settings, holder: &TokenHolder) -> Option<AccountId> {
    let has_proof = settings.is_dev
        || holder.principal.access_key_id().is_some()
        || holder.audience == Audience::ContainerPull;
    holder.principal.account().filter(|_| has_proof).cloned()
}

/// The password of the user `AWS`; none if anything about the credentials is not as it has to be.
fn password(headers: &HeaderMap) -> Option<String> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(only), None) = (all.next(), all.next()) else {
        return None;
    };
    let (scheme, credentials) = only.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(credentials.trim()).ok()?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    (user == USER).then(|| password.to_owned())
}

fn refuse(faces: &Faces, arrived: &Arrived, refusal: TokenRefusal) -> Failure {
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

fn challenge(settings: &Settings, arrival: &Arrival) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
    let authority = Some(arrival.authority());
    let authority = authority.filter(|text| text.chars().all(is_plain));
    let (scheme, authority) = (
        host::scheme(settings, arrival),
        authority.unwrap_or(&arrival.local),
    );
    format!("Basic realm=\"{scheme}://{authority}/\",service=\"ecr.amazonaws.com\"")
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use roadstead_domain::ids::Region;

    use super::*;

    fn sent(values: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        }
        password(&headers)
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
            peer: std::net::IpAddr::from([127, 0, 0, 1]),
            local: "127.0.0.1:5000".into(),
        };
        let mut settings = Settings {
            default_account: AccountId::parse("123456789012").unwrap(),
            default_region: Region::parse("us-east-1").unwrap(),
            is_dev: false,
            repository_host: None,
            repository_scheme: None,
            public_endpoints: vec![],
        };
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
