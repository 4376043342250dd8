//! The part `load`: many clients at once fill a server with layers, delete everything, and what
//! they pushed is gone from the disk, while the server's own memory stayed small.
//!
//! The real program, plain HTTP, no grace. The amount is MiB pushed. Must measure the server from
//! outside only: its data directory, and what the system says of its process.

mod client;
mod images;
mod memory;
mod program;

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use tokio::task::JoinSet;

use crate::{Report, Work};
use client::Client;
use images::{Image, Plan};
use memory::Sampler;
use program::Program;

/// Clients that push at once, and delete at once.
pub const CLIENTS: u64 = 32;
/// Repositories that they share.
const REPOSITORIES: u64 = 8;
/// What the process may have of anonymous memory at any time, KiB.
const MEMORY_KIB_MAX: u64 = 128 * 1024;
/// What the tables and their log may keep of space that is free again, whatever was pushed: a
/// log of the usual length.
const TABLES_BYTES_MAX: u64 = 6 * 1024 * 1024;
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
    for number in 0..REPOSITORIES {
        client.create(&repository(number)).await?;
    }
    let plan = Plan::of(work.amount * MIB / CLIENTS);
    let pushed = all(&client, work.seed, move |client, number, seed| async move {
        let mut images = Vec::new();
        for turn in 0..plan.images {
            let seed = seed ^ (number << 32 | turn);
            images.push(
                client
                    .push(&repository(number % REPOSITORIES), seed, plan)
                    .await?,
            );
        }
        Ok(images)
    });
    let pushed: Vec<Vec<Image>> = pushed.await?;
    let full_bytes = bytes_below(data)?;
    let images: Arc<[Image]> = pushed.into_iter().flatten().collect::<Vec<_>>().into();
    let mut findings = Vec::new();
    for image in images.iter() {
        if !client.is_there(image).await? {
            findings.push(format!("pushed and not there: {image}"));
        }
    }
    let deleting = images.clone();
    let deleted = all(&client, work.seed, move |client, number, _| {
        let images = deleting.clone();
        async move {
            let own = images.chunks(usize::try_from(plan.images)?);
            let own = own
                .skip(usize::try_from(number)?)
                .step_by(usize::try_from(CLIENTS)?);
            for (at, image) in own.flatten().enumerate() {
                client.delete(image, at % 2 == 0).await?;
            }
            Ok(())
        }
    });
    deleted.await?;
    gone(&client, &images, "after its deletion", &mut findings).await?;
    let freed = program.sweep(data)?;
    gone(&client, &images, "after the sweep", &mut findings).await?;
    let end_bytes = bytes_below(data)?;
    let peak_kib = sampler.peak_kib();
    program.stop()?;
    let program = Program::start(data)?;
    let client = client.at(&program);
    gone(&client, &images, "after a restart", &mut findings).await?;
    program.stop()?;

    let bytes: u64 = images.iter().map(Image::bytes).sum();
    let may_keep = (bytes / 100).max(TABLES_BYTES_MAX);
    if full_bytes < start_bytes + bytes {
        findings.push(format!(
            "{full_bytes} bytes on the disk hold less than was pushed"
        ));
    }
    if end_bytes > start_bytes + may_keep {
        let more = end_bytes - start_bytes;
        findings.push(format!(
            "{more} bytes more than at the start, {may_keep} may be"
        ));
    }
    if peak_kib > MEMORY_KIB_MAX {
        findings.push(format!(
            "{peak_kib} KiB of anonymous memory, {MEMORY_KIB_MAX} may be"
        ));
    }
    ensure!(freed > 0, "the sweep freed nothing");
    Ok(Report {
        counts: vec![
            ("clients", CLIENTS),
            ("images", images.len() as u64),
            (
                "layers",
                images.iter().map(|image| image.layers.len() as u64).sum(),
            ),
            ("bytes pushed", bytes),
            ("bytes freed by the sweep", freed),
            ("bytes on the disk at the start", start_bytes),
            ("bytes on the disk when full", full_bytes),
            ("bytes on the disk at the end", end_bytes),
            ("most anonymous memory, KiB", peak_kib),
            ("looks at the memory", sampler.looks()),
        ],
        findings,
    })
}

fn repository(number: u64) -> String {
    format!("load/app-{number}")
}

/// All clients at once; what they give comes in their order.
async fn all<T: Send + 'static, F: Future<Output = Result<T>> + Send + 'static>(
    client: &Client,
    seed: u64,
    does: impl Fn(Client, u64, u64) -> F,
) -> Result<Vec<T>> {
    let mut running = JoinSet::new();
    for number in 0..CLIENTS {
        let doing = does(client.clone(), number, seed);
        running.spawn(async move { (number, doing.await) });
    }
    let mut done = Vec::new();
    for (number, outcome) in running.join_all().await {
        done.push((number, outcome.with_context(|| format!("client {number}"))?));
    }
    done.sort_by_key(|(number, _)| *number);
    Ok(done.into_iter().map(|(_, given)| given).collect())
}

/// Looks for every image and layer that was deleted.
async fn gone(
    client: &Client,
    images: &[Image],
    when: &str,
    findings: &mut Vec<String>,
) -> Result<()> {
    for image in images {
        for path in image.paths() {
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
