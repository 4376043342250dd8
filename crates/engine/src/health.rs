//! The health of a node: HTTP requests to its published port, as the public endpoint says, and the
//! counting of their answers.
//!
//! Only a node that is not healthy yet is asked more often than its interval says, so that a
//! deployment is not longer on its way than it has to be.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, header};
use http_body_util::Empty;
use hyper_util::rt::TokioIo;
use roadstead_domain::lightsail::endpoint::HealthCheck;
use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::routes::Health;

/// The pause after a failure of a node that was never healthy.
const EAGER: Duration = Duration::from_secs(1);

/// Answers in a row.
#[derive(Debug, Clone)]
pub struct Counter {
    rise: i64,
    fall: i64,
    successes: i64,
    failures: i64,
    is_healthy: bool,
}

impl Counter {
    /// Of a node that becomes healthy after `rise` successes and unhealthy after `fall` failures.
    pub fn new(rise: i64, fall: i64) -> Self {
        Self {
            rise,
            fall,
            successes: 0,
            failures: 0,
            is_healthy: false,
        }
    }

    /// Counts one answer; whether the node is healthy now.
    pub fn note(&mut self, is_success: bool) -> bool {
        match is_success {
            true => (self.successes, self.failures) = (self.successes.saturating_add(1), 0),
            false => (self.successes, self.failures) = (0, self.failures.saturating_add(1)),
        }
        if self.is_healthy {
            self.is_healthy = self.failures < self.fall;
        } else {
            self.is_healthy = self.successes >= self.rise;
        }
        self.is_healthy
    }
}

/// Asks a node for ever. One that served before it was adopted needs a single good answer at first.
pub async fn watch(
    address: SocketAddr,
    check: HealthCheck,
    is_adopted: bool,
    health: Arc<Health>,
    changed: Arc<Notify>,
) {
    let first = if is_adopted {
        1
    } else {
        check.healthy_threshold
    };
    let mut counter = Counter::new(first, check.unhealthy_threshold);
    let mut was_ever_healthy = false;
    loop {
        let is_success = ask(address, &check).await;
        let is_healthy = counter.note(is_success);
        if health.is_healthy() != is_healthy {
            health.set(is_healthy);
            changed.notify_one();
        }
        if is_healthy && !was_ever_healthy {
            was_ever_healthy = true;
            counter.rise = check.healthy_threshold;
        }
        tokio::time::sleep(match is_success || was_ever_healthy {
            true => seconds(check.interval_secs),
            false => EAGER,
        })
        .await;
    }
}

/// A node without an endpoint is healthy once its containers have run for `settle`.
pub async fn settle(settle: Duration, health: Arc<Health>, changed: Arc<Notify>) {
    tokio::time::sleep(settle).await;
    health.set(true);
    changed.notify_one();
}

async fn ask(address: SocketAddr, check: &HealthCheck) -> bool {
    let answer = tokio::time::timeout(seconds(check.timeout_secs), status(address, &check.path));
    match answer.await {
        Ok(Some(status)) => check.success_codes.accepts(status),
        Ok(None) | Err(_) => false,
    }
}

/// A connection of its own for each request: what is asked is whether it can be made.
async fn status(address: SocketAddr, path: &str) -> Option<u16> {
    let stream = TcpStream::connect(address).await.ok()?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .ok()?;
    let request = Request::get(path)
        .header(header::HOST, address.to_string())
        .header(header::USER_AGENT, "roadstead-health-check")
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .ok()?;
    let connection = tokio::spawn(connection);
    let answer = sender.send_request(request).await;
    connection.abort();
    Some(answer.ok()?.status().as_u16())
}

fn seconds(seconds: i64) -> Duration {
    Duration::from_secs(u64::try_from(seconds).unwrap_or(1).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    #[test]
    fn thresholds_count_answers_in_a_row() {
        for (rise, fall, answers, expected) in [
            (2, 2, "ss", "-h"),
            (2, 2, "sfss", "---h"),
            (1, 2, "sfsff", "hhhh-"),
            (1, 1, "sfs", "h-h"),
            (3, 2, "sssffsss", "--hh---h"),
        ] {
            let mut counter = Counter::new(rise, fall);
            let found: String = answers
                .chars()
                .map(|answer| match counter.note(answer == 's') {
                    true => 'h',
                    false => '-',
                })
                .collect();
            let expected: String = expected.to_owned();
            assert_eq!(found, expected, "{rise} {fall} {answers}");
        }
    }

    #[tokio::test]
    async fn the_status_is_read() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = [0; 1024];
            let read = stream.read(&mut head).await.unwrap();
            let answer = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";
            stream.write_all(answer).await.unwrap();
            String::from_utf8_lossy(&head[..read]).into_owned()
        });
        assert_eq!(status(address, "/health?deep=1").await, Some(404));
        let head = server.await.unwrap();
        assert!(
            head.starts_with("GET /health?deep=1 HTTP/1.1\r\n"),
            "{head}"
        );
    }

    #[tokio::test]
    async fn nobody_there_is_a_failure() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        assert!(!ask(address, &HealthCheck::default()).await);
    }
}
