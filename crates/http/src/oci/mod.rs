//! The OCI face: `/v2/` as the OCI distribution-spec 1.1 and ECR have it, and download links.
//!
//! A request is authenticated, routed, translated into one use case, and its result translated
//! back. Nothing is decided here that the AWS face would have to decide again.

pub mod authenticate;
mod bearer;
pub mod blobs;
pub mod catalog;
pub mod conditional;
pub mod door;
pub mod error;
pub mod manifests;
pub mod percent;
pub mod query;
pub mod range;
pub mod referrers;
pub mod route;
pub mod tags;
pub mod token;
pub mod uploads;

use std::borrow::Cow;

use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body as _;
use roadstead_domain::digest::Digest;
use roadstead_domain::ids::AccountId;
use roadstead_domain::name::{RepositoryKey, RepositoryName};
use roadstead_domain::public::alias::{ALIAS_PATTERN, RegistryAlias};
use roadstead_registry::Registry;
use roadstead_registry::access::{self, Authorized};
use roadstead_registry::context::{Principal, RequestContext};
use roadstead_registry::error::Error;

use crate::body::{Body, empty, full};
use crate::stack::BUSY;
use crate::{Arrived, Faces};
use authenticate::{Caller, not_authorized, private_caller};
use bearer::public_caller;
use door::{Door, DoorKind};
use error::{Code, Failure, Refused};
use query::Query;
use route::{NoRoute, Route};

/// Where the layer download links of the ECR API point to.
pub const DOWNLOAD_PREFIX: &str = "/download/layer/";

const API_VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");

/// What a handler of this face gives back.
type Outcome = Result<Response<Body>, Failure>;

/// Answers one request to `/v2` or to a download link.
pub async fn handle(faces: &Faces, arrived: &Arrived, request: Request<Body>) -> Response<Body> {
    let is_head = request.method() == Method::HEAD;
    let outcome = answer(faces, arrived, request).await;
    let is_strict_ecr = faces.registry.rules().is_strict_ecr;
    let response =
        outcome.unwrap_or_else(|failure| failure.response(is_strict_ecr, &arrived.request_id));
    let mut response = if is_head {
        without_body(response)
    } else {
        response
    };
    let version = HeaderValue::from_static("registry/2.0");
    response.headers_mut().insert(API_VERSION, version);
    response
}

/// What is answered while there is no room for another request.
pub(crate) fn too_busy() -> Response<Body> {
    let status = StatusCode::SERVICE_UNAVAILABLE;
    Refused::new(status, Code::TooManyRequests, BUSY.trim_end()).response()
}

async fn answer(faces: &Faces, arrived: &Arrived, request: Request<Body>) -> Outcome {
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    if let Some(sealed) = path.strip_prefix(DOWNLOAD_PREFIX) {
        return Box::pin(blobs::download(faces, arrived, &head, sealed)).await;
    }
    if token::is_token_path(path) {
        return Box::pin(token::answer(faces, arrived, &head)).await;
    }
    let door = Door::of(&faces.settings, arrived.arrival.authority(), path);
    let Caller { context, registry } = match &door.kind {
        DoorKind::Private => private_caller(faces, arrived, &head.headers).await?,
        DoorKind::Public { alias, is_shared } => {
            let context = public_caller(faces, arrived, &head.headers, *is_shared).await?;
            let registry = public_registry(faces, &door, alias.as_deref()).await?;
            Caller { context, registry }
        }
    };
    let route = Route::parse(&door.route).map_err(no_route)?;
    let registry = match faces.settings.is_dev {
        true => Box::pin(developed(faces, &context, registry, &route)).await?,
        false => registry,
    };
    let call = Call {
        faces,
        context,
        registry,
        base: door.base.clone(),
        query: Query::parse(head.uri.query()),
        headers: head.headers,
    };
    let outcome = dispatch(&call, route, &head.method, body).await;
    outcome.map_err(|failure| call.own_view(failure, arrived, &door))
}

