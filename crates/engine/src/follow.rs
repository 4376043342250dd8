//! Reads what one container writes, until it ends.

use std::sync::Arc;

use bollard::container::LogOutput;
use futures_util::StreamExt as _;
use tokio::sync::Notify;

use crate::engine::Engine;
use crate::lines::{Cutter, Lines, Position, Source};

const NANOS_PER_SECOND: i64 = 1_000_000_000;

/// Hands every line of the container `id` to `lines`, from where it was read before, and rings
/// `ended` when there will be no more.
pub async fn follow(
    engine: Arc<Engine>,
    lines: Arc<Lines>,
    source: Source,
    id: String,
    ended: Arc<Notify>,
) {
    // Whole seconds: what comes twice is dropped by its position.
    let from = lines.position(&id).unwrap_or(i64::MIN);
    let since = i32::try_from(from.max(0) / NANOS_PER_SECOND).unwrap_or(0);
    match engine.output(&id, since).await {
        Err(error) => tracing::debug!(%error, "the log of a container"),
        Ok(mut output) => {
            let (mut out, mut err) = (Cutter::default(), Cutter::default());
            while let Some(Ok(piece)) = output.next().await {
                let line = match &piece {
                    LogOutput::StdErr { message } => err.line(message),
                    LogOutput::StdOut { message }
                    | LogOutput::StdIn { message }
                    | LogOutput::Console { message } => out.line(message),
                };
                if let Some((nanos, message)) = line {
                    let id = id.clone();
                    lines.push(&source, from, Position { id, nanos }, message);
                }
            }
        }
    }
    ended.notify_one();
}
