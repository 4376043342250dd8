//! The twenty cases of ecr.md section 15, continued: reads, pages, layers, tokens and the answers
//! of the OCI side.
//!
//! Where `strict_ecr` makes a difference, both modes are asked.

mod api;

use api::{error, invalid, ok, push, push_layer, push_manifest, refused, repository, variant};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Method;
use roadstead_domain::time::Span;
use roadstead_testkit::{Layout, World, images};
use serde_json::{Value, json};

async fn world_with(is_strict: bool) -> World {
    let builder = World::builder().with_aws_hosts();
    let builder = if is_strict { builder.strict() } else { builder };
    let world = builder.start().await;
    repository(&world, "app").await;
    world
}

async fn world() -> World {
    world_with(false).await
}

fn no_repository(name: &str) -> Value {
    error("RepositoryNotFoundException", &no_repository_text(name))
}

fn no_repository_text(name: &str) -> String {
    format!(
        "The repository with name '{name}' does not exist in the registry with id '123456789012'"
    )
}

/// The sum of config and layers (ecr.md 6.2, settled by ecr-newer.md section 6).
fn size_of(layout: &Layout) -> usize {
    layout.blobs.iter().map(Bytes::len).sum()
}

#[tokio::test]
async fn case_13_details_of_untagged_images_and_of_indexes() {
    let world = world().await;
    let small = Layout::image("s");
    let large = Layout::image("a longer text than the other one has");
    for layout in [&small, &large] {
        api::push_layout(&world, "app", layout, &[]).await;
    }
    let index = images::index(&[&small.manifest, &large.manifest]);
    push_manifest(&world, "app", &index, &["all"]).await;
    let ids = [&small.manifest.digest, &index.digest].map(|d| json!({ "imageDigest": d }));
    let body = json!({ "repositoryName": "app", "imageIds": ids });
    assert!(size_of(&large) > size_of(&small));
    // 2026-01-02T03:04:05Z, where the clock of a test world stands.
    let now = 1_767_323_045.0;
    assert_eq!(
        ok(&world, "DescribeImages", body).await,
        json!({ "imageDetails": [
            {
                "artifactMediaType": "application/vnd.oci.image.config.v1+json",
                "imageDigest": small.manifest.digest,
                "imageManifestMediaType": "application/vnd.oci.image.manifest.v1+json",
                "imagePushedAt": now,
                "imageSizeInBytes": size_of(&small),
                "imageStatus": "ACTIVE",
                "registryId": "123456789012",
                "repositoryName": "app",
            },
            {
                "imageDigest": index.digest,
                "imageManifestMediaType": "application/vnd.oci.image.index.v1+json",
                "imagePushedAt": now,
                "imageSizeInBytes": size_of(&large),
                "imageStatus": "ACTIVE",
                "imageTags": ["all"],
                "registryId": "123456789012",
                "repositoryName": "app",
            },
        ] })
    );
}

#[tokio::test]
async fn case_14_one_unknown_name_fails_the_whole_call() {
    let world = world().await;
    let names = json!({ "repositoryNames": ["app", "ghost"] });
    assert_eq!(
        refused(&world, "DescribeRepositories", names).await,
        no_repository("ghost")
    );
    push(&world, "app", "there", &["there"]).await;
    let ids = json!({
        "repositoryName": "app",
        "imageIds": [{ "imageTag": "there" }, { "imageTag": "ghost" }],
    });
    assert_eq!(
        refused(&world, "DescribeImages", ids).await,
        error(
            "ImageNotFoundException",
            "The image with imageId {imageDigest:'null', imageTag:'ghost'} does not exist within \
             the repository with name 'app' in the registry with id '123456789012'"
        )
    );
}

#[tokio::test]
async fn case_15_pages() {
    let world = world().await;
    let too_many = json!({ "repositoryName": "app", "maxResults": 1001 });
    assert_eq!(
        refused(&world, "DescribeImages", too_many).await,
        invalid(
            "maxResults",
            "Member must have value less than or equal to 1000"
        )
    );
    let base = push(&world, "app", "base", &[]).await;
    for n in 1..150 {
        push_manifest(&world, "app", &variant(&base, n), &[]).await;
    }
    let first = ok(&world, "DescribeImages", json!({ "repositoryName": "app" })).await;
    assert_eq!(first["imageDetails"].as_array().map(Vec::len), Some(100));
    let token = &first["nextToken"];
    assert!(token.is_string());
    let next = json!({ "repositoryName": "app", "nextToken": token });
    let second = ok(&world, "DescribeImages", next).await;
    assert_eq!(second["imageDetails"].as_array().map(Vec::len), Some(50));
    assert_eq!(second.get("nextToken"), None);
    let mut digests: Vec<&str> = [&first, &second]
        .iter()
        .flat_map(|page| page["imageDetails"].as_array().into_iter().flatten())
        .filter_map(|detail| detail["imageDigest"].as_str())
        .collect();
    digests.sort_unstable();
    digests.dedup();
    assert_eq!(digests.len(), 150);
    let ids = json!([{ "imageDigest": base.digest }]);
    let both = json!({ "repositoryName": "app", "imageIds": ids, "nextToken": token });
    let code = refused(&world, "DescribeImages", both).await["__type"].clone();
    assert_eq!(code, "InvalidParameterException");
}

