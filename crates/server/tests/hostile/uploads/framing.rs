//! C5: bodies that are not as long as their heads say, by any of the ways that HTTP has to say so.

use http::Method;
use roadstead_testkit::images::digest;
use serde_json::json;

use crate::bench::{Bench, header, status};

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
async fn c5_an_early_refusal_reaches_a_sender_that_is_still_sending() {
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
