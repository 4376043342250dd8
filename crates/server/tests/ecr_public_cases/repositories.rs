//! CreateRepository, DescribeRepositories and DeleteRepository (section 3.1), names, and whom a
//! `registryId` means.

use roadstead_domain::time::Span;
use roadstead_testkit::World;
use serde_json::{Value, json};

use crate::public_api::{
    ACCOUNT, NAME, NOW, OTHER, alias, alias_as, call, code_of, error, invalid, no_repository, ok,
    ok_as, push, refused, refused_as, repository, sorted, world_and_alias, world_with,
};

const PATTERN: &str = "Member must satisfy regular expression pattern: \
     (?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*";

#[tokio::test]
async fn a_repository_made_twice() {
    let (world, alias) = world_and_alias(false).await;
    let body = json!({ "repositoryName": NAME });
    assert_eq!(
        refused(&world, "CreateRepository", body).await,
        error(
            "RepositoryAlreadyExistsException",
            "The repository with name 'team/app' already exists in the registry with id \
             '123456789012'"
        )
    );
    // The same name in another registry is another repository.
    let other = world.key_of(OTHER).await;
    let body = json!({ "repositoryName": NAME });
    let made = ok_as(&world, &other, "CreateRepository", body).await;
    let others = alias_as(&world, &other).await;
    assert_ne!(others, alias);
    assert_eq!(
        made["repository"],
        json!({
            "createdAt": NOW,
            "registryId": "222222222222",
            "repositoryArn": "arn:aws:ecr-public::222222222222:repository/team/app",
            "repositoryName": "team/app",
            "repositoryUri": format!("public.ecr.aws/{others}/team/app"),
        })
    );
}

