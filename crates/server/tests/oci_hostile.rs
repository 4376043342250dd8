//! Hostile requests to `/v2`, by the rows of the table of hostile inputs: what must come back, and
//! that the server goes on afterwards. Requests that no HTTP client sends are in `oci_raw`.

use std::sync::Arc;

use bytes::Bytes;
use http::Method;
use roadstead_testkit::images::{OCI_INDEX, OCI_MANIFEST, digest};
use roadstead_testkit::{Answer, Artifact, Layout, World};
use serde_json::{Value, json};
use tokio::task::JoinSet;

async fn world_with_image() -> (World, Value) {
    let world = World::start().await;
    let manifest = world.push_image("app", "one", &["v1"]).await;
    let json = serde_json::from_slice(&manifest.bytes).unwrap();
    (world, json)
}

async fn put(world: &World, content_type: &str, body: impl Into<Bytes>) -> Answer {
    let headers = [("content-type", content_type)];
    let path = "/v2/app/manifests/hostile";
    world.oci(Method::PUT, path, &headers, body).await
}

/// Every body is refused as a bad manifest, nothing is stored, and the server goes on.
async fn refused(world: &World, content_type: &str, bodies: Vec<(&str, Vec<u8>)>) {
    for (what, body) in bodies {
        let answer = put(world, content_type, body).await;
        assert_eq!(answer.code(), (400, "MANIFEST_INVALID".into()), "{what}");
    }
    let path = "/v2/app/manifests/hostile";
    world.oci(Method::GET, path, &[], "").await.expect(404);
    let path = "/v2/app/manifests/v1";
    world.oci(Method::GET, path, &[], "").await.expect(200);
}

#[tokio::test]
async fn a2_a_digest_that_the_manifest_does_not_have() {
    let (world, _) = world_with_image().await;
    let one = Layout::image("one").manifest;
    let other = digest(b"another manifest");
    let answer = world.push_manifest("app", &other, &one).await;
    assert_eq!(answer.code(), (400, "DIGEST_INVALID".into()));
    let path = format!("/v2/app/manifests/{other}");
    world.oci(Method::GET, &path, &[], "").await.expect(404);
}

#[tokio::test]
async fn a3_texts_that_are_no_digests() {
    let (world, _) = world_with_image().await;
    let good = digest(&Layout::image("one").blobs[1]);
    let hex = &good["sha256:".len()..];
    for bad in [
        format!("sha256:{}", &hex[1..]),
        format!("{good}0"),
        good.to_uppercase(),
        format!("sha256:{}", hex.to_uppercase()),
        format!("md5:{}", &hex[..32]),
        format!("sha512:{hex}"),
        "sha256:".into(),
        hex.to_owned(),
        "sha256:..%2F..%2Fx".into(),
        "%00".into(),
    ] {
        for path in [
            format!("/v2/app/blobs/{bad}"),
            format!("/v2/app/referrers/{bad}"),
        ] {
            let answer = world.oci(Method::GET, &path, &[], "").await;
            assert_eq!(answer.code(), (400, "DIGEST_INVALID".into()), "{path}");
        }
        let upload = format!("/v2/app/blobs/uploads/?digest={bad}");
        let answer = world.oci(Method::POST, &upload, &[], "x").await;
        assert_eq!(answer.code(), (400, "DIGEST_INVALID".into()), "{bad}");
    }
    // B5: the colon may be encoded.
    let encoded = format!("/v2/app/blobs/{}", good.replace(':', "%3A"));
    world.oci(Method::GET, &encoded, &[], "").await.expect(200);
}

#[tokio::test]
async fn a4_blobs_that_the_repository_does_not_hold() {
    let (world, manifest) = world_with_image().await;
    let missing = json!({ "mediaType": "application/x", "digest": digest(b"missing"), "size": 7 });
    for member in ["config", "layers"] {
        let mut manifest = manifest.clone();
        manifest[member] = match member {
            "config" => missing.clone(),
            _ => json!([missing]),
        };
        let answer = put(&world, OCI_MANIFEST, manifest.to_string()).await;
        let code = (400, "MANIFEST_BLOB_UNKNOWN".into());
        assert_eq!(answer.code(), code, "{member}");
    }
    // What may not be distributed need not be there.
    let mut foreign = manifest;
    foreign["layers"] = json!([{
        "mediaType": "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        "digest": digest(b"missing"),
        "size": 7,
        "urls": ["https://example.com/layer"],
    }]);
    put(&world, OCI_MANIFEST, foreign.to_string())
        .await
        .expect(201);
}

