//! `roadstead demo`: the main job for real, on a store that is thrown away afterwards. It talks to
//! a real server over TCP and reads the freed bytes from the disk.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use clap::Args;
use http::{Method, Request};
use roadstead_domain::digest::Digest;
use roadstead_domain::media_type::OCI_MANIFEST;
use roadstead_http::server::{Serving, serve};
use roadstead_registry::context::{Clock, Ids};
use roadstead_sigv4::Credentials;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::bytes_text;
use crate::ambient::{SystemClock, SystemIds};
use crate::config::Config;
use crate::data_dir::DataDir;
use crate::{client, compose, control};

const LAYERS: usize = 3;
const LAYER_BYTES: usize = 4 * 1024 * 1024;

/// `roadstead demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {}

/// Runs the command.
pub fn run(_args: &DemoArgs) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let mut config = Config {
        data: directory.path().into(),
        ..Config::default()
    };
    // Only so that the demo need not wait an hour for the grace of unreferenced blobs to end.
    config.sweep.grace_seconds = 0;
    tokio::runtime::Runtime::new()?.block_on(demo(&config))
}

async fn demo(config: &Config) -> Result<()> {
    let data = DataDir::take(&config.data)?;
    let registry = compose::embedded(
        &data,
        Arc::new(SystemClock),
        Arc::new(SystemIds::default()),
        config.rules(),
    )?;
    let key = registry
        .create_access_key(config.default_account()?, SystemClock.now())
        .await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(control::serve(
        control::listen(&data)?,
        registry.clone(),
        Arc::new(SystemClock),
    ));
    let faces = compose::faces(registry, Arc::new(SystemClock), config.faces(false)?);
    let (stop, stopped) = oneshot::channel::<()>();
    let stopped = async {
        // Stopping is the same whether asked for or let go.
        let _ = stopped.await;
    };
    let serving = Serving::default();
    let server = tokio::spawn(serve(faces, vec![listener], serving, stopped));
    let user = User {
        address,
        region: &config.region,
        id: &key.id,
        secret: &key.secret,
    };
    println!(
        "A registry on http://{address}, with an access key of account {}.\n",
        config.account
    );
    main_job(&user, config).await?;
    drop(stop);
    server.await.context("stopping the server")
}

async fn main_job(user: &User<'_>, config: &Config) -> Result<()> {
    create_and_push(user).await?;
    let full_bytes = blob_bytes(&config.data.join("blobs"))?;
    println!("   {} in blob files on the disk", bytes_text(full_bytes));
    list_and_delete(user).await?;
    free(config, full_bytes).await?;
    println!("\nThe same server, kept running: cargo run --release -- serve");
    Ok(())
}

async fn create_and_push(user: &User<'_>) -> Result<()> {
    step(
        1,
        "Create a repository through the Amazon ECR API (CreateRepository, signed with SigV4).",
    );
    let created = user
        .ecr("CreateRepository", json!({ "repositoryName": "demo/app" }))
        .await?;
    println!(
        "   {}",
        created["repository"]["repositoryUri"]
            .as_str()
            .unwrap_or_default()
    );

    step(
        2,
        "Log in as `docker login` does (GetAuthorizationToken) and push an image over /v2.",
    );
    let basic = user.login().await?;
    let manifest = user.push(&basic, "demo/app").await?;
    for tag in ["v1", "latest"] {
        let path = format!("/v2/demo/app/manifests/{tag}");
        user.oci(
            &basic,
            Method::PUT,
            &path,
            Some(OCI_MANIFEST),
            manifest.clone(),
        )
        .await?;
    }
    Ok(())
}

async fn list_and_delete(user: &User<'_>) -> Result<()> {
    step(3, "List it (DescribeImages).");
    let described = user
        .ecr("DescribeImages", json!({ "repositoryName": "demo/app" }))
        .await?;
    let image = &described["imageDetails"][0];
    println!(
        "   {} tagged {}, {} bytes",
        image["imageDigest"], image["imageTags"], image["imageSizeInBytes"]
    );

    step(4, "Delete it by digest, with both tags (BatchDeleteImage).");
    let ids = json!([{ "imageDigest": image["imageDigest"] }]);
    let deleted = user
        .ecr(
            "BatchDeleteImage",
            json!({ "repositoryName": "demo/app", "imageIds": ids }),
        )
        .await?;
    for id in deleted["imageIds"].as_array().into_iter().flatten() {
        println!("   deleted {id}");
    }
    ensure!(deleted["failures"] == json!([]), "nothing fails");
    Ok(())
}

