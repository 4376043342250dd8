//! The looking half of an actor: remembers what is there, forgets what is gone, has logs read and
//! nodes asked for their health, measures, and says how far the deployments are.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::SocketAddr;

use roadstead_domain::lightsail::deployment::DeploymentVersion;
use roadstead_domain::lightsail::names::ContainerName;
use roadstead_domain::lightsail::service::{Failure, Report};
use roadstead_domain::lightsail::state::StateDetailCode;
use roadstead_registry::containers::runtime::{NodeUsage, WantedDeployment, WantedService};

use crate::actor::Actor;
use crate::deployment::Node;
use crate::node::{Condition, Found, NodeKey, Role};
use crate::plan::Phase;
use crate::{Ending, follow, health, locked, span, usage};

/// The running containers of wanted deployments, each with its name and the number of containers
/// that it shares its node with, itself included.
pub fn members<'a>(
    wanted: &'a WantedService,
    found: &'a [Found],
) -> impl Iterator<Item = (&'a Found, &'a ContainerName, usize)> {
    found.iter().filter_map(|container| {
        let Role::Member(name) = &container.role else {
            return None;
        };
        let deployment = wanted
            .deployments
            .iter()
            .find(|one| one.version == container.node.version)?;
        let is_running = container.condition == Condition::Running;
        is_running.then_some((container, name, deployment.spec.containers.len()))
    })
}

/// What is there of one node.
struct Seen<'a>(Vec<&'a Found>);

impl<'a> Seen<'a> {
    fn of(node: NodeKey, found: &'a [Found]) -> Self {
        let containers = found.iter().filter(|one| one.node == node);
        Self(containers.collect())
    }

    fn sandbox(&self) -> Option<&'a Found> {
        let mut containers = self.0.iter();
        let is_it =
            |one: &&&Found| one.role == Role::Sandbox && one.condition == Condition::Running;
        containers.find(is_it).copied()
    }

    fn runs(&self, member: &ContainerName) -> bool {
        self.0.iter().any(|one| {
            one.condition == Condition::Running
                && matches!(&one.role, Role::Member(name) if name == member)
        })
    }

    fn runs_all(&self, deployment: &WantedDeployment) -> bool {
        let mut members = deployment.spec.containers.keys();
        self.sandbox().is_some() && members.all(|member| self.runs(member))
    }
}

impl Actor {
    /// Makes memory and engine agree on what there is.
    pub(crate) fn remember(&mut self, wanted: Option<&WantedService>, found: &[Found]) {
        let deployments: BTreeMap<DeploymentVersion, bool> = wanted
            .into_iter()
            .flat_map(|wanted| &wanted.deployments)
            .map(|one| (one.version, one.is_serving))
            .collect();
        let before = self.deployments.len();
        self.deployments
            .retain(|version, _| deployments.contains_key(version));
        if self.deployments.len() != before {
            self.untidy();
        }
        for (version, is_serving) in deployments {
            let memory = self.deployments.entry(version).or_default();
            memory.is_settled |= is_serving;
            memory.has_failed &= !is_serving;
        }
        let there: BTreeSet<NodeKey> = found.iter().map(|one| one.node).collect();
        let routes = &self.status.routes;
        self.nodes.retain(|node, _| {
            let is_there = there.contains(node);
            if !is_there {
                routes.remove(*node);
            }
            is_there
        });
        let ids: HashSet<&str> = found.iter().map(|one| one.id.as_str()).collect();
        let lines = &self.shared.lines;
        self.contained.retain(|id, _| {
            let is_there = ids.contains(id.as_str());
            if !is_there {
                lines.forget(id);
            }
            is_there
        });
        locked(&self.readings).retain(|node, _| there.contains(node));
    }

    /// Has logs read and nodes asked.
    pub(crate) fn watch(&mut self, wanted: Option<&WantedService>, found: &[Found]) {
        for container in found {
            self.follow(container);
        }
        let wanted: Vec<WantedDeployment> = wanted
            .into_iter()
            .flat_map(|wanted| wanted.deployments.clone())
            .collect();
        let there: BTreeSet<NodeKey> = found.iter().map(|one| one.node).collect();
        for node in there {
            let deployment = wanted.iter().find(|one| one.version == node.version);
            if let Some(deployment) = deployment.filter(|_| !self.is_ending(node)) {
                self.watch_node(deployment, node, found);
            }
        }
    }

