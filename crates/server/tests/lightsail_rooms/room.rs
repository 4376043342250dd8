//! A world with container services in it, in few words.

use http::Method;
use roadstead_domain::digest::Digest;
use roadstead_domain::ids::{AccountId, Region};
use roadstead_domain::name::RepositoryKey;
use roadstead_domain::time::Span;
use roadstead_registry::context::Clock as _;
use roadstead_registry::work::SweepReport;
use roadstead_store::metadata::StoreError;
use roadstead_testkit::world::{ACCOUNT, REGION};
use roadstead_testkit::{Answer, Artifact, Layout, World, images};
use serde_json::{Value, json};

/// A world and what is called in it.
pub struct Room {
    pub world: World,
}

/// What is stored of a manifest in the repository of all services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// Whether the manifest is there.
    pub is_there: bool,
    /// How many tags it has.
    pub tags: usize,
    /// Whether it waits to be registered.
    pub waits: bool,
}

impl Room {
    /// A room without services.
    pub async fn empty() -> Self {
        Self {
            world: World::builder().without_grace().start().await,
        }
    }

    /// A room with these services, READY.
    pub async fn with(services: &[&str]) -> Self {
        let room = Self::empty().await;
        for service in services {
            room.create(service).await;
        }
        room.settle().await;
        room
    }

    /// Calls an operation.
    pub async fn call(&self, operation: &str, body: Value) -> Answer {
        let target = format!("Lightsail_20161128.{operation}");
        let key = &self.world.credentials;
        self.world.post(key, &target, body.to_string().into()).await
    }

    /// The body of a call that works.
    pub async fn ok(&self, operation: &str, body: Value) -> Value {
        self.call(operation, body).await.expect(200).json()
    }

    /// Starts the creation of a service.
    pub async fn create(&self, service: &str) {
        let body = json!({ "serviceName": service, "power": "nano", "scale": 1 });
        self.ok("CreateContainerService", body).await;
    }

    /// Starts a deployment of one container `app` of this image.
    pub async fn deploy(&self, service: &str, image: &str) {
        let body = json!({ "serviceName": service, "containers": { "app": { "image": image } } });
        self.ok("CreateContainerServiceDeployment", body).await;
    }

    /// The state of a service; none if it is gone.
    pub async fn state(&self, service: &str) -> Option<String> {
        let body = json!({ "serviceName": service });
        let answer = self.call("GetContainerServices", body).await;
        let state = answer.json()["containerServices"][0]["state"].clone();
        state.as_str().map(str::to_owned)
    }

    /// One step of the worker, a second later.
    pub async fn step(&self) {
        self.world.clock.advance(Span::seconds(1));
        let now = self.world.clock.now();
        self.world
            .registry
            .containers_step(now)
            .await
            .expect("a step");
    }

    /// Steps until nothing changes by itself any more.
    pub async fn settle(&self) {
        for _ in 0..5 {
            self.step().await;
        }
    }

    /// Sweeps a moment later: what is unreferenced since now is not older than no grace at all.
    pub async fn sweep(&self) -> SweepReport {
        self.world.clock.advance(Span::seconds(1));
        self.world.sweep().await
    }

    /// Pushes an image under a tag with a fresh login.
    pub async fn push(&self, layout: &Layout, tag: &str) -> String {
        let basic = self.login().await;
        for blob in &layout.blobs {
            let path = format!("/v2/sr/blobs/uploads/?digest={}", images::digest(blob));
            let headers = [
                ("authorization", basic.as_str()),
                ("content-type", "application/octet-stream"),
            ];
            let pushed = self.world.raw(Method::POST, &path, &headers, blob.clone());
            pushed.await.expect(201);
        }
        self.push_manifest(&layout.manifest, tag).await
    }

    /// Pushes an image of its own content, tagged with it.
    pub async fn pushed(&self, content: &str) -> String {
        self.push(&Layout::image(content), content).await
    }

    /// Pushes a manifest under a tag or its digest.
    pub async fn push_manifest(&self, manifest: &Artifact, reference: &str) -> String {
        let basic = self.login().await;
        let path = format!("/v2/sr/manifests/{reference}");
        let headers = [
            ("authorization", basic.as_str()),
            ("content-type", manifest.media_type.as_str()),
        ];
        let bytes = manifest.bytes.clone();
        let pushed = self.world.raw(Method::PUT, &path, &headers, bytes);
        pushed.await.expect(201);
        manifest.digest.clone()
    }

    async fn login(&self) -> String {
        let login = self
            .ok("CreateContainerServiceRegistryLogin", json!({}))
            .await;
        let login = &login["registryLogin"];
        let password = login["password"].as_str().expect("a password");
        World::basic_of(login["username"].as_str().expect("a name"), password)
    }

    /// Registers a manifest; its name.
    pub async fn register(&self, service: &str, label: &str, digest: &str) -> String {
        let body = json!({ "serviceName": service, "label": label, "digest": digest });
        let answer = self.ok("RegisterContainerImage", body).await;
        let image = answer["containerImage"]["image"].as_str();
        image.expect("a name").to_owned()
    }

    /// Deletes a registered image: the status with the exception.
    pub async fn delete(&self, service: &str, image: &str) -> (u16, String) {
        let body = json!({ "serviceName": service, "image": image });
        self.call("DeleteContainerImage", body).await.code()
    }

    /// The names of the images of a service, the newest first.
    pub async fn images(&self, service: &str) -> Vec<String> {
        let body = json!({ "serviceName": service });
        let answer = self.ok("GetContainerImages", body).await;
        let images = answer["containerImages"].as_array().expect("a list");
        let name = |image: &Value| image["image"].as_str().expect("a name").to_owned();
        images.iter().map(name).collect()
    }

    /// What is stored of a manifest.
    pub async fn kept(&self, digest: &str) -> Kept {
        let key = RepositoryKey::containers(
            AccountId::parse(ACCOUNT).expect("an account"),
            Region::parse(REGION).expect("a region"),
        );
        let input = (key, Digest::parse(digest).expect("a digest"));
        let kept: Result<Kept, StoreError> = self
            .world
            .metadata
            .read(input, |tx, (key, digest)| {
                Box::pin(async move {
                    let id = tx.repository(key).await?.expect("the repository").id;
                    Ok(Kept {
                        is_there: tx.image(id, digest).await?.is_some(),
                        tags: tx.tags_of(id, digest).await?.len(),
                        waits: tx.container_push(id, digest).await?.is_some(),
                    })
                })
            })
            .await;
        kept.expect("a read")
    }
}

/// A manifest that is stored under names alone.
pub const NAMED: Kept = Kept {
    is_there: true,
    tags: 0,
    waits: false,
};

/// A manifest that nothing is left of.
pub const GONE: Kept = Kept {
    is_there: false,
    tags: 0,
    waits: false,
};
