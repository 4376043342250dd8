//! Credentials that the data plane refuses, in both modes (section 4, auth.md 5.2): by default
//! 401 with a challenge, as AWS's users ask for; strictly AWS's own 400 and 403.

use roadstead_domain::time::Span;
use roadstead_testkit::{Answer, World};

use crate::public_api::oci::{anonymous, authorization_token, basic, envelope, get};
use crate::public_api::{NAME, world_and_alias, world_with};

const CHALLENGE: &str =
    r#"Bearer realm="https://public.ecr.aws/token/",service="public.ecr.aws",scope="aws""#;

fn is_challenged_anew(answer: Answer) {
    let answer = answer.expect(401);
    let challenge = answer.header("www-authenticate");
    assert!(challenge.starts_with(CHALLENGE), "{challenge}");
    assert!(
        challenge.contains(r#"error="invalid_token""#),
        "{challenge}"
    );
    assert!(answer.json()["errors"][0]["code"].is_string(), "{answer:?}");
}

#[tokio::test]
async fn without_any() {
    for is_strict in [false, true] {
        let (world, alias) = world_and_alias(is_strict).await;
        for path in [
            "/v2/".to_owned(),
            format!("/v2/{alias}/{NAME}/manifests/v1"),
            format!("/v2/{alias}/ghost/tags/list"),
            "/v2/none/such/manifests/v1".to_owned(),
            "/v2/123456789012/app/manifests/v1".to_owned(),
        ] {
            let answer = get(&world, &path, "").await.expect(401);
            assert_eq!(answer.header("www-authenticate"), CHALLENGE, "{path}");
            let api = answer.header("docker-distribution-api-version");
            assert_eq!(api, "registry/2.0");
            assert_eq!(
                answer.text(),
                "{\"errors\":[{\"code\":\"DENIED\",\"message\":\"Not Authorized\"}]}\n"
            );
        }
    }
}

#[tokio::test]
async fn tokens_that_are_none() {
    for is_strict in [false, true] {
        let (world, alias) = world_and_alias(is_strict).await;
        let good = anonymous(&world).await;
        let raw = authorization_token(&world, &world.credentials).await;
        let private = world.basic(&world.credentials).await;
        for bad in [
            "Bearer nonsense".to_owned(),
            format!("{}A", &good[..good.len() - 1]),
            good[..good.len() - 20].to_owned(),
            format!("Bearer {}", &raw[..raw.len() - 8]),
            format!("Bearer {}", "QUFB".repeat(8000)),
            private.replace("Basic ", "Bearer "),
        ] {
            for path in ["/v2/".to_owned(), format!("/v2/{alias}/{NAME}/tags/list")] {
                let answer = get(&world, &path, &bad).await;
                if is_strict {
                    assert_eq!(
                        answer.clone().expect(400).json(),
                        envelope("DENIED", "Your Authorization Token is invalid.")
                    );
                    assert_eq!(answer.header("www-authenticate"), "");
                } else {
                    is_challenged_anew(answer);
                }
            }
        }
    }
}

/// A token that ended is never taken for none: a pull fails until the client logs out.
#[tokio::test]
async fn tokens_that_ended() {
    for is_strict in [false, true] {
        let (world, alias) = world_and_alias(is_strict).await;
        let raw = authorization_token(&world, &world.credentials).await;
        let nobody = anonymous(&world).await;
        world.clock.advance(Span::hours(13));
        for token in [format!("Bearer {raw}"), nobody] {
            let path = format!("/v2/{alias}/{NAME}/tags/list");
            let answer = get(&world, &path, &token).await;
            if is_strict {
                assert_eq!(
                    answer.clone().expect(403).json(),
                    envelope(
                        "DENIED",
                        "Your authorization token has expired. Reauthenticate and try again."
                    )
                );
                assert_eq!(answer.header("www-authenticate"), "");
            } else {
                is_challenged_anew(answer);
            }
        }
    }
}

/// Basic, as for the private registry: refused by AWS, taken here.
#[tokio::test]
async fn a_login_without_a_token() {
    for is_strict in [false, true] {
        let world = world_with(is_strict).await;
        let good = basic(&world, &world.credentials).await;
        let answer = get(&world, "/v2/", &good).await;
        let bad = get(&world, "/v2/", &World::basic_of("AWS", "wrong")).await;
        if is_strict {
            for answer in [answer, bad] {
                assert_eq!(
                    answer.expect(400).json(),
                    envelope("DENIED", "Your Authorization Token is invalid.")
                );
            }
        } else {
            answer.expect(200);
            let challenge = bad.expect(401);
            let challenge = challenge.header("www-authenticate");
            assert!(challenge.starts_with("Bearer realm="), "{challenge}");
        }
    }
}
