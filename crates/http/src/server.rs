//! Listening: accepts connections, gives each request its instant and id, and stops gently.
//!
//! No peer may hold a connection that it does not use: see `server/watch.rs`. Must notice `stop`
//! whatever it is waiting for.

mod answering;
mod connection;
mod limits;
mod listening;
mod pulse;
mod tls;
mod transport;
mod watch;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use http::{Request, Response};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch as channel};

use crate::arriving::{self, Way};
use crate::body::Body;
use crate::stack::{self, Entry};
use crate::{Arrived, Faces};
use connection::{Terms, speak};
pub use limits::Limits;
pub(crate) use limits::requests_to_nodes;
pub use listening::listener;
pub use tls::{Certificates, Unfit};

/// How a server serves.
#[derive(Debug, Clone, Default)]
pub struct Serving {
    /// What bounds its peers.
    pub limits: Limits,
    /// What it shows to those who speak TLS; without, nobody can.
    pub certificates: Option<Certificates>,
    /// Plain requests are refused.
    pub is_tls_required: bool,
}

/// How one connection asks.
#[derive(Debug, Clone, Copy)]
struct Asked {
    is_tls: bool,
}

/// An answer, and the place among the requests that it takes until it is sent.
struct Answered {
    response: Response<Body>,
    room: Option<OwnedSemaphorePermit>,
}

/// Serves until `stop` is done, then lets requests in flight end.
pub async fn serve(
    faces: Arc<Faces>,
    listeners: Vec<TcpListener>,
    serving: Serving,
    stop: impl Future<Output = ()>,
) {
    let (stopping, is_stopping) = channel::channel(false);
    let terms = Terms {
        limits: serving.limits,
        certificates: serving.certificates,
        stopping: is_stopping,
    };
    let front = Arc::new(Front {
        faces,
        requests: Arc::new(Semaphore::new(serving.limits.requests)),
        is_tls_required: serving.is_tls_required,
    });
    let start = |stream, peer| front.clone().connection(stream, peer, terms.clone());
    accept_all(listeners, serving.limits, stopping, stop, start).await;
}

/// Gives every connection to `start` until `stop` is done, then lets them end.
async fn accept_all<C: Future<Output = ()> + Send + 'static>(
    listeners: Vec<TcpListener>,
    limits: Limits,
    stopping: channel::Sender<bool>,
    stop: impl Future<Output = ()>,
    start: impl Fn(TcpStream, SocketAddr) -> C,
) {
    let all = limits.connections.clamp(1, Semaphore::MAX_PERMITS);
    let permits = Arc::new(Semaphore::new(all));
    let accepting = listeners
        .into_iter()
        .map(|listener| accept(listener, &permits, &start));
    // Whoever comes later finds nobody listening.
    tokio::select! {
        _ = join_all(accepting) => {}
        () = stop => {}
    }
    stopping.send_replace(true);
    let all_ended = permits.acquire_many(u32::try_from(all).unwrap_or(u32::MAX));
    let drained = tokio::time::timeout(limits.drain, all_ended).await;
    if drained.is_err() {
        let connections = all - permits.available_permits();
        tracing::warn!(connections, "stopping with requests in flight");
    }
}

/// Gives every connection of a listener to `start`.
async fn accept<C: Future<Output = ()> + Send + 'static>(
    listener: TcpListener,
    permits: &Arc<Semaphore>,
    start: impl Fn(TcpStream, SocketAddr) -> C,
) {
    loop {
        let Ok(permit) = permits.clone().acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, peer)) => {
                let connection = start(stream, peer);
                tokio::spawn(async move {
                    connection.await;
                    drop(permit);
                });
            }
            Err(error) => {
                // Out of file descriptors, most likely: waiting is all that helps.
                tracing::warn!(%error, "could not accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// What stands between connections and faces.
struct Front {
    faces: Arc<Faces>,
    requests: Arc<Semaphore>,
    is_tls_required: bool,
}

impl Front {
    fn connection(
        self: Arc<Self>,
        stream: TcpStream,
        peer: SocketAddr,
        terms: Terms,
    ) -> impl Future<Output = ()> + Send + 'static {
        let local = stream.local_addr().map(|address| address.to_string());
        let local: Arc<str> = local.unwrap_or_default().into();
        let front = self.clone();
        let answer = move |request, asked| {
            let (front, local) = (front.clone(), local.clone());
            async move { front.answer(request, asked, peer, local).await }
        };
        async move {
            self.faces.metrics.connection_opened();
            if let Err(error) = speak(stream, terms, answer).await {
                tracing::debug!(error, %peer, "connection ended");
            }
            self.faces.metrics.connection_closed();
        }
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
        asked: Asked,
        peer: SocketAddr,
        local: Arc<str>,
    ) -> Answered {
        let room = self.requests.clone().try_acquire_owned().ok();
        let way = Way {
            is_tls: asked.is_tls,
            peer: peer.ip(),
            local,
        };
        let (arrival, fault) = arriving::arrival(&self.faces.settings, way, &request);
        // The clock is sampled and the id drawn here, once per request.
        let arrived = Arrived {
            now: self.faces.clock.now(),
            request_id: self.faces.registry.ids().request_id(),
            arrival,
        };
        let entry = match (fault, &room) {
            _ if self.is_tls_required && !asked.is_tls => Entry::Malformed(NOT_PLAIN),
            (Some(fault), _) => Entry::Malformed(fault),
            (None, None) => Entry::Full,
            (None, Some(_)) => Entry::Free,
        };
        let request = request.map(|body| Body::new(body.map_err(std::io::Error::other)));
        let response = stack::answer(&self.faces, arrived, entry, request).await;
        let room = room.filter(|_| !is_in_memory(&response));
        Answered { response, room }
    }
}

/// Whether an answer holds nothing but a little memory: it takes no place while its peer lets it wait,
/// or a few connections of HTTP/2 that take no answers could have all places.
fn is_in_memory(response: &Response<Body>) -> bool {
    let size = response.body().size_hint().exact();
    size.is_some_and(|bytes| bytes <= IN_MEMORY_BYTES_MAX)
}

/// No answer of this size is a file (`store::blobs::SMALL_BYTES`).
const IN_MEMORY_BYTES_MAX: u64 = 16 * 1024;

const NOT_PLAIN: &str = "this server speaks HTTPS only\n";

#[cfg(test)]
mod tests;
