//! Black box: the AWS SDK for Go against the real server. One test pushes as lightsailctl does for
//! `aws lightsail push-container-image`: the same document, calls and lines, by the stand-in beside
//! this file (lightsail-containers.md 3.2, 3.3).

#[path = "../support/mod.rs"]
mod support;

use serde_json::{Value, json};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;
use support::aws::{AwsCli, REGION};
use support::docker::Docker;
use support::program::{self, Said};
use support::server::Server;

struct Bench {
    server: Server,
    aws: AwsCli,
    docker: Docker,
}

impl Bench {
    fn new() -> Self {
        let server = Server::start();
        let aws = server.aws();
        let docker = Docker::new();
        Self {
            server,
            aws,
            docker,
        }
    }

    /// Makes the service `web` and waits for it.
    fn service(&self) {
        let args = ["--service-name", "web", "--power", "nano", "--scale", "1"];
        self.aws
            .lightsail(&[&["create-container-service"], &args[..]].concat());
        for _ in 0..300 {
            let listed = self.aws.lightsail(&["get-container-services"]);
            if listed["containerServices"][0]["state"] == "READY" {
                return;
            }
            sleep(Duration::from_millis(100));
        }
        panic!("the service does not become ready");
    }

    fn program(&self) -> Command {
        let mut command: Command = program::limited(program::tool("TEST_LIGHTSAIL_GO"));
        command
            .envs(self.aws.environment())
            .envs(self.docker.environment());
        command
    }

    /// `aws lightsail push-container-image` of AWS CLI version 2, from where it runs the plug-in.
    fn push(&self, service: &str, image: &str, label: &str) -> Said {
        let input = json!({
            "inputVersion": "1",
            "operation": "PushContainerImage",
            "payload": { "service": service, "image": image, "label": label },
            "configuration": {
                "debug": false,
                "endpoint": format!("{}/", self.server.url()),
                "doNotVerifySSL": false,
                "paginate": true,
                "region": REGION,
                "doNotSignRequest": false,
                "cliVersion": "2.31.0",
            },
        });
        let mut program = self.program();
        program.args(["--plugin", "--input-stdin"]);
        program::run_with_input(&mut program, input.to_string().as_bytes())
    }

    /// The names that Docker has for images of the registry.
    fn left_behind(&self) -> String {
        let reference = format!("reference={}/sr", self.server.address);
        self.docker
            .expect(&["images", "--quiet", "--filter", &reference])
    }

    fn images(&self) -> Value {
        let listed = ["get-container-images", "--service-name", "web"];
        self.aws.lightsail(&listed)["containerImages"].clone()
    }
}

#[test]
fn what_push_container_image_does() {
    let bench = Bench::new();
    bench.service();
    let image = "lightsail-go:pushed";
    bench.docker.build(image, "pushed as lightsailctl does");
    let mut digests = vec![];
    for version in 1..=2 {
        let said = bench.push("web", image, "www");
        // A version of the plug-in that we name but that is not its own would be a warning.
        assert!(!said.stderr.contains("WARNING"), "{said}");
        let printed = said.expect_success();
        let digest = printed
            .strip_prefix("Digest: ")
            .and_then(|rest| rest.split_once('\n'))
            .map(|(digest, _)| digest.to_owned());
        let digest = digest.unwrap_or_else(|| panic!("{printed}"));
        let name = format!(":web.www.{version}");
        assert_eq!(
            printed,
            format!(
                "Digest: {digest}\nImage \"{image}\" registered.\nRefer to this image as \
                 \"{name}\" in deployments.\n"
            )
        );
        let newest = bench.images()[0].clone();
        assert_eq!(newest["image"], name.as_str());
        assert_eq!(newest["digest"], digest.as_str());
        assert_eq!(bench.left_behind(), "");
        digests.push(digest);
    }
    // All layers were there the second time, and it counts all the same.
    assert_eq!(digests[0], digests[1]);
    let containers = json!({ "app": { "image": ":web.www.latest" } }).to_string();
    let deployed = bench.aws.lightsail(&[
        "create-container-service-deployment",
        "--service-name",
        "web",
        "--containers",
        &containers,
    ]);
    let next = &deployed["containerService"]["nextDeployment"];
    assert_eq!(next["state"], "ACTIVATING");
    bench.docker.expect(&["rmi", "--force", image]);
}

#[test]
fn what_push_container_image_says_when_it_is_refused() {
    let bench = Bench::new();
    let image = "lightsail-go:refused";
    bench.docker.build(image, "refused");
    let said = bench.push("web", image, "www").expect_failure();
    let text = "You must create a container service before retrieving container registry login \
                credentials";
    assert!(said.contains(text), "{said}");
    assert!(said.contains("InvalidInputException"), "{said}");
    bench.service();
    let said = bench.push("nope", image, "www").expect_failure();
    assert!(said.contains("NotFoundException"), "{said}");
    assert!(
        said.contains("The container service \"nope\" does not exist."),
        "{said}"
    );
    let said = bench.push("web", image, "my_app").expect_failure();
    assert!(
        said.contains("Label \"my_app\" does not match pattern: "),
        "{said}"
    );
    assert_eq!(bench.images(), json!([]));
    assert_eq!(bench.left_behind(), "");
    bench.docker.expect(&["rmi", "--force", image]);
}

#[test]
fn errors_are_typed_although_they_have_a_code() {
    let bench = Bench::new();
    let mut program = bench.program();
    program::run(program.arg("errors")).expect_success();
}
