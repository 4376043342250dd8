//! What the members of requests do: repositories, resource tags, tokens, pages (ecr.md sections 2,
//! 3 and 8). Images and layers are in `aws_images.rs`.
//!
//! Bodies are asserted whole where the reference has them; elsewhere the code.

mod api;

use api::{error, invalid, ok, refused, repository};
use http::Method;
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
