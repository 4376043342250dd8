//! Every "evaluate" case of `lifecycle-cases.json`: a preview says it, a run does it, and the two
//! agree; then nothing is left to do.

use std::collections::{BTreeMap, BTreeSet};

use roadstead_domain::digest::Digest;
use roadstead_domain::image::ImageStatus;
use roadstead_domain::time::Timestamp;
use roadstead_registry::lifecycle::runs::{RunEnd, RunOutcome};
use roadstead_store::metadata::NewImage;
use roadstead_testkit::World;
use roadstead_testkit::lifecycle::record;
use serde_json::{Value, json};

use crate::api::{self, ok};

/// The cases of one kind.
pub fn cases(kind: &str) -> Vec<Value> {
    let text = include_str!("../../../domain/tests/data/lifecycle-cases.json");
    let mut file: Value = serde_json::from_str(text).expect("JSON");
    let Value::Array(mut cases) = file["cases"].take() else {
        panic!("no cases");
    };
    cases.retain(|case| case["kind"] == kind);
    cases
}

pub fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// A case with digests in place of its short names; both are in the same order, byte by byte.
struct Case<'c> {
    json: &'c Value,
    digests: BTreeMap<&'c str, String>,
    names: BTreeMap<String, &'c str>,
    repository: String,
}

impl<'c> Case<'c> {
    fn new(json: &'c Value) -> Self {
        let mut names = BTreeSet::new();
        for image in list(&json["images"]) {
            names.insert(text(&image["digest"]));
            names.extend(list(&image["children"]).map(text));
            names.extend(image["subject"].as_str());
        }
        let numbered = (1..).zip(names);
        let digests: BTreeMap<_, _> = numbered
            .map(|(n, name): (u32, _)| (name, format!("sha256:{n:064x}")))
            .collect();
        let names = digests.iter().map(|(name, digest)| (digest.clone(), *name));
        Self {
            names: names.collect(),
            repository: format!("case-{}", text(&json["id"]).to_lowercase()),
            digests,
            json,
        }
    }

    fn id(&self) -> &str {
        text(&self.json["id"])
    }

