//! Listening: accepts connections, gives each request its instant and id, and stops gently.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Request, header};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::host::Arrival;
use crate::kernel_send::KernelSend;
use crate::{Arrived, Faces, stack};

/// How long the head of a request may take.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// Connections served at once; more wait to be accepted.
const CONNECTIONS_MAX: usize = 10_000;
/// How long requests in flight may take to end once the server stops.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);

/// Serves until `stop` is done, then lets requests in flight end.
pub async fn serve(faces: Arc<Faces>, listener: TcpListener, stop: impl Future<Output = ()>) {
    let graceful = GracefulShutdown::new();
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, most likely: waiting is all that helps.
                tracing::warn!(%error, "could not accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Ok(permit) = permits.clone().acquire_owned().await else {
            break;
        };
        let connection = serve_connection(faces.clone(), stream, peer, &graceful);
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

fn serve_connection(
    faces: Arc<Faces>,
    stream: TcpStream,
    peer: SocketAddr,
    graceful: &GracefulShutdown,
) -> impl Future<Output = ()> + Send + 'static {
    // Without this a small answer waits for the peer's delayed acknowledgement: 40 ms.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY");
    }
    let local = stream
        .local_addr()
        .map(|address| address.to_string())
        .unwrap_or_default();
    let counted = faces.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let (faces, local) = (faces.clone(), local.clone());
        async move {
            let arrived = arrive(&faces, &request, peer, local);
            let request = request.map(|body| body.map_err(std::io::Error::other).boxed_unsync());
            Ok::<_, Infallible>(stack::answer(&faces, arrived, request).await)
        }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT);
    builder.http2().timer(TokioTimer::new());
    let connection = builder
        .serve_connection(TokioIo::new(KernelSend::new(stream)), service)
        .into_owned();
    let watched = graceful.watch(connection);
    async move {
        counted.metrics.connection_opened();
        if let Err(error) = watched.await {
            tracing::debug!(%error, %peer, "connection ended");
        }
        counted.metrics.connection_closed();
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
