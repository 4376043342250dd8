//! The part `load`: many clients at once fill a server with layers, delete everything, and what
//! they pushed is gone from the disk, while the server's own memory stayed small.
//!
//! The real program, plain HTTP, no grace. The amount is MiB pushed. Must measure the server from
//! outside only: its data directory, and what the system says of its process.

mod client;
mod images;
mod memory;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::task::JoinSet;

use crate::ground::program::Program;
use crate::{Report, Work};
use client::Client;
use images::{Image, Plan};
use memory::Sampler;

/// Clients that push at once, and delete at once.
pub const CLIENTS: u64 = 32;
/// Repositories that they share.
const REPOSITORIES: u64 = 8;
/// What the process may have of anonymous memory at any time, KiB.
const MEMORY_KIB_MAX: u64 = 128 * 1024;
/// What the tables and their log may keep of space that is free again, where 1 % of what was pushed
/// is less: they do not shrink while the server runs.
const TABLES_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// How long the server is left alone before its directory is measured.
const REST: Duration = Duration::from_secs(8);
const MIB: u64 = 1024 * 1024;

/// Runs the part.
///
/// # Errors
///
/// The server does not start or does not answer.
pub fn run(work: Work) -> Result<Report> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(load(&data, work))
}

async fn load(data: &Path, work: Work) -> Result<Report> {
    let program = Program::start(data)?;
    let sampler = Sampler::start(program.id())?;
    let start_bytes = bytes_below(data)?;
    let client = Client::log_in(&program).await?;
    let plan = Plan::of(work.amount * MIB / CLIENTS);
    let images: Arc<[Image]> = fill(&client, work.seed, plan).await?.into();
    let full_bytes = bytes_below(data)?;
    let mut findings = Vec::new();
    for image in images.iter() {
        if !client.is_there(image).await? {
            findings.push(format!("pushed and not there: {image}"));
        }
    }
    empty(&client, plan, images.clone()).await?;
    // Until the sweep whoever may push still finds the blobs, so as to push them again.
    gone(
        &client,
        &images,
        Image::manifest,
        "after its deletion",
        &mut findings,
    )
    .await?;
    let freed_bytes = program.sweep(data)?;
    gone(
        &client,
        &images,
        Image::paths,
        "after the sweep",
        &mut findings,
    )
    .await?;
    // The log of the tables is given back when nobody writes for a while.
    tokio::time::sleep(REST).await;
    let end_bytes = bytes_below(data)?;
    let measured = Measured {
        start_bytes,
        full_bytes,
        freed_bytes,
        end_bytes,
        peak_kib: sampler.peak_kib(),
        looks: sampler.looks(),
    };
    program.stop()?;
    let program = Program::start(data)?;
    gone(
        &client.at(&program),
        &images,
        Image::paths,
        "after a restart",
        &mut findings,
    )
    .await?;
    program.stop()?;
    Ok(measured.judge(&images, findings))
}

/// What was seen of the server from outside.
struct Measured {
    start_bytes: u64,
    full_bytes: u64,
    freed_bytes: u64,
    end_bytes: u64,
    peak_kib: u64,
    looks: u64,
}

