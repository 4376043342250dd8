//! Section A: the content of blobs and manifests, at both doors.

use http::Method;
use roadstead_testkit::images::{OCI_INDEX, OCI_MANIFEST, digest};
use roadstead_testkit::{Artifact, Layout, World};
use serde_json::{Value, json};

use crate::api;
use crate::bench::{Bench, Stored, both_modes, put, status, world_with_image};
use crate::process::{Kept, MIB, SLACK, Watched, chunks, pieces};

const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// Every body is refused as a bad manifest, nothing is stored, and the server goes on.
async fn refused(world: &World, content_type: &str, bodies: Vec<(&str, Vec<u8>)>) {
    let before = Stored::of(world);
    for (what, body) in bodies {
        let answer = put(world, content_type, body).await;
        assert_eq!(answer.code(), (400, "MANIFEST_INVALID".into()), "{what}");
    }
    before.is_unchanged(world).await;
}

/// PutImage of a text; gives status and code.
async fn put_image(world: &World, text: &str, media_type: &str) -> (u16, String) {
    let body = json!({
        "repositoryName": "app", "imageManifest": text, "imageManifestMediaType": media_type,
        "imageTag": "hostile",
    });
    world.ecr("PutImage", body).await.code()
}

fn is_400(code: &str) -> (u16, String) {
    (400, code.to_owned())
}

#[tokio::test]
async fn a1_a_wrong_digest_ends_the_upload_without_a_blob() {
    let bench = Bench::new().await;
    let (world, before) = (&bench.world, Stored::of(&bench.world));
    let location = bench.open().await;
    let sent = world.oci(Method::PATCH, &location, &[], "hello").await;
    sent.expect(202);
    let finish = async |whole: &[u8]| {
        let path = format!("{location}?digest={}", digest(whole));
        world.oci(Method::PUT, &path, &[], "").await
    };
    let refused = finish(b"other").await;
    assert_eq!(refused.code(), (400, "DIGEST_INVALID".into()));
    for bytes in [&b"hello"[..], b"other"] {
        let path = format!("/v2/app/blobs/{}", digest(bytes));
        let head = world.oci(Method::HEAD, &path, &[], "").await;
        head.expect(404);
    }
    let refused = finish(b"hello").await;
    assert_eq!(refused.code(), (404, "BLOB_UPLOAD_UNKNOWN".into()));
    // In one go.
    let path = format!("/v2/app/blobs/uploads/?digest={}", digest(b"other"));
    let refused = world.oci(Method::POST, &path, &[], "hello").await;
    assert_eq!(refused.code(), (400, "DIGEST_INVALID".into()));
    let path = format!("/v2/app/blobs/{}", digest(b"other"));
    world.oci(Method::HEAD, &path, &[], "").await.expect(404);
    world.sweep().await;
    before.is_unchanged(world).await;
}

#[tokio::test]
async fn a2_a_digest_that_the_manifest_does_not_have() {
    let (world, _) = world_with_image().await;
    let one = Layout::image("one").manifest;
    let (other, before) = (digest(b"another manifest"), Stored::of(&world));
    let answer = world.push_manifest("app", &other, &one).await;
    assert_eq!(answer.code(), (400, "DIGEST_INVALID".into()));
    let path = format!("/v2/app/manifests/{other}");
    world.oci(Method::GET, &path, &[], "").await.expect(404);
    let mut body = api::put_image("app", &one, Some("hostile"));
    body["imageDigest"] = other.into();
    let answer = world.ecr("PutImage", body).await;
    assert_eq!(answer.code(), is_400("ImageDigestDoesNotMatchException"));
    before.is_unchanged(&world).await;
}

#[tokio::test]
async fn a3_texts_that_are_no_digests() {
    let (world, _) = world_with_image().await;
    let good = digest(&Layout::image("one").blobs[1]);
    let (hex, before) = (&good["sha256:".len()..], Stored::of(&world));
    for bad in [
        format!("sha256:{}", &hex[1..]),
        format!("{good}0"),
        good.to_uppercase(),
        format!("sha256:{}", hex.to_uppercase()),
        format!("md5:{}", &hex[..32]),
        format!("sha512:{hex}"),
        "sha256:".into(),
        hex.to_owned(),
        format!("sha512:{}", "F".repeat(128)),
        "sha256:..%2F..%2Fx".into(),
        "%00".into(),
    ] {
        if bad.contains(':') {
            let path = format!("/v2/app/manifests/{bad}");
            for method in [Method::GET, Method::PUT, Method::DELETE] {
                let answer = world.oci(method, &path, &[], "{}").await;
                assert_eq!(answer.code(), (400, "DIGEST_INVALID".into()), "{path}");
            }
        }
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
        let head = format!("/v2/app/blobs/{bad}");
        world.oci(Method::HEAD, &head, &[], "").await.expect(400);
    }
    // This one is supported, so it is well-formed and merely absent.
    let absent = format!("/v2/app/blobs/sha512:{}", "0".repeat(128));
    let answer = world.oci(Method::GET, &absent, &[], "").await;
    assert_eq!(answer.code(), (404, "BLOB_UNKNOWN".into()));
    before.is_unchanged(&world).await;
}

