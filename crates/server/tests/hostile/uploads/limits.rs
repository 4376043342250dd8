//! C6, C8: peers that are slow or idle, and uploads that are left: what they can hold is bounded.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::Method;
use roadstead_domain::time::Span;
use roadstead_store::fault::When;
use roadstead_testkit::images::digest;
use rustix::process::{Resource, getrlimit, setrlimit};

use super::{finish, open, patch, world_with_app};
use crate::bench::{Stored, is_alive, status};
use crate::process::{MIB, SLACK, Watched, pieces};
use crate::support::server::Server;

/// Sends a byte a second until the server closes; gives what it said.
fn trickle(watched: &Watched, start: &str, byte: u8, is_over: &AtomicBool) -> String {
    let mut stream = watched.connect();
    stream.write_all(start.as_bytes()).expect("a start");
    stream
        .set_read_timeout(Some(Duration::from_secs(1)))
        .expect("a time limit");
    let mut answer = Vec::new();
    // The header may take 30 s, 1 KiB of a body 60 s: this is twice as long.
    for _ in 0..120 {
        let mut piece = [0; 4096];
        match stream.read(&mut piece) {
            Ok(0) => return String::from_utf8_lossy(&answer).into_owned(),
            Ok(read) => answer.extend_from_slice(&piece[..read]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                // Whoever closed will be noticed by the next read.
                let _ = stream.write_all(&[byte]);
            }
            Err(_) => return String::from_utf8_lossy(&answer).into_owned(),
        }
        assert!(!is_over.load(Ordering::SeqCst), "the others failed");
    }
    panic!(
        "still open after two minutes: {}",
        String::from_utf8_lossy(&answer)
    );
}

/// A byte a second of a head or of a body, and an answer that is never read: each is given up or
/// bounded, and nobody else notices.
#[test]
fn c6_slow_peers_are_given_up_and_others_unaffected() {
    let watched = Arc::new(Watched::start());
    let is_over = AtomicBool::new(false);
    let upload = {
        let opened = watched.oci("POST /v2/app/blobs/uploads/", "", b"");
        assert_eq!(status(&opened), 202, "{opened}");
        crate::bench::header(&opened, "location").to_owned()
    };
    let blob = vec![7; 32 * 1024 * 1024];
    let line = format!("POST /v2/app/blobs/uploads/?digest={}", digest(&blob));
    let pushed = watched.oci(&line, "", &blob);
    assert_eq!(status(&pushed), 201, "{pushed}");
    // Asks for all of it and reads none.
    let mut deaf = watched.connect();
    let line = format!("GET /v2/app/blobs/{}", digest(&blob));
    deaf.write_all(watched.head(&line, "").as_bytes())
        .expect("a request");
    std::thread::scope(|scope| {
        let (watched, is_over) = (&watched, &is_over);
        let head =
            scope.spawn(move || trickle(watched, "GET /v2/ HTTP/1.1\r\nX-Slow: ", b'x', is_over));
        let headers = "Content-Length: 1000000\r\n";
        let chunk = watched.head(&format!("PATCH {upload}"), headers);
        let body = scope.spawn(move || trickle(watched, &chunk, b'y', is_over));
        let manifest = watched.head("PUT /v2/app/manifests/slow", headers);
        let manifest = scope.spawn(move || trickle(watched, &manifest, b' ', is_over));
        for _ in 0..20 {
            watched.is_alive();
        }
        for (what, slow, expected) in [
            ("a head", head, [408, 0]),
            ("a chunk", body, [400, 408]),
            ("a manifest", manifest, [400, 408]),
        ] {
            let answer = slow.join().expect("an end");
            assert!(expected.contains(&status(&answer)), "{what}: {answer}");
        }
    });
    watched.is_alive();
    drop(deaf);
}

#[test]
fn c6_five_thousand_idle_connections() {
    const COUNT: usize = 5000;
    let limit = getrlimit(Resource::Nofile);
    let mut wanted = limit;
    wanted.current = limit.maximum.or(Some(1 << 20));
    setrlimit(Resource::Nofile, wanted).expect("as many files as may be");
    assert!(
        wanted
            .current
            .is_none_or(|files| files > 2 * COUNT as u64 + 1000),
        "this test needs a hard limit of open files above {}",
        2 * COUNT + 1000
    );
    let watched = Watched::start();
    let growth = watched.growth(|| {
        let idle: Vec<TcpStream> = (0..COUNT).map(|_| watched.connect()).collect();
        for _ in 0..20 {
            watched.is_alive();
        }
        drop(idle);
    });
    // 30 KiB for each, far less than a buffer for a body.
    assert!(growth < 150 * MIB, "{} MiB", growth / MIB);
    watched.is_alive();
}

