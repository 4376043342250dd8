//! `lastRecordedPullTime`: noted in memory by pulls, written behind them, so that no pull waits
//! for a commit. A crash loses the last few seconds of it and nothing else (ecr.md 6.2).

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use roadstead_domain::digest::Digest;
use roadstead_domain::ids::RepositoryId;
use roadstead_domain::time::Timestamp;

use crate::Registry;
use crate::error::Error;

/// Images whose pull waits to be written, at most; more are not noted until the next write.
const NOTED_MAX: usize = 20_000;
/// Pulls written in one transaction.
const BATCH: usize = 200;

/// Pulls that are not written yet, the latest of each image. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct PullTimes(Arc<Mutex<HashMap<(RepositoryId, Digest), Timestamp>>>);

impl PullTimes {
    fn lock(&self) -> MutexGuard<'_, HashMap<(RepositoryId, Digest), Timestamp>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a pull.
    pub(crate) fn note(&self, repository: RepositoryId, digest: &Digest, at: Timestamp) {
        let mut noted = self.lock();
        let has_room = noted.len() < NOTED_MAX;
        match noted.entry((repository, digest.clone())) {
            Entry::Occupied(mut known) => {
                known.insert(at);
            }
            Entry::Vacant(new) if has_room => {
                new.insert(at);
            }
            Entry::Vacant(_) => {}
        }
    }

    /// The pull of an image that waits to be written.
    pub(crate) fn noted(&self, repository: RepositoryId, digest: &Digest) -> Option<Timestamp> {
        self.lock().get(&(repository, digest.clone())).copied()
    }
}

impl Registry {
    /// Writes the pulls noted until now, in short transactions. They stay noted until that is done:
    /// a lifecycle run misses none of them, and those of a failed write are written later.
    pub async fn write_pull_times(&self) -> Result<(), Error> {
        let noted: Vec<_> = {
            let noted = self.pull_times.lock();
            noted
                .iter()
                .map(|(image, at)| (image.clone(), *at))
                .collect()
        };
        for batch in noted.chunks(BATCH) {
            self.metadata
                .write(batch.to_vec(), |tx, batch| {
                    Box::pin(async move {
                        for ((repository, digest), at) in batch {
                            tx.record_pull(*repository, digest, *at).await?;
                        }
                        Ok::<_, Error>(())
                    })
                })
                .await?;
            // One that was pulled again meanwhile waits for the next write.
            let mut noted = self.pull_times.lock();
            for (image, at) in batch {
                if noted.get(image) == Some(at) {
                    noted.remove(image);
                }
            }
        }
        Ok(())
    }
}
