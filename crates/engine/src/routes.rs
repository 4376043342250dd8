//! Where requests to a service may go: its nodes with their published ports, and how many requests
//! each of them has in flight.
//!
//! A node that is taken out here gets no further request, whatever its health. Nothing here waits
//! but [`Flight::landed`].

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use roadstead_domain::lightsail::deployment::DeploymentVersion;
use roadstead_registry::containers::runtime::Upstream;
use tokio::sync::Notify;

use crate::locked;
use crate::node::NodeKey;

/// Whether a node may get requests, written by its health checks.
#[derive(Debug, Default)]
pub struct Health(AtomicBool);

impl Health {
    /// As of now.
    pub fn is_healthy(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// Tells it.
    pub fn set(&self, is_healthy: bool) {
        self.0.store(is_healthy, Ordering::SeqCst);
    }
}

/// The requests that a node has not answered yet.
#[derive(Debug, Default)]
pub struct Flight {
    count: AtomicUsize,
    ended: Notify,
}

impl Flight {
    /// Is done when there are none, or after `longest`.
    pub async fn landed(&self, longest: Duration) {
        let all = async {
            loop {
                let ended = self.ended.notified();
                if self.count.load(Ordering::SeqCst) == 0 {
                    return;
                }
                ended.await;
            }
        };
        // Who never ends an answer does not keep the node.
        let _ = tokio::time::timeout(longest, all).await;
    }
}

struct InFlight(Arc<Flight>);

impl InFlight {
    fn new(flight: &Arc<Flight>) -> Self {
        flight.count.fetch_add(1, Ordering::SeqCst);
        Self(flight.clone())
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.ended.notify_waiters();
        }
    }
}

struct Route {
    node: NodeKey,
    address: SocketAddr,
    health: Arc<Health>,
    flight: Arc<Flight>,
}

/// The nodes of one service.
#[derive(Default)]
pub struct Routes {
    nodes: Mutex<Vec<Route>>,
    turn: AtomicUsize,
}

impl Routes {
    /// Adds a node, or moves it to another address.
    pub fn put(&self, node: NodeKey, address: SocketAddr, health: &Arc<Health>) {
        let mut nodes = locked(&self.nodes);
        let is_same = |route: &Route| {
            route.node == node && route.address == address && Arc::ptr_eq(&route.health, health)
        };
        if nodes.iter().any(is_same) {
            return;
        }
        nodes.retain(|route| route.node != node);
        nodes.push(Route {
            node,
            address,
            health: health.clone(),
            flight: Arc::default(),
        });
    }

    /// Takes a node out; what it still has in flight can be waited for.
    pub fn remove(&self, node: NodeKey) -> Option<Arc<Flight>> {
        let mut nodes = locked(&self.nodes);
        let at = nodes.iter().position(|route| route.node == node)?;
        Some(nodes.swap_remove(at).flight)
    }

    /// The next healthy node of a deployment, in turn.
    pub fn pick(&self, version: DeploymentVersion) -> Option<Upstream> {
        let nodes = locked(&self.nodes);
        let is_good = |route: &&Route| route.node.version == version && route.health.is_healthy();
        let good: Vec<&Route> = nodes.iter().filter(is_good).collect();
        if good.is_empty() {
            return None;
        }
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let route = good.get(turn % good.len())?;
        Some(Upstream {
            address: route.address,
            // Counted under the lock: a node that is taken out sees every request that it gets.
            in_flight: Box::new(InFlight::new(&route.flight)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(version: u64, number: u8) -> NodeKey {
        NodeKey {
            version: DeploymentVersion(version),
            number,
        }
    }

    fn healthy() -> Arc<Health> {
        let health = Arc::new(Health::default());
        health.set(true);
        health
    }

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    #[test]
    fn healthy_nodes_of_the_deployment_take_turns() {
        let routes = Routes::default();
        let version = DeploymentVersion(2);
        assert!(routes.pick(version).is_none());
        routes.put(node(1, 0), address(1), &healthy());
        routes.put(node(2, 0), address(2), &healthy());
        routes.put(node(2, 1), address(3), &Arc::default());
        routes.put(node(2, 2), address(4), &healthy());
        let ports: Vec<u16> = (0..4)
            .map(|_| routes.pick(version).unwrap().address.port())
            .collect();
        assert_eq!(ports, [2, 4, 2, 4]);
        routes.remove(node(2, 0));
        let ports: Vec<u16> = (0..2)
            .map(|_| routes.pick(version).unwrap().address.port())
            .collect();
        assert_eq!(ports, [4, 4]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_taken_out_waits_for_its_requests() {
        let routes = Routes::default();
        routes.put(node(1, 0), address(1), &healthy());
        let request = routes.pick(DeploymentVersion(1)).unwrap();
        let flight = routes.remove(node(1, 0)).unwrap();
        let patience = Duration::from_secs(10);
        let waiting = tokio::spawn(async move {
            flight.landed(patience).await;
            flight.landed(patience).await;
        });
        tokio::time::sleep(patience + Duration::from_secs(1)).await;
        assert!(!waiting.is_finished());
        drop(request);
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert!(waiting.is_finished());
    }
}
