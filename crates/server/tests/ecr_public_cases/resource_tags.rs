//! Tags of repositories (section 3.7).

use roadstead_testkit::World;
use serde_json::{Value, json};

use crate::public_api::{
    ACCOUNT, NAME, code_of, invalid, is_invalid, no_repository, ok, refused, sorted,
    world_and_alias, world_with,
};

const ARN: &str = "arn:aws:ecr-public::123456789012:repository/team/app";

async fn tag(world: &World, tags: Value) {
    let body = json!({ "resourceArn": ARN, "tags": tags });
    assert_eq!(ok(world, "TagResource", body).await, json!({}));
}

async fn untag(world: &World, keys: Value) {
    let body = json!({ "resourceArn": ARN, "tagKeys": keys });
    assert_eq!(ok(world, "UntagResource", body).await, json!({}));
}

async fn tags(world: &World) -> Value {
    let mut answer = ok(world, "ListTagsForResource", json!({ "resourceArn": ARN })).await;
    answer["tags"] = sorted(&answer["tags"]).into();
    answer
}

fn numbered(range: std::ops::Range<usize>) -> Value {
    let tag = |n: usize| json!({ "Key": format!("k{n:03}"), "Value": "" });
    range.map(tag).collect()
}

#[tokio::test]
async fn given_changed_and_taken() {
    let (world, _) = world_and_alias(false).await;
    assert_eq!(tags(&world).await, json!({ "tags": [] }));
    tag(
        &world,
        json!([{ "Key": "b", "Value": "2" }, { "Key": "a", "Value": "" }]),
    )
    .await;
    let two = json!([{ "Key": "a", "Value": "" }, { "Key": "b", "Value": "2" }]);
    assert_eq!(tags(&world).await, json!({ "tags": two }));
    // The same key again; the others stay. Case matters.
    tag(
        &world,
        json!([{ "Key": "b", "Value": "3" }, { "Key": "B", "Value": "4" }]),
    )
    .await;
    let three = json!([
        { "Key": "B", "Value": "4" },
        { "Key": "a", "Value": "" },
        { "Key": "b", "Value": "3" },
    ]);
    assert_eq!(tags(&world).await, json!({ "tags": three }));
    untag(&world, json!(["b", "never given"])).await;
    untag(&world, json!(["never given"])).await;
    let left = json!([{ "Key": "B", "Value": "4" }, { "Key": "a", "Value": "" }]);
    assert_eq!(tags(&world).await, json!({ "tags": left }));
}

#[tokio::test]
async fn given_with_the_creation() {
    let world = world_with(false).await;
    let given = json!([{ "Key": "team", "Value": "blue" }]);
    let body = json!({ "repositoryName": NAME, "tags": given });
    let made = ok(&world, "CreateRepository", body).await;
    assert_eq!(made["repository"]["repositoryArn"], ARN);
    assert_eq!(made["repository"].get("tags"), None);
    assert_eq!(tags(&world).await, json!({ "tags": given }));
}

#[tokio::test]
async fn fifty_and_no_more() {
    let (world, _) = world_and_alias(false).await;
    tag(&world, numbered(0..49)).await;
    let two = json!({ "resourceArn": ARN, "tags": numbered(49..51) });
    let said = code_of(&world, "TagResource", two).await;
    assert_eq!(said, "TooManyTagsException");
    assert_eq!(tags(&world).await, json!({ "tags": numbered(0..49) }));
    tag(&world, numbered(49..50)).await;
    // Those that are there count once.
    tag(&world, numbered(0..50)).await;
    let one = json!({ "resourceArn": ARN, "tags": numbered(50..51) });
    let said = code_of(&world, "TagResource", one).await;
    assert_eq!(said, "TooManyTagsException");
    let body = json!({ "repositoryName": "new", "tags": numbered(0..51) });
    let said = code_of(&world, "CreateRepository", body).await;
    assert_eq!(said, "TooManyTagsException");
    let names = json!({ "repositoryNames": ["new"] });
    assert_eq!(
        refused(&world, "DescribeRepositories", names).await,
        no_repository("new", ACCOUNT)
    );
}

