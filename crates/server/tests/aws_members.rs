//! What the members of requests do: repositories, resource tags, tokens, pages (ecr.md sections 2,
//! 3 and 8; hostile.md E5, E6, E10). Images and layers are in `aws_images.rs`.
//!
//! Bodies are asserted whole where the reference has them; elsewhere the code.

mod api;

use api::{error, invalid, ok, push, refused, repository};
use http::Method;
use roadstead_api_model::probe::minimal;
use roadstead_api_model::{Operation, facts};
use roadstead_testkit::World;
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
