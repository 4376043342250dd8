//! Black box: every Lightsail command of the stock AWS CLI that no other suite runs, and the
//! settings of container services.

mod support;

use serde_json::{Value, json};
use std::time::Duration;
use support::aws::AwsCli;
use support::images::digest_of;
use support::program;
use support::server::{Server, free_address, roadstead, utf8};

const POLL: Duration = Duration::from_millis(100);
const POLLS_MAX: u32 = 100;

fn service(aws: &AwsCli) -> Value {
    let listed = aws.lightsail(&["get-container-services", "--service-name", "web"]);
    listed["containerServices"][0].clone()
}

fn wait_for(aws: &AwsCli, state: &str) -> Value {
    for _ in 0..POLLS_MAX {
        let service = service(aws);
        if service["state"] == state {
            return service;
        }
        std::thread::sleep(POLL);
    }
    panic!("not {state}: {}", service(aws));
}

fn create(aws: &AwsCli) -> Value {
    let args = ["--service-name", "web", "--power", "nano", "--scale", "1"];
    let tags = ["--tags", "key=env,value=dev", "key=only-key"];
    aws.lightsail(&[&["create-container-service"], &args[..], &tags[..]].concat());
    wait_for(aws, "READY")
}

#[test]
fn a_service_by_its_commands() {
    let server = Server::start();
    let aws = server.aws();
    let made = create(&aws);
    let mut tags = made["tags"].as_array().expect("a list").clone();
    tags.sort_by_key(|tag| tag["key"].to_string());
    assert_eq!(
        json!(tags),
        json!([{"key": "env", "value": "dev"}, {"key": "only-key"}])
    );

    let web = ["--service-name", "web"];
    let update = |args: &[&str]| {
        let updated = aws.lightsail(&[&["update-container-service"], &web[..], args].concat());
        assert_eq!(updated["containerService"]["state"], "UPDATING");
    };
    update(&["--power", "micro", "--scale", "2", "--is-disabled"]);
    let disabled = wait_for(&aws, "DISABLED");
    assert_eq!(disabled["isDisabled"], true);
    assert_eq!(disabled["powerId"], "micro-1");
    update(&["--no-is-disabled"]);
    let enabled = wait_for(&aws, "READY");
    assert_eq!(
        (&enabled["scale"], &enabled["isDisabled"]),
        (&json!(2), &json!(false))
    );
    update(&[
        "--private-registry-access",
        "ecrImagePullerRole={isActive=true}",
    ]);
    let puller = &wait_for(&aws, "READY")["privateRegistryAccess"]["ecrImagePullerRole"];
    assert_eq!(puller["isActive"], true);

    let name = ["--resource-name", "web"];
    let tag = ["--tags", "key=team,value=blue"];
    let tagged = aws.lightsail(&[&["tag-resource"], &name[..], &tag[..]].concat());
    assert_eq!(tagged["operations"][0]["status"], "Succeeded");
    let keys = ["--tag-keys", "env", "only-key"];
    aws.lightsail(&[&["untag-resource"], &name[..], &keys[..]].concat());
    assert_eq!(
        service(&aws)["tags"],
        json!([{"key": "team", "value": "blue"}])
    );

    let gone = aws.lightsail(&[&["delete-container-service"], &web[..]].concat());
    assert!(gone.is_null() || gone == json!({}), "{gone}");
    let listed = [&["lightsail", "get-container-services"], &web[..]].concat();
    for _ in 0..POLLS_MAX {
        let said = aws.run(&listed);
        if said.code != Some(0) {
            let said = said.expect_failure();
            assert!(said.contains("(NotFoundException)"), "{said}");
            return;
        }
        assert!(said.stdout.contains("\"DELETING\""), "{said}");
    }
    panic!("still deleting");
}

