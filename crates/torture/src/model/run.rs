//! One run: each operation is sent to the server and told to the reference, and what they answer
//! is compared.

use http::Method;
use roadstead_domain::digest::Digest;
use roadstead_domain::name::{RepositoryKey, RepositoryName};
use roadstead_domain::time::{Span, Timestamp};
use roadstead_registry::Rules;
use roadstead_registry::access;
use roadstead_registry::context::Clock as _;
use roadstead_registry::error::Error;
use roadstead_testkit::Answer;
use roadstead_testkit::images;
use roadstead_testkit::world::{ACCOUNT, REGION};
use serde_json::{Value, json};

use super::lifecycle;
use super::op::{MODES, NAMES, Op, Plane, TAGS};
use super::reference::{EXCLUDED, Entry, Reference, Told, entry_json};
use super::universe::Universe;
use crate::door::{Door, none, text};
use crate::house::House;

/// How long deleted things are kept where they are.
const WINDOW: Span = Span::hours(6);
/// The login outlasts every run: this is about what is stored.
const LOGIN: Span = Span::hours(24 * 3650);

/// A server beside its reference.
pub struct Run<'u> {
    pub(super) door: Door,
    pub(super) reference: Reference,
    pub(super) universe: &'u Universe,
    /// The paths of uploads, with the blob that each is of.
    pub(super) uploads: Vec<(String, usize)>,
}

/// The difference that a comparison found, as a text.
pub(super) fn same<T: PartialEq + std::fmt::Debug>(
    what: &str,
    server: T,
    model: T,
) -> Result<(), String> {
    if server == model {
        return Ok(());
    }
    Err(format!("{what}:\n  server {server:?}\n  model  {model:?}"))
}

/// Compares an answer of the API: the code, which is empty on success.
fn same_code(answer: &Answer, told: Told) -> Result<(), String> {
    same("code", answer.code().1.as_str(), told.1)
        .map_err(|difference| difference + "\n" + &answer.text())
}

pub(super) fn same_status(answer: &Answer, told: Told) -> Result<(), String> {
    same("status", answer.status.as_u16(), told.0)
        .map_err(|difference| difference + "\n" + &answer.text())
}

fn told(error: anyhow::Error) -> String {
    format!("{error:#}")
}

/// What a use case without a door refuses with, as the API would call it.
fn code_of<T>(answer: &Result<T, Error>) -> String {
    match answer {
        Ok(_) => String::new(),
        Err(Error::RepositoryNotFound(_)) => "RepositoryNotFoundException".into(),
        Err(Error::RepositoryAlreadyExists(_)) => "RepositoryAlreadyExistsException".into(),
        Err(Error::ImageNotFound { .. }) => "ImageNotFoundException".into(),
        Err(Error::ReferencedImagesNotFound { .. }) => "ReferencedImagesNotFoundException".into(),
        Err(Error::LifecyclePolicyNotFound(_)) => "LifecyclePolicyNotFoundException".into(),
        Err(other) => format!("{other:?}"),
    }
}

fn key(name: &str) -> RepositoryKey {
    use roadstead_domain::ids::{AccountId, Region};
    RepositoryKey::private(
        AccountId::parse(ACCOUNT).expect("an account"),
        Region::parse(REGION).expect("a region"),
        RepositoryName::parse(name).expect("a name"),
    )
}

impl<'u> Run<'u> {
    /// An empty server and an empty reference; some keep what is deleted for a while.
    pub async fn new(universe: &'u Universe, keeps_deleted: bool) -> Result<Self, String> {
        let window = keeps_deleted.then_some(WINDOW);
        let rules = Rules {
            undelete_window: window,
            token_lifetime: LOGIN,
            ..Rules::default()
        };
        let house = House::new(rules).map_err(told)?;
        Ok(Self {
            door: Door::of(house).await.map_err(told)?,
            reference: Reference::new(window),
            universe,
            uploads: Vec::new(),
        })
    }

    pub(super) fn now(&self) -> Timestamp {
        self.door.house.clock.now()
    }

