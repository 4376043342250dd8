//! Which names are names (lightsail-containers.md 2): services, labels, containers, images.
//!
//! The model's expression is an alternation without brackets; used as a search it lets much pass.

use serde_json::{Value, json};

use crate::api::lightsail::{
    PATTERN, deployment, image_names, invalid, invalid_text, ok, push, refused, register,
    registration, service, settle, world,
};

/// Names that the service's own pattern refuses; the first three pass the model's as a search.
const WRONG: [&str; 13] = [
    "ab_CD!", "-app", "a-", "-", "--", "A", "Web", "my.app", "my_app", "my app", "a/b", "app\n",
    "\u{e4}pp",
];
const RIGHT: [&str; 7] = ["a", "7", "ab", "0z", "a-b", "a--b", "web-2-x"];

fn creation(name: &str) -> Value {
    json!({ "serviceName": name, "power": "nano", "scale": 1 })
}

#[tokio::test]
async fn services() {
    let world = world().await;
    for name in WRONG {
        let said = refused(&world, "CreateContainerService", creation(name)).await;
        invalid_text(&said);
    }
    for length in [0, 64] {
        let body = creation(&"a".repeat(length));
        invalid_text(&refused(&world, "CreateContainerService", body).await);
    }
    let longest = "a".repeat(63);
    for name in RIGHT.into_iter().chain([longest.as_str()]) {
        let made = ok(&world, "CreateContainerService", creation(name)).await;
        assert_eq!(made["containerService"]["containerServiceName"], name);
    }
}

#[tokio::test]
async fn a_wrong_service_name_is_no_unknown_service() {
    let world = world().await;
    service(&world, "web").await;
    let digest = push(&world, "one").await.digest;
    for name in ["Web", "a-", "my_app"] {
        for (operation, body) in [
            ("GetContainerServices", json!({ "serviceName": name })),
            ("UpdateContainerService", json!({ "serviceName": name })),
            ("DeleteContainerService", json!({ "serviceName": name })),
            ("RegisterContainerImage", registration(name, "www", &digest)),
            ("GetContainerImages", json!({ "serviceName": name })),
            (
                "DeleteContainerImage",
                json!({ "serviceName": name, "image": ":web.www.1" }),
            ),
            (
                "CreateContainerServiceDeployment",
                deployment(name, "nginx:latest"),
            ),
            (
                "GetContainerServiceDeployments",
                json!({ "serviceName": name }),
            ),
            (
                "GetContainerLog",
                json!({ "serviceName": name, "containerName": "app" }),
            ),
        ] {
            invalid_text(&refused(&world, operation, body).await);
        }
    }
}

#[tokio::test]
async fn labels() {
    let world = world().await;
    service(&world, "web").await;
    let digest = push(&world, "one").await.digest;
    for label in WRONG {
        let body = registration("web", label, &digest);
        assert_eq!(
            refused(&world, "RegisterContainerImage", body).await,
            invalid(&format!(
                "Label \"{label}\" does not match pattern: {PATTERN}"
            ))
        );
    }
    let body = registration("web", "", &digest);
    invalid_text(&refused(&world, "RegisterContainerImage", body).await);
    for label in RIGHT {
        let image = register(&world, "web", label, &digest).await;
        assert_eq!(image["image"], format!(":web.{label}.1"));
    }
}

#[tokio::test]
async fn containers() {
    let world = world().await;
    service(&world, "web").await;
    let named = |name: &str| {
        json!({
            "serviceName": "web",
            "containers": { name: { "image": "nginx:latest" } },
        })
    };
    // As seen by a client, word for word.
    for name in WRONG.into_iter().chain(["backend_api"]) {
        let said = refused(&world, "CreateContainerServiceDeployment", named(name)).await;
        assert_eq!(
            said,
            invalid(&format!(
                "Container name \"{name}\" does not match pattern: {PATTERN}"
            ))
        );
    }
    for length in [0, 54] {
        let body = named(&"a".repeat(length));
        invalid_text(&refused(&world, "CreateContainerServiceDeployment", body).await);
    }
    let longest = "a".repeat(53);
    for name in RIGHT.into_iter().chain([longest.as_str()]) {
        let answer = ok(&world, "CreateContainerServiceDeployment", named(name)).await;
        let next = &answer["containerService"]["nextDeployment"];
        assert_eq!(next["containers"][name]["image"], "nginx:latest");
        settle(&world).await;
    }
}

#[tokio::test]
async fn images() {
    let world = world().await;
    service(&world, "web").await;
    let digest = push(&world, "one").await.digest;
    register(&world, "web", "www", &digest).await;
    // None of these names a stored image, although some come near.
    for image in [
        "web.www.1",
        "nginx:latest",
        "nginx",
        ":web.www",
        ":web.www.",
        ":web.www.0",
        ":web.www.01",
        ":web.www.+1",
        ":web.www.-1",
        ":web.www.1.1",
        ":web.www.1 ",
        " :web.www.1",
        "::web.www.1",
        ":web..1",
        ":.www.1",
        ":web.www.one",
        ":web.www.LATEST",
        ":",
        "",
        ":web:www:1",
    ] {
        let body = json!({ "serviceName": "web", "image": image });
        assert_eq!(
            refused(&world, "DeleteContainerImage", body).await,
            invalid(&format!(
                "Invalid image \"{image}\". Example of valid image: \":web.mylabel.1\"."
            ))
        );
    }
    // A moving alias is not a stored image.
    let body = json!({ "serviceName": "web", "image": ":web.www.latest" });
    invalid_text(&refused(&world, "DeleteContainerImage", body).await);
    assert_eq!(image_names(&world, "web").await, [":web.www.1"]);
}

#[tokio::test]
async fn images_of_deployments() {
    let world = world().await;
    service(&world, "web").await;
    service(&world, "other").await;
    let digest = push(&world, "one").await.digest;
    register(&world, "web", "www", &digest).await;
    register(&world, "other", "www", &digest).await;
    for image in [
        ":web.www.LATEST",
        ":web.www",
        ":web.www.0",
        ":web.www.01",
        ":web.www.x",
        ":other.www.1",
        ":",
    ] {
        let body = json!({
            "serviceName": "web",
            "containers": { "frontend-ui": { "image": image } },
        });
        // The example names this service and this container, as a client saw it.
        assert_eq!(
            refused(&world, "CreateContainerServiceDeployment", body).await,
            invalid(&format!(
                "Container \"frontend-ui\" has invalid image \"{image}\". Example of valid image: \
                 \":web.frontend-ui.123\"."
            ))
        );
    }
}