impl Measured {
    fn judge(&self, images: &[Image], mut findings: Vec<String>) -> Report {
        let bytes: u64 = images.iter().map(Image::bytes).sum();
        let layers: u64 = images.iter().map(|image| image.layers.len() as u64).sum();
        let may_keep = (bytes / 100).max(TABLES_BYTES_MAX);
        let kept = self.end_bytes.saturating_sub(self.start_bytes);
        if self.full_bytes < self.start_bytes + bytes {
            findings.push(format!("{} bytes on the disk when full", self.full_bytes));
        }
        if self.freed_bytes < bytes {
            findings.push(format!("the sweep freed {} bytes only", self.freed_bytes));
        }
        if kept > may_keep {
            findings.push(format!(
                "{kept} bytes more than at the start, {may_keep} may be"
            ));
        }
        if self.peak_kib > MEMORY_KIB_MAX {
            let peak = self.peak_kib;
            findings.push(format!(
                "{peak} KiB of anonymous memory, {MEMORY_KIB_MAX} may be"
            ));
        }
        Report {
            counts: vec![
                ("clients", CLIENTS),
                ("images", images.len() as u64),
                ("layers", layers),
                ("bytes pushed", bytes),
                ("bytes on the disk at the start", self.start_bytes),
                ("bytes on the disk when full", self.full_bytes),
                ("bytes freed by the sweep", self.freed_bytes),
                ("bytes on the disk at the end", self.end_bytes),
                ("most anonymous memory, KiB", self.peak_kib),
                ("looks at the memory", self.looks),
            ],
            findings,
        }
    }
}

/// Pushes by all clients at once; the images of each come together, as many as the plan has.
async fn fill(client: &Client, seed: u64, plan: Plan) -> Result<Vec<Image>> {
    for number in 0..REPOSITORIES {
        client.create(&repository(number)).await?;
    }
    let pushed = all(client, move |client, number| async move {
        let (repository, mut images) = (repository(number % REPOSITORIES), Vec::new());
        for turn in 0..plan.images {
            let seed = seed ^ (number << 32 | turn << 16);
            images.push(client.push(&repository, seed, plan).await?);
        }
        Ok(images)
    });
    Ok(pushed.await?.into_iter().flatten().collect())
}

/// Deletes by all clients at once, each what it pushed, by either door in turn.
async fn empty(client: &Client, plan: Plan, images: Arc<[Image]>) -> Result<()> {
    let own = usize::try_from(plan.images)?;
    let deleted = all(client, move |client, number| {
        let images = images.clone();
        async move {
            let own = images.chunks(own).nth(usize::try_from(number)?);
            for (at, image) in own.unwrap_or_default().iter().enumerate() {
                client.delete(image, at % 2 == 0).await?;
            }
            Ok(())
        }
    });
    deleted.await.map(drop)
}

fn repository(number: u64) -> String {
    format!("load/app-{number}")
}

/// All clients at once; what they give comes in their order.
async fn all<T: Send + 'static, F: Future<Output = Result<T>> + Send + 'static>(
    client: &Client,
    does: impl Fn(Client, u64) -> F,
) -> Result<Vec<T>> {
    let mut running = JoinSet::new();
    for number in 0..CLIENTS {
        let doing = does(client.clone(), number);
        running.spawn(async move { (number, doing.await) });
    }
    let mut done = Vec::new();
    for (number, outcome) in running.join_all().await {
        done.push((number, outcome.with_context(|| format!("client {number}"))?));
    }
    done.sort_by_key(|(number, _)| *number);
    Ok(done.into_iter().map(|(_, given)| given).collect())
}

/// Looks for what was deleted of every image.
async fn gone(
    client: &Client,
    images: &[Image],
    deleted: fn(&Image) -> Vec<String>,
    when: &str,
    findings: &mut Vec<String>,
) -> Result<()> {
    for image in images {
        for path in deleted(image) {
            let status = client.status(&path).await?;
            if status != 404 {
                findings.push(format!("{path} is answered {status} {when}"));
            }
        }
    }
    for number in 0..REPOSITORIES {
        let listed = client.listed(&repository(number)).await?;
        if listed > 0 {
            findings.push(format!(
                "{listed} images of {} listed {when}",
                repository(number)
            ));
        }
    }
    Ok(())
}

/// The lengths of all files below a folder.
fn bytes_below(folder: &Path) -> Result<u64> {
    let (mut bytes, mut folders) = (0, vec![folder.to_path_buf()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            match entry.metadata() {
                Ok(found) if found.is_dir() => folders.push(entry.path()),
                Ok(found) => bytes += found.len(),
                // A file of the tables that went meanwhile.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(bytes)
}