    fn images(&self) -> impl Iterator<Item = &'c Value> {
        list(&self.json["images"])
    }

    /// What binds: members of a live index take no places (design decision 18).
    fn expected(&self, member: &str) -> &'c Value {
        let excluded = match member {
            "expect" => &self.json["expectExcluded"],
            _ => &self.json["summaryExcluded"],
        };
        if excluded.is_null() {
            &self.json[member]
        } else {
            excluded
        }
    }

    fn expected_of(&self, name: &str) -> &'c Value {
        &self.expected("expect")[name]
    }

    /// Two images of a repository cannot share a tag as those of some cases do: the earlier one
    /// gets another that the case's entries treat alike.
    fn tags(&self, at: usize, image: &Value) -> Vec<String> {
        let has_patterns = self.json["policy"].to_string().contains("tagPatternList");
        let is_taken = |tag: &str| {
            let mut later = self.images().skip(at + 1);
            later.any(|other| list(&other["tags"]).any(|own| own == tag))
        };
        let own = |tag: &str| match (is_taken(tag), has_patterns) {
            (false, _) => tag.to_owned(),
            (true, true) => format!("z{at}.{tag}"),
            (true, false) => format!("{tag}.z{at}"),
        };
        list(&image["tags"]).map(|tag| own(text(tag))).collect()
    }

    fn record(&self, at: usize, image: &Value) -> (NewImage, Vec<String>) {
        let seconds = |member: &str| image[member].as_i64().map(Timestamp::from_seconds);
        let digest = |name: &Value| Digest::parse(&self.digests[text(name)]).expect("a digest");
        let pushed_at = seconds("pushedAt").expect("a time");
        let mut new = record(&self.digests[text(&image["digest"])], pushed_at);
        new.children = list(&image["children"]).map(digest).collect();
        new.image.subject = image.get("subject").map(digest);
        new.image.last_pulled_at = seconds("lastPulledAt");
        new.image.archived_at = seconds("lastArchivedAt");
        new.image.activated_at = seconds("lastActivatedAt");
        new.image.status = match image["status"].as_str() {
            None | Some("ACTIVE") => ImageStatus::Active,
            Some("ARCHIVED") => ImageStatus::Archived,
            Some("ACTIVATING") => ImageStatus::Activating,
            Some(other) => panic!("{other}"),
        };
        (new, self.tags(at, image))
    }

    async fn store(&self, world: &World) {
        api::repository(world, &self.repository).await;
        let images = self.images().enumerate();
        let images = images.map(|(at, image)| self.record(at, image)).collect();
        world.insert_images(&self.repository, images).await;
    }

    /// What a preview lists, by name: the images that a rule acts upon.
    fn listed(&self) -> BTreeMap<&'c str, Value> {
        let mut listed = BTreeMap::new();
        for (at, image) in self.images().enumerate() {
            let name = text(&image["digest"]);
            let expected = self.expected_of(name);
            if expected["action"] == "NONE" || expected["reason"] == "cascade" {
                continue;
            }
            let mut action = json!({ "type": expected["action"] });
            if expected["action"] == "TRANSITION" {
                action["targetStorageClass"] = "ARCHIVE".into();
            }
            let is_archived = image["status"] == "ARCHIVED";
            let result = json!({
                "imageDigest": self.digests[name],
                "imageTags": self.tags(at, image),
                "imagePushedAt": image["pushedAt"].as_f64(),
                "action": action,
                "appliedRulePriority": expected["rule"],
                "storageClass": if is_archived { "ARCHIVE" } else { "STANDARD" },
            });
            listed.insert(name, result);
        }
        listed
    }

    fn summary(&self) -> Value {
        let summary = self.expected("summary");
        let mut shape = json!({ "expiringImageTotalCount": summary["expiring"] });
        if summary["transitioning"] != 0 {
            shape["transitioningImageTotalCounts"] = json!([{
                "imageTotalCount": summary["transitioning"], "targetStorageClass": "ARCHIVE",
            }]);
        }
        shape
    }

    /// What a run leaves: tags and status by name.
    fn left(&self) -> BTreeMap<&'c str, (Vec<String>, String)> {
        let mut left = BTreeMap::new();
        for (at, image) in self.images().enumerate() {
            let name = text(&image["digest"]);
            let was = image["status"].as_str().unwrap_or("ACTIVE");
            let status = match text(&self.expected_of(name)["action"]) {
                "EXPIRE" => continue,
                "TRANSITION" => "ARCHIVED",
                "NONE" => was,
                other => panic!("{other}"),
            };
            left.insert(name, (self.tags(at, image), status.to_owned()));
        }
        left
    }

    /// What is there, by name.
    async fn seen(&self, world: &World) -> BTreeMap<&'c str, (Vec<String>, String)> {
        let filter = json!({ "imageStatus": "ANY" });
        let body = json!({ "repositoryName": self.repository, "filter": filter });
        let answer = ok(world, "DescribeImages", body).await;
        let seen = |image: &Value| {
            let tags = list(&image["imageTags"]).map(|tag| text(tag).to_owned());
            let state = (tags.collect(), text(&image["imageStatus"]).to_owned());
            (self.names[text(&image["imageDigest"])], state)
        };
        list(&answer["imageDetails"]).map(seen).collect()
    }

    /// Previews the policy: the names that it lists.
    async fn preview(&self, world: &World) -> BTreeSet<&'c str> {
        let policy = serde_json::to_string_pretty(&self.json["policy"]).expect("JSON");
        let name = json!({ "repositoryName": self.repository });
        let mut body = name.clone();
        body["lifecyclePolicyText"] = policy.as_str().into();
        let started = ok(world, "StartLifecyclePolicyPreview", body).await;
        assert_eq!(started["status"], "IN_PROGRESS", "{}", self.id());
        assert_eq!(world.previews().await, 1, "{}", self.id());
        let preview = ok(world, "GetLifecyclePolicyPreview", name).await;
        assert_eq!(preview["status"], "COMPLETE", "{}", self.id());
        assert_eq!(preview["lifecyclePolicyText"], policy, "{}", self.id());
        assert_eq!(preview["summary"], self.summary(), "{}", self.id());
        let results: Vec<&Value> = list(&preview["previewResults"]).collect();
        let pushed = results.iter().map(|one| one["imagePushedAt"].as_f64());
        assert!(pushed.is_sorted(), "{}: {results:?}", self.id());
        let results = results.into_iter();
        let named = results.map(|one| (self.names[text(&one["imageDigest"])], one.clone()));
        let listed: BTreeMap<_, _> = named.collect();
        assert_eq!(listed, self.listed(), "{}", self.id());
        listed.into_keys().collect()
    }

    /// Runs the policy: the names of the images that it acted upon for a rule.
    async fn run(&self, world: &World) -> BTreeSet<&'c str> {
        let before = self.seen(world).await;
        let policy = self.json["policy"].to_string();
        let body = json!({ "repositoryName": self.repository, "lifecyclePolicyText": policy });
        ok(world, "PutLifecyclePolicy", body).await;
        assert_eq!(self.seen(world).await, before, "{}", self.id());
        let run = world.run(&self.repository).await;
        assert_eq!(run.end, RunEnd::Complete, "{}", self.id());
        let after = self.seen(world).await;
        assert_eq!(after, self.left(), "{}", self.id());
        let summary = self.expected("summary");
        assert_eq!(json!(run.expired), summary["expiring"], "{run:?}");
        assert_eq!(json!(run.transitioned), summary["transitioning"], "{run:?}");
        for entry in world.entries_of(&self.repository, run.run).await {
            let expected = self.expected_of(self.names[&entry.digest]);
            match entry.outcome {
                RunOutcome::Done => assert_ne!(expected["action"], "NONE", "{entry:?}"),
                RunOutcome::ReferencedByManifestList { .. } => {
                    let reason = text(&expected["reason"]);
                    let is_held = ["blocked_by_manifest_list", "list_member"].contains(&reason);
                    assert!(is_held, "{} {entry:?}", self.id());
                }
                RunOutcome::Changed => panic!("{}: nothing came between: {entry:?}", self.id()),
            }
        }
        let touched = before
            .iter()
            .filter(|(name, was)| after.get(*name) != Some(was));
        let touched = touched.map(|(name, _)| *name);
        touched
            .filter(|name| self.expected_of(name)["reason"] != "cascade")
            .collect()
    }
}

