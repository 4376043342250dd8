//! A repository with images of known ages under short names, and policies in few words.
//!
//! Images are pushed through the API with the clock set back, so that they can be pulled.

use std::collections::BTreeMap;
use std::sync::Mutex;

use roadstead_domain::time::{Span, Timestamp};
use roadstead_registry::context::Clock as _;
use roadstead_testkit::images::index;
use roadstead_testkit::{Artifact, Layout, World};
use serde_json::{Value, json};

use crate::api::{self, ok, push_layout, push_manifest};
use crate::doors::Client;

/// The repository of every shelf.
pub const NAME: &str = "app";

/// So many days.
pub fn days(count: i64) -> Span {
    Span::hours(24 * count)
}

/// A policy of these rules, with white space in it.
pub fn policy(rules: &[Value]) -> String {
    serde_json::to_string_pretty(&json!({ "rules": rules })).expect("JSON")
}

/// A rule that expires.
pub fn expire(priority: u32, selection: Value) -> Value {
    json!({ "rulePriority": priority, "selection": selection, "action": { "type": "expire" } })
}

/// A rule that archives.
pub fn archive(priority: u32, selection: Value) -> Value {
    let action = json!({ "type": "transition", "targetStorageClass": "archive" });
    json!({ "rulePriority": priority, "selection": selection, "action": action })
}

/// All images but the youngest so many.
pub fn any_above(count: u32) -> Value {
    json!({ "tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": count })
}

/// Images with a tag of this prefix but the youngest so many.
pub fn tagged_above(prefix: &str, count: u32) -> Value {
    json!({
        "tagStatus": "tagged", "tagPrefixList": [prefix],
        "countType": "imageCountMoreThan", "countNumber": count,
    })
}

/// Images with a tag of this prefix, pushed more than so many days ago.
pub fn tagged_older(prefix: &str, days: u32) -> Value {
    json!({
        "tagStatus": "tagged", "tagPrefixList": [prefix],
        "countType": "sinceImagePushed", "countUnit": "days", "countNumber": days,
    })
}

/// Untagged images but the youngest so many.
pub fn untagged_above(count: u32) -> Value {
    json!({ "tagStatus": "untagged", "countType": "imageCountMoreThan", "countNumber": count })
}

/// Untagged images that were pushed more than so many days ago.
pub fn untagged_older(days: u32) -> Value {
    json!({
        "tagStatus": "untagged",
        "countType": "sinceImagePushed", "countUnit": "days", "countNumber": days,
    })
}

/// Images that were not pulled for so many days.
pub fn any_unpulled(days: u32) -> Value {
    json!({
        "tagStatus": "any",
        "countType": "sinceImagePulled", "countUnit": "days", "countNumber": days,
    })
}

/// Images that wait in the archive for so many days.
pub fn archived_for(days: u32) -> Value {
    json!({
        "tagStatus": "any", "storageClass": "archive",
        "countType": "sinceImageTransitioned", "countUnit": "days", "countNumber": days,
    })
}

/// See the module.
pub struct Shelf {
    pub world: World,
    names: Mutex<BTreeMap<String, String>>,
}

impl Shelf {
    pub async fn start() -> Self {
        Self::over(World::start().await).await
    }

    pub async fn over(world: World) -> Self {
        api::repository(&world, NAME).await;
        let names = Mutex::default();
        Self { world, names }
    }

    pub fn now(&self) -> Timestamp {
        self.world.clock.now()
    }

    /// Calls `name` what has this digest.
    pub fn call(&self, digest: &str, name: &str) {
        let mut names = self.names.lock().expect("the names");
        names.insert(digest.to_owned(), name.to_owned());
    }

    /// Pushes an image of its own content so many days ago.
    pub async fn push(&self, name: &str, tags: &[&str], days_ago: i64) -> Artifact {
        self.push_layout(name, &Layout::image(name), tags, days_ago)
            .await
    }

    /// Pushes another image of the same parts, which is quicker.
    pub async fn vary(
        &self,
        name: &str,
        image: &Artifact,
        tags: &[&str],
        days_ago: i64,
    ) -> Artifact {
        let other = api::variant(image, days_ago.unsigned_abs() as usize);
        self.put_back_dated(name, &other, tags, days_ago).await;
        other
    }