/// In `--dev` clients show no login, so their pushes of container images are known by the name of
/// the repository alone, while there is one.
async fn developed(
    faces: &Faces,
    context: &RequestContext,
    registry: Addressed,
    route: &Route,
) -> Result<Addressed, Failure> {
    let (true, Addressed::Private(account)) = (faces.settings.is_dev, &registry) else {
        return Ok(registry);
    };
    let containers = RepositoryKey::containers(account.clone(), context.region.clone());
    let (region, name) = (context.region.clone(), containers.name.clone());
    let own = RepositoryKey::private(account.clone(), region, name);
    let is_named = route.name() == Some(&containers.name);
    let reaches = is_named
        && faces.registry.has_repository(containers).await?
        && !faces.registry.has_repository(own).await?;
    Ok(match reaches {
        true => Addressed::Containers(account.clone()),
        false => registry,
    })
}

/// The public registry that a path names.
async fn public_registry(
    faces: &Faces,
    door: &Door<'_>,
    alias: Option<&str>,
) -> Result<Addressed, Failure> {
    let Some(text) = alias else {
        return Ok(Addressed::Nowhere);
    };
    let parsed = RegistryAlias::parse(text).map_err(|_| {
        let constraint = format!("Member must satisfy regular expression pattern: {ALIAS_PATTERN}");
        let error = Error::invalid("registryAliasName", constraint);
        let status = StatusCode::METHOD_NOT_ALLOWED;
        Refused::new(status, Code::Unsupported, error.to_string())
    })?;
    match faces.registry.alias_owner(parsed).await? {
        Some(account) => Ok(Addressed::Public {
            account,
            alias: text.to_owned(),
        }),
        None => {
            let name = Route::parse(&door.route).ok();
            let name = name.as_ref().and_then(Route::name);
            Err(Failure::Registry(Error::RepositoryOfNoRegistry {
                name: name.map(ToString::to_string).unwrap_or_default(),
                registry: text.to_owned(),
            }))
        }
    }
}

/// Every endpoint, with the use case behind it: pulls here, so that they carry nothing of what
/// pushes and lists need, all others apart.
async fn dispatch(call: &Call<'_>, route: Route, method: &Method, body: Body) -> Outcome {
    match (route, method) {
        (Route::Manifest(name, text), &Method::GET) => manifests::get(call, name, &text).await,
        (Route::Manifest(name, text), &Method::HEAD) => manifests::head(call, name, &text).await,
        (Route::Blob(name, digest), &Method::GET) => blobs::get(call, name, &digest).await,
        (Route::Blob(name, digest), &Method::HEAD) => blobs::head(call, name, &digest).await,
        (route, method) => Box::pin(dispatch_others(call, route, method, body)).await,
    }
}

async fn dispatch_others(call: &Call<'_>, route: Route, method: &Method, body: Body) -> Outcome {
    match (route, method) {
        (Route::Base, &(Method::GET | Method::HEAD)) => Ok(json("application/json", "{}".into())),
        (Route::Catalog, &(Method::GET | Method::HEAD)) => catalog::list(call).await,
        (Route::Tags(name), &(Method::GET | Method::HEAD)) => tags::list(call, name).await,
        (Route::Manifest(name, text), &Method::PUT) => {
            manifests::put(call, name, &text, body).await
        }
        (Route::Manifest(name, text), &Method::DELETE) => {
            manifests::delete(call, name, &text).await
        }
        (Route::Blob(name, digest), &Method::DELETE) => blobs::delete(call, name, &digest).await,
        (Route::Uploads(name), &Method::POST) => uploads::start(call, name, body).await,
        (Route::Upload(name, id), &(Method::GET | Method::HEAD)) => {
            uploads::status(call, name, &id).await
        }
        (Route::Upload(name, id), &Method::PATCH) => uploads::append(call, name, &id, body).await,
        (Route::Upload(name, id), &Method::PUT) => uploads::finish(call, name, &id, body).await,
        (Route::Upload(name, id), &Method::DELETE) => uploads::cancel(call, name, &id).await,
        (Route::Referrers(name, digest), &(Method::GET | Method::HEAD)) => {
            referrers::list(call, name, &digest).await
        }
        (route, _) => Err(not_allowed(route.methods()).into()),
    }
}

/// The registry that a request came to.
pub(crate) enum Addressed {
    /// The private one of an account.
    Private(AccountId),
    /// The public one of an account.
    Public {
        /// The account.
        account: AccountId,
        /// As the path names it.
        alias: String,
    },
    /// The container images of an account, for who pushes them.
    ContainerPush(AccountId),
    /// The same for the nodes that run them.
    ContainerPull(AccountId),
    /// The same for either, in `--dev`.
    Containers(AccountId),
    /// The public registry as a whole, which holds no repository itself.
    Nowhere,
}

