//! The decision: what is wanted against what the engine has, as a list of steps. Pure; whoever
//! takes the steps comes back with a new look, so a step may fail or be forgotten.

use std::collections::BTreeSet;

use roadstead_domain::lightsail::deployment::DeploymentVersion;
use roadstead_domain::lightsail::names::ContainerName;

use crate::node::{Condition, Found, NodeKey, Role};

/// A deployment that should run, and what is known of it.
#[derive(Debug, Clone)]
pub struct Goal {
    /// Its number.
    pub version: DeploymentVersion,
    /// Its containers.
    pub members: Vec<ContainerName>,
    /// How it stands.
    pub phase: Phase,
    /// Whether its images are at hand.
    pub has_images: bool,
}

/// How a deployment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It was never healthy: a container that ends is its end.
    Activating,
    /// It serves or could: a container that ends is started again.
    Settled,
    /// It failed: it stays as it is until it is no longer wanted.
    Failed,
}

/// Something to do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Stop and remove a node: nobody wants it, or it cannot be mended.
    Remove(NodeKey),
    /// The deployment fails, because this container ended.
    Fail {
        /// Its node.
        node: NodeKey,
        /// Its name.
        member: ContainerName,
        /// The engine's id of it.
        id: String,
    },
    /// Start a container that was not started, or again one that ended.
    Start {
        /// Its node.
        node: NodeKey,
        /// Its name.
        member: ContainerName,
        /// The engine's id of it.
        id: String,
        /// Whether it ran before.
        has_ended: bool,
    },
    /// Get the images of a deployment.
    Prepare(DeploymentVersion),
    /// Make a node.
    Create(NodeKey),
}

/// What to do. `busy` nodes are being removed: they are left alone and in place.
pub fn plan(goals: &[Goal], scale: u8, found: &[Found], busy: &BTreeSet<NodeKey>) -> Vec<Step> {
    let there: BTreeSet<NodeKey> = found.iter().map(|container| container.node).collect();
    let mut steps = Vec::new();
    for node in there.difference(busy) {
        let goal = goals.iter().find(|goal| goal.version == node.version);
        let containers = found.iter().filter(|container| container.node == *node);
        let containers: Vec<&Found> = containers.collect();
        match goal.filter(|_| node.number < scale) {
            Some(goal) if goal.phase == Phase::Failed => {}
            Some(goal) if is_whole(goal, &containers) => {
                steps.extend(containers.iter().filter_map(|one| mend(goal, one)));
            }
            _ => steps.push(Step::Remove(*node)),
        }
    }
    for goal in goals.iter().filter(|goal| goal.phase != Phase::Failed) {
        let number = (0..scale).find(|number| {
            let node = NodeKey {
                version: goal.version,
                number: *number,
            };
            !there.contains(&node) && !busy.contains(&node)
        });
        match number {
            None => {}
            Some(_) if !goal.has_images => steps.push(Step::Prepare(goal.version)),
            // One at a time: making one takes a while, and others may need care meanwhile.
            Some(number) => steps.push(Step::Create(NodeKey {
                version: goal.version,
                number,
            })),
        }
    }
    steps
}

/// Whether nothing of a node is missing or lost. A sandbox that ended took the network with it, and
/// what is being removed by others comes back only with its node.
fn is_whole(goal: &Goal, containers: &[&Found]) -> bool {
    let has_sandbox = containers
        .iter()
        .any(|one| one.role == Role::Sandbox && one.condition == Condition::Running);
    let has = |member: &ContainerName| {
        containers.iter().any(|one| {
            matches!(&one.role, Role::Member(name) if name == member)
                && one.condition != Condition::Going
        })
    };
    has_sandbox && goal.members.iter().all(has)
}

