//! Services (lightsail-containers.md 5.1, 5.2, 5.4, 7): making, reading, changing, deleting; powers
//! and metadata; the quota.

use std::collections::BTreeSet;

use roadstead_registry::context::Clock as _;
use roadstead_testkit::World;
use serde_json::{Value, json};

use crate::api::lightsail::{
    self, conflict_text, deploy, deployment, echoed, get, invalid, invalid_text, masked, not_found,
    ok, push, ready, refused, register, service, settle, step, world,
};

fn creation(name: &str) -> Value {
    json!({ "serviceName": name, "power": "nano", "scale": 1 })
}

#[tokio::test]
async fn names_are_taken_once_in_a_region() {
    let world = world().await;
    ok(&world, "CreateContainerService", creation("web")).await;
    let taken = invalid("Some names are already in use: web");
    let said = refused(&world, "CreateContainerService", creation("web")).await;
    assert_eq!(said, taken);
    settle(&world).await;
    let said = refused(&world, "CreateContainerService", creation("web")).await;
    assert_eq!(said, taken);
    for key in [
        world.credentials.in_region("eu-west-1"),
        world.key_of("210987654321").await,
    ] {
        let made = lightsail::call_as(&world, &key, "CreateContainerService", creation("web"));
        let made = made.await.expect(200).json();
        let location = &made["containerService"]["location"];
        assert_eq!(
            location,
            &json!({ "availabilityZone": "all", "regionName": key.region })
        );
    }
}

#[tokio::test]
async fn power_and_scale_are_asked_for_and_bounded() {
    let world = world().await;
    for missing in ["serviceName", "power", "scale"] {
        let mut body = creation("web");
        body.as_object_mut().expect("an object").remove(missing);
        invalid_text(&refused(&world, "CreateContainerService", body).await);
    }
    for (member, value) in [
        ("scale", json!(0)),
        ("scale", json!(21)),
        ("scale", json!(-1)),
        ("power", json!("tiny")),
        ("power", json!("nano-1")),
        ("power", json!("NANO")),
        ("power", json!("")),
    ] {
        let mut body = creation("web");
        body[member] = value.clone();
        invalid_text(&refused(&world, "CreateContainerService", body).await);
    }
    let listed = ok(&world, "GetContainerServices", json!({})).await;
    assert_eq!(listed, json!({ "containerServices": [] }));
    for power in ["nano", "micro", "small", "medium", "large", "xlarge"] {
        let body = json!({ "serviceName": power, "power": power, "scale": 20 });
        ok(&world, "CreateContainerService", body).await;
        settle(&world).await;
        let mut expected = ready(power);
        expected["power"] = power.into();
        expected["powerId"] = format!("{power}-1").into();
        expected["scale"] = 20.into();
        assert_eq!(masked(&get(&world, power).await), expected);
    }
}

#[tokio::test]
async fn a_service_with_a_deployment_from_the_start() {
    let world = world().await;
    let mut body = creation("web");
    let mut first = deployment("web", "nginx:latest");
    first
        .as_object_mut()
        .expect("an object")
        .remove("serviceName");
    body["deployment"] = first;
    let made = ok(&world, "CreateContainerService", body).await;
    assert_eq!(made["containerService"]["state"], "PENDING");
    let mut seen = vec![];
    for _ in 0..100 {
        let state = get(&world, "web").await["state"].clone();
        if seen.last() != Some(&state) {
            seen.push(state);
        }
        step(&world).await;
    }
    assert!(
        seen == ["PENDING", "DEPLOYING", "RUNNING"] || seen == ["PENDING", "RUNNING"],
        "{seen:?}"
    );
    let mut running = ready("web");
    running["state"] = "RUNNING".into();
    running["currentDeployment"] = echoed(1, "ACTIVE", "nginx:latest");
    assert_eq!(masked(&get(&world, "web").await), running);
}

#[tokio::test]
async fn a_deployment_from_the_start_is_judged_like_any() {
    let world = world().await;
    for deployment in [
        json!({ "containers": { "backend_api": { "image": "nginx" } } }),
        json!({ "containers": { "app": {} } }),
        json!({
            "containers": { "app": { "image": "nginx", "ports": { "80": "HTTP" } } },
            "publicEndpoint": { "containerName": "app", "containerPort": 81 },
        }),
        json!({ "containers": { "app": { "image": ":web.www.LATEST" } } }),
    ] {
        let mut body = creation("web");
        body["deployment"] = deployment;
        invalid_text(&refused(&world, "CreateContainerService", body).await);
    }
    let listed = ok(&world, "GetContainerServices", json!({})).await;
    assert_eq!(listed, json!({ "containerServices": [] }));
}

