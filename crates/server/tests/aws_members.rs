//! What the members of requests do, operation by operation: defaults, refusals beyond the model,
//! pages and their tokens (ecr.md sections 2, 3, 6 and 8; hostile.md E5, E6, E8, E10).
//!
//! Bodies are asserted whole where the reference has them; elsewhere the code.

mod api;

use api::{error, invalid, ok, push, push_layer, put_image, refused, repository};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Method;
use roadstead_api_model::probe::minimal;
use roadstead_api_model::{Operation, facts};
use roadstead_testkit::{World, images};
use serde_json::{Value, json};

const ARN: &str = "arn:aws:ecr:us-east-1:123456789012:repository/app";

async fn world() -> World {
    let world = World::start().await;
    repository(&world, "app").await;
    world
}

async fn code(world: &World, operation: &str, body: Value) -> Value {
    refused(world, operation, body).await["__type"].take()
}

#[tokio::test]
async fn a_new_repository_echoes_its_defaults() {
    let world = World::start().await;
    let plain = json!({ "repositoryName": "app" });
    let made = ok(&world, "CreateRepository", plain.clone()).await;
    let expected = json!({ "repository": {
        "createdAt": 1_767_323_045.0,
        "encryptionConfiguration": { "encryptionType": "AES256" },
        "imageScanningConfiguration": { "scanOnPush": false },
        "imageTagMutability": "MUTABLE",
        "registryId": "123456789012",
        "repositoryArn": ARN,
        "repositoryName": "app",
        "repositoryUri": format!("{}/app", world.address),
    } });
    assert_eq!(made, expected);
    assert_eq!(
        refused(&world, "CreateRepository", plain).await,
        error(
            "RepositoryAlreadyExistsException",
            "The repository with name 'app' already exists in the registry with id '123456789012'"
        )
    );
    let world = World::builder().with_aws_hosts().start().await;
    let filters = json!([{ "filterType": "WILDCARD", "filter": "dev-*" }]);
    let body = json!({
        "repositoryName": "team/app",
        "imageTagMutability": "MUTABLE_WITH_EXCLUSION",
        "imageTagMutabilityExclusionFilters": filters,
        "imageScanningConfiguration": { "scanOnPush": true },
        "encryptionConfiguration": { "encryptionType": "AES256" },
    });
    let made = ok(&world, "CreateRepository", body).await["repository"].take();
    assert_eq!(
        made["repositoryUri"],
        "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/app"
    );
    assert_eq!(made["imageTagMutabilityExclusionFilters"], filters);
    assert_eq!(
        made["imageScanningConfiguration"],
        json!({ "scanOnPush": true })
    );
}

#[tokio::test]
async fn settings_that_do_not_exist_here_are_refused() {
    let world = World::start().await;
    let filters = json!([{ "filterType": "WILDCARD", "filter": "x" }]);
    for (member, value) in [
        (
            "encryptionConfiguration",
            json!({ "encryptionType": "KMS" }),
        ),
        (
            "encryptionConfiguration",
            json!({ "encryptionType": "KMS_DSSE", "kmsKey": "k" }),
        ),
        (
            "encryptionConfiguration",
            json!({ "encryptionType": "AES256", "kmsKey": "k" }),
        ),
        ("imageTagMutabilityExclusionFilters", filters),
        ("imageTagMutability", json!("IMMUTABLE_WITH_EXCLUSION")),
    ] {
        let mut body = json!({ "repositoryName": "app" });
        body[member] = value;
        let answer = refused(&world, "CreateRepository", body).await;
        assert_eq!(answer["__type"], "InvalidParameterException", "{member}");
        let message = answer["message"].as_str().unwrap_or_default();
        assert!(message.contains(member), "{message}");
    }
    let all = ok(&world, "DescribeRepositories", json!({})).await;
    assert_eq!(all, json!({ "repositories": [] }));
}

#[tokio::test]
async fn repositories_are_listed_by_name_and_named_in_order() {
    let world = World::start().await;
    for name in ["cc", "aa", "bb"] {
        repository(&world, name).await;
    }
    let names = |page: &Value| -> Vec<String> {
        let all = page["repositories"].as_array().into_iter().flatten();
        all.filter_map(|one| Some(one["repositoryName"].as_str()?.to_owned()))
            .collect()
    };
    let first = ok(&world, "DescribeRepositories", json!({ "maxResults": 2 })).await;
    assert_eq!(names(&first), ["aa", "bb"]);
    let next = json!({ "maxResults": 2, "nextToken": first["nextToken"] });
    let second = ok(&world, "DescribeRepositories", next).await;
    assert_eq!(names(&second), ["cc"]);
    assert_eq!(second.get("nextToken"), None);
    let named = json!({ "repositoryNames": ["cc", "aa", "cc"] });
    let named = ok(&world, "DescribeRepositories", named).await;
    assert_eq!(names(&named), ["cc", "aa"]);
    for other in ["maxResults", "nextToken"] {
        let mut both = json!({ "repositoryNames": ["aa"], "maxResults": 2 });
        if other == "nextToken" {
            both = json!({ "repositoryNames": ["aa"], "nextToken": first["nextToken"] });
        }
        let code = code(&world, "DescribeRepositories", both).await;
        assert_eq!(code, "InvalidParameterException", "{other}");
    }
}

