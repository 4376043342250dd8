//! Runs the containers of deployments on a Docker-compatible engine: the port
//! `roadstead_registry::containers::runtime` over the engine's socket.
//!
//! ```text
//! want() ──► status ◄── actor (one task for each service) ──► engine ──► socket
//!               ▲          │ plan: wanted against found, again and again
//! upstream() ───┘          └──► lines, usage ──► take_lines(), take_usage()
//! ```
//!
//! Whoever may use the socket is root on the engine's machine. This crate must never touch a
//! container, network or image that is not this server's, and decides nothing about services.

mod actor;
mod deployment;
mod engine;
mod follow;
mod health;
mod images;
mod limits;
mod lines;
mod make;
mod node;
mod plan;
mod routes;
mod sandbox;
mod status;
mod teardown;
mod usage;
mod watching;

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use roadstead_domain::ids::ContainerServiceId;
use roadstead_domain::lightsail::deployment::DeploymentVersion;
use roadstead_domain::lightsail::service::Report;
use roadstead_domain::lightsail::state::StateDetailCode;
use roadstead_domain::time::Span;
use roadstead_registry::containers::runtime::{
    ContainerLine, ContainerRuntime, NodeUsage, PullAccess, Upstream, WantedService,
};
use roadstead_registry::context::Clock;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::actor::Actor;
use crate::engine::{Engine, EngineError};
use crate::lines::Lines;
use crate::status::Status;

/// Measurements that wait to be taken, at most.
const USAGE_MAX: usize = 10_000;
/// The pause before the engine is asked again what it has that nobody wants.
const ASK_AGAIN: Duration = Duration::from_secs(2);

/// How to run containers.
#[derive(Debug, Clone)]
pub struct Options {
    /// The engine's socket.
    pub socket: PathBuf,
    /// What tells the containers of this server from those of another one on the same engine.
    pub server: String,
    /// The address under which the engine reaches this server's registry, `host:port`.
    pub registry: String,
    /// Where positions in the logs are kept; nowhere if none.
    pub positions: Option<PathBuf>,
    /// How often the use of nodes is measured.
    pub usage_every: Duration,
    /// How long the containers of a deployment without an endpoint must run to be healthy.
    pub settle: Duration,
    /// How long a node that is to end waits for its requests.
    pub drain: Duration,
    /// How long a container that is asked to end may take.
    pub stop: Duration,
    /// After how long an engine that does not answer fails a deployment.
    pub unreachable_after: Duration,
}

impl Options {
    /// The usual ones.
    pub fn new(socket: PathBuf, server: String, registry: String) -> Self {
        Self {
            socket,
            server,
            registry,
            positions: None,
            usage_every: Duration::from_secs(10),
            settle: Duration::from_secs(5),
            drain: Duration::from_secs(10),
            stop: Duration::from_secs(10),
            unreachable_after: Duration::from_secs(30),
        }
    }
}

/// What all actors share.
struct Shared {
    engine: Arc<Engine>,
    options: Options,
    clock: Arc<dyn Clock>,
    pulls: Arc<dyn PullAccess>,
    lines: Arc<Lines>,
    usage: Mutex<VecDeque<NodeUsage>>,
    services: Mutex<HashMap<ContainerServiceId, Service>>,
    runtime: Handle,
}

struct Service {
    status: Arc<Status>,
    _task: Ending<()>,
}

/// The containers of deployments, on an engine. Dropping it leaves them running.
pub struct Docker {
    shared: Arc<Shared>,
    sweeping: Mutex<Option<Ending<()>>>,
}

impl Docker {
    /// Prepares; the engine is asked when there is something to do. Must be called inside of a
    /// Tokio runtime, whose tasks it uses from then on.
    pub fn new(options: Options, clock: Arc<dyn Clock>, pulls: Arc<dyn PullAccess>) -> Self {
        let shared = Shared {
            engine: Arc::new(Engine::new(&options.socket, clock.clone())),
            lines: Arc::new(Lines::open(options.positions.clone())),
            options,
            clock,
            pulls,
            usage: Mutex::default(),
            services: Mutex::default(),
            runtime: Handle::current(),
        };
        Self {
            shared: Arc::new(shared),
            sweeping: Mutex::default(),
        }
    }

