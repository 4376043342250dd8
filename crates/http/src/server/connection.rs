//! One connection, from its first byte to its end: TLS or not, HTTP/1.1 or HTTP/2.
//!
//! Must end whatever the peer does or leaves undone (`watch.rs`), and gently when the server stops.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Version};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use rustix::net::sockopt::{
    set_socket_keepalive, set_tcp_keepidle, set_tcp_keepintvl, set_tcp_user_timeout,
};
use tokio::net::TcpStream;
use tokio::sync::watch::Receiver;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::answering::Answering;
use super::limits::Limits;
use super::pulse::Pulse;
use super::tls::Certificates;
use super::transport::Transport;
use super::watch::{Verdict, Watch, tick};
use super::{Answered, Asked};

/// Streams of one connection of HTTP/2. A client pushes or pulls a few layers at once.
const STREAMS_MAX: u32 = 100;
/// Streams that a peer may reset before they are looked at (rapid reset, CVE-2023-44487); one more
/// ends the connection.
const RESET_STREAMS_MAX: usize = 20;
/// Streams that we may have to reset for a peer's mistakes; one more ends the connection.
const MISTAKEN_STREAMS_MAX: usize = 200;
/// What a peer may send of one body before it is taken, bytes: 100 MB/s at 20 ms from end to end.
const STREAM_WINDOW: u32 = 2 * 1024 * 1024;
/// The same for all bodies of a connection.
const CONNECTION_WINDOW: u32 = 2 * STREAM_WINDOW;
/// How long a peer may be silent before the kernel asks whether it is there, and between its questions.
const KEEPALIVE: Duration = Duration::from_secs(60);
/// The longest head of HTTP/2, bytes. A login may be long; HTTP/1.1 has hyper's own limit.
const HEAD_BYTES_MAX: u32 = 64 * 1024;

/// What all connections of a server share.
#[derive(Clone)]
pub(super) struct Terms {
    pub limits: Limits,
    /// Without them nobody speaks TLS.
    pub certificates: Option<Certificates>,
    /// Becomes true when the server stops.
    pub stopping: Receiver<bool>,
}

/// Speaks HTTP over a connection until either side ends it; the error says why it broke off.
pub(super) async fn speak<A: Future<Output = Answered> + Send + 'static>(
    stream: TcpStream,
    mut terms: Terms,
    answer: impl Fn(Request<Incoming>, Asked) -> A + Clone + Send + 'static,
) -> Result<(), String> {
    set_up(&stream, &terms.limits);
    let pulse = Arc::new(Pulse::default());
    let mut watch = Watch::new(&terms.limits);
    let period = tick(&terms.limits);
    let mut ticks = interval(period);
    ticks.reset();
    // Ticks that were missed are no time in which the peer was silent.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let transport = {
        let opening = Transport::open(stream, terms.certificates.as_ref(), pulse.clone());
        tokio::select! {
            opened = opening => opened.map_err(|error| error.to_string())?,
            reason = never_opened(&mut ticks, &mut watch, &pulse) => return Err(reason.into()),
            () = stopped(&mut terms.stopping) => return Ok(()),
        }
    };
    let asked = Asked {
        is_tls: transport.is_tls(),
    };
    let counted = pulse.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let is_http2 = request.version() == Version::HTTP_2;
        let open = counted.ask(is_http2);
        let answer = answer.clone();
        async move {
            let Answered { response, room } = answer(request, asked).await;
            let response = response.map(|body| match asked.is_tls || is_http2 {
                true => Answering::new(body.unmapped(), open, room),
                false => Answering::new(body, open, room),
            });
            Ok::<_, Infallible>(response)
        }
    });
    let builder = builder(&terms.limits);
    // Container services may switch protocols.
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(transport), service);
    let mut connection = std::pin::pin!(connection);
    let mut is_closing = false;
    loop {
        tokio::select! {
            ended = connection.as_mut() => return ended.map_err(|error| error.to_string()),
            _ = ticks.tick() => match watch.tick(pulse.seen()) {
                Verdict::Fine => {}
                Verdict::Close => connection.as_mut().graceful_shutdown(),
                Verdict::Cut(reason) => return Err(reason.into()),
            },
            () = stopped(&mut terms.stopping), if !is_closing => {
                is_closing = true;
                watch.closes();
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

/// Is done when the peer has taken too long to say what it speaks.
async fn never_opened(ticks: &mut Interval, watch: &mut Watch, pulse: &Pulse) -> &'static str {
    loop {
        ticks.tick().await;
        if let Verdict::Cut(reason) = watch.tick(pulse.seen()) {
            return reason;
        }
    }
}

async fn stopped(stopping: &mut Receiver<bool>) {
    // A server that is gone has stopped too.
    let _ = stopping.wait_for(|is_stopping| *is_stopping).await;
}

fn builder(limits: &Limits) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    // The time of heads is ours to measure: hyper's would end connections at rest as well.
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(None);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(limits.ping_interval)
        .keep_alive_timeout(limits.ping_timeout)
        .max_concurrent_streams(STREAMS_MAX)
        .max_pending_accept_reset_streams(RESET_STREAMS_MAX)
        .max_local_error_reset_streams(MISTAKEN_STREAMS_MAX)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(HEAD_BYTES_MAX);
    builder
}

fn set_up(stream: &TcpStream, limits: &Limits) {
    // Without this a small answer waits for the peer's delayed acknowledgement: 40 ms.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY");
    }
    // Who is gone without a word is found out, on switched connections too.
    let kept = set_socket_keepalive(stream, true)
        .and_then(|()| set_tcp_keepidle(stream, KEEPALIVE))
        .and_then(|()| set_tcp_keepintvl(stream, KEEPALIVE));
    if let Err(error) = kept {
        tracing::debug!(%error, "SO_KEEPALIVE");
    }
    // Bytes that stay without a sign that the peer took them.
    let milliseconds = u32::try_from(limits.unread.as_millis()).unwrap_or(u32::MAX);
    if let Err(error) = set_tcp_user_timeout(stream, milliseconds) {
        tracing::debug!(%error, "TCP_USER_TIMEOUT");
    }
}
