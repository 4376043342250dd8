//! Peers that hold connections without using them (hostile.md C6), TLS beside plain HTTP, and
//! stopping among them.

use std::sync::atomic::{AtomicUsize, Ordering};

use http::header;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

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
    certificates: Option<Certificates>,
    /// Requests for `/later` are answered when this rings.
    bell: Arc<Notify>,
    answered: Arc<AtomicUsize>,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

fn limits() -> Limits {
    Limits {
        connections: 100,
        requests: 100,
        head: SHORT,
        idle: SHORT,
        unread: PATIENCE,
        ping_interval: SHORT,
        ping_timeout: SHORT,
        drain: PATIENCE,
    }
}

/// A self-signed certificate for `x` and its key, in PEM.
fn made() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["x".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

/// A server that answers everything with "hello", and how it was asked.
async fn server(limits: Limits, certificate: Option<&(String, String)>) -> Server {
    let certificates = certificate
        .map(|(chain, key)| Certificates::new(chain.as_bytes(), key.as_bytes()).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let (stopping, is_stopping) = channel::channel(false);
    let terms = Terms {
        limits,
        certificates: certificates.clone(),
        stopping: is_stopping,
    };
    let (bell, answered) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
    let (ringing, counting) = (bell.clone(), answered.clone());
    let served = tokio::spawn(async move {
        let start = |stream, _| {
            let (bell, counted) = (ringing.clone(), counting.clone());
            let answer = move |request: Request<Incoming>, asked: Asked| {
                let (bell, counted) = (bell.clone(), counted.clone());
                async move {
                    if request.uri().path() == "/later" {
                        bell.notified().await;
                    }
                    counted.fetch_add(1, Ordering::Relaxed);
                    let response = match request.uri().path() {
                        "/long" => full(vec![b'x'; 64 * 1024 * 1024]),
                        _ => full(format!("hello by {:?} {}", request.version(), asked.is_tls)),
                    };
                    Answered {
                        response: Response::new(response),
                        room: None,
                    }
                }
            };
            let speaking = speak(stream, terms.clone(), answer);
            async move { drop(speaking.await) }
        };
        let stopped = async { drop(stopped.await) };
        accept_all(vec![listener], limits, stopping, stopped, start).await;
    });
    Server {
        address,
        certificates,
        bell,
        answered,
        stop,
        served,
    }
}

impl Server {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn end(self) {
        self.stop.send(()).unwrap();
        let ended = timeout(PATIENCE, self.served).await;
        ended.expect("it stops").unwrap();
    }
}

/// A connection that trusts `chain` alone.
async fn secure(
    stream: TcpStream,
    chain: &str,
    alpn: &[&str],
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(chain.as_bytes()).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    let name = ServerName::try_from("x").unwrap();
    TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
}

/// Reads until a text was said.
async fn until(stream: &mut (impl AsyncRead + Unpin), text: &str) -> String {
    let mut said = Vec::new();
    let mut piece = [0; 4096];
    while !String::from_utf8_lossy(&said).contains(text) {
        let read = timeout(PATIENCE, stream.read(&mut piece)).await;
        let read = read.expect("it says something").unwrap();
        assert!(read > 0, "{text}: {}", String::from_utf8_lossy(&said));
        said.extend_from_slice(&piece[..read]);
    }
    String::from_utf8_lossy(&said).into_owned()
}

async fn ask(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), answer: &str) -> String {
    stream.write_all(REQUEST).await.unwrap();
    until(stream, answer).await
}

/// Sends bytes one after another, and reads until the server closes: what it said and how long
/// it took.
async fn held(server: &Server, bytes: &[u8], pause: Duration) -> (String, Duration) {
    let start = Instant::now();
    let (mut reader, mut writer) = server.connect().await.into_split();
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
    // A peer that is cut off with bytes unread is reset.
    let read = timeout(PATIENCE, reader.read_to_end(&mut said)).await;
    let _ = read.expect("the server closes");
    drop(writing);
    (String::from_utf8_lossy(&said).into_owned(), start.elapsed())
}

#[tokio::test]
async fn a_connection_that_asks_nothing_is_closed() {
    let certificate = made();
    let (zero, slow) = (Duration::ZERO, Duration::from_millis(100));
    let settled = [PREFACE, SETTINGS].concat();
    for certificate in [None, Some(&certificate)] {
        let server = server(limits(), certificate).await;
        for (bytes, pause) in [
            (&b""[..], zero),
            (b"P", zero),
            (b"PRI * HTTP/2.0\r\n", zero),
            (b"GET / HTTP/1.1\r\nHost: x\r\n", zero),
            (PREFACE, zero),
            (&settled, zero),
            (b"GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", slow),
            // The head of a handshake that does not come (RFC 8446, 5.1).
            (b"\x16\x03\x01\x01\x00\x01", zero),
        ] {
            let (said, took) = held(&server, bytes, pause).await;
            let what = String::from_utf8_lossy(bytes);
            assert!(!said.contains("hello"), "{what}: {said}");
            let is_noise = bytes[..] == b"\x16\x03\x01\x01\x00\x01"[..] && certificate.is_none();
            assert!(is_noise || took >= SHORT, "{what}: {took:?}");
            assert!(took < 5 * SHORT, "{what}: {took:?}");
        }
    }
}

#[tokio::test]
async fn a_connection_at_rest_is_closed() {
    let server = server(limits(), None).await;
    for bytes in [REQUEST.to_vec(), [REQUEST, b"GET / HT"].concat()] {
        let (said, took) = held(&server, &bytes, Duration::ZERO).await;
        assert!(said.contains("hello"), "{said}");
        assert!(took >= SHORT && took < 5 * SHORT, "{took:?}");
    }
}

#[tokio::test]
async fn rest_and_heads_have_times_of_their_own() {
    let patient = Limits {
        idle: 10 * SHORT,
        ..limits()
    };
    let server = server(patient, None).await;
    let mut stream = server.connect().await;
    for _ in 0..2 {
        ask(&mut stream, "hello").await;
        // Longer than a head may take.
        sleep(3 * SHORT).await;
    }
    ask(&mut stream, "hello").await;
    let start = Instant::now();
    stream.write_all(b"GET / HTTP/1.1\r\nHost").await.unwrap();
    let mut rest = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
    let _ = read.expect("the server closes");
    let took = start.elapsed();
    assert!(took >= SHORT && took < 5 * SHORT, "{took:?}");
}

#[tokio::test]
async fn a_peer_of_http2_that_is_gone_is_noticed() {
    // The head may take long here, so that only the pings tell.
    let patient = Limits {
        head: PATIENCE * 2,
        ..limits()
    };
    let server = server(patient, None).await;
    let bytes = [PREFACE, SETTINGS].concat();
    let (_, took) = held(&server, &bytes, Duration::ZERO).await;
    assert!(took >= 2 * SHORT && took < 6 * SHORT, "{took:?}");
}

#[tokio::test]
async fn who_never_reads_an_answer_is_cut_off() {
    let strict = Limits {
        unread: 2 * SHORT,
        ..limits()
    };
    let server = server(strict, None).await;
    let mut stream = server.connect().await;
    stream
        .write_all(b"GET /long HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    until(&mut stream, "200 OK").await;
    sleep(8 * SHORT).await;
    let mut rest = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
    // What the system had taken before may still come.
    let whole = read
        .expect("the server closes")
        .is_ok_and(|_| rest.len() >= 64 << 20);
    assert!(!whole, "{} bytes", rest.len());
}

/// Frame of HTTP/2 (RFC 9113, section 4.1).
fn frame(kind: u8, flags: u8, stream: u32, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap().to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend_from_slice(&stream.to_be_bytes());
    frame.extend_from_slice(content);
    frame
}

/// HEADERS that end a stream: `GET https://x/` in HPACK.
fn get(stream: u32) -> Vec<u8> {
    frame(1, 5, stream, b"\x82\x84\x87\x41\x01x")
}

#[tokio::test]
async fn streams_that_are_reset_at_once_end_the_connection() {
    let server = server(limits(), None).await;
    let mut stream = server.connect().await;
    let mut bytes = [PREFACE, SETTINGS].concat();
    for id in (1..4001).step_by(2) {
        bytes.extend(get(id));
        bytes.extend(frame(3, 0, id, &8_u32.to_be_bytes()));
    }
    let (mut reader, mut writer) = stream.split();
    let writing = async { drop(writer.write_all(&bytes).await) };
    let mut said = Vec::new();
    let reading = async { drop(timeout(PATIENCE, reader.read_to_end(&mut said)).await) };
    tokio::join!(writing, reading);
    // ENHANCE_YOUR_CALM (RFC 9113, section 7) in a GOAWAY.
    assert!(said.windows(4).any(|four| four == 11_u32.to_be_bytes()));
    let answered = server.answered.load(Ordering::Relaxed);
    assert!(answered < 2000, "{answered}");
}

#[tokio::test]
async fn one_port_speaks_tls_and_plain() {
    let certificate = made();
    let server = server(limits(), Some(&certificate)).await;
    let said = ask(&mut server.connect().await, "false").await;
    assert!(said.contains("hello by HTTP/1.1 false"), "{said}");
    let all: &[&rustls::SupportedProtocolVersion] = rustls::ALL_VERSIONS;
    for versions in [all, &[&rustls::version::TLS12], &[&rustls::version::TLS13]] {
        for (alpn, expected) in [
            (&[][..], None),
            (&["http/1.1"][..], Some(&b"http/1.1"[..])),
            (&["h2", "http/1.1"][..], Some(&b"h2"[..])),
        ] {
            let stream = server.connect().await;
            let mut stream = secure(stream, &certificate.0, alpn, versions)
                .await
                .unwrap();
            assert_eq!(stream.get_ref().1.alpn_protocol(), expected);
            if expected == Some(b"h2") {
                let bytes = [PREFACE, SETTINGS, &get(1)].concat();
                stream.write_all(&bytes).await.unwrap();
                until(&mut stream, "hello by HTTP/2.0 true").await;
            } else {
                let said = ask(&mut stream, "true").await;
                assert!(said.contains("hello by HTTP/1.1 true"), "{said}");
            }
        }
    }
    let stream = server.connect().await;
    let refused = secure(stream, &certificate.0, &["imap"], all).await;
    assert!(refused.is_err(), "no protocol in common");
}

#[tokio::test]
async fn without_a_certificate_nobody_speaks_tls() {
    let server = server(limits(), None).await;
    let stream = server.connect().await;
    let refused = secure(stream, &made().0, &[], rustls::ALL_VERSIONS).await;
    assert!(refused.is_err());
    ask(&mut server.connect().await, "hello").await;
}

#[tokio::test]
async fn a_certificate_is_replaced_beside_a_transfer() {
    let (first, second) = (made(), made());
    let server = server(limits(), Some(&first)).await;
    let all = rustls::ALL_VERSIONS;
    let mut old = secure(server.connect().await, &first.0, &[], all)
        .await
        .unwrap();
    old.write_all(b"GET /later HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    let certificates = server.certificates.clone().unwrap();
    let garbage = certificates.replace(b"garbage", first.1.as_bytes());
    assert_eq!(garbage, Err(Unfit::NoCertificate));
    secure(server.connect().await, &first.0, &[], all)
        .await
        .expect("what does not fit changes nothing");
    certificates
        .replace(second.0.as_bytes(), second.1.as_bytes())
        .unwrap();
    assert!(
        secure(server.connect().await, &first.0, &[], all)
            .await
            .is_err()
    );
    let mut new = secure(server.connect().await, &second.0, &[], all)
        .await
        .unwrap();
    ask(&mut new, "hello").await;
    server.bell.notify_one();
    until(&mut old, "hello").await;
}

#[tokio::test]
async fn a_full_server_still_stops() {
    let full = Limits {
        connections: 1,
        head: PATIENCE * 2,
        idle: PATIENCE * 2,
        ..limits()
    };
    let server = server(full, None).await;
    let mut busy = server.connect().await;
    ask(&mut busy, "hello").await;
    // There is no room for this one.
    let mut waiting = server.connect().await;
    waiting.write_all(REQUEST).await.unwrap();
    let mut answer = [0; 64];
    assert!(timeout(SHORT, waiting.read(&mut answer)).await.is_err());
    server.end().await;
}

#[tokio::test]
async fn stopping_ends_what_rests_and_waits_for_what_runs() {
    let patient = Limits {
        head: PATIENCE * 2,
        idle: PATIENCE * 2,
        ..limits()
    };
    let certificate = made();
    let server = server(patient, Some(&certificate)).await;
    let mut at_rest = server.connect().await;
    ask(&mut at_rest, "hello").await;
    let mut silent = server.connect().await;
    let mut running = server.connect().await;
    running
        .write_all(b"GET /later HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    // An answer on another connection that came later: the one above has begun.
    ask(&mut server.connect().await, "hello").await;
    sleep(SHORT).await;
    server.stop.send(()).unwrap();
    let mut nothing = Vec::new();
    for stream in [&mut at_rest, &mut silent] {
        let read = timeout(PATIENCE, stream.read_to_end(&mut nothing)).await;
        assert_eq!(read.expect("it is closed").unwrap(), 0);
    }
    assert!(
        TcpStream::connect(server.address).await.is_err(),
        "no new work"
    );
    assert!(!server.served.is_finished());
    server.bell.notify_one();
    let said = until(&mut running, "hello").await;
    assert!(
        said.to_ascii_lowercase().contains("connection: close"),
        "{said}"
    );
    timeout(PATIENCE, server.served)
        .await
        .expect("it stops")
        .unwrap();
}

#[tokio::test]
async fn stopping_waits_no_longer_than_it_may() {
    let hasty = Limits {
        drain: SHORT,
        ..limits()
    };
    let server = server(hasty, None).await;
    let mut running = server.connect().await;
    running
        .write_all(b"GET /later HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    ask(&mut server.connect().await, "hello").await;
    sleep(SHORT / 2).await;
    server.end().await;
}

#[tokio::test]
async fn room_is_made_by_ending() {
    let narrow = Limits {
        connections: 1,
        ..limits()
    };
    let server = server(narrow, None).await;
    for _ in 0..3 {
        let mut request = REQUEST.to_vec();
        let at = request.len() - 2;
        request.splice(
            at..at,
            format!("{}: close\r\n", header::CONNECTION).into_bytes(),
        );
        let (said, _) = held(&server, &request, Duration::ZERO).await;
        assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    }
}
