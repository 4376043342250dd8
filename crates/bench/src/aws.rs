//! The few calls of the ECR API that a measurement needs, signed with an access key.

use std::net::SocketAddr;
use std::time::SystemTime;

use anyhow::{Result, ensure};
use bytes::Bytes;
use roadstead_domain::time::Timestamp;
use roadstead_server::client::{send, signed};
use roadstead_sigv4::Credentials;
use serde::Deserialize;
use serde_json::{Value, json};

/// A server with the API, and who asks it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    /// The region that requests are signed for.
    pub region: String,
    /// The access key.
    pub key: String,
    /// Its secret.
    pub secret: String,
}

impl Server {
    /// A signed request.
    pub fn request(&self, operation: &str, body: &Value) -> Result<http::Request<Bytes>> {
        let since = SystemTime::UNIX_EPOCH.elapsed()?;
        let now = Timestamp(i64::try_from(since.as_micros())?);
        let credentials = Credentials {
            access_key_id: &self.key,
            secret_access_key: &self.secret,
            session_token: None,
        };
        let target = format!("AmazonEC2ContainerRegistry_V20150921.{operation}");
        let body = Bytes::from(body.to_string());
        signed(self.address, &credentials, &self.region, now, &target, body)
    }

    /// Calls an operation, which has to succeed.
    pub async fn call(&self, operation: &str, body: &Value) -> Result<Value> {
        let answer = send(self.address, self.request(operation, body)?).await?;
        let text = String::from_utf8_lossy(answer.body());
        ensure!(answer.status().is_success(), "{operation}: {text}");
        Ok(serde_json::from_str(&text)?)
    }
}

/// Makes the repositories and answers with the header that clients send after `docker login`.
pub async fn log_in(server: &Server, repositories: &[String]) -> Result<Value> {
    for name in repositories {
        let body = json!({ "repositoryName": name });
        server.call("CreateRepository", &body).await?;
    }
    let answer = server.call("GetAuthorizationToken", &json!({})).await?;
    let token = answer["authorizationData"][0]["authorizationToken"]
        .as_str()
        .unwrap_or_default();
    ensure!(!token.is_empty(), "no token in {answer}");
    Ok(json!({ "authorization": format!("Basic {token}") }))
}
