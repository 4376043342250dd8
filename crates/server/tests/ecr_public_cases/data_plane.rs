//! Names, reads and writes on `/v2` (section 4), by the registry's own name and below a path of
//! any other.

use bytes::Bytes;
use http::{Method, Request};
use roadstead_testkit::{Answer, Layout, World, client, images};
use serde_json::json;

use crate::public_api::oci::{
    anonymous, basic, bearer, envelope, get, no_repository, push, put_manifest, send,
};
use crate::public_api::{
    ACCOUNT, NAME, NOW, OTHER, alias, ok, repository, signed, signed_for, tags_of, world_and_alias,
    world_with,
};

/// A world in which `team/app` has one image under the tag `v1`.
async fn world_with_v1() -> (World, String, Layout) {
    let (world, alias) = world_and_alias(false).await;
    let layout = Layout::image("v1");
    let bearer = bearer(&world, &world.credentials).await;
    push(&world, &alias, "v1", &bearer, &layout).await;
    (world, alias, layout)
}

#[tokio::test]
async fn what_is_not_there() {
    let (world, alias, _) = world_with_v1().await;
    let nobody = anonymous(&world).await;
    let other = world.key_of(OTHER).await;
    let other = bearer(&world, &other).await;
    let absent = images::digest(b"absent");
    for token in [nobody, other] {
        let ask = async |path: &str| get(&world, path, &token).await.expect(404).json();
        for path in ["manifests/v1", "tags/list", &format!("blobs/{absent}")] {
            assert_eq!(
                ask(&format!("/v2/{alias}/my/artifacts/{path}")).await,
                no_repository("my/artifacts", &alias)
            );
            let code = ask(&format!("/v2/z9z9z9z9/{NAME}/{path}")).await["errors"][0].clone();
            assert_eq!(code["code"], "NAME_UNKNOWN");
        }
        for reference in ["v2", &absent] {
            assert_eq!(
                ask(&format!("/v2/{alias}/{NAME}/manifests/{reference}")).await,
                envelope("MANIFEST_UNKNOWN", "Requested image not found")
            );
        }
        let blob = ask(&format!("/v2/{alias}/{NAME}/blobs/{absent}")).await;
        assert_eq!(blob["errors"][0]["code"], "BLOB_UNKNOWN");
    }
}

/// The alias is what stands before the first slash.
#[tokio::test]
async fn names_with_slashes() {
    let (world, alias) = world_and_alias(false).await;
    let bearer = bearer(&world, &world.credentials).await;
    let nobody = anonymous(&world).await;
    for name in ["alpine", "library/alpine", "a/b/c/manifests/d"] {
        repository(&world, name).await;
        let layout = Layout::image(name);
        for blob in &layout.blobs {
            let digest = images::digest(blob);
            let path = format!("/v2/{alias}/{name}/blobs/uploads/?digest={digest}");
            let body = blob.clone();
            let sent = send(&world, Method::POST, &path, &bearer, &[], body).await;
            sent.expect(201);
        }
        let path = format!("/v2/{alias}/{name}/manifests/v1");
        let kind = [("content-type", images::OCI_MANIFEST)];
        let body = layout.manifest.bytes.clone();
        send(&world, Method::PUT, &path, &bearer, &kind, body)
            .await
            .expect(201);
        let pulled = get(&world, &path, &nobody).await.expect(200);
        assert_eq!(pulled.body, layout.manifest.bytes);
        let body = json!({ "repositoryName": name });
        let tags = ok(&world, "DescribeImageTags", body).await;
        assert_eq!(tags["imageTagDetails"][0]["imageTag"], "v1");
    }
    // An alias alone names no repository.
    let answer = get(&world, &format!("/v2/{alias}/manifests/v1"), &nobody).await;
    assert!(answer.status.is_client_error(), "{answer:?}");
}

