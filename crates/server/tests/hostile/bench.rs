//! What the rows share: a world with an image in it, what is stored of it, and requests byte by
//! byte as no HTTP client sends them.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use roadstead_testkit::{Answer, World};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// No answer may take longer.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A world with the repository `app` and an image in it, and that image's manifest.
pub async fn world_with_image() -> (World, Value) {
    with_image(World::start().await).await
}

/// The image of [`world_with_image`] in another world.
pub async fn with_image(world: World) -> (World, Value) {
    let manifest = world.push_image("app", "one", &["v1"]).await;
    let json = serde_json::from_slice(&manifest.bytes).expect("JSON");
    (world, json)
}

/// Both modes.
pub async fn both_modes() -> [(bool, World); 2] {
    [
        (false, World::start().await),
        (true, World::builder().strict().start().await),
    ]
}

/// Puts a manifest under the tag `hostile`.
pub async fn put(world: &World, content_type: &str, body: impl Into<Bytes>) -> Answer {
    let headers = [("content-type", content_type)];
    let path = "/v2/app/manifests/hostile";
    world.oci(Method::PUT, path, &headers, body).await
}

/// Makes private repositories.
pub async fn repositories(world: &World, names: &[&str]) {
    for name in names {
        let body = json!({ "repositoryName": name });
        world.ecr("CreateRepository", body).await.expect(200);
    }
}

/// What is stored: how many rows each table holds, and the bytes of blobs.
#[derive(Debug, PartialEq, Eq)]
pub struct Stored(BTreeMap<String, i64>, u64);

impl Stored {
    /// As it is now.
    pub fn of(world: &World) -> Self {
        let mut rows = world.rows();
        // The sweep's own note of who sweeps.
        rows.remove("lease");
        Self(rows, world.blob_bytes())
    }

    /// Nothing was changed since, and the server answers a normal request.
    pub async fn is_unchanged(&self, world: &World) {
        assert_eq!(Self::of(world), *self);
        is_alive(world).await;
    }
}

/// The server answers a normal request on both planes.
pub async fn is_alive(world: &World) {
    world.oci(Method::GET, "/v2/", &[], "").await.expect(200);
    let all = world.ecr("DescribeRepositories", json!({})).await;
    all.expect(200);
}

/// A world that is spoken to byte by byte.
pub struct Bench {
    pub world: World,
    pub basic: String,
}

impl Bench {
    pub async fn new() -> Self {
        let world = World::start().await;
        repositories(&world, &["app"]).await;
        Self::of(world).await
    }

    pub async fn of(world: World) -> Self {
        let basic = world.basic(&world.credentials).await;
        Self { world, basic }
    }

    /// A head with authorization and a Host.
    pub fn head(&self, request_line: &str, headers: &str) -> String {
        let basic = &self.basic;
        format!(
            "{request_line} HTTP/1.1\r\nHost: registry\r\nAuthorization: {basic}\r\n{headers}\r\n"
        )
    }

    /// Sends bytes, perhaps ends the sending side, and reads until the server closes.
    pub async fn exchange(&self, bytes: &[u8], ends: bool) -> String {
        let mut stream = TcpStream::connect(self.world.address)
            .await
            .expect("a server");
        stream.write_all(bytes).await.expect("a request");
        if ends {
            stream.shutdown().await.expect("an end");
        }
        rest_of(stream).await
    }

    /// One request whose connection ends with it.
    pub async fn request(&self, request_line: &str, headers: &str, body: &str) -> String {
        let head = self.head(request_line, &format!("{headers}Connection: close\r\n"));
        self.exchange(format!("{head}{body}").as_bytes(), false)
            .await
    }

    /// A request of which only a part of the body is sent.
    pub async fn begin(&self, request_line: &str, length: usize, part: &[u8]) -> TcpStream {
        let headers = format!("Connection: close\r\nContent-Length: {length}\r\n");
        let head = self.head(request_line, &headers);
        let mut stream = TcpStream::connect(self.world.address)
            .await
            .expect("a server");
        stream.write_all(head.as_bytes()).await.expect("a head");
        stream.write_all(part).await.expect("a part");
        stream
    }

    pub async fn open(&self) -> String {
        let path = "/v2/app/blobs/uploads/";
        let opened = self.world.oci(Method::POST, path, &[], "").await;
        opened.expect(202).header("location").to_owned()
    }

    /// How many bytes an upload holds, told apart by the offset at which it goes on.
    pub async fn goes_on_at(&self, location: &str) -> u64 {
        let headers = [("content-range", "999999-999999")];
        let refused = self.world.oci(Method::PATCH, location, &headers, "x").await;
        let refused = refused.expect(416);
        let message = refused.json()["errors"][0]["message"].to_string();
        let (_, expected) = message.split_once("instead of ").expect("an offset");
        expected.trim_end_matches('"').parse().expect("a number")
    }

    /// Waits until a request is writing to an upload: a chunk far out of place tells so without
    /// a change.
    pub async fn until_busy(&self, location: &str) {
        let headers = [("content-range", "999999-999999")];
        loop {
            let probe = self.world.oci(Method::PATCH, location, &headers, "x").await;
            if probe.status == 409 {
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    pub async fn is_alive(&self) {
        is_alive(&self.world).await;
    }
}

/// Everything that comes until the server closes; a reset after the answer is as good as an end.
pub async fn rest_of(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    let _ = tokio::time::timeout(PATIENCE, read)
        .await
        .expect("the server closes");
    String::from_utf8_lossy(&answer).into_owned()
}

/// The status of a raw answer, 0 if there is none.
pub fn status(answer: &str) -> u16 {
    let status = answer
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3));
    status.and_then(|status| status.parse().ok()).unwrap_or(0)
}

/// A header of a raw answer, empty if absent.
pub fn header<'a>(answer: &'a str, name: &str) -> &'a str {
    let (head, _) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    let mut pairs = head.lines().filter_map(|line| line.split_once(": "));
    let found = pairs.find(|(key, _)| key.eq_ignore_ascii_case(name));
    found.map_or("", |(_, value)| value)
}