#[tokio::test]
async fn a_page_token_works_only_where_it_was_given() {
    let world = world().await;
    push(&world, "app", "one", &["a", "b", "c"]).await;
    let mut ask = json!({ "repositoryName": "app", "maxResults": 1 });
    let page = ok(&world, "ListImages", ask.clone()).await;
    let token = page["nextToken"].as_str().expect("a token").to_owned();
    ask["nextToken"] = token.as_str().into();
    ok(&world, "ListImages", ask.clone()).await;

    let mut altered = token.clone().into_bytes();
    altered[10] = if altered[10] == b'A' { b'B' } else { b'A' };
    let altered = String::from_utf8(altered).expect("text");
    let bad = invalid("nextToken", "Invalid token");
    for wrong in ["", "garbage", "!", &altered] {
        let mut ask = ask.clone();
        ask["nextToken"] = wrong.into();
        assert_eq!(refused(&world, "ListImages", ask).await, bad, "{wrong}");
    }
    // Another filter, operation, repository, account.
    let mut filtered = ask.clone();
    filtered["filter"] = json!({ "tagStatus": "TAGGED" });
    assert_eq!(refused(&world, "ListImages", filtered).await, bad);
    assert_eq!(refused(&world, "DescribeImages", ask.clone()).await, bad);
    let elsewhere = json!({ "nextToken": token });
    assert_eq!(
        refused(&world, "DescribeRepositories", elsewhere).await,
        bad
    );
    repository(&world, "other").await;
    let mut other = ask.clone();
    other["repositoryName"] = "other".into();
    assert_eq!(refused(&world, "ListImages", other).await, bad);
    let stranger = world.key_of("210987654321").await;
    let name = json!({ "repositoryName": "app" });
    world
        .ecr_as(&stranger, "CreateRepository", name)
        .await
        .expect(200);
    let answer = world.ecr_as(&stranger, "ListImages", ask.clone()).await;
    assert_eq!(answer.expect(400).json(), bad);
    // Changes between pages neither break a token nor repeat what was seen.
    let gone = json!({ "repositoryName": "app", "imageIds": [{ "imageTag": "b" }] });
    ok(&world, "BatchDeleteImage", gone).await;
    let rest = ok(&world, "ListImages", ask).await;
    assert_eq!(rest["imageIds"][0]["imageTag"], "c");
    assert_eq!(rest.get("nextToken"), None);
}

#[tokio::test]
async fn another_registry_is_closed_in_every_operation() {
    let world = world().await;
    push(&world, "app", "secret", &["latest"]).await;
    let stranger = world.key_of("210987654321").await;
    let mut asked = 0;
    for operation in Operation::ALL.into_iter().filter(|one| one.is_offered()) {
        let input = facts(operation.service()).shape(operation.input_shape());
        let members = &input.expect("an input").facts().members;
        if !members.iter().any(|member| member.name == "registryId") {
            continue;
        }
        let mut body = minimal(operation);
        body["registryId"] = "123456789012".into();
        if body.get("repositoryName").is_some() {
            body["repositoryName"] = "app".into();
        }
        let answer = world.ecr_as(&stranger, operation.name(), body).await;
        let expected = (400, "AccessDeniedException".to_owned());
        assert_eq!(answer.code(), expected, "{operation:?}");
        asked += 1;
    }
    assert_eq!(asked, 15);
    assert_eq!(world.image_ids("app").await.len(), 1);
}