#[tokio::test]
async fn heads_ranges_and_types() {
    let (world, alias, layout) = world_with_v1().await;
    let nobody = anonymous(&world).await;
    let manifest = format!("/v2/{alias}/{NAME}/manifests/v1");
    for method in [Method::HEAD, Method::GET] {
        let answer = send(&world, method, &manifest, &nobody, &[], "").await;
        let answer = answer.expect(200);
        assert_eq!(answer.header("content-type"), images::OCI_MANIFEST);
        let digest = answer.header("docker-content-digest");
        assert_eq!(digest, layout.manifest.digest);
        let length = layout.manifest.bytes.len().to_string();
        assert_eq!(answer.header("content-length"), length);
        let api = answer.header("docker-distribution-api-version");
        assert_eq!(api, "registry/2.0");
    }
    let layer = &layout.blobs[1];
    let path = format!("/v2/{alias}/{NAME}/blobs/{}", images::digest(layer));
    let head = send(&world, Method::HEAD, &path, &nobody, &[], "").await;
    let length = layer.len().to_string();
    assert_eq!(head.expect(200).header("content-length"), length);
    let range = [("range", "bytes=2-5")];
    let part = send(&world, Method::GET, &path, &nobody, &range, "").await;
    let part = part.expect(206);
    assert_eq!(part.body, layer.slice(2..6));
    let said = format!("bytes 2-5/{}", layer.len());
    assert_eq!(part.header("content-range"), said);
}

