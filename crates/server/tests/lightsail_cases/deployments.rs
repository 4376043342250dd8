//! What a deployment may ask for and how answers echo it (lightsail-containers.md 6.1).

use roadstead_testkit::World;
use serde_json::{Value, json};

use crate::api::lightsail::{
    deployment, deployments, echoed, get, health_check, invalid_text, masked, not_found_text, ok,
    push, ready, refused, register, service, settle, timeless, world,
};

const CREATE: &str = "CreateContainerServiceDeployment";

async fn bench() -> World {
    let world = world().await;
    service(&world, "web").await;
    let digest = push(&world, "one").await.digest;
    register(&world, "web", "www", &digest).await;
    world
}

/// One container `app` with these members besides its image.
fn one(members: Value) -> Value {
    let mut app = json!({ "image": "nginx:latest" });
    let app_members = app.as_object_mut().expect("an object");
    app_members.extend(members.as_object().expect("an object").clone());
    json!({ "serviceName": "web", "containers": { "app": app } })
}

/// One container with port 80 that is public under this health check.
fn checked_by(health: Value) -> Value {
    let mut body = deployment("web", "nginx:latest");
    body["publicEndpoint"]["healthCheck"] = health;
    body
}

async fn next(world: &World, body: Value) -> Value {
    let answer = ok(world, CREATE, body).await;
    answer["containerService"]["nextDeployment"].clone()
}

#[tokio::test]
async fn what_is_left_out_comes_back_empty() {
    let world = bench().await;
    let answer = ok(&world, CREATE, one(json!({}))).await;
    let mut expected = ready("web");
    expected["state"] = "DEPLOYING".into();
    expected["nextDeployment"] = json!({
        "version": 1,
        "state": "ACTIVATING",
        "createdAt": "TIME",
        "containers": {
            "app": { "image": "nginx:latest", "command": [], "environment": {}, "ports": {} },
        },
    });
    assert_eq!(masked(&answer["containerService"]), expected);
    assert_eq!(answer.as_object().map(serde_json::Map::len), Some(1));
}

#[tokio::test]
async fn everything_comes_back_as_it_was_sent() {
    let world = bench().await;
    let containers = json!({
        "app": {
            "image": ":web.www.1",
            "command": ["/bin/app", "", "--flag=\u{1f6a2}"],
            "environment": { "A": "a", "EMPTY": "", "QUOTED": "\"{}\"\n" },
            "ports": { "80": "HTTP", "443": "HTTPS", "1": "TCP", "65535": "UDP" },
        },
        "side-car": {
            "image": "registry.example/team/side@sha256:\
                      0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
            "command": [],
            "environment": {},
            "ports": { "8080": "HTTP" },
        },
    });
    let endpoint = json!({
        "containerName": "app",
        "containerPort": 443,
        "healthCheck": {
            "healthyThreshold": 3,
            "unhealthyThreshold": 4,
            "timeoutSeconds": 60,
            "intervalSeconds": 300,
            "path": "/health?deep=1",
            "successCodes": "200,202",
        },
    });
    let body = json!({
        "serviceName": "web", "containers": containers, "publicEndpoint": endpoint,
    });
    let expected = json!({
        "version": 1,
        "state": "ACTIVATING",
        "createdAt": "TIME",
        "containers": containers,
        "publicEndpoint": endpoint,
    });
    assert_eq!(timeless(next(&world, body).await), expected);
    settle(&world).await;
    let mut active = expected;
    active["state"] = "ACTIVE".into();
    let current = get(&world, "web").await["currentDeployment"].clone();
    assert_eq!(timeless(current), active);
    let listed = ok(
        &world,
        "GetContainerServiceDeployments",
        json!({ "serviceName": "web" }),
    );
    assert_eq!(timeless(listed.await), json!({ "deployments": [active] }));
}

