//! One service: looks at what the engine has, compares it with what is wanted, takes the steps, and
//! looks again. Whatever fails is tried again at the next look, so nothing here has to succeed.
//!
//! What takes long (pulling, ending nodes, reading logs, asking for health) happens in tasks of its
//! own, which end with the actor. `watching` holds the part that looks.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use roadstead_domain::ids::ContainerServiceId;
use roadstead_domain::lightsail::deployment::DeploymentVersion;
use roadstead_domain::lightsail::names::ContainerName;
use roadstead_domain::time::Timestamp;
use roadstead_registry::containers::runtime::{WantedDeployment, WantedService};

use crate::deployment::{Backoff, Contained, Deployment, Images, Node};
use crate::engine::{Engine, EngineError};
use crate::images::{self, Wanted};
use crate::limits::Limits;
use crate::lines::Source;
use crate::node::{Found, NodeKey};
use crate::plan::{Goal, Phase, Step, plan};
use crate::status::Status;
use crate::teardown::Teardown;
use crate::usage::Reading;
use crate::{Ending, Shared, make, sandbox};

/// The pause after steps were taken.
const AFTER_STEPS: Duration = Duration::from_millis(50);
/// The pause between looks.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// What was read of the nodes when they were last measured.
pub type Readings = Arc<Mutex<BTreeMap<NodeKey, HashMap<String, Reading>>>>;

/// The actor of a service.
pub struct Actor {
    pub(crate) shared: Arc<Shared>,
    pub(crate) id: ContainerServiceId,
    pub(crate) status: Arc<Status>,
    pub(crate) deployments: BTreeMap<DeploymentVersion, Deployment>,
    pub(crate) nodes: BTreeMap<NodeKey, Node>,
    pub(crate) contained: HashMap<String, Contained>,
    pub(crate) readings: Readings,
    pub(crate) measuring: Option<Ending<()>>,
    pub(crate) measured_at: Option<Timestamp>,
    /// When to make a node again that could not be made.
    retries: BTreeMap<NodeKey, Backoff>,
    teardowns: BTreeMap<NodeKey, Ending<()>>,
    /// Nothing was left behind since the last look for it.
    is_tidy: bool,
}

impl Actor {
    /// An actor that knows nothing yet.
    pub fn new(shared: Arc<Shared>, id: ContainerServiceId, status: Arc<Status>) -> Self {
        Self {
            shared,
            id,
            status,
            deployments: BTreeMap::new(),
            nodes: BTreeMap::new(),
            contained: HashMap::new(),
            readings: Readings::default(),
            measuring: None,
            measured_at: None,
            retries: BTreeMap::new(),
            teardowns: BTreeMap::new(),
            is_tidy: false,
        }
    }

    /// Works until it is dropped.
    pub async fn run(mut self) {
        loop {
            let pause = match self.look_and_act().await {
                Ok(pause) => pause,
                Err(error) => {
                    tracing::debug!(service = %self.id, %error, "containers");
                    Some(BETWEEN_LOOKS)
                }
            };
            let bell = self.status.bell.clone();
            match pause {
                // Nothing to do until somebody says so.
                None => bell.notified().await,
                Some(pause) => {
                    let _ = tokio::time::timeout(pause, bell.notified()).await;
                }
            }
        }
    }

    /// One look and its steps; how long until the next one.
    async fn look_and_act(&mut self) -> Result<Option<Duration>, EngineError> {
        let wanted = self.status.wanted();
        let (shared, id) = (self.shared.clone(), self.id.clone());
        let server = &shared.options.server;
        // Before the look: what is seen of a node is never older than its end.
        self.teardowns.retain(|_, task| !task.0.is_finished());
        let found = shared.engine.containers(server, Some(id.as_str())).await?;
        self.remember(wanted.as_ref(), &found);
        self.take_images(wanted.as_ref()).await;
        self.watch(wanted.as_ref(), &found);
        let scale = wanted.as_ref().map_or(0, |wanted| wanted.scale.nodes());
        let busy: BTreeSet<NodeKey> = self.teardowns.keys().copied().collect();
        let steps = plan(&self.goals(wanted.as_ref()), scale, &found, &busy);
        let mut has_acted = false;
        for step in steps {
            has_acted |= self.take(wanted.as_ref(), &found, step).await?;
        }
        let Some(wanted) = wanted else {
            return self.finish(None, &found).await;
        };
        self.limit(&wanted, &found).await?;
        self.measure(&wanted, &found);
        let reports = self.reports(&wanted, &found, scale);
        self.status.tell(&wanted, reports);
        match has_acted {
            true => Ok(Some(AFTER_STEPS)),
            false => self.finish(Some(&wanted), &found).await,
        }
    }