#[tokio::test]
async fn case_15_twenty_referrers_by_default() {
    let world = world().await;
    let subject = push(&world, "app", "subject", &["s"]).await;
    let referrer = Layout::image("sbom").referring_to(&subject, "application/sbom");
    api::push_layout(&world, "app", &referrer, &[]).await;
    for n in 1..21 {
        push_manifest(&world, "app", &variant(&referrer.manifest, n), &[]).await;
    }
    let ask = json!({
        "repositoryName": "app", "subjectId": { "imageDigest": subject.digest },
    });
    let first = ok(&world, "ListImageReferrers", ask.clone()).await;
    assert_eq!(first["referrers"].as_array().map(Vec::len), Some(20));
    let mut next = ask.clone();
    next["nextToken"] = first["nextToken"].clone();
    let second = ok(&world, "ListImageReferrers", next).await;
    assert_eq!(second["referrers"].as_array().map(Vec::len), Some(1));
    assert_eq!(second.get("nextToken"), None);
    let all = [&first, &second].map(|page| page["referrers"].as_array().cloned());
    let plain = all.iter().flatten().flatten();
    let plain = plain.filter(|one| one["digest"] == referrer.manifest.digest.as_str());
    assert_eq!(
        plain.collect::<Vec<_>>(),
        [&json!({
            "artifactStatus": "ACTIVE",
            "artifactType": "application/sbom",
            "digest": referrer.manifest.digest,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "size": referrer.manifest.bytes.len(),
        })]
    );
    let mut other = ask;
    other["filter"] = json!({ "artifactTypes": ["application/other"] });
    assert_eq!(
        ok(&world, "ListImageReferrers", other).await,
        json!({ "referrers": [] })
    );
}

#[tokio::test]
async fn case_18_availability_of_layers() {
    let world = world().await;
    let bytes = Bytes::from_static(b"a layer");
    push_layer(&world, "app", &bytes).await;
    let (known, unknown) = (images::digest(&bytes), images::digest(b"unknown"));
    let ask = json!({ "repositoryName": "app", "layerDigests": [unknown, known] });
    assert_eq!(
        ok(&world, "BatchCheckLayerAvailability", ask).await,
        json!({
            "failures": [],
            "layers": [
                { "layerAvailability": "UNAVAILABLE", "layerDigest": unknown },
                { "layerAvailability": "AVAILABLE", "layerDigest": known, "layerSize": 7 },
            ],
        })
    );
}

#[tokio::test]
async fn case_18_parts_in_order() {
    let world = world().await;
    let name = json!({ "repositoryName": "app" });
    let opened = ok(&world, "InitiateLayerUpload", name.clone()).await;
    assert_eq!(opened["partSize"], 10_485_760);
    let id = &opened["uploadId"];
    let blob = STANDARD.encode(vec![7; 10_485_760]);
    let part = |first: u64, blob: &str| {
        json!({
            "repositoryName": "app", "uploadId": id, "layerPartBlob": blob,
            "partFirstByte": first, "partLastByte": first + 10_485_759,
        })
    };
    assert_eq!(
        ok(&world, "UploadLayerPart", part(0, &blob)).await,
        json!({
            "lastByteReceived": 10_485_759, "registryId": "123456789012",
            "repositoryName": "app", "uploadId": id,
        })
    );
    let wrong = |message: &str| {
        json!({
            "__type": "InvalidLayerPartException",
            "lastValidByteReceived": 10_485_759,
            "message": message,
            "registryId": "123456789012",
            "repositoryName": "app",
            "uploadId": id,
        })
    };
    assert_eq!(
        refused(&world, "UploadLayerPart", part(5_242_880, &blob)).await,
        wrong("First byte of the layer part is 5242880 instead of 10485760")
    );
    // A part that is shorter than it says has no recorded text.
    let short = refused(&world, "UploadLayerPart", part(10_485_760, "YQ==")).await;
    assert_eq!(short, wrong(short["message"].as_str().unwrap_or_default()));
    let whole = json!({
        "repositoryName": "app", "uploadId": id,
        "layerDigests": [images::digest(&[7; 10_485_760])],
    });
    assert_eq!(
        ok(&world, "CompleteLayerUpload", whole).await,
        json!({
            "layerDigest": images::digest(&[7; 10_485_760]), "registryId": "123456789012",
            "repositoryName": "app", "uploadId": id,
        })
    );
}

