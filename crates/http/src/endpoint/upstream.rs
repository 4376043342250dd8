//! Talking to nodes: connections that are kept for the next request, a body that is not touched
//! before there is one, and an answer that keeps its node.

use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{self, Error};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use roadstead_domain::ids::ContainerServiceId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::body::Body;

/// Nodes are on this machine.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);
/// How long a connection rests before it is closed: less than most servers let theirs.
const IDLE: Duration = Duration::from_secs(4);
/// Resting connections to one node.
const IDLE_MAX: usize = 64;

/// Asks nodes, for so many clients at once.
pub struct Client {
    client: legacy::Client<HttpConnector, Later>,
    permits: Arc<Semaphore>,
    /// Those with requests on their way.
    services: Mutex<HashMap<ContainerServiceId, Weak<Semaphore>>>,
    requests_per_service: usize,
}

/// Room for one request; free again when it is dropped.
pub struct Room {
    _own: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

/// Why a node did not answer.
pub struct Unanswered {
    /// For the log.
    pub error: String,
    /// Whether it cannot have seen anything of the request.
    pub is_unsent: bool,
}

impl Client {
    /// Room for `requests` on their way at once, switched connections among them: each of those
    /// holds two sockets for as long as it likes, and is no connection of the listener any more.
    pub fn new(requests: usize) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT_PATIENCE));
        let client = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_MAX)
            .build(connector);
        Self {
            client,
            permits: Arc::new(Semaphore::new(requests)),
            services: Mutex::default(),
            requests_per_service: requests.div_ceil(2),
        }
    }

    /// Room for one request to a service, to be kept until its answer is over; none if there is
    /// none. A service has at most half of all: when its containers hang, others still answer.
    pub fn room(&self, service: &ContainerServiceId) -> Option<Room> {
        Some(Room {
            _own: self.share(service).try_acquire_owned().ok()?,
            _all: self.permits.clone().try_acquire_owned().ok()?,
        })
    }

    /// What a service has of the room.
    fn share(&self, service: &ContainerServiceId) -> Arc<Semaphore> {
        let mut services = self.services.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = services.get(service).and_then(Weak::upgrade) {
            return share;
        }
        services.retain(|_, share| share.strong_count() > 0);
        let share = Arc::new(Semaphore::new(self.requests_per_service));
        services.insert(service.clone(), Arc::downgrade(&share));
        share
    }

    /// Sends a request to the node that its URI names. The answer's body is still to come.
    pub async fn ask(&self, request: Request<Later>) -> Result<Response<Incoming>, Unanswered> {
        self.client
            .request(request)
            .await
            .map_err(|error| Unanswered {
                is_unsent: error.is_connect(),
                error: chain(&error),
            })
    }
}

fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// The body of a request, for one attempt after the other until one of them begins to read it.
pub struct Later {
    waiting: Arc<Mutex<Option<Body>>>,
    begun: Option<Body>,
    size: SizeHint,
    is_empty: bool,
}

impl Later {
    /// A body of which nothing was read.
    pub fn new(body: Body) -> Self {
        Self {
            size: body.size_hint(),
            is_empty: body.is_end_stream(),
            waiting: Arc::new(Mutex::new(Some(body))),
            begun: None,
        }
    }

    /// The same body for another attempt.
    pub fn again(&self) -> Self {
        Self {
            waiting: self.waiting.clone(),
            begun: None,
            size: self.size,
            is_empty: self.is_empty,
        }
    }

    /// Whether nothing of it is lost.
    pub fn is_whole(&self) -> bool {
        self.is_empty || self.lock().is_some()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Body>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl http_body::Body for Later {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.begun.is_none() {
            let taken = self.lock().take();
            self.begun = taken;
        }
        match &mut self.begun {
            Some(body) => Pin::new(body).poll_frame(context),
            // Another attempt has read it.
            None => Poll::Ready(Some(Err(io::ErrorKind::BrokenPipe.into()))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.begun {
            Some(body) => body.is_end_stream(),
            None => self.is_empty,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.begun {
            Some(body) => body.size_hint(),
            None => self.size,
        }
    }
}

/// The body of an answer, which keeps the node until it is over.
pub struct Guarded {
    body: Incoming,
    _in_flight: Box<dyn Send + Sync>,
}

impl Guarded {
    /// Ties the two together.
    pub fn new(body: Incoming, in_flight: Box<dyn Send + Sync>) -> Self {
        Self {
            body,
            _in_flight: in_flight,
        }
    }
}

impl http_body::Body for Guarded {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        frame.map_err(io::Error::other)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_service_leaves_room_for_others() {
        let client = Client::new(3);
        let [one, other] = [1, 2].map(ContainerServiceId::from_random);
        let room = |id| client.room(id);
        let kept = [room(&one), room(&one)];
        assert!(kept.iter().all(Option::is_some));
        assert!(room(&one).is_none(), "half of all, rounded up");
        let others = room(&other);
        assert!(others.is_some());
        assert!(room(&other).is_none(), "all of it");
        drop((kept, others));
        assert!(room(&one).is_some());
        assert!(client.share(&one).available_permits() == 2);
    }
}