    fn goals(&self, wanted: Option<&WantedService>) -> Vec<Goal> {
        let deployments = wanted.into_iter().flat_map(|wanted| &wanted.deployments);
        let goal = |wanted: &WantedDeployment| {
            let memory = self.deployments.get(&wanted.version)?;
            Some(Goal {
                version: wanted.version,
                members: wanted.spec.containers.keys().cloned().collect(),
                phase: memory.phase(),
                has_images: matches!(memory.images, Images::Ready(_)),
            })
        };
        deployments.filter_map(goal).collect()
    }

    /// Takes a step; whether it changed something that the next look shows.
    async fn take(
        &mut self,
        wanted: Option<&WantedService>,
        found: &[Found],
        step: Step,
    ) -> Result<bool, EngineError> {
        match step {
            Step::Remove(node) => {
                self.tear_down(node, found);
                return Ok(false);
            }
            Step::Fail { node, member, id } => {
                let why = self.ending(&id).await?;
                let why = format!("{why} before the deployment was healthy.");
                self.fail(node.version, &member, why);
            }
            Step::Start {
                node,
                member,
                id,
                has_ended,
            } => return self.start(node, &member, &id, has_ended).await,
            Step::Prepare(version) => {
                if let Some(wanted) = wanted {
                    self.prepare(wanted, version, found);
                }
                return Ok(false);
            }
            Step::Create(node) => {
                let Some(wanted) = wanted else {
                    return Ok(false);
                };
                return self.create(wanted, node).await;
            }
        }
        Ok(true)
    }

    /// Begins to end a node.
    fn tear_down(&mut self, node: NodeKey, found: &[Found]) {
        let flight = self.status.routes.remove(node);
        self.nodes.remove(&node);
        let containers: Vec<Found> = found
            .iter()
            .filter(|container| container.node == node)
            .cloned()
            .collect();
        let followers = containers
            .iter()
            .filter_map(|container| self.contained.get_mut(&container.id)?.follower.take())
            .collect();
        let teardown = Teardown {
            containers,
            flight,
            followers,
        };
        let (shared, bell) = (self.shared.clone(), self.status.bell.clone());
        let task = self.shared.runtime.spawn(async move {
            if let Err(error) = teardown.run(&shared.engine, &shared.options).await {
                tracing::debug!(%error, "ending a node");
                // Not at once again.
                tokio::time::sleep(BETWEEN_LOOKS).await;
            }
            bell.notify_one();
        });
        self.teardowns.insert(node, Ending(task));
        self.is_tidy = false;
    }

    /// Starts a container, if it is time. One that ended waits longer each time.
    async fn start(
        &mut self,
        node: NodeKey,
        member: &ContainerName,
        id: &str,
        has_ended: bool,
    ) -> Result<bool, EngineError> {
        let now = self.now();
        if has_ended && !self.contained(id).is_end_told {
            let why = self.ending(id).await?;
            self.say(node.version, member, format!("{why} and is started again."));
            let contained = self.contained(id);
            contained.is_end_told = true;
            contained.restart.fail_after(contained.since, now);
        }
        if !self.contained(id).restart.is_over(now) {
            return Ok(false);
        }
        match self.shared.engine.clone().start(id).await {
            Ok(()) => {
                let contained = self.contained(id);
                contained.since = now;
                contained.is_end_told = false;
                contained.follower = None;
                contained.was_followed = false;
                Ok(true)
            }
            Err(error @ EngineError::Unreachable(_)) => Err(error),
            Err(error) => {
                self.contained(id).restart.fail(now);
                self.cannot_start(node.version, member, &error);
                Ok(false)
            }
        }
    }

    /// Begins to get the images of a deployment, unless that is under way or has to wait.
    fn prepare(&mut self, wanted: &WantedService, version: DeploymentVersion, found: &[Found]) {
        let now = self.now();
        let Some(memory) = self.deployments.get_mut(&version) else {
            return;
        };
        let deployment = wanted.deployments.iter().find(|one| one.version == version);
        let (Images::Unknown, true, Some(deployment)) =
            (&memory.images, memory.images_retry.is_over(now), deployment)
        else {
            return;
        };
        let options = &self.shared.options;
        let what = Wanted {
            service: wanted.clone(),
            spec: deployment.spec.clone(),
            pins: deployment.pins.clone(),
            registry: options.registry.clone(),
            pulls: self.shared.pulls.clone(),
            is_fresh: !found.iter().any(|one| one.node.version == version),
        };
        let (engine, bell) = (self.shared.engine.clone(), self.status.bell.clone());
        memory.images = Images::Preparing(Ending(self.shared.runtime.spawn(async move {
            let prepared = what.prepare(&engine).await;
            bell.notify_one();
            prepared
        })));
    }

