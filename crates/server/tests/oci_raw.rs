//! Requests to `/v2` byte by byte, as no HTTP client sends them: framing, hosts, broken bodies
//! (hostile inputs A7, B1, B7, B9, C5).

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use roadstead_domain::time::Span;
use roadstead_testkit::World;
use roadstead_testkit::images::digest;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// No answer may take longer.
const PATIENCE: Duration = Duration::from_secs(20);

struct Bench {
    world: World,
    basic: String,
}

impl Bench {
    async fn new() -> Self {
        let world = World::start().await;
        let body = json!({ "repositoryName": "app" });
        world.ecr("CreateRepository", body).await.expect(200);
        let basic = world.basic(&world.credentials).await;
        Self { world, basic }
    }

    /// A head with authorization and a Host.
    fn head(&self, request_line: &str, headers: &str) -> String {
        let basic = &self.basic;
        format!(
            "{request_line} HTTP/1.1\r\nHost: registry\r\nAuthorization: {basic}\r\n{headers}\r\n"
        )
    }

    /// Sends bytes, perhaps ends the sending side, and reads until the server closes.
    async fn exchange(&self, bytes: &[u8], ends: bool) -> String {
        let mut stream = TcpStream::connect(self.world.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        if ends {
            stream.shutdown().await.unwrap();
        }
        let mut answer = Vec::new();
        // A reset after the answer is as good as an end.
        let read = stream.read_to_end(&mut answer);
        let _ = tokio::time::timeout(PATIENCE, read)
            .await
            .expect("the server closes");
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// One request whose connection ends with it.
    async fn request(&self, request_line: &str, headers: &str, body: &str) -> String {
        let head = self.head(request_line, &format!("{headers}Connection: close\r\n"));
        self.exchange(format!("{head}{body}").as_bytes(), false)
            .await
    }

    async fn open(&self) -> String {
        let path = "/v2/app/blobs/uploads/";
        let opened = self.world.oci(Method::POST, path, &[], "").await;
        opened.expect(202).header("location").to_owned()
    }

    /// How many bytes an upload holds, told apart by the offset at which it goes on.
    async fn goes_on_at(&self, location: &str) -> u64 {
        let headers = [("content-range", "999999-999999")];
        let refused = self.world.oci(Method::PATCH, location, &headers, "x").await;
        let refused = refused.expect(416);
        let message = refused.json()["errors"][0]["message"].to_string();
        let (_, expected) = message.split_once("instead of ").unwrap();
        expected.trim_end_matches('"').parse().unwrap()
    }

    async fn is_alive(&self) {
        let answer = self.world.oci(Method::GET, "/v2/", &[], "").await;
        answer.expect(200);
    }
}

fn status(answer: &str) -> u16 {
    let status = answer
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3));
    status.and_then(|status| status.parse().ok()).unwrap_or(0)
}

fn header<'a>(answer: &'a str, name: &str) -> &'a str {
    let (head, _) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    let mut pairs = head.lines().filter_map(|line| line.split_once(": "));
    let found = pairs.find(|(key, _)| key.eq_ignore_ascii_case(name));
    found.map_or("", |(_, value)| value)
}

#[tokio::test]
async fn b1_paths_as_they_are() {
    let bench = Bench::new().await;
    for path in [
        "/v2/../../etc/passwd/manifests/x",
        "/v2/app/../app/manifests/x",
        "/v2/./app/manifests/x",
        "/v2//app/manifests/x",
        "/v2/app\\..\\app/manifests/x",
        "/v2/%2e%2e/%2e%2e/etc/manifests/x",
        "/v2/..%2f..%2fetc/manifests/x",
        "/v2/%252e%252e/app/manifests/x",
        "/v2/app%00/manifests/x",
        "/v2/app\u{e9}/manifests/x",
        "/v2/app manifests/x",
    ] {
        let answer = bench.request(&format!("GET {path}"), "", "").await;
        assert!([400, 404].contains(&status(&answer)), "{path}: {answer}");
        assert_eq!(header(&answer, "location"), "", "{path}");
    }
    // Outside of /v2 nothing is found by walking.
    let answer = bench.request("GET /../v2/", "", "").await;
    assert_eq!(status(&answer), 404, "{answer}");
    bench.is_alive().await;
}

