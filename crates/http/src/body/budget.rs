//! A bound on the bytes of bodies that strangers make the server hold (hostile.md C6, E3).
//!
//! A body takes from the budget what has arrived of it, not what it announces: who only promises
//! bytes keeps nobody waiting. Short bodies are free, so ordinary calls go on whatever happens.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::Body as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::patience::Patience;
use super::{Body, Unread};

/// The unit of the budget, bytes.
const UNIT: usize = 1024;
/// What every body may hold without asking, bytes.
const FREE_BYTES: usize = 16 * 1024;
/// How long a body waits for others to be done; then the sender is asked to come again.
const WAIT_MAX: Duration = Duration::from_secs(30);
/// How long a whole body may take, ours to wait included.
const BODY_TIME_MAX: Duration = Duration::from_secs(600);

/// The bytes that all bodies together may hold.
#[derive(Debug, Clone)]
pub struct Budget(Arc<Semaphore>);

/// A body and its part of the budget, which is given back when this is dropped.
#[derive(Debug)]
pub struct Held {
    /// The whole body.
    pub bytes: Bytes,
    _units: Option<OwnedSemaphorePermit>,
}

/// Why a body is not held.
#[derive(Debug)]
pub enum Unheld {
    /// It is too long, too slow, or broke off.
    Unread(Unread),
    /// Too many bytes of other bodies are being held; another try may find room.
    Busy,
}

impl From<Unread> for Unheld {
    fn from(unread: Unread) -> Self {
        Self::Unread(unread)
    }
}

impl Budget {
    /// A budget of this many bytes, rounded down to KiB.
    pub fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes / UNIT)))
    }

    /// Reads a whole body of at most `bytes_max` bytes, within ten minutes.
    pub async fn read_all(&self, body: Body, bytes_max: usize) -> Result<Held, Unheld> {
        if body.size_hint().lower() > bytes_max as u64 {
            return Err(Unread::TooLong.into());
        }
        let read = tokio::time::timeout(BODY_TIME_MAX, self.read(body, bytes_max)).await;
        read.unwrap_or_else(|_| Err(Unread::BrokeOff("the body took too long".into()).into()))
    }

    async fn read(&self, mut body: Body, bytes_max: usize) -> Result<Held, Unheld> {
        let (mut whole, mut patience) = (BytesMut::new(), Patience::new());
        let mut units: Option<OwnedSemaphorePermit> = None;
        while let Some(piece) = patience.next_piece(&mut body).await {
            let piece = piece.map_err(Unread::BrokeOff)?;
            let bytes = whole.len() + piece.len();
            if bytes > bytes_max {
                return Err(Unread::TooLong.into());
            }
            let held = units.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
            let wanted = bytes.saturating_sub(FREE_BYTES).div_ceil(UNIT) - held;
            if wanted > 0 {
                let more = self.take(wanted).await?;
                match &mut units {
                    Some(units) => units.merge(more),
                    none => *none = Some(more),
                }
            }
            whole.extend_from_slice(&piece);
        }
        Ok(Held {
            bytes: whole.freeze(),
            _units: units,
        })
    }

    async fn take(&self, units: usize) -> Result<OwnedSemaphorePermit, Unheld> {
        let units = u32::try_from(units).map_err(|_| Unread::TooLong)?;
        let taking = self.0.clone().acquire_many_owned(units);
        match tokio::time::timeout(WAIT_MAX, taking).await {
            Ok(Ok(taken)) => Ok(taken),
            _ => Err(Unheld::Busy),
        }
    }
}
