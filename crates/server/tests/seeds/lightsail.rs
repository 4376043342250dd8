//! What the two pages of Amazon Lightsail share: a container service, pushes as
//! `push-container-image` makes them, and the errors that are about the caller.

use serde_json::Value;

use crate::error;
use crate::support::aws::AwsCli;
use crate::support::images::{Image, index_of, write_layout};
use crate::support::program;
use crate::support::server::{Key, Server, run_roadstead, utf8};

/// The service of the pages' examples.
pub const SERVICE: &str = "mycontainerservice";

/// A server with a container service.
pub struct Lightsail {
    pub server: Server,
    pub aws: AwsCli,
}

impl Lightsail {
    pub fn start() -> Self {
        let server = Server::start();
        let aws = server.aws();
        let world = Self { server, aws };
        world.create(SERVICE);
        world
    }

    pub fn create(&self, service: &str) {
        let named = ["create-container-service", "--service-name", service];
        let size = ["--power", "nano", "--scale", "1"];
        self.ok(&[&named[..], &size].concat());
    }

    /// Runs `aws lightsail <args>`, which must succeed.
    pub fn ok(&self, args: &[&str]) -> Value {
        self.aws.ok("lightsail", args)
    }

    /// Runs `aws lightsail <args>`, which must be refused.
    pub fn refused(&self, args: &[&str]) -> String {
        self.aws.refused("lightsail", args)
    }

    /// Pushes an image to where all container images go, and gives its digest.
    pub fn push(&self, seed: &str) -> String {
        let login = self.ok(&["create-container-service-registry-login"]);
        let login = &login["registryLogin"];
        let text = |member: &str| login[member].as_str().expect("a text").to_owned();
        let credentials = format!("{}:{}", text("username"), text("password"));
        let images = [Image::new(seed, "amd64")];
        let folder = tempfile::tempdir().expect("a layout folder");
        write_layout(folder.path(), "v1", &index_of(&images), &images);
        let from = format!("oci:{}:v1", utf8(folder.path()));
        let to = format!("docker://{}/sr:temporary", text("registry"));
        let mut skopeo = program::limited(program::tool("TEST_SKOPEO"));
        skopeo.args(["--insecure-policy", "--override-os", "linux"]);
        skopeo.args(["--override-arch", "amd64", "copy", "--preserve-digests"]);
        skopeo.args(["--dest-tls-verify=false", "--dest-creds", &credentials]);
        program::run(skopeo.args([&from, &to])).expect_success();
        images[0].digest().to_owned()
    }

    /// `register-container-image`.
    pub fn register(&self, label: &str, digest: &str) -> Value {
        self.ok(&registration(SERVICE, label, digest))
    }

    /// The names of the images of the service, newest first.
    pub fn images(&self) -> Vec<String> {
        let named = ["get-container-images", "--service-name", SERVICE];
        let answer = self.ok(&named);
        let images = answer["containerImages"].as_array().expect("a list").iter();
        let name = |image: &Value| image["image"].as_str().expect("a name").to_owned();
        images.map(name).collect()
    }

    /// Every way not to be known, by the same request: whoever asks gets these errors whatever
    /// they ask for.
    pub fn refuses_strangers(&self, operation: &str, args: &[&str]) {
        let refused =
            |aws: &AwsCli, more: &[&str]| aws.refused("lightsail", &[args, more].concat());
        let unsigned = refused(&self.aws, &["--no-sign-request"]);
        let start = error("UnauthenticatedException", operation);
        assert!(unsigned.starts_with(&start), "{unsigned}");

        let start = error("AccessDeniedException", operation);
        let unknown = AwsCli::new(
            self.server.url(),
            Key {
                access_key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
                secret_access_key: "unknown".to_owned(),
            },
        );
        let said = refused(&unknown, &[]);
        assert!(said.starts_with(&start), "{said}");

        let disabled = self.server.aws();
        let id = &disabled.key.access_key_id;
        let data = utf8(self.server.data());
        run_roadstead(&["key", "disable", id, "--data", data]).expect_success();
        let said = refused(&disabled, &[]);
        assert!(said.starts_with(&start), "{said}");
    }
}

/// The arguments of `register-container-image`.
pub fn registration<'a>(service: &'a str, label: &'a str, digest: &'a str) -> Vec<&'a str> {
    let operation = ["register-container-image", "--service-name", service];
    [&operation[..], &["--label", label, "--digest", digest]].concat()
}

/// The arguments of `delete-container-image`.
pub fn deletion<'a>(service: &'a str, image: &'a str) -> Vec<&'a str> {
    let operation = ["delete-container-image", "--service-name", service];
    [&operation[..], &["--image", image]].concat()
}