fn mend(goal: &Goal, found: &Found) -> Option<Step> {
    let Role::Member(member) = &found.role else {
        return None;
    };
    let (node, member, id) = (found.node, member.clone(), found.id.clone());
    match (found.condition, goal.phase) {
        (Condition::Running | Condition::Going, _) | (_, Phase::Failed) => None,
        (Condition::Ended, Phase::Activating) => Some(Step::Fail { node, member, id }),
        (Condition::Created | Condition::Ended, _) => Some(Step::Start {
            node,
            member,
            id,
            has_ended: found.condition == Condition::Ended,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use roadstead_domain::ids::ContainerServiceId;

    fn name(text: &str) -> ContainerName {
        ContainerName::parse(text).unwrap()
    }

    fn goal(version: u64, phase: Phase) -> Goal {
        Goal {
            version: DeploymentVersion(version),
            members: vec![name("app"), name("db")],
            phase,
            has_images: true,
        }
    }

    fn key(version: u64, number: u8) -> NodeKey {
        NodeKey {
            version: DeploymentVersion(version),
            number,
        }
    }

    fn container(node: NodeKey, role: &str, condition: Condition) -> Found {
        Found {
            id: format!("{}.{}.{role}", node.version.0, node.number),
            service: ContainerServiceId::from_random(1),
            node,
            role: match role {
                "sandbox" => Role::Sandbox,
                member => Role::Member(name(member)),
            },
            condition,
            published: vec![],
        }
    }

    /// A node in the conditions of its sandbox, `app` and `db`.
    fn node(key: NodeKey, conditions: [Condition; 3]) -> Vec<Found> {
        let roles = ["sandbox", "app", "db"].into_iter();
        roles
            .zip(conditions)
            .map(|(role, condition)| container(key, role, condition))
            .collect()
    }

    fn start(node: NodeKey, member: &str, has_ended: bool) -> Step {
        Step::Start {
            node,
            member: name(member),
            id: format!("{}.{}.{member}", node.version.0, node.number),
            has_ended,
        }
    }

    const UP: [Condition; 3] = [Condition::Running; 3];

    #[test]
    fn one_deployment_on_one_node() {
        use Condition::{Created, Ended, Going, Running};
        let one = key(1, 0);
        let fail = Step::Fail {
            node: one,
            member: name("app"),
            id: "1.0.app".into(),
        };
        let rows: [(Phase, Vec<Found>, Vec<Step>); 11] = [
            (Phase::Activating, vec![], vec![Step::Create(one)]),
            (Phase::Failed, vec![], vec![]),
            (Phase::Activating, node(one, UP), vec![]),
            (
                Phase::Activating,
                node(one, [Running, Created, Running]),
                vec![start(one, "app", false)],
            ),
            (
                Phase::Activating,
                node(one, [Running, Ended, Running]),
                vec![fail],
            ),
            (
                Phase::Settled,
                node(one, [Running, Ended, Ended]),
                vec![start(one, "app", true), start(one, "db", true)],
            ),
            (Phase::Failed, node(one, [Running, Ended, Running]), vec![]),
            // The network is gone.
            (
                Phase::Settled,
                node(one, [Ended, Running, Running]),
                vec![Step::Remove(one)],
            ),
            (
                Phase::Settled,
                node(one, [Created, Created, Created]),
                vec![Step::Remove(one)],
            ),
            // Somebody removes a container.
            (
                Phase::Settled,
                node(one, [Running, Going, Running]),
                vec![Step::Remove(one)],
            ),
            // One is missing.
            (
                Phase::Settled,
                node(one, UP)[..2].to_vec(),
                vec![Step::Remove(one)],
            ),
        ];
        for (phase, found, expected) in rows {
            let steps = plan(&[goal(1, phase)], 1, &found, &BTreeSet::new());
            assert_eq!(steps, expected, "{phase:?} {found:?}");
        }
    }

    #[test]
    fn nodes_come_one_by_one_and_images_first() {
        let mut wanted = goal(1, Phase::Activating);
        let found = node(key(1, 1), UP);
        let steps = |goal: &Goal| plan(std::slice::from_ref(goal), 3, &found, &BTreeSet::new());
        assert_eq!(steps(&wanted), [Step::Create(key(1, 0))]);
        wanted.has_images = false;
        assert_eq!(steps(&wanted), [Step::Prepare(DeploymentVersion(1))]);
    }

    #[test]
    fn what_nobody_wants_goes() {
        let none = BTreeSet::new();
        let mut found = node(key(1, 0), UP);
        found.extend(node(key(2, 0), UP));
        found.extend(node(key(2, 1), UP));
        let removed = |goals: &[Goal], scale| plan(goals, scale, &found, &none);
        let all = [key(1, 0), key(2, 0), key(2, 1)].map(Step::Remove);
        assert_eq!(removed(&[], 2), all);
        // Beside each other until the old one is given up.
        let both = [goal(1, Phase::Settled), goal(2, Phase::Activating)];
        assert_eq!(
            removed(&both, 1),
            [Step::Remove(key(2, 1))],
            "the scale shrank"
        );
        assert_eq!(removed(&both[1..], 2), [Step::Remove(key(1, 0))]);
    }

    #[test]
    fn nodes_being_removed_are_left_alone() {
        let found = node(key(1, 0), UP);
        let busy = BTreeSet::from([key(1, 0)]);
        assert_eq!(plan(&[], 1, &found, &busy), []);
        // Not made again before it is gone, seen or not.
        let wanted = [goal(1, Phase::Settled)];
        assert_eq!(plan(&wanted, 1, &found, &busy), []);
        assert_eq!(plan(&wanted, 1, &[], &busy), []);
    }
}