#[tokio::test]
async fn b7_f39_no_host_comes_back() {
    let bench = Bench::new().await;
    let basic = &bench.basic;
    let post = "POST /v2/app/blobs/uploads/";
    let rest = format!("Authorization: {basic}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    for head in [
        format!("{post} HTTP/1.1\r\nHost: evil.example\r\n"),
        format!("{post} HTTP/1.1\r\nHost: registry\r\nX-Forwarded-Host: evil.example\r\n"),
        format!("{post} HTTP/1.1\r\nHost:\r\n"),
        "POST http://evil.example/v2/app/blobs/uploads/ HTTP/1.1\r\nHost: registry\r\n".into(),
        format!("{post} HTTP/1.0\r\n"),
    ] {
        let answer = bench
            .exchange(format!("{head}{rest}").as_bytes(), false)
            .await;
        let answer = answer.replace("HTTP/1.0", "HTTP/1.1");
        assert_eq!(status(&answer), 202, "{head}: {answer}");
        let location = header(&answer, "location");
        assert!(location.starts_with("/v2/app/blobs/uploads/"), "{head}");
        assert!(!answer.contains("evil"), "{head}: {answer}");
    }
    for line in [post, "POST /", "GET /healthz", "GET /download/layer/x"] {
        let two = format!("{line} HTTP/1.1\r\nHost: registry\r\nHost: evil.example\r\n{rest}");
        let answer = bench.exchange(two.as_bytes(), false).await;
        assert_eq!(status(&answer), 400, "{line}: {answer}");
        assert!(answer.ends_with("more than one Host header\n"), "{answer}");
        assert_eq!(header(&answer, "connection"), "close", "{line}");
    }
    bench.is_alive().await;
}

/// RFC 9112, section 3.2: a host that has no form, or none at all, is a bad request.
#[tokio::test]
async fn b7_no_host_and_hosts_without_form() {
    let bench = Bench::new().await;
    for (host, reason) in [
        ("", "no Host header\n"),
        ("Host: x\",service=\"y\r\n", "malformed Host header\n"),
        ("Host: user@evil.example\r\n", "malformed Host header\n"),
        ("Host: a b\r\n", "malformed Host header\n"),
        ("Host: evil.example/x\r\n", "malformed Host header\n"),
        ("Host: a:99999\r\n", "malformed Host header\n"),
    ] {
        for path in ["/v2/", "/", "/healthz", "/v2/app/tags/list"] {
            let head = format!("GET {path} HTTP/1.1\r\n{host}\r\n");
            let answer = bench.exchange(head.as_bytes(), false).await;
            assert_eq!(status(&answer), 400, "{head}: {answer}");
            assert!(answer.ends_with(reason), "{head}: {answer}");
            assert_eq!(header(&answer, "connection"), "close", "{head}");
            assert!(!answer.contains("evil"), "{answer}");
        }
    }
    bench.is_alive().await;
}

#[tokio::test]
async fn b9_methods_and_bodies_out_of_place() {
    let bench = Bench::new().await;
    let five = "Content-Length: 5\r\n";
    let head = bench.request("HEAD /v2/", five, "hello").await;
    assert_eq!(status(&head), 200, "{head}");
    assert!(head.ends_with("\r\n\r\n"), "{head}");
    let get = bench.request("GET /v2/", five, "hello").await;
    assert_eq!(status(&get), 200, "{get}");
    for method in ["TRACE", "BREW", "get", "PROPFIND"] {
        let answer = bench.request(&format!("{method} /v2/"), "", "").await;
        assert_eq!(status(&answer), 405, "{method}: {answer}");
        assert_eq!(header(&answer, "allow"), "GET, HEAD", "{method}");
    }
    let connect = bench.request("CONNECT registry:443", "", "").await;
    assert!((400..500).contains(&status(&connect)), "{connect}");
    bench.is_alive().await;
}