#[tokio::test]
async fn what_is_no_tag() {
    let (world, _) = world_and_alias(false).await;
    let refusing = async |tags: Value| {
        let body = json!({ "resourceArn": ARN, "tags": tags });
        let by_tagging = refused(&world, "TagResource", body).await;
        let body = json!({ "repositoryName": "new", "tags": tags });
        let by_creation = refused(&world, "CreateRepository", body).await;
        assert_eq!(by_tagging["__type"], by_creation["__type"]);
        by_tagging
    };
    let reserved = json!([{ "Key": "good", "Value": "" }, { "Key": "aws:mine", "Value": "v" }]);
    let said = refusing(reserved).await;
    assert_eq!(said["__type"], "InvalidTagParameterException", "{said}");

    let long = "k".repeat(129);
    is_invalid(
        &refusing(json!([{ "Key": long, "Value": "" }])).await,
        "tags.1.member.key",
    );
    let long = "v".repeat(257);
    is_invalid(
        &refusing(json!([{ "Key": "k", "Value": long }])).await,
        "tags.1.member.value",
    );
    assert_eq!(
        refusing(numbered(0..201)).await,
        invalid("tags", "Member must have length less than or equal to 200")
    );
    // An empty key has a length that the model forbids and private ECR a code of its own for.
    let said = refusing(json!([{ "Key": "", "Value": "v" }])).await;
    let code = said["__type"].as_str().unwrap_or_default();
    let codes = ["InvalidParameterException", "InvalidTagParameterException"];
    assert!(codes.contains(&code), "{said}");
    let long = json!({ "resourceArn": ARN, "tagKeys": vec!["k"; 201] });
    assert_eq!(
        refused(&world, "UntagResource", long).await,
        invalid(
            "tagKeys",
            "Member must have length less than or equal to 200"
        )
    );
    assert_eq!(tags(&world).await, json!({ "tags": [] }));
    let names = json!({ "repositoryNames": ["new"] });
    refused(&world, "DescribeRepositories", names).await;
}

/// The body of each of the three operations.
fn operations(arn: &str) -> [(&'static str, Value); 3] {
    let tags = json!([{ "Key": "k", "Value": "v" }]);
    [
        ("TagResource", json!({ "resourceArn": arn, "tags": tags })),
        (
            "UntagResource",
            json!({ "resourceArn": arn, "tagKeys": ["k"] }),
        ),
        ("ListTagsForResource", json!({ "resourceArn": arn })),
    ]
}

#[tokio::test]
async fn arns_that_name_no_repository() {
    let (world, _) = world_and_alias(false).await;
    let bad = [
        "nonsense",
        "arn:aws:ecr-public::123456789012:registry/123456789012",
        "arn:aws:ecr-public:us-east-1:123456789012:repository/team/app",
        "arn:aws:ecr:us-east-1:123456789012:repository/team/app",
        "arn:aws:ecr::123456789012:repository/team/app",
        "arn:aws:ecr-public::123456789012:repository/",
        "arn:aws:ecr-public::123456789012:repository/Team",
        "arn:aws:ecr-public::k5n6o2s4:repository/team/app",
        "arn:aws:ecr-public::123456789012:team/app",
    ];
    for arn in bad {
        for (operation, body) in operations(arn) {
            assert_eq!(
                refused(&world, operation, body).await,
                invalid("resourceArn", "Invalid ARN"),
                "{operation} {arn}"
            );
        }
    }
    let ghost = "arn:aws:ecr-public::123456789012:repository/ghost";
    for (operation, body) in operations(ghost) {
        assert_eq!(
            refused(&world, operation, body).await,
            no_repository("ghost", ACCOUNT),
            "{operation}"
        );
    }
    let others = "arn:aws:ecr-public::222222222222:repository/team/app";
    for (operation, body) in operations(others) {
        let said = code_of(&world, operation, body).await;
        assert_eq!(said, "AccessDeniedException", "{operation}");
    }
}

/// A public ARN is nothing to private ECR.
#[tokio::test]
async fn the_other_service_does_not_take_it() {
    let (world, _) = world_and_alias(false).await;
    let body = json!({ "resourceArn": ARN });
    let answer = world.ecr("ListTagsForResource", body).await;
    assert_eq!(answer.code(), (400, "InvalidParameterException".into()));
}