#[tokio::test]
async fn a4_blobs_that_the_repository_does_not_hold() {
    let (world, manifest) = world_with_image().await;
    let missing = json!({ "mediaType": "application/x", "digest": digest(b"missing"), "size": 7 });
    let before = Stored::of(&world);
    for member in ["config", "layers"] {
        let mut manifest = manifest.clone();
        manifest[member] = match member {
            "config" => missing.clone(),
            _ => json!([missing]),
        };
        let answer = put(&world, OCI_MANIFEST, manifest.to_string()).await;
        let code = (400, "MANIFEST_BLOB_UNKNOWN".into());
        assert_eq!(answer.code(), code, "{member}");
        let refused = put_image(&world, &manifest.to_string(), OCI_MANIFEST).await;
        assert_eq!(refused, is_400("LayersNotFoundException"), "{member}");
    }
    before.is_unchanged(&world).await;
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
    let before = Stored::of(&world);
    let answer = put(&world, OCI_INDEX, index.to_string()).await;
    assert_eq!(answer.code(), (400, "MANIFEST_BLOB_UNKNOWN".into()));
    let refused = put_image(&world, &index.to_string(), OCI_INDEX).await;
    assert_eq!(refused, is_400("ReferencedImagesNotFoundException"));
    before.is_unchanged(&world).await;
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
    for (_, body) in &bodies {
        let text = std::str::from_utf8(body).unwrap();
        let refused = put_image(&world, text, OCI_MANIFEST).await;
        assert_eq!(refused, is_400("InvalidParameterException"), "{text}");
    }
    refused(&world, OCI_MANIFEST, bodies).await;
}

/// A client that is told another size does not take the image.
#[tokio::test]
async fn a6_an_index_that_lies_about_its_images() {
    let (world, manifest) = world_with_image().await;
    let child = put(&world, OCI_MANIFEST, manifest.to_string().into_bytes()).await;
    let child = child.expect(201).header("docker-content-digest").to_owned();
    let length = manifest.to_string().len() as u64;
    let index = |size: u64| {
        let child = json!({ "mediaType": OCI_MANIFEST, "digest": child, "size": size });
        let index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [child] });
        index.to_string().into_bytes()
    };
    let lies = [1, length + 1, 1 << 62].map(|size| ("size", index(size)));
    refused(&world, OCI_INDEX, lies.into()).await;
    put(&world, OCI_INDEX, index(length)).await.expect(201);
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
    let before = Stored::of(&world);
    for length in [limit + 1, 16 * limit] {
        let mut body = largest.clone().into_bytes();
        body.resize(length, b' ');
        let answer = put(&world, OCI_MANIFEST, body).await;
        assert_eq!(answer.code(), (413, "SIZE_INVALID".into()), "{length}");
    }
    let refused = put_image(&world, &format!("{largest} "), OCI_MANIFEST).await;
    assert_eq!(refused, is_400("InvalidParameterException"));
    before.is_unchanged(&world).await;
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
    for (what, body) in &bodies {
        let Ok(text) = std::str::from_utf8(body) else {
            continue;
        };
        let refused = put_image(&world, text, OCI_MANIFEST).await;
        assert_eq!(refused, is_400("InvalidParameterException"), "{what}");
    }
    refused(&world, OCI_MANIFEST, bodies).await;
    // A million keys are longer than any manifest.
    let million: String = (0..1_000_000).map(|n| format!("\"{n}\":0,")).collect();
    let million = text.replacen('{', &format!("{{{million}"), 1);
    let answer = put(&world, OCI_MANIFEST, million).await;
    assert_eq!(answer.code(), (413, "SIZE_INVALID".into()));
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
    let without = world.oci(Method::PUT, path, &[], text.clone()).await;
    assert_eq!(without.code(), (400, "MANIFEST_INVALID".into()));
    let mut index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [] });
    for member in ["layers", "fsLayers", "config"] {
        index[member] = manifest["layers"].clone();
        let body = index.to_string().into_bytes();
        refused(&world, OCI_INDEX, vec![(member, body)]).await;
        index.as_object_mut().unwrap().remove(member);
    }
    let refused = put_image(&world, &text, OCI_INDEX).await;
    assert_eq!(refused, is_400("InvalidParameterException"));
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
    // A hundred thousand of either are longer than any manifest.
    let mut longer = manifest.clone();
    longer["layers"] = vec![layer.clone(); 100_000].into();
    let index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": vec![&index["manifests"][0]; 100_000] });
    for (kind, body) in [(OCI_MANIFEST, longer), (OCI_INDEX, index)] {
        let answer = put(&world, kind, body.to_string()).await;
        assert_eq!(answer.code(), (413, "SIZE_INVALID".into()), "{kind}");
    }
    // No manifest holds its own digest: a subject that claims to be is one that is not there.
    let mut own = manifest.clone();
    own["subject"] = json!({ "mediaType": OCI_MANIFEST, "digest": digest(own.to_string().as_bytes()), "size": 1 });
    put(&world, OCI_MANIFEST, own.to_string()).await.expect(201);
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
        let text = manifest.to_string();
        let code = put_image(&world, &text, kind).await;
        assert_eq!(code, is_400("InvalidParameterException"), "{kind}");
        refused(&world, kind, vec![(kind, text.into_bytes())]).await;
    }
    manifest["mediaType"] = DOCKER_MANIFEST.into();
    let docker = manifest.to_string();
    refused(&world, OCI_MANIFEST, vec![("docker", docker.into_bytes())]).await;
    manifest["mediaType"] = OCI_MANIFEST.into();
    manifest["schemaVersion"] = 1.into();
    let body = manifest.to_string().into_bytes();
    refused(&world, OCI_MANIFEST, vec![("schema 1", body)]).await;
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