#[tokio::test]
async fn b9_a_body_is_asked_for_only_if_it_is_wanted() {
    let bench = Bench::new().await;
    let location = bench.open().await;
    let wanted = "Content-Length: 5\r\nExpect: 100-continue\r\n";
    let line = format!("PATCH {location}");
    let answer = bench.request(&line, wanted, "hello").await;
    assert!(
        answer.starts_with("HTTP/1.1 100 Continue\r\n\r\n"),
        "{answer}"
    );
    let (_, answer) = answer.split_once("\r\n\r\n").unwrap();
    assert_eq!(status(answer), 202, "{answer}");
    let huge = "Content-Type: text/plain\r\nContent-Length: 1073741824\r\nExpect: 100-continue\r\n";
    let refused = bench.request("PUT /v2/app/manifests/v1", huge, "").await;
    assert_eq!(status(&refused), 413, "{refused}");
}

#[tokio::test]
async fn a7_huge_manifests_are_refused_before_they_are_read() {
    let bench = Bench::new().await;
    let line = "PUT /v2/app/manifests/v1";
    let kind = "Content-Type: application/vnd.oci.image.manifest.v1+json\r\n";
    let announced = format!("{kind}Content-Length: 1073741824\r\n");
    let head = bench.head(line, &announced);
    let answer = bench.exchange(head.as_bytes(), true).await;
    assert_eq!(status(&answer), 413, "{answer}");
    // Without a length, after as much as is allowed.
    let chunked = format!("{kind}Transfer-Encoding: chunked\r\n");
    let mut body = String::new();
    for _ in 0..5 {
        body += &format!("{:x}\r\n{}\r\n", 1024 * 1024, " ".repeat(1024 * 1024));
    }
    body += "0\r\n\r\n";
    let answer = bench.request(line, &chunked, &body).await;
    assert_eq!(status(&answer), 413, "{answer}");
    bench.is_alive().await;
}

#[tokio::test]
async fn c5_a_body_shorter_than_it_says() {
    let bench = Bench::new().await;
    let location = bench.open().await;
    let head = bench.head(&format!("PATCH {location}"), "Content-Length: 10\r\n");
    let answer = bench
        .exchange(format!("{head}hello").as_bytes(), true)
        .await;
    assert!([0, 400].contains(&status(&answer)), "{answer}");
    let kept = bench.goes_on_at(&location).await;
    assert!(kept == 0 || kept == 5, "{kept}");
    let line = format!("PUT {location}?digest={}", digest(b"hello"));
    // Five bytes are promised and three come: never a blob, even though the digest would be right.
    let rest = &"hello"[kept as usize..];
    let head = bench.head(&line, &format!("Content-Length: {}\r\n", rest.len() + 2));
    let answer = bench
        .exchange(format!("{head}{rest}").as_bytes(), true)
        .await;
    assert!([0, 400].contains(&status(&answer)), "{answer}");
    let blob = format!("/v2/app/blobs/{}", digest(b"hello"));
    let missing = bench.world.oci(Method::HEAD, &blob, &[], "").await;
    missing.expect(404);
    let kept = bench.goes_on_at(&location).await as usize;
    let path = format!("{location}?digest={}", digest(b"hello"));
    let rest = &"hello"[kept..];
    let done = bench.world.oci(Method::PUT, &path, &[], rest).await;
    done.expect(201);
}

#[tokio::test]
async fn c5_a_manifest_shorter_than_it_says() {
    let bench = Bench::new().await;
    let kind = "Content-Type: application/vnd.oci.image.manifest.v1+json\r\n";
    let headers = format!("{kind}Content-Length: 100\r\n");
    let head = bench.head("PUT /v2/app/manifests/v1", &headers);
    let answer = bench.exchange(format!("{head}{{}}").as_bytes(), true).await;
    assert!([0, 400].contains(&status(&answer)), "{answer}");
    let path = "/v2/app/manifests/v1";
    let missing = bench.world.oci(Method::HEAD, path, &[], "").await;
    missing.expect(404);
}