#[tokio::test]
async fn c8_uploads_that_are_left_are_collected() {
    let world = world_with_app().await;
    let before = Stored::of(&world);
    for n in 0..2000 {
        let location = open(&world).await;
        if n % 10 == 0 {
            patch(&world, &location, None, "left").await.expect(202);
        }
    }
    is_alive(&world).await;
    world.clock.advance(Span::seconds(24 * 3600 + 1));
    world.sweep().await;
    before.is_unchanged(&world).await;
}

#[test]
fn c8_a_stream_that_is_abandoned_is_on_disk_only_and_not_for_long() {
    let expiry = [("ROADSTEAD_UPLOADS_EXPIRY_SECONDS", "1")];
    let server = Server::start_with_settings(&expiry);
    let watched = Watched::over(server);
    let made = watched.ecr(
        "CreateRepository",
        serde_json::json!({ "repositoryName": "app" }),
    );
    made.expect(200);
    let opened = watched.oci("POST /v2/app/blobs/uploads/", "", b"");
    let location = crate::bench::header(&opened, "location").to_owned();
    // 100 GiB are announced; what the disk of a test can bear is sent.
    let length = format!("Content-Length: {}\r\n", 100 * 1024 * MIB);
    let head = watched.head(&format!("PATCH {location}"), &length);
    let growth = watched.growth(|| {
        let mut stream = watched.connect();
        stream.write_all(head.as_bytes()).expect("a head");
        for piece in pieces(MIB, 256) {
            stream.write_all(&piece).expect("a piece");
        }
    });
    assert!(growth < SLACK, "{} MiB", growth / MIB);
    let stored = || folder_bytes(&watched.server.data().join("blobs"));
    std::thread::sleep(Duration::from_secs(2));
    // The writer may still be at its end when the first pass comes.
    for _ in 0..60 {
        watched.server.sweep();
        if stored() == 0 {
            break;
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    assert_eq!(stored(), 0);
    watched.is_alive();
}

fn folder_bytes(folder: &std::path::Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(data) if data.is_dir() => folder_bytes(&entry.path()),
        Ok(data) => data.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

/// The full disk itself is in `faults/disk.rs` (507, and 500 on the API); here every call of the
/// store fails once.
#[tokio::test]
async fn c8_a_store_that_fails_in_the_middle_claims_nothing() {
    let world = world_with_app().await;
    let location = open(&world).await;
    patch(&world, &location, None, "hello").await.expect(202);
    let basic = world.basic(&world.credentials).await;
    let path = format!("{location}?digest={}", digest(b"helloworld"));
    let put = async || {
        let headers = [("authorization", basic.as_str())];
        world.raw(Method::PUT, &path, &headers, "world").await
    };
    world.faults.fail_all(When::Before);
    assert_eq!(put().await.code(), (500, "UNKNOWN".into()));
    world.faults.clear();
    let blob = format!("/v2/app/blobs/{}", digest(b"helloworld"));
    world.oci(Method::HEAD, &blob, &[], "").await.expect(404);
    finish(&world, &location, b"helloworld", "world")
        .await
        .expect(201);
    world.oci(Method::GET, &blob, &[], "").await.expect(200);
}

#[test]
fn c8_after_a_kill_no_part_of_a_blob_is_served() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let watched = Watched::start_on(&data);
    let made = watched.ecr(
        "CreateRepository",
        serde_json::json!({ "repositoryName": "app" }),
    );
    made.expect(200);
    let whole = vec![b'z'; 1_000_000];
    let line = format!("POST /v2/app/blobs/uploads/?digest={}", digest(&whole));
    let mut stream = watched.connect();
    let head = watched.head(&line, "Content-Length: 1000000\r\n");
    stream.write_all(head.as_bytes()).expect("a head");
    stream.write_all(&whole[..600_000]).expect("a part");
    watched.is_alive();
    let Watched { server, .. } = watched;
    server.kill();
    let watched = Watched::start_on(&data);
    for bytes in [&whole[..], &whole[..600_000]] {
        let line = format!("GET /v2/app/blobs/{}", digest(bytes));
        let answer = watched.oci(&line, "", b"");
        assert_eq!(status(&answer), 404, "{answer}");
        assert!(answer.contains("BLOB_UNKNOWN"), "{answer}");
    }
    let line = format!("POST /v2/app/blobs/uploads/?digest={}", digest(&whole));
    let answer = watched.oci(&line, "", &whole);
    assert_eq!(status(&answer), 201, "{answer}");
}
