//! The fifteen cases that naive implementations get wrong (lightsail-containers.md 17), each as one
//! test with whole bodies.

use bytes::Bytes;
use http::Method;
use roadstead_registry::context::Clock as _;
use roadstead_testkit::{Layout, World, images};
use serde_json::{Value, json};

use crate::api::lightsail::{
    self, PATTERN, basic, call, conflict, conflict_text, deploy, deployment, deployments, echoed,
    get, image_names, invalid, invalid_text, login, masked, not_found, not_found_text, oci, ok,
    push, push_blob, put_manifest, ready, refused, register, registration, service, settle, step,
    timeless, world,
};

/// A world with the ready service `web` and two images in its registry, as all cases begin.
async fn bench() -> (World, String, String) {
    let world = world().await;
    service(&world, "web").await;
    let one = push(&world, "one").await.digest;
    let two = push(&world, "two").await.digest;
    (world, one, two)
}

fn container_image(image: &str, digest: &str) -> Value {
    json!({ "image": image, "digest": digest, "createdAt": "TIME" })
}

async fn delete(world: &World, image: &str) -> Value {
    let body = json!({ "serviceName": "web", "image": image });
    ok(world, "DeleteContainerImage", body).await
}

async fn delete_refused(world: &World, image: &str) -> Value {
    let body = json!({ "serviceName": "web", "image": image });
    refused(world, "DeleteContainerImage", body).await
}

#[tokio::test]
async fn case01_a_registered_image_begins_with_a_colon() {
    let (world, one, _) = bench().await;
    let body = registration("web", "www", &one);
    let answer = ok(&world, "RegisterContainerImage", body).await;
    assert_eq!(
        timeless(answer.clone()),
        json!({ "containerImage": container_image(":web.www.1", &one) })
    );
    let seconds = answer["containerImage"]["createdAt"].as_f64();
    let now = world.clock.now().seconds();
    assert_eq!(seconds.map(|seconds| seconds as i64), Some(now));
}

#[tokio::test]
async fn case02_the_same_digest_again_is_a_new_version() {
    let (world, one, _) = bench().await;
    for version in 1..=2 {
        let body = registration("web", "www", &one);
        let answer = ok(&world, "RegisterContainerImage", body).await;
        let image = format!(":web.www.{version}");
        assert_eq!(
            timeless(answer),
            json!({ "containerImage": container_image(&image, &one) })
        );
    }
}

#[tokio::test]
async fn case03_a_number_is_never_given_twice() {
    let (world, one, _) = bench().await;
    register(&world, "web", "www", &one).await;
    register(&world, "web", "www", &one).await;
    assert_eq!(delete(&world, ":web.www.2").await, Value::Null);
    let third = register(&world, "web", "www", &one).await;
    assert_eq!(timeless(third), container_image(":web.www.3", &one));
    assert_eq!(
        image_names(&world, "web").await,
        [":web.www.3", ":web.www.1"]
    );
}

#[tokio::test]
async fn case04_the_pattern_is_anchored() {
    let (world, one, _) = bench().await;
    for label in ["my_app", "-app", "a-"] {
        let body = registration("web", label, &one);
        assert_eq!(
            refused(&world, "RegisterContainerImage", body).await,
            invalid(&format!(
                "Label \"{label}\" does not match pattern: {PATTERN}"
            ))
        );
    }
    let body = registration("web", &"a".repeat(54), &one);
    invalid_text(&refused(&world, "RegisterContainerImage", body).await);
    let short = register(&world, "web", "a", &one).await;
    assert_eq!(timeless(short), container_image(":web.a.1", &one));
    let longest = "a".repeat(53);
    let long = register(&world, "web", &longest, &one).await;
    assert_eq!(long["image"], format!(":web.{longest}.1"));
}

#[tokio::test]
async fn case05_a_digest_that_was_never_pushed() {
    let (world, one, _) = bench().await;
    let unknown = images::digest(b"never pushed");
    let body = registration("web", "www", &unknown);
    assert_eq!(
        refused(&world, "RegisterContainerImage", body).await,
        not_found(&format!(
            "Image with digest \"{unknown}\" does not exist in the container service registry."
        ))
    );
    let body = registration("web", "www", "latest");
    invalid_text(&refused(&world, "RegisterContainerImage", body).await);
    // Neither took a number.
    let first = register(&world, "web", "www", &one).await;
    assert_eq!(timeless(first), container_image(":web.www.1", &one));
}

#[tokio::test]
async fn case06_what_a_deletion_may_name() {
    let (world, one, _) = bench().await;
    service(&world, "other").await;
    register(&world, "web", "www", &one).await;
    register(&world, "other", "www", &one).await;
    assert_eq!(
        delete_refused(&world, "web.www.1").await,
        invalid("Invalid image \"web.www.1\". Example of valid image: \":web.mylabel.1\".")
    );
    not_found_text(&delete_refused(&world, ":web.www.99").await);
    invalid_text(&delete_refused(&world, ":other.www.1").await);
    assert_eq!(image_names(&world, "other").await, [":other.www.1"]);
    assert_eq!(image_names(&world, "web").await, [":web.www.1"]);
}

