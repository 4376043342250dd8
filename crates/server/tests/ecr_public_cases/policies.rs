//! Repository policies (section 3.6): their texts, whom they let in and whom they keep out.

use roadstead_testkit::{Credentials, Layout, World};
use serde_json::{Value, json};

use crate::public_api::oci::{anonymous, bearer, get, put_blob, put_manifest};
use crate::public_api::{
    ACCOUNT, NAME, OTHER, call_as, denied, error, invalid, not_allowed, ok, ok_as, push_blobs,
    put_image, refused, refused_as, repository, world_and_alias,
};

/// Lets the other account push, as the user guide has it.
pub const PUSH_BY_OTHER: &str = r#"{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Sid": "push",
      "Effect": "Allow",
      "Principal": { "AWS": "arn:aws:iam::222222222222:root" },
      "Action": [
        "ecr-public:BatchCheckLayerAvailability",
        "ecr-public:CompleteLayerUpload",
        "ecr-public:InitiateLayerUpload",
        "ecr-public:PutImage",
        "ecr-public:UploadLayerPart"
      ]
    }
  ]
}"#;

const EXPLICIT: &str = "with an explicit deny in a resource-based policy";

fn statement(effect: &str, principal: Value, action: Value) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": effect, "Principal": principal, "Action": action }],
    })
}

fn set(policy: &Value) -> Value {
    json!({ "repositoryName": NAME, "policyText": policy.to_string() })
}

fn no_policy() -> Value {
    error(
        "RepositoryPolicyNotFoundException",
        "Repository policy does not exist for the repository with name 'team/app' in the \
         registry with id '123456789012'",
    )
}

/// An answer whose policy is compared by its meaning.
fn read(mut answer: Value) -> Value {
    let text = answer["policyText"].as_str().expect("a text");
    let policy: Value = serde_json::from_str(text).expect("JSON");
    answer["policyText"] = policy;
    answer
}

fn about(policy: &str) -> Value {
    let policy: Value = serde_json::from_str(policy).expect("JSON");
    json!({ "policyText": policy, "registryId": ACCOUNT, "repositoryName": NAME })
}

#[tokio::test]
async fn set_read_replaced_and_deleted() {
    let (world, _) = world_and_alias(false).await;
    let name = json!({ "registryId": ACCOUNT, "repositoryName": NAME });
    for operation in ["GetRepositoryPolicy", "DeleteRepositoryPolicy"] {
        assert_eq!(refused(&world, operation, name.clone()).await, no_policy());
    }
    let body = json!({ "repositoryName": NAME, "policyText": PUSH_BY_OTHER });
    let answer = ok(&world, "SetRepositoryPolicy", body).await;
    assert_eq!(read(answer), about(PUSH_BY_OTHER));
    let answer = ok(&world, "GetRepositoryPolicy", name.clone()).await;
    assert_eq!(read(answer), about(PUSH_BY_OTHER));

    let policy = statement("Allow", json!("*"), json!("ecr-public:DescribeImages"));
    let answer = ok(&world, "SetRepositoryPolicy", set(&policy)).await;
    assert_eq!(read(answer), about(&policy.to_string()));
    let answer = ok(&world, "DeleteRepositoryPolicy", name.clone()).await;
    assert_eq!(read(answer), about(&policy.to_string()));
    for operation in ["GetRepositoryPolicy", "DeleteRepositoryPolicy"] {
        assert_eq!(refused(&world, operation, name.clone()).await, no_policy());
    }
}

#[tokio::test]
async fn what_is_no_policy() {
    let (world, _) = world_and_alias(false).await;
    let good = statement("Allow", json!({ "AWS": OTHER }), json!("ecr-public:*"));
    let with = |member: &str, value: Value| {
        let mut policy = good.clone();
        policy["Statement"][0][member] = value;
        policy.to_string()
    };
    let without = |member: &str| {
        let mut policy = good.clone();
        let statement = policy["Statement"][0].as_object_mut();
        statement.expect("a statement").remove(member);
        policy.to_string()
    };
    let arn = "arn:aws:ecr-public::123456789012:repository/team/app";
    let bad = [
        String::new(),
        "not json".into(),
        "[]".into(),
        "{}".into(),
        "\"text\"".into(),
        json!({ "Version": "2012-10-17", "Statement": [] }).to_string(),
        json!({ "Version": "2012-10-17", "Statement": "all" }).to_string(),
        json!({ "Version": "2020-01-01", "Statement": good["Statement"] }).to_string(),
        without("Effect"),
        without("Principal"),
        without("Action"),
        with("Effect", json!("allow")),
        with("Action", json!([])),
        with("Action", json!(7)),
        with("Resource", json!(arn)),
        with("Resource", json!("*")),
        with("Principal", json!("222222222222")),
        with("Principal", json!({ "AWS": "nonsense" })),
        with("Surprise", json!("x")),
        with(
            "Condition",
            json!({ "NoSuchOperator": { "aws:SourceIp": "127.0.0.1" } }),
        ),
    ];
    for text in bad {
        let body = json!({ "repositoryName": NAME, "policyText": text });
        assert_eq!(
            refused(&world, "SetRepositoryPolicy", body).await,
            invalid("PolicyText", "Invalid repository policy provided"),
            "{text}"
        );
    }
    let name = json!({ "repositoryName": NAME });
    assert_eq!(
        refused(&world, "GetRepositoryPolicy", name).await,
        no_policy()
    );
    ok(&world, "SetRepositoryPolicy", set(&good)).await;
}