#[tokio::test]
async fn c5_a_body_longer_than_it_says() {
    let bench = Bench::new().await;
    let location = bench.open().await;
    let head = bench.head(&format!("PATCH {location}"), "Content-Length: 5\r\n");
    let answer = bench
        .exchange(format!("{head}helloEXTRA\r\n\r\n").as_bytes(), false)
        .await;
    assert_eq!(status(&answer), 202, "{answer}");
    assert_eq!(header(&answer, "range"), "0-4");
    // What follows is read as another request, and is none.
    let (_, second) = answer.split_once("\r\n\r\n").unwrap();
    assert_eq!(status(second), 400, "{answer}");
    assert_eq!(bench.goes_on_at(&location).await, 5);
}

#[tokio::test]
async fn c5_lengths_that_contradict() {
    let bench = Bench::new().await;
    let location = bench.open().await;
    let line = format!("PATCH {location}");
    for headers in [
        "Content-Length: -5\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5, 6\r\n",
        "Content-Length: 99999999999999999999999\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: chunked, gzip\r\n",
    ] {
        let head = bench.head(&line, headers);
        let bytes = format!("{head}5\r\nhello\r\n0\r\n\r\n");
        let answer = bench.exchange(bytes.as_bytes(), false).await;
        assert_eq!(status(&answer), 400, "{headers}: {answer}");
    }
    assert_eq!(bench.goes_on_at(&location).await, 0);
    // Chunks win over a length, and nothing is read behind them (RFC 9112, section 6.1).
    for (headers, kept) in [
        ("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", 5),
        ("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", 10),
    ] {
        let head = bench.head(&line, headers);
        let hidden = bench.head(&format!("DELETE {location}"), "");
        let bytes = format!("{head}5\r\nhello\r\n0\r\n\r\n{hidden}");
        let answer = bench.exchange(bytes.as_bytes(), false).await;
        assert_eq!(status(&answer), 202, "{headers}: {answer}");
        assert_eq!(header(&answer, "connection"), "close", "{headers}");
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
        assert_eq!(bench.goes_on_at(&location).await, kept, "{headers}");
    }
    bench.is_alive().await;
}

#[tokio::test]
async fn c5_chunks() {
    let bench = Bench::new().await;
    let chunked = "Transfer-Encoding: chunked\r\n";
    for (body, is_good) in [
        ("5\r\nhello\r\n0\r\n\r\n", true),
        ("5;name=value\r\nhello\r\n0\r\n\r\n", true),
        ("5\r\nhello\r\n0\r\nX-Trailer: yes\r\n\r\n", true),
        ("FFFFFFFFFFFFFFFF\r\nhello", false),
        ("FFFFFFFFFFFFFFFFF\r\nhello", false),
        ("-5\r\nhello\r\n0\r\n\r\n", false),
        ("zz\r\nhello\r\n0\r\n\r\n", false),
        ("5\r\nhelloX\r\n0\r\n\r\n", false),
        ("5\r\nhel", false),
        ("5\r\nhello\r\n", false),
    ] {
        let location = bench.open().await;
        let line = format!("PUT {location}?digest={}", digest(b"hello"));
        let head = bench.head(&line, &format!("{chunked}Connection: close\r\n"));
        let answer = bench
            .exchange(format!("{head}{body}").as_bytes(), !is_good)
            .await;
        let blob = format!("/v2/app/blobs/{}", digest(b"hello"));
        let found = bench.world.oci(Method::HEAD, &blob, &[], "").await;
        let found = found.status.as_u16();
        if is_good {
            assert_eq!((status(&answer), found), (201, 200), "{body}: {answer}");
            // Gone for the next row.
            let delete = json!({ "repositoryName": "app", "force": true });
            bench
                .world
                .ecr("DeleteRepository", delete)
                .await
                .expect(200);
            let again = json!({ "repositoryName": "app" });
            bench.world.ecr("CreateRepository", again).await.expect(200);
        } else {
            assert!([0, 400].contains(&status(&answer)), "{body}: {answer}");
            assert_eq!(found, 404, "{body}");
        }
    }
    bench.is_alive().await;
}

