//! The end of a node: no new requests, then none in flight, then its containers are asked to end,
//! and only once their last words were read they are removed.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::task::JoinHandle;

use crate::engine::{Engine, EngineError};
use crate::node::{Condition, Found, Role};
use crate::routes::Flight;
use crate::{Ending, Options};

/// How long the log of a container that ended may take to be read to its end.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// A node that was taken out of the routes.
pub struct Teardown {
    /// Its containers.
    pub containers: Vec<Found>,
    /// Its requests, if it could have any.
    pub flight: Option<Arc<Flight>>,
    /// Who reads the logs.
    pub followers: Vec<Ending<()>>,
}

impl Teardown {
    /// Ends it. What fails is tried again by whoever looks next.
    pub async fn run(self, engine: &Engine, options: &Options) -> Result<(), EngineError> {
        if let Some(flight) = self.flight {
            flight.landed(options.drain).await;
        }
        let (sandboxes, members): (Vec<Found>, Vec<Found>) = self
            .containers
            .into_iter()
            .partition(|one| one.role == Role::Sandbox);
        let running = members
            .iter()
            .filter(|one| one.condition == Condition::Running);
        let stops = running.map(|one| engine.stop(&one.id, options.stop));
        for stopped in join_all(stops).await {
            match stopped {
                Err(error @ EngineError::Unreachable(_)) => return Err(error),
                // Removing it does what is left.
                Ok(())
                | Err(
                    EngineError::Missing(_) | EngineError::Conflict(_) | EngineError::Refused(_),
                ) => {}
            }
        }
        read_to_the_end(self.followers).await;
        // The network goes last.
        for container in members.iter().chain(&sandboxes) {
            engine.remove(&container.id).await?;
        }
        Ok(())
    }
}

async fn read_to_the_end(mut followers: Vec<Ending<()>>) {
    let ends = followers
        .iter_mut()
        .map(|one| -> &mut JoinHandle<()> { &mut one.0 });
    // Lines that come later are lost with their container.
    let _ = tokio::time::timeout(LAST_WORDS, join_all(ends)).await;
}