#[tokio::test]
async fn the_longest_text() {
    let (world, _) = world_and_alias(false).await;
    let of_length = |length: usize| {
        let padding = " ".repeat(length - PUSH_BY_OTHER.len());
        json!({ "repositoryName": NAME, "policyText": format!("{PUSH_BY_OTHER}{padding}") })
    };
    let answer = ok(&world, "SetRepositoryPolicy", of_length(10_240)).await;
    assert_eq!(read(answer), about(PUSH_BY_OTHER));
    assert_eq!(
        refused(&world, "SetRepositoryPolicy", of_length(10_241)).await,
        invalid(
            "policyText",
            "Member must have length less than or equal to 10240"
        )
    );
}

#[tokio::test]
async fn nobody_locks_themselves_out_by_accident() {
    let (world, _) = world_and_alias(false).await;
    for action in ["*", "ecr-public:*", "ecr-public:SetRepositoryPolicy"] {
        for principal in [json!("*"), json!({ "AWS": ACCOUNT })] {
            let policy = statement("Deny", principal, json!(action));
            let said = refused(&world, "SetRepositoryPolicy", set(&policy)).await;
            assert_eq!(said["__type"], "InvalidParameterException", "{said}");
            // Terraform takes this sentence for one that goes away by waiting.
            let message = said["message"].as_str().unwrap_or_default();
            assert!(
                !message.contains("Invalid repository policy provided"),
                "{said}"
            );
        }
    }
    let name = json!({ "repositoryName": NAME });
    assert_eq!(
        refused(&world, "GetRepositoryPolicy", name).await,
        no_policy()
    );
    let policy = statement("Deny", json!("*"), json!("ecr-public:SetRepositoryPolicy"));
    let mut body = set(&policy);
    body["force"] = true.into();
    ok(&world, "SetRepositoryPolicy", body).await;
}

#[tokio::test]
async fn a_denial_holds_for_the_owner_too() {
    let (world, alias) = world_and_alias(false).await;
    let layout = Layout::image("owned");
    push_blobs(&world, &layout).await;
    let principal = json!({ "AWS": "arn:aws:iam::123456789012:root" });
    let actions = json!(["ecr-public:PutImage", "ecr-public:Describe*"]);
    let policy = statement("Deny", principal, actions);
    ok(&world, "SetRepositoryPolicy", set(&policy)).await;
    let body = put_image(&layout.manifest, Some("v1"));
    assert_eq!(
        refused(&world, "PutImage", body).await,
        denied(ACCOUNT, "PutImage", EXPLICIT)
    );
    let name = json!({ "repositoryName": NAME });
    for operation in ["DescribeImages", "DescribeImageTags"] {
        assert_eq!(
            refused(&world, operation, name.clone()).await,
            denied(ACCOUNT, operation, EXPLICIT)
        );
    }
    // On the data plane alike, but for reads.
    let bearer = bearer(&world, &world.credentials).await;
    let put = put_manifest(&world, &alias, "v1", &bearer, &layout.manifest).await;
    assert_eq!(put.code(), (403, "DENIED".into()));
    let message = denied(ACCOUNT, "PutImage", EXPLICIT)["message"].clone();
    assert_eq!(put.json()["errors"][0]["message"], message);
    put_blob(&world, &alias, &bearer, &"more".into())
        .await
        .expect(201);
    // What is not denied goes on.
    ok(&world, "GetRepositoryPolicy", name.clone()).await;
    ok(&world, "DeleteRepositoryPolicy", name).await;
    let body = put_image(&layout.manifest, Some("v1"));
    ok(&world, "PutImage", body).await;
}

