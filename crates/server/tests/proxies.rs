//! Behind proxies, and with more requests than there is room for: which addresses are given out,
//! who is taken for the client, who is told to come again.
//!
//! faults.md F39; hostile.md B7. The addresses follow the one that the client used (design
//! decision 15).

mod api;

use api::ask::{Ask, INVALID, Protocol, held_against, send};
use api::{ok, repository};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request};
use roadstead_testkit::images::digest;
use roadstead_testkit::{Answer, Layout, World, client};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const ECR: &str = "AmazonEC2ContainerRegistry_V20150921";

async fn world(trusted: &[&str]) -> World {
    let mut builder = World::builder();
    let nets = trusted.iter().map(|net| net.parse().expect("a network"));
    builder.settings.trusted_proxies = nets.collect();
    builder.start().await
}

/// Headers on their way through a proxy.
type Said<'a> = &'a [(&'static str, &'a str)];

fn with(mut request: Request<Bytes>, said: Said<'_>) -> Request<Bytes> {
    for (name, value) in said {
        let value = HeaderValue::from_str(value).expect("a value");
        request
            .headers_mut()
            .insert(HeaderName::from_static(name), value);
    }
    request
}

async fn call(world: &World, operation: &str, body: serde_json::Value, said: Said<'_>) -> Answer {
    let body = Bytes::from(body.to_string());
    let target = format!("{ECR}.{operation}");
    let request = world.signed(&world.credentials, &target, body);
    client::send(world.address, with(request, said)).await
}

/// Every address that a client is given, for a request that comes with these headers.
async fn addresses(world: &World, said: Said<'_>) -> Vec<String> {
    let text = |answer: Answer, path: &str| {
        let found = answer.expect(200).json().pointer(path).cloned();
        found
            .and_then(|value| Some(value.as_str()?.to_owned()))
            .unwrap_or_default()
    };
    let token = call(world, "GetAuthorizationToken", json!({}), said).await;
    let described = call(world, "DescribeRepositories", json!({}), said).await;
    let layer = digest(&Layout::image("one").blobs[1]);
    let ask = json!({ "repositoryName": "app", "layerDigest": layer });
    let link = call(world, "GetDownloadUrlForLayer", ask, said).await;
    let link = text(link, "/downloadUrl");
    let request = Request::get("/v2/").body(Bytes::new()).expect("a request");
    let refused = client::send(world.address, with(request, said)).await;
    let realm = refused.expect(401).header("www-authenticate").to_owned();
    let basic = world.basic(&world.credentials).await;
    let request = Request::post("/v2/app/blobs/uploads/")
        .header("authorization", basic)
        .body(Bytes::new())
        .expect("a request");
    let opened = client::send(world.address, with(request, said)).await;
    let location = opened.expect(202).header("location").to_owned();
    // Relative: right for everybody, whatever is in between.
    assert!(location.starts_with("/v2/app/blobs/uploads/"), "{location}");
    vec![
        text(token, "/authorizationData/0/proxyEndpoint"),
        text(described, "/repositories/0/repositoryUri"),
        link.split("/download/")
            .next()
            .unwrap_or_default()
            .to_owned(),
        realm,
    ]
}

fn expected(scheme: &str, host: &str) -> Vec<String> {
    vec![
        format!("{scheme}://{host}"),
        format!("{host}/app"),
        format!("{scheme}://{host}"),
        format!("Basic realm=\"{scheme}://{host}/\",service=\"ecr.amazonaws.com\""),
    ]
}

