//! The OCI face: `/v2/` as the OCI distribution-spec 1.1 and ECR have it, and download links.
//!
//! A request is authenticated, routed, translated into one use case, and its result translated
//! back. Nothing is decided here that the AWS face would have to decide again.

pub mod authenticate;
pub mod blobs;
pub mod catalog;
pub mod error;
pub mod manifests;
pub mod percent;
pub mod query;
pub mod range;
pub mod referrers;
pub mod route;
pub mod tags;
pub mod uploads;

use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body as _;
use roadstead_domain::digest::Digest;
use roadstead_domain::ids::AccountId;
use roadstead_domain::name::{RepositoryKey, RepositoryName};
use roadstead_registry::Registry;
use roadstead_registry::access::{self, Authorized};
use roadstead_registry::context::RequestContext;
use roadstead_registry::credentials::Audience;
use roadstead_registry::error::Error;

use crate::body::{Body, empty, full};
use crate::{Arrived, Faces};
use authenticate::caller;
use error::{Code, Failure, Refused};
use query::Query;
use route::{NoRoute, Route};

/// Where the layer download links of the ECR API point to.
pub const DOWNLOAD_PREFIX: &str = "/download/layer/";

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
    response
        .headers_mut()
        .insert("docker-distribution-api-version", version);
    response
}

async fn answer(faces: &Faces, arrived: &Arrived, request: Request<Body>) -> Outcome {
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    if let Some(sealed) = path.strip_prefix(DOWNLOAD_PREFIX) {
        return blobs::download(faces, arrived, &head, sealed).await;
    }
    let caller = caller(faces, arrived, &head.headers).await?;
    let route = Route::parse(path).map_err(no_route)?;
    let call = Call {
        faces,
        context: caller.context,
        account: caller.registry,
        audience: caller.audience,
        query: Query::parse(head.uri.query()),
        headers: head.headers,
    };
    dispatch(&call, route, &head.method, body).await
}

/// Every endpoint, with the use case behind it.
async fn dispatch(call: &Call<'_>, route: Route, method: &Method, body: Body) -> Outcome {
    match (route, method) {
        (Route::Base, &(Method::GET | Method::HEAD)) => Ok(json("application/json", "{}".into())),
        (Route::Catalog, &(Method::GET | Method::HEAD)) => catalog::list(call).await,
        (Route::Tags(name), &(Method::GET | Method::HEAD)) => tags::list(call, name).await,
        (Route::Manifest(name, text), &Method::GET) => manifests::get(call, name, &text).await,
        (Route::Manifest(name, text), &Method::HEAD) => manifests::head(call, name, &text).await,
        (Route::Manifest(name, text), &Method::PUT) => {
            manifests::put(call, name, &text, body).await
        }
        (Route::Manifest(name, text), &Method::DELETE) => {
            manifests::delete(call, name, &text).await
        }
        (Route::Blob(name, digest), &Method::GET) => blobs::get(call, name, &digest).await,
        (Route::Blob(name, digest), &Method::HEAD) => blobs::head(call, name, &digest).await,
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

/// One authenticated request to one endpoint.
pub(crate) struct Call<'f> {
    faces: &'f Faces,
    context: RequestContext,
    /// The account whose registry was addressed.
    account: AccountId,
    /// What the caller's token is good for.
    audience: Audience,
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

    fn authorize(
        &self,
        action: &'static str,
        name: &RepositoryName,
    ) -> Result<Authorized<RepositoryKey>, Error> {
        let (context, account, name) = (&self.context, &self.account, name.clone());
        match self.audience {
            Audience::Private | Audience::Public => {
                access::repository(context, action, account, name)
            }
            Audience::ContainerPush => access::push_containers(context, action, account, name),
            Audience::ContainerPull => access::pull_containers(context, action, account, name),
        }
    }

    /// Authorises with whichever of the two actions is allowed; the denial names the second.
    fn authorize_either(
        &self,
        actions: [&'static str; 2],
        name: &RepositoryName,
    ) -> Result<Authorized<RepositoryKey>, Error> {
        self.authorize(actions[0], name)
            .or_else(|_| self.authorize(actions[1], name))
    }

    /// In `--dev` a push makes its repository.
    async fn ensure_repository(&self, name: &RepositoryName) -> Result<(), Error> {
        if !self.faces.settings.is_dev || self.audience != Audience::Private {
            return Ok(());
        }
        let key = self.authorize("CreateRepository", name)?;
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
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::try_from(value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
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
    if parts.status.is_success() {
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