/// A push by the API alone, into the repository of the first account.
async fn push_by_api(world: &World, key: &Credentials, registry: &str, layout: &Layout) {
    for blob in &layout.blobs {
        let named = json!({ "registryId": registry, "repositoryName": NAME });
        let opened = ok_as(world, key, "InitiateLayerUpload", named).await;
        let mut part = json!({
            "registryId": registry, "repositoryName": NAME, "uploadId": opened["uploadId"],
            "partFirstByte": 0, "partLastByte": blob.len() - 1,
        });
        part["layerPartBlob"] = crate::public_api::blob(blob).into();
        ok_as(world, key, "UploadLayerPart", part).await;
        let whole = json!({
            "registryId": registry, "repositoryName": NAME, "uploadId": opened["uploadId"],
            "layerDigests": [roadstead_testkit::images::digest(blob)],
        });
        let done = call_as(world, key, "CompleteLayerUpload", whole).await;
        let (status, code) = done.code();
        assert!(
            status == 200 || code == "LayerAlreadyExistsException",
            "{done:?}"
        );
    }
    let mut body = put_image(&layout.manifest, Some("by-api"));
    body["registryId"] = registry.into();
    let answer = ok_as(world, key, "PutImage", body).await;
    assert_eq!(answer["image"]["registryId"], ACCOUNT);
}

#[tokio::test]
async fn another_account_pushes_if_it_may() {
    let (world, alias) = world_and_alias(false).await;
    let other = world.key_of(OTHER).await;
    let token = bearer(&world, &other).await;
    let layout = Layout::image("pushed by others");

    let mut body = put_image(&layout.manifest, Some("v1"));
    body["registryId"] = ACCOUNT.into();
    assert_eq!(
        refused_as(&world, &other, "PutImage", body).await,
        denied(OTHER, "PutImage", &not_allowed("PutImage"))
    );
    let blob = put_blob(&world, &alias, &token, &layout.blobs[0]).await;
    assert_eq!(blob.code(), (403, "DENIED".into()));
    let message = blob.json()["errors"][0]["message"].clone();
    let start = "User: arn:aws:iam::222222222222:root is not authorized to perform: \
                 ecr-public:InitiateLayerUpload on resource: \
                 arn:aws:ecr-public::123456789012:repository/team/app";
    assert!(
        message.as_str().is_some_and(|text| text.starts_with(start)),
        "{message}"
    );

    let body = json!({ "repositoryName": NAME, "policyText": PUSH_BY_OTHER });
    ok(&world, "SetRepositoryPolicy", body).await;
    push_by_api(&world, &other, ACCOUNT, &layout).await;
    let second = Layout::image("pushed by others, by name");
    push_by_api(&world, &other, &alias, &second).await;
    let third = Layout::image("pushed by others, over the data plane");
    crate::public_api::oci::push(&world, &alias, "v1", &token, &third).await;

    // Nothing more than that, nowhere else, and nobody else.
    let body = json!({ "registryId": ACCOUNT, "repositoryName": NAME });
    assert_eq!(
        refused_as(&world, &other, "DescribeImages", body).await,
        denied(OTHER, "DescribeImages", &not_allowed("DescribeImages"))
    );
    repository(&world, "second").await;
    let body = json!({ "registryId": ACCOUNT, "repositoryName": "second" });
    let said = refused_as(&world, &other, "InitiateLayerUpload", body).await;
    assert_eq!(said["__type"], "AccessDeniedException");
    let third_party = world.key_of("333333333333").await;
    let body = json!({ "registryId": ACCOUNT, "repositoryName": NAME });
    let said = refused_as(&world, &third_party, "InitiateLayerUpload", body).await;
    assert_eq!(said["__type"], "AccessDeniedException");

    // The end of the permission is the end of the pushes, also with the token from before.
    let body = json!({ "repositoryName": NAME });
    ok(&world, "DeleteRepositoryPolicy", body).await;
    let put = put_manifest(&world, &alias, "v2", &token, &third.manifest).await;
    assert_eq!(put.code(), (403, "DENIED".into()));
}

/// Whether the other account may describe images under a policy.
async fn may_describe(world: &World, key: &Credentials, policy: &Value) -> bool {
    ok(world, "SetRepositoryPolicy", set(policy)).await;
    let body = json!({ "registryId": ACCOUNT, "repositoryName": NAME });
    let answer = call_as(world, key, "DescribeImages", body).await;
    let (status, code) = answer.code();
    assert!(
        status == 200 || code == "AccessDeniedException",
        "{answer:?}"
    );
    status == 200
}