#[tokio::test]
async fn a_partial_health_check_keeps_the_other_defaults() {
    let world = bench().await;
    for (member, value) in [
        ("healthyThreshold", json!(5)),
        ("unhealthyThreshold", json!(9)),
        ("timeoutSeconds", json!(3)),
        ("intervalSeconds", json!(30)),
        ("path", json!("/ready")),
        ("successCodes", json!("200")),
    ] {
        let mut expected = health_check();
        expected[member] = value.clone();
        let answer = next(&world, checked_by(json!({ member: value }))).await;
        assert_eq!(answer["publicEndpoint"]["healthCheck"], expected);
        settle(&world).await;
    }
    let answer = next(&world, checked_by(json!({}))).await;
    assert_eq!(answer["publicEndpoint"]["healthCheck"], health_check());
}

#[tokio::test]
async fn health_checks_have_bounds() {
    let world = bench().await;
    for (member, value) in [
        ("timeoutSeconds", json!(1)),
        ("timeoutSeconds", json!(61)),
        ("intervalSeconds", json!(4)),
        ("intervalSeconds", json!(301)),
        ("successCodes", json!("199")),
        ("successCodes", json!("500")),
        ("successCodes", json!("200-500")),
        ("successCodes", json!("300-200")),
        ("successCodes", json!("OK")),
        ("successCodes", json!("200;202")),
    ] {
        let body = checked_by(json!({ member: value }));
        let said = refused(&world, CREATE, body).await;
        assert_eq!(said["__type"], "InvalidInputException", "{member}: {said}");
    }
    for (member, value) in [
        ("timeoutSeconds", json!(2)),
        ("timeoutSeconds", json!(60)),
        ("intervalSeconds", json!(5)),
        ("intervalSeconds", json!(300)),
        ("successCodes", json!("200")),
        ("successCodes", json!("200-299")),
        ("successCodes", json!("200,202,499")),
    ] {
        let answer = next(&world, checked_by(json!({ member: value.clone() }))).await;
        assert_eq!(answer["publicEndpoint"]["healthCheck"][member], value);
        settle(&world).await;
    }
}

fn many(count: usize) -> Value {
    let name = |number: usize| (format!("app-{number}"), json!({ "image": "nginx" }));
    let containers: serde_json::Map<String, Value> = (0..count).map(name).collect();
    json!({ "serviceName": "web", "containers": containers })
}

#[tokio::test]
async fn one_to_ten_containers() {
    let world = bench().await;
    for body in [
        json!({ "serviceName": "web" }),
        json!({ "serviceName": "web", "containers": null }),
        many(0),
        many(11),
    ] {
        invalid_text(&refused(&world, CREATE, body).await);
    }
    let answer = next(&world, many(10)).await;
    let containers = answer["containers"].as_object();
    assert_eq!(containers.map(serde_json::Map::len), Some(10));
}

#[tokio::test]
async fn images_must_be_named_and_registered() {
    let world = bench().await;
    let body = json!({ "serviceName": "web", "containers": { "app": {} } });
    invalid_text(&refused(&world, CREATE, body).await);
    let body = json!({ "serviceName": "web", "containers": { "app": { "image": "" } } });
    invalid_text(&refused(&world, CREATE, body).await);
    for image in [":web.www.2", ":web.api.1", ":web.api.latest"] {
        let body = deployment("web", image);
        not_found_text(&refused(&world, CREATE, body).await);
    }
    // Any reference to a public image is taken as it is.
    for image in [
        "nginx",
        "nginx:latest",
        "public.ecr.aws/docker/library/busybox:stable",
        "ghcr.io/team/app:v1.2_x",
    ] {
        let answer = next(&world, deployment("web", image)).await;
        assert_eq!(answer["containers"]["app"]["image"], image);
        settle(&world).await;
    }
    // A refusal took no number.
    let versions: Vec<i64> = deployments(&world, "web")
        .await
        .iter()
        .map(|(version, _)| *version)
        .collect();
    assert_eq!(versions, [4, 3, 2, 1]);
}

