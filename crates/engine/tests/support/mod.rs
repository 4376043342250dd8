//! A runtime over the Docker daemon that `cargo xtask test` started, with an image to run and
//! eyes on what the daemon has.

#![allow(dead_code, missing_docs)] // each test binary uses a part

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use roadstead_domain::digest::Digest;
use roadstead_domain::ids::{AccountId, ContainerServiceId, Region};
use roadstead_domain::lightsail::deployment::DeploymentVersion;
use roadstead_domain::lightsail::endpoint::{HealthCheck, PublicEndpoint};
use roadstead_domain::lightsail::names::{ContainerName, ServiceName};
use roadstead_domain::lightsail::power::{Power, Scale};
use roadstead_domain::lightsail::service::Report;
use roadstead_domain::lightsail::spec::{Container, DeploymentSpec, ImageSource, Protocol};
use roadstead_domain::time::Timestamp;
use roadstead_engine::{Docker, Options};
use roadstead_registry::containers::runtime::{
    ContainerLine, ContainerRuntime as _, Pull, PullAccess, WantedDeployment, WantedService,
};
use roadstead_registry::context::Clock;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(90);
/// How long an answer may take.
const ANSWER_PATIENCE: Duration = Duration::from_secs(10);

struct RealClock;

impl Clock for RealClock {
    fn now(&self) -> Timestamp {
        Timestamp(jiff::Timestamp::now().as_microsecond())
    }
}

fn needed(variable: &str) -> String {
    std::env::var(variable)
        .unwrap_or_else(|_| panic!("{variable} is not set: run the tests with `cargo xtask test`"))
}

/// Runs the Docker client; what it wrote, and whether it succeeded.
pub fn try_docker(args: &[&str]) -> (bool, String) {
    let mut command = Command::new(needed("TEST_DOCKER"));
    command.env("DOCKER_HOST", needed("TEST_DOCKER_HOST"));
    let output = command.args(args).output().expect("the Docker client");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.success(), text)
}

pub fn docker(args: &[&str]) -> Vec<String> {
    let (is_success, text) = try_docker(args);
    assert!(is_success, "docker {args:?}");
    text.lines().map(str::to_owned).collect()
}

/// An image of `fixture/hello.c`, which no registry has.
pub fn hello_image() -> &'static str {
    static IMAGE: OnceLock<String> = OnceLock::new();
    IMAGE.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixture/hello.c");
        let compiled = Command::new("cc")
            .args(["-static", "-O1", "-pthread", source, "-o"])
            .arg(folder.path().join("hello"))
            .status()
            .expect("a C compiler");
        assert!(compiled.success(), "compiling {source}");
        let name = format!("roadstead-test/hello:{}", std::process::id());
        let mut tar = Command::new("tar")
            .arg("-c")
            .arg("-C")
            .arg(folder.path())
            .arg("hello")
            .stdout(Stdio::piped())
            .spawn()
            .expect("tar");
        let imported = Command::new(needed("TEST_DOCKER"))
            .env("DOCKER_HOST", needed("TEST_DOCKER_HOST"))
            .args(["import", "--change", "ENTRYPOINT [\"/hello\"]"])
            .args(["--change", "CMD [\"80\"]", "-", &name])
            .stdin(tar.stdout.take().expect("a pipe"))
            .stdout(Stdio::null())
            .status()
            .expect("the Docker client");
        assert!(imported.success() && tar.wait().expect("tar").success());
        name
    })
}

/// A container to deploy.
#[derive(Clone)]
pub struct Part {
    pub name: &'static str,
    pub image: String,
    pub command: Vec<&'static str>,
    pub environment: Vec<(&'static str, &'static str)>,
    pub port: u16,
}

/// The test program on a port.
pub fn hello(name: &'static str, port: &'static str, says: &'static str) -> Part {
    Part {
        name,
        image: hello_image().to_owned(),
        command: vec![port],
        environment: vec![("NAME", says)],
        port: port.parse().expect("a port"),
    }
}

/// The test program, ending at once.
pub fn ending(name: &'static str, code: &'static str) -> Part {
    Part {
        command: vec!["exit", code],
        ..hello(name, "80", "")
    }
}

/// A deployment whose first part has the endpoint, if it has one.
pub fn deployment(version: u64, parts: &[Part], has_endpoint: bool) -> WantedDeployment {
    let name = |part: &Part| ContainerName::parse(part.name).unwrap();
    let container = |part: &Part| Container {
        image: ImageSource::Elsewhere(part.image.clone()),
        command: part.command.iter().map(|word| (*word).to_owned()).collect(),
        environment: part
            .environment
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
        ports: BTreeMap::from([(part.port, Protocol::Http)]),
    };
    let endpoint = PublicEndpoint {
        container: name(&parts[0]),
        port: parts[0].port,
        health_check: HealthCheck {
            healthy_threshold: 1,
            ..HealthCheck::default()
        },
    };
    WantedDeployment {
        version: DeploymentVersion(version),
        is_serving: false,
        spec: DeploymentSpec {
            containers: parts
                .iter()
                .map(|part| (name(part), container(part)))
                .collect(),
            public_endpoint: has_endpoint.then_some(endpoint),
        },
        pins: BTreeMap::new(),
    }
}

/// The same deployment, serving.
pub fn serving(deployment: &WantedDeployment) -> WantedDeployment {
    WantedDeployment {
        is_serving: true,
        ..deployment.clone()
    }
}

