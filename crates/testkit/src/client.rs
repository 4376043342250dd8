//! The least HTTP/1.1 client: one connection for each request.

use std::net::SocketAddr;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::Answer;

/// Sends one request and reads the whole answer. A `Host` header is added if there is none.
pub async fn send(address: SocketAddr, mut request: Request<Bytes>) -> Answer {
    if !request.headers().contains_key("host") {
        let host = address
            .to_string()
            .parse()
            .expect("an address is a header value");
        request.headers_mut().insert("host", host);
    }
    let stream = TcpStream::connect(address)
        .await
        .expect("the server listens");
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .expect("handshake");
    let connection = tokio::spawn(connection);
    let response = sender
        .send_request(request.map(Full::new))
        .await
        .expect("an answer");
    let (head, body) = response.into_parts();
    let body = body.collect().await.expect("a whole body").to_bytes();
    connection.abort();
    Answer {
        status: head.status,
        headers: head.headers,
        body,
    }
}