/// One authenticated request to one endpoint.
pub(crate) struct Call<'f> {
    faces: &'f Faces,
    context: RequestContext,
    registry: Addressed,
    /// What stands before repository names in the paths that the caller uses.
    base: Cow<'static, str>,
    query: Query,
    headers: HeaderMap,
}

impl Call<'_> {
    fn registry(&self) -> &Registry {
        &self.faces.registry
    }

    fn is_strict_ecr(&self) -> bool {
        self.registry().rules().is_strict_ecr
    }

    async fn authorize(
        &self,
        action: &'static str,
        name: &RepositoryName,
    ) -> Result<Authorized<RepositoryKey>, Error> {
        let (context, name) = (&self.context, name.clone());
        let key = match &self.registry {
            Addressed::ContainerPush(account) => {
                return access::push_containers(context, action, account, name);
            }
            Addressed::ContainerPull(account) => {
                return access::pull_containers(context, action, account, name);
            }
            Addressed::Containers(account) => {
                return access::develop_containers(context, action, account, name);
            }
            Addressed::Nowhere => {
                let (name, registry) = (name.to_string(), String::new());
                return Err(Error::RepositoryOfNoRegistry { name, registry });
            }
            Addressed::Private(account) => {
                RepositoryKey::private(account.clone(), context.region.clone(), name)
            }
            Addressed::Public { account, .. } => RepositoryKey::public(account.clone(), name),
        };
        match access::pull_public(action, &key) {
            Some(authorized) => Ok(authorized),
            None => self.registry().authorize(context, action, key).await,
        }
    }

    /// Authorises with whichever of the two actions is allowed; the denial names the second.
    async fn authorize_either(
        &self,
        actions: [&'static str; 2],
        name: &RepositoryName,
    ) -> Result<Authorized<RepositoryKey>, Error> {
        match self.authorize(actions[0], name).await {
            Err(Error::AccessDenied(_)) => self.authorize(actions[1], name).await,
            decided => decided,
        }
    }

    /// Whether the caller may push: who does sees the blobs that no image has yet.
    async fn may_push(&self, name: &RepositoryName) -> Result<bool, Error> {
        access::is_allowed(self.authorize("InitiateLayerUpload", name).await)
    }

    /// The action of asking what a manifest is, without reading it: who pushes container images
    /// may ask, but not read.
    fn look_action(&self) -> &'static str {
        match &self.registry {
            Addressed::ContainerPush(_) => "DescribeImages",
            Addressed::Private(_)
            | Addressed::Public { .. }
            | Addressed::ContainerPull(_)
            | Addressed::Containers(_)
            | Addressed::Nowhere => "BatchGetImage",
        }
    }

    /// A pull is a manifest that is read; only those from public registries are counted.
    fn count_pull(&self) -> Result<(), Error> {
        match &self.registry {
            Addressed::Public { .. } => self.registry().count_public_pull(&self.context),
            Addressed::Private(_)
            | Addressed::ContainerPush(_)
            | Addressed::ContainerPull(_)
            | Addressed::Containers(_)
            | Addressed::Nowhere => Ok(()),
        }
    }

    /// The path of a repository, as the caller reaches it.
    fn path(&self, name: &RepositoryName) -> String {
        format!("{}/{name}", self.base)
    }

    /// The name of a repository, as the caller calls it on this host.
    fn shown(&self, name: &RepositoryName) -> String {
        let path = self.path(name);
        path.strip_prefix("/v2/").unwrap_or(&path).to_owned()
    }

    /// The repository of the same registry that the caller calls `text` on this host.
    fn neighbour(&self, text: &str) -> Option<RepositoryName> {
        let name = match &self.registry {
            Addressed::Private(_) => text,
            Addressed::Public { .. } => {
                let base = self.base.strip_prefix("/v2/")?;
                text.strip_prefix(base)?.strip_prefix('/')?
            }
            Addressed::ContainerPush(_)
            | Addressed::ContainerPull(_)
            | Addressed::Containers(_)
            | Addressed::Nowhere => return None,
        };
        RepositoryName::parse(name).ok()
    }

    /// The account of a private registry, the only kind that is listed as a whole.
    fn private_account(&self) -> Result<&AccountId, Refused> {
        match &self.registry {
            Addressed::Private(account) => Ok(account),
            Addressed::Public { .. }
            | Addressed::ContainerPush(_)
            | Addressed::ContainerPull(_)
            | Addressed::Containers(_)
            | Addressed::Nowhere => Err(no_route(NoRoute::Unknown)),
        }
    }

    /// A failure as the caller has to see it: below its own path, and where it could log in, asked
    /// to.
    fn own_view(&self, failure: Failure, arrived: &Arrived, door: &Door<'_>) -> Failure {
        let is_shared = matches!(
            door.kind,
            DoorKind::Public {
                is_shared: true,
                ..
            }
        );
        let is_stranger = self.context.principal == Principal::Anonymous;
        match (&self.registry, failure) {
            (_, Failure::Registry(Error::AccessDenied(_))) if is_shared && is_stranger => {
                not_authorized(self.faces, arrived)
            }
            (Addressed::Public { alias, .. }, failure) => failure.seen_at(&self.base, alias),
            (_, failure) => failure,
        }
    }

    /// In `--dev` a push makes its private repository; a public one is never made by a push.
    async fn ensure_repository(&self, name: &RepositoryName) -> Result<(), Error> {
        let is_private = matches!(self.registry, Addressed::Private(_));
        if !self.faces.settings.is_dev || !is_private {
            return Ok(());
        }
        let key = self.authorize("CreateRepository", name).await?;
        self.registry().ensure_repository(&self.context, key).await
    }

    fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

