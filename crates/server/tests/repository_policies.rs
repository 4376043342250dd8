//! Policies of private repositories: what they open to other accounts and close to one's own, on
//! both planes (ecr.md 7.1, auth.md 6.5).

use http::Method;
use roadstead_domain::ids::{AccountId, ContainerServiceId, Region};
use roadstead_domain::lightsail::addresses::RoleId;
use roadstead_domain::lightsail::names::ServiceName;
use roadstead_domain::lightsail::power::{Power, Scale};
use roadstead_domain::time::Span;
use roadstead_registry::containers::pulls::Pulls;
use roadstead_registry::containers::runtime::{PullAccess as _, WantedService};
use roadstead_registry::context::{Clock as _, ContainerPuller};
use roadstead_testkit::world::ACCOUNT;
use roadstead_testkit::{Answer, Credentials, Layout, World};
use serde_json::{Value, json};

const OTHER: &str = "999999999999";
const HOST: &str = "123456789012.dkr.ecr.us-east-1.localhost";

fn statement(effect: &str, principal: &str, actions: &[&str]) -> String {
    json!({
        "Version": "2012-10-17",
        "Statement": [{"Effect": effect, "Principal": {"AWS": principal}, "Action": actions}],
    })
    .to_string()
}

async fn set(world: &World, text: &str, force: bool) -> Answer {
    let body = json!({"repositoryName": "app", "policyText": text, "force": force});
    world.ecr("SetRepositoryPolicy", body).await
}

async fn as_other(world: &World, other: &Credentials, operation: &str, more: Value) -> Answer {
    let mut body = json!({"registryId": ACCOUNT, "repositoryName": "app"});
    for (key, value) in more.as_object().unwrap() {
        body[key] = value.clone();
    }
    world.ecr_as(other, operation, body).await
}

async fn v2(world: &World, who: &Credentials, method: Method, path: &str) -> Answer {
    let basic = world.basic(who).await;
    let headers = [("authorization", basic.as_str()), ("host", HOST)];
    world.raw(method, path, &headers, "").await
}

#[tokio::test]
async fn a_policy_opens_a_repository_to_another_account() {
    let world = World::start().await;
    let image = world.push_image("app", "one", &["v1"]).await;
    let other = world.key_of(OTHER).await;
    let ids = json!({"imageIds": [{"imageTag": "v1"}]});
    let manifest = "/v2/app/manifests/v1";
    let denied = as_other(&world, &other, "BatchGetImage", ids.clone()).await;
    assert_eq!(denied.code().1, "AccessDeniedException");
    v2(&world, &other, Method::GET, manifest).await.expect(403);

    let text = statement("Allow", OTHER, &["ecr:BatchGetImage", "ecr:DescribeImages"]);
    let answer = set(&world, &text, false).await.expect(200).json();
    assert_eq!(answer["registryId"], ACCOUNT);
    assert_eq!(answer["repositoryName"], "app");
    let printed = answer["policyText"].as_str().unwrap();
    assert!(printed.starts_with("{\n  \""), "{printed}");
    let got = world
        .ecr("GetRepositoryPolicy", json!({"repositoryName": "app"}))
        .await;
    assert_eq!(got.expect(200).json(), answer);

    let got = as_other(&world, &other, "BatchGetImage", ids.clone()).await;
    let digest = &got.expect(200).json()["images"][0]["imageId"]["imageDigest"];
    assert_eq!(digest, &json!(image.digest));
    v2(&world, &other, Method::GET, manifest).await.expect(200);
    // What it does not name stays closed, on both planes.
    let deleted = as_other(&world, &other, "BatchDeleteImage", ids).await;
    let sentence = format!(
        "User: arn:aws:iam::{OTHER}:root is not authorized to perform: ecr:BatchDeleteImage on \
         resource: arn:aws:ecr:us-east-1:{ACCOUNT}:repository/app because no resource-based \
         policy allows the ecr:BatchDeleteImage action"
    );
    assert_eq!(deleted.json()["message"], json!(sentence));
    let pushed = v2(&world, &other, Method::POST, "/v2/app/blobs/uploads/").await;
    pushed.expect(403);

    let name = json!({"repositoryName": "app"});
    let removed = world.ecr("DeleteRepositoryPolicy", name.clone()).await;
    assert_eq!(removed.expect(200).json(), answer);
    v2(&world, &other, Method::GET, manifest).await.expect(403);
    for operation in ["GetRepositoryPolicy", "DeleteRepositoryPolicy"] {
        let missing = world.ecr(operation, name.clone()).await;
        assert_eq!(missing.code().1, "RepositoryPolicyNotFoundException");
        let text = format!(
            "Repository policy does not exist for the repository with name 'app' in the registry \
             with id '{ACCOUNT}'"
        );
        assert_eq!(missing.json()["message"], json!(text));
    }
}

