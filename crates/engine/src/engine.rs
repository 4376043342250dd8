//! The engine behind its socket: one thin function for each thing that is asked of it, and four
//! ways in which it can refuse.
//!
//! The connection is made when it is needed and forgotten when it fails, so that an engine may be
//! away at any time. Nothing is decided here.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bollard::auth::DockerCredentials;
use bollard::container::LogOutput;
use bollard::errors::Error as Cause;
use bollard::models::{
    ContainerCreateBody, ContainerStatsResponse, ContainerSummary, ContainerSummaryStateEnum,
    ContainerUpdateBody, ImageInspect, NetworkCreateRequest,
};
use bollard::query_parameters::{
    CreateContainerOptions, CreateImageOptions, InspectContainerOptions, ListContainersOptions,
    ListImagesOptions, ListNetworksOptions, LogsOptions, RemoveContainerOptions,
    RemoveImageOptions, StatsOptions, StopContainerOptions,
};
use bollard::{API_DEFAULT_VERSION, Docker, body_full};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use roadstead_domain::time::{Span, Timestamp};
use roadstead_registry::context::Clock;

use crate::limits::Limits;
use crate::locked;
use crate::node::{Condition, Found, SERVER, SERVICE, read_labels};

/// How long the engine may take to begin an answer: stopping a container takes seconds by itself.
const PATIENCE_SECS: u64 = 60;

/// What the engine did not do.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// It does not answer.
    #[error("the engine does not answer: {0}")]
    Unreachable(String),
    /// It does not have what was named.
    #[error("{0}")]
    Missing(String),
    /// What was named is in the way of it, or busy.
    #[error("{0}")]
    Conflict(String),
    /// It will not do it.
    #[error("{0}")]
    Refused(String),
}

impl From<Cause> for EngineError {
    fn from(cause: Cause) -> Self {
        match cause {
            Cause::DockerResponseServerError {
                status_code,
                message,
            } => match status_code {
                404 => Self::Missing(message),
                409 => Self::Conflict(message),
                _ => Self::Refused(message),
            },
            Cause::DockerStreamError { error } => Self::Refused(error),
            Cause::RequestTimeoutError
            | Cause::IOError { .. }
            | Cause::HyperResponseError { .. }
            | Cause::HyperLegacyError { .. }
            | Cause::SocketNotFoundError(_) => Self::Unreachable(cause.to_string()),
            // Whatever is left is an answer that is not understood.
            other => Self::Refused(other.to_string()),
        }
    }
}

/// A connection and what is known of its other end.
#[derive(Clone)]
struct Connected {
    docker: Docker,
    processors: f64,
    architecture: String,
}

/// An image that the engine has.
#[derive(Debug, Clone)]
pub struct LocalImage {
    /// Its id.
    pub id: String,
    /// The names that it has, by tag and by digest.
    pub names: Vec<String>,
}

/// How a container ended.
#[derive(Debug, Clone, Copy)]
pub struct Ending {
    /// Its exit code.
    pub code: i64,
    /// Whether the kernel ended it for want of memory.
    pub out_of_memory: bool,
}

/// A Docker-compatible engine.
pub struct Engine {
    socket: PathBuf,
    connected: tokio::sync::Mutex<Option<Connected>>,
    lost_since: Mutex<Option<Timestamp>>,
    clock: Arc<dyn Clock>,
    /// Two networks of one name are possible; looking and making must be one.
    networks: tokio::sync::Mutex<()>,
}

type Outcome<T> = Result<T, EngineError>;

impl Engine {
    /// An engine that listens on `socket`. Connects later.
    pub fn new(socket: &Path, clock: Arc<dyn Clock>) -> Self {
        Self {
            socket: socket.to_owned(),
            connected: tokio::sync::Mutex::new(None),
            lost_since: Mutex::new(None),
            clock,
            networks: tokio::sync::Mutex::new(()),
        }
    }

    /// Since how long it has not been reached; none if it was there when last asked.
    pub fn lost_for(&self) -> Option<Span> {
        let now = self.clock.now();
        locked(&self.lost_since).map(|since| Span(now.0.saturating_sub(since.0)))
    }

    async fn connection(&self) -> Outcome<Connected> {
        let mut connected = self.connected.lock().await;
        if let Some(connected) = &*connected {
            return Ok(connected.clone());
        }
        let made = self.connect().await;
        self.note(&made);
        let made = made?;
        *connected = Some(made.clone());
        Ok(made)
    }

    async fn connect(&self) -> Outcome<Connected> {
        let path = self.socket.to_string_lossy();
        let docker = Docker::connect_with_unix(&path, PATIENCE_SECS, API_DEFAULT_VERSION)?;
        let docker = docker.negotiate_version().await?;
        let info = docker.info().await?;
        Ok(Connected {
            docker,
            processors: info.ncpu.map_or(1.0, |count| count as f64),
            architecture: info.architecture.unwrap_or_default(),
        })
    }