#[tokio::test]
async fn f39_every_address_is_the_clients() {
    let (trusting, wary) = (world(&["127.0.0.0/8"]).await, world(&["10.0.0.0/8"]).await);
    for world in [&trusting, &wary] {
        world.push_image("app", "one", &["v1"]).await;
    }
    let own = trusting.address.to_string();
    let rows: [(Said<'_>, &str, &str); 9] = [
        (&[], "http", &own),
        (&[("x-forwarded-proto", "https")], "https", &own),
        (
            &[
                ("x-forwarded-proto", "https"),
                ("x-forwarded-host", "registry.example"),
            ],
            "https",
            "registry.example",
        ),
        (
            &[
                ("x-forwarded-proto", "http"),
                ("x-forwarded-host", "registry.example:8443"),
            ],
            "http",
            "registry.example:8443",
        ),
        (
            &[("forwarded", "proto=https;host=\"registry.example:8443\"")],
            "https",
            "registry.example:8443",
        ),
        (&[("x-forwarded-proto", "gopher")], "http", &own),
        (&[("x-forwarded-host", "user@evil.example")], "http", &own),
        (&[("x-forwarded-host", "evil.example/x")], "http", &own),
        (&[("x-forwarded-for", "198.51.100.7")], "http", &own),
    ];
    for (said, scheme, host) in rows {
        // What is signed for is the host of the client, which a proxy passes on or not.
        let found = match host == own {
            true => addresses(&trusting, said).await,
            false => addresses_signed_for(&trusting, host, said).await,
        };
        assert_eq!(found, expected(scheme, host), "{said:?}");
        let found = addresses(&wary, said).await;
        let own = wary.address.to_string();
        assert_eq!(found, expected("http", &own), "believed: {said:?}");
    }
}

/// As [`addresses`], of a client that signs for `host`.
async fn addresses_signed_for(world: &World, host: &str, said: Said<'_>) -> Vec<String> {
    // Whoever asks by another name signs for it: the Host header is changed after that.
    let ask = Ask::of(world, Protocol::Json);
    let signed = ask.signed_for(world, host);
    let local = world.address.to_string();
    let inner = [("host", local.as_str())];
    let answer = send(world, with(with(signed, &inner), said)).await;
    let uri = answer.expect(200).json()["repositories"][0]["repositoryUri"].clone();
    let request = Request::get("/v2/").body(Bytes::new()).expect("a request");
    let refused = client::send(world.address, with(request, said)).await;
    let realm = refused.expect(401).header("www-authenticate").to_owned();
    let scheme = realm.split(['"', ':']).nth(1).unwrap_or_default();
    vec![
        format!("{scheme}://{host}"),
        uri.as_str().unwrap_or_default().to_owned(),
        format!("{scheme}://{host}"),
        realm,
    ]
}

#[tokio::test]
async fn a_signature_is_for_the_host_that_the_client_asked() {
    let said: Said<'_> = &[("x-forwarded-host", "registry.example")];
    for (trusted, is_believed) in [("127.0.0.1/32", true), ("10.0.0.0/8", false)] {
        let world = world(&[trusted]).await;
        let signed = Ask::of(&world, Protocol::Json).signed_for(&world, "registry.example");
        let local = world.address.to_string();
        let answer = send(&world, with(with(signed, &[("host", &local)]), said)).await;
        match is_believed {
            true => drop(answer.expect(200)),
            false => drop(held_against(INVALID, Protocol::Json, &answer)),
        }
    }
}

/// The conditions of policies see whom a trusted proxy names (IAM User Guide, "aws:SourceIp").
#[tokio::test]
async fn the_source_address_is_that_of_the_client() {
    let policy = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Deny", "Principal": "*", "Action": "ecr:ListImages",
        "Condition": { "IpAddress": { "aws:SourceIp": "198.51.100.0/24" } },
    }] });
    for (trusted, said, is_denied) in [
        ("127.0.0.0/8", "198.51.100.7", true),
        ("127.0.0.0/8", "198.51.100.7, 127.0.0.9", true),
        // A client cannot name itself.
        ("127.0.0.0/8", "198.51.100.7, 203.0.113.9", false),
        ("10.0.0.0/8", "198.51.100.7", false),
    ] {
        let world = world(&[trusted]).await;
        repository(&world, "app").await;
        let put = json!({ "repositoryName": "app", "policyText": policy.to_string() });
        ok(&world, "SetRepositoryPolicy", put).await;
        let list = json!({ "repositoryName": "app" });
        let answer = call(&world, "ListImages", list, &[("x-forwarded-for", said)]).await;
        let status = answer.status.as_u16();
        assert_eq!(
            status == 400,
            is_denied,
            "{trusted} {said}: {}",
            answer.text()
        );
    }
}

/// A server without room says so at once, in the words of either plane, and when to come again.
#[tokio::test]
async fn without_room_clients_are_told_to_come_again() {
    let mut builder = World::builder();
    builder.serving.limits.requests = 1;
    let world = builder.start().await;
    repository(&world, "app").await;
    let path = "/v2/app/blobs/uploads/";
    let opened = world.oci(Method::POST, path, &[], "").await.expect(202);
    let location = opened.header("location").to_owned();
    let basic = world.basic(&world.credentials).await;
    let mut slow = TcpStream::connect(world.address).await.unwrap();
    let head = format!(
        "PATCH {location} HTTP/1.1\r\nHost: x\r\nAuthorization: {basic}\r\nContent-Length: 10\r\n\
         Content-Type: application/octet-stream\r\nExpect: 100-continue\r\n\r\n"
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    let mut piece = [0; 4096];
    // It is being answered from here on.
    let read = slow.read(&mut piece).await.unwrap();
    assert!(piece[..read].starts_with(b"HTTP/1.1 100"), "{read}");

    let refused = world.raw(Method::GET, "/v2/", &[], "").await.expect(503);
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(refused.json()["errors"][0]["code"], "TOOMANYREQUESTS");
    let refused = world
        .ecr("DescribeRepositories", json!({}))
        .await
        .expect(503);
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(refused.json()["__type"], "ServiceUnavailableException");
    // Operators are let in: now they want to look.
    for path in ["/healthz", "/readyz", "/metrics"] {
        world.raw(Method::GET, path, &[], "").await.expect(200);
    }

    slow.write_all(b"0123456789").await.unwrap();
    let read = slow.read(&mut piece).await.unwrap();
    let answer = String::from_utf8_lossy(&piece[..read]).into_owned();
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    drop(slow);
    ok(&world, "DescribeRepositories", json!({})).await;
}
