//! The AWS SDK for Rust against Lightsail: all operations of its containers, typed in and typed
//! out, and errors by their types although their bodies have a member `code`.
//!
//! What the answers must hold is asked of the typed shapes; whole bodies are in the cases.

mod api;

use api::lightsail as wire;
use aws_sdk_lightsail::Client;
use aws_sdk_lightsail::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_lightsail::primitives::DateTime;
use aws_sdk_lightsail::types::{
    Container, ContainerServiceDeploymentState, ContainerServiceMetricName,
    ContainerServicePowerName, ContainerServiceProtocol, ContainerServiceState, EndpointRequest,
    MetricStatistic, Tag,
};
use roadstead_registry::context::Clock as _;
use roadstead_server::ambient::SystemClock;
use roadstead_testkit::{World, images};

/// A client of a world whose clock is the machine's, since the SDK signs by that.
async fn client(world: &World) -> Client {
    world.clock.set(SystemClock.now());
    let (id, secret) = (&world.credentials.id, &world.credentials.secret);
    let http = aws_smithy_http_client::Builder::new().build_http();
    let config = aws_sdk_lightsail::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .credentials_provider(Credentials::new(id, secret, None, None, "test"))
        .endpoint_url(format!("http://{}", world.address))
        .http_client(http)
        .region(Region::new("us-east-1"))
        .build();
    Client::from_conf(config)
}

async fn service(world: &World, client: &Client) {
    let create = client.create_container_service().service_name("web");
    let create = create.power(ContainerServicePowerName::Nano).scale(1);
    let made = create.send().await.expect("CreateContainerService");
    let made = made.container_service().expect("a service");
    assert_eq!(made.state(), Some(&ContainerServiceState::Pending));
    assert_eq!(made.principal_arn(), Some(""));
    wire::settle(world).await;
}

#[tokio::test]
async fn errors_are_typed_although_they_have_a_code() {
    let world = wire::world().await;
    let client = client(&world).await;
    let get = client.get_container_services().service_name("nope");
    let missing = get.send().await.expect_err("it is not there");
    let missing = missing.into_service_error();
    assert!(missing.is_not_found_exception(), "{missing:?}");
    assert_eq!(missing.meta().code(), Some("NotFoundException"));
    let text = "The container service \"nope\" does not exist.";
    assert_eq!(missing.meta().message(), Some(text));

    let login = client.create_container_service_registry_login();
    let refused = login.send().await.expect_err("no service");
    let refused = refused.into_service_error();
    assert!(refused.is_invalid_input_exception(), "{refused:?}");

    service(&world, &client).await;
    let delete = client.delete_container_image().service_name("web");
    let missing = delete.image(":web.www.99").send().await;
    let missing = missing.expect_err("no such image").into_service_error();
    assert!(missing.is_not_found_exception(), "{missing:?}");
    let delete = client.delete_container_image().service_name("web");
    let refused = delete.image("web.www.1").send().await;
    let refused = refused.expect_err("no colon").into_service_error();
    assert!(refused.is_invalid_input_exception(), "{refused:?}");
    let register = client.register_container_image().service_name("web");
    let register = register.label("www").digest(images::digest(b"unknown"));
    let missing = register.send().await.expect_err("never pushed");
    let missing = missing.into_service_error();
    assert!(missing.is_not_found_exception(), "{missing:?}");
}

#[tokio::test]
async fn an_image_from_registration_to_deletion() {
    let world = wire::world().await;
    let client = client(&world).await;
    service(&world, &client).await;
    let login = client.create_container_service_registry_login();
    let login = login.send().await.expect("a login");
    let login = login.registry_login().expect("a login");
    let host = world.address.to_string();
    assert_eq!(login.registry(), Some(host.as_str()));
    assert_eq!(login.username(), Some("AWS"));
    let ends = login.expires_at().map(DateTime::secs);
    assert_eq!(ends, Some(world.clock.now().seconds() + 12 * 3600));

    let digest = wire::push(&world, "sdk").await.digest;
    for version in 1..=2 {
        let register = client.register_container_image().service_name("web");
        let made = register.label("www").digest(&digest).send().await;
        let made = made.expect("RegisterContainerImage");
        let image = made.container_image().expect("an image");
        let name = format!(":web.www.{version}");
        assert_eq!(image.image(), Some(name.as_str()));
        assert_eq!(image.digest(), Some(digest.as_str()));
        assert!(image.created_at().is_some());
    }
    let delete = client.delete_container_image().service_name("web");
    delete
        .image(":web.www.1")
        .send()
        .await
        .expect("DeleteContainerImage");
    let listed = client.get_container_images().service_name("web");
    let listed = listed.send().await.expect("GetContainerImages");
    let names: Vec<_> = listed
        .container_images()
        .iter()
        .map(|one| one.image())
        .collect();
    assert_eq!(names, [Some(":web.www.2")]);
}

