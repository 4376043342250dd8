//! What clients and operators want of a server, one wish at a time, and the store that they find.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use http::Method;
use roadstead_server::ambient::SystemClock;
use roadstead_server::control::Command;
use roadstead_testkit::images::{self, Layout};
use roadstead_testkit::random::bytes_of;
use roadstead_testkit::session::none;
use roadstead_testkit::{Answer, Session};
use serde_json::json;

use crate::ground::log_in;
use crate::ground::mount::Mounted;
use crate::ground::program::Program;
use crate::ground::told::{Book, Fact, Mark, Said, Told, Value, there};
use crate::ground::volume::{Tree, Volume};
use crate::ground::work::{End, ask, command};

/// What somebody wants to have done, in however many requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// The first start of all, on an empty disk.
    FirstStart,
    /// A start on a store.
    Start,
    Monolithic,
    Chunked,
    LayerApi,
    Manifest,
    PutImage,
    Index,
    Mount,
    Retag,
    BatchDelete,
    DeleteTag,
    DeleteRepository,
    CreateRepository,
    Sweep,
    /// A clean end, which empties the log of the database.
    Stop,
}

/// All of them.
pub const WISHES: [Wish; 16] = [
    Wish::FirstStart,
    Wish::Start,
    Wish::Monolithic,
    Wish::Chunked,
    Wish::LayerApi,
    Wish::Manifest,
    Wish::PutImage,
    Wish::Index,
    Wish::Mount,
    Wish::Retag,
    Wish::BatchDelete,
    Wish::DeleteTag,
    Wish::DeleteRepository,
    Wish::CreateRepository,
    Wish::Sweep,
    Wish::Stop,
];

impl Wish {
    /// Whether it is made before there is a server.
    pub fn is_of_the_start(self) -> bool {
        matches!(self, Self::FirstStart | Self::Start)
    }
}

/// A store with something to lose, something to delete, something to sweep, and everything that the
/// wishes need.
pub struct Base {
    tree: Tree,
    /// What its clients were told.
    pub told: Told,
}

fn blob() -> Bytes {
    // More than one buffer of the server's.
    bytes_of("wished for", 300_000)
}

fn kept() -> Layout {
    Layout::image("kept")
}

fn wanted() -> Layout {
    Layout::image("wanted")
}

/// An image that keeps the blobs of [`wanted`], and one that keeps [`blob`]: a start sweeps.
fn holders() -> [Layout; 2] {
    let extra = Bytes::from_static(b"one layer more");
    let mut layers = wanted().blobs.split_off(1);
    layers.push(extra);
    [
        Layout::of("wanted", layers),
        Layout::of("mounted", vec![blob()]),
    ]
}

fn doomed() -> Layout {
    Layout::image("doomed")
}

fn image(repository: &str, layout: &Layout, tags: &[&str]) -> Vec<(Fact, Value)> {
    let digest = &layout.manifest.digest;
    let image = (Fact::Image(repository.into(), digest.clone()), there());
    let tag = |tag: &&str| {
        let fact = Fact::Tag(repository.into(), (*tag).into());
        (fact, Some(digest.clone()))
    };
    [image].into_iter().chain(tags.iter().map(tag)).collect()
}

fn expect(answer: Answer) -> Result<Answer> {
    ensure!(
        answer.status.is_success(),
        "{}: {}",
        answer.status,
        answer.text()
    );
    Ok(answer)
}

impl Base {
    /// Makes the store by the real server.
    ///
    /// # Errors
    /// If it does not work.
    pub fn make() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let volume = Arc::new(Volume::new());
        let mounted = Mounted::new(volume.clone(), folder.path())?;
        let runtime = tokio::runtime::Runtime::new()?;
        let told = runtime.block_on(Self::fill(&folder.path().join("data")))?;
        drop(runtime);
        mounted.end()?;
        let tree = volume.tree();
        Ok(Self { tree, told })
    }

    async fn fill(data: &Path) -> Result<Told> {
        let program = Program::start(data)?;
        let (id, secret) = program.key.clone().context("no key")?;
        let mut told = Told::default();
        let mut hear = |said| told.hear(&Mark { client: 0, said });
        hear(Said::Key(id.clone(), secret.clone()));
        let mut with_key = Told::default();
        with_key.key = Some((id, secret));
        let client = log_in(
            program.address,
            with_key.key.as_ref(),
            Arc::new(SystemClock),
        )
        .await?;
        for name in ["app", "other", "doomed"] {
            let input = json!({ "repositoryName": name });
            expect(client.ecr("CreateRepository", input).await?)?;
            for blob in &kept().blobs {
                expect(client.push(name, blob).await?)?;
            }
            expect(client.put(name, "kept", &kept().manifest).await?)?;
            hear(Said::Learned(Fact::Repository(name.into()), there()));
            for (fact, value) in image(name, &kept(), &["kept"]) {
                hear(Said::Learned(fact, value));
            }
        }
        for (name, layout) in ["app", "other"].into_iter().zip(holders()) {
            for blob in &layout.blobs {
                expect(client.push(name, blob).await?)?;
            }
            expect(client.put(name, "held", &layout.manifest).await?)?;
            for (fact, value) in image(name, &layout, &["held"]) {
                hear(Said::Learned(fact, value));
            }
        }
        for blob in &doomed().blobs {
            expect(client.push("app", blob).await?)?;
        }
        for tag in ["doomed", "gone"] {
            expect(client.put("app", tag, &doomed().manifest).await?)?;
        }
        for (fact, value) in image("app", &doomed(), &["doomed", "gone"]) {
            hear(Said::Learned(fact, value));
        }
        program.stop()?;
        Ok(told)
    }

    /// A disk that holds the store.
    ///
    /// # Errors
    /// If the store is not one that can be laid out.
    pub fn volume(&self) -> Result<Volume> {
        Ok(Volume::holding(&self.tree)?)
    }
}

