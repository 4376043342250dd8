//! ServerException and 500, which every operation documents and only a broken store provokes: each
//! call that an operation makes to its store fails once.

use roadstead_api_model::probe::minimal;
use roadstead_api_model::{Operation, Service};
use roadstead_store::fault::When;
use roadstead_testkit::World;
use serde_json::json;

use crate::public_api::{ACCOUNT, call, call_as};

#[tokio::test]
async fn every_operation_says_that_it_failed() {
    let world = World::builder().with_aws_hosts().start().await;
    let operations = Operation::ALL.into_iter();
    let mut count = 0;
    for operation in operations.filter(|operation| operation.service() == Service::EcrPublic) {
        let body = minimal(operation);
        if body["repositoryName"].is_string() && operation.name() != "CreateRepository" {
            // One of them deletes it.
            let named = json!({ "repositoryName": body["repositoryName"] });
            call(&world, "CreateRepository", named).await;
        }
        // A key that was used a moment ago is not looked up again.
        let key = world.key_of(ACCOUNT).await;
        let mut failed = 0;
        for nth in 1.. {
            world.faults.clear();
            world.faults.fail_nth(nth, When::Before);
            let answer = call_as(&world, &key, operation.name(), body.clone()).await;
            if answer.status != 500 {
                break;
            }
            assert_eq!(answer.code().1, "ServerException", "{answer:?}");
            let message = answer.json()["message"].clone();
            let message = message.as_str().unwrap_or_default();
            // Why it failed is for the log alone.
            assert!(
                !message.is_empty() && !message.contains("fault"),
                "{message}"
            );
            failed += 1;
        }
        assert!(failed > 0, "{operation:?} asks no store");
        world.faults.clear();
        count += 1;
    }
    assert_eq!(count, 23);
}