    /// Takes in what the tasks that get images came to.
    async fn take_images(&mut self, wanted: Option<&WantedService>) {
        let deployments = wanted.into_iter().flat_map(|wanted| &wanted.deployments);
        let versions: Vec<DeploymentVersion> = deployments.map(|one| one.version).collect();
        let now = self.now();
        for version in versions {
            let Some(memory) = self.deployments.get_mut(&version) else {
                continue;
            };
            let Some(task) = memory.images.take_finished() else {
                continue;
            };
            match task.outcome().await {
                Some(Ok(prepared)) => {
                    memory.images = Images::Ready(prepared);
                    memory.images_retry = Backoff::default();
                }
                Some(Err(unprepared)) if unprepared.is_final => {
                    memory.images_retry.fail(now);
                    self.fail(version, &unprepared.container, unprepared.message);
                }
                Some(Err(_)) | None => {}
            }
        }
    }

    /// Makes a node, if it is time. What is left of one that could not be made goes at the next
    /// look.
    async fn create(&mut self, wanted: &WantedService, node: NodeKey) -> Result<bool, EngineError> {
        let now = self.now();
        if !self
            .retries
            .get(&node)
            .is_none_or(|retry| retry.is_over(now))
        {
            return Ok(false);
        }
        let deployment = wanted
            .deployments
            .iter()
            .find(|one| one.version == node.version);
        let Some(deployment) = deployment else {
            return Ok(false);
        };
        self.is_tidy = false;
        match self.create_sandbox(wanted, deployment, node).await {
            Err(error @ EngineError::Unreachable(_)) => return Err(error),
            Err(error) => {
                for member in deployment.spec.containers.keys() {
                    let why = format!("A node could not be made: {error}.");
                    self.say(node.version, member, why);
                }
                self.retries.entry(node).or_default().fail(now);
            }
            Ok(sandbox) => {
                self.create_members(wanted, deployment, node, &sandbox)
                    .await?
            }
        }
        Ok(true)
    }

    async fn create_sandbox(
        &self,
        wanted: &WantedService,
        deployment: &WantedDeployment,
        node: NodeKey,
    ) -> Result<String, EngineError> {
        let engine: &Engine = &self.shared.engine;
        let server = &self.shared.options.server;
        engine
            .ensure_network(&make::network(server, wanted), server)
            .await?;
        sandbox::ensure_image(engine, server).await?;
        let port = deployment.spec.public_endpoint.as_ref().map(|one| one.port);
        let (name, body) = make::sandbox(server, wanted, node, port);
        let id = engine.create(name, body).await?;
        engine.start(&id).await?;
        Ok(id)
    }

    async fn create_members(
        &mut self,
        wanted: &WantedService,
        deployment: &WantedDeployment,
        node: NodeKey,
        sandbox: &str,
    ) -> Result<(), EngineError> {
        let shared = self.shared.clone();
        let members = deployment.spec.containers.len();
        let now = self.now();
        let processors = shared.engine.processors().await?;
        let limits = Limits::of_member(wanted.power, members, processors);
        for member in &deployment.spec.containers {
            let Some(image) = self.image(node.version, member.0) else {
                return Ok(());
            };
            let server = &shared.options.server;
            let (name, body) =
                make::member(server, wanted, node, member, (&image, sandbox), limits);
            let made = async {
                let id = shared.engine.create(name, body).await?;
                shared.engine.start(&id).await?;
                Ok(id)
            };
            match made.await {
                Ok(id) => self.contained(&id).limits = Some(limits),
                Err(error @ EngineError::Unreachable(_)) => return Err(error),
                Err(EngineError::Missing(why)) if why.contains("No such image") => {
                    tracing::debug!(why, "an image is gone again");
                    self.forget_images(node.version);
                    self.retries.entry(node).or_default().fail(now);
                    return Ok(());
                }
                // What is in the way is being removed.
                Err(EngineError::Conflict(why)) => {
                    tracing::debug!(why, "making a container");
                    self.retries.entry(node).or_default().fail(now);
                    return Ok(());
                }
                Err(error) => {
                    self.retries.entry(node).or_default().fail(now);
                    self.cannot_start(node.version, member.0, &error);
                    return Ok(());
                }
            }
        }
        self.retries.remove(&node);
        Ok(())
    }