/// A manifest that refers to `subject`, of the blobs of the image `one`.
fn referrer(subject: &Artifact, n: usize) -> Artifact {
    let kind = if n.is_multiple_of(100) {
        "application/x.sbom"
    } else {
        "application/x.sign+json"
    };
    let mut manifest: Value = serde_json::from_slice(
        &Layout::image("one")
            .referring_to(subject, kind)
            .manifest
            .bytes,
    )
    .unwrap();
    manifest["annotations"] = json!({ "n": n.to_string() });
    Artifact::new(OCI_MANIFEST, &manifest)
}

#[test]
fn a12_ten_thousand_referrers() {
    const COUNT: usize = 10_000;
    let watched = Watched::start();
    let layout = Layout::image("one");
    for blob in &layout.blobs {
        let line = format!("POST /v2/app/blobs/uploads/?digest={}", digest(blob));
        let answer = watched.oci(&line, "", blob);
        assert_eq!(status(&answer), 201, "{answer}");
    }
    let subject = &layout.manifest;
    let kind = format!("Content-Type: {OCI_MANIFEST}\r\n");
    let place = |reference: &str| format!("/v2/app/manifests/{reference}");
    let line = format!("PUT {}", place(&subject.digest));
    let answer = watched.oci(&line, &kind, &subject.bytes);
    assert_eq!(status(&answer), 201, "{answer}");
    std::thread::scope(|scope| {
        for worker in 0..16 {
            let (watched, kind) = (&watched, &kind);
            scope.spawn(move || {
                let mut kept = Kept::new(watched);
                for n in (worker..COUNT).step_by(16) {
                    let one = referrer(subject, n);
                    let line = format!("PUT /v2/app/manifests/{}", one.digest);
                    let (head, _) = kept.ask(&line, kind, &one.bytes);
                    assert_eq!(status(&head), 201, "{head}");
                }
            });
        }
    });
    let all = format!("/v2/app/referrers/{}", subject.digest);
    let filtered = format!("{all}?artifactType=application/x.sign%2Bjson");
    let walk = |first: &str, is_filtered: bool| {
        let (mut path, mut found) = (first.to_owned(), std::collections::BTreeSet::new());
        let mut kept = Kept::new(&watched);
        while !path.is_empty() {
            let (head, body) = kept.ask(&format!("GET {path}"), "", b"");
            assert_eq!(status(&head), 200, "{head}");
            let filters = crate::bench::header(&head, "oci-filters-applied");
            assert_eq!(filters == "artifactType", is_filtered, "{head}");
            let body: Value = serde_json::from_slice(&body).unwrap();
            let page = body["manifests"].as_array().unwrap();
            assert!(page.len() <= 50, "{}", page.len());
            for one in page {
                assert!(found.insert(one["digest"].to_string()), "twice: {one}");
            }
            let link = crate::bench::header(&head, "link");
            let next = link.strip_suffix(">; rel=\"next\"").unwrap_or_default();
            path = next.trim_start_matches('<').to_owned();
        }
        found.len()
    };
    let growth = watched.growth(|| {
        assert_eq!(walk(&all, false), COUNT);
        assert_eq!(walk(&filtered, true), COUNT - COUNT / 100);
        let answer = watched.oci(&format!("DELETE {}", place(&subject.digest)), "", b"");
        assert_eq!(status(&answer), 202, "{answer}");
        assert_eq!(walk(&all, false), COUNT);
    });
    assert!(growth < SLACK, "{} MiB", growth / MIB);
}

