//! Storing a change of a service: the service, the deployments that it finished, and the lines that
//! it writes into the logs of their containers.

use roadstead_domain::lightsail::deployment::{Deployment, superseded};
use roadstead_domain::lightsail::log_lines::SystemLine;
use roadstead_domain::lightsail::log_pages::LogEvent;
use roadstead_domain::lightsail::service::{Changed, Effect};
use roadstead_domain::time::Timestamp;
use roadstead_store::metadata::{MetadataWrite, NewLogLine, StoreError, StoredService};

use crate::Registry;
use crate::context::Ids;

/// Most lines that one change writes into one log: two of the new deployment, one of the old one.
const LINES_MAX: usize = 4;

/// When a change happens, with sequence numbers for its lines.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) now: Timestamp,
    sequences: [u64; LINES_MAX],
}

impl Moment {
    fn draw(ids: &dyn Ids, now: Timestamp) -> Self {
        Self {
            now,
            sequences: std::array::from_fn(|_| ids.sequence(now).unsigned_abs()),
        }
    }

    /// Stores `changed`, what becomes of `before`, and gives the service as it is then.
    pub(super) async fn store(
        &self,
        tx: &mut dyn MetadataWrite,
        before: &StoredService,
        changed: Changed,
    ) -> Result<StoredService, StoreError> {
        let after = StoredService {
            service: changed.service.clone(),
            ..before.clone()
        };
        for deployment in &changed.finished {
            tx.put_container_deployment(&after.id, deployment).await?;
        }
        tx.update_container_service(&after).await?;
        if before.service.next_version != after.service.next_version {
            let kept = tx.container_deployment_states(&after.id).await?;
            let gone: Vec<_> = superseded(&kept).into_iter().collect();
            tx.delete_container_deployments(&after.id, &gone).await?;
        }
        tx.append_container_log(&self.lines(&after, &changed))
            .await?;
        Ok(after)
    }

    fn lines(&self, after: &StoredService, changed: &Changed) -> Vec<NewLogLine> {
        let service = &after.service;
        let live = [&service.current, &service.next].into_iter().flatten();
        let deployments: Vec<&Deployment> = live.chain(&changed.finished).collect();
        let mut lines = Vec::new();
        let told = changed.effects.iter().filter_map(|effect| match effect {
            Effect::Log(line) => Some(line),
            Effect::Start(_) | Effect::Restart(_) | Effect::Stop(_) => None,
        });
        for (line, sequence) in told.zip(self.sequences) {
            let of_line = |one: &&&Deployment| one.version == line.deployment;
            let deployment = deployments.iter().find(of_line);
            let containers = deployment.iter().flat_map(|one| one.spec.containers.keys());
            lines.extend(containers.map(|container| NewLogLine {
                service: after.id.clone(),
                container: container.clone(),
                event: self.event(line, sequence),
            }));
        }
        lines
    }

    fn event(&self, line: &SystemLine, sequence: u64) -> LogEvent {
        LogEvent {
            created_at: self.now,
            sequence,
            message: line.to_string(),
        }
    }
}

impl Registry {
    pub(super) fn moment(&self, now: Timestamp) -> Moment {
        Moment::draw(self.ids(), now)
    }
}
