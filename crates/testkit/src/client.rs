//! Sending requests: the server's own least client, with answers for tests.

use std::net::SocketAddr;

use bytes::Bytes;
use http::Request;

use crate::Answer;

/// Sends one request and reads the whole answer. A `Host` header is added if there is none.
pub async fn send(address: SocketAddr, request: Request<Bytes>) -> Answer {
    let answer = roadstead_server::client::send(address, request)
        .await
        .expect("an answer");
    let (head, body) = answer.into_parts();
    Answer {
        status: head.status,
        headers: head.headers,
        body,
    }
}
