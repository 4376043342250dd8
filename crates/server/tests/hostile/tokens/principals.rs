//! D4 to D8, D12: principals that may do some things, policies that are not what they seem, and
//! tokens shown at another registry than theirs.

use bytes::Bytes;
use http::Method;
use roadstead_domain::ids::AccountId;
use roadstead_domain::policy::document::PolicyDocument;
use roadstead_domain::policy::evaluate::{Policies, evaluate};
use roadstead_domain::policy::parse::PolicyKind;
use roadstead_domain::policy::request::{Context, Request};
use roadstead_domain::policy::requester::Requester;
use roadstead_domain::time::Timestamp;
use roadstead_testkit::images::{OCI_MANIFEST, digest};
use roadstead_testkit::{Answer, Credentials, Layout, World};
use serde_json::{Value, json};

use crate::api::lightsail;
use crate::bench::{Stored, repositories, with_image, world_with_image};
use crate::public_api;

const OTHER: &str = "999999999999";
const HOST: &str = "123456789012.dkr.ecr.us-east-1.localhost";
const PULL: [&str; 3] = [
    "ecr:BatchGetImage",
    "ecr:GetDownloadUrlForLayer",
    "ecr:BatchCheckLayerAvailability",
];
const PUSH: [&str; 4] = [
    "ecr:InitiateLayerUpload",
    "ecr:UploadLayerPart",
    "ecr:CompleteLayerUpload",
    "ecr:PutImage",
];

/// Lets the other account do these things with `app`.
async fn allow(world: &World, actions: &[&str]) {
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Principal": { "AWS": OTHER }, "Action": actions }],
    });
    set(world, &policy.to_string()).await.expect(200);
}

async fn set(world: &World, text: &str) -> Answer {
    let body = json!({ "repositoryName": "app", "policyText": text, "force": true });
    world.ecr("SetRepositoryPolicy", body).await
}

/// The other account, on the registry of the first.
struct Limited<'a> {
    world: &'a World,
    key: Credentials,
    basic: String,
}

impl<'a> Limited<'a> {
    async fn of(world: &'a World) -> Self {
        let key = world.key_of(OTHER).await;
        let basic = world.basic(&key).await;
        Self { world, key, basic }
    }

    async fn v2(&self, method: Method, path: &str, body: impl Into<Bytes>) -> Answer {
        let headers = [
            ("authorization", self.basic.as_str()),
            ("host", HOST),
            ("content-type", OCI_MANIFEST),
        ];
        self.world.raw(method, path, &headers, body).await
    }

    async fn api(&self, operation: &str, more: Value) -> (u16, String) {
        let mut body = json!({ "registryId": "123456789012", "repositoryName": "app" });
        for (member, value) in more.as_object().expect("members") {
            body[member] = value.clone();
        }
        let answer = self.world.ecr_as(&self.key, operation, body).await;
        answer.code()
    }
}

type Requests = Vec<(Method, String)>;

/// What a pull asks for, and what a push asks for, over `/v2`.
fn requests() -> (Requests, Requests) {
    let layout = Layout::image("one");
    let layer = digest(&layout.blobs[1]);
    let pulls = vec![
        (Method::GET, "/v2/app/manifests/v1".to_owned()),
        (Method::HEAD, "/v2/app/manifests/v1".to_owned()),
        (
            Method::GET,
            format!("/v2/app/manifests/{}", layout.manifest.digest),
        ),
        (Method::GET, format!("/v2/app/blobs/{layer}")),
    ];
    let pushes = vec![
        (Method::PUT, "/v2/app/manifests/v2".to_owned()),
        (Method::POST, "/v2/app/blobs/uploads/".to_owned()),
        (
            Method::POST,
            format!("/v2/app/blobs/uploads/?digest={layer}"),
        ),
        (
            Method::POST,
            format!("/v2/app/blobs/uploads/?mount={layer}&from=app"),
        ),
        (Method::PATCH, "/v2/app/blobs/uploads/x".to_owned()),
        (
            Method::PUT,
            format!("/v2/app/blobs/uploads/x?digest={layer}"),
        ),
        (Method::DELETE, "/v2/app/blobs/uploads/x".to_owned()),
    ];
    (pulls, pushes)
}

