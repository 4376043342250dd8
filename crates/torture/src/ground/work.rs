//! What clients do all day: push by every way there is, tag, mount, make indexes, delete, run
//! lifecycle policies and sweep. Each worker has repositories of its own and shares layers with the
//! others; it writes into the book before and after each request.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Result, bail};
use bytes::Bytes;
use http::Method;
use roadstead_server::config::Config;
use roadstead_server::control::{self, Command, Place};
use roadstead_testkit::images::{self, Artifact, Layout};
use roadstead_testkit::random::{Random, bytes_of};
use roadstead_testkit::session::none;
use roadstead_testkit::{Answer, Session};
use serde_json::{Value as Json, json};

use super::told::{Book, Fact, Said, Value, there};
use super::{ACCOUNT, REGION};

/// Images that a lifecycle policy leaves.
const KEPT: usize = 2;

/// More images in a repository than this are too many to look at again and again.
const IMAGES_MAX: usize = 12;

/// Refusals that say that what was to be made is there.
const IS_THERE: [&str; 3] = [
    "LayerAlreadyExistsException",
    "ImageAlreadyExistsException",
    "RepositoryAlreadyExistsException",
];

/// Refusals that say that what was to be deleted is not there.
const IS_GONE: [&str; 4] = [
    "RepositoryNotFoundException",
    "MANIFEST_UNKNOWN",
    "NAME_UNKNOWN",
    "ImageNotFound",
];

/// How a request ended.
#[derive(Debug)]
pub enum End {
    /// As asked.
    Done(Answer),
    /// Refused.
    Refused(Answer),
    /// The server failed; nobody knows what it did.
    Failed(Answer),
    /// No answer, and why there is none.
    Silence(String),
}

/// Sends what `request` makes, with its effects in the book; if the server fails, that is what the
/// book hears.
pub async fn ask(
    book: &Book,
    client: usize,
    effects: Vec<(Fact, Value)>,
    if_failed: Said,
    request: impl Future<Output = Result<Answer>>,
) -> End {
    let is_deletion = !effects.is_empty() && effects.iter().all(|(_, value)| value.is_none());
    book.hear(client, Said::Asked(effects));
    let answer = match request.await {
        Ok(answer) => answer,
        Err(why) => {
            book.hear(client, Said::Unknown);
            return End::Silence(format!("{why:#}"));
        }
    };
    let failure = answer.json()["failures"][0]["failureCode"].clone();
    let code = failure.as_str().map_or(answer.code().1, str::to_owned);
    let as_asked = match is_deletion {
        true => IS_GONE.contains(&code.as_str()),
        false => IS_THERE.contains(&code.as_str()),
    };
    if as_asked || (answer.status.is_success() && failure.is_null()) {
        book.hear(client, Said::Done);
        End::Done(answer)
    } else if answer.status.is_server_error() {
        book.hear(client, if_failed);
        End::Failed(answer)
    } else {
        book.hear(client, Said::Refused);
        End::Refused(answer)
    }
}

/// Has the server of a data directory do what an operator says.
///
/// # Errors
/// If it does not.
pub async fn command(data: &Path, command: Command) -> Result<Answer> {
    let mut config = Config::load(None, |_| None)?;
    config.data = data.to_owned();
    let run = move || -> Result<Json> { control::run(&config, &command, |_| Ok(())) };
    let done = tokio::task::spawn_blocking(run).await??;
    Ok(Answer {
        status: http::StatusCode::OK,
        headers: http::HeaderMap::new(),
        body: done.to_string().into(),
    })
}

/// Something pushed: where, under which tag, and what.
#[derive(Debug, Clone)]
struct Pushed {
    repository: String,
    tag: String,
    manifest: Artifact,
    blobs: Vec<Bytes>,
    /// Whether an index may list it, so that it may not be deleted.
    is_listed: bool,
}

impl Pushed {
    fn image(&self) -> Fact {
        Fact::Image(self.repository.clone(), self.manifest.digest.clone())
    }

    fn tag(&self) -> Fact {
        Fact::Tag(self.repository.clone(), self.tag.clone())
    }
}

/// The byte that follows a range such as `0-99`; an upload that holds nothing says `0-0` or none.
pub fn next_byte(range: &str) -> usize {
    let last = range
        .split_once('-')
        .and_then(|(_, last)| last.parse().ok());
    match last {
        None | Some(0) => 0,
        Some(last) => last + 1usize,
    }
}

