//! Asking a registry for a login: GetAuthorizationToken, signed.

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use reqwest::redirect::Policy;
use roadstead_registry::context::Clock as _;
use roadstead_sigv4::Credentials as Signer;
use serde_json::Value;

use super::aws::Credentials;
use super::place::Place;
use super::{Failure, Login};
use crate::ambient::SystemClock;
use crate::client::signed_to;

/// How long a registry may take to be reached, and to answer.
const CONNECTING: Duration = Duration::from_secs(5);
const ANSWERING: Duration = Duration::from_secs(15);
/// What is read of an answer.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Asks for a login.
pub(super) fn ask(place: &Place, credentials: &Credentials) -> Result<Login, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (status, body) = runtime.block_on(send(place, credentials))?;
    let host = &place.host;
    let answer: Option<Value> = serde_json::from_slice(&body).ok();
    if status != 200 {
        let word = |member: &str| {
            let text = answer.as_ref()?.get(member)?.as_str()?;
            Some(text.to_owned())
        };
        return Err(match word("__type") {
            // Whoever answers like this is a roadstead, and says why not.
            Some(code) => {
                let message = word("message").or(word("Message")).unwrap_or_default();
                Failure::Failed(anyhow!("{host} refuses the login: {code}: {message}"))
            }
            None => Failure::NotFound(anyhow!("'{host}' answers {status}: it is no roadstead")),
        });
    }
    let login = answer
        .as_ref()
        .and_then(|answer| read(answer, place.is_public));
    login.ok_or_else(|| Failure::NotFound(anyhow!("'{host}' answers otherwise than a roadstead")))
}

async fn send(place: &Place, credentials: &Credentials) -> anyhow::Result<(u16, Vec<u8>)> {
    let (service, target) = match place.is_public {
        true => ("ecr-public", "SpencerFrontendService"),
        false => ("ecr", "AmazonEC2ContainerRegistry_V20150921"),
    };
    let signer = Signer {
        access_key_id: &credentials.access_key_id,
        secret_access_key: &credentials.secret_access_key,
        session_token: credentials
            .session_token
            .as_ref()
            .map(|token| token.as_str()),
    };
    let (now, body) = (SystemClock.now(), Bytes::from_static(b"{}"));
    let target = format!("{target}.GetAuthorizationToken");
    let host = (place.host.as_str(), service);
    let request = signed_to(host, &signer, &credentials.region, now, &target, body)?;
    let builder = reqwest::Client::builder()
        .connect_timeout(CONNECTING)
        .timeout(ANSWERING)
        .redirect(Policy::none());
    let builder = match (place.url.starts_with("https:"), &place.ca_file) {
        // A machine without certificates can still ask a plain registry.
        (false, _) => builder.tls_certs_only([]),
        (true, None) => builder,
        (true, Some(path)) => {
            let reading = || format!("reading the certificates in {}", path.display());
            let text = std::fs::read(path).with_context(reading)?;
            let trusted = reqwest::Certificate::from_pem_bundle(&text).with_context(reading)?;
            builder.tls_certs_merge(trusted)
        }
    };
    let client = builder.build().context("preparing the request")?;
    let (head, body) = request.into_parts();
    let request = client.post(&place.url).headers(head.headers).body(body);
    let mut answer = request.send().await.context("asking for a login")?;
    let (status, mut read) = (answer.status().as_u16(), Vec::new());
    while let Some(chunk) = answer.chunk().await.context("reading the login")? {
        read.extend_from_slice(&chunk);
        if read.len() > ANSWER_BYTES_MAX {
            anyhow::bail!("the answer is too long");
        }
    }
    Ok((status, read))
}

/// Reads the answer of GetAuthorizationToken: a list in Amazon ECR, one member in ECR Public.
fn read(answer: &Value, is_public: bool) -> Option<Login> {
    let data = answer.get("authorizationData")?;
    let data = if is_public { data } else { data.get(0)? };
    let token = STANDARD
        .decode(data.get("authorizationToken")?.as_str()?)
        .ok()?;
    let (user, password) = std::str::from_utf8(&token).ok()?.split_once(':')?;
    Some(Login {
        user: user.to_owned(),
        password: password.to_owned(),
        expires_at: data.get("expiresAt")?.as_f64()? as i64,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_forms_of_the_answer() {
        let data = json!({ "authorizationToken": "QVdTOnB3OjE=", "expiresAt": 1_700_000_000.5 });
        let private = json!({ "authorizationData": [data] });
        let public = json!({ "authorizationData": data });
        for (answer, is_public) in [(private, false), (public, true)] {
            let login = read(&answer, is_public).expect("a login");
            assert_eq!(
                (login.user.as_str(), login.password.as_str()),
                ("AWS", "pw:1")
            );
            assert_eq!(login.expires_at, 1_700_000_000);
            assert!(read(&answer, !is_public).is_none());
        }
    }
}
