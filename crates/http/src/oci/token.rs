//! `/token`: the token endpoint of the public registry (auth.md 5.2, 5.4).
//!
//! A token says who its holder is, never what it may do: that is decided at every request. So
//! scopes are not read.

use http::request::Parts;
use http::{Method, StatusCode, header};
use roadstead_registry::credentials::AuthorizationToken;
use serde::Serialize;

use super::authenticate::Shown;
use super::bearer::own_token_holder;
use super::error::{Code, Refused};
use super::tags::to_json;
use super::{Outcome, json, not_allowed};
use crate::{Arrived, Faces};

/// Whether a path is the token endpoint's.
pub fn is_token_path(path: &str) -> bool {
    path == "/token" || path == "/token/"
}

#[derive(Serialize)]
struct Answer {
    token: String,
    access_token: String,
    expires_in: i64,
    issued_at: String,
}

/// Gives a token to whoever shows the password of a login, and to nobody in particular.
pub(super) async fn answer(faces: &Faces, arrived: &Arrived, head: &Parts) -> Outcome {
    if ![Method::GET, Method::HEAD].contains(&head.method) {
        return Err(not_allowed("GET, HEAD").into());
    }
    let holder = match Shown::of(&head.headers) {
        Shown::Nothing => None,
        shown => match own_token_holder(faces, arrived, &shown).await? {
            Some(holder) => Some(holder),
            None => return Err(refused().into()),
        },
    };
    let region = &faces.settings.default_region;
    let issuing = &faces.registry;
    let token = issuing.issue_bearer_token(holder.as_ref(), region, arrived.now);
    let AuthorizationToken {
        password,
        expires_at,
    } = token;
    let answer = Answer {
        token: password.clone(),
        access_token: password,
        expires_in: expires_at.seconds() - arrived.now.seconds(),
        issued_at: arrived.now.rfc3339(),
    };
    let mut response = json("application/json", to_json(&answer));
    let no_store = http::HeaderValue::from_static("no-store");
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, no_store);
    Ok(response)
}

/// A login with a wrong password must fail here, or clients take it for good.
fn refused() -> Refused {
    let message = "authentication required";
    Refused::new(StatusCode::UNAUTHORIZED, Code::Unauthorized, message)
        .with(header::WWW_AUTHENTICATE, "Basic realm=\"token\"")
}