#[tokio::test]
async fn case07_an_image_in_use_stays() {
    let (world, one, two) = bench().await;
    register(&world, "web", "www", &one).await;
    register(&world, "web", "www", &two).await;
    deploy(&world, "web", ":web.www.1").await;
    assert_eq!(
        delete_refused(&world, ":web.www.1").await,
        conflict("Image \":web.www.1\" is in use by the current deployment and cannot be deleted.")
    );
    assert_eq!(
        image_names(&world, "web").await,
        [":web.www.2", ":web.www.1"]
    );
    deploy(&world, "web", ":web.www.2").await;
    assert_eq!(get(&world, "web").await["currentDeployment"]["version"], 2);
    assert_eq!(delete(&world, ":web.www.1").await, Value::Null);
    assert_eq!(image_names(&world, "web").await, [":web.www.2"]);
}

#[tokio::test]
async fn case08_the_newest_image_first() {
    for scope in ["label", "service"] {
        let world = lightsail::builder_with_scope(scope).start().await;
        service(&world, "web").await;
        let digest = push(&world, "one").await.digest;
        for label in ["www", "api", "www"] {
            register(&world, "web", label, &digest).await;
            step(&world).await;
        }
        let body = json!({ "serviceName": "web" });
        let listed = ok(&world, "GetContainerImages", body).await;
        let expected = match scope {
            "label" => [":web.www.2", ":web.api.1", ":web.www.1"],
            _ => [":web.www.3", ":web.api.2", ":web.www.1"],
        };
        let expected = expected.map(|image| container_image(image, &digest));
        assert_eq!(timeless(listed), json!({ "containerImages": expected }));
    }
}

/// "The service sends back an HTTP 200 response with an empty HTTP body": to the letter.
#[tokio::test]
async fn deletions_are_answered_with_an_empty_body() {
    let (world, one, _) = bench().await;
    ok(
        &world,
        "RegisterContainerImage",
        registration("web", "www", &one),
    )
    .await;
    for (operation, body) in [
        (
            "DeleteContainerImage",
            json!({ "serviceName": "web", "image": ":web.www.1" }),
        ),
        ("DeleteContainerService", json!({ "serviceName": "web" })),
    ] {
        let answer = call(&world, operation, body).await.expect(200);
        assert_eq!(
            (answer.body.len(), answer.header("content-length")),
            (0, "0"),
            "{operation}"
        );
    }
}

#[tokio::test]
async fn case09_an_error_is_typed_by_header_and_by_body() {
    let (world, ..) = bench().await;
    let body = json!({ "serviceName": "web", "image": ":web.www.99" });
    let answer = call(&world, "DeleteContainerImage", body).await;
    let answer = answer.expect(400);
    assert_eq!(answer.header("x-amzn-errortype"), "NotFoundException");
    let body = answer.json();
    assert_eq!(body["__type"], "NotFoundException");
    assert_eq!(body["code"], "DoesNotExist");
    assert!(
        body["message"]
            .as_str()
            .is_some_and(|text| !text.is_empty())
    );
    let known = ["__type", "code", "docs", "message", "tip"];
    let members = body.as_object().expect("an object");
    assert!(
        members.keys().all(|name| known.contains(&name.as_str())),
        "{body}"
    );
}

#[tokio::test]
async fn case10_a_login_needs_a_service() {
    let world = world().await;
    assert_eq!(
        refused(&world, "CreateContainerServiceRegistryLogin", json!({})).await,
        conflict(
            "You must create a container service before retrieving container registry login \
             credentials"
        )
    );
    service(&world, "web").await;
    let answer = ok(&world, "CreateContainerServiceRegistryLogin", json!({})).await;
    let mut login = answer["registryLogin"].clone();
    let password = login["password"].take();
    assert!(
        password
            .as_str()
            .is_some_and(|password| password.len() > 32)
    );
    let ends = login["expiresAt"].take();
    let now = world.clock.now().seconds();
    assert_eq!(ends.as_f64().map(|ends| ends as i64), Some(now + 43_200));
    assert_eq!(
        login,
        json!({
            "username": "AWS",
            "password": null,
            "expiresAt": null,
            // Neither scheme nor path: clients append `/sr` and a tag.
            "registry": world.address.to_string(),
        })
    );
    assert_eq!(answer.as_object().map(serde_json::Map::len), Some(1));
}