#[tokio::test]
async fn a_service_and_its_deployment() {
    let world = wire::world().await;
    let client = client(&world).await;
    service(&world, &client).await;
    let app = Container::builder().image("nginx:latest");
    let app = app.ports("80", ContainerServiceProtocol::Http).build();
    let endpoint = EndpointRequest::builder()
        .container_name("app")
        .container_port(80);
    let deploy = client.create_container_service_deployment();
    let deploy = deploy.service_name("web").containers("app", app);
    let deploy = deploy.public_endpoint(endpoint.build().expect("an endpoint"));
    let made = deploy
        .send()
        .await
        .expect("CreateContainerServiceDeployment");
    let made = made.container_service().expect("a service");
    assert_eq!(made.state(), Some(&ContainerServiceState::Deploying));
    let next = made.next_deployment().expect("the next one");
    assert_eq!(next.version(), Some(1));
    let activating = ContainerServiceDeploymentState::Activating;
    assert_eq!(next.state(), Some(&activating));
    wire::settle(&world).await;

    let update = client.update_container_service().service_name("web");
    let updated = update
        .scale(2)
        .send()
        .await
        .expect("UpdateContainerService");
    let updated = updated.container_service().expect("a service");
    assert_eq!(updated.state(), Some(&ContainerServiceState::Updating));
    wire::settle(&world).await;
    let listed = client.get_container_services().service_name("web");
    let listed = listed.send().await.expect("GetContainerServices");
    let [service] = listed.container_services() else {
        panic!("one service: {listed:?}");
    };
    assert_eq!(service.state(), Some(&ContainerServiceState::Running));
    let current = service.current_deployment().expect("the current one");
    let check = current.public_endpoint().and_then(|end| end.health_check());
    let codes = check.and_then(|check| check.success_codes());
    assert_eq!(codes, Some("200-499"));
    let deployments = client
        .get_container_service_deployments()
        .service_name("web");
    let deployments = deployments.send().await.expect("the deployments");
    let active = ContainerServiceDeploymentState::Active;
    assert_eq!(deployments.deployments()[0].state(), Some(&active));

    read_what_it_says(&world, &client).await;
    tag_and_untag(&client).await;

    let delete = client.delete_container_service().service_name("web");
    delete.send().await.expect("DeleteContainerService");
    wire::settle(&world).await;
    let listed = client.get_container_services().send().await;
    let listed = listed.expect("GetContainerServices");
    assert!(listed.container_services().is_empty());
}

async fn read_what_it_says(world: &World, client: &Client) {
    let log = client
        .get_container_log()
        .service_name("web")
        .container_name("app");
    let log = log.send().await.expect("GetContainerLog");
    let first = log.log_events().first().expect("a line");
    assert_eq!(
        first.message(),
        Some("[deployment:1] Creating your deployment")
    );
    assert!(log.next_page_token().is_none());
    let now = world.clock.now().seconds();
    let metrics = client
        .get_container_service_metric_data()
        .service_name("web");
    let metrics = metrics
        .metric_name(ContainerServiceMetricName::MemoryUtilization)
        .start_time(DateTime::from_secs(now - 3600))
        .end_time(DateTime::from_secs(now))
        .period(300)
        .statistics(MetricStatistic::Average);
    let metrics = metrics.send().await.expect("the metrics");
    let memory = ContainerServiceMetricName::MemoryUtilization;
    assert_eq!(metrics.metric_name(), Some(&memory));
    assert!(metrics.metric_data().is_empty());
}

async fn tag_and_untag(client: &Client) {
    let tag = Tag::builder().key("only-key").build();
    let tagging = client.tag_resource().resource_name("web").tags(tag.clone());
    let tagged = tagging.send().await.expect("TagResource");
    let operation = tagged.operations().first().expect("an operation");
    assert_eq!(operation.is_terminal(), Some(true));
    let listed = client.get_container_services().service_name("web");
    let listed = listed.send().await.expect("GetContainerServices");
    assert_eq!(listed.container_services()[0].tags(), [tag]);
    let untagging = client
        .untag_resource()
        .resource_name("web")
        .tag_keys("only-key");
    untagging.send().await.expect("UntagResource");
}

#[tokio::test]
async fn what_concerns_no_service() {
    let world = wire::world().await;
    let client = client(&world).await;
    let powers = client.get_container_service_powers().send().await;
    let powers = powers.expect("GetContainerServicePowers");
    let nano = powers.powers().first().expect("a power");
    assert_eq!(nano.power_id(), Some("nano-1"));
    assert_eq!(nano.cpu_count(), Some(0.25));
    let metadata = client.get_container_api_metadata().send().await;
    let metadata = metadata.expect("GetContainerAPIMetadata");
    let entry = metadata.metadata().first().expect("an entry");
    assert_eq!(
        entry.get("name").map(String::as_str),
        Some("lightsailctlVersion")
    );
    let regions = client.get_regions().send().await.expect("GetRegions");
    assert!(!regions.regions().is_empty());
}