    /// Does one operation on both sides.
    pub async fn step(&mut self, op: &Op) -> Result<(), String> {
        let now = self.now();
        let model = &mut self.reference;
        match *op {
            Op::Create(r) => {
                let answer = self.door.create(NAMES[r]).await;
                same_code(&answer, model.create(NAMES[r]))
            }
            Op::Remove(r, force) => {
                let answer = self.door.remove(NAMES[r], force).await;
                same_code(&answer, model.remove(NAMES[r], force, now))
            }
            Op::Mode(r, mode) => {
                let answer = self.set_mode(r, mode).await;
                same_code(&answer, self.reference.set_mode(NAMES[r], mode))
            }
            Op::Advance(minutes) => {
                let span = Span::seconds(60 * minutes as i64);
                self.door.house.clock.advance(span);
                Ok(())
            }
            Op::Sweep => {
                self.door.house.sweep().await.map_err(told)?;
                let left = self.reference.sweep(now);
                same("files", self.door.house.files().len(), left)
            }
            Op::Restart => self.door.house.restart().map_err(told),
            Op::Restore(_) | Op::Undelete(..) => self.bring_back(op).await,
            Op::Policy(..) | Op::Run(_) => self.tidy(op).await,
            Op::Whole(r, a, tag, plane) => self.whole(r, a, tag, plane).await,
            Op::Put(..) | Op::Get(..) => self.manifest(op).await,
            Op::Batch(..) | Op::Delete(..) => self.delete(op).await,
            Op::Open(..) | Op::Chunk(..) | Op::Status(_) | Op::Finish(..) | Op::Cancel(_) => {
                self.upload(op).await
            }
            Op::Push(..)
            | Op::PushWrong(..)
            | Op::HasBlob(..)
            | Op::GetBlob(..)
            | Op::DropBlob(..)
            | Op::Mount(..) => self.blob(op).await,
        }
    }

    async fn set_mode(&self, r: usize, mode: usize) -> Answer {
        let mut input = json!({ "repositoryName": NAMES[r], "imageTagMutability": MODES[mode] });
        if mode >= 2 {
            let filter = format!("{EXCLUDED}*");
            input["imageTagMutabilityExclusionFilters"] =
                json!([{ "filterType": "WILDCARD", "filter": filter }]);
        }
        self.door.ecr("PutImageTagMutability", input).await
    }

    async fn bring_back(&mut self, op: &Op) -> Result<(), String> {
        let now = self.now();
        let registry = self.door.house.registry();
        let (said, told) = match *op {
            Op::Restore(r) => {
                let key = access::operator(key(NAMES[r]));
                let said = registry.undelete_repository(key).await;
                (code_of(&said), self.reference.restore(NAMES[r]))
            }
            Op::Undelete(r, a) => {
                let digest = &self.universe.things[a].digest;
                let key = access::operator(key(NAMES[r]));
                let parsed = Digest::parse(digest).map_err(|error| error.to_string())?;
                let said = registry.undelete_image(key, parsed, now).await;
                let told = self.reference.undelete(NAMES[r], digest, now);
                (code_of(&said), told)
            }
            _ => return Err(format!("{op:?} brings nothing back")),
        };
        same("code", said.as_str(), told.1)
    }

    async fn tidy(&mut self, op: &Op) -> Result<(), String> {
        let now = self.now();
        match *op {
            Op::Policy(r, policy) => {
                let mut input = json!({ "repositoryName": NAMES[r] });
                let operation = match policy {
                    Some(policy) => {
                        input["lifecyclePolicyText"] = lifecycle::text(policy).into();
                        "PutLifecyclePolicy"
                    }
                    None => "DeleteLifecyclePolicy",
                };
                let answer = self.door.ecr(operation, input).await;
                same_code(&answer, self.reference.set_policy(NAMES[r], policy))
            }
            Op::Run(r) => {
                let key = access::operator(key(NAMES[r]));
                let registry = self.door.house.registry();
                let said = registry.run_lifecycle(key, now, false).await;
                match self.reference.run(NAMES[r], now) {
                    Err(told) => same("code", code_of(&said).as_str(), told.1),
                    Ok(gone) => {
                        let said = said.map_err(|error| format!("{error:?}"))?;
                        let removed = said.expired + said.followed;
                        same("images removed", removed, gone as u64)
                            .map_err(|difference| format!("{difference}\n{said:?}"))
                    }
                }
            }
            _ => Err(format!("{op:?} is not about policies")),
        }
    }

