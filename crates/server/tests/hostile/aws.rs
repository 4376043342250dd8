//! Section E: the AWS APIs. E1 is in `signatures`, E4 in `sweep`.

use bytes::Bytes;
use futures_util::future::join_all;
use http::{HeaderValue, Method};
use roadstead_api_model::probe::minimal;
use roadstead_api_model::{Operation, facts};
use roadstead_testkit::World;
use roadstead_testkit::aws::ECR;
use roadstead_testkit::images::digest;
use serde_json::{Value, json};

use crate::api::ask::{Ask, Protocol, TARGET, element, send};
use crate::api::{self, invalid, ok, push, put_image, refused, repository};
use crate::bench::{Stored, is_alive, status, world_with_image};
use crate::process::{MIB, SLACK, Watched, chunks, pieces};

async fn world() -> World {
    let world = World::start().await;
    repository(&world, "app").await;
    world
}

fn is_400(code: &str) -> (u16, String) {
    (400, code.to_owned())
}

#[tokio::test]
async fn e2_operations_that_are_not_known() {
    let world = World::start().await;
    let before = Stored::of(&world);
    for target in [
        "",
        "AmazonEC2ContainerRegistry_V20150921.",
        "AmazonEC2ContainerRegistry_V20150921.DeleteTheWorld",
        "amazonec2containerregistry_v20150921.DescribeRegistry",
        "SpencerFrontendService.DescribeRegistry",
        "DescribeRegistry",
        "AmazonEC2ContainerRegistry_V20150921.CreateContainerService",
        "SpencerFrontendService.PutLifecyclePolicy",
        "Lightsail_20161128.CreateRepository",
        "AmazonEC2ContainerRegistry_V20150921.DescribeRepositories.DescribeRepositories",
        "AmazonEC2ContainerRegistry_V20150921.describerepositories",
    ] {
        let answer = world.post(&world.credentials, target, "{}".into()).await;
        let expected = (400, "UnknownOperationException".to_owned());
        assert_eq!(answer.code(), expected, "{target}");
        assert!(!answer.text().contains("not offered yet"), "{target}");
    }
    for (form, code) in [
        ("Action=AssumeRole&Version=2011-06-15", "InvalidAction"),
        (
            "Action=GetCallerIdentity&Version=2020-01-01",
            "InvalidAction",
        ),
        ("Version=2011-06-15", "MissingAction"),
    ] {
        let mut request = Ask::of(&world, Protocol::Query).bare(&world, "/");
        *request.body_mut() = Bytes::from(form);
        let answer = send(&world, request).await.expect(400);
        assert_eq!(element(&answer.text(), "Code"), code);
    }
    // A content type of no protocol, and a method that no protocol has.
    let mut request = Ask::of(&world, Protocol::Json).signed(&world);
    let value = HeaderValue::from_static("text/plain");
    request.headers_mut().insert("content-type", value);
    let answer = send(&world, request).await.expect(404);
    assert_eq!(answer.text().trim_end(), "<UnknownOperationException/>");
    let mut request = Ask::of(&world, Protocol::Json).signed(&world);
    *request.method_mut() = Method::PUT;
    assert_eq!(send(&world, request).await.status, 405);
    before.is_unchanged(&world).await;
}

#[tokio::test]
async fn e3_bodies_that_cannot_be_read() {
    let world = World::start().await;
    let (deep, before) = ("[".repeat(5000), Stored::of(&world));
    let closed = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
    let inside = format!("{{\"repositoryNames\":{closed}}}");
    let unknown = format!("{{\"surprise\":{closed}}}");
    for body in [
        "",
        "nonsense",
        "{",
        "[]",
        "\"text\"",
        "\u{feff}{}",
        "{} {}",
        "null",
        "7",
        "{}\0",
        "{\"a\":\"\\ud800\"}",
        "{\"maxResults\":1e999}",
        "{\"maxResults\":NaN}",
        &deep,
        &closed,
        &inside,
        &unknown,
    ] {
        let answer = world.post(&world.credentials, TARGET, Bytes::from(body.to_owned()));
        let expected = (400, "SerializationException".to_owned());
        assert_eq!(answer.await.code(), expected, "{:.40}", body);
    }
    let wrong = json!({ "maxResults": "100" });
    let body = refused(&world, "DescribeRepositories", wrong).await;
    assert_eq!(body["__type"], "SerializationException");
    let utf16: Vec<u8> = "{}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for body in [
        &b"\xff\xfe"[..],
        &utf16,
        b"{\"repositoryNames\":[\"\xff\"]}",
    ] {
        let answer = world.post(&world.credentials, TARGET, Bytes::copy_from_slice(body));
        assert_eq!(answer.await.code(), is_400("SerializationException"));
    }
    before.is_unchanged(&world).await;
}