/// A runtime with a server id of its own, and one service.
pub struct World {
    pub runtime: Arc<Docker>,
    pub options: Options,
    pub service: ContainerServiceId,
    pub power: Power,
    pub scale: i64,
    /// Every line taken so far.
    pub lines: Vec<ContainerLine>,
    _folder: TempDir,
}

pub fn start(options: Options) -> Arc<Docker> {
    Arc::new(Docker::new(options, Arc::new(RealClock), Arc::new(NoPulls)))
}

/// No registry: these suites run what the engine has.
struct NoPulls;

#[async_trait]
impl PullAccess for NoPulls {
    fn registered(&self, _: &WantedService, digest: &Digest) -> Pull {
        Pull {
            path: format!("sr@{digest}"),
            password: "none".into(),
        }
    }

    async fn private(&self, _: &WantedService, _: &str) -> Result<Option<Pull>, String> {
        Ok(None)
    }
}

impl World {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let process = std::process::id();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let host = needed("TEST_DOCKER_HOST");
        let socket = PathBuf::from(host.strip_prefix("unix://").expect("a socket"));
        let server = format!("t{process}x{count}");
        let mut options = Options::new(socket, server, "127.0.0.1:1".to_owned());
        options.positions = Some(folder.path().join("positions.json"));
        options.settle = Duration::from_secs(1);
        options.usage_every = Duration::from_secs(1);
        let service =
            ContainerServiceId::from_random(u128::from(process) << 32 | u128::from(count));
        Self {
            runtime: start(options.clone()),
            options,
            service,
            power: Power::Micro,
            scale: 1,
            lines: Vec::new(),
            _folder: folder,
        }
    }

    /// Ends the runtime and starts another one.
    pub fn restart(&mut self) {
        self.runtime = start(self.options.clone());
    }

    pub fn want(&self, deployments: &[WantedDeployment]) {
        self.runtime.want(WantedService {
            id: self.service.clone(),
            account: AccountId::parse("123456789012").unwrap(),
            region: Region::parse("us-east-1").unwrap(),
            name: ServiceName::parse("web").unwrap(),
            power: self.power,
            scale: Scale::parse(self.scale).unwrap(),
            puller: None,
            deployments: deployments.to_vec(),
        });
    }

    pub fn report(&self, version: u64) -> Report {
        let version = DeploymentVersion(version);
        self.runtime.report(&self.service, version)
    }

    /// Waits until a deployment is decided.
    pub async fn decided(&self, version: u64) -> Report {
        let mut decided = None;
        eventually("the deployment is decided", async || {
            let report = self.report(version);
            decided = (!matches!(report, Report::Working(_))).then_some(report);
            decided.is_some()
        })
        .await;
        decided.expect("a report")
    }

    /// Deploys and lets it serve.
    pub async fn deploy(&self, deployment: &WantedDeployment) {
        self.want(std::slice::from_ref(deployment));
        assert_eq!(self.decided(deployment.version.0).await, Report::Healthy);
        self.want(&[serving(deployment)]);
    }

    /// Asks the service for a path, as the endpoint proxy does.
    pub async fn get(&self, path: &str) -> Option<String> {
        get(&self.runtime, &self.service, path).await
    }

    /// What the daemon has of this server: ids of containers.
    pub fn containers(&self) -> Vec<String> {
        let label = format!("label=roadstead.server={}", self.options.server);
        docker(&["ps", "--all", "--quiet", "--no-trunc", "--filter", &label])
    }

    pub fn networks(&self) -> Vec<String> {
        let label = format!("label=roadstead.server={}", self.options.server);
        docker(&["network", "ls", "--quiet", "--filter", &label])
    }

    pub fn sandbox_images(&self) -> Vec<String> {
        let name = format!("roadstead-sandbox-{}", self.options.server);
        docker(&["images", "--quiet", &name])
    }

    /// Wants nothing and waits until nothing is left.
    pub async fn end(&self) {
        self.want(&[]);
        eventually("nothing is left", async || {
            self.runtime.is_gone(&self.service)
        })
        .await;
        assert_eq!(self.containers(), Vec::<String>::new());
        assert_eq!(self.networks(), Vec::<String>::new());
        assert_eq!(self.sandbox_images(), Vec::<String>::new());
    }

    /// Waits for a line that contains `text`.
    pub async fn line(&mut self, text: &str) -> ContainerLine {
        let mut found = None;
        let (runtime, lines) = (&self.runtime, &mut self.lines);
        eventually(text, async || {
            lines.extend(runtime.take_lines());
            found = lines
                .iter()
                .find(|line| line.message.contains(text))
                .cloned();
            found.is_some()
        })
        .await;
        found.expect("a line")
    }
}

/// Waits until `is_so`.
pub async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let all = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    if tokio::time::timeout(PATIENCE, all).await.is_err() {
        panic!("not in time: {what}");
    }
}

/// The body of an answer; none without a node or without an answer.
pub async fn get(runtime: &Docker, service: &ContainerServiceId, path: &str) -> Option<String> {
    let upstream = runtime.upstream(service)?;
    let body = tokio::time::timeout(ANSWER_PATIENCE, fetch(upstream.address, path)).await;
    drop(upstream.in_flight);
    body.ok().flatten()
}

async fn fetch(address: SocketAddr, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    // The program keeps connections open: its answers have a length.
    loop {
        let text = String::from_utf8_lossy(&answer).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.split_once("Content-Length: ")?.1.lines().next()?;
            let length: usize = length.parse().ok()?;
            if body.len() >= length {
                return Some(body.to_owned());
            }
        }
        let read = stream.read(&mut piece).await.ok()?;
        if read == 0 {
            return None;
        }
        answer.extend_from_slice(&piece[..read]);
    }
}