#[tokio::test]
async fn a5_a_child_that_is_not_there() {
    let (world, _) = world_with_image().await;
    let child = json!({ "mediaType": OCI_MANIFEST, "digest": digest(b"missing"), "size": 7 });
    let index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [child] });
    let answer = put(&world, OCI_INDEX, index.to_string()).await;
    assert_eq!(answer.code(), (400, "MANIFEST_BLOB_UNKNOWN".into()));
}

#[tokio::test]
async fn a6_sizes_that_are_not_true() {
    let (world, manifest) = world_with_image().await;
    let sizes = [
        json!(1),
        json!(-1),
        json!(9_223_372_036_854_775_808_u64),
        json!(1.5),
        json!("7"),
        Value::Null,
    ];
    let mut bodies = Vec::new();
    for size in sizes {
        for member in ["/config/size", "/layers/0/size"] {
            let mut manifest = manifest.clone();
            *manifest.pointer_mut(member).unwrap() = size.clone();
            bodies.push(("size", manifest.to_string().into_bytes()));
        }
    }
    refused(&world, OCI_MANIFEST, bodies).await;
}

#[tokio::test]
async fn a7_manifests_of_four_mebibytes_and_more() {
    let (world, mut manifest) = world_with_image().await;
    let limit = 4 * 1024 * 1024;
    manifest["annotations"] = json!({ "filler": "" });
    let rest = limit - manifest.to_string().len();
    manifest["annotations"] = json!({ "filler": "x".repeat(rest) });
    let largest = manifest.to_string();
    assert_eq!(largest.len(), limit);
    put(&world, OCI_MANIFEST, largest.clone()).await.expect(201);
    for length in [limit + 1, 16 * limit] {
        let mut body = largest.clone().into_bytes();
        body.resize(length, b' ');
        let answer = put(&world, OCI_MANIFEST, body).await;
        assert_eq!(answer.code(), (413, "SIZE_INVALID".into()), "{length}");
    }
}

#[tokio::test]
async fn a8_json_that_two_readers_read_differently() {
    let (world, manifest) = world_with_image().await;
    let text = manifest.to_string();
    let nested = |open: &str, close: &str| {
        let (deep, far) = (open.repeat(100_000), close.repeat(100_000));
        text.replacen('{', &format!("{{\"x\":{deep}1{far},"), 1)
    };
    let inside = |member: &str| text.replacen('{', &format!("{{{member},"), 1);
    let many: String = (0..200_000).map(|n| format!("\"k{n}\":0,")).collect();
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let bodies = vec![
        ("nested arrays", nested("[", "]").into_bytes()),
        ("nested objects", nested("{\"a\":", "}").into_bytes()),
        ("unclosed", "[".repeat(200_000).into_bytes()),
        ("a key twice", inside("\"schemaVersion\":2").into_bytes()),
        (
            "a digest twice",
            text.replacen("\"digest\"", "\"digest\":\"sha256:00\",\"digest\"", 1)
                .into_bytes(),
        ),
        ("byte order mark", format!("\u{feff}{text}").into_bytes()),
        ("utf-16", utf16),
        ("lone surrogate", inside("\"x\":\"\\ud800\"").into_bytes()),
        ("nul", inside("\"artifactType\":\"a\\u0000b\"").into_bytes()),
        ("trailing bytes", format!("{text}{{}}").into_bytes()),
        ("trailing nul", format!("{text}\0").into_bytes()),
        ("not utf-8", [text.as_bytes(), b"\xff"].concat()),
        ("many keys, cut short", format!("{{{many}").into_bytes()),
    ];
    refused(&world, OCI_MANIFEST, bodies).await;
    // Many keys alone are no crime.
    let many = text.replacen('{', &format!("{{{many}"), 1);
    put(&world, OCI_MANIFEST, many).await.expect(201);
}

