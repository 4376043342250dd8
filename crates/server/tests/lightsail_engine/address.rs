//! The address of a service: every path is its own, heads and bodies pass, connections switch.

use crate::site::{Site, ask};
use serde_json::json;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

#[test]
fn requests_pass_as_they_are() {
    let site = Site::new();
    site.create("web");
    let host = site.host("web");
    let image = site.register("web", "one");
    let app = json!({"app": {"image": image, "ports": {"80": "HTTP"}}});
    let version = site.deploy("web", &app);
    assert_eq!(site.decided("web", version), "ACTIVE");
    let ask =
        |method: &str, path: &str, body: &str| ask(&site.server.address, &host, method, path, body);
    // Its own on every path, also where the registry has doors on other hosts.
    assert_eq!(ask("GET", "/v2/", "").status, 404);
    assert_eq!(ask("POST", "/", "{}").body, "hello");
    assert_eq!(ask("GET", "/readyz", "").body, "hello");
    let megabytes = "x".repeat(3_000_000);
    assert_eq!(ask("PUT", "/size", &megabytes).body, "3000000");
    let head = ask("GET", "/head", "").body.to_lowercase();
    for line in [
        format!("host: {host}"),
        format!("x-forwarded-host: {host}"),
        "x-forwarded-for: 192.0.2.1, 127.0.0.1".to_owned(),
        "x-forwarded-proto: http".to_owned(),
    ] {
        assert!(head.contains(&format!("{line}\r\n")), "{line} in {head}");
    }
    assert!(!head.contains("connection: close"), "{head}");
    switched(&site.server.address, &host);

    let stranger = host.replacen("web", "other", 1);
    let answer = site.get(&stranger, "/");
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (404, "No Such Service")
    );
    site.delete("web");
}

fn switched(address: &str, host: &str) {
    let mut stream = TcpStream::connect(address).expect("the server");
    let timeout = Some(Duration::from_secs(10));
    stream.set_read_timeout(timeout).expect("a timeout");
    let head = format!(
        "GET /switch HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).expect("a request");
    let mut answer = String::new();
    while !answer.contains("\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("a head");
        answer.push(char::from(byte[0]));
    }
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    assert!(
        answer.to_lowercase().contains("upgrade: echo\r\n"),
        "{answer}"
    );
    for word in ["first", "second"] {
        stream.write_all(word.as_bytes()).expect("a word");
        let mut back = vec![0; word.len()];
        stream.read_exact(&mut back).expect("the word");
        assert_eq!(back, word.as_bytes());
    }
}