    fn watch_node(&mut self, deployment: &WantedDeployment, node: NodeKey, found: &[Found]) {
        let memory = self.deployments.get(&node.version);
        let is_settled = memory.is_some_and(|memory| memory.phase() == Phase::Settled);
        let seen = Seen::of(node, found);
        let endpoint = deployment.spec.public_endpoint.as_ref();
        let address = endpoint.and_then(|endpoint| {
            let published = &seen.sandbox()?.published;
            let outside = published.iter().find(|(port, _)| *port == endpoint.port)?.1;
            Some(SocketAddr::from(([127, 0, 0, 1], outside)))
        });
        let can_be_asked = match endpoint {
            Some(endpoint) => address.is_some() && seen.runs(&endpoint.container),
            None => seen.runs_all(deployment),
        };
        let (runtime, bell) = (self.shared.runtime.clone(), self.status.bell.clone());
        let settle = self.shared.options.settle;
        let memory = self.nodes.entry(node).or_default();
        if !can_be_asked {
            memory.rest();
            return;
        }
        let is_asked = memory.watcher.as_ref().is_some_and(|one| one.0 == address);
        if !is_asked {
            // An older watcher must not speak of this address.
            *memory = Node::default();
            let health = memory.health.clone();
            let task = match (endpoint, address) {
                (Some(endpoint), Some(address)) => {
                    let check = endpoint.health_check.clone();
                    runtime.spawn(health::watch(address, check, is_settled, health, bell))
                }
                _ => runtime.spawn(health::settle(settle, health, bell)),
            };
            memory.watcher = Some((address, Ending(task)));
        }
        if let Some(address) = address {
            self.status.routes.put(node, address, &memory.health);
        }
    }

    fn follow(&mut self, container: &Found) {
        let Role::Member(name) = &container.role else {
            return;
        };
        let has_output = match container.condition {
            Condition::Running | Condition::Ended => true,
            Condition::Created | Condition::Going => false,
        };
        if !has_output || self.is_ending(container.node) {
            return;
        }
        let source = self.source(container.node.version, name);
        let (shared, bell) = (self.shared.clone(), self.status.bell.clone());
        let contained = self.contained(&container.id);
        let is_followed = contained
            .follower
            .as_ref()
            .is_some_and(|task| !task.0.is_finished());
        let is_read = container.condition == Condition::Ended && contained.was_followed;
        if is_followed || is_read {
            return;
        }
        let reading = follow::follow(
            shared.engine.clone(),
            shared.lines.clone(),
            source,
            container.id.clone(),
            bell,
        );
        contained.follower = Some(Ending(shared.runtime.spawn(reading)));
        contained.was_followed = true;
    }

    /// How far each deployment is.
    pub(crate) fn reports(
        &mut self,
        wanted: &WantedService,
        found: &[Found],
        scale: u8,
    ) -> BTreeMap<DeploymentVersion, Report> {
        let mut reports = BTreeMap::new();
        for deployment in &wanted.deployments {
            let version = deployment.version;
            let (mut running, mut healthy) = (0, 0);
            for number in 0..scale {
                let node = NodeKey { version, number };
                if Seen::of(node, found).runs_all(deployment) {
                    running += 1;
                    let memory = self.nodes.get(&node);
                    healthy += u8::from(memory.is_some_and(|node| node.health.is_healthy()));
                }
            }
            let Some(memory) = self.deployments.get_mut(&version) else {
                continue;
            };
            let report = match memory.phase() {
                Phase::Failed => Report::Failed(Failure::TookTooLong),
                Phase::Activating | Phase::Settled if healthy == scale => {
                    memory.is_settled = true;
                    Report::Healthy
                }
                _ if running == scale => Report::Working(StateDetailCode::EvaluatingHealthCheck),
                _ => Report::Working(StateDetailCode::CreatingDeployment),
            };
            reports.insert(version, report);
        }
        reports
    }

    /// Measures the nodes, if it is time.
    pub(crate) fn measure(&mut self, wanted: &WantedService, found: &[Found]) {
        let every = self.shared.options.usage_every;
        let now = self.now();
        let is_due = self.measured_at.is_none_or(|at| at + span(every) <= now);
        let is_measuring = self
            .measuring
            .as_ref()
            .is_some_and(|task| !task.0.is_finished());
        if !is_due || is_measuring {
            return;
        }
        self.measured_at = Some(now);
        let mut nodes: BTreeMap<NodeKey, Vec<String>> = BTreeMap::new();
        for (container, _, _) in members(wanted, found) {
            let ids = nodes.entry(container.node).or_default();
            ids.push(container.id.clone());
        }
        let (shared, readings) = (self.shared.clone(), self.readings.clone());
        let (service, power) = (self.id.clone(), wanted.power);
        self.measuring = Some(Ending(self.shared.runtime.spawn(async move {
            for (node, ids) in nodes {
                let mut now = HashMap::new();
                for id in ids {
                    // One that ended meanwhile uses nothing.
                    if let Ok(Some(stats)) = shared.engine.usage(&id).await
                        && let Some(reading) = usage::read(&stats)
                    {
                        now.insert(id, reading);
                    }
                }
                let before = locked(&readings).insert(node, now.clone());
                if let Some(usage) = usage::between(power, &before.unwrap_or_default(), &now) {
                    shared.add_usage(NodeUsage {
                        service: service.clone(),
                        version: node.version,
                        at: shared.clock.now(),
                        usage,
                    });
                }
            }
        })));
    }
}
