//! A data directory, opened as the server opens it after a crash, against the book of what clients
//! were told: everything acknowledged is there and whole, nothing deleted is back, every image that
//! is there can be pulled, and after a sweep no file is unknown and no row without its bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use http::Method;
use roadstead_domain::ids::{AccountId, Region};
use roadstead_domain::time::{Span, Timestamp};
use roadstead_http::Settings;
use roadstead_http::server::{self, Serving};
use roadstead_registry::{Registry, Rules};
use roadstead_server::ambient::SystemIds;
use roadstead_server::compose;
use roadstead_server::data_dir::DataDir;
use roadstead_testkit::random::bytes_of;
use roadstead_testkit::session::none;
use roadstead_testkit::{Session, TestClock, images};
use rusqlite::{Connection, OpenFlags};
use tokio::net::TcpListener;

use super::told::{Fact, Told, Value, there};
use super::work::next_byte;
use super::{ACCOUNT, REGION, log_in};

/// What a look found wrong.
pub type Wrong = Vec<String>;

/// What an upload of a crashed server came to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Uploads {
    /// Those that went on and were finished.
    pub resumed: u64,
    /// Those that were refused and are gone: the client begins anew.
    pub refused: u64,
}

/// Opens a directory, checks it, lets the time of everything open run out, sweeps, and checks it
/// again. What is wrong is in the list; an error is of the check itself.
///
/// # Errors
/// If the check cannot be made.
pub fn check(root: &Path, told: &Told, now: Timestamp) -> Result<(Wrong, Uploads)> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(4)
        .build()?;
    let mut uploads = Uploads::default();
    let mut wrong = runtime.block_on(async {
        match opened(root, told, now, &mut uploads).await {
            Ok(wrong) => wrong,
            Err(error) => vec![format!("{error:#}")],
        }
    });
    drop(runtime);
    if wrong.is_empty() {
        wrong = rest(root)?;
    }
    Ok((wrong, uploads))
}

async fn opened(root: &Path, told: &Told, now: Timestamp, uploads: &mut Uploads) -> Result<Wrong> {
    let clock = Arc::new(TestClock::default());
    clock.set(now);
    let rules = Rules {
        sweep_grace: Span::seconds(0),
        ..Rules::default()
    };
    let data = DataDir::take(root).context("the data directory is not taken")?;
    let ids = Arc::new(SystemIds::default());
    let registry = compose::embedded(&data, clock.clone(), ids, rules).context("does not open")?;
    let mut wrong = rows(root, false)?;
    if told.key.is_some() {
        let address = serve(&registry, &clock).await?;
        let client = log_in(address, told.key.as_ref(), clock.clone()).await?;
        wrong.extend(verify(&client, told, |_, _| {}).await?);
        wrong.extend(go_on(&client, told, uploads).await?);
    }
    clock.advance(Span::hours(25));
    while registry
        .sweep_step(now + Span::hours(25))
        .await?
        .is_some_and(|step| step.has_more)
    {}
    if told.key.is_some() {
        let address = serve(&registry, &clock).await?;
        let client = log_in(address, told.key.as_ref(), clock.clone()).await?;
        wrong.extend(verify(&client, &told.expired(), |_, _| {}).await?);
    }
    wrong.extend(rows(root, true)?);
    Ok(wrong)
}

async fn serve(registry: &Arc<Registry>, clock: &Arc<TestClock>) -> Result<SocketAddr> {
    let account = AccountId::parse(ACCOUNT).context("an account")?;
    let settings = Settings::new(account, Region::parse(REGION).context("a region")?);
    let faces = compose::faces(registry.clone(), clock.clone(), settings);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(server::serve(
        faces,
        vec![listener],
        Serving::default(),
        std::future::pending(),
    ));
    Ok(address)
}