#[tokio::test]
async fn a9_a_manifest_that_could_be_two_things() {
    let (world, manifest) = world_with_image().await;
    let with = |member: &str, value: Value| {
        let mut manifest = manifest.clone();
        manifest[member] = value;
        (member.to_owned(), manifest.to_string().into_bytes())
    };
    for (what, body) in [
        with("manifests", json!([])),
        with("fsLayers", json!([])),
        with("mediaType", json!(OCI_INDEX)),
        with("mediaType", json!(7)),
    ] {
        refused(&world, OCI_MANIFEST, vec![(&what, body)]).await;
    }
    let text = manifest.to_string();
    for content_type in [
        OCI_INDEX,
        "text/html",
        "application/json",
        "application/octet-stream",
        "",
    ] {
        let bodies = vec![(content_type, text.clone().into_bytes())];
        refused(&world, content_type, bodies).await;
    }
    let path = "/v2/app/manifests/hostile";
    let without = world.oci(Method::PUT, path, &[], text).await;
    assert_eq!(without.code(), (400, "MANIFEST_INVALID".into()));
}

#[tokio::test]
async fn a10_lists_longer_than_any_image() {
    let (world, manifest) = world_with_image().await;
    let mut long = manifest.clone();
    let layer = manifest["layers"][0].clone();
    long["layers"] = vec![layer.clone(); 10_000].into();
    let one = Layout::image("one").manifest;
    let child = json!({ "mediaType": OCI_MANIFEST, "digest": one.digest, "size": one.bytes.len() });
    let children = vec![child; 10_000];
    let index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children });
    let layers = vec![("layers", long.to_string().into_bytes())];
    refused(&world, OCI_MANIFEST, layers).await;
    let children = vec![("children", index.to_string().into_bytes())];
    refused(&world, OCI_INDEX, children).await;
    // A layer that is listed many times is one layer; annotations are free.
    let mut repeated = manifest;
    repeated["layers"] = vec![layer; 4000].into();
    let annotations = (0..10_000).map(|n| (format!("k{n}"), Value::from("v")));
    repeated["annotations"] = Value::Object(annotations.collect());
    put(&world, OCI_MANIFEST, repeated.to_string())
        .await
        .expect(201);
}