/// One client with its repositories; what it pushed outlives the server.
pub struct Worker {
    number: usize,
    book: Arc<Book>,
    random: Random,
    data: PathBuf,
    pushed: Vec<Pushed>,
    made: u64,
    /// Failures that no request of its own explains.
    pub failures: Vec<String>,
    /// Why there was no answer when there was none last.
    pub silence: String,
}

impl Worker {
    /// A worker on the data directory of a server.
    pub fn new(number: usize, seed: u64, book: Arc<Book>, data: &Path) -> Self {
        Self {
            number,
            book,
            random: Random::new(seed.wrapping_mul(1000) + number as u64),
            data: data.to_owned(),
            pushed: Vec::new(),
            made: 0,
            failures: Vec::new(),
            silence: String::new(),
        }
    }

    /// Which one it is.
    pub fn number(&self) -> usize {
        self.number
    }

    fn named(&self, name: &str) -> String {
        format!("w{}/{name}", self.number)
    }

    /// Sends what `request` makes, with its effects in the book.
    async fn ask(
        &mut self,
        effects: Vec<(Fact, Value)>,
        request: impl Future<Output = Result<Answer>>,
    ) -> End {
        let end = ask(&self.book, self.number, effects, Said::Unknown, request).await;
        if let End::Failed(answer) = &end {
            self.failures
                .push(format!("{} {}", answer.status, answer.text()));
        }
        end
    }

    /// Makes the repositories that last.
    ///
    /// # Errors
    /// If one is refused.
    pub async fn set_up(&mut self, client: &Session) -> Result<()> {
        for name in ["a", "b", "life"] {
            let name = self.named(name);
            if !matches!(self.create(client, &name).await, End::Done(_)) {
                bail!("{name} is not made: {:?}", self.failures);
            }
        }
        let policy = json!({ "rules": [{
            "rulePriority": 1, "action": { "type": "expire" },
            "selection": {
                "tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": KEPT,
            },
        }]});
        let input = json!({
            "repositoryName": self.named("life"), "lifecyclePolicyText": policy.to_string(),
        });
        let put = client.ecr("PutLifecyclePolicy", input).await?;
        anyhow::ensure!(put.status == 200, "the policy: {}", put.text());
        Ok(())
    }

    async fn create(&mut self, client: &Session, name: &str) -> End {
        let effects = vec![(Fact::Repository(name.to_owned()), there())];
        let input = json!({ "repositoryName": name });
        self.ask(effects, client.ecr("CreateRepository", input))
            .await
    }

    /// Does one thing after the other, `count` of them or until the server is silent; says whether
    /// it came to the end.
    pub async fn work(&mut self, client: &Session, count: u64) -> bool {
        for _ in 0..count {
            let end = self.step(client).await;
            if let Some(End::Silence(why)) = end {
                self.silence = why;
                return false;
            }
        }
        true
    }

    async fn step(&mut self, client: &Session) -> Option<End> {
        if let Some(end) = self.renew(client).await {
            return Some(end);
        }
        if let Some(doubtful) = self.doubtful() {
            // What is not there is pushed anew, and counts among the youngest.
            self.pushed.retain(|one| one.image() != doubtful.image());
            self.pushed.push(doubtful.clone());
            return Some(self.manifest(client, doubtful).await);
        }
        match self.random.below(20) {
            0..=6 => Some(self.push_somewhere(client).await),
            7 => self.retag(client).await,
            8 => self.index(client).await,
            9..=11 => self.delete(client).await,
            12 => Some(self.leave_upload(client).await),
            13 | 14 => Some(self.passing(client).await),
            15 => Some(self.push_life(client).await),
            16 => self.live().await,
            17 => self.mount(client).await,
            18 => self.go_on(client).await,
            _ => Some(self.sweep().await),
        }
    }

    /// Makes a repository again whose fate is not known, or that holds too much.
    async fn renew(&mut self, client: &Session) -> Option<End> {
        for name in ["a", "b"].map(|name| self.named(name)) {
            let is_there = Some(there());
            if self.book.certain(&Fact::Repository(name.clone())) != is_there {
                return Some(self.create(client, &name).await);
            }
            let book = &self.book;
            self.pushed
                .retain(|one| book.certain(&one.image()) != Some(None));
            let held = self.pushed.iter().filter(|one| one.repository == name);
            if held.count() > IMAGES_MAX {
                return Some(self.drop_repository(client, &name).await);
            }
        }
        None
    }