    /// Says, once after a start, which services there are: whatever runs of any other one, because
    /// its end was missed, is removed.
    pub fn keep_only(&self, services: &[ContainerServiceId]) {
        let shared = self.shared.clone();
        let keep: HashSet<ContainerServiceId> = services.iter().cloned().collect();
        let task = self.shared.runtime.spawn(async move {
            while let Err(error) = shared.remove_others(&keep).await {
                tracing::debug!(%error, "what the engine has that nobody wants");
                tokio::time::sleep(ASK_AGAIN).await;
            }
        });
        *locked(&self.sweeping) = Some(Ending(task));
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        // The tasks hold what holds them.
        locked(&self.shared.services).clear();
    }
}

impl ContainerRuntime for Docker {
    fn want(&self, wanted: WantedService) {
        let mut services = locked(&self.shared.services);
        if let Some(service) = services.get(&wanted.id) {
            return service.status.want(wanted);
        }
        let (id, status) = (wanted.id.clone(), Arc::new(Status::default()));
        // Before its actor looks: of a service of which nothing is wanted it removes everything.
        status.want(wanted);
        services.insert(id.clone(), self.shared.service(id, status));
    }

    fn report(&self, service: &ContainerServiceId, version: DeploymentVersion) -> Report {
        let services = locked(&self.shared.services);
        let lost = self.shared.engine.lost_for();
        let is_lost = lost.is_some_and(|lost| lost >= span(self.shared.options.unreachable_after));
        match services.get(service) {
            Some(service) => service.status.report(version, is_lost),
            None => Report::Working(StateDetailCode::CreatingDeployment),
        }
    }

    /// False of a service that was never wanted: nothing is known of it.
    fn is_gone(&self, service: &ContainerServiceId) -> bool {
        let services = locked(&self.shared.services);
        services
            .get(service)
            .is_some_and(|service| service.status.is_gone())
    }

    fn take_lines(&self) -> Vec<ContainerLine> {
        self.shared.lines.take()
    }

    fn take_usage(&self) -> Vec<NodeUsage> {
        locked(&self.shared.usage).drain(..).collect()
    }

    fn upstream(&self, service: &ContainerServiceId) -> Option<Upstream> {
        let services = locked(&self.shared.services);
        services.get(service)?.status.upstream()
    }
}

impl Shared {
    /// A service and its actor.
    fn service(self: &Arc<Self>, id: ContainerServiceId, status: Arc<Status>) -> Service {
        let actor = Actor::new(self.clone(), id, status.clone());
        let _task = Ending(self.runtime.spawn(actor.run()));
        Service { status, _task }
    }

    async fn remove_others(
        self: &Arc<Self>,
        keep: &HashSet<ContainerServiceId>,
    ) -> Result<(), EngineError> {
        let found = self.engine.containers(&self.options.server, None).await?;
        self.lines
            .retain(&found.iter().map(|one| one.id.clone()).collect());
        for service in found.into_iter().map(|container| container.service) {
            let mut services = locked(&self.services);
            if !keep.contains(&service) && !services.contains_key(&service) {
                // Nothing is wanted of it.
                let made = self.service(service.clone(), Arc::default());
                services.insert(service, made);
            }
        }
        Ok(())
    }

    /// The registered images that some service wants.
    fn needed_images(&self) -> BTreeSet<String> {
        let services = locked(&self.services);
        let wanted = services.values().filter_map(|one| one.status.wanted());
        let pins = wanted
            .flat_map(|wanted| wanted.deployments)
            .flat_map(|deployment| deployment.pins.into_values());
        pins.map(|pin| images::own_reference(&self.options.registry, &pin.digest))
            .collect()
    }

    fn add_usage(&self, usage: NodeUsage) {
        let mut waiting = locked(&self.usage);
        if waiting.len() >= USAGE_MAX {
            waiting.pop_front();
        }
        waiting.push_back(usage);
    }
}

/// A task that ends with its owner.
struct Ending<T>(JoinHandle<T>);

impl<T> Drop for Ending<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl<T> Ending<T> {
    /// What it came to, once it is over; none if it was ended.
    async fn outcome(mut self) -> Option<T> {
        (&mut self.0).await.ok()
    }
}

/// The same length of time.
fn span(duration: Duration) -> Span {
    Span(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX))
}

/// A panic elsewhere does not make a map unreadable.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