#[tokio::test]
async fn d4_d6_who_may_only_pull() {
    let (world, _) = world_with_image().await;
    allow(&world, &PULL).await;
    let limited = Limited::of(&world).await;
    let before = Stored::of(&world);
    let (pulls, pushes) = requests();
    for (method, path) in pulls {
        limited.v2(method, &path, "").await.expect(200);
    }
    let deletes = [(Method::DELETE, "/v2/app/manifests/v1".to_owned())];
    for (method, path) in pushes.into_iter().chain(deletes) {
        let refused = limited.v2(method.clone(), &path, "{}").await;
        assert_eq!(refused.code(), (403, "DENIED".into()), "{method} {path}");
    }
    let ids = json!({ "imageIds": [{ "imageTag": "v1" }] });
    for (operation, more, is_allowed) in [
        ("BatchGetImage", ids.clone(), true),
        ("BatchDeleteImage", ids, false),
        ("InitiateLayerUpload", json!({}), false),
        ("PutImage", json!({ "imageManifest": "{}" }), false),
        ("DescribeImages", json!({}), false),
        ("ListImages", json!({}), false),
        ("DeleteRepository", json!({ "force": true }), false),
        ("SetRepositoryPolicy", json!({ "policyText": "{}" }), false),
        (
            "PutLifecyclePolicy",
            json!({ "lifecyclePolicyText": "x".repeat(100) }),
            false,
        ),
    ] {
        let expected = match is_allowed {
            true => (200, String::new()),
            false => (400, "AccessDeniedException".into()),
        };
        assert_eq!(limited.api(operation, more).await, expected, "{operation}");
    }
    before.is_unchanged(&world).await;
}

#[tokio::test]
async fn d6_who_may_only_push() {
    let (world, _) = world_with_image().await;
    allow(&world, &PUSH).await;
    let limited = Limited::of(&world).await;
    let before = Stored::of(&world);
    let (pulls, _) = requests();
    let deletes = [(Method::DELETE, "/v2/app/manifests/v1".to_owned())];
    for (method, path) in pulls.into_iter().chain(deletes) {
        let refused = limited.v2(method.clone(), &path, "").await;
        assert_eq!(refused.status, 403, "{method} {path}");
    }
    for operation in ["BatchGetImage", "BatchDeleteImage", "DescribeImages"] {
        let ids = json!({ "imageIds": [{ "imageTag": "v1" }] });
        let refused = limited.api(operation, ids).await;
        assert_eq!(
            refused,
            (400, "AccessDeniedException".into()),
            "{operation}"
        );
    }
    before.is_unchanged(&world).await;
    let layout = Layout::image("two");
    for blob in &layout.blobs {
        let path = format!("/v2/app/blobs/uploads/?digest={}", digest(blob));
        limited
            .v2(Method::POST, &path, blob.clone())
            .await
            .expect(201);
    }
    let path = "/v2/app/manifests/two";
    let bytes = layout.manifest.bytes.clone();
    limited.v2(Method::PUT, path, bytes).await.expect(201);
}

#[tokio::test]
async fn d5_a_policy_that_was_narrowed_counts_at_once() {
    let (world, _) = world_with_image().await;
    allow(&world, &PULL).await;
    let limited = Limited::of(&world).await;
    let path = "/v2/app/manifests/v1";
    limited.v2(Method::GET, path, "").await.expect(200);
    allow(&world, &["ecr:ListImages"]).await;
    let refused = limited.v2(Method::GET, path, "").await;
    assert_eq!(refused.code(), (403, "DENIED".into()));
    allow(&world, &PULL).await;
    limited.v2(Method::GET, path, "").await.expect(200);
    let none = json!({ "repositoryName": "app" });
    world.ecr("DeleteRepositoryPolicy", none).await.expect(200);
    limited.v2(Method::GET, path, "").await.expect(403);
}