    fn note<T>(&self, outcome: &Outcome<T>) {
        let mut lost = locked(&self.lost_since);
        match outcome {
            Err(EngineError::Unreachable(_)) => {
                lost.get_or_insert_with(|| self.clock.now());
            }
            Ok(_)
            | Err(EngineError::Missing(_) | EngineError::Conflict(_) | EngineError::Refused(_)) => {
                *lost = None;
            }
        }
    }

    /// Asks, and remembers whether it answered.
    async fn ask<T, F: Future<Output = Result<T, Cause>>>(
        &self,
        question: impl FnOnce(Docker) -> F,
    ) -> Outcome<T> {
        let docker = self.connection().await?.docker;
        let outcome = question(docker).await.map_err(EngineError::from);
        self.note(&outcome);
        if matches!(outcome, Err(EngineError::Unreachable(_))) {
            *self.connected.lock().await = None;
        }
        outcome
    }

    /// How many processors it has: more than that it gives to no container.
    pub async fn processors(&self) -> Outcome<f64> {
        Ok(self.connection().await?.processors)
    }

    /// Its architecture as the kernel calls it.
    pub async fn architecture(&self) -> Outcome<String> {
        Ok(self.connection().await?.architecture)
    }

    /// The containers of a server, or of one of its services.
    pub async fn containers(&self, server: &str, service: Option<&str>) -> Outcome<Vec<Found>> {
        let mut labels = vec![format!("{SERVER}={server}")];
        labels.extend(service.map(|id| format!("{SERVICE}={id}")));
        let options = ListContainersOptions {
            all: true,
            filters: Some(HashMap::from([("label".to_owned(), labels)])),
            ..Default::default()
        };
        let list = self
            .ask(|docker| async move { docker.list_containers(Some(options)).await })
            .await?;
        Ok(list.into_iter().filter_map(found).collect())
    }

    /// Makes a container; its id.
    pub async fn create(&self, name: String, body: ContainerCreateBody) -> Outcome<String> {
        let options = CreateContainerOptions {
            name: Some(name),
            ..Default::default()
        };
        let made = self
            .ask(|docker| async move { docker.create_container(Some(options), body).await })
            .await?;
        Ok(made.id)
    }

    /// Starts a container; one that runs already stays as it is.
    pub async fn start(&self, id: &str) -> Outcome<()> {
        self.ask(|docker| async move { docker.start_container(id, None).await })
            .await
    }

    /// Asks a container to end, and ends it after `patience`.
    pub async fn stop(&self, id: &str, patience: Duration) -> Outcome<()> {
        let seconds = i32::try_from(patience.as_secs()).unwrap_or(i32::MAX);
        let options = StopContainerOptions {
            t: Some(seconds),
            ..Default::default()
        };
        self.ask(|docker| async move { docker.stop_container(id, Some(options)).await })
            .await
    }

    /// Removes a container with its volumes, whatever it does.
    pub async fn remove(&self, id: &str) -> Outcome<()> {
        let options = RemoveContainerOptions {
            v: true,
            force: true,
            link: false,
        };
        let removed = self
            .ask(|docker| async move { docker.remove_container(id, Some(options)).await })
            .await;
        match removed {
            Err(EngineError::Missing(_)) => Ok(()),
            other => other,
        }
    }

    /// Changes what a container may use, while it runs.
    pub async fn limit(&self, id: &str, limits: Limits) -> Outcome<()> {
        let body = ContainerUpdateBody {
            nano_cpus: Some(limits.nano_cpus),
            memory: Some(limits.memory_bytes),
            memory_swap: Some(limits.memory_bytes),
            ..Default::default()
        };
        self.ask(|docker| async move { docker.update_container(id, body).await })
            .await
    }

    /// How a container that does not run ended.
    pub async fn ending(&self, id: &str) -> Outcome<Ending> {
        let inspected = self
            .ask(|docker| async move {
                docker
                    .inspect_container(id, None::<InspectContainerOptions>)
                    .await
            })
            .await?;
        let state = inspected.state.unwrap_or_default();
        Ok(Ending {
            code: state.exit_code.unwrap_or_default(),
            out_of_memory: state.oom_killed.unwrap_or_default(),
        })
    }

    /// What a container uses now.
    pub async fn usage(&self, id: &str) -> Outcome<Option<ContainerStatsResponse>> {
        let options = StatsOptions {
            stream: false,
            one_shot: true,
        };
        self.ask(|docker| async move {
            let mut stream = Box::pin(docker.stats(id, Some(options)));
            stream.next().await.transpose()
        })
        .await
    }

    /// What a container writes from the second `since` on, until it ends.
    pub async fn output(
        &self,
        id: &str,
        since: i32,
    ) -> Outcome<Pin<Box<dyn Stream<Item = Result<LogOutput, Cause>> + Send>>> {
        let options = LogsOptions {
            follow: true,
            stdout: true,
            stderr: true,
            timestamps: true,
            since,
            ..Default::default()
        };
        let docker = self.connection().await?.docker;
        Ok(Box::pin(docker.logs(id, Some(options))))
    }

