//! What each operation refuses, and the life of a policy: `lastEvaluatedAt`, the same text again,
//! another text, deletion (lifecycle.md 4 and 5; ecr.md 1.4).

use roadstead_domain::time::{Span, Timestamp};
use roadstead_store::fault::When;
use roadstead_testkit::World;
use serde_json::{Value, json};

use crate::api::{self, error, ok, refused};
use crate::shelf::{NAME, Shelf, any_above, expire, policy, untagged_older};

/// The operations with a body that works, given a repository, a policy, a preview and an image.
fn bodies() -> Vec<(&'static str, Value)> {
    let text = policy(&[expire(1, any_above(1))]);
    let id = json!({ "imageTag": "v1" });
    let of = |more: Value| {
        let mut body = json!({ "repositoryName": NAME });
        for (member, value) in more.as_object().into_iter().flatten() {
            body[member] = value.clone();
        }
        body
    };
    let with_text = of(json!({ "lifecyclePolicyText": text }));
    let with_image = of(json!({ "imageId": id, "targetStorageClass": "ARCHIVE" }));
    vec![
        ("PutLifecyclePolicy", with_text.clone()),
        ("GetLifecyclePolicy", of(json!({}))),
        ("StartLifecyclePolicyPreview", with_text),
        ("GetLifecyclePolicyPreview", of(json!({}))),
        ("DeleteLifecyclePolicy", of(json!({}))),
        ("UpdateImageStorageClass", with_image),
    ]
}

#[tokio::test]
async fn all_bodies_work() {
    let shelf = Shelf::start().await;
    shelf.push("1", &["v1"], 0).await;
    for (operation, body) in bodies() {
        let answer = ok(&shelf.world, operation, body).await;
        assert_eq!(answer["registryId"], "123456789012", "{operation}");
        assert_eq!(answer["repositoryName"], NAME, "{operation}");
    }
}

#[tokio::test]
async fn a_repository_that_is_not_there() {
    let world = World::start().await;
    for (operation, body) in bodies() {
        let message = "The repository with name 'app' does not exist in the registry with id \
                       '123456789012'";
        let told = refused(&world, operation, body).await;
        assert_eq!(
            told,
            error("RepositoryNotFoundException", message),
            "{operation}"
        );
    }
    // Before anything is said of the text (lifecycle.md 2, order of checks).
    let wrong = format!("{:100}", "{}");
    for operation in ["PutLifecyclePolicy", "StartLifecyclePolicyPreview"] {
        let body = json!({ "repositoryName": NAME, "lifecyclePolicyText": wrong });
        let told = refused(&world, operation, body).await;
        assert_eq!(told["__type"], "RepositoryNotFoundException", "{operation}");
    }
}

#[tokio::test]
async fn another_account() {
    let shelf = Shelf::start().await;
    shelf.push("1", &["v1"], 0).await;
    for (operation, mut body) in bodies() {
        body["registryId"] = "210987654321".into();
        let told = refused(&shelf.world, operation, body.clone()).await;
        assert_eq!(told["__type"], "AccessDeniedException", "{operation}");
        let message = told["message"].as_str().expect("a text");
        let arn = "arn:aws:ecr:us-east-1:210987654321:repository/app";
        let action = format!("is not authorized to perform: ecr:{operation} on resource: {arn}");
        assert!(message.contains(&action), "{message}");
        // The same from the other side.
        body["registryId"] = "123456789012".into();
        let stranger = shelf.world.key_of("210987654321").await;
        let answer = shelf.world.ecr_as(&stranger, operation, body).await;
        assert_eq!(
            answer.code(),
            (400, "AccessDeniedException".into()),
            "{operation}"
        );
    }
    assert_eq!(shelf.left().await, ["1[v1]"]);
}

#[tokio::test]
async fn members_that_are_missing() {
    let shelf = Shelf::start().await;
    for (operation, body) in bodies() {
        for member in [
            "repositoryName",
            "lifecyclePolicyText",
            "imageId",
            "targetStorageClass",
        ] {
            let is_optional =
                (operation, member) == ("StartLifecyclePolicyPreview", "lifecyclePolicyText");
            if body.get(member).is_none() || is_optional {
                continue;
            }
            let mut body = body.clone();
            body.as_object_mut().expect("an object").remove(member);
            let told = refused(&shelf.world, operation, body).await;
            assert_eq!(
                told["__type"], "InvalidParameterException",
                "{operation} {member}"
            );
            let message = told["message"].as_str().expect("a text");
            let place = format!("Invalid parameter at '{member}' ");
            assert!(message.starts_with(&place), "{message}");
        }
    }
}

#[tokio::test]
async fn no_policy_and_no_preview() {
    let world = World::start().await;
    api::repository(&world, NAME).await;
    let name = json!({ "repositoryName": NAME });
    let missing = error(
        "LifecyclePolicyNotFoundException",
        "Lifecycle policy does not exist for the repository with name 'app' in the registry with \
         id '123456789012'",
    );
    for operation in [
        "GetLifecyclePolicy",
        "DeleteLifecyclePolicy",
        // Without a text it is the repository's own policy that is previewed.
        "StartLifecyclePolicyPreview",
    ] {
        assert_eq!(
            refused(&world, operation, name.clone()).await,
            missing,
            "{operation}"
        );
    }
    let told = refused(&world, "GetLifecyclePolicyPreview", name).await;
    assert_eq!(told["__type"], "LifecyclePolicyPreviewNotFoundException");
}