    async fn blob(&mut self, op: &Op) -> Result<(), String> {
        let now = self.now();
        let (door, model) = (&self.door, &mut self.reference);
        let blobs = &self.universe.blobs;
        match *op {
            Op::Push(r, b, Plane::V2) => {
                let digest = images::digest(&blobs[b]);
                let answer = door.push(NAMES[r], &digest, &blobs[b]).await;
                same_status(&answer, model.push(NAMES[r], &digest, now))
            }
            Op::Push(r, b, Plane::Api) => {
                let answer = door.push_layer(NAMES[r], &blobs[b]).await;
                let digest = images::digest(&blobs[b]);
                same_code(&answer, model.push(NAMES[r], &digest, now))
            }
            Op::PushWrong(r, b) => {
                let digest = images::digest(b"something else");
                let answer = door.push(NAMES[r], &digest, &blobs[b]).await;
                let is_there = model.names().iter().any(|name| name == NAMES[r]);
                same_status(&answer, (if is_there { 400 } else { 404 }, ""))
            }
            Op::HasBlob(r, b, plane) => {
                let digest = images::digest(&blobs[b]);
                let told = model.has_blob(NAMES[r], &digest, now);
                if plane == Plane::V2 {
                    let path = format!("/v2/{}/blobs/{digest}", NAMES[r]);
                    return same_status(&door.v2(Method::HEAD, &path, none()).await, told);
                }
                let input = json!({ "repositoryName": NAMES[r], "layerDigests": [digest] });
                let answer = door.ecr("BatchCheckLayerAvailability", input).await;
                let layer = answer.json()["layers"][0]["layerAvailability"].clone();
                let said = layer.as_str().map_or(answer.code().1, str::to_owned);
                same("layer", said.as_str(), told.1)
            }
            Op::GetBlob(r, b) => {
                let digest = images::digest(&blobs[b]);
                let answer = door.blob(NAMES[r], &digest).await;
                let told = model.has_blob(NAMES[r], &digest, now);
                same_status(&answer, told)?;
                let is_right = told.0 != 200 || answer.body == blobs[b];
                same("the bytes of a blob are right", is_right, true)
            }
            Op::DropBlob(r, b) => {
                let digest = images::digest(&blobs[b]);
                let path = format!("/v2/{}/blobs/{digest}", NAMES[r]);
                let answer = door.v2(Method::DELETE, &path, none()).await;
                same_status(&answer, model.drop_blob(NAMES[r], &digest))
            }
            Op::Mount(from, to, b) => {
                let digest = images::digest(&blobs[b]);
                let answer = door.mount(NAMES[from], NAMES[to], &digest).await;
                same_status(&answer, model.mount(NAMES[from], NAMES[to], &digest, now))
            }
            _ => Err(format!("{op:?} is not about a blob")),
        }
    }

    /// Pushes all that a manifest needs before it.
    async fn whole(
        &mut self,
        r: usize,
        a: usize,
        tag: Option<usize>,
        plane: Plane,
    ) -> Result<(), String> {
        for one in self.universe.with_members(a) {
            for (b, blob) in self.universe.blobs.iter().enumerate() {
                let digest = images::digest(blob);
                if self.universe.things[one].blobs.contains(&digest) {
                    self.blob(&Op::Push(r, b, plane)).await?;
                }
            }
            let tag = tag.filter(|_| one == a);
            self.manifest(&Op::Put(r, one, tag, plane)).await?;
        }
        Ok(())
    }