    /// Goes on with an upload that was left, wherever the server says that it ends.
    async fn go_on(&mut self, client: &Session) -> Option<End> {
        let mine = self.named("");
        let open = self.book.change(|told| {
            let mut open = Vec::new();
            for (fact, allowed) in told.facts() {
                if let (Fact::Upload(path), 1, Some(Some(what))) =
                    (fact, allowed.len(), allowed.first())
                    && fact.repository().starts_with(&mine)
                {
                    open.push((path.clone(), fact.repository().to_owned(), what.clone()));
                }
            }
            open
        });
        let (path, repository, what) = self.random.one_of(&open).cloned()?;
        let (name, length) = what.rsplit_once('|')?;
        let bytes = bytes_of(name, length.parse().ok()?);
        let digest = images::digest(&bytes);
        let status = client.v2(Method::GET, &path, none());
        let first = match self.ask(vec![], status).await {
            End::Done(status) => next_byte(status.header("range")),
            end => return Some(end),
        };
        let effects = vec![
            (Fact::Blob(repository, digest.clone()), there()),
            (Fact::Upload(path.clone()), None),
        ];
        let rest = bytes.slice(first.min(bytes.len())..);
        let end = self.ask(effects, client.finish(&path, rest, &digest)).await;
        if let End::Refused(answer) = &end {
            let why = answer.text();
            self.failures
                .push(format!("{path} does not go on at {first}: {why}"));
        }
        Some(end)
    }

    /// The last push whose answer never came: a client tries again.
    fn doubtful(&mut self) -> Option<Pushed> {
        let book = &self.book;
        let is_open = |pushed: &&Pushed| {
            let repository = Fact::Repository(pushed.repository.clone());
            book.certain(&repository) == Some(there()) && book.certain(&pushed.image()).is_none()
        };
        let open = self.pushed.iter().rev().find(is_open).cloned();
        open.filter(|_| self.random.one_in(2))
    }

    async fn push_somewhere(&mut self, client: &Session) -> End {
        let name = *self.random.one_of(&["a", "b"]).unwrap_or(&"a");
        let repository = self.named(name);
        self.push_image(client, &repository).await
    }

    /// An image of a layer of its own and one that all share.
    async fn push_image(&mut self, client: &Session, repository: &str) -> End {
        self.made += 1;
        let (number, made) = (self.number, self.made);
        let length = match self.random.below(8) {
            0 => 300_000,
            1 | 2 => 40_000,
            _ => 200 + self.random.below(4000),
        };
        let length = usize::try_from(length).unwrap_or(200);
        let own = bytes_of(&format!("layer {number} {made} {repository}"), length);
        let shared = bytes_of(&format!("shared {}", self.random.below(3)), 3000);
        let layout = Layout::of(&format!("{number} {made}"), vec![own, shared]);
        for blob in &layout.blobs {
            match self.blob(client, repository, blob).await {
                End::Done(_) | End::Refused(_) => {}
                end => return end,
            }
        }
        let pushed = Pushed {
            repository: repository.to_owned(),
            tag: format!("t{made}"),
            manifest: layout.manifest,
            blobs: layout.blobs,
            is_listed: false,
        };
        self.pushed.push(pushed.clone());
        self.manifest(client, pushed).await
    }

    /// A manifest; its blobs first if a sweep took them.
    async fn manifest(&mut self, client: &Session, pushed: Pushed) -> End {
        let mut end = self.manifest_once(client, &pushed).await;
        for _ in 0..4 {
            let End::Refused(_) = &end else { break };
            for blob in &pushed.blobs {
                match self.blob(client, &pushed.repository, blob).await {
                    End::Done(_) | End::Refused(_) => {}
                    end => return end,
                }
            }
            end = self.manifest_once(client, &pushed).await;
        }
        end
    }

    async fn manifest_once(&mut self, client: &Session, pushed: &Pushed) -> End {
        let digest = pushed.manifest.digest.clone();
        let effects = vec![(pushed.image(), there()), (pushed.tag(), Some(digest))];
        if self.random.one_in(3) {
            let input = json!({
                "repositoryName": pushed.repository, "imageTag": pushed.tag,
                "imageManifest": pushed.manifest.text(),
                "imageManifestMediaType": pushed.manifest.media_type,
            });
            return self.ask(effects, client.ecr("PutImage", input)).await;
        }
        let request = client.put(&pushed.repository, &pushed.tag, &pushed.manifest);
        self.ask(effects, request).await
    }

    /// A blob by any of the ways to push one.
    async fn blob(&mut self, client: &Session, repository: &str, bytes: &Bytes) -> End {
        let fact = Fact::Blob(repository.to_owned(), images::digest(bytes));
        let effects = vec![(fact, there())];
        match self.random.below(4) {
            0 => {
                self.ask(effects, client.push_layer(repository, bytes))
                    .await
            }
            1 => self.in_chunks(client, repository, bytes).await,
            _ => self.ask(effects, client.push(repository, bytes)).await,
        }
    }

