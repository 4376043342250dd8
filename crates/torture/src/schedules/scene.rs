//! What clients and workers do in a schedule, in few words: use cases of the registry, each with
//! its answer as a short word.

use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use roadstead_domain::digest::Digest;
use roadstead_domain::ids::{AccountId, Region, UploadId};
use roadstead_domain::image::ImageId;
use roadstead_domain::media_type::MediaType;
use roadstead_domain::name::{RepositoryKey, RepositoryName};
use roadstead_domain::reference::{ImageTag, Reference};
use roadstead_domain::tagging::{MutabilityMode, TagMutability};
use roadstead_domain::time::Span;
use roadstead_registry::Registry;
use roadstead_registry::access::{self, Authorized};
use roadstead_registry::context::{Clock as _, Origin, Principal, RequestContext};
use roadstead_registry::error::Error;
use roadstead_registry::layers::Availability;
use roadstead_registry::push_manifest::Push;
use roadstead_registry::repositories::RepositorySettings;
use roadstead_registry::uploads::{Part, Plane};
use roadstead_testkit::images::{self, Artifact, Layout, index};
use roadstead_testkit::world::{ACCOUNT, REGION};

use super::gate::{Call, Gate};
use crate::house::House;

/// What an action answered: a word on success, the name of the refusal otherwise.
pub type Told = Result<String, String>;

/// A house with a gate, and what can be pushed to it.
pub struct Scene {
    /// The house.
    pub house: House,
    /// Its gate.
    pub gate: Arc<Gate>,
    /// Images, some of which share a layer.
    pub images: Vec<Layout>,
    /// An index of the first two.
    pub index: Artifact,
    /// A number below four that tells runs of one scenario apart.
    pub variant: u64,
    /// An upload that was opened before the tasks began.
    pub upload: RefCell<Option<UploadId>>,
}

/// The name of a refusal.
fn name_of(error: &Error) -> String {
    let text = format!("{error:?}");
    let end = text.find(|c: char| !c.is_ascii_alphanumeric());
    match error {
        // Nothing failed here: the cause matters.
        Error::Store(_) | Error::Blob(_) => text,
        _ => text[..end.unwrap_or(text.len())].to_owned(),
    }
}

fn told<T>(answer: Result<T, Error>, word: impl FnOnce(T) -> String) -> Told {
    answer.map(word).map_err(|error| name_of(&error))
}

fn done<T>(_: T) -> String {
    "done".into()
}

/// A repository of the account.
pub fn key(name: &str) -> Authorized<RepositoryKey> {
    access::operator(RepositoryKey::private(
        AccountId::parse(ACCOUNT).expect("an account"),
        Region::parse(REGION).expect("a region"),
        RepositoryName::parse(name).expect("a name"),
    ))
}

fn parsed(digest: &str) -> Digest {
    Digest::parse(digest).expect("a digest")
}

impl Scene {
    /// Over a house whose stores are behind the gate.
    pub fn new(house: House, gate: Arc<Gate>) -> Self {
        let layer = |n: usize| Bytes::from(format!("layer {n}"));
        let images: Vec<Layout> = (0..4)
            .map(|n| Layout::of(&format!("config {n}"), vec![layer(n % 2), layer(n + 2)]))
            .collect();
        let index = index(&[&images[0].manifest, &images[1].manifest]);
        Self {
            house,
            gate,
            images,
            index,
            variant: 0,
            upload: RefCell::default(),
        }
    }

    fn registry(&self) -> &Registry {
        self.house.registry()
    }

    fn context(&self) -> RequestContext {
        RequestContext {
            principal: Principal::Root {
                account: AccountId::parse(ACCOUNT).expect("an account"),
                access_key_id: None,
            },
            origin: Origin {
                peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
                is_secure: false,
                user_agent: None,
            },
            region: Region::parse(REGION).expect("a region"),
            now: self.house.clock.now(),
            request_id: "schedule".into(),
        }
    }

    /// Waits for the task's first turn.
    pub async fn begin(&self) {
        self.gate.pass(Call::Start).await;
    }

    /// Moves the clock.
    pub fn advance(&self, span: Span) {
        self.house.clock.advance(span);
    }

    /// Makes a repository.
    pub async fn create(&self, name: &str) -> Told {
        let (context, settings) = (self.context(), RepositorySettings::default());
        let made = self
            .registry()
            .create_repository(&context, key(name), settings);
        told(made.await, done)
    }

    /// Deletes one with all that it holds.
    pub async fn remove(&self, name: &str) -> Told {
        let context = self.context();
        let removed = self.registry().delete_repository(&context, key(name), true);
        told(removed.await, done)
    }

    /// Makes its tags immutable.
    pub async fn make_immutable(&self, name: &str) -> Told {
        let setting = TagMutability {
            mode: MutabilityMode::Immutable,
            filters: Vec::new(),
        };
        let set = self.registry().put_tag_mutability(key(name), setting);
        told(set.await, done)
    }

    /// Opens an upload.
    pub async fn open(&self, name: &str) -> Result<UploadId, String> {
        let context = self.context();
        let opened = self.registry().start_upload(&context, key(name)).await;
        opened.map_err(|error| name_of(&error))
    }

    /// Sends a part that begins where it says.
    pub async fn append(&self, name: &str, id: &UploadId, first: usize, bytes: &Bytes) -> Told {
        let (context, part) = (self.context(), part(Some(first as u64), bytes));
        let sent = self
            .registry()
            .append_upload(&context, key(name), id.as_str(), part);
        told(sent.await, |upload| upload.received_bytes.to_string())
    }

