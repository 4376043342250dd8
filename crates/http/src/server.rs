//! Listening: accepts connections, gives each request its instant and id, and stops gently.
//!
//! No peer may hold a connection that it does not use: see `Limits`. Must notice `stop` whatever
//! it is waiting for.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Request, Response, header};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use rustix::net::sockopt::set_tcp_user_timeout;
use rustix::process::{Resource, getrlimit};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::body::Body;
use crate::host::Arrival;
use crate::kernel_send::KernelSend;
use crate::{Arrived, Faces, stack};

/// How long requests in flight may take to end once the server stops.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);
/// Connections served at once at most; more wait to be accepted.
const CONNECTIONS_MAX: u64 = 10_000;
/// File descriptors kept for everything but connections and the files that they send or fill.
const DESCRIPTORS_RESERVED: u64 = 200;

/// What bounds the peers of one listener.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// Connections served at once.
    connections: usize,
    /// How long a head may take: the first one from the start of the connection, the next ones
    /// from the answer before, which is how long a connection may rest (HTTP/1.1).
    head: Duration,
    /// How often the peer of an HTTP/2 connection is asked whether it is there.
    ping_interval: Duration,
    /// How long it may take to answer.
    ping_timeout: Duration,
    /// How long bytes sent may stay without a sign that the peer took them: who never reads an
    /// answer is given up. Whole milliseconds.
    unread: Duration,
}

impl Limits {
    fn of_this_process() -> Self {
        let open_files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        Self {
            connections: connections(open_files),
            head: Duration::from_secs(30),
            ping_interval: Duration::from_secs(60),
            ping_timeout: Duration::from_secs(30),
            unread: Duration::from_secs(300),
        }
    }
}

/// A connection takes a descriptor, and another one for the file that it sends or fills.
fn connections(open_files: u64) -> usize {
    let most = open_files.saturating_sub(DESCRIPTORS_RESERVED) / 2;
    usize::try_from(most.clamp(1, CONNECTIONS_MAX)).unwrap_or(1)
}

/// How many requests may be on their way to containers at once: a quarter of the connections, since
/// each takes a descriptor or two besides.
pub(crate) fn requests_to_nodes() -> usize {
    let open_files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    (connections(open_files) / 4).max(1)
}

/// Serves until `stop` is done, then lets requests in flight end.
pub async fn serve(faces: Arc<Faces>, listener: TcpListener, stop: impl Future<Output = ()>) {
    let limits = Limits::of_this_process();
    let start =
        |stream, peer, watcher| serve_connection(faces.clone(), stream, peer, limits, watcher);
    accept(listener, limits.connections, stop, start).await;
}

/// Gives every connection to `start` until `stop` is done, then lets them end.
async fn accept<C: Future<Output = ()> + Send + 'static>(
    listener: TcpListener,
    connections: usize,
    stop: impl Future<Output = ()>,
    start: impl Fn(TcpStream, SocketAddr, Watcher) -> C,
) {
    let graceful = GracefulShutdown::new();
    let permits = Arc::new(Semaphore::new(connections));
    let mut stop = std::pin::pin!(stop);
    loop {
        let next = tokio::select! {
            next = next(&listener, &permits) => next,
            () = &mut stop => break,
        };
        let Some((permit, stream, peer)) = next else {
            continue;
        };
        let connection = start(stream, peer, graceful.watcher());
        tokio::spawn(async move {
            connection.await;
            drop(permit);
        });
    }
    if tokio::time::timeout(DRAIN_TIMEOUT, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("stopping with requests in flight");
    }
}

/// The next connection, once there is room for it; none if it could not be accepted.
async fn next(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> Option<(OwnedSemaphorePermit, TcpStream, SocketAddr)> {
    let permit = permits.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => Some((permit, stream, peer)),
        Err(error) => {
            // Out of file descriptors, most likely: waiting is all that helps.
            tracing::warn!(%error, "could not accept a connection");
            tokio::time::sleep(Duration::from_millis(50)).await;
            None
        }
    }
}

fn serve_connection(
    faces: Arc<Faces>,
    stream: TcpStream,
    peer: SocketAddr,
    limits: Limits,
    watcher: Watcher,
) -> impl Future<Output = ()> + Send + 'static {
    let local = stream
        .local_addr()
        .map(|address| address.to_string())
        .unwrap_or_default();
    let counted = faces.clone();
    let answer = move |request: Request<Incoming>| {
        let (faces, local) = (faces.clone(), local.clone());
        async move {
            let arrived = arrive(&faces, &request, peer, local);
            let request = request.map(|body| body.map_err(std::io::Error::other).boxed_unsync());
            stack::answer(&faces, arrived, request).await
        }
    };
    let connection = speak(stream, limits, watcher, answer);
    async move {
        counted.metrics.connection_opened();
        if let Err(error) = connection.await {
            tracing::debug!(error, %peer, "connection ended");
        }
        counted.metrics.connection_closed();
    }
}

/// Speaks HTTP over a connection until either side ends it; the error says why it broke off.
fn speak<A: Future<Output = Response<Body>> + Send + 'static>(
    stream: TcpStream,
    limits: Limits,
    watcher: Watcher,
    answer: impl Fn(Request<Incoming>) -> A + Send + 'static,
) -> impl Future<Output = Result<(), String>> + Send + 'static {
    set_up(&stream, &limits);
    let asked = Arc::new(Notify::new());
    let asking = asked.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        asking.notify_one();
        let answering = answer(request);
        async move { Ok::<_, Infallible>(answering.await) }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(limits.ping_interval)
        .keep_alive_timeout(limits.ping_timeout);
    let connection = builder
        // Container services may switch protocols.
        .serve_connection_with_upgrades(TokioIo::new(KernelSend::new(stream)), service)
        .into_owned();
    let watched = watcher.watch(connection);
    let head = limits.head;
    async move {
        tokio::select! {
            ended = watched => ended.map_err(|error| error.to_string()),
            () = never_asked(&asked, head) => Err("no request came".into()),
        }
    }
}

/// Is done if no first request comes in time: while the version of HTTP is not known, and after
/// the preface of HTTP/2, nothing else bounds the wait.
async fn never_asked(asked: &Notify, head: Duration) {
    if tokio::time::timeout(head, asked.notified()).await.is_ok() {
        std::future::pending().await
    }
}

fn set_up(stream: &TcpStream, limits: &Limits) {
    // Without this a small answer waits for the peer's delayed acknowledgement: 40 ms.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY");
    }
    let milliseconds = u32::try_from(limits.unread.as_millis()).unwrap_or(u32::MAX);
    if let Err(error) = set_tcp_user_timeout(stream, milliseconds) {
        tracing::debug!(%error, "TCP_USER_TIMEOUT");
    }
}

/// Samples the clock and draws the id: once per request, here.
fn arrive(faces: &Faces, request: &Request<Incoming>, peer: SocketAddr, local: String) -> Arrived {
    let from_uri = request
        .uri()
        .authority()
        .map(|authority| authority.as_str().to_owned());
    let authority = host_header(request.headers()).or(from_uri);
    Arrived {
        now: faces.clock.now(),
        request_id: faces.registry.ids().request_id(),
        arrival: Arrival {
            scheme: "http",
            authority,
            peer: peer.ip(),
            local,
        },
    }
}

fn host_header(headers: &HeaderMap) -> Option<String> {
    headers
        .get(header::HOST)?
        .to_str()
        .ok()
        .map(|host| host.trim().to_owned())
}

#[cfg(test)]
mod tests;
