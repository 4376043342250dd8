//! Lightsail over the wire: signed calls, pushes with the login that Lightsail gives, and the one
//! place that lets time pass for container services.
//!
//! Expected values never come from here; masks check the form of what differs from run to run.

use bytes::Bytes;
use http::{Method, Request};
use roadstead_domain::lightsail::service::RecordedEnd;
use roadstead_domain::lightsail::versions::VersionScope;
use roadstead_domain::time::Span;
use roadstead_registry::context::Clock as _;
use roadstead_registry::error::Error;
use roadstead_testkit::{
    Answer, Artifact, Credentials, Layout, World, WorldBuilder, client, images,
};
use serde_json::{Value, json};

/// The target prefix.
pub const LIGHTSAIL: &str = "Lightsail_20161128";
/// The pattern of names as the service prints it.
pub const PATTERN: &str = "^(?:[a-z0-9]{1,2}|[a-z0-9][a-z0-9-]+[a-z0-9])$";
/// Clients find these in the refusals of what may be tried again.
pub const TRY_AGAIN: [&str; 2] = [
    "Please try again in a few minutes",
    "Please wait for it to complete before trying again",
];
/// States that a service leaves by itself.
const PASSING: [&str; 4] = ["PENDING", "UPDATING", "DEPLOYING", "DELETING"];

/// A world whose services have addresses in AWS's own form, as the reference's cases do.
pub fn builder() -> WorldBuilder {
    let mut builder = World::builder();
    builder.settings.container_url_suffix = Some("cs.amazonlightsail.com".into());
    builder
}

/// Such a world whose version numbers count per `label` or per `service`.
pub fn builder_with_scope(scope: &str) -> WorldBuilder {
    let mut builder = builder();
    builder.rules.container_version_scope = match scope {
        "service" => VersionScope::PerService,
        _ => VersionScope::PerLabel,
    };
    builder
}

/// Such a world whose deployments end as FAILED where nothing runs them.
pub fn builder_that_fails() -> WorldBuilder {
    let mut builder = builder();
    builder.rules.container_recorded_end = RecordedEnd::Failed;
    builder
}

/// Such a world.
pub async fn world() -> World {
    builder().start().await
}

/// Lets services come one step further.
pub async fn step(world: &World) {
    try_step(world).await.expect("a step");
}

/// The same where the store may fail.
pub async fn try_step(world: &World) -> Result<(), Error> {
    world.clock.advance(Span::seconds(1));
    let now = world.clock.now();
    world.registry.containers_step(now).await.map(drop)
}

/// Lets time pass until no service is on its way any more.
pub async fn settle(world: &World) {
    for _ in 0..100 {
        let listed = ok(world, "GetContainerServices", json!({})).await;
        let services = listed["containerServices"].as_array().expect("a list");
        let is_passing = |one: &Value| PASSING.iter().any(|state| one["state"] == *state);
        if !services.iter().any(is_passing) {
            return;
        }
        step(world).await;
    }
    panic!("a service does not come to rest");
}

/// A request signed for Lightsail, whatever its target, to be sent as it is or after a change.
pub fn signed(world: &World, key: &Credentials, target: &str, body: Bytes) -> Request<Bytes> {
    signed_for(world, key, "lightsail", target, body)
}

/// A request whose signature is for this service.
pub fn signed_for(
    world: &World,
    key: &Credentials,
    service: &'static str,
    target: &str,
    body: Bytes,
) -> Request<Bytes> {
    let host = world.address.to_string();
    world.signed_to((&host, service), key, target, body)
}

/// Calls an operation with a key.
pub async fn call_as(world: &World, key: &Credentials, operation: &str, body: Value) -> Answer {
    let target = format!("{LIGHTSAIL}.{operation}");
    let request = signed(world, key, &target, body.to_string().into());
    checked(client::send(world.address, request).await)
}

/// Calls an operation with the world's own key.
pub async fn call(world: &World, operation: &str, body: Value) -> Answer {
    call_as(world, &world.credentials, operation, body).await
}

/// What every answer carries.
#[track_caller]
fn checked(answer: Answer) -> Answer {
    let type_ = "application/x-amz-json-1.1";
    assert!(
        answer.header("content-type") == type_ || answer.body.is_empty(),
        "{answer:?}"
    );
    assert_eq!(answer.header("x-amzn-requestid").len(), 36, "{answer:?}");
    assert!(answer.header("date").ends_with(" GMT"), "{answer:?}");
    let code = answer.json()["__type"].clone();
    assert_eq!(code.is_string(), answer.status != 200, "{answer:?}");
    // SDKs that look for `code` in the body before `__type` go by this header first.
    let header = answer.header("x-amzn-errortype");
    assert_eq!(header, code.as_str().unwrap_or_default(), "{answer:?}");
    answer
}