    /// Makes a network unless there is one of its name.
    pub async fn ensure_network(&self, name: &str, server: &str) -> Outcome<()> {
        let _making = self.networks.lock().await;
        if self.networks(server).await?.iter().any(|have| have == name) {
            return Ok(());
        }
        let body = NetworkCreateRequest {
            name: name.to_owned(),
            driver: Some("bridge".to_owned()),
            labels: Some(HashMap::from([(SERVER.to_owned(), server.to_owned())])),
            ..Default::default()
        };
        self.ask(|docker| async move { docker.create_network(body).await })
            .await?;
        Ok(())
    }

    /// Removes the networks of a server that nothing is on.
    pub async fn remove_idle_networks(&self, server: &str) -> Outcome<()> {
        let _making = self.networks.lock().await;
        for name in self.networks(server).await? {
            let name = name.as_str();
            let removed = self
                .ask(|docker| async move { docker.remove_network(name).await })
                .await;
            match removed {
                Err(error @ EngineError::Unreachable(_)) => return Err(error),
                // In use, or gone already.
                Ok(())
                | Err(
                    EngineError::Missing(_) | EngineError::Conflict(_) | EngineError::Refused(_),
                ) => {}
            }
        }
        Ok(())
    }

    async fn networks(&self, server: &str) -> Outcome<Vec<String>> {
        let label = vec![format!("{SERVER}={server}")];
        let options = ListNetworksOptions {
            filters: Some(HashMap::from([("label".to_owned(), label)])),
        };
        let list = self
            .ask(|docker| async move { docker.list_networks(Some(options)).await })
            .await?;
        Ok(list.into_iter().filter_map(|one| one.name).collect())
    }

    /// An image by name or id.
    pub async fn image(&self, name: &str) -> Outcome<LocalImage> {
        let inspected = self
            .ask(|docker| async move { docker.inspect_image(name).await })
            .await?;
        Ok(local(inspected))
    }

    /// The names, by tag and digest, of all images that it has.
    pub async fn image_names(&self) -> Outcome<Vec<String>> {
        let options = ListImagesOptions {
            digests: true,
            ..Default::default()
        };
        let list = self
            .ask(|docker| async move { docker.list_images(Some(options)).await })
            .await?;
        let names = |image: bollard::models::ImageSummary| {
            let mut names = image.repo_tags;
            names.extend(image.repo_digests);
            names
        };
        Ok(list.into_iter().flat_map(names).collect())
    }

    /// Pulls an image.
    pub async fn pull(
        &self,
        reference: &str,
        credentials: Option<DockerCredentials>,
    ) -> Outcome<()> {
        let options = CreateImageOptions {
            from_image: Some(reference.to_owned()),
            ..Default::default()
        };
        self.make_image(options, None, credentials).await
    }

    /// Makes an image of one layer from the bytes of a tar.
    pub async fn import(&self, repository: &str, tag: &str, layer: Bytes) -> Outcome<()> {
        let options = CreateImageOptions {
            from_src: Some("-".to_owned()),
            repo: Some(repository.to_owned()),
            tag: Some(tag.to_owned()),
            ..Default::default()
        };
        self.make_image(options, Some(layer), None).await
    }

    async fn make_image(
        &self,
        options: CreateImageOptions,
        layer: Option<Bytes>,
        credentials: Option<DockerCredentials>,
    ) -> Outcome<()> {
        self.ask(|docker| async move {
            let layer = layer.map(body_full);
            let mut progress = Box::pin(docker.create_image(Some(options), layer, credentials));
            while let Some(step) = progress.next().await {
                step?;
            }
            Ok(())
        })
        .await
    }

    /// Takes a name from an image, and removes it with its last one, unless it is in use.
    pub async fn remove_image(&self, name: &str) -> Outcome<()> {
        self.ask(|docker| async move {
            docker
                .remove_image(name, None::<RemoveImageOptions>, None)
                .await
        })
        .await?;
        Ok(())
    }
}

fn local(inspected: ImageInspect) -> LocalImage {
    let mut names = inspected.repo_tags.unwrap_or_default();
    names.extend(inspected.repo_digests.unwrap_or_default());
    LocalImage {
        id: inspected.id.unwrap_or_default(),
        names,
    }
}

fn found(summary: ContainerSummary) -> Option<Found> {
    let (service, node, role) = read_labels(&summary.labels?)?;
    let ports = summary.ports.unwrap_or_default().into_iter();
    let published = ports.filter_map(|port| Some((port.private_port, port.public_port?)));
    let condition = match summary.state {
        Some(ContainerSummaryStateEnum::CREATED) => Condition::Created,
        Some(
            ContainerSummaryStateEnum::RUNNING
            | ContainerSummaryStateEnum::PAUSED
            | ContainerSummaryStateEnum::RESTARTING
            | ContainerSummaryStateEnum::STOPPING,
        ) => Condition::Running,
        Some(ContainerSummaryStateEnum::EXITED) => Condition::Ended,
        Some(
            ContainerSummaryStateEnum::REMOVING
            | ContainerSummaryStateEnum::DEAD
            | ContainerSummaryStateEnum::EMPTY,
        )
        | None => Condition::Going,
    };
    Some(Found {
        id: summary.id?,
        service,
        node,
        role,
        condition,
        published: published.collect(),
    })
}