/// A server, or none yet, over one data directory.
pub struct Server<'a> {
    base: &'a Base,
    data: PathBuf,
    program: Option<Program>,
    starts: u64,
    is_first: bool,
}

impl<'a> Server<'a> {
    /// No server yet.
    pub fn new(base: &'a Base, data: &Path, wish: Wish) -> Self {
        let is_first = wish == Wish::FirstStart;
        // The first start finds no store; its folder lies beside the one that holds it.
        let data = match is_first {
            true => data.with_file_name("first").join("data"),
            false => data.to_owned(),
        };
        Self {
            base,
            data,
            program: None,
            starts: 0,
            is_first,
        }
    }

    /// Starts it.
    ///
    /// # Errors
    /// If it ends instead.
    pub async fn start(&mut self) -> Result<()> {
        let data = self.data.clone();
        let started = tokio::task::spawn_blocking(move || Program::start(&data)).await?;
        self.program = Some(started?);
        self.starts += 1;
        Ok(())
    }

    /// Kills and starts it.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn restart(&mut self) -> Result<()> {
        self.program = None;
        self.start().await
    }

    /// Whether it was started more than once.
    pub fn restarted(&self) -> bool {
        self.starts > 1
    }

    /// Ends it.
    ///
    /// # Errors
    /// If it had ended by itself.
    pub fn end(&mut self) -> Result<()> {
        self.program.take().map_or(Ok(()), Program::kill)
    }

    /// A client of the server, if there is one and the book has a key.
    ///
    /// # Errors
    /// If it cannot log in.
    pub async fn client(&self, book: &Book) -> Result<Option<Session>> {
        match &self.program {
            Some(program) if !self.is_first => {
                let told = book.told();
                let client =
                    log_in(program.address, told.key.as_ref(), Arc::new(SystemClock)).await?;
                Ok(Some(client))
            }
            _ => Ok(None),
        }
    }

    /// Leaves something for a sweep: an upload that was given up and a repository that is gone.
    ///
    /// # Errors
    /// If a disk that works does not do.
    pub async fn prepare(&self, wish: Wish, books: [&Arc<Book>; 2]) -> Result<()> {
        let (Wish::Sweep, Some(client)) = (wish, self.client(books[0]).await?) else {
            return Ok(());
        };
        let opened = expect(client.open_upload("app").await?)?;
        let upload = opened.header("location").to_owned();
        let part = bytes_of("given up", 5000);
        expect(client.chunk(&upload, 0, part).await?)?;
        expect(client.v2(Method::DELETE, &upload, none()).await?)?;
        expect(request(&client, Wish::DeleteRepository).await?)?;
        for book in books {
            for (fact, value) in effects(Wish::DeleteRepository) {
                book.hear(0, Said::Learned(fact, value));
            }
        }
        Ok(())
    }

    /// Sends the requests of a wish until one fails: how that one ended, or the last one. Each book
    /// hears what it is to hear if the server fails.
    ///
    /// # Errors
    /// If the server does not start.
    pub async fn make(
        &mut self,
        wish: Wish,
        live: (&Arc<Book>, Said),
        later: (&Arc<Book>, Said),
    ) -> Result<End> {
        match wish {
            Wish::FirstStart | Wish::Start => {
                self.start().await?;
                return Ok(End::Done(done()));
            }
            Wish::Stop => {
                // Whoever answers has its handlers of signals.
                self.client(later.0).await?;
                let program = self.program.take().context("no server")?;
                let stopped = tokio::task::spawn_blocking(|| program.stop()).await?;
                let started = self.start().await;
                return stopped.and(started).map(|()| End::Done(done()));
            }
            Wish::Sweep => {
                let data = self.data.clone();
                return command(&data, Command::Sweep).await.map(End::Done);
            }
            _ => {}
        }
        let program = self.program.as_ref().context("no server")?;
        let told = self.base.told.clone();
        // Logged in before: a token is asked of the keys alone, which are read.
        let client = log_in(program.address, told.key.as_ref(), Arc::new(SystemClock)).await?;
        let effects = effects(wish);
        later.0.hear(0, Said::Asked(effects.clone()));
        let end = ask(live.0, 0, effects, live.1, request(&client, wish)).await;
        later.0.hear(
            0,
            match &end {
                End::Done(_) => Said::Done,
                End::Refused(_) => Said::Refused,
                End::Failed(_) => later.1,
                End::Silence(_) => Said::Unknown,
            },
        );
        Ok(end)
    }
}

