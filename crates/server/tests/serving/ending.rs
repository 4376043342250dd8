//! The end of a server with transfers in flight.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use super::support::images::digest_of;
use super::support::server::{Server, status_of};

/// Nothing here may take longer.
const PATIENCE: Duration = Duration::from_secs(60);
const CONTENT: &[u8] = b"the bytes of a layer that is on its way when the server stops";

/// A server over `data` without a login.
fn server(data: &Path, drain_seconds: &str) -> Server {
    let settings = [
        ("ROADSTEAD_LIMITS_DRAIN_SECONDS", drain_seconds),
        // A blob of no image is to be found after a restart.
        ("ROADSTEAD_SWEEP_GRACE_SECONDS", "3600"),
    ];
    Server::start_on_with(data, &["--dev"], &settings)
}

/// An upload of which half has arrived.
fn half_an_upload(server: &Server) -> TcpStream {
    let mut stream = TcpStream::connect(&server.address).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time");
    let host = &server.address;
    let open = format!(
        "POST /v2/app/blobs/uploads/ HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n\r\n"
    );
    stream.write_all(open.as_bytes()).expect("a request");
    let answer = until(&mut stream, "\r\n\r\n");
    let location = answer
        .lines()
        .find_map(|line| line.strip_prefix("location: "))
        .unwrap_or_else(|| panic!("{answer}"));
    let (length, digest) = (CONTENT.len(), digest_of(CONTENT));
    let head = format!(
        "PUT {location}?digest={digest} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n\
         Content-Type: application/octet-stream\r\nExpect: 100-continue\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).expect("a head");
    // The server has taken it up.
    until(&mut stream, "100 Continue\r\n\r\n");
    stream.write_all(&CONTENT[..20]).expect("a half");
    stream
}

fn until(stream: &mut TcpStream, text: &str) -> String {
    let (mut said, mut piece) = (String::new(), [0; 4096]);
    while !said.contains(text) {
        let read = stream.read(&mut piece).expect("an answer");
        assert!(read > 0, "{said}");
        said.push_str(&String::from_utf8_lossy(&piece[..read]));
    }
    said
}

fn wait_for_the_end_of_listening(server: &Server) {
    for _ in 0..600 {
        if TcpStream::connect(&server.address).is_err() {
            return;
        }
        sleep(Duration::from_millis(50));
    }
    panic!("it listens on");
}

#[test]
fn a_transfer_in_flight_ends_well_and_nothing_new_begins() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    for signal in ["TERM", "INT"] {
        let server = server(&data, "120");
        let mut upload = half_an_upload(&server);
        server.signal(signal);
        wait_for_the_end_of_listening(&server);
        upload.write_all(&CONTENT[20..]).expect("the other half");
        let answer = until(&mut upload, "\r\n\r\n");
        assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
        assert_eq!(server.ended().code(), Some(0));
    }
    let server = server(&data, "1");
    let blob = format!("/v2/app/blobs/{}", digest_of(CONTENT));
    assert_eq!(status_of(&server.address, &blob).expect("an answer"), 200);
}

#[test]
fn a_transfer_that_does_not_end_is_waited_for_as_long_as_is_set() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = server(&folder.path().join("data"), "1");
    let mut upload = half_an_upload(&server);
    server.signal("TERM");
    assert_eq!(server.ended().code(), Some(0));
    // Whatever it says, it is over.
    let _ = upload.read_to_end(&mut Vec::new());
    let log = std::fs::read_to_string(folder.path().join("data.log")).expect("the log");
    assert!(log.contains("stopping with requests in flight"), "{log}");
}

#[test]
fn a_second_signal_ends_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = server(&folder.path().join("data"), "86400");
    let _upload = half_an_upload(&server);
    server.signal("TERM");
    wait_for_the_end_of_listening(&server);
    server.signal("TERM");
    assert_eq!(server.ended().code(), Some(1));
}
