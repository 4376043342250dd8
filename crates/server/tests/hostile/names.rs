//! Section B: names, paths, encodings, hosts, ranges and methods.

use http::Method;
use roadstead_testkit::images::{OCI_MANIFEST, digest};
use roadstead_testkit::{Layout, World};
use serde_json::json;

use crate::api;
use crate::bench::{Bench, Stored, both_modes, header, status, world_with_image};

#[tokio::test]
async fn b1_paths_as_they_are() {
    let bench = Bench::new().await;
    let before = Stored::of(&bench.world);
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
    for method in ["PUT", "POST", "PATCH", "DELETE"] {
        let path = "/v2/other/../app/blobs/uploads/";
        let answer = bench.request(&format!("{method} {path}"), "", "").await;
        assert_eq!(status(&answer), 400, "{method}: {answer}");
        assert!(answer.contains("NAME_INVALID"), "{answer}");
    }
    // Outside of /v2 nothing is found by walking.
    let answer = bench.request("GET /../v2/", "", "").await;
    assert_eq!(status(&answer), 404, "{answer}");
    before.is_unchanged(&bench.world).await;
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
    // A login is for the AWS APIs there.
    let login = bench.request("DELETE /", "", "").await;
    let stranger = "DELETE / HTTP/1.1\r\nHost: registry\r\nConnection: close\r\n\r\n";
    let stranger = bench.exchange(stranger.as_bytes(), false).await;
    for (answer, allowed) in [(login, "POST"), (stranger, "GET, HEAD, POST")] {
        assert_eq!(status(&answer), 405, "{answer}");
        assert_eq!(header(&answer, "allow"), allowed, "{answer}");
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
async fn b3_repositories_that_look_like_endpoints() {
    let world = World::start().await;
    for name in [
        "foo/blobs/bar",
        "x/blobs/uploads",
        "x/manifests/latest",
        "x/tags/list",
        "v2/v2",
        "referrers/y",
        "manifests",
        "blobs/uploads",
    ] {
        let image = world.push_image(name, name, &["v1"]).await;
        let path = format!("/v2/{name}/manifests/v1");
        let got = world.oci(Method::GET, &path, &[], "").await.expect(200);
        assert_eq!(got.body, image.bytes, "{name}");
        let config = digest(&Layout::image(name).blobs[0]);
        let path = format!("/v2/{name}/blobs/{config}");
        world.oci(Method::GET, &path, &[], "").await.expect(200);
        let path = format!("/v2/{name}/tags/list");
        let tags = world.oci(Method::GET, &path, &[], "").await.expect(200);
        assert_eq!(tags.json(), json!({ "name": name, "tags": ["v1"] }));
        let path = format!("/v2/{name}/referrers/{}", image.digest);
        world.oci(Method::GET, &path, &[], "").await.expect(200);
        let path = format!("/v2/{name}/blobs/uploads/");
        let opened = world.oci(Method::POST, &path, &[], "").await.expect(202);
        let upload = opened.header("location").to_owned();
        world
            .oci(Method::DELETE, &upload, &[], "")
            .await
            .expect(204);
    }
}

#[tokio::test]
async fn b2_names_that_are_none() {
    let (world, _) = world_with_image().await;
    let before = Stored::of(&world);
    let long = "a".repeat(257);
    let deep = "a/".repeat(200) + "a";
    for name in [
        "a",
        "A/b",
        "a__b__",
        "a..b",
        "-a",
        "a//b",
        "a1/../app",
        "a1/%2e%2e/app",
        "..%2fapp",
        "%252e%252e/app",
        "./app",
        "%C3%A9t%C3%A9",
        "%F0%9F%98%80",
        "a%00b",
        "a%0Ab",
        "a%20b",
        "_catalog",
        "app%2F..%2Fapp",
        "e%CC%81t",
        &long,
        &deep,
    ] {
        for path in [
            format!("/v2/{name}/manifests/v1"),
            format!("/v2/{name}/tags/list"),
            format!("/v2/{name}/blobs/uploads/x"),
        ] {
            let answer = world.oci(Method::GET, &path, &[], "").await;
            assert_eq!(answer.code(), (400, "NAME_INVALID".into()), "{path}");
            assert_eq!(answer.header("location"), "", "{path}");
        }
    }
    let combined = "e\u{301}t";
    for name in [
        "", "a", "A/b", "a__b__", "a..b", "-a", "a/", "a//b", "a/../b", "é", combined, "🚢",
        "a\u{0}b", "a\nb", "a b", &long, &deep,
    ] {
        let body = json!({ "repositoryName": name });
        let refused = world.ecr("CreateRepository", body).await;
        let code = (400, "InvalidParameterException".into());
        assert_eq!(refused.code(), code, "{name}");
    }
    before.is_unchanged(&world).await;
    let longest = "a".repeat(256);
    let body = json!({ "repositoryName": longest });
    world.ecr("CreateRepository", body).await.expect(200);
    let path = format!("/v2/{longest}/tags/list");
    world.oci(Method::GET, &path, &[], "").await.expect(200);
    for path in [
        "/v2/app",
        "/v2/app/",
        "/v2/app/x",
        "/v2/x/y/z/",
        "/v2/app/manifests/",
    ] {
        let answer = world.oci(Method::GET, path, &[], "").await;
        assert_eq!(answer.code(), (404, "UNSUPPORTED".into()), "{path}");
    }
}

#[tokio::test]
async fn b8_ranges_that_overflow() {
    let (world, _) = world_with_image().await;
    let layer = Layout::image("one").blobs[1].clone();
    let path = format!("/v2/app/blobs/{}", digest(&layer));
    let many = format!("bytes={}", vec!["0-0"; 1000].join(","));
    for (range, status) in [
        ("bytes=5-2", 416),
        ("bytes=-0", 416),
        ("bytes=18446744073709551615-", 416),
        ("bytes=18446744073709551616-18446744073709551617", 416),
        ("bytes=-99999999", 206),
        ("bytes=0-18446744073709551615", 206),
        ("items=0-1", 200),
        ("bytes=0-0,5-9", 200),
        (&many, 200),
    ] {
        let headers = [("range", range)];
        let answer = world.oci(Method::GET, &path, &headers, "").await;
        let answer = answer.expect(status);
        if status != 416 {
            assert_eq!(answer.body, layer, "{range}");
        } else {
            let expected = format!("bytes */{}", layer.len());
            assert_eq!(answer.header("content-range"), expected, "{range}");
        }
    }
}

#[tokio::test]
async fn b4_references_that_are_none() {
    for (is_strict, world) in both_modes().await {
        world.push_image("app", "one", &["v1"]).await;
        let (long, before) = ("a".repeat(129), Stored::of(&world));
        let empty = world
            .oci(Method::PUT, "/v2/app/manifests/", &[], "{}")
            .await;
        assert_eq!(empty.code(), (404, "UNSUPPORTED".into()));
        for bad in [
            ".a",
            "-a",
            "a@b",
            "a+b",
            "latest%0a",
            "a%2Fb",
            "%C3%A9",
            &long,
        ] {
            let path = format!("/v2/app/manifests/{bad}");
            let put = world
                .push_manifest("app", bad, &Layout::image("one").manifest)
                .await;
            assert_eq!(put.code(), (400, "TAG_INVALID".into()), "{bad}");
            let get = world.oci(Method::GET, &path, &[], "").await;
            let expected = match is_strict {
                false => (404, "MANIFEST_UNKNOWN".to_owned()),
                true => (400, "TAG_INVALID".to_owned()),
            };
            assert_eq!(get.code(), expected, "{bad}");
        }
        for bad in ["a:b", "sha256:", "sha256:abc", "md5:abc"] {
            for method in [Method::GET, Method::PUT, Method::DELETE] {
                let path = format!("/v2/app/manifests/{bad}");
                let headers = [("content-type", OCI_MANIFEST)];
                let refused = world.oci(method, &path, &headers, "{}").await;
                assert_eq!(refused.code(), (400, "DIGEST_INVALID".into()), "{bad}");
            }
        }
        before.is_unchanged(&world).await;
        let good = "a".repeat(128);
        let manifest = Layout::image("one").manifest;
        let put = world.push_manifest("app", &good, &manifest).await;
        put.expect(201);
        // The API's tags are longer.
        for (tag, expected) in [
            ("a".repeat(129), (200, "")),
            ("a".repeat(300), (200, "")),
            ("a".repeat(301), (400, "InvalidParameterException")),
            (String::new(), (400, "InvalidParameterException")),
            ("a:b".into(), (400, "InvalidParameterException")),
            ("a\n".into(), (400, "InvalidParameterException")),
        ] {
            let body = api::put_image("app", &manifest, Some(&tag));
            let answer = world.ecr("PutImage", body).await;
            assert_eq!(answer.code(), (expected.0, expected.1.into()), "{tag}");
        }
    }
}

#[tokio::test]
async fn b9_methods_that_are_not_there() {
    for (_, world) in both_modes().await {
        world.push_image("app", "one", &["v1"]).await;
        let layer = digest(&Layout::image("one").blobs[1]);
        for (method, path, allow) in [
            (
                Method::POST,
                format!("/v2/app/blobs/{layer}"),
                "GET, HEAD, DELETE",
            ),
            (Method::POST, "/v2/".into(), "GET, HEAD"),
            (Method::PUT, "/v2/_catalog".into(), "GET, HEAD"),
            (Method::POST, "/v2/app/tags/list".into(), "GET, HEAD"),
            (
                Method::DELETE,
                format!("/v2/app/referrers/{layer}"),
                "GET, HEAD",
            ),
            (Method::GET, "/v2/app/blobs/uploads/".into(), "POST"),
            (
                Method::POST,
                "/v2/app/manifests/v1".into(),
                "GET, HEAD, PUT, DELETE",
            ),
            (
                Method::POST,
                "/v2/app/blobs/uploads/x".into(),
                "GET, HEAD, PATCH, PUT, DELETE",
            ),
            (Method::TRACE, "/v2/".into(), "GET, HEAD"),
            (Method::OPTIONS, "/v2/".into(), "GET, HEAD"),
        ] {
            let overridden = [("x-http-method-override", "GET")];
            let refused = world.oci(method.clone(), &path, &overridden, "").await;
            let code = (405, "UNSUPPORTED".into());
            assert_eq!(refused.code(), code, "{method} {path}");
            assert_eq!(refused.header("allow"), allow, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn b6_page_numbers() {
    for (is_strict, too_large) in [
        (false, (200, String::new())),
        (true, (405, "UNSUPPORTED".into())),
    ] {
        let builder = World::builder();
        let builder = if is_strict { builder.strict() } else { builder };
        let world = builder.start().await;
        world.push_image("app", "one", &["v1", "v2"]).await;
        for bad in ["-1", "abc", "", "1.5", "+1", "%00", "0x1"] {
            for path in ["/v2/app/tags/list", "/v2/_catalog"] {
                let path = format!("{path}?n={bad}");
                let refused = world.oci(Method::GET, &path, &[], "").await;
                let code = (400, "PAGINATION_NUMBER_INVALID".into());
                assert_eq!(refused.code(), code, "{bad}");
            }
        }
        for n in ["1001", "1000000000000", "99999999999999999999999999"] {
            for path in ["/v2/app/tags/list", "/v2/_catalog"] {
                let path = format!("{path}?n={n}");
                let answer = world.oci(Method::GET, &path, &[], "").await;
                assert_eq!(answer.code(), too_large, "{n}");
            }
        }
        for last in ["%00", "a%0ab", "a/b", "sha256:x"] {
            let path = format!("/v2/app/tags/list?last={last}");
            let refused = world.oci(Method::GET, &path, &[], "").await;
            let code = (400, "PAGINATION_NUMBER_INVALID".into());
            assert_eq!(refused.code(), code, "{last}");
        }
        let path = "/v2/app/tags/list?n=0";
        let empty = world.oci(Method::GET, path, &[], "").await.expect(200);
        assert_eq!(empty.json(), json!({ "name": "app", "tags": [] }));
        assert_eq!(empty.header("link"), "");
        let path = "/v2/app/tags/list?n=1000";
        world.oci(Method::GET, path, &[], "").await.expect(200);
        // An entry that is not there is a place in the order all the same.
        let path = "/v2/app/tags/list?last=v1zzz";
        let after = world.oci(Method::GET, path, &[], "").await.expect(200);
        assert_eq!(after.json(), json!({ "name": "app", "tags": ["v2"] }));
    }
}

#[tokio::test]
async fn b5_a_text_is_decoded_once() {
    let (world, _) = world_with_image().await;
    let before = Stored::of(&world);
    let layout = Layout::image("one");
    let (layer, manifest) = (digest(&layout.blobs[1]), &layout.manifest.digest);
    for digest in [layer.replace(':', "%3A"), layer.replace(':', "%3a")] {
        let path = format!("/v2/app/blobs/{digest}");
        let got = world.oci(Method::GET, &path, &[], "").await.expect(200);
        assert_eq!(got.body, layout.blobs[1]);
    }
    let encoded = manifest.replace(':', "%3A");
    for path in [
        format!("/v2/app/manifests/{encoded}"),
        format!("/v2/app/referrers/{encoded}"),
        "/v2/%61pp/manifests/v%31".into(),
    ] {
        world.oci(Method::GET, &path, &[], "").await.expect(200);
    }
    let twice = manifest.replace(':', "%253A");
    let once = (400, "DIGEST_INVALID".to_owned());
    for (path, expected) in [
        (format!("/v2/app/blobs/{twice}"), once.clone()),
        (format!("/v2/app/referrers/{twice}"), once),
        (
            "/v2/team%2Fapp/manifests/v1".into(),
            (400, "NAME_INVALID".into()),
        ),
        (
            "/v2/app%2Fmanifests%2Fv1".into(),
            (400, "NAME_INVALID".into()),
        ),
        (
            "/v2/app/manifests/v1%2F..%2Fv1".into(),
            (404, "MANIFEST_UNKNOWN".into()),
        ),
    ] {
        let answer = world.oci(Method::GET, &path, &[], "").await;
        assert_eq!(answer.code(), expected, "{path}");
    }
    before.is_unchanged(&world).await;
}
