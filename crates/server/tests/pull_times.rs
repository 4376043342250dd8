//! `lastRecordedPullTime`: recorded by pulls of both planes, behind them.

use http::Method;
use roadstead_domain::time::Span;
use roadstead_testkit::World;
use serde_json::{Value, json};

async fn pull_time(world: &World, digest: &str) -> Value {
    let ids = json!([{ "imageDigest": digest }]);
    let body = json!({ "repositoryName": "app", "imageIds": ids });
    let described = world.ecr("DescribeImages", body).await.expect(200).json();
    described["imageDetails"][0]["lastRecordedPullTime"].clone()
}

#[tokio::test]
async fn pulls_of_both_planes_are_recorded_and_looks_are_not() {
    let world = World::start().await;
    let image = world.push_image("app", "content", &["v1"]).await;
    world
        .oci(Method::HEAD, "/v2/app/manifests/v1", &[], "")
        .await
        .expect(200);
    world.registry.write_pull_times().await.unwrap();
    assert_eq!(pull_time(&world, &image.digest).await, Value::Null);

    world.clock.advance(Span::seconds(60));
    world
        .oci(Method::GET, "/v2/app/manifests/v1", &[], "")
        .await
        .expect(200);
    world.registry.write_pull_times().await.unwrap();
    let first = pull_time(&world, &image.digest).await.as_f64().unwrap();

    world.clock.advance(Span::seconds(90));
    let ids = json!([{ "imageTag": "v1" }]);
    let body = json!({ "repositoryName": "app", "imageIds": ids });
    world.ecr("BatchGetImage", body).await.expect(200);
    world.registry.write_pull_times().await.unwrap();
    let second = pull_time(&world, &image.digest).await.as_f64().unwrap();
    assert_eq!(second - first, 90.0);
}
