//! One event to one HTTP server. No redirect is followed and no proxy of the environment is used:
//! what is told stays between the two.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use aws_lc_rs::hmac;
use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use reqwest::{Client, Url};

use crate::config::Secret;

/// The header with the HMAC-SHA256 of the body in hex, if there is a secret.
pub const SIGNATURE: &str = "roadstead-signature";

/// How long a receiver may take from the first byte to its last.
const PATIENCE: Duration = Duration::from_secs(10);
/// What is read of an answer, so that its connection can be used again.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// An HTTP server that is told of events.
pub struct Webhook {
    url: Url,
    client: Client,
    key: Option<hmac::Key>,
}

impl Webhook {
    /// Prepares to tell `url`; nothing is sent yet.
    pub fn new(url: &str, secret: Option<&Secret>) -> Result<Self> {
        let url = Url::parse(url).context("a webhook's URL")?;
        let builder = Client::builder()
            .user_agent(concat!("roadstead/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .no_proxy()
            .retry(reqwest::retry::never())
            .timeout(PATIENCE);
        // A machine without certificates can still tell a plain receiver.
        let builder = match url.scheme() {
            "https" => builder,
            _ => builder.tls_certs_only([]),
        };
        let key = secret.map(|secret| hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()));
        Ok(Self {
            url,
            client: builder.build().context("preparing a webhook")?,
            key,
        })
    }

    /// Its address without the parts that may be secret.
    pub fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }

    /// Tells it of one event. Only 2xx means that it was understood.
    pub async fn post(&self, payload: &str) -> Result<()> {
        let mut request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .body(payload.to_owned());
        if let Some(key) = &self.key {
            let signature = hmac::sign(key, payload.as_bytes());
            request = request.header(SIGNATURE, hex::encode(signature));
        }
        let sent = request.send().await.map_err(reqwest::Error::without_url);
        let mut answer = sent.context("sending")?;
        if !answer.status().is_success() {
            bail!("it answered {}", answer.status());
        }
        let mut read = 0;
        // Its status has been told: what comes after cannot take that back.
        while let Ok(Some(chunk)) = answer.chunk().await {
            read += chunk.len();
            if read > ANSWER_BYTES_MAX {
                break;
            }
        }
        Ok(())
    }
}

/// The address of a destination without the parts that may be secret.
pub(super) fn origin_of(destination: &str) -> String {
    match Url::parse(destination) {
        Ok(url) => format!("webhook {}", url.origin().ascii_serialization()),
        Err(_) => destination.to_owned(),
    }
}