#[tokio::test]
async fn case_18_ends_of_uploads() {
    let world = world().await;
    let bytes = Bytes::from_static(b"a layer");
    push_layer(&world, "app", &bytes).await;
    let digest = images::digest(&bytes);
    let name = json!({ "repositoryName": "app" });
    let opened = ok(&world, "InitiateLayerUpload", name).await;
    let id = opened["uploadId"].as_str().expect("an id");
    let complete = json!({ "repositoryName": "app", "uploadId": id, "layerDigests": [digest] });
    assert_eq!(
        refused(&world, "CompleteLayerUpload", complete.clone()).await,
        error(
            "EmptyUploadException",
            &format!(
                "The upload with id '{id}' in the repository with name 'app' in registry with \
                 id '123456789012' cannot be completed because it does not have any parts"
            )
        )
    );
    let part = json!({
        "repositoryName": "app", "uploadId": id, "layerPartBlob": STANDARD.encode(&bytes),
        "partFirstByte": 0, "partLastByte": 6,
    });
    ok(&world, "UploadLayerPart", part).await;
    let again = refused(&world, "CompleteLayerUpload", complete.clone()).await;
    assert_eq!(again["__type"], "LayerAlreadyExistsException");
    let over = refused(&world, "CompleteLayerUpload", complete).await;
    assert_eq!(
        over,
        error(
            "UploadNotFoundException",
            &format!(
                "The upload with id '{id}' in the repository with name 'app' in the registry \
                 with id '123456789012' does not exist"
            )
        )
    );
}

#[tokio::test]
async fn case_19_a_token() {
    for is_strict in [false, true] {
        let world = world_with(is_strict).await;
        let answer = ok(&world, "GetAuthorizationToken", json!({})).await;
        let entries = answer["authorizationData"].as_array().expect("a list");
        let [entry] = entries.as_slice() else {
            panic!("one entry: {answer}");
        };
        let token = entry["authorizationToken"].as_str().expect("a token");
        let decoded = STANDARD.decode(token).expect("base64");
        let decoded = String::from_utf8(decoded).expect("text");
        let password = decoded.strip_prefix("AWS:").expect("the user name AWS");
        assert!(
            !password.is_empty() && !password.contains(|c: char| c == ':' || c.is_whitespace())
        );
        assert!(decoded.len() < 2000);
        let expires_at = entry["expiresAt"].as_f64().expect("a number");
        assert!((expires_at - 1_767_323_045.0 - 43_200.0).abs() < 1.0);
        assert_eq!(
            entry["proxyEndpoint"],
            "https://123456789012.dkr.ecr.us-east-1.amazonaws.com"
        );
        let basic = format!("Basic {token}");
        let ask = async || {
            let headers = [("authorization", basic.as_str())];
            world.raw(Method::GET, "/v2/", &headers, "").await
        };
        assert_eq!(ask().await.status, 200);
        world.clock.advance(Span::hours(12));
        let expired = ask().await;
        let challenge = expired.header("www-authenticate").to_owned();
        if is_strict {
            assert_eq!(expired.code(), (403, "DENIED".into()));
            assert_eq!(challenge, "");
            assert_eq!(
                expired.json()["errors"][0]["message"],
                "Your authorization token has expired. Reauthenticate and try again."
            );
        } else {
            assert_eq!(expired.status, 401);
            assert!(challenge.starts_with("Basic realm="), "{challenge}");
        }
        let without = world.raw(Method::GET, "/v2/", &[], "").await;
        assert_eq!(without.status, 401);
        let challenge = without.header("www-authenticate");
        assert!(challenge.starts_with("Basic realm="), "{challenge}");
        assert!(
            challenge.ends_with(",service=\"ecr.amazonaws.com\""),
            "{challenge}"
        );
    }
}

#[tokio::test]
async fn case_20_errors_of_the_oci_side() {
    for is_strict in [false, true] {
        let world = world_with(is_strict).await;
        let child = push(&world, "app", "child", &[]).await;
        let index = images::index(&[&child]);
        push_manifest(&world, "app", &index, &[]).await;
        let ask = async |method, path: &str| world.oci(method, path, &[], "").await;
        let errors =
            |code: &str, message: &str| json!({ "errors": [{ "code": code, "message": message }] });
        assert_eq!(
            ask(Method::GET, "/v2/ghost/manifests/x")
                .await
                .expect(404)
                .json(),
            errors("NAME_UNKNOWN", &no_repository_text("ghost"))
        );
        assert_eq!(
            ask(Method::GET, "/v2/app/manifests/none")
                .await
                .expect(404)
                .json(),
            errors("MANIFEST_UNKNOWN", "Requested image not found")
        );
        let listed = ask(Method::GET, "/v2/app/tags/list?n=10000").await;
        if is_strict {
            assert_eq!(
                listed.expect(405).json(),
                errors(
                    "UNSUPPORTED",
                    "Invalid parameter at 'maxResults' failed to satisfy constraint: 'Member \
                     must have value less than or equal to 1000'"
                )
            );
        } else {
            assert_eq!(listed.status, 200);
        }
        let path = format!("/v2/app/manifests/{}", child.digest);
        assert_eq!(
            ask(Method::DELETE, &path).await.expect(405).json(),
            errors(
                "UNSUPPORTED",
                &format!(
                    "Requested image referenced by manifest list: [{}]",
                    index.digest
                )
            )
        );
    }
}
