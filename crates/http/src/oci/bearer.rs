//! Who asks on `/v2` of the public registry (auth.md 5.2): the holder of a bearer token, which may
//! be nobody's.
//!
//! On a host of its own the registry challenges whoever shows nothing, so that clients fetch a
//! token. On a host that it shares, whose challenge is that of private registries, whoever shows
//! nothing may read.

use http::{HeaderMap, StatusCode, header};
use roadstead_registry::context::{Principal, RequestContext};
use roadstead_registry::credentials::{Audience, TokenHolder, TokenRefusal};

use super::authenticate::{EXPIRED, Shown, context, open, owner, quotable_authority, refuse};
use super::error::{Code, Failure, Refused};
use crate::host::{self, is_public_host};
use crate::{Arrived, Faces};

const INVALID: &str = "Your Authorization Token is invalid.";

/// Finds out who asks the public registry. In `--dev` whoever shows no token of ours is the owner
/// of the default one.
pub(super) async fn public_caller(
    faces: &Faces,
    arrived: &Arrived,
    headers: &HeaderMap,
    is_shared: bool,
) -> Result<RequestContext, Failure> {
    let shown = Shown::of(headers);
    let is_strict_ecr = faces.registry.rules().is_strict_ecr;
    let opened = match &shown {
        Shown::Password(_) if is_strict_ecr && !is_shared => Err(TokenRefusal::Invalid),
        shown => {
            let is_bearer = matches!(shown, Shown::Bearer(_));
            let is_good = |audience| match audience {
                Audience::Bearer => is_bearer,
                login => is_login(login, is_shared),
            };
            open(faces, arrived, shown, is_good).await
        }
    };
    let TokenHolder {
        principal, region, ..
    } = match opened {
        Ok(holder) => holder,
        Err(TokenRefusal::Invalid) if faces.settings.is_dev => owner(faces, None),
        Err(TokenRefusal::Invalid) if is_shared && shown == Shown::Nothing => TokenHolder {
            principal: Principal::Anonymous,
            region: faces.settings.default_region.clone(),
            until: arrived.now,
            registry: None,
            audience: Audience::Bearer,
        },
        Err(refusal) if is_shared => return Err(refuse(faces, arrived, refusal)),
        Err(refusal) => return Err(challenged(faces, arrived, &shown, refusal)),
    };
    Ok(context(faces, arrived, headers, principal, region))
}

/// The holder of what is shown to the token endpoint; none if it is not accepted.
pub(super) async fn own_token_holder(
    faces: &Faces,
    arrived: &Arrived,
    shown: &Shown,
) -> Result<Option<TokenHolder>, Failure> {
    let is_shared = !is_public_host(&faces.settings, arrived.arrival.authority());
    match open(faces, arrived, shown, |login| is_login(login, is_shared)).await {
        Ok(holder) => match holder.principal {
            Principal::Root { .. } => Ok(Some(holder)),
            Principal::Anonymous | Principal::ContainerPuller(_) => Ok(None),
        },
        Err(TokenRefusal::Invalid) if faces.settings.is_dev => Ok(Some(owner(faces, None))),
        Err(TokenRefusal::Invalid | TokenRefusal::Expired) => Ok(None),
        Err(TokenRefusal::Failed(error)) => Err(error.into()),
    }
}

/// Which tokens are logins here: a client has one for a host.
fn is_login(audience: Audience, is_shared: bool) -> bool {
    match audience {
        Audience::Public => true,
        Audience::Private => is_shared,
        Audience::Bearer | Audience::ContainerPush | Audience::ContainerPull => false,
    }
}

fn challenged(faces: &Faces, arrived: &Arrived, shown: &Shown, refusal: TokenRefusal) -> Failure {
    let is_strict_ecr = faces.registry.rules().is_strict_ecr;
    let (message, error) = match (refusal, shown) {
        (TokenRefusal::Failed(error), _) => return error.into(),
        (TokenRefusal::Invalid, Shown::Nothing) => ("Not Authorized", ""),
        (TokenRefusal::Invalid, _) if is_strict_ecr => {
            return Refused::bad_request(Code::Denied, INVALID).into();
        }
        (TokenRefusal::Expired, _) if is_strict_ecr => {
            return Refused::new(StatusCode::FORBIDDEN, Code::Denied, EXPIRED).into();
        }
        (TokenRefusal::Invalid, _) => (INVALID, ",error=\"invalid_token\""),
        (TokenRefusal::Expired, _) => (EXPIRED, ",error=\"invalid_token\""),
    };
    let scheme = host::scheme(&faces.settings, &arrived.arrival);
    let host = quotable_authority(&arrived.arrival);
    let challenge = format!(
        "Bearer realm=\"{scheme}://{host}/token/\",service=\"{host}\",scope=\"aws\"{error}"
    );
    Refused::new(StatusCode::UNAUTHORIZED, Code::Denied, message)
        .with(header::WWW_AUTHENTICATE, challenge)
        .into()
}
