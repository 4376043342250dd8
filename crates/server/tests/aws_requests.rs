//! Requests to the AWS face that are refused for other reasons than their signature (auth.md
//! section 2): access, the order of checks, our own faults. Hostile requests are in `hostile/`.
//!
//! Each must be answered in its protocol, and the server must be there afterwards.

mod api;

use api::ask::{Ask, Protocol, Row, TARGET, element, held_against, send};
use api::{error, ok};
use bytes::Bytes;
use http::HeaderValue;
use roadstead_sigv4::sign_header;
use roadstead_store::fault::When;
use roadstead_testkit::World;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

#[tokio::test]
async fn another_account_is_denied() {
    let world = World::start().await;
    api::repository(&world, "app").await;
    let arn = "arn:aws:ecr:us-east-1:123456789012:repository/app";
    let stranger = world.key_of("210987654321").await;
    let denied = |action: &str, resource: &str| {
        let message = format!(
            "User: arn:aws:iam::210987654321:root is not authorized to perform: ecr:{action} on \
             resource: {resource} because no resource-based policy allows the ecr:{action} action"
        );
        error("AccessDeniedException", &message)
    };
    let named = json!({ "registryId": "123456789012", "repositoryName": "app" });
    let answer = world
        .ecr_as(&stranger, "ListImages", named)
        .await
        .expect(400);
    assert_eq!(answer.json(), denied("ListImages", arn));
    // Access comes before the constraints and before existence: nothing is learnt.
    let malformed = json!({ "registryId": "123456789012", "repositoryName": "APP" });
    let answer = world.ecr_as(&stranger, "ListImages", malformed).await;
    assert_eq!(answer.expect(400).json(), denied("ListImages", "*"));
    let ghost = json!({ "registryId": "123456789012", "repositoryName": "ghost" });
    let answer = world.ecr_as(&stranger, "ListImages", ghost).await;
    let resource = arn.replace("/app", "/ghost");
    assert_eq!(answer.expect(400).json(), denied("ListImages", &resource));
    let tagged = json!({ "resourceArn": arn });
    let answer = world.ecr_as(&stranger, "ListTagsForResource", tagged).await;
    assert_eq!(
        answer.expect(400).json(),
        denied("ListTagsForResource", arn)
    );
    // Referrers are read with the right to get images.
    let subject = json!({
        "registryId": "123456789012", "repositoryName": "app",
        "subjectId": { "imageDigest": "sha256:0" },
    });
    let answer = world.ecr_as(&stranger, "ListImageReferrers", subject).await;
    assert_eq!(answer.expect(400).json(), denied("BatchGetImage", arn));
    // IAM has nothing to show, and says so in its own protocol.
    let ask = Ask {
        service: "iam",
        ..Ask::of(&world, Protocol::Query)
    };
    let host = world.address.to_string();
    let form = "Action=GetUser&Version=2010-05-08";
    let headers = ask.headers(&host);
    let to_sign = roadstead_sigv4::Request {
        body_sha256: Sha256::digest(form).into(),
        ..ask.to_sign(&headers)
    };
    let mut request = ask.bare(&world, "/").map(|_| Bytes::from(form));
    for (name, value) in sign_header(&to_sign, &ask.credentials(), &ask.signing(&world)) {
        let value = HeaderValue::from_str(&value).expect("a header");
        request.headers_mut().insert(name, value);
    }
    let row = Row {
        query: (403, "AccessDenied"),
        json: "",
    };
    held_against(row, Protocol::Query, &send(&world, request).await);
}

#[tokio::test]
async fn the_body_is_judged_before_the_target_and_the_target_before_the_signature() {
    let world = World::start().await;
    let stranger = roadstead_testkit::Credentials {
        secret: "wrong".into(),
        ..world.credentials.clone()
    };
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    for (target, body, code) in [
        ("nonsense", "{", "SerializationException"),
        ("nonsense", "{}", "UnknownOperationException"),
        (TARGET, "{", "SerializationException"),
        (TARGET, "[]", "InvalidSignatureException"),
        // JSON, and too deep to make a value of: only who may ask learns so.
        (TARGET, &deep, "InvalidSignatureException"),
    ] {
        let answer = world.post(&stranger, target, Bytes::from(body.to_owned()));
        assert_eq!(answer.await.code(), (400, code.to_owned()), "{body:.40}");
    }
    let answer = world.post(&world.credentials, TARGET, Bytes::from(deep));
    let expected = (400, "SerializationException".to_owned());
    assert_eq!(answer.await.code(), expected);
}

#[tokio::test]
async fn a_failing_store_is_our_fault_and_tells_nothing() {
    let world = World::start().await;
    // Remember the key, so that the failure comes after authentication.
    ok(&world, "DescribeRepositories", json!({})).await;
    world.faults.fail_all(When::Before);
    let answer = world.ecr("DescribeRepositories", json!({})).await;
    assert_eq!(answer.code(), (500, "ServerException".to_owned()));
    let message = answer.json()["message"].clone();
    assert_eq!(message, "The server could not complete the request");
    let identity = Ask::of(&world, Protocol::Query);
    world.clock.advance(roadstead_domain::time::Span::hours(1));
    let answer = send(&world, identity.signed(&world)).await.expect(500);
    assert_eq!(element(&answer.text(), "Code"), "InternalFailure");
    assert_eq!(element(&answer.text(), "Type"), "Receiver");
    world.faults.clear();
    let body: Value = ok(&world, "DescribeRepositories", json!({})).await;
    assert_eq!(body, json!({ "repositories": [] }));
}