#[tokio::test]
async fn all_services_or_the_one_that_is_named() {
    let world = world().await;
    for name in ["web", "api"] {
        service(&world, name).await;
    }
    let listed = ok(&world, "GetContainerServices", json!({})).await;
    let services = listed["containerServices"].as_array().expect("a list");
    let all: BTreeSet<String> = services.iter().map(|one| masked(one).to_string()).collect();
    let expected = ["web", "api"].map(|name| ready(name).to_string());
    assert_eq!(all, BTreeSet::from(expected));
    assert_eq!(masked(&get(&world, "api").await), ready("api"));
    let there = world.credentials.in_region("eu-west-1");
    let listed = lightsail::call_as(&world, &there, "GetContainerServices", json!({})).await;
    assert_eq!(
        listed.expect(200).json(),
        json!({ "containerServices": [] })
    );
    let seconds = get(&world, "web").await["createdAt"].as_f64();
    let now = world.clock.now().seconds();
    assert!(seconds.is_some_and(|seconds| seconds as i64 <= now));
}

#[tokio::test]
async fn addresses_differ_and_stay() {
    let world = world().await;
    for name in ["web", "api"] {
        service(&world, name).await;
    }
    let (web, api) = (get(&world, "web").await, get(&world, "api").await);
    assert_ne!(web["arn"], api["arn"]);
    assert_ne!(web["url"], api["url"]);
    // The same at every look: clients print it.
    assert_eq!(get(&world, "web").await["url"], web["url"]);
    assert_eq!(
        get(&world, "web").await["principalArn"],
        web["principalArn"]
    );
}

/// Without a suffix addresses are below the one that the caller used; a name below an IP address is
/// none, and what is below `localhost` leads to this machine.
#[tokio::test]
async fn addresses_without_a_suffix() {
    let world = World::start().await;
    service(&world, "web").await;
    let url = get(&world, "web").await["url"].clone();
    let url = url.as_str().expect("a text");
    let after = format!(".us-east-1.cs.localhost:{}/", world.address.port());
    let guid = url
        .strip_prefix("http://web.")
        .and_then(|rest| rest.strip_suffix(&after));
    let is_right = guid.is_some_and(|guid| lightsail::is_made_of(guid, 13, 'z'));
    assert!(is_right, "{url}");
}

#[tokio::test]
async fn operations_on_an_unknown_service() {
    let world = world().await;
    let missing = not_found("The container service \"nope\" does not exist.");
    let named = || json!({ "serviceName": "nope" });
    for (operation, body) in [
        ("GetContainerServices", named()),
        ("DeleteContainerService", named()),
        ("GetContainerServiceDeployments", named()),
        (
            "UpdateContainerService",
            json!({ "serviceName": "nope", "scale": 2 }),
        ),
        (
            "CreateContainerServiceDeployment",
            deployment("nope", "nginx:latest"),
        ),
        (
            "GetContainerLog",
            json!({ "serviceName": "nope", "containerName": "app" }),
        ),
        (
            "GetContainerServiceMetricData",
            json!({
                "serviceName": "nope",
                "metricName": "CPUUtilization",
                "startTime": 1_700_000_000,
                "endTime": 1_700_003_600,
                "period": 300,
                "statistics": ["Average"],
            }),
        ),
    ] {
        assert_eq!(
            refused(&world, operation, body).await,
            missing,
            "{operation}"
        );
    }
}

#[tokio::test]
async fn deletion_takes_everything_along() {
    let world = world().await;
    service(&world, "web").await;
    let digest = push(&world, "one").await.digest;
    register(&world, "web", "www", &digest).await;
    deploy(&world, "web", ":web.www.1").await;
    let body = json!({ "serviceName": "web" });
    let gone = ok(&world, "DeleteContainerService", body.clone()).await;
    assert_eq!(gone, Value::Null);
    // DELETING as long as it is still to be seen.
    let mut seen = vec![];
    for _ in 0..100 {
        let answer = lightsail::call(&world, "GetContainerServices", body.clone()).await;
        if answer.status != 200 {
            break;
        }
        seen.push(answer.json()["containerServices"][0]["state"].clone());
        step(&world).await;
    }
    assert!(seen.iter().all(|state| state == "DELETING"), "{seen:?}");
    let missing = not_found("The container service \"web\" does not exist.");
    for operation in [
        "GetContainerServices",
        "DeleteContainerService",
        "GetContainerImages",
        "GetContainerServiceDeployments",
    ] {
        let said = refused(&world, operation, body.clone()).await;
        assert_eq!(said, missing, "{operation}");
    }
    let listed = ok(&world, "GetContainerServices", json!({})).await;
    assert_eq!(listed, json!({ "containerServices": [] }));
}

