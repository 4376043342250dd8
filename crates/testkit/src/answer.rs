//! What a server answered.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::Value;

/// A whole answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// The body as JSON; null if it is empty or not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header as text, empty if absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// Fails the test unless the status is this one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(
            self.status.as_u16(),
            status,
            "{} {:?}",
            self.text(),
            self.headers
        );
        self
    }

    /// The status with the first error code of an OCI envelope or AWS error body.
    pub fn code(&self) -> (u16, String) {
        let json = self.json();
        let code = json["errors"][0]["code"]
            .as_str()
            .or(json["__type"].as_str());
        (self.status.as_u16(), code.unwrap_or_default().to_owned())
    }
}
