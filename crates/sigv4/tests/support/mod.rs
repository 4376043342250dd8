//! Shared by the tests of this crate: an owned request, and reading one from a vector's file.
//! Kept naive on purpose; must not reuse the crate's own parsing.
#![allow(dead_code, reason = "each test binary uses its own part")]

pub mod ecr;

use roadstead_sigv4::{Error, Policy, Presented, Request, parse, signing_key};
use sha2::{Digest, Sha256};

/// Key id of every published vector.
pub const KEY_ID: &str = "AKIDEXAMPLE";
/// Secret of every published vector.
pub const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
/// 2015-08-30T12:36:00Z, when the vectors were signed.
pub const SIGNED_AT: i64 = 1_440_938_160;

/// An owned request that tests can change.
#[derive(Clone, Debug, Default)]
pub struct Owned {
    pub method: String,
    pub path: String,
    pub query: String,
    pub headers: Vec<(String, Vec<u8>)>,
    pub hosts: Vec<String>,
    pub body: Vec<u8>,
}

impl Owned {
    /// Runs `check` on the borrowed form.
    pub fn with<T>(&self, check: impl FnOnce(&Request<'_>) -> T) -> T {
        let headers: Vec<(&str, &[u8])> = self
            .headers
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_slice()))
            .collect();
        let hosts: Vec<&str> = self.hosts.iter().map(String::as_str).collect();
        check(&Request {
            method: &self.method,
            path: &self.path,
            query: &self.query,
            headers: &headers,
            hosts: &hosts,
            body_sha256: Sha256::digest(&self.body).into(),
        })
    }

    pub fn parse(&self, policy: &Policy<'_>, now: i64) -> Result<Presented, Error> {
        self.with(|request| parse(request, policy, now))
    }

    /// Both steps, with the look-up of the one known key between them.
    pub fn accept(&self, policy: &Policy<'_>, secret: &str, now: i64) -> Result<Presented, Error> {
        self.with(|request| {
            let presented = parse(request, policy, now)?;
            if presented.access_key_id() != KEY_ID {
                return Err(Error::UnknownKey);
            }
            presented.verify(request, &signing_key(secret, presented.scope()))?;
            Ok(presented)
        })
    }

    /// Replaces all lines of that name, or removes them.
    pub fn set(&mut self, name: &str, value: Option<&str>) -> &mut Self {
        self.headers.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
        if let Some(value) = value {
            self.headers
                .push((name.to_owned(), value.as_bytes().to_vec()));
        }
        self
    }

    pub fn header(&self, name: &str) -> String {
        let found = self
            .headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .unwrap();
        String::from_utf8(found.1.clone()).unwrap()
    }

    /// Reads the text form of the vectors: request line, headers with folded lines, body.
    pub fn from_text(text: &str) -> Owned {
        let (head, body) = text.split_once("\n\n").unwrap_or((text.trim_end(), ""));
        let mut lines = head.lines();
        let line = lines.next().unwrap();
        let (method, target) = line.split_once(' ').unwrap();
        let target = target.strip_suffix(" HTTP/1.1").unwrap_or(target);
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut request = Owned {
            method: method.into(),
            path: path.into(),
            query: query.into(),
            ..Owned::default()
        };
        for line in lines {
            if line.starts_with([' ', '\t']) {
                let value = &mut request.headers.last_mut().unwrap().1;
                value.extend_from_slice(format!("\r\n{line}").as_bytes());
            } else {
                let (name, value) = line.split_once(':').unwrap();
                request
                    .headers
                    .push((name.into(), value.as_bytes().to_vec()));
            }
        }
        let length = request
            .headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case("content-length"));
        let length = length.map_or(0, |_| request.header("content-length").parse().unwrap());
        request.body = body.as_bytes()[..length].to_vec();
        request
    }
}