#[tokio::test]
async fn e3_the_longest_request_that_is_read() {
    let world = World::start().await;
    let mebibyte = 1024 * 1024;
    let padded = |bytes: usize| Bytes::from(format!("{{}}{}", " ".repeat(bytes - 2)));
    for (operation, limit, status) in [
        ("DescribeRepositories", mebibyte, 200),
        // Read, and then not a request of the operation.
        ("PutImage", 9 * mebibyte, 400),
        ("UploadLayerPart", 32 * mebibyte, 400),
    ] {
        let target = TARGET.replace("DescribeRepositories", operation);
        let answer = world.post(&world.credentials, &target, padded(limit)).await;
        assert_eq!(answer.status, status, "{operation}");
        let answer = world.post(&world.credentials, &target, padded(limit + 1));
        let answer = answer.await;
        assert_eq!((answer.status.as_u16(), answer.body.len()), (413, 0));
    }
    let mut request = Ask::of(&world, Protocol::Query).signed(&world);
    *request.body_mut() = padded(mebibyte + 1);
    assert_eq!(send(&world, request).await.status, 413);
    ok(&world, "DescribeRepositories", json!({})).await;
}

/// A stranger is told so before a long body is read, let alone held.
#[tokio::test]
async fn e3_a_long_body_of_a_stranger_is_not_read() {
    let world = World::start().await;
    let answer = tokio::task::spawn_blocking(move || {
        use std::io::{Read as _, Write as _};
        let mut stream = std::net::TcpStream::connect(world.address).unwrap();
        let head = format!(
            "POST / HTTP/1.1\r\nHost: {}\r\nContent-Type: application/x-amz-json-1.1\r\n\
             X-Amz-Target: {ECR}.UploadLayerPart\r\nContent-Length: 31000000\r\n\r\n{{",
            world.address
        );
        stream.write_all(head.as_bytes()).unwrap();
        // Not one byte more is sent: an answer can only come from the head.
        let mut answer = Vec::new();
        let mut piece = [0; 4096];
        while !String::from_utf8_lossy(&answer).contains("Missing Authentication Token") {
            match stream.read(&mut piece).unwrap() {
                0 => break,
                read => answer.extend_from_slice(&piece[..read]),
            }
        }
        String::from_utf8_lossy(&answer).into_owned()
    })
    .await
    .unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(
        answer.contains("MissingAuthenticationTokenException"),
        "{answer}"
    );
}

/// Forms are read before anybody has signed: they are short, and so is what is said of them.
#[tokio::test]
async fn e3_what_a_stranger_writes_in_a_form_does_not_come_back_at_length() {
    let world = World::start().await;
    let form = |head: &str, length: usize| format!("{head}={}", "<".repeat(length));
    for (head, status) in [
        ("Version=2011-06-15&Action", 400),
        ("Action=GetCallerIdentity&Version", 400),
        ("Version=2010-05-08&Action", 403),
    ] {
        let mut request = Ask::of(&world, Protocol::Query).bare(&world, "/");
        *request.body_mut() = Bytes::from(form(head, 60_000));
        let answer = send(&world, request).await.expect(status);
        assert!(answer.body.len() < 2048, "{head}: {}", answer.body.len());
    }
    let mut request = Ask::of(&world, Protocol::Query).bare(&world, "/");
    *request.body_mut() = Bytes::from(form("Action", 1_000_000));
    assert_eq!(send(&world, request).await.status, 413);
}