    async fn in_chunks(&mut self, client: &Session, repository: &str, bytes: &Bytes) -> End {
        let path = match self.open(client, repository, "").await {
            End::Done(answer) => answer.header("location").to_owned(),
            end => return end,
        };
        let cuts = 1 + self.random.below(3);
        let size = bytes.len() / usize::try_from(cuts + 1).unwrap_or(1);
        let mut first = 0;
        for _ in 0..cuts {
            let part = bytes.slice(first..first + size);
            match self.ask(vec![], client.chunk(&path, first, part)).await {
                End::Done(_) => first += size,
                end => return end,
            }
        }
        let digest = images::digest(bytes);
        let effects = vec![(Fact::Blob(repository.to_owned(), digest.clone()), there())];
        let rest = bytes.slice(first..);
        self.ask(effects, client.finish(&path, rest, &digest)).await
    }

    /// Opens an upload; with a name for its bytes it goes into the book.
    async fn open(&mut self, client: &Session, repository: &str, what: &str) -> End {
        let end = self.ask(vec![], client.open_upload(repository)).await;
        if let End::Done(answer) = &end
            && !what.is_empty()
        {
            let fact = Fact::Upload(answer.header("location").to_owned());
            self.book
                .hear(self.number, Said::Learned(fact, Some(what.to_owned())));
        }
        end
    }

    /// An upload that nobody finishes for now.
    async fn leave_upload(&mut self, client: &Session) -> End {
        self.made += 1;
        let (name, length) = (format!("left {} {}", self.number, self.made), 9000);
        let repository = self.named("a");
        let end = self
            .open(client, &repository, &format!("{name}|{length}"))
            .await;
        let End::Done(answer) = &end else { return end };
        let path = answer.header("location").to_owned();
        let (bytes, mut first) = (bytes_of(&name, length), 0);
        for end in [700, 5000] {
            let part = bytes.slice(first..end);
            match self.ask(vec![], client.chunk(&path, first, part)).await {
                End::Done(_) => first = end,
                end => return end,
            }
        }
        if self.random.one_in(2) {
            return end;
        }
        let digest = images::digest(&bytes);
        let effects = vec![
            (Fact::Blob(repository, digest.clone()), there()),
            (Fact::Upload(path.clone()), None),
        ];
        self.ask(effects, client.finish(&path, bytes.slice(first..), &digest))
            .await
    }

    /// An image that is certain to be there under its own tag.
    fn certain(&mut self, is_fit: impl Fn(&Pushed) -> bool) -> Option<Pushed> {
        let book = &self.book;
        let is_there = |pushed: &&Pushed| {
            let digest = Some(pushed.manifest.digest.clone());
            book.certain(&pushed.image()) == Some(there())
                && book.certain(&pushed.tag()) == Some(digest)
        };
        let all = self
            .pushed
            .iter()
            .filter(is_there)
            .filter(|one| is_fit(one));
        let all: Vec<Pushed> = all.cloned().collect();
        self.random.one_of(&all).cloned()
    }

    /// Moves the tag `latest` of a repository.
    async fn retag(&mut self, client: &Session) -> Option<End> {
        let a = self.named("a");
        let mut pushed = self.certain(|one| one.repository == a)?;
        pushed.tag = "latest".into();
        let effects = vec![(pushed.tag(), Some(pushed.manifest.digest.clone()))];
        let request = client.put(&a, "latest", &pushed.manifest);
        Some(self.ask(effects, request).await)
    }

    async fn index(&mut self, client: &Session) -> Option<End> {
        let b = self.named("b");
        let is_fit = |one: &Pushed| one.repository == b && !one.blobs.is_empty();
        let (first, second) = (self.certain(is_fit)?, self.certain(is_fit)?);
        let index = images::index(&[&first.manifest, &second.manifest]);
        for one in &mut self.pushed {
            let digest = &one.manifest.digest;
            one.is_listed |= *digest == first.manifest.digest || *digest == second.manifest.digest;
        }
        self.made += 1;
        let pushed = Pushed {
            repository: b,
            tag: format!("i{}", self.made),
            manifest: index,
            blobs: Vec::new(),
            is_listed: false,
        };
        self.pushed.push(pushed.clone());
        Some(self.manifest_once(client, &pushed).await)
    }