async fn evaluated_at(shelf: &Shelf) -> f64 {
    let name = json!({ "repositoryName": NAME });
    let got = ok(&shelf.world, "GetLifecyclePolicy", name).await;
    got["lastEvaluatedAt"].as_f64().expect("a number")
}

#[tokio::test]
async fn when_a_policy_was_evaluated() {
    let shelf = Shelf::start().await;
    let rules = [expire(1, untagged_older(1))];
    shelf.put(&rules).await;
    // The epoch until it has run (lifecycle.md 5).
    assert_eq!(evaluated_at(&shelf).await, 0.0);
    assert_eq!(shelf.world.lifecycle().await, 0, "it ran at once");
    shelf.world.clock.advance(Span::hours(1));
    assert_eq!(shelf.world.lifecycle().await, 1);
    let at = shelf.now().seconds_f64();
    assert_eq!(evaluated_at(&shelf).await, at);
    // The same policy again, in other words: nothing changes.
    let name = json!({ "repositoryName": NAME });
    let told = ok(&shelf.world, "GetLifecyclePolicy", name.clone()).await;
    shelf.world.clock.advance(Span::seconds(1));
    shelf.put(&rules).await;
    let spaced = policy(&rules).replace('\n', "\n  ");
    let body = json!({ "repositoryName": NAME, "lifecyclePolicyText": spaced });
    ok(&shelf.world, "PutLifecyclePolicy", body).await;
    assert_eq!(
        ok(&shelf.world, "GetLifecyclePolicy", name.clone()).await,
        told
    );
    // Another one starts anew.
    shelf.put(&[expire(1, untagged_older(2))]).await;
    assert_eq!(evaluated_at(&shelf).await, 0.0);
    shelf.world.clock.advance(Span::hours(1));
    assert_eq!(shelf.world.lifecycle().await, 1);
    let at = shelf.now().seconds_f64();
    let deleted = ok(&shelf.world, "DeleteLifecyclePolicy", name).await;
    assert_eq!(deleted["lastEvaluatedAt"].as_f64(), Some(at));
    shelf.world.clock.advance(Span::hours(2));
    assert_eq!(shelf.world.lifecycle().await, 0);
}

/// The page of DeleteLifecyclePolicy in the ECR API reference: its request (less the comma that is
/// no JSON) and its answer, with the instant of the answer as the end of the last run.
#[tokio::test]
async fn documented_example_of_deleting_a_policy() {
    const ANSWER: &str = r#"{
"lastEvaluatedAt":1.504295007E9,
"lifecyclePolicyText":"{\"rules\":[{\"rulePriority\":1,\"description\":\"Expire images older than 14 days\",\"selection\":{\"tagStatus\":\"untagged\",\"countType\":\"sinceImagePushed\",\"countUnit\":\"days\",\"countNumber\":14},\"action\":{\"type\":\"expire\"}}]}",
"registryId":"012345678910",
"repositoryName":"project-a/amazon-ecs-sample"
}"#;
    let answer: Value = serde_json::from_str(ANSWER).expect("JSON");
    let world = World::start().await;
    let key = world.key_of("012345678910").await.in_region("us-west-2");
    let name = json!({ "repositoryName": "project-a/amazon-ecs-sample" });
    world
        .clock
        .set(Timestamp::from_seconds(1_504_295_007 - 3_600));
    world
        .ecr_as(&key, "CreateRepository", name.clone())
        .await
        .expect(200);
    let mut put = name.clone();
    put["lifecyclePolicyText"] = answer["lifecyclePolicyText"].clone();
    let put = world.ecr_as(&key, "PutLifecyclePolicy", put).await;
    put.expect(200);
    world.clock.set(Timestamp::from_seconds(1_504_295_007));
    assert_eq!(world.lifecycle().await, 1);
    let told = world
        .ecr_as(&key, "DeleteLifecyclePolicy", name.clone())
        .await;
    let told = told.expect(200);
    assert_eq!(told.json(), answer);
    assert!(
        told.text().starts_with(r#"{"lastEvaluatedAt":"#),
        "{}",
        told.text()
    );
    let gone = world.ecr_as(&key, "GetLifecyclePolicy", name).await;
    assert_eq!(
        gone.code(),
        (400, "LifecyclePolicyNotFoundException".into())
    );
}

/// The page of every operation lists it: a problem of the server, so nothing was done.
#[tokio::test]
async fn documented_server_exceptions_change_nothing() {
    let shelf = Shelf::start().await;
    shelf.push("1", &["v1"], 0).await;
    shelf.put(&[expire(1, untagged_older(1))]).await;
    let name = json!({ "repositoryName": NAME });
    let policy = ok(&shelf.world, "GetLifecyclePolicy", name.clone()).await;
    for (operation, body) in bodies() {
        shelf.world.faults.fail_all(When::Before);
        let answer = shelf.world.ecr(operation, body).await;
        shelf.world.faults.clear();
        let told = error(
            "ServerException",
            "The server could not complete the request",
        );
        assert_eq!(
            (answer.status.as_u16(), answer.json()),
            (500, told),
            "{operation}"
        );
    }
    let after = ok(&shelf.world, "GetLifecyclePolicy", name.clone()).await;
    assert_eq!(after, policy);
    let told = refused(&shelf.world, "GetLifecyclePolicyPreview", name).await;
    assert_eq!(told["__type"], "LifecyclePolicyPreviewNotFoundException");
    assert_eq!(shelf.left().await, ["1[v1]"]);
}