#[tokio::test]
async fn a11_manifests_of_other_kinds() {
    let (world, mut manifest) = world_with_image().await;
    for kind in [
        "application/vnd.docker.distribution.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
        "application/vnd.example.manifest.v1+json",
    ] {
        manifest["mediaType"] = kind.into();
        let body = manifest.to_string().into_bytes();
        refused(&world, kind, vec![(kind, body)]).await;
    }
    manifest["mediaType"] = OCI_MANIFEST.into();
    manifest["schemaVersion"] = 1.into();
    let body = manifest.to_string().into_bytes();
    refused(&world, OCI_MANIFEST, vec![("schema 1", body)]).await;
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
async fn b1_b2_names_that_are_none() {
    let (world, _) = world_with_image().await;
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
async fn c2_of_many_chunks_for_one_place_one_is_kept() {
    let (world, _) = world_with_image().await;
    let world = Arc::new(world);
    let opened = world.oci(Method::POST, "/v2/app/blobs/uploads/", &[], "");
    let location = opened.await.expect(202).header("location").to_owned();
    let basic = world.basic(&world.credentials).await;
    let chunk = |letter: u8| Bytes::from(vec![letter; 1024 * 1024]);
    let mut patches = JoinSet::new();
    for letter in b'a'..=b'h' {
        let (world, location, basic) = (world.clone(), location.clone(), basic.clone());
        let body = chunk(letter);
        patches.spawn(async move {
            let headers = [
                ("authorization", basic.as_str()),
                ("content-range", "0-1048575"),
            ];
            let answer = world.raw(Method::PATCH, &location, &headers, body).await;
            (letter, answer.status.as_u16())
        });
    }
    let outcomes = patches.join_all().await;
    let winners: Vec<u8> = outcomes
        .iter()
        .filter(|(_, status)| *status == 202)
        .map(|(letter, _)| *letter)
        .collect();
    assert_eq!(winners.len(), 1, "{outcomes:?}");
    let is_refusal = |status: u16| status == 409 || status == 416;
    assert!(
        outcomes
            .iter()
            .all(|(_, status)| *status == 202 || is_refusal(*status)),
        "{outcomes:?}"
    );
    let whole = chunk(winners[0]);
    let path = format!("{location}?digest={}", digest(&whole));
    world.oci(Method::PUT, &path, &[], "").await.expect(201);
}

#[tokio::test]
async fn c3_of_many_endings_one_makes_the_blob() {
    let (world, _) = world_with_image().await;
    let world = Arc::new(world);
    let before = world.blob_files().len();
    let opened = world.oci(Method::POST, "/v2/app/blobs/uploads/", &[], "");
    let location = opened.await.expect(202).header("location").to_owned();
    let body = Bytes::from(vec![b'x'; 1024 * 1024]);
    let path = format!("{location}?digest={}", digest(&body));
    let basic = world.basic(&world.credentials).await;
    let mut endings = JoinSet::new();
    for _ in 0..8 {
        let (world, path, basic, body) = (world.clone(), path.clone(), basic.clone(), body.clone());
        endings.spawn(async move {
            let headers = [("authorization", basic.as_str())];
            world
                .raw(Method::PUT, &path, &headers, body)
                .await
                .status
                .as_u16()
        });
    }
    let mut statuses = endings.join_all().await;
    statuses.sort_unstable();
    assert_eq!(statuses[0], 201, "{statuses:?}");
    assert!(
        statuses[1..]
            .iter()
            .all(|status| [404, 409].contains(status)),
        "{statuses:?}"
    );
    let blob = format!("/v2/app/blobs/{}", digest(&body));
    let got = world.oci(Method::GET, &blob, &[], "").await.expect(200);
    assert_eq!(got.body, body);
    assert_eq!(world.blob_files().len(), before + 1);
}

#[tokio::test]
async fn c7_mounts_that_tell_nothing() {
    let (world, _) = world_with_image().await;
    for name in ["to", "empty"] {
        let body = json!({ "repositoryName": name });
        world.ecr("CreateRepository", body).await.expect(200);
    }
    let other = world.key_of("999999999999").await;
    let body = json!({ "repositoryName": "theirs" });
    let made = world.ecr_as(&other, "CreateRepository", body).await;
    made.expect(200);
    let (there, missing) = (
        digest(&Layout::image("one").blobs[1]),
        digest(b"never pushed"),
    );
    let mount = async |query: String| {
        let path = format!("/v2/to/blobs/uploads/?{query}");
        world.oci(Method::POST, &path, &[], "").await
    };
    for query in [
        format!("mount={missing}&from=app"),
        format!("mount={there}&from=empty"),
        format!("mount={there}&from=theirs"),
        format!("mount={there}&from=nowhere"),
        format!("mount={there}&from=to"),
        format!("mount={there}&from=../x"),
        format!("mount={there}&from="),
        format!("mount={there}"),
        "mount=sha256:x&from=app".into(),
        "mount=&from=app".into(),
    ] {
        let answer = mount(query.clone()).await;
        assert_eq!(answer.status.as_u16(), 202, "{query}");
        assert_eq!(answer.header("docker-content-digest"), "", "{query}");
        let id = answer.header("docker-upload-uuid");
        let location = format!("/v2/to/blobs/uploads/{id}");
        assert_eq!(answer.header("location"), location, "{query}");
    }
    let path = format!("/v2/to/blobs/{there}");
    world.oci(Method::HEAD, &path, &[], "").await.expect(404);
    mount(format!("mount={there}&from=app")).await.expect(201);
    world.oci(Method::HEAD, &path, &[], "").await.expect(200);
    // Onto itself, now that it is there.
    mount(format!("mount={there}&from=to")).await.expect(201);
}

#[tokio::test]
async fn d10_a_blob_of_another_repository() {
    let (world, _) = world_with_image().await;
    let body = json!({ "repositoryName": "other" });
    world.ecr("CreateRepository", body).await.expect(200);
    let layout = Layout::image("one");
    let layer = digest(&layout.blobs[1]);
    for method in [Method::GET, Method::HEAD] {
        let path = format!("/v2/other/blobs/{layer}");
        let answer = world.oci(method, &path, &[], "").await;
        answer.expect(404);
    }
    let manifest = format!("/v2/other/manifests/{}", layout.manifest.digest);
    world.oci(Method::GET, &manifest, &[], "").await.expect(404);
    // Nor can a manifest bring it in.
    let answer = world.push_manifest("other", "v1", &layout.manifest).await;
    assert_eq!(answer.code(), (400, "MANIFEST_BLOB_UNKNOWN".into()));
    // The same bytes pushed there by their own right are another matter.
    let pushed = Artifact::new(OCI_MANIFEST, &json!({})).bytes;
    assert_ne!(digest(&pushed), layer);
    world.push_blob("other", &layout.blobs[1]).await;
    let path = format!("/v2/other/blobs/{layer}");
    world.oci(Method::GET, &path, &[], "").await.expect(200);
}