#[tokio::test]
async fn c1_a_stream_must_be_as_long_as_its_range() {
    let bench = Bench::new().await;
    for body in [
        "5\r\nhello\r\n",
        "3\r\nhel\r\n",
        "5\r\nhello\r\n5\r\nworld\r\n",
    ] {
        let location = bench.open().await;
        let line = format!("PATCH {location}");
        let headers = "Transfer-Encoding: chunked\r\nContent-Range: 0-7\r\n";
        let answer = bench
            .request(&line, headers, &format!("{body}0\r\n\r\n"))
            .await;
        assert_eq!(status(&answer), 400, "{body}: {answer}");
        assert!(answer.contains("SIZE_INVALID"), "{answer}");
        assert!(bench.goes_on_at(&location).await <= 8, "{body}");
    }
    let location = bench.open().await;
    let headers = "Transfer-Encoding: chunked\r\nContent-Range: 0-4\r\n";
    let body = "5\r\nhello\r\n0\r\n\r\n";
    let answer = bench
        .request(&format!("PATCH {location}"), headers, body)
        .await;
    assert_eq!(status(&answer), 202, "{answer}");
}

#[tokio::test]
async fn an_early_refusal_reaches_a_sender_that_is_still_sending() {
    let bench = Bench::new().await;
    let body = "x".repeat(32 * 1024 * 1024);
    let length = format!("Content-Length: {}\r\n", body.len());
    let unknown = "PATCH /v2/app/blobs/uploads/00000000-0000-4000-8000-000000000000";
    let answer = bench.request(unknown, &length, &body).await;
    assert_eq!(status(&answer), 404, "{answer}");
    assert!(answer.contains("BLOB_UPLOAD_UNKNOWN"), "{answer}");
    let head = format!("{unknown} HTTP/1.1\r\nHost: registry\r\n{length}Connection: close\r\n\r\n");
    let answer = bench
        .exchange(format!("{head}{body}").as_bytes(), false)
        .await;
    assert_eq!(status(&answer), 401, "{answer}");
}

#[tokio::test]
async fn f48_a_pull_in_progress_outlives_what_it_reads() {
    let world = World::builder().without_grace().start().await;
    let body = json!({ "repositoryName": "app" });
    world
        .ecr("CreateRepository", body.clone())
        .await
        .expect(200);
    // More than the sockets between hold, so that most of it is read after the deletion.
    let size = 48 * 1024 * 1024_usize;
    let blob: Bytes = (0..size).map(|n| (n % 251) as u8).collect();
    let digest = world.push_blob("app", &blob).await;
    let basic = world.basic(&world.credentials).await;
    let bench = Bench { world, basic };
    let headers = "Connection: close\r\n";
    let head = bench.head(&format!("GET /v2/app/blobs/{digest}"), headers);
    let mut stream = TcpStream::connect(bench.world.address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut first = [0; 1024];
    stream.read_exact(&mut first).await.unwrap();

    let delete = json!({ "repositoryName": "app", "force": true });
    let world = &bench.world;
    world.ecr("DeleteRepository", delete).await.expect(200);
    world.clock.advance(Span::seconds(1));
    world.sweep().await;
    assert_eq!(world.blob_bytes(), 0);
    world.ecr("CreateRepository", body).await.expect(200);
    let path = format!("/v2/app/blobs/{digest}");
    let gone = world.oci(Method::GET, &path, &[], "").await;
    assert_eq!(gone.code(), (404, "BLOB_UNKNOWN".into()));

    let mut answer = first.to_vec();
    let read = stream.read_to_end(&mut answer);
    tokio::time::timeout(PATIENCE, read).await.unwrap().unwrap();
    let start = answer
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap()
        + 4;
    assert!(
        answer[start..] == blob[..],
        "{} bytes",
        answer.len() - start
    );
}