#[tokio::test]
async fn resource_tags() {
    let world = world().await;
    let tag = |key: &str, value: &str| json!([{ "Key": key, "Value": value }]);
    let tagging = |tags: Value| json!({ "resourceArn": ARN, "tags": tags });
    for tags in [tag("k2", "old"), tag("k1", ""), tag("k2", "new")] {
        assert_eq!(ok(&world, "TagResource", tagging(tags)).await, json!({}));
    }
    let list = json!({ "resourceArn": ARN });
    assert_eq!(
        ok(&world, "ListTagsForResource", list.clone()).await,
        json!({ "tags": [{ "Key": "k1", "Value": "" }, { "Key": "k2", "Value": "new" }] })
    );
    for bad in [
        tag("", "v"),
        tag("aws:x", "v"),
        tag(&"k".repeat(129), "v"),
        tag("k", &"v".repeat(257)),
        json!([{ "Key": "k", "Value": "1" }, { "Key": "k", "Value": "2" }]),
    ] {
        assert_eq!(
            refused(&world, "TagResource", tagging(bad)).await,
            error("InvalidTagParameterException", "Tag parameters are invalid")
        );
    }
    let many: Vec<Value> = (0..51)
        .map(|n| json!({ "Key": format!("n{n}"), "Value": "" }))
        .collect();
    let code = code(&world, "TagResource", tagging(many.into())).await;
    assert_eq!(code, "TooManyTagsException");
    let untag = json!({ "resourceArn": ARN, "tagKeys": ["k2", "absent"] });
    assert_eq!(ok(&world, "UntagResource", untag).await, json!({}));
    assert_eq!(
        ok(&world, "ListTagsForResource", list).await,
        json!({ "tags": [{ "Key": "k1", "Value": "" }] })
    );
    let with_bad_tags = json!({ "repositoryName": "bad", "tags": tag("aws:x", "") });
    refused(&world, "CreateRepository", with_bad_tags).await;
    let named = json!({ "repositoryNames": ["bad"] });
    refused(&world, "DescribeRepositories", named).await;
}

#[tokio::test]
async fn resource_arns() {
    let world = world().await;
    for bad in [
        "",
        "app",
        "arn:aws:ecr:us-east-1:123456789012:repository/",
        "arn:aws:ecr:us-east-1:123456789012:repository/APP",
        "arn:aws:ecr:eu-west-1:123456789012:repository/app",
        "arn:aws-cn:ecr:us-east-1:123456789012:repository/app",
    ] {
        let body = json!({ "resourceArn": bad });
        assert_eq!(
            refused(&world, "ListTagsForResource", body).await,
            invalid("resourceArn", "Invalid ARN"),
            "{bad}"
        );
    }
    let ghost = json!({ "resourceArn": ARN.replace("app", "ghost") });
    assert_eq!(
        refused(&world, "ListTagsForResource", ghost).await,
        error(
            "RepositoryNotFoundException",
            "The repository with name 'ghost' does not exist in the registry with id \
             '123456789012'"
        )
    );
}

#[tokio::test]
async fn tokens_for_registries_that_are_named() {
    let world = World::builder().with_aws_hosts().start().await;
    let ask = json!({ "registryIds": ["210987654321", "123456789012"] });
    let answer = ok(&world, "GetAuthorizationToken", ask).await;
    let entries = answer["authorizationData"].as_array().expect("a list");
    let endpoints: Vec<&Value> = entries.iter().map(|one| &one["proxyEndpoint"]).collect();
    assert_eq!(
        endpoints,
        [
            "https://210987654321.dkr.ecr.us-east-1.amazonaws.com",
            "https://123456789012.dkr.ecr.us-east-1.amazonaws.com",
        ]
    );
    // Whatever is named, a token speaks for its caller.
    for entry in entries {
        let token = entry["authorizationToken"].as_str().expect("a token");
        let basic = format!("Basic {token}");
        let headers = [("authorization", basic.as_str())];
        world
            .raw(Method::GET, "/v2/", &headers, "")
            .await
            .expect(200);
    }
    let none = json!({ "registryIds": [] });
    assert_eq!(
        refused(&world, "GetAuthorizationToken", none).await,
        invalid(
            "registryIds",
            "Member must have length greater than or equal to 1"
        )
    );
    assert_eq!(
        ok(&world, "DescribeRegistry", json!({})).await,
        json!({ "registryId": "123456789012", "replicationConfiguration": { "rules": [] } })
    );
}

