//! ServerException and ServiceException, which the pages document and only a broken store
//! provokes: a server in this process whose store fails at each call in turn, asked by the CLI at
//! the first and the last of them, by signed requests at all others.

#[path = "../public_api/mod.rs"]
mod public_api;

use public_api::signed_to;
use roadstead_registry::context::Clock as _;
use roadstead_server::ambient::SystemClock;
use roadstead_store::fault::When;
use roadstead_testkit::{Answer, World, client};
use serde_json::{Value, json};

use crate::error;
use crate::support::aws::AwsCli;
use crate::support::server::Key;

/// One of the five pages: its service by signature and by target, and its operation.
struct Page {
    service: &'static str,
    prefix: &'static str,
    operation: &'static str,
    /// What the page calls a server's own failure.
    code: &'static str,
}

impl Page {
    async fn call(&self, world: &World, operation: &str, body: &Value) -> Answer {
        let host = world.address.to_string();
        let target = format!("{}.{operation}", self.prefix);
        let to = (self.service, target.as_str());
        let body = body.to_string().into();
        let request = signed_to(world, &host, &world.credentials, to, body);
        client::send(world.address, request).await
    }

    /// Fails each call of the store in turn, until the answer is another than the page's code.
    async fn fails(&self, world: &World, body: Value, command: &'static [&'static str]) {
        let mut failed = 0;
        for nth in 1.. {
            world.faults.clear();
            world.faults.fail_nth(nth, When::Before);
            let answer = self.call(world, self.operation, &body).await;
            if answer.status != 500 {
                break;
            }
            assert_eq!(answer.code().1, self.code, "{answer:?}");
            assert_eq!(answer.header("x-amzn-errortype"), self.code);
            let message = answer.json()["message"].clone();
            let message = message.as_str().unwrap_or_default();
            // Why it failed is nobody's business.
            assert!(
                !message.is_empty() && !message.contains("fault"),
                "{message}"
            );
            failed = nth;
        }
        assert!(failed > 0, "the store is not asked");
        world.faults.clear();
        let said = by_cli(world, 1, command).await;
        let start = error(self.code, self.operation);
        assert!(said.starts_with(&start), "{said}");
        world.faults.clear();
    }
}

/// What the CLI says if the store fails at its `nth` call.
async fn by_cli(world: &World, nth: u64, command: &'static [&'static str]) -> String {
    let key = Key {
        access_key_id: world.credentials.id.clone(),
        secret_access_key: world.credentials.secret.clone(),
    };
    let aws = AwsCli::new(format!("http://{}", world.address), key);
    world.faults.fail_nth(nth, When::Before);
    let run = move || aws.run(command).expect_failure().trim().to_owned();
    tokio::task::spawn_blocking(run).await.expect("an answer")
}

/// A world whose clock is the machine's, since the CLI signs by that.
async fn world() -> World {
    let world = World::start().await;
    world.clock.set(SystemClock.now());
    world
}

const ECR: &str = "AmazonEC2ContainerRegistry_V20150921";

#[tokio::test]
async fn batch_delete_image() {
    let world = world().await;
    world.push_image("ubuntu", "ubuntu", &["xenial"]).await;
    let page = Page {
        service: "ecr",
        prefix: ECR,
        operation: "BatchDeleteImage",
        code: "ServerException",
    };
    let body = json!({ "repositoryName": "ubuntu", "imageIds": [{ "imageTag": "xenial" }] });
    let command = &[
        "ecr",
        "batch-delete-image",
        "--repository-name",
        "ubuntu",
        "--image-ids",
        "imageTag=xenial",
    ];
    page.fails(&world, body, command).await;
}

#[tokio::test]
async fn delete_lifecycle_policy() {
    let world = world().await;
    let name = json!({ "repositoryName": "app" });
    world
        .ecr("CreateRepository", name.clone())
        .await
        .expect(200);
    let policy = r#"{"rules":[{"rulePriority":1,"selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":9},"action":{"type":"expire"}}]}"#;
    let put = json!({ "repositoryName": "app", "lifecyclePolicyText": policy });
    world.ecr("PutLifecyclePolicy", put).await.expect(200);
    let page = Page {
        service: "ecr",
        prefix: ECR,
        operation: "DeleteLifecyclePolicy",
        code: "ServerException",
    };
    let command = &["ecr", "delete-lifecycle-policy", "--repository-name", "app"];
    page.fails(&world, name, command).await;
}

#[tokio::test]
async fn public_batch_delete_image() {
    let world = world().await;
    public_api::repository(&world, "team/app").await;
    public_api::push(&world, "public", &["v1"]).await;
    let page = Page {
        service: "ecr-public",
        prefix: "SpencerFrontendService",
        operation: "BatchDeleteImage",
        code: "ServerException",
    };
    let body = json!({ "repositoryName": "team/app", "imageIds": [{ "imageTag": "v1" }] });
    let command = &[
        "ecr-public",
        "batch-delete-image",
        "--repository-name",
        "team/app",
        "--image-ids",
        "imageTag=v1",
    ];
    page.fails(&world, body, command).await;
}

/// A world with a container service.
async fn with_a_service(page: &Page) -> World {
    let world = world().await;
    let body = json!({ "serviceName": "web", "power": "nano", "scale": 1 });
    let made = page.call(&world, "CreateContainerService", &body).await;
    made.expect(200);
    world
}

fn lightsail(operation: &'static str) -> Page {
    Page {
        service: "lightsail",
        prefix: "Lightsail_20161128",
        operation,
        code: "ServiceException",
    }
}

#[tokio::test]
async fn register_container_image() {
    let page = lightsail("RegisterContainerImage");
    let world = with_a_service(&page).await;
    let digest = roadstead_testkit::images::digest(b"never pushed");
    let body = json!({ "serviceName": "web", "label": "www", "digest": digest });
    let command = &[
        "lightsail",
        "register-container-image",
        "--service-name",
        "web",
        "--label",
        "www",
        "--digest",
        "sha256:0000000000000000000000000000000000000000000000000000000000000000",
    ];
    page.fails(&world, body, command).await;
}

#[tokio::test]
async fn delete_container_image() {
    let page = lightsail("DeleteContainerImage");
    let world = with_a_service(&page).await;
    let body = json!({ "serviceName": "web", "image": ":web.www.1" });
    let command = &[
        "lightsail",
        "delete-container-image",
        "--service-name",
        "web",
        "--image",
        ":web.www.1",
    ];
    page.fails(&world, body, command).await;
}