fn done() -> Answer {
    Answer {
        status: http::StatusCode::OK,
        headers: http::HeaderMap::new(),
        body: Bytes::new(),
    }
}

/// What is so once a wish came true.
fn effects(wish: Wish) -> Vec<(Fact, Value)> {
    let app = |reference: &str| Fact::Tag("app".into(), reference.into());
    let gone =
        |facts: Vec<(Fact, Value)>| facts.into_iter().map(|(fact, _)| (fact, None)).collect();
    match wish {
        Wish::Monolithic | Wish::Chunked | Wish::LayerApi | Wish::Mount => {
            vec![(Fact::Blob("app".into(), images::digest(&blob())), there())]
        }
        Wish::Manifest | Wish::PutImage => image("app", &wanted(), &["wanted"]),
        Wish::Index => {
            let digest = index().digest;
            let image = Fact::Image("app".into(), digest.clone());
            vec![(image, there()), (app("index"), Some(digest))]
        }
        Wish::Retag => vec![(app("moved"), Some(kept().manifest.digest))],
        Wish::BatchDelete => gone(image("app", &doomed(), &["doomed", "gone"])),
        Wish::DeleteTag => vec![(app("gone"), None)],
        Wish::DeleteRepository => {
            let mut facts = image("doomed", &kept(), &["kept"]);
            facts.push((Fact::Repository("doomed".into()), None));
            gone(facts)
        }
        Wish::CreateRepository => vec![(Fact::Repository("new".into()), there())],
        Wish::FirstStart | Wish::Start | Wish::Sweep | Wish::Stop => vec![],
    }
}

fn index() -> images::Artifact {
    images::index(&[&kept().manifest, &doomed().manifest])
}

/// The requests of a wish.
async fn request(client: &Session, wish: Wish) -> Result<Answer> {
    let digest = images::digest(&blob());
    match wish {
        Wish::Monolithic => client.push("app", &blob()).await,
        Wish::Chunked => in_chunks(client).await,
        Wish::LayerApi => client.push_layer("app", &blob()).await,
        Wish::Manifest => client.put("app", "wanted", &wanted().manifest).await,
        Wish::PutImage => {
            let input = json!({
                "repositoryName": "app", "imageTag": "wanted",
                "imageManifest": wanted().manifest.text(),
            });
            client.ecr("PutImage", input).await
        }
        Wish::Index => client.put("app", "index", &index()).await,
        Wish::Mount => client.mount("other", "app", &digest).await,
        Wish::Retag => client.put("app", "moved", &kept().manifest).await,
        Wish::BatchDelete => {
            let ids = json!([{ "imageDigest": doomed().manifest.digest }]);
            let input = json!({ "repositoryName": "app", "imageIds": ids });
            client.ecr("BatchDeleteImage", input).await
        }
        Wish::DeleteTag => {
            let path = "/v2/app/manifests/gone";
            client.v2(Method::DELETE, path, none()).await
        }
        Wish::DeleteRepository => {
            let input = json!({ "repositoryName": "doomed", "force": true });
            client.ecr("DeleteRepository", input).await
        }
        Wish::CreateRepository => {
            let input = json!({ "repositoryName": "new" });
            client.ecr("CreateRepository", input).await
        }
        Wish::FirstStart | Wish::Start | Wish::Sweep | Wish::Stop => Ok(done()),
    }
}

async fn in_chunks(client: &Session) -> Result<Answer> {
    let opened = client.open_upload("app").await?;
    if opened.status != 202 {
        return Ok(opened);
    }
    let (upload, blob, mut first) = (opened.header("location"), blob(), 0);
    for end in [1000, 290_000] {
        let answer = client.chunk(upload, first, blob.slice(first..end)).await?;
        if answer.status != 202 {
            return Ok(answer);
        }
        first = end;
    }
    let digest = images::digest(&blob);
    client.finish(upload, blob.slice(first..), &digest).await
}