#[tokio::test]
async fn private_and_public_repositories_do_not_meet() {
    let (world, _) = world_and_alias(false).await;
    push(&world, "public", &["v1"]).await;
    let body = json!({ "repositoryName": NAME });
    let private = world.ecr("DescribeImages", body.clone()).await;
    assert_eq!(private.code(), (400, "RepositoryNotFoundException".into()));
    world
        .ecr("CreateRepository", body.clone())
        .await
        .expect(200);
    let images = world.ecr("DescribeImages", body.clone()).await.expect(200);
    assert_eq!(images.json(), json!({ "imageDetails": [] }));
    world.ecr("DeleteRepository", body).await.expect(200);
    let all = ok(&world, "DescribeRepositories", json!({})).await;
    assert_eq!(all["repositories"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn names() {
    let world = world_with(false).await;
    for name in ["ab", "a.b/c-d_e/0", "library/alpine", &"a".repeat(205)] {
        let made = repository(&world, name).await;
        assert_eq!(made["repositoryName"], name);
    }
    let bad = [
        ("a___b", PATTERN),
        ("a__b", PATTERN),
        ("a--b", PATTERN),
        ("Team/App", PATTERN),
        ("team//app", PATTERN),
        ("/app", PATTERN),
        ("app/", PATTERN),
        ("ap\n", PATTERN),
        ("a", "Member must have length greater than or equal to 2"),
        (
            &"a".repeat(206),
            "Member must have length less than or equal to 205",
        ),
    ];
    for (name, constraint) in bad {
        let body = json!({ "repositoryName": name });
        assert_eq!(
            refused(&world, "CreateRepository", body).await,
            invalid("repositoryName", constraint),
            "{name}"
        );
    }
}

#[tokio::test]
async fn described_by_name_and_as_a_whole() {
    let world = world_with(false).await;
    assert_eq!(
        ok(&world, "DescribeRepositories", json!({})).await,
        json!({ "repositories": [] })
    );
    let mut made = Vec::new();
    for name in ["one", "two", "three"] {
        made.push(repository(&world, name).await);
        world.clock.advance(Span::seconds(1));
    }
    let all = ok(&world, "DescribeRepositories", json!({})).await;
    assert_eq!(sorted(&all["repositories"]), sorted(&made.clone().into()));
    // Its order does not change from one time to the next.
    assert_eq!(ok(&world, "DescribeRepositories", json!({})).await, all);
    let body = json!({ "registryId": ACCOUNT, "repositoryNames": ["three", "one"] });
    let named = ok(&world, "DescribeRepositories", body).await;
    let expected = json!([made[2], made[0]]);
    assert_eq!(sorted(&named["repositories"]), sorted(&expected));
    let body = json!({ "repositoryNames": ["one", "ghost", "two"] });
    assert_eq!(
        refused(&world, "DescribeRepositories", body).await,
        no_repository("ghost", ACCOUNT)
    );
}

#[tokio::test]
async fn deleted_with_everything_in_it() {
    let (world, alias_before) = world_and_alias(false).await;
    let described = ok(&world, "DescribeRepositories", json!({})).await["repositories"][0].clone();
    push(&world, "inside", &["v1"]).await;
    let policy = json!({ "repositoryName": NAME, "policyText": crate::policies::PUSH_BY_OTHER });
    ok(&world, "SetRepositoryPolicy", policy).await;
    let catalog = json!({ "repositoryName": NAME, "catalogData": { "description": "d" } });
    ok(&world, "PutRepositoryCatalogData", catalog).await;
    let arn = described["repositoryArn"].clone();
    let tags = json!({ "resourceArn": arn, "tags": [{ "Key": "k", "Value": "v" }] });
    ok(&world, "TagResource", tags).await;

    for force in [json!({}), json!({ "force": false })] {
        let mut body = json!({ "repositoryName": NAME });
        body.as_object_mut()
            .expect("an object")
            .extend(force.as_object().cloned().expect("an object"));
        assert_eq!(
            refused(&world, "DeleteRepository", body).await,
            error(
                "RepositoryNotEmptyException",
                "The repository with name 'team/app' in registry with id '123456789012' cannot \
                 be deleted because it still contains images"
            )
        );
    }
    let body = json!({ "registryId": ACCOUNT, "repositoryName": NAME, "force": true });
    assert_eq!(
        ok(&world, "DeleteRepository", body.clone()).await,
        json!({ "repository": described })
    );
    assert_eq!(
        refused(&world, "DeleteRepository", body).await,
        no_repository(NAME, ACCOUNT)
    );

    // The registry keeps its name, and a new repository takes nothing over.
    assert_eq!(alias(&world).await, alias_before);
    repository(&world, NAME).await;
    let name = json!({ "repositoryName": NAME });
    assert_eq!(
        ok(&world, "DescribeImages", name.clone()).await,
        json!({ "imageDetails": [] })
    );
    assert_eq!(
        ok(&world, "GetRepositoryCatalogData", name.clone()).await,
        json!({ "catalogData": {} })
    );
    assert_eq!(
        code_of(&world, "GetRepositoryPolicy", name).await,
        "RepositoryPolicyNotFoundException"
    );
    let arn = json!({ "resourceArn": arn });
    assert_eq!(
        ok(&world, "ListTagsForResource", arn).await,
        json!({ "tags": [] })
    );
}

#[tokio::test]
async fn an_empty_repository_goes_without_force() {
    let (world, _) = world_and_alias(false).await;
    let digest = push(&world, "short-lived", &[]).await.digest;
    crate::public_api::delete(&world, json!([{ "imageDigest": digest }])).await;
    let body = json!({ "repositoryName": NAME });
    ok(&world, "DeleteRepository", body).await;
    assert_eq!(
        ok(&world, "DescribeRepositories", json!({})).await,
        json!({ "repositories": [] })
    );
}

/// A body for each operation that names a repository, with nothing else wrong.
fn of_a_repository(world_name: &str) -> Vec<(&'static str, Value)> {
    let named = |more: Value| {
        let mut body = json!({ "repositoryName": world_name });
        body.as_object_mut()
            .expect("an object")
            .extend(more.as_object().cloned().expect("an object"));
        body
    };
    let id = "00000000-0000-4000-8000-000000000000";
    let part = json!({
        "uploadId": id, "partFirstByte": 0, "partLastByte": 0, "layerPartBlob": "YQ==",
    });
    let digest = format!("sha256:{}", "0".repeat(64));
    let digests = json!({ "layerDigests": [digest] });
    let complete = json!({ "uploadId": id, "layerDigests": [digest] });
    vec![
        ("BatchCheckLayerAvailability", named(digests)),
        ("CompleteLayerUpload", named(complete)),
        ("InitiateLayerUpload", named(json!({}))),
        ("PutImage", named(json!({ "imageManifest": "{}" }))),
        ("UploadLayerPart", named(part)),
        (
            "BatchDeleteImage",
            named(json!({ "imageIds": [{ "imageTag": "v1" }] })),
        ),
        ("DeleteRepository", named(json!({}))),
        ("DeleteRepositoryPolicy", named(json!({}))),
        ("DescribeImages", named(json!({}))),
        ("DescribeImageTags", named(json!({}))),
        ("GetRepositoryCatalogData", named(json!({}))),
        ("GetRepositoryPolicy", named(json!({}))),
        (
            "PutRepositoryCatalogData",
            named(json!({ "catalogData": {} })),
        ),
        (
            "SetRepositoryPolicy",
            named(json!({ "policyText": crate::policies::PUSH_BY_OTHER })),
        ),
        (
            "DescribeRepositories",
            json!({ "repositoryNames": [world_name] }),
        ),
    ]
}

/// The six operations that take an alias for a registry; the first five know
/// RegistryNotFoundException (section 10).
const BY_ALIAS: [&str; 6] = [
    "BatchCheckLayerAvailability",
    "CompleteLayerUpload",
    "InitiateLayerUpload",
    "PutImage",
    "UploadLayerPart",
    "BatchDeleteImage",
];

fn in_registry(mut body: Value, registry: &str) -> Value {
    body["registryId"] = registry.into();
    body
}

#[tokio::test]
async fn a_repository_that_is_not_there() {
    let (world, alias) = world_and_alias(false).await;
    for (operation, body) in of_a_repository("ghost") {
        for registry in [None, Some(ACCOUNT)] {
            let body = match registry {
                Some(registry) => in_registry(body.clone(), registry),
                None => body.clone(),
            };
            assert_eq!(
                refused(&world, operation, body).await,
                no_repository("ghost", ACCOUNT),
                "{operation}"
            );
        }
        if BY_ALIAS.contains(&operation) {
            // Whether the sentence names the account or the alias is not recorded.
            let said = refused(&world, operation, in_registry(body, &alias)).await;
            let by_account = no_repository("ghost", ACCOUNT);
            let by_alias = no_repository("ghost", &alias);
            assert!(
                said == by_account || said == by_alias,
                "{operation}: {said}"
            );
        }
    }
}

#[tokio::test]
async fn an_alias_is_a_registry_in_six_operations() {
    let (world, alias) = world_and_alias(false).await;
    for (operation, body) in of_a_repository(NAME) {
        let by_account = call(&world, operation, in_registry(body.clone(), ACCOUNT)).await;
        assert_ne!(by_account.code().1, "RepositoryNotFoundException");
        let by_alias = call(&world, operation, in_registry(body, &alias)).await;
        if BY_ALIAS.contains(&operation) {
            // Uploads and the like have ids of their own; what kind of answer it is tells enough.
            assert_eq!(by_alias.code(), by_account.code(), "{operation}");
        } else {
            assert_eq!(
                by_alias.json(),
                invalid(
                    "registryId",
                    "Member must satisfy regular expression pattern: [0-9]{12}"
                ),
                "{operation}"
            );
        }
        // One of them deletes it.
        call(
            &world,
            "CreateRepository",
            json!({ "repositoryName": NAME }),
        )
        .await;
    }
}

#[tokio::test]
async fn a_registry_that_is_not_there() {
    let (world, _) = world_and_alias(false).await;
    for (operation, body) in of_a_repository(NAME) {
        if !BY_ALIAS.contains(&operation) {
            continue;
        }
        let said = refused(&world, operation, in_registry(body, "z9z9z9z9")).await;
        if operation == "BatchDeleteImage" {
            assert_eq!(said, no_repository(NAME, "z9z9z9z9"));
        } else {
            assert_eq!(
                said["__type"], "RegistryNotFoundException",
                "{operation}: {said}"
            );
            let message = said["message"].as_str().unwrap_or_default();
            assert!(message.contains("z9z9z9z9"), "{operation}: {said}");
        }
    }
    for registry in ["x", &"a".repeat(51)] {
        let body = json!({ "repositoryName": NAME, "registryId": registry });
        let said = refused(&world, "InitiateLayerUpload", body).await;
        crate::public_api::is_invalid(&said, "registryId");
    }
}

/// Access comes before existence (section 11): neither a repository nor its absence shows.
#[tokio::test]
async fn a_stranger_learns_nothing() {
    let (world, alias) = world_and_alias(false).await;
    let other = world.key_of(OTHER).await;
    for name in [NAME, "ghost"] {
        for (operation, body) in of_a_repository(name) {
            let mut registries = vec![ACCOUNT];
            if BY_ALIAS.contains(&operation) {
                registries.push(&alias);
            }
            for registry in registries {
                let body = in_registry(body.clone(), registry);
                let said = refused_as(&world, &other, operation, body).await;
                assert_eq!(
                    said["__type"], "AccessDeniedException",
                    "{operation}: {said}"
                );
                let message = said["message"].as_str().unwrap_or_default();
                let start = format!(
                    "User: arn:aws:iam::222222222222:root is not authorized to perform: \
                     ecr-public:{operation} on resource: "
                );
                assert!(message.starts_with(&start), "{operation}: {said}");
            }
        }
    }
}

#[tokio::test]
async fn the_registry_is_the_same_in_every_region() {
    let world = World::builder().with_aws_hosts().start().await;
    repository(&world, NAME).await;
    let far = world.credentials.in_region("eu-west-1");
    let near = ok(&world, "DescribeRepositories", json!({})).await;
    assert_eq!(
        ok_as(&world, &far, "DescribeRepositories", json!({})).await,
        near
    );
    let body = json!({ "repositoryName": NAME });
    let again = refused_as(&world, &far, "CreateRepository", body).await;
    assert_eq!(again["__type"], "RepositoryAlreadyExistsException");
}

#[tokio::test]
async fn strictly_there_is_one_region() {
    let world = world_with(true).await;
    ok(&world, "DescribeRepositories", json!({})).await;
    let far = world.credentials.in_region("eu-west-1");
    let minimal = [
        ("GetAuthorizationToken", json!({})),
        ("DescribeRegistries", json!({})),
        ("GetRegistryCatalogData", json!({})),
        ("PutRegistryCatalogData", json!({})),
        ("CreateRepository", json!({ "repositoryName": NAME })),
    ];
    for (operation, body) in minimal.into_iter().chain(of_a_repository(NAME)) {
        let said = refused_as(&world, &far, operation, body).await;
        assert_eq!(
            said["__type"], "UnsupportedCommandException",
            "{operation}: {said}"
        );
        let message = said["message"].as_str().unwrap_or_default();
        assert!(!message.is_empty(), "{operation}: {said}");
    }
}

/// What private ECR has and ECR Public has not.
#[tokio::test]
async fn operations_that_are_not_of_this_service() {
    let (world, _) = world_and_alias(false).await;
    for operation in [
        "ListImages",
        "BatchGetImage",
        "GetDownloadUrlForLayer",
        "PutLifecyclePolicy",
        "PutImageTagMutability",
        "StartImageScan",
        "DescribeRegistry",
    ] {
        let body = json!({ "repositoryName": NAME });
        assert_eq!(
            code_of(&world, operation, body).await,
            "UnknownOperationException",
            "{operation}"
        );
    }
    // Nor does a signature for private ECR open it.
    let key = &world.credentials;
    let target = format!("{}.DescribeRepositories", roadstead_testkit::aws::ECR);
    let mut request = world.signed(key, &target, "{}".into());
    let target = http::HeaderValue::from_static("SpencerFrontendService.DescribeRepositories");
    request.headers_mut().insert("x-amz-target", target);
    let answer = roadstead_testkit::client::send(world.address, request).await;
    assert_eq!(answer.code(), (400, "InvalidSignatureException".into()));
}