#[tokio::test]
async fn tags_in_pages() {
    let (world, alias, layout) = world_with_v1().await;
    let bearer = bearer(&world, &world.credentials).await;
    for tag in ["v2", "v3"] {
        // The same manifest again is no error on this side.
        for _ in 0..2 {
            put_manifest(&world, &alias, tag, &bearer, &layout.manifest)
                .await
                .expect(201);
        }
    }
    let nobody = anonymous(&world).await;
    let path = format!("/v2/{alias}/{NAME}/tags/list");
    let all = get(&world, &path, &nobody).await.expect(200);
    let name = format!("{alias}/{NAME}");
    assert_eq!(
        all.json(),
        json!({ "name": name, "tags": ["v1", "v2", "v3"] })
    );
    let first = get(&world, &format!("{path}?n=2"), &nobody).await;
    let first = first.expect(200);
    assert_eq!(first.json(), json!({ "name": name, "tags": ["v1", "v2"] }));
    let link = first.header("link");
    let next = link.strip_prefix('<').and_then(|rest| rest.split_once('>'));
    let (next, relation) = next.expect("a link");
    assert!(relation.contains(r#"rel="next""#), "{link}");
    let next = next.strip_prefix("https://public.ecr.aws").unwrap_or(next);
    let second = get(&world, next, &nobody).await.expect(200);
    assert_eq!(second.json(), json!({ "name": name, "tags": ["v3"] }));
    assert_eq!(second.header("link"), "");
}

#[tokio::test]
async fn a_catalog_is_not_offered() {
    let (world, _, _) = world_with_v1().await;
    for token in [
        anonymous(&world).await,
        bearer(&world, &world.credentials).await,
    ] {
        let answer = get(&world, "/v2/_catalog", &token).await;
        assert!(answer.status.is_client_error(), "{answer:?}");
    }
}

#[tokio::test]
async fn deleting_is_for_whoever_may() {
    let (world, alias, layout) = world_with_v1().await;
    let path = format!("/v2/{alias}/{NAME}/manifests/{}", layout.manifest.digest);
    let other = world.key_of(OTHER).await;
    let other = bearer(&world, &other).await;
    for token in [anonymous(&world).await, other] {
        let answer = send(&world, Method::DELETE, &path, &token, &[], "").await;
        assert_eq!(answer.code(), (403, "DENIED".into()));
    }
    let digest = &layout.manifest.digest;
    assert_eq!(tags_of(&world, digest).await, Some(json!(["v1"])));
    let owner = bearer(&world, &world.credentials).await;
    let answer = send(&world, Method::DELETE, &path, &owner, &[], "").await;
    answer.expect(202);
}

/// What a registry holds privately cannot be probed for in public (section 15).
#[tokio::test]
async fn private_blobs_do_not_show() {
    let (world, alias, _) = world_with_v1().await;
    world.push_image("secret", "private", &["v1"]).await;
    let layer = Layout::image("private").blobs[1].clone();
    let digest = images::digest(&layer);
    let owner = bearer(&world, &world.credentials).await;
    let blob = format!("/v2/{alias}/{NAME}/blobs/{digest}");
    let head = send(&world, Method::HEAD, &blob, &owner, &[], "").await;
    head.expect(404);
    for from in ["secret", "123456789012/secret", &format!("{alias}/secret")] {
        let path = format!("/v2/{alias}/{NAME}/blobs/uploads/?mount={digest}&from={from}");
        let answer = send(&world, Method::POST, &path, &owner, &[], "").await;
        answer.expect(202);
        let head = send(&world, Method::HEAD, &blob, &owner, &[], "").await;
        head.expect(404);
    }
    // Nor does a private repository answer below the public name.
    for path in ["/v2/secret/manifests/v1", "/v2/secret/tags/list"] {
        let answer = get(&world, path, &owner).await;
        assert!(answer.status.is_client_error(), "{answer:?}");
    }
}

/// A world that has no name of its own, with an image in `team/app`.
async fn bare_world() -> (World, String, Layout) {
    let world = World::start().await;
    repository(&world, NAME).await;
    let alias = alias(&world).await;
    let layout = Layout::image("bare");
    crate::public_api::push_blobs(&world, &layout).await;
    crate::public_api::push_manifest(&world, &layout.manifest, &["v1"]).await;
    (world, alias, layout)
}

#[tokio::test]
async fn below_a_path_of_any_host() {
    let (world, alias, layout) = bare_world().await;
    let described = ok(&world, "DescribeRepositories", json!({})).await;
    let uri = format!("{}/public.ecr.aws/{alias}/{NAME}", world.address);
    assert_eq!(
        described,
        json!({ "repositories": [{
            "createdAt": NOW,
            "registryId": ACCOUNT,
            "repositoryArn": "arn:aws:ecr-public::123456789012:repository/team/app",
            "repositoryName": NAME,
            "repositoryUri": uri,
        }] })
    );
    let registry = ok(&world, "DescribeRegistries", json!({})).await;
    assert_eq!(
        registry["registries"][0]["registryUri"],
        format!("{}/public.ecr.aws/{alias}", world.address)
    );

    // Whoever reads need not log in.
    let base = format!("/v2/public.ecr.aws/{alias}/{NAME}");
    let manifest = format!("{base}/manifests/v1");
    let pulled = world.raw(Method::GET, &manifest, &[], "").await.expect(200);
    assert_eq!(pulled.body, layout.manifest.bytes);
    world
        .raw(Method::HEAD, &manifest, &[], "")
        .await
        .expect(200);
    for blob in &layout.blobs {
        let path = format!("{base}/blobs/{}", images::digest(blob));
        let pulled = world.raw(Method::GET, &path, &[], "").await.expect(200);
        assert_eq!(pulled.body, *blob);
    }
    let path = format!("{base}/tags/list");
    let tags = world.raw(Method::GET, &path, &[], "").await.expect(200);
    assert_eq!(tags.json()["tags"], json!(["v1"]));

    // Whoever writes does.
    let uploads = format!("{base}/blobs/uploads/");
    let kind = [("content-type", images::OCI_MANIFEST)];
    let put = format!("{base}/manifests/v2");
    let body = layout.manifest.bytes.clone();
    let requests = [
        (Method::POST, &uploads, Bytes::new()),
        (Method::PUT, &put, body.clone()),
        (Method::DELETE, &manifest, Bytes::new()),
    ];
    for (method, path, body) in requests {
        let answer = world.raw(method, path, &kind, body).await.expect(401);
        assert_ne!(answer.header("www-authenticate"), "", "{answer:?}");
    }
    // A client has one login for a host, so that here either service's is good.
    let private = world.basic(&world.credentials).await;
    for login in [basic(&world, &world.credentials).await, private] {
        let headers = [("authorization", login.as_str()), kind[0]];
        world
            .raw(Method::PUT, &put, &headers, body.clone())
            .await
            .expect(201);
    }
    // All other paths are the private registry's.
    let answer = world.raw(Method::GET, "/v2/", &[], "").await.expect(401);
    let challenge = answer.header("www-authenticate");
    assert!(challenge.starts_with("Basic realm="), "{challenge}");
    let path = format!("/v2/{alias}/{NAME}/manifests/v1");
    world.raw(Method::GET, &path, &[], "").await.expect(401);
}

/// Whatever is called `public.ecr.<anything>` is the public registry, by that name.
#[tokio::test]
async fn by_a_name_of_the_same_form() {
    let (world, alias, layout) = bare_world().await;
    let host = "public.ecr.registry.example:5080";
    let ask = async |path: &str, authorization: &str| -> Answer {
        let mut headers = vec![("host", host)];
        if !authorization.is_empty() {
            headers.push(("authorization", authorization));
        }
        world.raw(Method::GET, path, &headers, "").await
    };
    let answer = ask("/v2/", "").await.expect(401);
    assert_eq!(
        answer.header("www-authenticate"),
        format!(r#"Bearer realm="http://{host}/token/",service="{host}",scope="aws""#)
    );
    let token = ask("/token/", "").await.expect(200).json()["token"].clone();
    let token = format!("Bearer {}", token.as_str().expect("a token"));
    let path = format!("/v2/{alias}/{NAME}/manifests/v1");
    let pulled = ask(&path, &token).await.expect(200);
    assert_eq!(pulled.body, layout.manifest.bytes);
    // A caller who came by that name is told that name.
    let key = &world.credentials;
    let request: Request<Bytes> = signed_for(&world, host, key, "DescribeRepositories", "{}");
    let answer = client::send(world.address, request).await.expect(200);
    let uri = answer.json()["repositories"][0]["repositoryUri"].clone();
    assert_eq!(uri, format!("{host}/{alias}/{NAME}"));
    let request = signed(&world, key, "DescribeRepositories", "{}");
    let answer = client::send(world.address, request).await.expect(200);
    let uri = answer.json()["repositories"][0]["repositoryUri"].clone();
    let bare = format!("{}/public.ecr.aws/{alias}/{NAME}", world.address);
    assert_eq!(uri, bare);
}

/// `--dev` asks nobody to log in, here as elsewhere; `extra_a_push_makes_no_repository` holds
/// what it still does not do.
#[tokio::test]
async fn development_needs_no_login() {
    let world = World::builder().dev().start().await;
    repository(&world, NAME).await;
    let alias = alias(&world).await;
    let layout = Layout::image("dev");
    crate::public_api::push_blobs(&world, &layout).await;
    let base = format!("/v2/public.ecr.aws/{alias}/{NAME}/manifests/v1");
    let kind = [("content-type", images::OCI_MANIFEST)];
    let body = layout.manifest.bytes.clone();
    world.raw(Method::PUT, &base, &kind, body).await.expect(201);
    world.raw(Method::GET, &base, &[], "").await.expect(200);
}

#[tokio::test]
async fn there_is_no_other_page_at_the_registry() {
    let world = world_with(false).await;
    let nobody = anonymous(&world).await;
    get(&world, "/v2/", &nobody).await.expect(200);
    for path in ["/token/more", "/tokens", "/v3/"] {
        let answer = get(&world, path, "").await;
        assert!(answer.status.is_client_error(), "{path}: {answer:?}");
    }
}