    fn image(&self, version: DeploymentVersion, member: &ContainerName) -> Option<String> {
        match &self.deployments.get(&version)?.images {
            Images::Ready(prepared) => prepared.get(member).cloned(),
            Images::Unknown | Images::Preparing(_) => None,
        }
    }

    fn forget_images(&mut self, version: DeploymentVersion) {
        let now = self.now();
        if let Some(memory) = self.deployments.get_mut(&version) {
            memory.images = Images::Unknown;
            memory.images_retry.fail(now);
        }
    }

    fn cannot_start(
        &mut self,
        version: DeploymentVersion,
        member: &ContainerName,
        error: &EngineError,
    ) {
        let why = format!("The container could not be started: {error}.");
        self.fail(version, member, why);
    }

    /// Gives a deployment up, unless it was healthy before, and says why in any case.
    fn fail(&mut self, version: DeploymentVersion, member: &ContainerName, why: String) {
        self.say(version, member, why);
        if let Some(memory) = self.deployments.get_mut(&version)
            && memory.phase() == Phase::Activating
        {
            memory.has_failed = true;
        }
    }

    /// Writes a line into the log of a container.
    fn say(&self, version: DeploymentVersion, member: &ContainerName, what: String) {
        let source = self.source(version, member);
        let line = format!("[deployment:{}] {what}", version.0);
        self.shared
            .lines
            .say(&source, self.shared.clock.now(), line);
    }

    pub(crate) fn source(&self, version: DeploymentVersion, member: &ContainerName) -> Source {
        Source {
            service: self.id.clone(),
            version,
            container: member.clone(),
        }
    }

    /// The present instant.
    pub(crate) fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    async fn ending(&self, id: &str) -> Result<String, EngineError> {
        let ending = self.shared.engine.ending(id).await?;
        Ok(match ending.out_of_memory {
            true => "The container ran out of memory".to_owned(),
            false => format!("The container ended with exit code {}", ending.code),
        })
    }

    pub(crate) fn contained(&mut self, id: &str) -> &mut Contained {
        let now = self.now();
        self.contained
            .entry(id.to_owned())
            .or_insert_with(|| Contained::new(now))
    }

    /// Lets containers use what the power of the service gives now.
    async fn limit(&mut self, wanted: &WantedService, found: &[Found]) -> Result<(), EngineError> {
        let processors = self.shared.engine.processors().await?;
        for (container, member, members) in crate::watching::members(wanted, found) {
            let limits = Limits::of_member(wanted.power, members, processors);
            if self.contained(&container.id).limits == Some(limits) {
                continue;
            }
            match self.shared.engine.limit(&container.id, limits).await {
                Err(error @ EngineError::Unreachable(_)) => return Err(error),
                Err(error) => {
                    let why = format!("The power of the container could not be changed: {error}.");
                    self.say(container.node.version, member, why);
                }
                Ok(()) => {}
            }
            self.contained(&container.id).limits = Some(limits);
        }
        Ok(())
    }

    /// Once nothing is going on: removes what is left behind, and says so if nothing is left.
    async fn finish(
        &mut self,
        wanted: Option<&WantedService>,
        found: &[Found],
    ) -> Result<Option<Duration>, EngineError> {
        if !self.teardowns.is_empty() {
            return Ok(Some(BETWEEN_LOOKS));
        }
        let is_nothing_wanted = wanted.is_none_or(|wanted| wanted.deployments.is_empty());
        let is_gone = is_nothing_wanted && found.is_empty();
        if !self.is_tidy {
            self.tidy(is_gone).await?;
            self.is_tidy = true;
        }
        if !is_gone {
            return Ok(Some(BETWEEN_LOOKS));
        }
        self.status.tell_gone(wanted);
        Ok(None)
    }

    /// Something may be left behind.
    pub(crate) fn untidy(&mut self) {
        self.is_tidy = false;
    }

    /// Whether a node is being removed.
    pub(crate) fn is_ending(&self, node: NodeKey) -> bool {
        self.teardowns.contains_key(&node)
    }

    async fn tidy(&self, is_gone: bool) -> Result<(), EngineError> {
        let (engine, options) = (&self.shared.engine, &self.shared.options);
        let needed = || self.shared.needed_images();
        images::remove_unneeded(engine, &options.registry, needed).await?;
        if is_gone {
            engine.remove_idle_networks(&options.server).await?;
            match engine.remove_image(&sandbox::image(&options.server)).await {
                Err(error @ EngineError::Unreachable(_)) => return Err(error),
                // Other services may have nodes.
                Ok(())
                | Err(
                    EngineError::Missing(_) | EngineError::Conflict(_) | EngineError::Refused(_),
                ) => {}
            }
        }
        Ok(())
    }
}
