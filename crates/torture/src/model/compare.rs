//! The whole state of a server against that of its reference: names, tags, digests, referrers,
//! the bytes of every blob; and that nothing is left of it at the end.

use std::collections::BTreeMap;

use http::Method;
use roadstead_domain::time::Span;
use serde_json::{Value, json};

use super::reference::Shown;
use super::run::{Run, same};
use crate::door::{none, text};

fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().map(text).collect()
}

impl Run<'_> {
    /// Compares all listings.
    pub async fn compare(&self) -> Result<(), String> {
        let names = self.reference.names();
        same("repositories", self.door.repositories().await, names)?;
        for name in self.reference.names() {
            let shown = self.shown(&name).await;
            same(&name, shown, self.reference.shown(&name))?;
        }
        Ok(())
    }

    async fn shown(&self, name: &str) -> Shown {
        let input = json!({ "repositoryName": name, "maxResults": 1000 });
        let answer = self.door.ecr("DescribeImages", input).await.json();
        let details = answer["imageDetails"].as_array().into_iter().flatten();
        let one = |one: &Value| (text(&one["imageDigest"]), texts(&one["imageTags"]));
        let described: BTreeMap<_, _> = details.map(one).collect();
        let path = format!("/v2/{name}/tags/list");
        let answer = self.door.v2(Method::GET, &path, none()).await;
        Shown {
            listed: self.door.listed(name).await,
            described,
            tags: texts(&answer.json()["tags"]),
        }
    }

    /// Pulls every image, asks for the referrers of every manifest, and reads every blob.
    pub async fn compare_contents(&mut self) -> Result<(), String> {
        let now = self.now();
        for name in self.reference.names() {
            for pair in self.reference.shown(&name).listed {
                let (digest, tag) = pair.split_once(' ').unwrap_or((&pair, ""));
                let reference = if tag.is_empty() { digest } else { tag };
                let pulled = self.door.pull(&name, reference).await;
                pulled.map_err(|error| format!("{name}: {pair} does not pull: {error:#}"))?;
            }
            for thing in &self.universe.things {
                let path = format!("/v2/{name}/referrers/{}", thing.digest);
                let answer = self.door.v2(Method::GET, &path, none()).await.json();
                let manifests = answer["manifests"].as_array().into_iter().flatten();
                let found: Vec<String> = manifests.map(|one| text(&one["digest"])).collect();
                let told = self.reference.referrers(&name, &thing.digest);
                same("referrers", found, told)?;
            }
            for (digest, bytes) in self.universe.blobs_by_digest() {
                let answer = self.door.blob(&name, &digest).await;
                let told = self.reference.has_blob(&name, &digest, now);
                same(&digest, answer.status.as_u16(), told.0)?;
                let is_right = told.0 != 200 || answer.body == bytes;
                same("the bytes of a blob are right", is_right, true)?;
            }
        }
        Ok(())
    }

    /// Deletes everything and sweeps when every grace and window is over: no file and no row may
    /// be left.
    pub async fn end(&self) -> Result<(), String> {
        for name in self.door.repositories().await {
            let answer = self.door.remove(&name, true).await;
            same("status", answer.status.as_u16(), 200)?;
        }
        self.door.house.clock.advance(Span::hours(49));
        let swept = self.door.house.sweep().await;
        swept.map_err(|error| format!("{error:#}"))?;
        let nothing = (Vec::new(), BTreeMap::new());
        same("what is left", self.door.house.left(), nothing)
    }
}