#[tokio::test]
async fn whom_and_what_a_statement_means() {
    let (world, _) = world_and_alias(false).await;
    let other = world.key_of(OTHER).await;
    let describe = json!("ecr-public:DescribeImages");
    let everybody = json!("*");
    let rows = [
        (everybody.clone(), describe.clone(), true),
        (json!({ "AWS": "*" }), describe.clone(), true),
        (json!({ "AWS": OTHER }), describe.clone(), true),
        (json!({ "AWS": [ACCOUNT, OTHER] }), describe.clone(), true),
        (json!({ "AWS": "333333333333" }), describe, false),
        (everybody.clone(), json!("*"), true),
        (everybody.clone(), json!("ecr-public:*"), true),
        (everybody.clone(), json!("ecr-public:Describe*"), true),
        (everybody.clone(), json!("ECR-public:describeimages"), true),
        (
            everybody.clone(),
            json!("ecr-public:DescribeImageTags"),
            false,
        ),
        // Accepted, and of no use here.
        (everybody.clone(), json!("ecr:DescribeImages"), false),
        (everybody, json!("ecr:*"), false),
    ];
    for (principal, action, expected) in rows {
        let policy = statement("Allow", principal, action);
        let allowed = may_describe(&world, &other, &policy).await;
        assert_eq!(allowed, expected, "{policy}");
    }
    let with = |condition: Value| {
        let mut policy = statement("Allow", json!("*"), json!("*"));
        policy["Statement"][0]["Condition"] = condition;
        policy
    };
    let account = |id: &str| with(json!({ "StringEquals": { "aws:PrincipalAccount": id } }));
    assert!(may_describe(&world, &other, &account(OTHER)).await);
    assert!(!may_describe(&world, &other, &account("333333333333")).await);
    let address = |cidr: &str| with(json!({ "IpAddress": { "aws:SourceIp": cidr } }));
    assert!(may_describe(&world, &other, &address("127.0.0.0/8")).await);
    assert!(!may_describe(&world, &other, &address("192.0.2.0/24")).await);
    // A denial wins, wherever it stands.
    let both = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Deny", "Principal": { "AWS": OTHER }, "Action": "ecr-public:DescribeImages" },
        { "Effect": "Allow", "Principal": "*", "Action": "*" },
    ] });
    assert!(!may_describe(&world, &other, &both).await);
    let body = json!({ "registryId": ACCOUNT, "repositoryName": NAME });
    assert_eq!(
        refused_as(&world, &other, "DescribeImages", body).await,
        denied(OTHER, "DescribeImages", EXPLICIT)
    );
}

/// What policies in use name beside the operations of this service: the Terraform provider's own
/// tests have ListImages, others the pulls of private ECR. They let nobody do anything.
#[tokio::test]
async fn actions_that_have_no_operation() {
    let (world, _) = world_and_alias(false).await;
    let other = world.key_of(OTHER).await;
    for action in ["ListImages", "BatchGetImage", "GetDownloadUrlForLayer"] {
        let action = json!([format!("ecr-public:{action}"), "ecr-public:PutImage"]);
        let policy = statement("Allow", json!("*"), action);
        assert!(!may_describe(&world, &other, &policy).await, "{policy}");
    }
}

#[tokio::test]
async fn tags_of_the_repository_as_a_condition() {
    let (world, _) = world_and_alias(false).await;
    let other = world.key_of(OTHER).await;
    let arn = "arn:aws:ecr-public::123456789012:repository/team/app";
    for key in ["aws:ResourceTag/stage", "ecr-public:ResourceTag/stage"] {
        let mut policy = statement("Allow", json!("*"), json!("*"));
        policy["Statement"][0]["Condition"] = json!({ "StringEquals": { key: "open" } });
        assert!(!may_describe(&world, &other, &policy).await, "{key}");
        let tags = json!([{ "Key": "stage", "Value": "open" }]);
        let body = json!({ "resourceArn": arn, "tags": tags });
        ok(&world, "TagResource", body).await;
        assert!(may_describe(&world, &other, &policy).await, "{key}");
        let body = json!({ "resourceArn": arn, "tagKeys": ["stage"] });
        ok(&world, "UntagResource", body).await;
    }
}

#[tokio::test]
async fn whoever_is_nobody_never_pushes() {
    let (world, alias) = world_and_alias(false).await;
    let policy = statement("Allow", json!("*"), json!("*"));
    ok(&world, "SetRepositoryPolicy", set(&policy)).await;
    let layout = Layout::image("anonymous");
    push_blobs(&world, &layout).await;
    for authorization in ["", &anonymous(&world).await] {
        let blob = put_blob(&world, &alias, authorization, &"bytes".into()).await;
        assert!([401, 403].contains(&blob.status.as_u16()), "{blob:?}");
        let put = put_manifest(&world, &alias, "v1", authorization, &layout.manifest).await;
        assert!([401, 403].contains(&put.status.as_u16()), "{put:?}");
    }
    let nobody = anonymous(&world).await;
    let path = format!("/v2/{alias}/{NAME}/manifests/v1");
    get(&world, &path, &nobody).await.expect(404);
}
