//! Bytes of files over real sockets: whole, in part, interrupted, at odd sizes and all at once.
//!
//! The expected bytes are those that were written to the file. None of these tests may depend on
//! how many bytes the kernel takes at a time.

use std::convert::Infallible;
use std::fs::File;
use std::io::Write as _;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as _;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tempfile::NamedTempFile;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::mapping::{self, Registered, Source};
use super::{FileBody, KernelSend};
use crate::body::{self, Body};

const MIB: usize = 1024 * 1024;

/// Bytes of which no two stretches are alike (xorshift).
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words
        .take(length.div_ceil(8))
        .flatten()
        .take(length)
        .collect()
}

struct World {
    bytes: Vec<u8>,
    path: NamedTempFile,
    file: Weak<File>,
    address: SocketAddr,
}

/// Serves `/<start>/<end>` of a file of `length` noisy bytes.
async fn world(length: usize) -> World {
    let bytes = noise(length);
    let mut path = NamedTempFile::new().unwrap();
    path.write_all(&bytes).unwrap();
    path.as_file().sync_all().unwrap();
    let file = Arc::new(File::open(path.path()).unwrap());
    let weak = Arc::downgrade(&file);
    let address = serve(move |path| {
        let mut numbers = path.split('/').skip(1).map(|part| part.parse().unwrap());
        let (start, end): (u64, u64) = (numbers.next().unwrap(), numbers.next().unwrap());
        Body::new(FileBody::new(file.clone(), start, end - start))
    })
    .await;
    World {
        bytes,
        path,
        file: weak,
        address,
    }
}

/// A server over the same layers as the real one.
async fn serve(body: impl Fn(&str) -> Body + Clone + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let body = body.clone();
            let service = service_fn(move |request: Request<Incoming>| {
                let body = body(request.uri().path());
                async move { Ok::<_, Infallible>(Response::new(body)) }
            });
            tokio::spawn(async move {
                let io = TokioIo::new(KernelSend::new(stream));
                let builder = auto::Builder::new(TokioExecutor::new());
                let _ = builder.serve_connection(io, service).await;
            });
        }
    });
    address
}

/// A client whose socket takes little at a time, so that the server meets a full one.
async fn connect(address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(16 * 1024).unwrap();
    socket.connect(address).await.unwrap()
}

async fn ask(client: &mut TcpStream, part: &Range<usize>) {
    let request = format!(
        "GET /{}/{} HTTP/1.1\r\nhost: here\r\n\r\n",
        part.start, part.end
    );
    client.write_all(request.as_bytes()).await.unwrap();
}

/// Reads the head of an answer and gives out its content-length.
async fn head(client: &mut TcpStream) -> usize {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    length.unwrap().parse().unwrap()
}

async fn receive(client: &mut TcpStream) -> Vec<u8> {
    let mut bytes = vec![0; head(client).await];
    client.read_exact(&mut bytes).await.unwrap();
    bytes
}

/// `assert_eq!` would print megabytes.
fn assert_same(found: &[u8], expected: &[u8], what: &str) {
    assert_eq!(found.len(), expected.len(), "length of {what}");
    let differs = found.iter().zip(expected).position(|(a, b)| a != b);
    assert_eq!(differs, None, "first wrong byte of {what}");
}