#[tokio::test]
async fn at_most_100_services_in_a_region() {
    let world = world().await;
    for number in 0..100 {
        ok(
            &world,
            "CreateContainerService",
            creation(&format!("web-{number}")),
        )
        .await;
    }
    let said = refused(&world, "CreateContainerService", creation("one-more")).await;
    conflict_text(&said);
    let there = world.credentials.in_region("eu-west-1");
    let made = lightsail::call_as(&world, &there, "CreateContainerService", creation("web"));
    made.await.expect(200);
    settle(&world).await;
    let body = json!({ "serviceName": "web-50" });
    ok(&world, "DeleteContainerService", body).await;
    settle(&world).await;
    ok(&world, "CreateContainerService", creation("one-more")).await;
    let listed = ok(&world, "GetContainerServices", json!({})).await;
    let services = listed["containerServices"].as_array();
    assert_eq!(services.map(Vec::len), Some(100));
}

fn power(name: &str, cpus: f64, memory: f64, price: f64) -> Value {
    json!({
        "powerId": format!("{name}-1"),
        "price": price,
        "cpuCount": cpus,
        "ramSizeInGb": memory,
        "name": name,
        "isActive": true,
    })
}

#[tokio::test]
async fn powers_and_their_prices() {
    let world = world().await;
    let answer = lightsail::call(&world, "GetContainerServicePowers", json!({})).await;
    assert_eq!(
        answer.json(),
        json!({
            "powers": [
                power("nano", 0.25, 0.5, 7.0),
                power("micro", 0.25, 1.0, 10.0),
                power("small", 0.5, 1.0, 15.0),
                power("medium", 1.0, 2.0, 40.0),
                power("large", 2.0, 4.0, 80.0),
                power("xlarge", 4.0, 8.0, 160.0),
            ],
        })
    );
    // Floats also where they are whole.
    assert!(answer.text().contains("7.0"), "{}", answer.text());
}

#[tokio::test]
async fn metadata_names_the_version_of_the_plug_in() {
    let world = world().await;
    assert_eq!(
        ok(&world, "GetContainerAPIMetadata", json!({})).await,
        json!({ "metadata": [{ "name": "lightsailctlVersion", "value": "1.0.8" }] })
    );
}

#[tokio::test]
async fn regions_are_listed_for_account_checks() {
    let world = world().await;
    let listed = ok(&world, "GetRegions", json!({})).await;
    let regions = listed["regions"].as_array().expect("a list");
    assert!(!regions.is_empty());
    let mut has_own = false;
    for region in regions {
        for member in ["name", "displayName", "description", "continentCode"] {
            let text = region[member].as_str().unwrap_or_default();
            assert!(!text.is_empty(), "{member}: {region}");
        }
        has_own |= region["name"] == "us-east-1";
    }
    assert!(has_own, "{listed}");
}

/// What is not answered is an answer of its own, not a failure.
#[tokio::test]
async fn other_operations_of_lightsail_are_not_known() {
    let world = world().await;
    for operation in ["GetInstances", "CreateCertificate", "GetNothing"] {
        let answer = lightsail::call(&world, operation, json!({})).await;
        assert_eq!(answer.code().1, "UnknownOperationException", "{operation}");
        assert!(answer.status.is_client_error());
    }
}

/// One world may hold what another must not see.
#[tokio::test]
async fn accounts_do_not_see_each_other() {
    let world: World = world().await;
    service(&world, "web").await;
    let other = world.key_of("210987654321").await;
    let listed = lightsail::call_as(&world, &other, "GetContainerServices", json!({})).await;
    assert_eq!(
        listed.expect(200).json(),
        json!({ "containerServices": [] })
    );
    for (operation, body) in [
        ("GetContainerImages", json!({ "serviceName": "web" })),
        ("DeleteContainerService", json!({ "serviceName": "web" })),
        (
            "UpdateContainerService",
            json!({ "serviceName": "web", "scale": 2 }),
        ),
    ] {
        let answer = lightsail::call_as(&world, &other, operation, body).await;
        assert_eq!(answer.code(), (400, "NotFoundException".to_owned()));
    }
    assert_eq!(masked(&get(&world, "web").await), ready("web"));
}