/// By the evaluator, since no policy of an identity can be stored yet; what such names are on the
/// wire is the table of B1 and B2.
#[test]
fn d7_resources_are_matched_as_they_are_written() {
    let requester = Requester::parse_arn("arn:aws:iam::123456789012:user/limited").unwrap();
    let account = AccountId::parse("123456789012").unwrap();
    let context = Context::default();
    let is_allowed = |pattern: &str, name: &str| {
        let text = json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow", "Action": "ecr:BatchGetImage",
                "Resource": format!("arn:aws:ecr:us-east-1:123456789012:repository/{pattern}"),
            }],
        });
        let document = PolicyDocument::parse(PolicyKind::Identity, &text.to_string()).unwrap();
        let resource = format!("arn:aws:ecr:us-east-1:123456789012:repository/{name}");
        let request = Request {
            requester: &requester,
            action: "ecr:BatchGetImage",
            resource: &resource,
            resource_account: &account,
            context: &context,
            now: Timestamp::from_seconds(1_767_323_045),
        };
        let policies = Policies {
            identity: &[&document],
            ..Policies::default()
        };
        evaluate(&request, &policies).is_allowed()
    };
    for (pattern, name, expected) in [
        ("team-a/*", "team-a/x", true),
        ("team-a/*", "team-a/x/y", true),
        ("team-a/*", "team-a", false),
        ("team-a/*", "team-ab/x", false),
        ("team-a/*", "TEAM-A/x", false),
        ("team-a/*", "other/team-a/x", false),
        ("team-a/?", "team-a/x", true),
        ("team-a/?", "team-a/xy", false),
        ("team-a/?", "team-a/", false),
        ("team-?/x", "team-a/x", true),
        ("team-a/x", "team-a/x%2f..%2fy", false),
        ("team-a/x", "team-a/x/../y", false),
    ] {
        assert_eq!(is_allowed(pattern, name), expected, "{pattern} {name}");
    }
}

#[tokio::test]
async fn d7_a_name_that_walks_is_no_name() {
    let world = World::start().await;
    repositories(&world, &["team-a/x", "team-b"]).await;
    world.push_image("team-a/x", "a", &["v1"]).await;
    world.push_image("team-b", "b", &["v1"]).await;
    let before = Stored::of(&world);
    for name in [
        "team-a/../team-b",
        "TEAM-A/x",
        "team-a/x%2f..%2f..%2fteam-b",
        "team-a%2fx",
        "team-a/x/",
    ] {
        let path = format!("/v2/{name}/manifests/v1");
        let refused = world.oci(Method::GET, &path, &[], "").await;
        assert_eq!(refused.code(), (400, "NAME_INVALID".into()), "{name}");
    }
    before.is_unchanged(&world).await;
}

#[tokio::test]
async fn d8_a_denial_counts_if_its_conditions_hold() {
    let (world, _) = world_with_image().await;
    for (condition, status) in [
        (json!({}), 403),
        (
            json!({ "IpAddress": { "aws:SourceIp": "127.0.0.0/8" } }),
            403,
        ),
        (
            json!({ "IpAddress": { "aws:SourceIp": "10.0.0.0/8" } }),
            200,
        ),
        (
            json!({ "NotIpAddress": { "aws:SourceIp": "10.0.0.0/8" } }),
            403,
        ),
        (json!({ "Null": { "aws:SourceVpc": "true" } }), 403),
        (json!({ "Null": { "aws:SourceVpc": "false" } }), 200),
        // A key that is missing or unknown matches nothing.
        (json!({ "StringEquals": { "aws:SourceVpc": "vpc-1" } }), 200),
        (json!({ "StringEquals": { "aws:NoSuchKey": "x" } }), 200),
        (
            json!({ "StringEqualsIfExists": { "aws:SourceVpc": "vpc-1" } }),
            403,
        ),
    ] {
        let policy = json!({
            "Version": "2012-10-17",
            "Statement": [
                { "Effect": "Allow", "Principal": "*", "Action": "ecr:*" },
                { "Effect": "Deny", "Principal": "*", "Action": "ecr:BatchGetImage", "Condition": condition },
            ],
        });
        set(&world, &policy.to_string()).await.expect(200);
        let path = "/v2/app/manifests/v1";
        let answer = world.oci(Method::GET, path, &[], "").await;
        assert_eq!(answer.status, status, "{condition}");
    }
}