#[tokio::test]
async fn a_deny_binds_the_owner_too() {
    let world = World::start().await;
    world.push_image("app", "one", &["v1"]).await;
    let text = statement("Deny", "*", &["ecr:BatchGetImage", "ecr:PutImage"]);
    set(&world, &text, false).await.expect(200);
    let pulled = v2(
        &world,
        &world.credentials,
        Method::GET,
        "/v2/app/manifests/v1",
    )
    .await;
    let message = &pulled.expect(403).json()["errors"][0]["message"];
    let message = message.as_str().unwrap();
    assert!(
        message.ends_with("with an explicit deny in a resource-based policy"),
        "{message}"
    );
    let ids = json!({"repositoryName": "app", "imageIds": [{"imageTag": "v1"}]});
    let got = world.ecr("BatchGetImage", ids).await;
    assert_eq!(got.code().1, "AccessDeniedException");
}

#[tokio::test]
async fn nobody_locks_themselves_out_unasked() {
    let world = World::start().await;
    world.push_image("app", "one", &["v1"]).await;
    let text = statement("Deny", "*", &["ecr:SetRepositoryPolicy"]);
    let refused = set(&world, &text, false).await;
    assert_eq!(refused.code().1, "InvalidParameterException");
    let missing = world
        .ecr("GetRepositoryPolicy", json!({"repositoryName": "app"}))
        .await;
    assert_eq!(missing.code().1, "RepositoryPolicyNotFoundException");
    set(&world, &text, true).await.expect(200);
    let denied = set(&world, &text, true).await;
    assert_eq!(denied.code().1, "AccessDeniedException");
    let everything = statement("Deny", "*", &["ecr:*"]);
    let name = json!({"repositoryName": "app"});
    world.ecr("DeleteRepositoryPolicy", name).await.expect(200);
    set(&world, &everything, true).await.expect(200);
    // The owner always removes it: nobody else could.
    let name = json!({"repositoryName": "app"});
    world.ecr("DeleteRepositoryPolicy", name).await.expect(200);
    set(&world, &text, true).await.expect(200);
}

