//! The real program under inputs that must not fill its memory: how much it holds is read from the
//! kernel's own account of the process.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use roadstead_domain::time::Timestamp;
use roadstead_registry::context::Clock as _;
use roadstead_server::ambient::SystemClock;
use roadstead_testkit::Answer;
use roadstead_testkit::aws::ECR;
use serde_json::{Value, json};

use crate::support::server::{Key, Server, create_key};

/// Bytes in a mebibyte.
pub const MIB: u64 = 1024 * 1024;
/// What a program may grow by while a request comes that is longer than it takes.
pub const SLACK: u64 = 48 * MIB;

const PATIENCE: Duration = Duration::from_secs(30);

/// A running program and how a client of it logs in.
pub struct Watched {
    pub server: Server,
    pub key: Key,
    pub basic: String,
}

impl Watched {
    /// Starts it with the repository `app`.
    pub fn start() -> Self {
        let watched = Self::over(Server::start());
        let made = watched.ecr("CreateRepository", json!({ "repositoryName": "app" }));
        made.expect(200);
        watched
    }

    /// Starts it on a data folder that outlives it.
    pub fn start_on(data: &Path) -> Self {
        Self::over(Server::start_on(data, &[]))
    }

    /// Logs in to a running one.
    pub fn over(server: Server) -> Self {
        let key = create_key(server.data());
        let mut watched = Self {
            server,
            key,
            basic: String::new(),
        };
        let token = watched.ecr("GetAuthorizationToken", json!({})).expect(200);
        let token = token.json()["authorizationData"][0]["authorizationToken"].clone();
        watched.basic = format!("Basic {}", token.as_str().expect("a token"));
        watched
    }

    /// Calls an operation of ECR.
    pub fn ecr(&self, operation: &str, body: Value) -> Answer {
        let address = self.server.address.parse().expect("an address");
        let who = roadstead_sigv4::Credentials {
            access_key_id: &self.key.access_key_id,
            secret_access_key: &self.key.secret_access_key,
            session_token: None,
        };
        let target = format!("{ECR}.{operation}");
        let body = Bytes::from(body.to_string());
        let now: Timestamp = SystemClock.now();
        let request =
            roadstead_server::client::signed(address, &who, "us-east-1", now, &target, body);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(roadstead_testkit::client::send(
            address,
            request.expect("a request"),
        ))
    }

    /// Bytes of memory that are its own and no file's.
    pub fn memory(&self) -> u64 {
        let path = format!("/proc/{}/status", self.server.process_id());
        let status = std::fs::read_to_string(path).expect("the status of the process");
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("RssAnon:"));
        let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
        let kibibytes = kibibytes.and_then(|number| number.trim().parse::<u64>().ok());
        kibibytes.expect("RssAnon in kB") * 1024
    }

    /// Does something while the program's memory is watched; gives the most that it grew.
    pub fn growth(&self, act: impl FnOnce()) -> u64 {
        let (before, is_done) = (self.memory(), AtomicBool::new(false));
        let watch = || {
            let mut most = 0;
            while !is_done.load(Ordering::SeqCst) {
                most = most.max(self.memory());
                std::thread::sleep(Duration::from_millis(2));
            }
            most
        };
        std::thread::scope(|scope| {
            let watch = scope.spawn(watch);
            let ends = Ends(&is_done);
            act();
            drop(ends);
            let most = watch.join().expect("the watch");
            most.saturating_sub(before)
        })
    }

    /// A connection that gives up after a while.
    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.server.address).expect("a server");
        stream
            .set_read_timeout(Some(PATIENCE))
            .expect("a time limit");
        stream
            .set_write_timeout(Some(PATIENCE))
            .expect("a time limit");
        stream
    }

    /// A head with authorization, whose connection ends with the answer.
    pub fn head(&self, request_line: &str, headers: &str) -> String {
        let basic = &self.basic;
        format!(
            "{request_line} HTTP/1.1\r\nHost: registry\r\nAuthorization: {basic}\r\n\
             Connection: close\r\n{headers}\r\n"
        )
    }

    /// Sends a head, then pieces of a body for as long as the server takes them; gives the answer.
    pub fn send(&self, head: &str, pieces: impl IntoIterator<Item = Vec<u8>>) -> String {
        let mut stream = self.connect();
        stream.write_all(head.as_bytes()).expect("a head");
        for piece in pieces {
            // Who refuses need not read on.
            if stream.write_all(&piece).is_err() {
                break;
            }
        }
        let mut answer = Vec::new();
        // A reset behind the answer is as good as an end.
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// One request to `/v2`.
    pub fn oci(&self, request_line: &str, headers: &str, body: &[u8]) -> String {
        let headers = format!("{headers}Content-Length: {}\r\n", body.len());
        self.send(&self.head(request_line, &headers), [body.to_vec()])
    }

    /// The server answers a normal request.
    pub fn is_alive(&self) {
        let answer = self.oci("GET /v2/", "", b"");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}

struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Pieces of `length` bytes, `count` of them.
pub fn pieces(length: u64, count: usize) -> impl Iterator<Item = Vec<u8>> {
    let piece = vec![b' '; usize::try_from(length).expect("a length")];
    std::iter::repeat_n(piece, count)
}

/// The same in the chunks of HTTP/1.1, without an end.
pub fn chunks(length: u64, count: usize) -> impl Iterator<Item = Vec<u8>> {
    pieces(length, count).map(move |piece| {
        let mut chunk = format!("{length:x}\r\n").into_bytes();
        chunk.extend_from_slice(&piece);
        chunk.extend_from_slice(b"\r\n");
        chunk
    })
}

/// Many requests over one connection.
pub struct Kept<'a> {
    watched: &'a Watched,
    stream: BufReader<TcpStream>,
}

impl<'a> Kept<'a> {
    pub fn new(watched: &'a Watched) -> Self {
        let stream = BufReader::new(watched.connect());
        Self { watched, stream }
    }

    /// One request; gives the head of its answer and the body.
    pub fn ask(&mut self, request_line: &str, headers: &str, body: &[u8]) -> (String, Vec<u8>) {
        let headers = format!("{headers}Content-Length: {}\r\n", body.len());
        let head = self.watched.head(request_line, &headers);
        let head = head.replace("Connection: close\r\n", "");
        let sent = [head.as_bytes(), body].concat();
        self.stream.get_mut().write_all(&sent).expect("a request");
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line).expect("a line");
            assert!(!line.is_empty(), "closed after {head}");
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().expect("a length");
            }
            head += &line;
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).expect("a body");
        (head, body)
    }
}
