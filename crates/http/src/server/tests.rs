//! Peers that hold connections without using them (hostile.md C6), and stopping among them.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::*;
use crate::body::full;

/// Short enough to wait for, long enough for a busy machine.
const SHORT: Duration = Duration::from_millis(600);
/// Nothing here may take longer.
const PATIENCE: Duration = Duration::from_secs(20);
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// SETTINGS of nothing, and the acknowledgement of the server's (RFC 9113, section 6.5).
const SETTINGS: &[u8] = b"\0\0\0\x04\0\0\0\0\0\0\0\0\x04\x01\0\0\0\0";
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";

struct Server {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

/// A server that answers everything with "hello".
async fn server(connections: usize, head: Duration) -> Server {
    let limits = Limits {
        connections,
        head,
        ping_interval: SHORT,
        ping_timeout: SHORT,
        unread: PATIENCE,
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let served = tokio::spawn(async move {
        let start = |stream, _, watcher| {
            let answer = |_| std::future::ready(Response::new(full("hello")));
            let speaking = speak(stream, limits, watcher, answer);
            async move { drop(speaking.await) }
        };
        let stopped = async { drop(stopped.await) };
        accept(listener, limits.connections, stopped, start).await;
    });
    Server {
        address,
        stop,
        served,
    }
}

/// Sends bytes one after another, and reads until the server closes: what it said and how long
/// it took.
async fn held(server: &Server, bytes: &[u8], pause: Duration) -> (String, Duration) {
    let start = Instant::now();
    let (mut reader, mut writer) = TcpStream::connect(server.address)
        .await
        .unwrap()
        .into_split();
    let bytes = bytes.to_vec();
    let writing = tokio::spawn(async move {
        for pieces in bytes.chunks(if pause.is_zero() { usize::MAX } else { 1 }) {
            if writer.write_all(pieces).await.is_err() {
                break;
            }
            sleep(pause).await;
        }
        // Neither side is closed by dropping.
        writer
    });
    let mut said = Vec::new();
    let read = timeout(PATIENCE, reader.read_to_end(&mut said)).await;
    let _ = read.expect("the server closes");
    drop(writing);
    (String::from_utf8_lossy(&said).into_owned(), start.elapsed())
}

#[tokio::test]
async fn a_connection_that_asks_nothing_is_closed() {
    let server = server(100, SHORT).await;
    let (zero, slow) = (Duration::ZERO, Duration::from_millis(100));
    let settled = [PREFACE, SETTINGS].concat();
    for (bytes, pause) in [
        (&b""[..], zero),
        (b"P", zero),
        (b"PRI * HTTP/2.0\r\n", zero),
        (b"GET / HTTP/1.1\r\nHost: x\r\n", zero),
        (PREFACE, zero),
        (&settled, zero),
        (b"GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", slow),
    ] {
        let (said, took) = held(&server, bytes, pause).await;
        let what = String::from_utf8_lossy(bytes);
        assert!(!said.contains("hello"), "{what}: {said}");
        assert!(took >= SHORT && took < 5 * SHORT, "{what}: {took:?}");
    }
}

#[tokio::test]
async fn a_connection_at_rest_is_closed() {
    let server = server(100, SHORT).await;
    for bytes in [REQUEST.to_vec(), [REQUEST, b"GET / HT"].concat()] {
        let (said, took) = held(&server, &bytes, Duration::ZERO).await;
        assert!(said.contains("hello"), "{said}");
        assert!(took >= SHORT && took < 5 * SHORT, "{took:?}");
    }
}

#[tokio::test]
async fn a_peer_of_http2_that_is_gone_is_noticed() {
    // The head may take long here, so that only the pings tell.
    let server = server(100, PATIENCE * 2).await;
    let bytes = [PREFACE, SETTINGS].concat();
    let (_, took) = held(&server, &bytes, Duration::ZERO).await;
    assert!(took >= 2 * SHORT && took < 6 * SHORT, "{took:?}");
}

#[tokio::test]
async fn a_full_server_still_stops() {
    let server = server(1, PATIENCE * 2).await;
    let mut busy = TcpStream::connect(server.address).await.unwrap();
    busy.write_all(REQUEST).await.unwrap();
    let mut answer = [0; 64];
    assert!(busy.read(&mut answer).await.unwrap() > 0);
    // There is no room for this one.
    let mut waiting = TcpStream::connect(server.address).await.unwrap();
    waiting.write_all(REQUEST).await.unwrap();
    assert!(timeout(SHORT, waiting.read(&mut answer)).await.is_err());
    server.stop.send(()).unwrap();
    let ended = timeout(PATIENCE, server.served).await;
    ended.expect("it stops").unwrap();
}

#[tokio::test]
async fn room_is_made_by_ending() {
    let server = server(1, PATIENCE).await;
    for _ in 0..3 {
        let mut request = REQUEST.to_vec();
        let at = request.len() - 2;
        request.splice(at..at, *b"Connection: close\r\n");
        let (said, _) = held(&server, &request, Duration::ZERO).await;
        assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    }
}

#[test]
fn connections_leave_descriptors_for_the_rest() {
    let rows = [(0, 1), (256, 28), (1024, 412), (65_536, 10_000)];
    for (open_files, expected) in rows {
        assert_eq!(connections(open_files), expected, "{open_files}");
    }
    assert_eq!(connections(u64::MAX), 10_000);
}