#[tokio::test]
async fn deletions_in_one_batch_take_effect_in_order() {
    let world = world().await;
    let one = push(&world, "app", "one", &["c"]).await.digest;
    let other = push(&world, "app", "other", &["o"]).await.digest;
    let child = push(&world, "app", "child", &[]).await;
    let index = images::index(&[&child]);
    api::push_manifest(&world, "app", &index, &["all"]).await;
    let body = json!({ "repositoryName": "app", "imageIds": [
        { "imageTag": "c" },
        { "imageTag": "c" },
        { "imageDigest": one, "imageTag": "o" },
        { "imageDigest": other, "imageTag": "o" },
        { "imageDigest": child.digest },
        { "imageDigest": index.digest },
        { "imageDigest": child.digest },
    ] });
    let answer = ok(&world, "BatchDeleteImage", body).await;
    assert_eq!(
        answer["imageIds"],
        json!([
            { "imageDigest": one, "imageTag": "c" },
            { "imageDigest": other, "imageTag": "o" },
            { "imageDigest": index.digest, "imageTag": "all" },
            { "imageDigest": child.digest },
        ])
    );
    let failures = answer["failures"].as_array().expect("failures");
    let failed: Vec<Value> = failures
        .iter()
        .map(|failure| json!([failure["failureCode"], failure["imageId"]]))
        .collect();
    assert_eq!(
        failed,
        [
            json!(["ImageNotFound", { "imageTag": "c" }]),
            json!(["ImageTagDoesNotMatchDigest", { "imageDigest": one, "imageTag": "o" }]),
            json!(["ImageReferencedByManifestList", { "imageDigest": child.digest }]),
        ]
    );
    assert!(world.image_ids("app").await.is_empty());
}

#[tokio::test]
async fn images_are_got_as_they_were_put() {
    let world = world().await;
    let image = push(&world, "app", "got", &["v1"]).await;
    let types = json!(["application/vnd.docker.distribution.manifest.v2+json"]);
    let ids = json!([{ "imageTag": "v1" }, { "imageDigest": image.digest, "imageTag": "v2" }]);
    let ask = json!({ "repositoryName": "app", "imageIds": ids });
    let answer = ok(&world, "BatchGetImage", ask.clone()).await;
    assert_eq!(answer["images"][0]["imageManifest"], image.text());
    assert_eq!(
        answer["failures"],
        json!([{
            "failureCode": "ImageNotFound",
            "failureReason": "Requested image not found",
            "imageId": { "imageDigest": image.digest, "imageTag": "v2" },
        }])
    );
    // A stored type that is not accepted is not translated.
    let mut typed = ask;
    typed["acceptedMediaTypes"] = types;
    let answer = ok(&world, "BatchGetImage", typed).await;
    assert_eq!(answer["images"], json!([]));
    assert_eq!(answer["failures"][0]["failureCode"], "ImageNotFound");
}

#[tokio::test]
async fn manifests_that_are_refused() {
    let world = world().await;
    let image = push(&world, "app", "put", &[]).await;
    let put = |text: &str| json!({ "repositoryName": "app", "imageManifest": text });
    let syntax = invalid("ImageManifest", "Invalid JSON syntax");
    for text in ["nonsense", "[]", "{}", "{\"schemaVersion\":2}"] {
        assert_eq!(
            refused(&world, "PutImage", put(text)).await,
            syntax,
            "{text}"
        );
    }
    let mut other_type = put_image("app", &image, Some("t"));
    other_type["imageManifestMediaType"] = images::OCI_INDEX.into();
    let refusal = code(&world, "PutImage", other_type).await;
    assert_eq!(refusal, "InvalidParameterException");
    let mut other_digest = put_image("app", &image, Some("t"));
    let given = images::digest(b"other");
    other_digest["imageDigest"] = given.as_str().into();
    assert_eq!(
        refused(&world, "PutImage", other_digest).await,
        error(
            "ImageDigestDoesNotMatchException",
            &format!(
                "Image digest '{given}' does not match the digest '{}' calculated for the image",
                image.digest
            )
        )
    );
    let mut bad_tag = put_image("app", &image, Some("a+b"));
    assert_eq!(
        refused(&world, "PutImage", bad_tag.clone()).await,
        invalid(
            "imageTag",
            "must satisfy regular expression '[a-zA-Z0-9-_.]+'"
        )
    );
    // A repository that is missing is reported before a manifest that is wrong.
    bad_tag["imageTag"] = "t".into();
    bad_tag["repositoryName"] = "ghost".into();
    bad_tag["imageManifest"] = "nonsense".into();
    let refusal = code(&world, "PutImage", bad_tag).await;
    assert_eq!(refusal, "RepositoryNotFoundException");
    let mut wrong_size: Value = serde_json::from_slice(&image.bytes).expect("JSON");
    wrong_size["config"]["size"] = json!(1);
    let refusal = code(&world, "PutImage", put(&wrong_size.to_string())).await;
    assert_eq!(refusal, "InvalidParameterException");
}