fn digest(text: &str) -> Result<Digest, Refused> {
    Digest::parse(text).map_err(|_| {
        let message = format!("'{text}' is not a supported digest");
        Refused::bad_request(Code::DigestInvalid, message)
    })
}

fn no_route(no_route: NoRoute) -> Refused {
    match no_route {
        NoRoute::Unknown => Refused::new(
            StatusCode::NOT_FOUND,
            Code::Unsupported,
            "there is no such endpoint",
        ),
        NoRoute::InvalidName(name) => {
            let message = format!("'{name}' is not a valid repository name");
            Refused::bad_request(Code::NameInvalid, message)
        }
    }
}

fn not_allowed(methods: &'static str) -> Refused {
    let message = "the endpoint does not have this method";
    Refused::new(StatusCode::METHOD_NOT_ALLOWED, Code::Unsupported, message)
        .with(header::ALLOW, methods)
}

fn json(content_type: &'static str, text: String) -> Response<Body> {
    respond(
        StatusCode::OK,
        full(text),
        [(header::CONTENT_TYPE, content_type.into())],
    )
}

/// A response; values that cannot be sent as a header are left out.
fn respond<const N: usize>(
    status: StatusCode,
    body: Body,
    headers: [(HeaderName, String); N],
) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    // Some more are common to all answers.
    response.headers_mut().reserve(N + 4);
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::try_from(value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// Nothing but that the caller has the bytes already.
fn not_modified(digest: &Digest) -> Response<Body> {
    respond(
        StatusCode::NOT_MODIFIED,
        empty(),
        [
            (header::ETAG, conditional::entity_tag(digest)),
            content_digest(digest),
        ],
    )
}

fn content_digest(digest: &Digest) -> (HeaderName, String) {
    let name = HeaderName::from_static("docker-content-digest");
    (name, digest.to_string())
}

fn link(path: &str) -> String {
    format!("<{path}>; rel=\"next\"")
}

/// The head of a response. An error has none of its body's headers, since it has no body.
fn without_body(response: Response<Body>) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    if parts.status == StatusCode::NO_CONTENT {
        // It has no body to tell of (RFC 9110, section 8.6).
        parts.headers.remove(header::CONTENT_LENGTH);
    } else if parts.status.is_success() {
        if let Some(length) = body.size_hint().exact() {
            let entry = parts.headers.entry(header::CONTENT_LENGTH);
            entry.or_insert_with(|| length.into());
        }
    } else {
        parts.headers.remove(header::CONTENT_TYPE);
        parts.headers.remove(header::CONTENT_LENGTH);
    }
    Response::from_parts(parts, empty())
}
