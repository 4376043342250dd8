//! The token endpoint (sections 4 and 14, auth.md 5.2 and 5.4), and how long which token is good.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use roadstead_domain::time::Span;
use roadstead_registry::context::Clock as _;
use roadstead_testkit::{Answer, World};
use serde_json::json;

use crate::public_api::oci::{anonymous, authorization_token, basic, bearer, get, send, token};
use crate::public_api::{NAME, world_and_alias, world_with};

/// A token's own text and the seconds that it is good for, from an answer of the right form.
fn read(answer: Answer) -> (String, u64) {
    let answer = answer.expect(200);
    assert!(
        answer
            .header("content-type")
            .starts_with("application/json")
    );
    let body = answer.json();
    let text = body["token"].as_str().expect("a token").to_owned();
    let seconds = body["expires_in"].as_u64().expect("a number of seconds");
    // A refresh token would have docker turn to another protocol.
    assert_eq!(
        body,
        json!({
            "access_token": text,
            "expires_in": seconds,
            "issued_at": body["issued_at"],
            "token": text,
        })
    );
    let issued = body["issued_at"].as_str().expect("a time");
    assert!(issued.starts_with("2026-01-02T03:04:05"), "{issued}");
    assert!(
        issued.ends_with('Z') || issued.ends_with("+00:00"),
        "{issued}"
    );
    assert!(seconds >= 60);
    (text, seconds)
}

#[tokio::test]
async fn whatever_is_asked_for_is_answered() {
    for is_strict in [false, true] {
        let world = world_with(is_strict).await;
        let basic = basic(&world, &world.credentials).await;
        for path in ["/token/", "/token"] {
            for query in [
                "",
                "?service=public.ecr.aws",
                "?service=public.ecr.aws&scope=aws",
                "?service=other&scope=repository:none/such:pull",
                "?scope=repository:a/b:pull&scope=repository:c/d:pull,push",
                "?scope=nonsense&scope=registry:catalog:*&scope=:::",
                "?account=AWS&client_id=docker&offline_token=true&service=public.ecr.aws",
            ] {
                let path = format!("{path}{query}");
                read(get(&world, &path, "").await);
                read(get(&world, &path, &basic).await);
            }
        }
    }
}

#[tokio::test]
async fn a_wrong_login_fails_at_once() {
    for is_strict in [false, true] {
        let world = world_with(is_strict).await;
        let good = basic(&world, &world.credentials).await;
        let decoded = STANDARD.decode(&good["Basic ".len()..]).expect("base64");
        let decoded = String::from_utf8(decoded).expect("text");
        let password = decoded.strip_prefix("AWS:").expect("the user name");
        let private = world.basic(&world.credentials).await;
        for bad in [
            World::basic_of("AWS", "wrong"),
            World::basic_of("AWS", ""),
            World::basic_of("aws", password),
            World::basic_of("somebody", password),
            World::basic_of("AWS", &password[..password.len() - 4]),
            "Basic ===".to_owned(),
            // A login to the private registry.
            private,
        ] {
            let refused = get(&world, "/token/?service=public.ecr.aws", &bad).await;
            assert_eq!(refused.code(), (401, "UNAUTHORIZED".into()), "{bad}");
        }
    }
}

#[tokio::test]
async fn the_form_of_oauth_is_not_offered() {
    let world = world_with(false).await;
    let basic = basic(&world, &world.credentials).await;
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let body = "grant_type=password&service=public.ecr.aws&client_id=c&username=AWS&password=p";
    for path in ["/token/", "/token"] {
        for authorization in ["", &basic] {
            let answer = send(&world, Method::POST, path, authorization, &form, body).await;
            answer.expect(405);
        }
    }
}

#[tokio::test]
async fn a_token_ends_when_it_says() {
    for is_strict in [false, true] {
        for is_login in [false, true] {
            let world = world_with(is_strict).await;
            let login = match is_login {
                true => basic(&world, &world.credentials).await,
                false => String::new(),
            };
            let (text, seconds) = read(get(&world, "/token/?scope=aws", &login).await);
            // An hour for nobody, a quarter of one at most for whoever has logged in.
            match is_login {
                true => assert!((300..=900).contains(&seconds), "{seconds}"),
                false => assert_eq!(seconds, 3600),
            }
            let bearer = format!("Bearer {text}");
            get(&world, "/v2/", &bearer).await.expect(200);
            let seconds = i64::try_from(seconds).expect("a number");
            world.clock.advance(Span::seconds(seconds - 1));
            get(&world, "/v2/", &bearer).await.expect(200);
            world.clock.advance(Span::seconds(1));
            let expired = if is_strict { 403 } else { 401 };
            get(&world, "/v2/", &bearer).await.expect(expired);
        }
    }
}

#[tokio::test]
async fn the_token_of_the_api_is_good_for_twelve_hours() {
    for is_strict in [false, true] {
        let world = world_with(is_strict).await;
        let raw = authorization_token(&world, &world.credentials).await;
        let (bearer, basic) = (format!("Bearer {raw}"), format!("Basic {raw}"));
        world.clock.advance(Span::seconds(12 * 3600 - 1));
        get(&world, "/v2/", &bearer).await.expect(200);
        token(&world, &basic).await;
        world.clock.advance(Span::seconds(1));
        let expired = if is_strict { 403 } else { 401 };
        get(&world, "/v2/", &bearer).await.expect(expired);
        let refused = get(&world, "/token/", &basic).await;
        assert!(refused.status.is_client_error(), "{refused:?}");
    }
}

#[tokio::test]
async fn the_end_of_a_key_is_the_end_of_its_tokens() {
    let world = world_with(false).await;
    let key = world.key_of(crate::public_api::OTHER).await;
    let raw = authorization_token(&world, &key).await;
    let tokens = [bearer(&world, &key).await, format!("Bearer {raw}")];
    for token in &tokens {
        get(&world, "/v2/", token).await.expect(200);
    }
    let now = world.clock.now();
    let disabled = world.registry.disable_access_key(&key.id, now).await;
    assert!(disabled.expect("an answer"));
    for token in &tokens {
        get(&world, "/v2/", token).await.expect(401);
    }
    let basic = format!("Basic {raw}");
    get(&world, "/token/", &basic).await.expect(401);
}

/// One token service, two audiences (section 15).
#[tokio::test]
async fn a_token_is_for_one_registry() {
    let (world, alias) = world_and_alias(false).await;
    let public = authorization_token(&world, &world.credentials).await;
    let short = bearer(&world, &world.credentials).await;
    let nobody = anonymous(&world).await;
    let body = json!({ "repositoryName": NAME });
    world.ecr("CreateRepository", body).await.expect(200);
    for authorization in [
        format!("Basic {public}"),
        format!("Bearer {public}"),
        short,
        nobody,
    ] {
        let authorization = ("authorization", authorization.as_str());
        let private = ("host", "123456789012.dkr.ecr.us-east-1.amazonaws.com");
        for path in ["/v2/", "/v2/team/app/tags/list"] {
            let headers = [private, authorization];
            let answer = world.raw(Method::GET, path, &headers, "").await;
            answer.expect(401);
        }
    }
    let private = world.basic(&world.credentials).await;
    let as_bearer = private.replace("Basic ", "Bearer ");
    let path = format!("/v2/{alias}/{NAME}/tags/list");
    for authorization in [private, as_bearer] {
        get(&world, &path, &authorization).await.expect(401);
    }
}