#[tokio::test]
async fn d8_policies_that_could_be_misread_are_refused() {
    let (world, _) = world_with_image().await;
    allow(&world, &PULL).await;
    let before = Stored::of(&world);
    let standing = world.ecr("GetRepositoryPolicy", json!({ "repositoryName": "app" }));
    let standing = standing.await.expect(200).json();
    let with = |condition: Value| {
        json!({
            "Version": "2012-10-17",
            "Statement": { "Effect": "Deny", "Principal": "*", "Action": "ecr:*", "Condition": condition },
        })
        .to_string()
    };
    let good = with(json!({}));
    let deep = good.replacen("{}", &"{\"a\":".repeat(3000), 1);
    for text in [
        with(json!({ "StringEqualz": { "aws:SourceVpc": "x" } })),
        with(json!({ "IpAddress": { "aws:SourceIp": "not an address" } })),
        with(json!({ "Bool": { "aws:SecureTransport": "perhaps" } })),
        with(json!([])),
        with(json!("x")),
        String::new(),
        "{".into(),
        "[]".into(),
        "null".into(),
        "{}".into(),
        good.replace("Deny", "deny"),
        good.replace("\"Effect\"", "\"Effect\":\"Allow\",\"Effect\""),
        good.replace("2012-10-17", "2013-01-01"),
        good.replace("ecr:*", "ecr:NoSuchAction"),
        format!("\u{feff}{good}"),
        format!("{good}{good}"),
        deep,
        format!("{good}{}", " ".repeat(10_241)),
    ] {
        let refused = set(&world, &text).await;
        let code = (400, "InvalidParameterException".into());
        assert_eq!(refused.code(), code, "{text:.200}");
    }
    let now = world.ecr("GetRepositoryPolicy", json!({ "repositoryName": "app" }));
    assert_eq!(now.await.expect(200).json(), standing);
    before.is_unchanged(&world).await;
}

#[tokio::test]
async fn d12_tokens_at_another_registry_than_theirs() {
    for builder in [World::builder(), World::builder().strict()] {
        let is_strict = builder.rules.is_strict_ecr;
        let (world, _) = with_image(builder.with_aws_hosts().start().await).await;
        public_api::repository(&world, public_api::NAME).await;
        let alias = public_api::alias(&world).await;
        let before = Stored::of(&world);
        let private = world.basic(&world.credentials).await;
        let public = public_api::oci::basic(&world, &world.credentials).await;
        let bearer = public_api::oci::bearer(&world, &world.credentials).await;
        let nobody = public_api::oci::anonymous(&world).await;
        // Nobody in particular does not push.
        let blob = Bytes::from_static(b"pushed by nobody");
        for authorization in ["", nobody.as_str()] {
            let refused = public_api::oci::put_blob(&world, &alias, authorization, &blob).await;
            assert!([401, 403].contains(&refused.status.as_u16()), "{refused:?}");
        }
        // Private ones at the public registry.
        let path = format!("/v2/{alias}/{}/tags/list", public_api::NAME);
        for token in [private.clone(), private.replace("Basic", "Bearer")] {
            let refused = public_api::oci::get(&world, &path, &token).await;
            let expected = if is_strict { 400 } else { 401 };
            assert_eq!(refused.status, expected, "{}", refused.text());
        }
        // Public ones at a private registry.
        let host = ("host", "123456789012.dkr.ecr.us-east-1.amazonaws.com");
        for token in [&public, &bearer, &nobody] {
            for path in ["/v2/", "/v2/app/manifests/v1"] {
                let headers = [host, ("authorization", token.as_str())];
                let refused = world.raw(Method::GET, path, &headers, "").await;
                assert_eq!(refused.status, 401, "{}", refused.text());
            }
        }
        before.is_unchanged(&world).await;
    }
}

#[tokio::test]
async fn d12_the_login_of_container_services_is_for_them_alone() {
    let world = lightsail::world().await;
    lightsail::service(&world, "web").await;
    world.push_image("app", "one", &["v1"]).await;
    let login = lightsail::basic(&lightsail::login(&world).await);
    let account = world.basic(&world.credentials).await;
    let before = Stored::of(&world);
    let blob = Bytes::from_static(b"misplaced");
    for (method, path) in [
        (Method::GET, "/v2/app/manifests/v1".to_owned()),
        (Method::GET, "/v2/app/tags/list".into()),
        (Method::POST, "/v2/app/blobs/uploads/".into()),
        (Method::DELETE, "/v2/app/manifests/v1".into()),
    ] {
        let none = ("", Bytes::new());
        let refused = lightsail::oci(&world, &login, (method.clone(), &path), none).await;
        assert_eq!(refused.code(), (403, "DENIED".into()), "{method} {path}");
    }
    // Their registry has no catalog at all.
    let none = ("", Bytes::new());
    let refused = lightsail::oci(&world, &login, (Method::GET, "/v2/_catalog"), none).await;
    assert_eq!(refused.code(), (404, "UNSUPPORTED".into()));
    // And the account's token does not push there: it names a private repository.
    let refused = lightsail::push_blob(&world, &account, "sr", &blob).await;
    assert_eq!(refused.code(), (404, "NAME_UNKNOWN".into()));
    before.is_unchanged(&world).await;
}