/// Everything that matters about sizes: nothing, around the limits, odd starts and ends.
fn parts(length: usize) -> Vec<Range<usize>> {
    vec![
        0..0,
        0..1,
        0..64 * 1024,
        0..64 * 1024 + 1,
        4095..4095 + 64 * 1024 + 1,
        0..MIB,
        0..MIB + 1,
        7..7 + 2 * MIB + 32 * 1024 - 1,
        4097..length - 1,
        length - 1..length,
        length..length,
        0..length,
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_part_on_one_connection() {
    let world = world(5 * MIB + 3).await;
    let mut client = connect(world.address).await;
    for part in parts(world.bytes.len()) {
        ask(&mut client, &part).await;
        let what = format!("{part:?}");
        assert_same(&receive(&mut client).await, &world.bytes[part], &what);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pipelined_answers_keep_their_order() {
    let world = world(5 * MIB + 3).await;
    let mut client = connect(world.address).await;
    let parts = parts(world.bytes.len());
    for part in &parts {
        ask(&mut client, part).await;
    }
    for part in parts {
        let what = format!("{part:?}");
        assert_same(&receive(&mut client).await, &world.bytes[part], &what);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once() {
    let world = Arc::new(world(3 * MIB + 11).await);
    let downloads: Vec<_> = (0..24)
        .map(|n| {
            let world = world.clone();
            tokio::spawn(async move {
                let mut client = connect(world.address).await;
                let part = n * 10_007..world.bytes.len() - n;
                ask(&mut client, &part).await;
                assert_same(&receive(&mut client).await, &world.bytes[part], "download");
            })
        })
        .collect();
    for download in downloads {
        download.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_in_the_page_cache_comes_from_the_disk() {
    let world = world(9 * MIB + 1).await;
    let file = world.path.as_file();
    rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
    for part in [0..world.bytes.len(), 5 * MIB..5 * MIB + 100] {
        let mut client = connect(world.address).await;
        ask(&mut client, &part).await;
        assert_same(&receive(&mut client).await, &world.bytes[part], "cold part");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unlinked_file_is_sent_to_its_end() {
    let world = world(24 * MIB).await;
    let mut client = connect(world.address).await;
    ask(&mut client, &(0..world.bytes.len())).await;
    let mut bytes = vec![0; head(&mut client).await];
    client.read_exact(&mut bytes[..1000]).await.unwrap();
    std::fs::remove_file(world.path.path()).unwrap();
    client.read_exact(&mut bytes[1000..]).await.unwrap();
    assert_same(&bytes, &world.bytes, "unlinked file");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_holds_nothing() {
    let world = world(24 * MIB).await;
    let file = world.file.upgrade().unwrap();
    let held_at_rest = Arc::strong_count(&file);
    for _ in 0..4 {
        let mut client = connect(world.address).await;
        ask(&mut client, &(0..world.bytes.len())).await;
        assert_eq!(head(&mut client).await, world.bytes.len());
        assert!(
            Arc::strong_count(&file) > held_at_rest,
            "a map is in the table"
        );
        drop(client);
    }
    let all_gone = async {
        while Arc::strong_count(&file) > held_at_rest {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(20), all_gone).await;
    waited.expect("maps left in the table");
    let mut client = connect(world.address).await;
    ask(&mut client, &(1..3 * MIB)).await;
    assert_same(
        &receive(&mut client).await,
        &world.bytes[1..3 * MIB],
        "next",
    );
}

/// Reads to the end of the connection and returns what came of the announced bytes.
async fn broken_off(client: &mut TcpStream, announced: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A reset is an end too.
    let _ = client.read_to_end(&mut bytes).await;
    assert!(bytes.len() < announced, "the answer should break off");
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_too_short_ends_the_connection() {
    for length in [10, 64 * 1024, 3 * MIB + 5] {
        let world = world(length).await;
        for announced in [length + 1, length + 100_000, length + 4 * MIB] {
            let mut client = connect(world.address).await;
            ask(&mut client, &(0..announced)).await;
            // The head may not even go out.
            let mut answer = Vec::new();
            let _ = client.read_to_end(&mut answer).await;
            let body = answer.windows(4).position(|end| end == b"\r\n\r\n");
            let body = body.map_or(&[][..], |end| &answer[end + 4..]);
            assert!(body.len() <= length);
            assert_same(body, &world.bytes[..body.len()], "short file");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_cut_off_meanwhile_never_yields_a_wrong_byte() {
    // It never happens to a sealed blob; a lost disk may look like it.
    let world = world(32 * MIB).await;
    let mut client = connect(world.address).await;
    ask(&mut client, &(0..world.bytes.len())).await;
    let announced = head(&mut client).await;
    world.path.as_file().set_len(20 * MIB as u64).unwrap();
    let found = broken_off(&mut client, announced).await;
    assert_same(&found, &world.bytes[..found.len()], "cut file");
}

#[tokio::test(flavor = "multi_thread")]
async fn http_2_carries_the_same_bytes() {
    let world = world(5 * MIB + 3).await;
    // Frames long enough to be looked up as well as frames that are not.
    for frame_bytes in [16 * 1024, MIB as u32] {
        let stream = TcpStream::connect(world.address).await.unwrap();
        let mut builder = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
        builder
            .max_frame_size(frame_bytes)
            .initial_stream_window_size(8 * MIB as u32)
            .initial_connection_window_size(64 * MIB as u32);
        let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let answers: Vec<_> = parts(world.bytes.len())
            .into_iter()
            .map(|part| {
                let mut sender = sender.clone();
                let uri = format!("http://here/{}/{}", part.start, part.end);
                tokio::spawn(async move {
                    let request = Request::get(uri).body(Empty::<Bytes>::new()).unwrap();
                    let answer = sender.send_request(request).await.unwrap();
                    (part, answer.into_body().collect().await.unwrap().to_bytes())
                })
            })
            .collect();
        for answer in answers {
            let (part, found) = answer.await.unwrap();
            let what = format!("{part:?}");
            assert_same(&found, &world.bytes[part], &what);
        }
    }
}

/// The trick itself: memory that the table says is a file goes out as the file, which here holds
/// something else, so that the client can tell who sent it.
#[tokio::test(flavor = "multi_thread")]
async fn the_kernel_sends_what_the_table_knows() {
    let bytes = noise(3 * MIB + 5);
    let mut path = NamedTempFile::new().unwrap();
    path.write_all(&bytes).unwrap();
    let file = Arc::new(path.reopen().unwrap());
    let memory: Bytes = vec![0; bytes.len() - 9].into();
    let start = memory.as_ptr() as usize;
    let source = Source { file, offset: 9 };
    let registered = Registered::new(start, memory.len(), source);
    let address = {
        let memory = memory.clone();
        serve(move |_| body::full(memory.clone())).await
    };
    for _ in 0..2 {
        let mut client = connect(address).await;
        ask(&mut client, &(0..1)).await;
        assert_same(
            &receive(&mut client).await,
            &bytes[9..],
            "sent by the kernel",
        );
    }
    drop(registered);
    let mut client = connect(address).await;
    ask(&mut client, &(0..1)).await;
    assert_same(&receive(&mut client).await, &memory, "sent from memory");
}

/// Whoever looks at the bytes gets no map, in which a disk that fails would end the process.
#[tokio::test]
async fn without_a_map_the_bytes_are_the_same() {
    let bytes = noise(3 * MIB + 5);
    let mut path = NamedTempFile::new().unwrap();
    path.write_all(&bytes).unwrap();
    let file = Arc::new(path.reopen().unwrap());
    for part in [0..bytes.len(), 1..MIB, 7..7, 4_099..bytes.len() - 3] {
        let (offset, length) = (part.start as u64, part.len() as u64);
        let mut body = FileBody::new(file.clone(), offset, length).unmapped();
        let mut whole = Vec::new();
        while let Some(frame) = body.frame().await {
            let piece = frame.unwrap().into_data().unwrap();
            assert!(mapping::find(&piece).is_none(), "a map");
            assert!(
                piece.len() <= 16 * 1024,
                "a peer that takes nothing holds it"
            );
            whole.extend_from_slice(&piece);
        }
        assert_same(&whole, &bytes[part], "read");
    }
    let mut body = FileBody::new(file, 0, bytes.len() as u64 + 1).unmapped();
    while let Some(Ok(_)) = body.frame().await {}
    assert!(!body.is_end_stream(), "a short file is no whole body");
}

#[test]
fn the_table_knows_parts_of_maps_and_nothing_else() {
    let mut path = NamedTempFile::new().unwrap();
    path.write_all(&noise(300_000)).unwrap();
    let file = Arc::new(path.reopen().unwrap());
    let map = mapping::map(&file, 4_099, 200_000).unwrap();
    let offset = |slice: &[u8]| mapping::find(slice).map(|source| source.offset);
    assert_eq!(offset(&map), Some(4_099));
    assert_eq!(offset(&map[5..]), Some(4_104));
    assert_eq!(offset(&map[199_999..]), Some(204_098));
    assert_eq!(offset(&noise(100)), None);
    let short = map.slice(..10);
    drop(map);
    assert_eq!(offset(&short), Some(4_099), "a slice keeps the map");
    drop(short);
    assert_eq!(
        Arc::strong_count(&file),
        1,
        "the last slice takes the entry along"
    );
    assert!(
        mapping::map(&file, 0, 300_001).is_err(),
        "longer than the file"
    );
    assert!(
        mapping::map(&file, u64::MAX, 2).is_err(),
        "past all numbers"
    );
}