#[tokio::test]
async fn ports_are_numbers_with_a_protocol() {
    let world = bench().await;
    for (port, protocol) in [
        ("0", "HTTP"),
        ("65536", "HTTP"),
        ("-80", "HTTP"),
        ("+80", "HTTP"),
        ("", "HTTP"),
        ("http", "HTTP"),
        ("80.0", "HTTP"),
        (" 80", "HTTP"),
        ("80", "http"),
        ("80", "QUIC"),
        ("80", ""),
    ] {
        let body = one(json!({ "ports": { port: protocol } }));
        invalid_text(&refused(&world, CREATE, body).await);
    }
    for protocol in ["HTTP", "HTTPS", "TCP", "UDP"] {
        let answer = next(&world, one(json!({ "ports": { "80": protocol } }))).await;
        let ports = &answer["containers"]["app"]["ports"];
        assert_eq!(ports, &json!({ "80": protocol }));
        settle(&world).await;
    }
}

#[tokio::test]
async fn the_public_endpoint_is_an_open_web_port() {
    let world = bench().await;
    let with_endpoint = |name: &str, port: i64, protocol: &str| {
        let mut body = one(json!({ "ports": { "80": protocol } }));
        body["publicEndpoint"] = json!({ "containerName": name, "containerPort": port });
        body
    };
    for (name, port, protocol) in [
        ("other", 80, "HTTP"),
        ("", 80, "HTTP"),
        ("app", 81, "HTTP"),
        ("app", 0, "HTTP"),
        ("app", -80, "HTTP"),
        ("app", 65_616, "HTTP"),
        ("app", 80, "TCP"),
        ("app", 80, "UDP"),
    ] {
        let body = with_endpoint(name, port, protocol);
        invalid_text(&refused(&world, CREATE, body).await);
    }
    let mut body = one(json!({}));
    body["publicEndpoint"] = json!({ "containerName": "app", "containerPort": 80 });
    invalid_text(&refused(&world, CREATE, body).await);
    for member in ["containerName", "containerPort"] {
        let mut body = deployment("web", "nginx");
        let endpoint = body["publicEndpoint"].as_object_mut().expect("an object");
        endpoint.remove(member);
        invalid_text(&refused(&world, CREATE, body).await);
    }
    for protocol in ["HTTP", "HTTPS"] {
        let answer = next(&world, with_endpoint("app", 80, protocol)).await;
        assert_eq!(answer["publicEndpoint"]["containerPort"], 80);
        settle(&world).await;
    }
}

#[tokio::test]
async fn two_containers_of_a_node_share_their_ports() {
    let world = bench().await;
    let both = |second: &str| {
        json!({
            "serviceName": "web",
            "containers": {
                "one": { "image": "nginx", "ports": { "80": "HTTP" } },
                "two": { "image": "nginx", "ports": { second: "HTTP" } },
            },
            "publicEndpoint": { "containerName": "two", "containerPort": 8080 },
        })
    };
    let answer = next(&world, both("8080")).await;
    assert_eq!(answer["publicEndpoint"]["containerName"], "two");
}

#[tokio::test]
async fn a_deployment_without_a_public_endpoint_has_none() {
    let world = bench().await;
    next(&world, one(json!({ "ports": { "5432": "TCP" } }))).await;
    settle(&world).await;
    let service = get(&world, "web").await;
    assert_eq!(service["state"], "RUNNING");
    assert_eq!(service["currentDeployment"].get("publicEndpoint"), None);
    // The service has its address all the same.
    assert!(service["url"].is_string());
}

#[tokio::test]
async fn each_deployment_stands_for_itself() {
    let world = bench().await;
    let rich = one(json!({
        "command": ["a"], "environment": { "A": "a" }, "ports": { "80": "HTTP" },
    }));
    next(&world, rich).await;
    settle(&world).await;
    // Nothing is taken over from the one before.
    let answer = next(&world, one(json!({}))).await;
    let app = json!({ "image": "nginx:latest", "command": [], "environment": {}, "ports": {} });
    assert_eq!(answer["containers"], json!({ "app": app }));
    let service = get(&world, "web").await;
    assert_eq!(service["currentDeployment"]["version"], 1);
    assert_eq!(service["currentDeployment"]["state"], "ACTIVE");
    assert_eq!(service["nextDeployment"]["version"], 2);
    settle(&world).await;
    let after = deployment("web", ":web.www.1");
    let answer = timeless(next(&world, after).await);
    assert_eq!(answer, echoed(3, "ACTIVATING", ":web.www.1"));
}
