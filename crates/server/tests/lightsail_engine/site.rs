//! A server with an engine, one service on it, and requests to its address.

use crate::support::aws::AwsCli;
use crate::support::docker::Docker;
use crate::support::program;
use crate::support::server::{Server, utf8};
use serde_json::{Value, json};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;
use tempfile::TempDir;

const POLL: Duration = Duration::from_millis(200);
/// Two minutes, and more where asking takes time.
const POLLS_MAX: u32 = 600;

/// An answer of a service.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: String,
}

/// A server whose deployments run, and the clients.
pub struct Site {
    pub server: Server,
    pub aws: AwsCli,
    pub docker: Docker,
    folder: TempDir,
}

impl Site {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = folder.path().join("roadstead.toml");
        let host = program::tool("TEST_DOCKER_HOST");
        let socket = utf8(&host).strip_prefix("unix://").expect("a socket");
        let text = format!("[lightsail]\nengine = 'docker'\nengine_socket = '{socket}'\n");
        fs::write(&config, text).expect("a configuration");
        let data = folder.path().join("data");
        let server = Server::start_on(&data, &["--config", utf8(&config)]);
        Self {
            aws: server.aws(),
            docker: Docker::new(),
            server,
            folder,
        }
    }

    /// Ends the server and starts another one on the same data and address.
    pub fn restart(self) -> Self {
        let Self {
            server,
            docker,
            folder,
            ..
        } = self;
        let address = server.address.clone();
        assert!(server.stop().success());
        let config = folder.path().join("roadstead.toml");
        let data = folder.path().join("data");
        let args = ["--config", utf8(&config)];
        let server = Server::start_again(&data, &address, &args);
        Self {
            aws: server.aws(),
            docker,
            server,
            folder,
        }
    }

    /// Runs `aws lightsail <args>`, which must succeed.
    pub fn lightsail(&self, args: &[&str]) -> Value {
        self.aws.run(&[&["lightsail"], args].concat()).expect_json()
    }

    /// Makes a service of one nano and waits until it is there.
    pub fn create(&self, service: &str) {
        let size = ["--power", "nano", "--scale", "1"];
        let named = ["create-container-service", "--service-name", service];
        self.lightsail(&[&named[..], &size[..]].concat());
        eventually("the service is READY", || {
            self.service(service)["state"] == "READY"
        });
    }

    /// The service, or null.
    pub fn service(&self, service: &str) -> Value {
        let named = ["get-container-services", "--service-name", service];
        let said = self.aws.run(&[&["lightsail"], &named[..]].concat());
        match said.code {
            Some(0) => said.expect_json()["containerServices"][0].clone(),
            _ => Value::Null,
        }
    }

    /// Pushes and registers an image of the engine's test program; its name.
    pub fn register(&self, service: &str, label: &str) -> String {
        let login = self.lightsail(&["create-container-service-registry-login"]);
        let login = &login["registryLogin"];
        let member = |name: &str| login[name].as_str().expect("a login").to_owned();
        let registry = member("registry");
        let password = member("password");
        let user = member("username");
        let words = [
            "login",
            "--username",
            &user,
            "--password",
            &password,
            &registry,
        ];
        self.docker.expect(&words);
        let tagged = format!("{registry}/sr:{label}");
        self.build(&tagged, label);
        let pushed = self.docker.expect(&["push", &tagged]);
        let digest = pushed
            .split_whitespace()
            .find(|word| word.starts_with("sha256:") && word.len() == 71)
            .expect("a digest")
            .to_owned();
        self.docker.expect(&["rmi", "--force", &tagged]);
        let named = ["register-container-image", "--service-name", service];
        let what = ["--label", label, "--digest", &digest];
        let made = self.lightsail(&[&named[..], &what[..]].concat());
        let image = made["containerImage"]["image"].as_str();
        image.expect("a name").to_owned()
    }

    fn build(&self, name: &str, label: &str) {
        let context = tempfile::tempdir().expect("a build context");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../engine/tests/fixture/hello.c");
        let compiled = Command::new("cc")
            .args(["-static", "-O1", "-pthread", utf8(&source), "-o"])
            .arg(context.path().join("hello"))
            .status()
            .expect("a C compiler");
        assert!(compiled.success());
        // Something of its own in each image, so that each has a digest of its own.
        let text = format!(
            "FROM scratch\nCOPY hello /hello\nENV LABEL={label}\nENTRYPOINT [\"/hello\"]\n"
        );
        fs::write(context.path().join("Dockerfile"), text).expect("a Dockerfile");
        let words = ["build", "--quiet", "--tag", name, utf8(context.path())];
        self.docker.expect(&words);
    }

    /// Asks for a deployment of containers, of which `app` has the endpoint.
    pub fn deploy(&self, service: &str, containers: &Value) -> u64 {
        let endpoint = json!({
            "containerName": "app",
            "containerPort": 80,
            "healthCheck": {"healthyThreshold": 1},
        });
        let made = self.lightsail(&[
            "create-container-service-deployment",
            "--service-name",
            service,
            "--containers",
            &containers.to_string(),
            "--public-endpoint",
            &endpoint.to_string(),
        ]);
        let next = &made["containerService"]["nextDeployment"];
        assert_eq!(next["state"], "ACTIVATING");
        next["version"].as_u64().expect("a version")
    }

    /// Waits until a deployment is decided.
    pub fn decided(&self, service: &str, version: u64) -> String {
        let mut state = String::new();
        eventually("the deployment is decided", || {
            let named = ["--service-name", service];
            let all =
                self.lightsail(&[&["get-container-service-deployments"], &named[..]].concat());
            let all = all["deployments"].as_array().expect("deployments");
            let this = all.iter().find(|one| one["version"] == version);
            let found = this.and_then(|one| one["state"].as_str());
            state = found.expect("a state").to_owned();
            state != "ACTIVATING"
        });
        state
    }

    /// The messages of a container's log that have all these words; the first page of them.
    pub fn log_of(&self, service: &str, container: &str, words: &str) -> Vec<String> {
        let got = self.lightsail(&[
            "get-container-log",
            "--service-name",
            service,
            "--container-name",
            container,
            "--filter-pattern",
            words,
        ]);
        let events = got["logEvents"].as_array().expect("events");
        let message = |event: &Value| event["message"].as_str().expect("a message").to_owned();
        events.iter().map(message).collect()
    }

    /// Host and port of the address of a service.
    pub fn host(&self, service: &str) -> String {
        let service = self.service(service);
        let url = service["url"].as_str().expect("a url");
        let host = url.strip_prefix("http://").expect("no TLS here");
        host.trim_end_matches('/').to_owned()
    }

    /// Asks the address of a service.
    pub fn get(&self, host: &str, path: &str) -> Answer {
        ask(&self.server.address, host, "GET", path, "")
    }

    /// Deletes a service, and nothing of it is left on the engine.
    pub fn delete(&self, service: &str) {
        let named = ["delete-container-service", "--service-name", service];
        self.lightsail(&named);
        eventually("the service is gone", || self.service(service).is_null());
        let id = fs::read_to_string(self.server.data().join("engine-id")).expect("an id");
        let label = format!("label=roadstead.server={}", id.trim());
        let left = |words: &[&str]| {
            let all = [words, &["--quiet", "--filter", &label]].concat();
            self.docker.expect(&all)
        };
        assert_eq!(left(&["ps", "--all"]), "");
        assert_eq!(left(&["network", "ls"]), "");
        let names = self.docker.expect(&["images", "--digests"]);
        let is_ours = |line: &&str| {
            line.starts_with(&self.server.address)
                || line.starts_with(&format!("roadstead-sandbox-{}", &id[..12]))
        };
        let images: Vec<&str> = names.lines().filter(is_ours).collect();
        assert_eq!(images, Vec::<&str>::new());
    }
}

/// Sends a request and reads the answer to its end.
pub fn ask(address: &str, host: &str, method: &str, path: &str, body: &str) -> Answer {
    let mut stream = TcpStream::connect(address).expect("the server");
    let timeout = Some(Duration::from_secs(30));
    stream.set_read_timeout(timeout).expect("a timeout");
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
         X-Forwarded-For: 192.0.2.1\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(head.as_bytes()).expect("a request");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
    Answer {
        status: status.expect("a status"),
        body: body.to_owned(),
    }
}

/// Waits until `is_so`.
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..POLLS_MAX {
        if is_so() {
            return;
        }
        sleep(POLL);
    }
    panic!("not in time: {what}");
}
