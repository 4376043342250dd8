//! Requests signed as a test wants them, and the error table's rows to hold answers against.
//!
//! Signing is the sigv4 crate's own; that it signs as AWS does is proven there.

use bytes::Bytes;
use http::{HeaderValue, Method, Request};
use roadstead_registry::context::Clock as _;
use roadstead_sigv4::{Credentials, PathStyle, Signing, presign, sign_header};
use roadstead_testkit::{Answer, World, client};
use sha2::{Digest as _, Sha256};

pub const IDENTITY: &str = "Action=GetCallerIdentity&Version=2011-06-15";
pub const TARGET: &str = "AmazonEC2ContainerRegistry_V20150921.DescribeRepositories";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Json,
    Query,
}

pub const BOTH: [Protocol; 2] = [Protocol::Json, Protocol::Query];

/// How a request is signed.
pub struct Ask {
    pub protocol: Protocol,
    pub id: String,
    pub secret: String,
    pub token: Option<&'static str>,
    pub region: &'static str,
    pub service: &'static str,
    /// Seconds from the server's clock.
    pub skew: i64,
}

impl Ask {
    pub fn of(world: &World, protocol: Protocol) -> Self {
        let service = match protocol {
            Protocol::Json => "ecr",
            Protocol::Query => "sts",
        };
        Self {
            protocol,
            id: world.credentials.id.clone(),
            secret: world.credentials.secret.clone(),
            token: None,
            region: "us-east-1",
            service,
            skew: 0,
        }
    }

    pub fn body(&self) -> &'static str {
        match self.protocol {
            Protocol::Json => "{}",
            Protocol::Query => IDENTITY,
        }
    }

    pub fn headers<'a>(&self, host: &'a str) -> Vec<(&'static str, &'a [u8])> {
        let mut headers = vec![("host", host.as_bytes())];
        match self.protocol {
            Protocol::Json => headers.extend([
                ("content-type", &b"application/x-amz-json-1.1"[..]),
                ("x-amz-target", TARGET.as_bytes()),
            ]),
            Protocol::Query => headers.push((
                "content-type",
                &b"application/x-www-form-urlencoded; charset=utf-8"[..],
            )),
        }
        headers
    }

    pub fn credentials(&self) -> Credentials<'_> {
        Credentials {
            access_key_id: &self.id,
            secret_access_key: &self.secret,
            session_token: self.token,
        }
    }

    pub fn signing(&self, world: &World) -> Signing<'static> {
        Signing {
            region: self.region,
            service: self.service,
            signed_at_secs: world.clock.now().seconds() + self.skew,
            path_style: PathStyle::Normalized,
        }
    }

    pub fn to_sign<'a>(&self, headers: &'a [(&'a str, &'a [u8])]) -> roadstead_sigv4::Request<'a> {
        roadstead_sigv4::Request {
            method: "POST",
            path: "/",
            query: "",
            headers,
            hosts: &[],
            body_sha256: Sha256::digest(self.body()).into(),
        }
    }

    /// The request without any signature.
    pub fn bare(&self, world: &World, uri: &str) -> Request<Bytes> {
        let host = world.address.to_string();
        let mut request = Request::builder().method(Method::POST).uri(uri);
        for (name, value) in self.headers(&host) {
            request = request.header(name, value);
        }
        request.body(Bytes::from(self.body())).expect("a request")
    }

    /// The request signed in its header.
    pub fn signed(&self, world: &World) -> Request<Bytes> {
        self.signed_for(world, &world.address.to_string())
    }

    /// The request signed in its header, for a server of another name.
    pub fn signed_for(&self, world: &World, host: &str) -> Request<Bytes> {
        let headers = self.headers(host);
        let mut request = self.bare(world, "/");
        let signing = self.signing(world);
        let added = sign_header(&self.to_sign(&headers), &self.credentials(), &signing);
        for (name, value) in added {
            let value = HeaderValue::from_str(&value).expect("a header");
            request.headers_mut().insert(name, value);
        }
        request
    }

    /// The request signed in its query.
    pub fn presigned(&self, world: &World, expires_secs: u32) -> Request<Bytes> {
        let host = world.address.to_string();
        let headers = self.headers(&host);
        let (to_sign, signing) = (self.to_sign(&headers), self.signing(world));
        let query = presign(&to_sign, &self.credentials(), &signing, expires_secs);
        self.bare(world, &format!("/?{query}"))
    }
}

pub async fn send(world: &World, request: Request<Bytes>) -> Answer {
    client::send(world.address, request).await
}

/// What a row of the table asks for: code and status of each protocol.
#[derive(Clone, Copy)]
pub struct Row {
    pub json: &'static str,
    pub query: (u16, &'static str),
}

pub const MISSING: Row = Row {
    json: "MissingAuthenticationTokenException",
    query: (403, "MissingAuthenticationToken"),
};
pub const INCOMPLETE: Row = Row {
    json: "IncompleteSignatureException",
    query: (400, "IncompleteSignature"),
};
pub const INVALID: Row = Row {
    json: "InvalidSignatureException",
    query: (403, "SignatureDoesNotMatch"),
};
pub const UNRECOGNIZED: Row = Row {
    json: "UnrecognizedClientException",
    query: (403, "InvalidClientTokenId"),
};

/// The text between two tags.
pub fn element<'a>(xml: &'a str, name: &str) -> &'a str {
    let after = xml.split_once(&format!("<{name}>")).map(|(_, rest)| rest);
    let inside = after.and_then(|rest| rest.split_once(&format!("</{name}>")));
    inside.map(|(inside, _)| inside).unwrap_or_default()
}

/// Sends the request and holds the answer against its row; gives the message.
#[track_caller]
pub fn held_against(row: Row, protocol: Protocol, answer: &Answer) -> String {
    assert_eq!(answer.header("x-amzn-requestid").len(), 36, "{answer:?}");
    // Without it no SDK can correct a wrong clock.
    assert!(answer.header("date").ends_with(" GMT"), "{answer:?}");
    match protocol {
        Protocol::Json => {
            assert_eq!(answer.code(), (400, row.json.to_owned()), "{answer:?}");
            assert_eq!(answer.header("x-amzn-errortype"), row.json);
            let body = answer.json();
            assert_eq!(body.as_object().map(serde_json::Map::len), Some(2));
            body["message"].as_str().unwrap_or_default().to_owned()
        }
        Protocol::Query => {
            let text = answer.text();
            let found = (answer.status.as_u16(), element(&text, "Code"));
            assert_eq!(found, row.query, "{text}");
            assert_eq!(element(&text, "Type"), "Sender");
            assert_eq!(answer.header("content-type"), "text/xml");
            let id = answer.header("x-amzn-requestid");
            assert_eq!(element(&text, "RequestId"), id);
            element(&text, "Message").to_owned()
        }
    }
}

/// A signed request with another `Authorization`, made from the right one.
pub fn with_authorization(
    ask: &Ask,
    world: &World,
    change: impl Fn(&str) -> String,
) -> (Request<Bytes>, String) {
    let mut request = ask.signed(world);
    let right = request.headers()["authorization"].to_str().expect("text");
    let changed = change(right);
    let value = HeaderValue::from_str(&changed).expect("a header");
    request.headers_mut().insert("authorization", value);
    (request, changed)
}