    /// Pushes an artifact that refers to `subject`.
    pub async fn refer(&self, name: &str, subject: &Artifact, days_ago: i64) -> Artifact {
        let layout = Layout::image(name).referring_to(subject, "application/sig");
        self.push_layout(name, &layout, &[], days_ago).await
    }

    /// Pushes an index of images that are there.
    pub async fn list(
        &self,
        name: &str,
        tags: &[&str],
        children: &[&Artifact],
        days_ago: i64,
    ) -> Artifact {
        let list = index(children);
        self.put_back_dated(name, &list, tags, days_ago).await;
        list
    }

    async fn put_back_dated(&self, name: &str, image: &Artifact, tags: &[&str], days_ago: i64) {
        self.call(&image.digest, name);
        let now = self.now();
        self.world.clock.set(Timestamp(now.0 - days(days_ago).0));
        push_manifest(&self.world, NAME, image, tags).await;
        self.world.clock.set(now);
    }

    async fn push_layout(
        &self,
        name: &str,
        layout: &Layout,
        tags: &[&str],
        days_ago: i64,
    ) -> Artifact {
        self.call(&layout.manifest.digest, name);
        let now = self.now();
        self.world.clock.set(Timestamp(now.0 - days(days_ago).0));
        push_layout(&self.world, NAME, layout, tags).await;
        self.world.clock.set(now);
        layout.manifest.clone()
    }

    /// Sets the policy.
    pub async fn put(&self, rules: &[Value]) {
        let body = json!({ "repositoryName": NAME, "lifecyclePolicyText": policy(rules) });
        ok(&self.world, "PutLifecyclePolicy", body).await;
    }

    /// Deletes by the API; all of it must work.
    pub async fn delete(&self, image_id: Value) {
        let body = json!({ "repositoryName": NAME, "imageIds": [image_id] });
        let answer = ok(&self.world, "BatchDeleteImage", body).await;
        assert_eq!(answer["failures"], json!([]));
    }

    /// Moves an image by hand; the status that is answered.
    pub async fn store_in(&self, class: &str, image: &Artifact) -> Value {
        let id = json!({ "imageDigest": image.digest });
        let body = json!({ "repositoryName": NAME, "imageId": id, "targetStorageClass": class });
        let answer = ok(&self.world, "UpdateImageStorageClass", body).await;
        answer["imageStatus"].clone()
    }

    /// Runs the policy until a run does nothing, which must come soon.
    pub async fn settle(&self) {
        for _ in 0..6 {
            let before = self.left().await;
            let run = self.world.run(NAME).await;
            let did = run.expired + run.transitioned + run.followed;
            let is_same = self.left().await == before;
            assert_eq!(did == 0, is_same, "{run:?}");
            if is_same {
                return;
            }
        }
        panic!("no fixed point: {:?}", self.left().await);
    }

    /// What is there: `name[tags]`, with the status if it is not active, sorted.
    pub async fn left(&self) -> Vec<String> {
        let filter = json!({ "imageStatus": "ANY" });
        let body = json!({ "repositoryName": NAME, "filter": filter, "maxResults": 1000 });
        let answer = ok(&self.world, "DescribeImages", body).await;
        let names = self.names.lock().expect("the names");
        let shown = |image: &Value| {
            let digest = image["imageDigest"].as_str().expect("a digest");
            let name = names.get(digest).map_or(digest, String::as_str);
            let tags = image["imageTags"].as_array().into_iter().flatten();
            let tags: Vec<&str> = tags.filter_map(Value::as_str).collect();
            match image["imageStatus"].as_str().expect("a status") {
                "ACTIVE" => format!("{name}[{}]", tags.join(" ")),
                status => format!("{name}[{}] {status}", tags.join(" ")),
            }
        };
        let images = answer["imageDetails"].as_array().expect("a list");
        let mut left: Vec<String> = images.iter().map(shown).collect();
        left.sort();
        left
    }

    /// Frees what nothing refers to, and pulls everything that is left with all that it needs.
    pub async fn all_pulls(&self) {
        self.world.clock.advance(Span::hours(2));
        self.world.sweep().await;
        let client = Client::of(&self.world).await;
        client.pull_all(NAME).await;
    }
}