#[tokio::test]
async fn uploads_that_are_refused() {
    let world = world().await;
    let open = async || {
        let name = json!({ "repositoryName": "app" });
        let opened = ok(&world, "InitiateLayerUpload", name).await;
        opened["uploadId"].as_str().expect("an id").to_owned()
    };
    let part = |id: &str, first: usize, bytes: &[u8]| {
        json!({
            "repositoryName": "app", "uploadId": id, "layerPartBlob": STANDARD.encode(bytes),
            "partFirstByte": first, "partLastByte": first + bytes.len() - 1,
        })
    };
    let complete = |id: &str, digests: &[String]| json!({ "repositoryName": "app", "uploadId": id, "layerDigests": digests });
    let id = open().await;
    // Nothing is received yet, so there is no last valid byte.
    let early = refused(&world, "UploadLayerPart", part(&id, 5, b"abc")).await;
    assert_eq!(
        early,
        json!({
            "__type": "InvalidLayerPartException",
            "message": "First byte of the layer part is 5 instead of 0",
            "registryId": "123456789012", "repositoryName": "app", "uploadId": id,
        })
    );
    let extreme = json!({
        "repositoryName": "app", "uploadId": id, "layerPartBlob": "YQ==",
        "partFirstByte": 0, "partLastByte": i64::MAX,
    });
    let refusal = code(&world, "UploadLayerPart", extreme).await;
    assert_eq!(refusal, "InvalidLayerPartException");
    for bytes in [b"abc", b"def"] {
        let first = if bytes == b"abc" { 0 } else { 3 };
        ok(&world, "UploadLayerPart", part(&id, first, bytes)).await;
    }
    let digest = images::digest(b"abcdef");
    assert_eq!(
        refused(
            &world,
            "CompleteLayerUpload",
            complete(&id, &[digest.clone()])
        )
        .await,
        error(
            "LayerPartTooSmallException",
            "All layer parts except the last part should be at least 5MB"
        )
    );
    let two = complete(&id, &[digest.clone(), images::digest(b"x")]);
    let refusal = code(&world, "CompleteLayerUpload", two).await;
    assert_eq!(refusal, "InvalidParameterException");
    let id = open().await;
    ok(&world, "UploadLayerPart", part(&id, 0, b"abc")).await;
    let wrong = code(
        &world,
        "CompleteLayerUpload",
        complete(&id, &[digest.clone()]),
    )
    .await;
    assert_eq!(wrong, "InvalidLayerException");
    let over = code(&world, "CompleteLayerUpload", complete(&id, &[digest])).await;
    assert_eq!(over, "UploadNotFoundException");
    repository(&world, "other").await;
    let id = open().await;
    let mut elsewhere = part(&id, 0, b"abc");
    elsewhere["repositoryName"] = "other".into();
    let refusal = code(&world, "UploadLayerPart", elsewhere).await;
    assert_eq!(refusal, "UploadNotFoundException");
}

#[tokio::test]
async fn layers_that_are_asked_for() {
    let world = world().await;
    let loose = Bytes::from_static(b"referenced by nothing");
    push_layer(&world, "app", &loose).await;
    let ask = json!({ "repositoryName": "app", "layerDigests": ["", "nonsense"] });
    let answer = ok(&world, "BatchCheckLayerAvailability", ask).await;
    assert_eq!(answer["layers"], json!([]));
    let failures = answer["failures"].as_array().expect("failures");
    let codes: Vec<&Value> = failures.iter().map(|one| &one["failureCode"]).collect();
    assert_eq!(codes, ["MissingLayerDigest", "InvalidLayerDigest"]);
    let digests: Vec<&Value> = failures.iter().map(|one| &one["layerDigest"]).collect();
    assert_eq!(digests, ["", "nonsense"]);
    let unknown = images::digest(b"unknown");
    for (digest, expected) in [
        (images::digest(&loose), "LayerInaccessibleException"),
        (unknown, "LayersNotFoundException"),
    ] {
        let ask = json!({ "repositoryName": "app", "layerDigest": digest });
        assert_eq!(code(&world, "GetDownloadUrlForLayer", ask).await, expected);
    }
    let image = push(&world, "app", "layers", &[]).await;
    let manifest: Value = serde_json::from_slice(&image.bytes).expect("JSON");
    let ask = json!({
        "repositoryName": "app", "layerDigest": manifest["config"]["digest"],
    });
    let link = ok(&world, "GetDownloadUrlForLayer", ask).await;
    assert_eq!(link["layerDigest"], manifest["config"]["digest"]);
    let url = link["downloadUrl"].as_str().expect("a link");
    let path = url.strip_prefix(&format!("http://{}", world.address));
    let path = path.expect("a link to this server");
    let bytes = world.raw(Method::GET, path, &[], "").await.expect(200).body;
    assert_eq!(manifest["config"]["digest"], images::digest(&bytes));
}