#[tokio::test]
async fn previews_say_what_runs_do_and_both_are_right() {
    let world = World::start().await;
    let all = cases("evaluate");
    assert_eq!(all.len(), 73);
    for json in &all {
        let case = Case::new(json);
        world.clock.set(Timestamp::from_seconds(
            json["now"].as_i64().expect("a time"),
        ));
        case.store(&world).await;
        let listed = case.preview(&world).await;
        let acted_upon = case.run(&world).await;
        assert_eq!(acted_upon, listed, "{}", case.id());
    }
}

#[tokio::test]
async fn repeated_runs_come_to_rest() {
    let world = World::start().await;
    for json in &cases("evaluate") {
        let case = Case::new(json);
        world.clock.set(Timestamp::from_seconds(
            json["now"].as_i64().expect("a time"),
        ));
        case.store(&world).await;
        case.run(&world).await;
        let mut runs = 1;
        loop {
            let before = case.seen(&world).await;
            let run = world.run(&case.repository).await;
            let did = run.expired + run.transitioned + run.followed;
            let is_same = case.seen(&world).await == before;
            assert_eq!(did == 0, is_same, "{}: {run:?}", case.id());
            if is_same {
                break;
            }
            runs += 1;
            assert!(runs < 6, "{}: no fixed point", case.id());
        }
        // A run at rest leaves no more to be said either.
        let name = json!({ "repositoryName": case.repository });
        ok(&world, "StartLifecyclePolicyPreview", name.clone()).await;
        world.previews().await;
        let preview = ok(&world, "GetLifecyclePolicyPreview", name).await;
        assert_eq!(preview["previewResults"], json!([]), "{}", case.id());
    }
}