    /// Ends an upload with what is left of a blob.
    pub async fn finish(&self, name: &str, id: &UploadId, rest: &Bytes, whole: &Bytes) -> Told {
        let (context, part) = (self.context(), part(None, rest));
        let digest = Digest::sha256(whole);
        let finished =
            self.registry()
                .finish_upload(&context, key(name), id.as_str(), part, digest);
        told(finished.await, done)
    }

    /// Gives an upload up.
    pub async fn cancel(&self, name: &str, id: &UploadId) -> Told {
        let context = self.context();
        let cancelled = self
            .registry()
            .cancel_upload(&context, key(name), id.as_str());
        told(cancelled.await, done)
    }

    /// Pushes a blob.
    pub async fn push(&self, name: &str, bytes: &Bytes) -> Told {
        let id = self.open(name).await?;
        self.finish(name, &id, bytes, bytes).await
    }

    /// Pushes the blobs of an image that the repository does not say it has.
    pub async fn push_missing(&self, name: &str, image: &Layout) -> Told {
        let digests = image.blobs.iter().map(|blob| images::digest(blob));
        let (context, own) = (self.context(), (key(name), true));
        let asked = self
            .registry()
            .layer_availability(&context, own, digests.collect());
        let asked = asked.await.map_err(|error| name_of(&error))?;
        for (blob, said) in image.blobs.iter().zip(asked) {
            if !matches!(said, Availability::Available(_)) {
                self.push(name, blob).await?;
            }
        }
        Ok("done".into())
    }

    /// Stores a manifest.
    pub async fn put(&self, name: &str, manifest: &Artifact, tag: Option<&str>) -> Told {
        let push = Push {
            bytes: manifest.bytes.clone(),
            media_type: Some(MediaType::new(&manifest.media_type)),
            tag: tag.map(|tag| ImageTag::parse(tag).expect("a tag")),
            digest: None,
        };
        let context = self.context();
        let stored = self.registry().push_manifest(&context, key(name), push);
        told(stored.await, done)
    }

    /// Pushes an image with all that it needs.
    pub async fn push_image(&self, name: &str, image: &Layout, tag: Option<&str>) -> Told {
        self.push_missing(name, image).await?;
        self.put(name, &image.manifest, tag).await
    }

    /// Deletes by digest or tag: the digest that went, or why none did.
    pub async fn delete(&self, name: &str, reference: &str) -> Told {
        let id = match Reference::parse(reference).expect("a reference") {
            Reference::Tag(tag) => ImageId::by_tag(&tag),
            Reference::Digest(digest) => ImageId::by_digest(&digest),
        };
        let context = self.context();
        let deleted = self
            .registry()
            .delete_images(&context, key(name), vec![id])
            .await;
        let plan = deleted.map_err(|error| name_of(&error))?;
        match plan.failures.first() {
            Some(failure) => Err(format!("{:?}", failure.code)),
            None => Ok(plan
                .removed
                .first()
                .map_or_else(String::new, |removed| removed.digest.to_string())),
        }
    }

    /// Takes a blob over from another repository: `mounted` or `absent`.
    pub async fn mount(&self, from: &str, to: &str, bytes: &Bytes) -> Told {
        let (context, source) = (self.context(), (key(from), true));
        let digest = Digest::sha256(bytes);
        let mounted = self
            .registry()
            .mount_blob(&context, key(to), source, digest)
            .await;
        told(mounted, |is_mounted| {
            let word = if is_mounted { "mounted" } else { "absent" };
            word.into()
        })
    }

    /// Brings a deleted image back.
    pub async fn undelete(&self, name: &str, digest: &str) -> Told {
        let now = self.house.clock.now();
        let back = self
            .registry()
            .undelete_image(key(name), parsed(digest), now);
        told(back.await, done)
    }

    /// Sweeps until nothing is left to do.
    pub async fn sweep(&self) -> Told {
        loop {
            let step = self.registry().sweep_step(self.house.clock.now()).await;
            match step {
                Ok(Some(report)) if report.has_more => {}
                step => return told(step, |swept| format!("{}", swept.is_some())),
            }
        }
    }

    /// Sets a policy that keeps so many images.
    pub async fn keep_only(&self, name: &str, count: u64) -> Told {
        let policy = serde_json::json!({ "rules": [{
            "rulePriority": 1, "description": "only the last ones are kept",
            "selection": {
                "tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": count,
            },
            "action": { "type": "expire" },
        }] });
        let (context, text) = (self.context(), policy.to_string());
        let set = self
            .registry()
            .put_lifecycle_policy(&context, key(name), &text);
        told(set.await, done)
    }

    /// Runs the policy.
    pub async fn run_policy(&self, name: &str) -> Told {
        let now = self.house.clock.now();
        let run = self.registry().run_lifecycle(key(name), now, false).await;
        told(run, |record| record.expired.to_string())
    }
}

fn part(
    first_byte: Option<u64>,
    bytes: &Bytes,
) -> Part<stream::Iter<std::vec::IntoIter<Result<Bytes, String>>>> {
    let pieces = if bytes.is_empty() {
        Vec::new()
    } else {
        vec![Ok(bytes.clone())]
    };
    Part {
        plane: Plane::Oci,
        first_byte,
        body: stream::iter(pieces),
    }
}