/// The body of a call that works; null where it is empty or `{}`.
pub async fn ok(world: &World, operation: &str, body: Value) -> Value {
    let answer = call(world, operation, body).await;
    assert_eq!(answer.status, 200, "{operation}: {}", answer.text());
    let body = answer.json();
    if body == json!({}) { Value::Null } else { body }
}

/// The body of a call that is refused, without the members that are optional.
pub async fn refused(world: &World, operation: &str, body: Value) -> Value {
    let answer = call(world, operation, body).await;
    assert_eq!(answer.status, 400, "{operation}: {}", answer.text());
    let mut body = answer.json();
    let members = body.as_object_mut().expect("an object");
    for optional in ["docs", "tip"] {
        if let Some(value) = members.remove(optional) {
            assert!(value.is_string(), "{optional}: {value}");
        }
    }
    body
}

/// An error body.
pub fn error(type_: &str, code: &str, message: &str) -> Value {
    json!({ "__type": type_, "code": code, "message": message })
}

/// Refused input.
pub fn invalid(message: &str) -> Value {
    error("InvalidInputException", "InvalidParameterValue", message)
}

/// Input that is right but not possible in the state that things are in.
pub fn conflict(message: &str) -> Value {
    error("InvalidInputException", "UnsupportedOperation", message)
}

/// Something that is not there.
pub fn not_found(message: &str) -> Value {
    error("NotFoundException", "DoesNotExist", message)
}

/// The refusal's message, once its other members are those of refused input.
#[track_caller]
pub fn invalid_text(body: &Value) -> &str {
    held(body, "InvalidInputException", "InvalidParameterValue")
}

/// The refusal's message, once its other members are those of a conflict or a quota.
#[track_caller]
pub fn conflict_text(body: &Value) -> &str {
    held(body, "InvalidInputException", "UnsupportedOperation")
}

/// The refusal's message, once its other members are those of something missing.
#[track_caller]
pub fn not_found_text(body: &Value) -> &str {
    held(body, "NotFoundException", "DoesNotExist")
}

#[track_caller]
fn held<'a>(body: &'a Value, type_: &str, code: &str) -> &'a str {
    let message = body["message"].as_str().unwrap_or_default();
    assert_eq!(body, &error(type_, code, message), "{body}");
    assert!(!message.is_empty(), "{body}");
    message
}

/// Asserts a refusal of input that is only not possible for now.
#[track_caller]
pub fn assert_try_again(body: &Value) {
    let message = body["message"].as_str().unwrap_or_default();
    assert_eq!(body["__type"], "InvalidInputException", "{body}");
    assert!(
        TRY_AGAIN.iter().any(|text| message.contains(text)),
        "{body}"
    );
}

/// The login to the registry of the services.
pub async fn login(world: &World) -> Value {
    login_of(world, &world.credentials).await
}

/// The login that a key gets.
pub async fn login_of(world: &World, key: &Credentials) -> Value {
    let answer = call_as(world, key, "CreateContainerServiceRegistryLogin", json!({})).await;
    answer.expect(200).json()["registryLogin"].clone()
}

/// A login as an `Authorization` header.
pub fn basic(login: &Value) -> String {
    let text = |name: &str| login[name].as_str().expect("a text").to_owned();
    World::basic_of(&text("username"), &text("password"))
}

/// Sends a request to `/v2` with this `Authorization`.
pub async fn oci(
    world: &World,
    basic: &str,
    (method, path): (Method, &str),
    (type_, body): (&str, Bytes),
) -> Answer {
    let mut headers = vec![("authorization", basic)];
    if !type_.is_empty() {
        headers.push(("content-type", type_));
    }
    world.raw(method, path, &headers, body).await
}

/// Pushes an image of its own content under its own tag, as a stock client would.
pub async fn push(world: &World, content: &str) -> Artifact {
    let basic = basic(&login(world).await);
    push_with(world, &basic, &Layout::image(content), content).await
}

/// Pushes an image with this `Authorization`.
pub async fn push_with(world: &World, basic: &str, layout: &Layout, tag: &str) -> Artifact {
    for blob in &layout.blobs {
        push_blob(world, basic, "sr", blob).await.expect(201);
    }
    put_manifest(world, basic, tag, &layout.manifest)
        .await
        .expect(201);
    layout.manifest.clone()
}