#[tokio::test]
async fn e5_a_page_token_works_only_where_it_was_given() {
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
async fn e6_another_registry_is_closed_in_every_operation() {
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
        let body = body.to_string().into();
        let answer = world.post(&stranger, operation.target(), body).await;
        let expected = (400, "AccessDeniedException".to_owned());
        assert_eq!(answer.code(), expected, "{operation:?}");
        asked += 1;
    }
    // 24 of ECR, 15 of ECR Public.
    assert_eq!(asked, 39);
    assert_eq!(world.image_ids("app").await.len(), 1);
}

#[tokio::test]
async fn e9_of_many_that_make_one_name_exactly_one_succeeds() {
    let world = World::start().await;
    let name = json!({ "repositoryName": "raced" });
    let all = (0..50).map(|_| world.ecr("CreateRepository", name.clone()));
    let answers = join_all(all).await;
    let mut made = 0;
    for answer in answers {
        match answer.code() {
            (200, _) => made += 1,
            other => assert_eq!(other, (400, "RepositoryAlreadyExistsException".into())),
        }
    }
    assert_eq!(made, 1);
}

#[tokio::test]
async fn e9_a_tag_that_many_push_ends_on_one_of_them() {
    let world = world().await;
    let base = push(&world, "app", "base", &[]).await;
    let variants: Vec<_> = (0..50).map(|n| api::variant(&base, n)).collect();
    let all = variants
        .iter()
        .map(|one| world.ecr("PutImage", put_image("app", one, Some("t"))));
    for answer in join_all(all).await {
        answer.expect(200);
    }
    let tagged = json!({ "repositoryName": "app", "filter": { "tagStatus": "TAGGED" } });
    let tagged = ok(&world, "ListImages", tagged).await;
    let [id] = tagged["imageIds"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default()
    else {
        panic!("one tag: {tagged}");
    };
    let is_one_of_them = variants
        .iter()
        .any(|one| id["imageDigest"] == one.digest.as_str());
    assert!(is_one_of_them, "{id}");
    assert_eq!(world.image_ids("app").await.len(), 51);
}

/// 100 MiB, announced or not, signed or not: refused from the head, or after as much as is taken.
#[test]
fn e3_a_hundred_mebibytes_are_not_kept() {
    let watched = Watched::start();
    let head = |length: &str| {
        format!(
            "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Amz-Target: {ECR}.PutImage\r\n\
             Content-Type: application/x-amz-json-1.1\r\n{length}\r\n\r\n"
        )
    };
    let growth = watched.growth(|| {
        let announced = head(&format!("Content-Length: {}", 100 * MIB));
        for head in [announced, head("Transfer-Encoding: chunked")] {
            let answer = match head.contains("chunked") {
                true => watched.send(&head, chunks(MIB, 100)),
                false => watched.send(&head, pieces(MIB, 100)),
            };
            // A sender that goes on for too long may find the connection reset.
            assert!([400, 413, 0].contains(&status(&answer)), "{answer}");
        }
        let body = json!({ "repositoryName": "app", "imageManifest": "x".repeat(100 << 20) });
        let answer = watched.ecr("PutImage", body);
        assert_eq!(answer.status, 413, "{}", answer.text());
    });
    assert!(growth < SLACK, "{} MiB", growth / MIB);
    watched.is_alive();
}

/// A policy text of one rule.
fn policy(selection: &Value) -> String {
    let rule = json!({
        "rulePriority": 1, "selection": selection, "action": { "type": "expire" },
        "description": "long enough to be a policy, which has a hundred characters at least",
    });
    json!({ "rules": [rule] }).to_string()
}

fn tagged(list: &str, values: &[String]) -> Value {
    let mut selection = json!({
        "tagStatus": "tagged", "countType": "imageCountMoreThan", "countNumber": 1,
    });
    selection[list] = json!(values);
    selection
}

#[tokio::test]
async fn e7_lifecycle_policies() {
    let (world, _) = world_with_image().await;
    let before = Stored::of(&world);
    let good = policy(&tagged("tagPatternList", &["v*".into()]));
    let json: Value = serde_json::from_str(&good).expect("JSON");
    let rules = |rules: Vec<Value>| json!({ "rules": rules }).to_string();
    let rule = |priority: i64, status: &str| {
        let mut rule = json["rules"][0].clone();
        rule["rulePriority"] = priority.into();
        if status != "tagged" {
            rule["selection"] = json!({
                "tagStatus": status, "countType": "imageCountMoreThan", "countNumber": 1,
            });
        }
        rule
    };
    let changed = |pointer: &str, value: Value| {
        let mut json = json.clone();
        *json.pointer_mut(pointer).expect("a member") = value;
        json.to_string()
    };
    let mut both = tagged("tagPatternList", &["v*".into()]);
    both["tagPrefixList"] = json!(["v"]);
    let mut without_unit = tagged("tagPatternList", &["v*".into()]);
    without_unit["countType"] = "sinceImagePushed".into();
    let many = |count| (1..=count).map(|n| rule(n, "tagged")).collect();
    let padded = |length: usize| format!("{good}{}", " ".repeat(length - good.len()));
    for text in [
        rules(vec![rule(1, "tagged"), rule(1, "untagged")]),
        changed("/rules/0/rulePriority", json!(0)),
        changed("/rules/0/rulePriority", json!(-1)),
        changed("/rules/0/rulePriority", json!(1.5)),
        changed("/rules/0/rulePriority", json!("1")),
        changed("/rules/0/rulePriority", json!(u64::MAX)),
        rules(vec![rule(1, "any"), rule(2, "tagged")]),
        policy(&both),
        changed("/rules/0/selection/countNumber", json!(0)),
        changed("/rules/0/selection/countNumber", json!(-1)),
        policy(&without_unit),
        rules(many(1001)),
        rules(many(51)),
        rules(vec![]),
        changed(
            "/rules/0/selection/tagPatternList",
            json!(["*".repeat(10_000)]),
        ),
        changed("/rules/0/selection/tagPatternList", json!(["*****"])),
        changed(
            "/rules/0/selection/tagPatternList",
            json!(vec!["****a*".to_owned(); 1000]),
        ),
        padded(30_721),
        format!("{}{}", "[".repeat(15_000), "]".repeat(15_000)),
        "x".repeat(200),
        "x".repeat(99),
        String::new(),
    ] {
        let body = json!({ "repositoryName": "app", "lifecyclePolicyText": text });
        for operation in ["PutLifecyclePolicy", "StartLifecyclePolicyPreview"] {
            let refused = world.ecr(operation, body.clone()).await;
            let code = is_400("InvalidParameterException");
            assert_eq!(refused.code(), code, "{operation} {text:.300}");
        }
    }
    before.is_unchanged(&world).await;
    for text in [padded(30_720), rules(many(50))] {
        let body = json!({ "repositoryName": "app", "lifecyclePolicyText": text });
        world.ecr("PutLifecyclePolicy", body).await.expect(200);
    }
}

#[tokio::test]
async fn e8_deletions_in_one_request() {
    let (world, _) = world_with_image().await;
    let other = world.push_image("app", "two", &["v2"]).await;
    let child = world.push_image("app", "child", &[]).await;
    let index = world.push_index("app", "list", &[&child]).await;
    let before = Stored::of(&world);
    let delete = async |ids: Value| {
        let body = json!({ "repositoryName": "app", "imageIds": ids });
        world.ecr("BatchDeleteImage", body).await
    };
    for ids in [
        json!([]),
        json!(vec![json!({ "imageTag": "v1" }); 101]),
        Value::Null,
    ] {
        let refused = delete(ids).await;
        assert_eq!(refused.code(), is_400("InvalidParameterException"));
    }
    let failed = |answer: &Value, at: usize| answer["failures"][at]["failureCode"].clone();
    let mismatch = json!([
        { "imageDigest": other.digest, "imageTag": "v1" },
        { "imageDigest": digest(b"unknown") },
        { "imageTag": "unknown" },
        { "imageDigest": child.digest },
        {},
        { "imageDigest": "sha256:x" },
    ]);
    let answer = delete(mismatch).await.expect(200).json();
    for (at, code) in [
        "ImageTagDoesNotMatchDigest",
        "ImageNotFound",
        "ImageNotFound",
        "ImageReferencedByManifestList",
        "MissingDigestAndTag",
        "InvalidImageDigest",
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(failed(&answer, at), code, "{answer}");
    }
    assert_eq!(answer["imageIds"], json!([]));
    before.is_unchanged(&world).await;
    // A child before its index stays, behind it goes; the same one twice is gone the second time.
    let answer = delete(json!([{ "imageDigest": child.digest }, { "imageDigest": index.digest }]));
    let answer = answer.await.expect(200).json();
    assert_eq!(failed(&answer, 0), "ImageReferencedByManifestList");
    let index = world.push_index("app", "list", &[&child]).await;
    let answer = delete(json!([{ "imageDigest": index.digest }, { "imageDigest": child.digest }]));
    assert_eq!(answer.await.expect(200).json()["failures"], json!([]));
    let answer = delete(json!([{ "imageTag": "v2" }, { "imageTag": "v2" }]));
    let answer = answer.await.expect(200).json();
    assert_eq!(answer["imageIds"].as_array().map(Vec::len), Some(1));
    assert_eq!(failed(&answer, 0), "ImageNotFound");
    is_alive(&world).await;
}

/// Whoever is told that an image was put finds it, or finds it deleted; never half of it.
#[tokio::test]
async fn e9_deleting_against_putting() {
    let world = world().await;
    let image = push(&world, "app", "raced", &["t"]).await;
    for round in 0..20 {
        let ids = json!({ "repositoryName": "app", "imageIds": [{ "imageTag": "t" }] });
        let variant = api::variant(&image, round);
        let (deleted, put) = tokio::join!(
            world.ecr("BatchDeleteImage", ids),
            world.ecr("PutImage", put_image("app", &variant, Some("t"))),
        );
        let deleted = deleted.expect(200).json();
        put.expect(200);
        let went = deleted["imageIds"][0]["imageDigest"].as_str().unwrap_or("");
        let path = "/v2/app/manifests/t";
        let there = world.oci(Method::GET, path, &[], "").await;
        match there.status.as_u16() {
            200 => assert_eq!(there.body, variant.bytes),
            // The deletion came second.
            404 => assert_eq!(went, variant.digest, "{deleted}"),
            other => panic!("{other}"),
        }
        let again = world
            .ecr("PutImage", put_image("app", &image, Some("t")))
            .await;
        assert!(again.status == 200 || again.code().1 == "ImageAlreadyExistsException");
    }
    is_alive(&world).await;
}

#[tokio::test]
async fn e10_resource_tags() {
    let (world, _) = world_with_image().await;
    let before = Stored::of(&world);
    let tag = |key: &str, value: &str| json!([{ "Key": key, "Value": value }]);
    let many = |count: usize| -> Value {
        let tags = (0..count).map(|n| json!({ "Key": format!("n{n}"), "Value": "" }));
        tags.collect()
    };
    let arn = "arn:aws:ecr:us-east-1:123456789012:repository/app";
    for (tags, code) in [
        (many(51), "TooManyTagsException"),
        (many(201), "TooManyTagsException"),
        (tag(&"k".repeat(129), "v"), "InvalidTagParameterException"),
        (tag("aws:x", "v"), "InvalidTagParameterException"),
        (tag("AWS:x", "v"), "InvalidTagParameterException"),
        (tag("", "v"), "InvalidTagParameterException"),
        (tag("k", &"v".repeat(257)), "InvalidTagParameterException"),
        (
            json!([{ "Key": "k", "Value": "1" }, { "Key": "k", "Value": "2" }]),
            "InvalidTagParameterException",
        ),
    ] {
        let refused = world.ecr("TagResource", json!({ "resourceArn": arn, "tags": tags }));
        let refused = refused.await;
        assert_eq!(refused.code(), is_400(code), "{tags}");
        let refused = world.ecr(
            "CreateRepository",
            json!({ "repositoryName": "new", "tags": tags }),
        );
        let refused = refused.await;
        assert_eq!(refused.code(), is_400(code), "{tags}");
    }
    before.is_unchanged(&world).await;
    let taken = world.ecr(
        "TagResource",
        json!({ "resourceArn": arn, "tags": many(50) }),
    );
    taken.await.expect(200);
}