    async fn manifest(&mut self, op: &Op) -> Result<(), String> {
        let now = self.now();
        let door = &self.door;
        match *op {
            Op::Put(r, a, tag, plane) => {
                let artifact = &self.universe.artifacts[a];
                let (name, tag) = (NAMES[r], tag.map(|tag| TAGS[tag]));
                let told = self.reference.put(name, &self.universe.things[a], tag, now);
                if plane == Plane::V2 {
                    let reference = tag.unwrap_or(&artifact.digest);
                    return same_status(&door.put(name, reference, artifact).await, told);
                }
                same_code(&door.put_image(name, tag, artifact).await, told)
            }
            Op::Get(r, a, tag, plane) => {
                let (name, tag) = (NAMES[r], tag.map(|tag| TAGS[tag]));
                let digest = &self.universe.things[a].digest;
                let found = self.reference.get(name, digest, tag);
                let bytes = match plane {
                    Plane::V2 => {
                        let answer = door.manifest(name, tag.unwrap_or(digest)).await;
                        let is_there = answer.status == 200;
                        is_there.then(|| answer.body.to_vec())
                    }
                    Plane::Api => {
                        let id = match tag {
                            Some(tag) => json!({ "imageTag": tag }),
                            None => json!({ "imageDigest": digest }),
                        };
                        let input = json!({ "repositoryName": name, "imageIds": [id] });
                        let answer = door.ecr("BatchGetImage", input).await.json();
                        let manifest = text(&answer["images"][0]["imageManifest"]);
                        (!manifest.is_empty()).then(|| manifest.into_bytes())
                    }
                };
                let said = bytes.map(|bytes| images::digest(&bytes));
                same("manifest", said, found.ok())
            }
            _ => Err(format!("{op:?} is not about a manifest")),
        }
    }

    /// A digest and a tag chosen by numbers, and how to name them.
    fn entry(&self, (a, t, kind): (usize, usize, u64)) -> Entry {
        let things = &self.universe.things;
        let digest = things[a % things.len()].digest.clone();
        let tag = TAGS[t].to_owned();
        match kind {
            0..=3 => (None, Some(tag)),
            4..=6 => (Some(digest), None),
            7..=8 => (Some(digest), Some(tag)),
            9 => (None, None),
            10 => (Some("nonsense".into()), None),
            _ => (None, Some("non!sense".into())),
        }
    }

    async fn delete(&mut self, op: &Op) -> Result<(), String> {
        let now = self.now();
        if let Op::Delete(r, n, by_tag) = *op {
            let kind = if by_tag { 0 } else { 4 };
            let entry = self.entry((n, n % TAGS.len(), kind));
            let reference = entry.0.clone().or(entry.1.clone()).unwrap_or_default();
            let answer = self.door.delete(NAMES[r], &reference).await;
            let told = match self.reference.delete(NAMES[r], &[entry], now) {
                None => 404,
                Some(told) => match told["failures"][0][0].as_str() {
                    None => 202,
                    Some("ImageReferencedByManifestList") => 405,
                    Some(_) => 404,
                },
            };
            return same_status(&answer, (told, ""));
        }
        let Op::Batch(r, entries) = op else {
            return Err(format!("{op:?} is not a deletion"));
        };
        let entries: Vec<Entry> = entries.iter().map(|one| self.entry(*one)).collect();
        let ids: Vec<Value> = entries.iter().map(entry_json).collect();
        let answer = self.door.batch_delete(NAMES[*r], ids.into()).await;
        let Some(told) = self.reference.delete(NAMES[*r], &entries, now) else {
            return same_code(&answer, (404, "RepositoryNotFoundException"));
        };
        let mut said = answer.json();
        let failures = said["failures"].as_array().cloned().unwrap_or_default();
        let short = |one: &Value| json!([one["failureCode"], one["imageId"]]);
        said["failures"] = failures.iter().map(short).collect::<Vec<_>>().into();
        same("deletion", said, told)
    }
}