#[test]
fn a_deployment_its_log_and_its_metrics() {
    let server = Server::start();
    let aws = server.aws();
    create(&aws);
    let web = ["--service-name", "web"];
    let containers = r#"{"app":{"image":"nginx:latest","ports":{"80":"HTTP"}}}"#;
    let endpoint = r#"{"containerName":"app","containerPort":80}"#;
    let args = ["--containers", containers, "--public-endpoint", endpoint];
    aws.lightsail(&[&["create-container-service-deployment"], &web[..], &args].concat());
    wait_for(&aws, "RUNNING");
    let listed = aws.lightsail(&[&["get-container-service-deployments"], &web[..]].concat());
    assert_eq!(listed["deployments"][0]["state"], "ACTIVE");

    let log = [&["get-container-log", "--container-name", "app"], &web[..]].concat();
    let events = aws.lightsail(&log)["logEvents"].clone();
    let message = "[deployment:1] Creating your deployment";
    assert_eq!(events[0]["message"], message);
    let filter = ["--filter-pattern", "Creating"];
    let events = aws.lightsail(&[&log[..], &filter].concat())["logEvents"].clone();
    assert_eq!(events.as_array().map(Vec::len), Some(1));
    let past = [
        "--start-time",
        "2020-01-01T00:00:00Z",
        "--end-time",
        "2020-01-02T00:00:00Z",
    ];
    let events = aws.lightsail(&[&log[..], &past].concat())["logEvents"].clone();
    assert_eq!(events, json!([]));

    let metric = ["--metric-name", "CPUUtilization", "--period", "300"];
    let statistics = ["--statistics", "Average", "Maximum"];
    let get = ["get-container-service-metric-data"];
    let asked = [&get[..], &web, &metric, &past, &statistics].concat();
    let expected = json!({"metricName": "CPUUtilization", "metricData": []});
    assert_eq!(aws.lightsail(&asked), expected);
    let said = aws.lightsail_refused(
        &[
            &get[..],
            &web,
            &["--metric-name", "CPUUtilization", "--period", "90"],
            &past,
            &statistics,
        ]
        .concat(),
    );
    assert!(said.contains("(InvalidInputException)"), "{said}");
}

#[test]
fn what_concerns_no_service() {
    let server = Server::start();
    let aws = server.aws();
    let powers = aws.lightsail(&["get-container-service-powers"]);
    assert_eq!(powers["powers"].as_array().map(Vec::len), Some(6));
    let metadata = aws.lightsail(&["get-container-api-metadata"]);
    let entry = json!({"name": "lightsailctlVersion", "value": "1.0.8"});
    assert_eq!(metadata, json!({"metadata": [entry]}));
    let regions = aws.lightsail(&["get-regions"]);
    assert_eq!(regions["regions"][0]["name"], "us-east-1");
    let listed = aws.lightsail(&["get-container-services"]);
    assert_eq!(listed, json!({"containerServices": []}));
    let digest = digest_of(b"never pushed");
    let said = aws.lightsail_refused(&[
        "register-container-image",
        "--service-name",
        "web",
        "--label",
        "www",
        "--digest",
        &digest,
    ]);
    assert_eq!(
        said,
        "An error occurred (NotFoundException) when calling the RegisterContainerImage operation: \
         The container service \"web\" does not exist."
    );
}

#[test]
fn settings_of_container_services() {
    let server = Server::start_with_settings(&[
        ("ROADSTEAD_LIGHTSAIL_URL_SUFFIX", "cs.example.test"),
        ("ROADSTEAD_LIGHTSAIL_DWELL_MILLISECONDS", "0"),
    ]);
    let made = create(&server.aws());
    let url = made["url"].as_str().expect("a text");
    assert!(url.ends_with(".us-east-1.cs.example.test/"), "{url}");
    for [name, value] in [
        ["ROADSTEAD_LIGHTSAIL_VERSION_SCOPE", "image"],
        ["ROADSTEAD_LIGHTSAIL_RECORDED_END", "ready"],
        ["ROADSTEAD_LIGHTSAIL_DWELL_MILLISECONDS", "soon"],
    ] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut serve = program::limited(roadstead().get_program());
        serve
            .env(name, value)
            .args(["serve", "--data", utf8(folder.path())])
            .args(["--listen", &free_address()]);
        let said = program::run(&mut serve).expect_failure();
        assert!(said.contains("lightsail") && said.contains(value), "{said}");
    }
}