#[tokio::test]
async fn a13_immutable_tags() {
    for (_, world) in both_modes().await {
        let one = world.push_image("app", "one", &["v1"]).await;
        let two = world.push_image("app", "two", &[]).await;
        let body = json!({ "repositoryName": "app", "imageTagMutability": "IMMUTABLE" });
        let put = world.ecr("PutImageTagMutability", body).await;
        put.expect(200);
        let expected = "The image tag 'v1' already exists in the 'app' repository and cannot be overwritten because the tag is immutable.";
        for manifest in [&two, &one] {
            let refused = world.push_manifest("app", "v1", manifest).await;
            assert_eq!(refused.code(), (400, "TAG_INVALID".into()));
            assert_eq!(refused.json()["errors"][0]["message"], expected);
        }
        let got = world
            .oci(Method::GET, "/v2/app/manifests/v1", &[], "")
            .await;
        assert_eq!(got.expect(200).body, one.bytes);
        for manifest in [&two, &one] {
            let refused = world.ecr("PutImage", api::put_image("app", manifest, Some("v1")));
            let code = is_400("ImageTagAlreadyExistsException");
            assert_eq!(refused.await.code(), code);
        }
        // Where tags move, the same image again is refused by the API and taken on /v2.
        let body = json!({ "repositoryName": "app", "imageTagMutability": "MUTABLE" });
        let put = world.ecr("PutImageTagMutability", body).await;
        put.expect(200);
        let again = world.ecr("PutImage", api::put_image("app", &one, Some("v1")));
        assert_eq!(again.await.code(), is_400("ImageAlreadyExistsException"));
        world.push_manifest("app", "v1", &one).await.expect(201);
    }
}

/// Whatever comes of a manifest that is too long is not held.
#[test]
fn a7_the_longest_manifests_are_not_kept_in_memory() {
    let watched = Watched::start();
    let line = "PUT /v2/app/manifests/v1";
    let kind = format!("Content-Type: {OCI_MANIFEST}\r\n");
    let growth = watched.growth(|| {
        for length in [4 * MIB + 1, 64 * MIB, 1024 * MIB] {
            let head = watched.head(line, &format!("{kind}Content-Length: {length}\r\n"));
            let count = (length / MIB).min(96) as usize;
            let answer = watched.send(&head, pieces(MIB, count));
            // A sender that goes on for too long may find the connection reset.
            assert!([413, 0].contains(&status(&answer)), "{length}: {answer}");
        }
        let head = watched.head(line, &format!("{kind}Transfer-Encoding: chunked\r\n"));
        let answer = watched.send(&head, chunks(MIB, 96));
        assert!([413, 0].contains(&status(&answer)), "{answer}");
    });
    assert!(growth < SLACK, "{} MiB", growth / MIB);
    watched.is_alive();
}

/// Trees of many keys or levels cost no more than their text does, many times over.
#[test]
fn a8_what_a_manifest_is_read_into_is_bounded() {
    let watched = Watched::start();
    let line = "PUT /v2/app/manifests/v1";
    let kind = format!("Content-Type: {OCI_MANIFEST}\r\n");
    let keys: String = (0..350_000).map(|n| format!("\"{n}\":0,")).collect();
    let growth = watched.growth(|| {
        for body in [
            format!("{{{keys}\"schemaVersion\":1}}"),
            format!("{{\"a\":{}", "[".repeat(4_000_000)),
            format!("{{\"a\":[{}0]}}", "0,".repeat(2_000_000)),
        ] {
            let answer = watched.oci(line, &kind, body.as_bytes());
            assert_eq!(status(&answer), 400, "{answer}");
            assert!(answer.contains("MANIFEST_INVALID"), "{answer}");
        }
    });
    // 4 MiB of two bytes for a value are two million values of 32 bytes, and their list doubles.
    assert!(growth < 300 * MIB, "{} MiB", growth / MIB);
    watched.is_alive();
}