/// What a server shows, against the book; tells `see` the value of every fact of the book.
///
/// # Errors
/// If it does not answer, or not as it should.
pub async fn verify(
    client: &Session,
    told: &Told,
    mut see: impl FnMut(&Fact, Value),
) -> Result<Wrong> {
    let mut wrong = Wrong::new();
    let mut shown = BTreeMap::new();
    for repository in client.repositories().await? {
        let mut pulled = BTreeSet::new();
        for (digest, tag) in client.listed(&repository).await? {
            if let Err(error) = pull(client, &repository, &digest, &mut pulled).await {
                wrong.push(format!("unreadable: {tag} {error:#}"));
            }
            shown.insert(Fact::Image(repository.clone(), digest.clone()), there());
            if !tag.is_empty() {
                shown.insert(Fact::Tag(repository.clone(), tag), Some(digest));
            }
        }
        shown.insert(Fact::Repository(repository), there());
    }
    for (fact, allowed) in told.facts() {
        let value = match fact {
            Fact::Upload(_) => continue,
            Fact::Blob(repository, digest) => {
                if allowed.len() > 1 {
                    continue;
                }
                let path = format!("/v2/{repository}/blobs/{digest}");
                let answer = client.v2(Method::HEAD, &path, none()).await?;
                (answer.status == 200).then(String::new)
            }
            _ => shown.get(fact).cloned().flatten(),
        };
        if !allowed.contains(&value) {
            wrong.push(describe(fact, &value, allowed));
        }
        see(fact, value);
    }
    for fact in shown.keys() {
        if !told.facts().any(|(known, _)| known == fact) {
            wrong.push(format!("nobody made {fact:?}"));
        }
    }
    Ok(wrong)
}

fn describe(fact: &Fact, value: &Value, allowed: &BTreeSet<Value>) -> String {
    let kind = match (value, allowed.contains(&None)) {
        (None, _) => "lost",
        (Some(_), true) => "back",
        (Some(_), false) => "changed",
    };
    format!("{kind}: {fact:?} is {value:?}, told {allowed:?}")
}

/// Pulls an image with everything below it; what was pulled before is not pulled again.
async fn pull(
    client: &Session,
    repository: &str,
    digest: &str,
    pulled: &mut BTreeSet<String>,
) -> Result<()> {
    let mut wanted = vec![digest.to_owned()];
    while let Some(digest) = wanted.pop() {
        if !pulled.insert(digest.clone()) {
            continue;
        }
        let (children, blobs) = client.manifest(repository, &digest).await?;
        wanted.extend(children);
        for blob in blobs {
            if pulled.insert(blob.clone()) {
                client.blob(repository, &blob).await?;
            }
        }
    }
    Ok(())
}

/// Goes on with the uploads that were open, as a client would that asks where they are.
async fn go_on(client: &Session, told: &Told, uploads: &mut Uploads) -> Result<Wrong> {
    let mut wrong = Wrong::new();
    for (fact, allowed) in told.facts() {
        let Fact::Upload(path) = fact else { continue };
        let status = client.v2(Method::GET, path, none()).await?;
        if status.status == 404 {
            if !allowed.contains(&None) {
                wrong.push(describe(fact, &None, allowed));
            }
            continue;
        }
        ensure!(status.status == 204, "{path}: {}", status.text());
        let Some(what) = allowed.iter().flatten().next() else {
            wrong.push(describe(fact, &there(), allowed));
            continue;
        };
        match finish(
            client,
            fact.repository(),
            path,
            what,
            next_byte(status.header("range")),
        )
        .await?
        {
            Some(refusal) if refusal.is_empty() => uploads.refused += 1,
            Some(refusal) => wrong.push(refusal),
            None => uploads.resumed += 1,
        }
    }
    Ok(wrong)
}

/// Sends the rest of a blob. None if it was taken; an empty text if it was refused in a way that
/// lets the client begin anew.
async fn finish(
    client: &Session,
    repository: &str,
    path: &str,
    what: &str,
    mut first: usize,
) -> Result<Option<String>> {
    let (name, length) = what.rsplit_once('|').context("a name and a length")?;
    let bytes = bytes_of(name, length.parse()?);
    let digest = images::digest(&bytes);
    if first > bytes.len() {
        return Ok(Some(format!(
            "{path} claims {first} bytes of {}",
            bytes.len()
        )));
    }
    // Asked at a place that a power cut took away, the server says where the bytes really end.
    for _ in 0..2 {
        let answer = client.chunk(path, first, bytes.slice(first..)).await?;
        if answer.status == 202 {
            first = bytes.len();
            break;
        }
        ensure!(
            answer.status == 416,
            "{path}: {} {}",
            answer.status,
            answer.text()
        );
        first = next_byte(answer.header("range"));
    }
    if first != bytes.len() {
        return Ok(Some(format!("{path} does not say where it goes on")));
    }
    let answer = client.finish(path, none(), &digest).await?;
    if answer.status == 201 {
        client.blob(repository, &digest).await?;
        return Ok(None);
    }
    ensure!(
        answer.status == 400,
        "{path}: {} {}",
        answer.status,
        answer.text()
    );
    let status = client.v2(Method::GET, path, none()).await?;
    let is_gone = status.status == 404;
    Ok(Some(match is_gone {
        true => String::new(),
        false => format!("{path} was refused and is still there: {}", answer.text()),
    }))
}