/// Pushes a blob in one go.
pub async fn push_blob(world: &World, basic: &str, repository: &str, bytes: &Bytes) -> Answer {
    let digest = images::digest(bytes);
    let path = format!("/v2/{repository}/blobs/uploads/?digest={digest}");
    let content = ("application/octet-stream", bytes.clone());
    oci(world, basic, (Method::POST, &path), content).await
}

/// Puts a manifest into `sr`.
pub async fn put_manifest(
    world: &World,
    basic: &str,
    reference: &str,
    manifest: &Artifact,
) -> Answer {
    let path = format!("/v2/sr/manifests/{reference}");
    let content = (manifest.media_type.as_str(), manifest.bytes.clone());
    oci(world, basic, (Method::PUT, &path), content).await
}

/// Makes a service of one nano node and waits until it is ready.
pub async fn service(world: &World, name: &str) {
    let body = json!({ "serviceName": name, "power": "nano", "scale": 1 });
    ok(world, "CreateContainerService", body).await;
    settle(world).await;
}

/// The service as GetContainerServices gives it.
pub async fn get(world: &World, name: &str) -> Value {
    let body = json!({ "serviceName": name });
    let mut listed = ok(world, "GetContainerServices", body).await;
    let services = listed["containerServices"].as_array_mut().expect("a list");
    assert_eq!(services.len(), 1);
    services.remove(0)
}

/// Registers a digest; gives the whole `containerImage`.
pub async fn register(world: &World, service: &str, label: &str, digest: &str) -> Value {
    let body = registration(service, label, digest);
    ok(world, "RegisterContainerImage", body).await["containerImage"].clone()
}

/// The body of a registration.
pub fn registration(service: &str, label: &str, digest: &str) -> Value {
    json!({ "serviceName": service, "label": label, "digest": digest })
}

/// The names of a service's images in the order of GetContainerImages.
pub async fn image_names(world: &World, service: &str) -> Vec<String> {
    let body = json!({ "serviceName": service });
    let listed = ok(world, "GetContainerImages", body).await;
    let images = listed["containerImages"].as_array().expect("a list");
    let name = |one: &Value| one["image"].as_str().expect("a name").to_owned();
    images.iter().map(name).collect()
}

/// The body of a deployment of one container `app` with port 80, which is the public one.
pub fn deployment(service: &str, image: &str) -> Value {
    json!({
        "serviceName": service,
        "containers": { "app": { "image": image, "ports": { "80": "HTTP" } } },
        "publicEndpoint": { "containerName": "app", "containerPort": 80 },
    })
}

/// Deploys an image and waits for the end.
pub async fn deploy(world: &World, service: &str, image: &str) {
    let body = deployment(service, image);
    ok(world, "CreateContainerServiceDeployment", body).await;
    settle(world).await;
}

/// Version and state of each deployment in the order of GetContainerServiceDeployments.
pub async fn deployments(world: &World, service: &str) -> Vec<(i64, String)> {
    let body = json!({ "serviceName": service });
    let listed = ok(world, "GetContainerServiceDeployments", body).await;
    let all = listed["deployments"].as_array().expect("a list").iter();
    let pair = |one: &Value| {
        let state = one["state"].as_str().expect("a state").to_owned();
        (one["version"].as_i64().expect("a number"), state)
    };
    all.map(pair).collect()
}

/// The same value with every time checked to be a number of seconds and replaced by `TIME`.
pub fn timeless(mut value: Value) -> Value {
    mask_times(&mut value);
    value
}

fn mask_times(value: &mut Value) {
    const TIMES: [&str; 4] = ["createdAt", "expiresAt", "statusChangedAt", "timestamp"];
    match value {
        Value::Array(items) => items.iter_mut().for_each(mask_times),
        Value::Object(members) => {
            for (name, value) in members {
                if TIMES.contains(&name.as_str()) {
                    // 2001 to 2286: milliseconds would be far outside.
                    let seconds = value.as_f64().unwrap_or_default();
                    assert!((1e9..1e10).contains(&seconds), "{name}: {value}");
                    *value = "TIME".into();
                } else {
                    mask_times(value);
                }
            }
        }
        _ => {}
    }
}