async fn free(config: &Config, full_bytes: u64) -> Result<()> {
    step(
        5,
        "Free the bytes while the server runs (roadstead sweep --now).",
    );
    let settings = config.clone();
    let swept = tokio::task::spawn_blocking(move || {
        control::run(&settings, &control::Command::Sweep, |_| Ok(()))
    })
    .await??;
    let left_bytes = blob_bytes(&config.data.join("blobs"))?;
    println!(
        "   the sweep says {} bytes freed in {} blobs",
        swept["bytesFreed"], swept["blobsDeleted"]
    );
    println!("   the disk says {full_bytes} bytes before, {left_bytes} after");
    ensure!(left_bytes == 0, "no blob is left");
    ensure!(
        swept["bytesFreed"] == full_bytes,
        "the sweep counts what the disk lost"
    );
    Ok(())
}

fn step(number: u8, what: &str) {
    println!("{number}. {what}");
}

/// Somebody with an access key.
struct User<'a> {
    address: SocketAddr,
    region: &'a str,
    id: &'a str,
    secret: &'a str,
}

impl User<'_> {
    async fn ecr(&self, operation: &str, body: Value) -> Result<Value> {
        let credentials = Credentials {
            access_key_id: self.id,
            secret_access_key: self.secret,
            session_token: None,
        };
        let target = format!("AmazonEC2ContainerRegistry_V20150921.{operation}");
        let body = Bytes::from(body.to_string());
        let now = SystemClock.now();
        let request = client::signed(self.address, &credentials, self.region, now, &target, body)?;
        let answer = client::send(self.address, request).await?;
        let text = String::from_utf8_lossy(answer.body());
        ensure!(
            answer.status().is_success(),
            "{operation}: {} {text}",
            answer.status()
        );
        Ok(serde_json::from_str(&text)?)
    }

    async fn login(&self) -> Result<String> {
        let answer = self.ecr("GetAuthorizationToken", json!({})).await?;
        let token = answer["authorizationData"][0]["authorizationToken"].as_str();
        Ok(format!("Basic {}", token.context("a token")?))
    }

    async fn oci(
        &self,
        basic: &str,
        method: Method,
        path: &str,
        content_type: Option<&str>,
        body: Bytes,
    ) -> Result<()> {
        let octets = "application/octet-stream";
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", basic)
            .header("content-type", content_type.unwrap_or(octets))
            .body(body)?;
        let answer = client::send(self.address, request).await?;
        let text = String::from_utf8_lossy(answer.body());
        ensure!(
            answer.status().is_success(),
            "{path}: {} {text}",
            answer.status()
        );
        Ok(())
    }

    /// Pushes a config and random layers; gives the manifest, not yet pushed.
    async fn push(&self, basic: &str, repository: &str) -> Result<Bytes> {
        let ids = SystemIds::default();
        let config = Bytes::from(json!({ "architecture": "amd64", "os": "linux" }).to_string());
        let mut blobs = vec![config];
        for _ in 0..LAYERS {
            let mut layer = vec![0; LAYER_BYTES];
            ids.fill(&mut layer);
            blobs.push(layer.into());
        }
        let mut descriptors = Vec::new();
        for blob in blobs {
            let digest = Digest::sha256(&blob);
            let kind = if descriptors.is_empty() {
                "config.v1+json"
            } else {
                "layer.v1.tar"
            };
            descriptors.push(json!({
                "mediaType": format!("application/vnd.oci.image.{kind}"),
                "digest": digest.as_str(),
                "size": blob.len(),
            }));
            let path = format!("/v2/{repository}/blobs/uploads/?digest={digest}");
            self.oci(basic, Method::POST, &path, None, blob).await?;
        }
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": descriptors[0],
            "layers": descriptors[1..],
        });
        Ok(manifest.to_string().into())
    }
}

/// The length of all files under a folder.
fn blob_bytes(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        bytes += match entry.file_type()?.is_dir() {
            true => blob_bytes(&entry.path())?,
            false => entry.metadata()?.len(),
        };
    }
    Ok(bytes)
}