/// The rules of ARCHITECTURE.md that can be asked of the rows, and the files against the rows.
const RULES: &[(&str, &str)] = &[
    (
        "M1",
        "SELECT count(*) FROM tag t LEFT JOIN image i ON i.id = t.image_id AND i.repository_id = t.repository_id WHERE i.id IS NULL",
    ),
    (
        "M2 blobs",
        "SELECT count(*) FROM blob_link l LEFT JOIN blob b ON b.key = l.blob_key WHERE b.key IS NULL",
    ),
    (
        "M3 links",
        "SELECT count(*) FROM blob b LEFT JOIN blob_link l ON l.blob_key = b.key WHERE l.blob_key IS NULL",
    ),
    (
        "M3 keys",
        "SELECT count(*) FROM (SELECT blob_key AS key FROM upload UNION ALL SELECT key FROM blob UNION ALL SELECT key FROM garbage) GROUP BY key HAVING count(*) > 1",
    ),
    (
        "generations",
        "SELECT count(*) FROM blob GROUP BY digest HAVING count(*) > 1",
    ),
];

fn rows(root: &Path, is_swept: bool) -> Result<Wrong> {
    let path = root.join("metadata.sqlite");
    let store = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut wrong = Wrong::new();
    let health: String = store.query_row("PRAGMA quick_check", [], |row| row.get(0))?;
    if health != "ok" {
        wrong.push(format!("the database is damaged: {health}"));
    }
    for (rule, sql) in RULES {
        let mut statement = store.prepare(sql)?;
        let counts = statement.query_map([], |row| row.get::<_, i64>(0))?;
        let count: i64 = counts.sum::<rusqlite::Result<i64>>()?;
        if count > 0 {
            wrong.push(format!("{rule} is broken {count} times"));
        }
    }
    let mut files = files(&root.join("blobs"))?;
    let mut statement = store.prepare("SELECT key, size_bytes FROM blob")?;
    let blobs = statement.query_map([], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?))
    })?;
    for blob in blobs {
        let (key, size) = blob?;
        match files.remove(&key) {
            Some(held) if i64::try_from(held) == Ok(size) => {}
            held => wrong.push(format!("blob {key} of {size} bytes has {held:?}")),
        }
    }
    let passing = "SELECT blob_key FROM upload UNION SELECT key FROM garbage";
    let mut statement = store.prepare(passing)?;
    for key in statement.query_map([], |row| row.get::<_, String>(0))? {
        let key = key?;
        files.remove(&key);
        if is_swept {
            wrong.push(format!("{key} is left after a sweep"));
        }
    }
    wrong.extend(
        files
            .keys()
            .map(|key| format!("orphan: nobody knows the file {key}")),
    );
    Ok(wrong)
}

/// The files below a folder, by name, with their lengths.
fn files(folder: &Path) -> Result<BTreeMap<String, u64>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.append(&mut files(&entry.path())?);
        } else {
            let name = entry.file_name().to_string_lossy().into_owned();
            found.insert(name, entry.metadata()?.len());
        }
    }
    Ok(found)
}

/// What a closed store left: the log of the database is empty, no file of a start is half made.
fn rest(root: &Path) -> Result<Wrong> {
    let keyring = root.join("keyring.json");
    let is_whole = std::fs::read(&keyring).is_ok_and(|bytes| bytes.ends_with(b"]"));
    Ok(match is_whole {
        true => Wrong::new(),
        false => vec!["the key ring is not whole".into()],
    })
}