#[tokio::test]
async fn case11_a_login_pushes_to_one_repository_and_pulls_nothing() {
    let world = world().await;
    service(&world, "web").await;
    let basic = basic(&login(&world).await);
    let layout = Layout::image("one");
    for blob in &layout.blobs {
        push_blob(&world, &basic, "sr", blob).await.expect(201);
    }
    put_manifest(&world, &basic, "123-abc", &layout.manifest)
        .await
        .expect(201);
    let nothing = || ("", Bytes::new());
    let pull = (Method::GET, "/v2/sr/manifests/123-abc");
    let denied = oci(&world, &basic, pull, nothing()).await;
    assert_eq!(denied.code(), (403, "DENIED".to_owned()), "{denied:?}");
    let denied = push_blob(&world, &basic, "other", &layout.blobs[0]).await;
    assert_eq!(denied.code(), (403, "DENIED".to_owned()), "{denied:?}");
}

#[tokio::test]
async fn case12_a_service_is_pending_then_ready() {
    let world = world().await;
    let body = json!({ "serviceName": "web2", "power": "nano", "scale": 1 });
    let answer = ok(&world, "CreateContainerService", body).await;
    let mut pending = ready("web2");
    pending["state"] = "PENDING".into();
    pending["principalArn"] = "".into();
    let service = &answer["containerService"];
    assert_eq!(masked(service), pending);
    assert_eq!(answer.as_object().map(serde_json::Map::len), Some(1));
    let url = service["url"].as_str().unwrap_or_default();
    assert!(url.ends_with('/'), "{url}");
    // Nothing between the two.
    let mut seen = vec![masked(&get(&world, "web2").await)];
    for _ in 0..100 {
        step(&world).await;
        let now = masked(&get(&world, "web2").await);
        if seen.last() != Some(&now) {
            seen.push(now);
        }
    }
    assert_eq!(seen, [pending, ready("web2")]);
}

#[tokio::test]
async fn case13_a_deployment_is_on_its_way() {
    let (world, one, _) = bench().await;
    register(&world, "web", "www", &one).await;
    let body = deployment("web", ":web.www.1");
    let answer = ok(&world, "CreateContainerServiceDeployment", body.clone()).await;
    let mut deploying = ready("web");
    deploying["state"] = "DEPLOYING".into();
    deploying["nextDeployment"] = echoed(1, "ACTIVATING", ":web.www.1");
    assert_eq!(masked(&answer["containerService"]), deploying);
    assert_eq!(
        refused(&world, "CreateContainerServiceDeployment", body).await,
        conflict(
            "Sorry, deployment 1 is in progress for service \"web\". Please wait for it to \
             complete before trying again."
        )
    );
    settle(&world).await;
    let mut running = ready("web");
    running["state"] = "RUNNING".into();
    running["currentDeployment"] = echoed(1, "ACTIVE", ":web.www.1");
    assert_eq!(masked(&get(&world, "web").await), running);
}

#[tokio::test]
async fn case14_only_the_small_latest_is_an_alias() {
    let (world, one, two) = bench().await;
    register(&world, "web", "www", &one).await;
    register(&world, "web", "www", &two).await;
    let body = deployment("web", ":web.www.LATEST");
    assert_eq!(
        refused(&world, "CreateContainerServiceDeployment", body).await,
        invalid(
            "Container \"app\" has invalid image \":web.www.LATEST\". Example of valid image: \
             \":web.app.123\"."
        )
    );
    let body = deployment("web", ":web.www.latest");
    let answer = ok(&world, "CreateContainerServiceDeployment", body).await;
    assert_eq!(
        timeless(answer["containerService"]["nextDeployment"].clone()),
        echoed(1, "ACTIVATING", ":web.www.latest")
    );
    // Pinned to version 2: a third does not move it.
    register(&world, "web", "www", &one).await;
    settle(&world).await;
    conflict_text(&delete_refused(&world, ":web.www.2").await);
    delete(&world, ":web.www.3").await;
    delete(&world, ":web.www.1").await;
    assert_eq!(image_names(&world, "web").await, [":web.www.2"]);
}

#[tokio::test]
async fn case15_disabled_domains_and_unknown_services() {
    let (world, one, _) = bench().await;
    register(&world, "web", "www", &one).await;
    let body = json!({ "serviceName": "web", "isDisabled": true });
    let answer = ok(&world, "UpdateContainerService", body).await;
    let mut service = ready("web");
    service["isDisabled"] = true.into();
    service["state"] = "UPDATING".into();
    assert_eq!(masked(&answer["containerService"]), service);
    settle(&world).await;
    service["state"] = "DISABLED".into();
    assert_eq!(masked(&get(&world, "web").await), service);

    let body = deployment("web", ":web.www.1");
    let said = refused(&world, "CreateContainerServiceDeployment", body).await;
    let text = conflict_text(&said);
    assert!(
        text.contains("disabled and cannot be deployed to"),
        "{said}"
    );
    assert_eq!(deployments(&world, "web").await, []);

    let body = json!({ "serviceName": "web", "publicDomainNames": { "nope": ["a.com"] } });
    let said = refused(&world, "UpdateContainerService", body).await;
    assert!(invalid_text(&said).contains("do not exist"), "{said}");

    let body = json!({ "serviceName": "nope" });
    assert_eq!(
        refused(&world, "GetContainerServices", body).await,
        not_found("The container service \"nope\" does not exist.")
    );
}