/// A service in the region us-east-1 with the parts that differ from run to run checked and
/// replaced: `ARN`, `PRINCIPAL`, `URL`, `TIME`. A detail of a passing state is checked and dropped.
#[track_caller]
pub fn masked(service: &Value) -> Value {
    let mut masked = timeless(service.clone());
    let name = service["containerServiceName"].as_str().expect("a name");
    let text = |member: &str| service[member].as_str().unwrap_or_default();
    let between = |text: &'_ str, before: &str, after: &str| {
        let rest = text.strip_prefix(before);
        rest.and_then(|rest| rest.strip_suffix(after))
            .map(str::to_owned)
    };
    let id = between(
        text("arn"),
        "arn:aws:lightsail:us-east-1:123456789012:ContainerService/",
        "",
    );
    assert!(id.is_some_and(|id| is_uuid(&id)), "{service}");
    masked["arn"] = "ARN".into();
    let guid = between(
        text("url"),
        &format!("https://{name}."),
        ".us-east-1.cs.amazonlightsail.com/",
    );
    assert!(
        guid.is_some_and(|guid| is_made_of(&guid, 13, 'z')),
        "{service}"
    );
    masked["url"] = "URL".into();
    let principal = text("principalArn");
    if !principal.is_empty() {
        let way = format!(":role/amazon/lightsail/us-east-1/containers/{name}/");
        let parts = principal
            .strip_prefix("arn:aws:iam::")
            .and_then(|rest| rest.split_once(&way));
        let is_right = |(account, id): (&str, &str)| {
            account.len() == 12
                && account.bytes().all(|digit| digit.is_ascii_digit())
                && is_made_of(id, 52, 'v')
        };
        assert!(parts.is_some_and(is_right), "{service}");
        masked["principalArn"] = "PRINCIPAL".into();
    }
    if let Some(detail) = service.get("stateDetail") {
        assert_detail(text("state"), detail);
        masked
            .as_object_mut()
            .expect("an object")
            .remove("stateDetail");
    }
    masked
}

/// Details come only with states that pass, with codes of the documentation.
#[track_caller]
fn assert_detail(state: &str, detail: &Value) {
    const FAILURES: [&str; 2] = ["CERTIFICATE_LIMIT_EXCEEDED", "UNKNOWN_ERROR"];
    const STEPS: [&str; 7] = [
        "CREATING_SYSTEM_RESOURCES",
        "CREATING_NETWORK_INFRASTRUCTURE",
        "PROVISIONING_CERTIFICATE",
        "PROVISIONING_SERVICE",
        "CREATING_DEPLOYMENT",
        "EVALUATING_HEALTH_CHECK",
        "ACTIVATING_DEPLOYMENT",
    ];
    let codes = match state {
        "PENDING" => &FAILURES[..],
        "DEPLOYING" | "UPDATING" => &STEPS[..],
        other => panic!("a detail in {other}: {detail}"),
    };
    let code = detail["code"].as_str().unwrap_or_default();
    assert!(codes.contains(&code), "{state}: {detail}");
    let message = detail.get("message");
    assert!(message.is_none_or(Value::is_string), "{detail}");
}

/// Whether this is a UUID in lower case.
pub fn is_uuid(text: &str) -> bool {
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    let digits = |c: char| c == '-' || c.is_ascii_digit() || ('a'..='f').contains(&c);
    lengths == [8, 4, 4, 4, 12] && text.chars().all(digits)
}

/// Whether the text has this length and holds only digits and letters up to `last`.
pub fn is_made_of(text: &str, length: usize, last: char) -> bool {
    let fits = |c: char| c.is_ascii_digit() || ('a'..=last).contains(&c);
    text.len() == length && text.chars().all(fits)
}

/// A whole service at rest, as [`masked`] shows it: one nano node, no deployment.
pub fn ready(name: &str) -> Value {
    json!({
        "containerServiceName": name,
        "arn": "ARN",
        "createdAt": "TIME",
        "location": { "availabilityZone": "all", "regionName": "us-east-1" },
        "resourceType": "ContainerService",
        "tags": [],
        "power": "nano",
        "powerId": "nano-1",
        "state": "READY",
        "scale": 1,
        "isDisabled": false,
        "principalArn": "PRINCIPAL",
        "privateDomainName": format!("{name}.service.local"),
        "url": "URL",
        "privateRegistryAccess": { "ecrImagePullerRole": { "isActive": false, "principalArn": "" } },
    })
}

/// The health check of an endpoint that asks for none.
pub fn health_check() -> Value {
    json!({
        "healthyThreshold": 2,
        "unhealthyThreshold": 2,
        "timeoutSeconds": 2,
        "intervalSeconds": 5,
        "path": "/",
        "successCodes": "200-499",
    })
}

/// A deployment made by [`deployment`], as answers echo it with masked times.
pub fn echoed(version: u64, state: &str, image: &str) -> Value {
    json!({
        "version": version,
        "state": state,
        "createdAt": "TIME",
        "containers": {
            "app": {
                "image": image,
                "command": [],
                "environment": {},
                "ports": { "80": "HTTP" },
            },
        },
        "publicEndpoint": {
            "containerName": "app",
            "containerPort": 80,
            "healthCheck": health_check(),
        },
    })
}