/// Conditions see the caller, the request and the tags of the repository.
#[tokio::test]
async fn conditions_are_asked() {
    let world = World::start().await;
    world.push_image("app", "one", &["v1"]).await;
    let other = world.key_of(OTHER).await;
    let arn = format!("arn:aws:ecr:us-east-1:{ACCOUNT}:repository/app");
    let tags = json!({"resourceArn": arn, "tags": [{"Key": "open", "Value": "yes"}]});
    world.ecr("TagResource", tags).await.expect(200);
    for (condition, status) in [
        (json!({"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}), 200),
        (json!({"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}), 403),
        (
            json!({"StringEquals": {"aws:ResourceTag/open": "yes"}}),
            200,
        ),
        (json!({"StringEquals": {"aws:ResourceTag/open": "no"}}), 403),
        (
            json!({"StringEquals": {"ecr:ResourceTag/open": "yes"}}),
            200,
        ),
        (json!({"Bool": {"aws:SecureTransport": "true"}}), 403),
        (
            json!({"StringEquals": {"aws:PrincipalAccount": OTHER}}),
            200,
        ),
        (json!({"StringLike": {"aws:RequestedRegion": "us-*"}}), 200),
        (
            json!({"DateGreaterThan": {"aws:CurrentTime": "2100-01-01T00:00:00Z"}}),
            403,
        ),
    ] {
        let text = json!({"Version": "2012-10-17", "Statement": {
            "Effect": "Allow", "Principal": "*", "Action": "ecr:*", "Condition": condition,
        }});
        set(&world, &text.to_string(), false).await.expect(200);
        let answer = v2(&world, &other, Method::GET, "/v2/app/manifests/v1").await;
        assert_eq!(answer.status, status, "{condition}");
    }
}

#[tokio::test]
async fn what_is_no_policy_is_refused() {
    let world = World::start().await;
    world.push_image("app", "one", &["v1"]).await;
    let resource = json!({"Statement": {"Effect": "Allow", "Principal": "*", "Action": "ecr:*", "Resource": "*"}});
    let long = statement("Allow", OTHER, &[&"ecr:BatchGetImage".repeat(1000)]);
    for text in ["not json", "{}", &resource.to_string(), &long] {
        let refused = set(&world, text, true).await;
        assert_eq!(refused.code().1, "InvalidParameterException", "{text:.40}");
    }
    let name = json!({"repositoryName": "app"});
    let missing = world.ecr("GetRepositoryPolicy", name).await;
    assert_eq!(missing.code().1, "RepositoryPolicyNotFoundException");
}

/// The role of a container service pulls what the policy of a private repository opens to it, on a
/// host that names no registry too, and nothing else.
#[tokio::test]
async fn a_container_service_pulls_by_its_role() {
    let world = World::start().await;
    world.push_image("app", "one", &["v1"]).await;
    world.push_image("other", "two", &["v1"]).await;
    let role = ContainerPuller {
        lightsail: AccountId::parse("555555555555").unwrap(),
        region: Region::parse("us-east-1").unwrap(),
        service: ServiceName::parse("web").unwrap(),
        id: RoleId::from_random([7; 52]),
    };
    let account = AccountId::parse(ACCOUNT).unwrap();
    let now = world.clock.now();
    let token = world
        .registry
        .issue_private_pull_token(&role, &account, now);
    let basic = World::basic_of("AWS", &token.password);
    let ask = async |method: Method, path: &str| {
        let headers = [("authorization", basic.as_str())];
        world.raw(method, path, &headers, "").await
    };
    let manifest = "/v2/app/manifests/v1";
    ask(Method::GET, manifest).await.expect(403);
    let arn = format!(
        "arn:aws:iam::555555555555:role/amazon/lightsail/us-east-1/containers/web/\
         private-repo-access/{}",
        role.id
    );
    let text = statement("Allow", &arn, &["ecr:*"]);
    set(&world, &text, false).await.expect(200);
    ask(Method::GET, manifest).await.expect(200);
    // The role itself may pull and nothing more, whatever a repository would allow it.
    ask(Method::POST, "/v2/app/blobs/uploads/")
        .await
        .expect(403);
    ask(Method::DELETE, manifest).await.expect(403);
    let other = "/v2/other/manifests/v1";
    ask(Method::GET, other).await.expect(403);
    world.clock.advance(Span::hours(2));
    ask(Method::GET, manifest).await.expect(401);
}

/// A private image of a deployment is resolved here, as the role: an engine that accounts share
/// never sees a tag of theirs.
#[tokio::test]
async fn a_private_image_is_pulled_by_digest() {
    let world = World::start().await;
    let image = world.push_image("app", "one", &["v1"]).await;
    let create = json!({
        "serviceName": "web", "power": "nano", "scale": 1,
        "privateRegistryAccess": {"ecrImagePullerRole": {"isActive": true}},
    });
    let target = "Lightsail_20161128.CreateContainerService";
    let body = create.to_string().into();
    let made = world
        .post(&world.credentials, target, body)
        .await
        .expect(200);
    let made = made.json()["containerService"].clone();
    let arn = made["privateRegistryAccess"]["ecrImagePullerRole"]["principalArn"].clone();
    let arn = arn.as_str().unwrap();
    let id = made["arn"].as_str().unwrap().rsplit('/').next().unwrap();
    let role = arn.rsplit('/').next().unwrap();
    let service = WantedService {
        id: ContainerServiceId::parse(id).unwrap(),
        account: AccountId::parse(ACCOUNT).unwrap(),
        region: Region::parse("us-east-1").unwrap(),
        name: ServiceName::parse("web").unwrap(),
        power: Power::Nano,
        scale: Scale::parse(1).unwrap(),
        puller: Some(RoleId::parse(role).unwrap()),
        deployments: Vec::new(),
    };
    let pulls = Pulls::of(&world.registry);
    let reference = format!("{HOST}/app:v1");
    let refused = pulls.private(&service, &reference).await.unwrap_err();
    assert!(
        refused.contains("is not authorized to perform: ecr:BatchGetImage"),
        "{refused}"
    );
    let text = statement(
        "Allow",
        arn,
        &["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
    );
    set(&world, &text, false).await.expect(200);
    let pull = pulls.private(&service, &reference).await.unwrap().unwrap();
    assert_eq!(pull.path, format!("app@{}", image.digest));
    let missing = pulls.private(&service, &format!("{HOST}/app:v2")).await;
    assert!(missing.unwrap_err().contains("does not exist"));
    assert_eq!(pulls.private(&service, "nginx").await.unwrap(), None);
    let off = WantedService {
        puller: None,
        ..service
    };
    pulls.private(&off, &reference).await.unwrap_err();
}

/// Who may only pull finds nothing that no image has, not by mounting it elsewhere either.
#[tokio::test]
async fn a_puller_does_not_see_what_was_deleted() {
    let world = World::start().await;
    let image = world.push_image("app", "one", &["v1"]).await;
    let layer = roadstead_testkit::images::digest(&Layout::image("one").blobs[0]);
    let other = world.key_of(OTHER).await;
    let read = [
        "ecr:BatchCheckLayerAvailability",
        "ecr:GetDownloadUrlForLayer",
    ];
    set(&world, &statement("Allow", OTHER, &read), false)
        .await
        .expect(200);
    for name in ["before", "after"] {
        let body = json!({"repositoryName": name});
        world.ecr("CreateRepository", body).await.expect(200);
        let text = statement("Allow", OTHER, &["ecr:*"]);
        let body = json!({"repositoryName": name, "policyText": text});
        world.ecr("SetRepositoryPolicy", body).await.expect(200);
    }
    let availability = || async {
        let body = json!({"layerDigests": [layer]});
        let answer = as_other(&world, &other, "BatchCheckLayerAvailability", body).await;
        answer.expect(200).json()["layers"][0]["layerAvailability"].clone()
    };
    let mount = |name: &str| format!("/v2/{name}/blobs/uploads/?mount={layer}&from=app");
    assert_eq!(availability().await, "AVAILABLE");
    v2(&world, &other, Method::POST, &mount("before"))
        .await
        .expect(201);

    let body = json!({"repositoryName": "app", "imageIds": [{"imageDigest": image.digest}]});
    world.ecr("BatchDeleteImage", body).await.expect(200);
    assert_eq!(availability().await, "UNAVAILABLE");
    v2(&world, &other, Method::POST, &mount("after"))
        .await
        .expect(202);
    let blob = format!("/v2/after/blobs/{layer}");
    v2(&world, &other, Method::GET, &blob).await.expect(404);
    // Who may push to it need not send the layer again.
    world
        .oci(Method::POST, &mount("after"), &[], "")
        .await
        .expect(201);
}