    /// Deletes an image by digest on either side, or a tag and with it the image.
    async fn delete(&mut self, client: &Session) -> Option<End> {
        let life = self.named("life");
        let pushed = self.certain(|one| !one.is_listed && one.repository != life)?;
        let (repository, digest) = (pushed.repository.clone(), pushed.manifest.digest.clone());
        // Every other tag of the image, if none of them is in doubt.
        let others = self
            .book
            .change(|told| told.tags_of(&repository, &digest))?;
        let others: Vec<Fact> = others
            .into_iter()
            .filter(|tag| *tag != pushed.tag())
            .collect();
        let by_tag = self.random.one_in(2);
        let mut effects = vec![(pushed.tag(), None)];
        if !by_tag {
            effects.extend(others.iter().map(|tag| (tag.clone(), None)));
        }
        if !by_tag || others.is_empty() {
            effects.push((pushed.image(), None));
        }
        if self.random.one_in(2) {
            let id = match by_tag {
                true => json!({ "imageTag": pushed.tag }),
                false => json!({ "imageDigest": digest }),
            };
            let input = json!({ "repositoryName": repository, "imageIds": [id] });
            return Some(
                self.ask(effects, client.ecr("BatchDeleteImage", input))
                    .await,
            );
        }
        let reference = if by_tag { &pushed.tag } else { &digest };
        let path = format!("/v2/{repository}/manifests/{reference}");
        Some(
            self.ask(effects, client.v2(Method::DELETE, &path, none()))
                .await,
        )
    }

    /// A repository that comes, holds an image, and often goes.
    async fn passing(&mut self, client: &Session) -> End {
        self.made += 1;
        let name = self.named(&format!("passing{}", self.made));
        let end = self.create(client, &name).await;
        if !matches!(end, End::Done(_)) {
            return end;
        }
        let end = self.push_image(client, &name).await;
        if matches!(end, End::Silence(_) | End::Failed(_)) || self.random.one_in(4) {
            return end;
        }
        self.drop_repository(client, &name).await
    }

    async fn drop_repository(&mut self, client: &Session, name: &str) -> End {
        let effects = self.book.change(|told| {
            let facts = told.facts().map(|(fact, _)| fact);
            let its = facts.filter(|fact| fact.repository() == name);
            its.map(|fact| (fact.clone(), None)).collect()
        });
        let input = json!({ "repositoryName": name, "force": true });
        let end = self
            .ask(effects, client.ecr("DeleteRepository", input))
            .await;
        if matches!(end, End::Done(_)) {
            self.pushed.retain(|one| one.repository != name);
        }
        end
    }

    async fn push_life(&mut self, client: &Session) -> End {
        let life = self.named("life");
        self.push_image(client, &life).await
    }

    /// Runs the lifecycle policy, which leaves the newest images.
    async fn live(&mut self) -> Option<End> {
        let life = self.named("life");
        if !self.book.change(|told| told.is_certain(&life)) {
            return None;
        }
        let book = self.book.clone();
        let is_there =
            |one: &&Pushed| one.repository == life && book.certain(&one.image()) == Some(there());
        let held: Vec<Pushed> = self.pushed.iter().filter(is_there).cloned().collect();
        let gone = held.len().checked_sub(KEPT)?;
        let facts = held[..gone].iter().flat_map(|one| [one.image(), one.tag()]);
        let effects = facts.map(|fact| (fact, None)).collect();
        let run = Command::LifecycleRun {
            place: Place {
                account: ACCOUNT.into(),
                region: REGION.into(),
                repository: life.clone(),
                public: false,
            },
            above_ceiling: true,
        };
        let data = self.data.clone();
        Some(self.ask(effects, command(&data, run)).await)
    }

    async fn mount(&mut self, client: &Session) -> Option<End> {
        let (a, b) = (self.named("a"), self.named("b"));
        let pushed = self.certain(|one| one.repository == a)?;
        let digest = images::digest(pushed.blobs.first()?);
        let request = client.mount(&a, &b, &digest);
        self.book.hear(self.number, Said::Asked(vec![]));
        let answer = request.await;
        // A mount that is not done opens an upload instead.
        let is_done = answer.as_ref().is_ok_and(|answer| answer.status == 201);
        let said = match &answer {
            Ok(_) if is_done => Said::Learned(Fact::Blob(b, digest), there()),
            Ok(_) => Said::Refused,
            Err(_) => Said::Unknown,
        };
        self.book.hear(self.number, said);
        match answer {
            Ok(answer) => Some(End::Done(answer)),
            Err(why) => Some(End::Silence(format!("{why:#}"))),
        }
    }

    async fn sweep(&mut self) -> End {
        self.book.hear(self.number, Said::Sweep);
        let data = self.data.clone();
        self.ask(vec![], command(&data, Command::Sweep)).await
    }
}
