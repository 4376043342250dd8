//! GetContainerServiceMetricData (lightsail-containers.md 6.5) where nothing runs: what it asks for,
//! and no data.

use roadstead_registry::context::Clock as _;
use roadstead_testkit::World;
use serde_json::{Value, json};

use crate::api::lightsail::{deploy, invalid_text, ok, refused, service, world};

const GET: &str = "GetContainerServiceMetricData";

async fn bench() -> World {
    let world = world().await;
    service(&world, "web").await;
    world
}

fn ask(world: &World) -> Value {
    let now = world.clock.now().seconds();
    json!({
        "serviceName": "web",
        "metricName": "CPUUtilization",
        "startTime": now - 3600,
        "endTime": now,
        "period": 300,
        "statistics": ["Average"],
    })
}

#[tokio::test]
async fn nothing_measured_is_an_empty_list() {
    let world = bench().await;
    for is_deployed in [false, true] {
        if is_deployed {
            deploy(&world, "web", "nginx:latest").await;
        }
        for name in ["CPUUtilization", "MemoryUtilization"] {
            let mut body = ask(&world);
            body["metricName"] = name.into();
            body["statistics"] = json!(["Minimum", "Maximum", "Sum", "Average", "SampleCount"]);
            assert_eq!(
                ok(&world, GET, body).await,
                json!({ "metricName": name, "metricData": [] })
            );
        }
    }
}

#[tokio::test]
async fn everything_is_asked_for() {
    let world = bench().await;
    for member in [
        "serviceName",
        "metricName",
        "startTime",
        "endTime",
        "period",
        "statistics",
    ] {
        let mut body = ask(&world);
        body.as_object_mut().expect("an object").remove(member);
        invalid_text(&refused(&world, GET, body).await);
    }
}

#[tokio::test]
async fn values_that_are_refused() {
    let world = bench().await;
    for (member, value) in [
        ("metricName", json!("NetworkIn")),
        ("metricName", json!("cpuutilization")),
        ("period", json!(0)),
        ("period", json!(59)),
        ("period", json!(61)),
        ("period", json!(90)),
        ("period", json!(86_460)),
        ("statistics", json!(["Median"])),
        ("statistics", json!(["Average", "average"])),
    ] {
        let mut body = ask(&world);
        body[member] = value;
        invalid_text(&refused(&world, GET, body).await);
    }
    for period in [60, 120, 300, 86_400] {
        let mut body = ask(&world);
        body["period"] = period.into();
        ok(&world, GET, body).await;
    }
    // Seconds may have a fraction.
    let mut body = ask(&world);
    body["startTime"] = json!(1_767_300_000.25);
    ok(&world, GET, body).await;
}
