//! Peers: of both families, slow, and silent.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::thread::sleep;
use std::time::Duration;

use rustix::process::{Resource, getrlimit, setrlimit};

use super::support::server::{Server, free_address, run_roadstead, status_of, utf8};

/// Nothing here may take longer.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn several_addresses_of_both_families() {
    let six = free_address().replace("127.0.0.1", "[::1]");
    let server = Server::start_with(&["--listen", &six]);
    for address in [&server.address, &six] {
        assert_eq!(status_of(address, "/readyz").expect("an answer"), 200);
    }
    assert!(server.log().contains(&format!("and http://{six}")));
    assert!(server.stop().success());

    // The same port on both, whether the system takes one for the other or not.
    let four = free_address().replace("127.0.0.1", "0.0.0.0");
    let six = four.replace("0.0.0.0", "[::]");
    let _server = Server::start_with(&["--listen", &four, "--listen", &six]);
    for (from, to) in [(&four, "127.0.0.1"), (&six, "[::1]")] {
        let address = from.replace("0.0.0.0", to).replace("[::]", to);
        assert_eq!(status_of(&address, "/readyz").expect("an answer"), 200);
    }
}

#[test]
fn dev_listens_nowhere_but_on_loopback() {
    let folder = tempfile::tempdir().expect("a folder");
    let (good, bad) = (free_address(), free_address().replace("127.0.0.1", "[::]"));
    let said = run_roadstead(&[
        "serve",
        "--dev",
        "--data",
        utf8(&folder.path().join("data")),
        "--listen",
        &good,
        "--listen",
        &bad,
    ])
    .expect_failure();
    assert!(said.contains("--dev") && said.contains(&bad), "{said}");
}

/// C6: a byte now and then does not make a head.
#[test]
fn a_slow_head_is_given_up_and_disturbs_nobody() {
    let server = Server::start_with_settings(&[("ROADSTEAD_LIMITS_HEADER_SECONDS", "1")]);
    let mut slow = TcpStream::connect(&server.address).expect("a connection");
    slow.set_read_timeout(Some(Duration::from_millis(100)))
        .expect("a time");
    let mut is_closed = false;
    for byte in b"GET /".iter().chain([b'a'; 400].iter()) {
        assert!(server.is_ready(), "others are served");
        let mut piece = [0; 16];
        is_closed = slow.write_all(&[*byte]).is_err()
            || match slow.read(&mut piece) {
                Ok(read) => read == 0,
                Err(error) => ![ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind()),
            };
        if is_closed {
            break;
        }
    }
    assert!(is_closed);
}

/// C6: five thousand connections that say nothing.
#[test]
fn idle_connections_disturb_nobody_and_are_given_up() {
    const IDLE: usize = 5000;
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).expect("the limit of open files");
    let server = Server::start_with_settings(&[
        ("ROADSTEAD_LIMITS_CONNECTIONS_MAX", "6000"),
        ("ROADSTEAD_LIMITS_HEADER_SECONDS", "15"),
    ]);
    let mut idle = Vec::new();
    for _ in 0..IDLE {
        idle.push(TcpStream::connect(&server.address).expect("a connection"));
    }
    assert!(server.is_ready(), "others are served");
    for stream in &mut idle {
        stream.set_read_timeout(Some(PATIENCE)).expect("a time");
        let read = stream.read(&mut [0; 16]).expect("the server closes");
        assert_eq!(read, 0);
    }
    assert!(server.is_ready());
}

/// C6: more connections than there is room for wait, and are served when there is.
#[test]
fn connections_beyond_the_limit_wait_for_room() {
    let server = Server::start_with_settings(&[
        ("ROADSTEAD_LIMITS_CONNECTIONS_MAX", "2"),
        ("ROADSTEAD_LIMITS_HEADER_SECONDS", "2"),
    ]);
    let mut idle = Vec::new();
    for _ in 0..4 {
        idle.push(TcpStream::connect(&server.address).expect("a connection"));
    }
    let mut polls = 0;
    // Each look has five seconds of its own.
    while !server.is_ready() {
        polls += 1;
        assert!(polls < 20, "there is room when the silent ones are gone");
        sleep(Duration::from_millis(100));
    }
}
