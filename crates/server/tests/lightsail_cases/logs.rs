//! GetContainerLog (lightsail-containers.md 6.4): the service's own lines, filters, times, pages.

use roadstead_domain::time::Span;
use roadstead_registry::context::Clock as _;
use roadstead_testkit::World;
use serde_json::{Value, json};

use crate::api::lightsail::{
    builder_that_fails, deploy, invalid_text, ok, refused, service, settle, step, timeless, world,
};

const HONEST: &str = "No engine configured: nothing runs. The deployment is recorded only.";

fn ask(container: &str) -> Value {
    json!({ "serviceName": "web", "containerName": container })
}

/// All pages of one question, in order; every page but the last leads on.
async fn events(world: &World, body: Value) -> Vec<Value> {
    let mut all = vec![];
    let mut body = body;
    for _ in 0..1000 {
        let page = ok(world, "GetContainerLog", body.clone()).await;
        let token = page.get("nextPageToken").cloned();
        all.extend(page["logEvents"].as_array().expect("a list").clone());
        match token {
            None => return all,
            Some(token) => {
                assert!(token.is_string(), "{token}");
                body["pageToken"] = token;
            }
        }
    }
    panic!("the pages do not end");
}

async fn messages(world: &World, body: Value) -> Vec<String> {
    let text = |event: Value| event["message"].as_str().expect("a text").to_owned();
    events(world, body).await.into_iter().map(text).collect()
}

async fn filtered(world: &World, pattern: &str) -> Vec<String> {
    let mut body = ask("app");
    body["filterPattern"] = pattern.into();
    messages(world, body).await
}

async fn bench() -> World {
    let world = world().await;
    service(&world, "web").await;
    world
}

#[tokio::test]
async fn a_recorded_deployment_says_so() {
    let world = bench().await;
    deploy(&world, "web", "nginx:latest").await;
    let said = messages(&world, ask("app")).await;
    let first = said.first().map(String::as_str);
    assert_eq!(first, Some("[deployment:1] Creating your deployment"));
    assert!(
        said.contains(&format!("[deployment:1] {HONEST}")),
        "{said:?}"
    );
    assert!(
        said.iter().all(|line| line.starts_with("[deployment:1] ")),
        "{said:?}"
    );
    let answer = ok(&world, "GetContainerLog", ask("app")).await;
    let first = timeless(answer)["logEvents"][0].clone();
    assert_eq!(
        first,
        json!({ "createdAt": "TIME", "message": "[deployment:1] Creating your deployment" })
    );
}

#[tokio::test]
async fn a_recorded_failure_says_so() {
    let world = builder_that_fails().start().await;
    service(&world, "web").await;
    deploy(&world, "web", "nginx:latest").await;
    let said = messages(&world, ask("app")).await;
    assert!(
        said.contains(&format!("[deployment:1] {HONEST}")),
        "{said:?}"
    );
    let steady = said.iter().any(|line| line.contains("steady state"));
    assert!(!steady, "{said:?}");
}

#[tokio::test]
async fn the_old_deployment_is_finalized() {
    let world = bench().await;
    for _ in 0..2 {
        deploy(&world, "web", "nginx:latest").await;
    }
    let said = messages(&world, ask("app")).await;
    let at = |line: &str| said.iter().position(|one| one == line);
    let second = at("[deployment:2] Creating your deployment");
    let gone = at("[deployment:1] Finalizing your deployment");
    assert!(
        second.is_some() && gone.is_some() && second < gone,
        "{said:?}"
    );
}

#[tokio::test]
async fn the_own_lines_are_in_every_containers_log() {
    let world = bench().await;
    let body = json!({
        "serviceName": "web",
        "containers": { "app": { "image": "nginx" }, "side-car": { "image": "busybox" } },
    });
    ok(&world, "CreateContainerServiceDeployment", body).await;
    settle(&world).await;
    let app = events(&world, ask("app")).await;
    assert!(!app.is_empty());
    assert_eq!(events(&world, ask("side-car")).await, app);
    // A container of a past deployment can still be asked for.
    deploy(&world, "web", "nginx:latest").await;
    let past = messages(&world, ask("side-car")).await;
    assert!(
        past.contains(&"[deployment:1] Creating your deployment".to_owned()),
        "{past:?}"
    );
}

#[tokio::test]
async fn a_container_that_is_not_known_has_said_nothing() {
    let world = bench().await;
    deploy(&world, "web", "nginx:latest").await;
    let nothing = json!({ "logEvents": [] });
    assert_eq!(ok(&world, "GetContainerLog", ask("other")).await, nothing);
}

#[tokio::test]
async fn filters() {
    let world = bench().await;
    for _ in 0..3 {
        deploy(&world, "web", "nginx:latest").await;
    }
    let all = messages(&world, ask("app")).await;
    let kept = |test: fn(&str) -> bool| -> Vec<String> {
        all.iter().filter(|line| test(line)).cloned().collect()
    };
    assert!(all.len() > 5, "{all:?}");
    assert_eq!(filtered(&world, "").await, all);
    let creating = kept(|line| line.contains("Creating"));
    assert_eq!(creating.len(), 3);
    assert_eq!(filtered(&world, "Creating").await, creating);
    // Case matters.
    assert_eq!(filtered(&world, "creating").await, [""; 0]);
    let both = kept(|line| line.contains("Creating") && line.contains("deployment:2"));
    assert_eq!(both.len(), 1);
    assert_eq!(filtered(&world, "Creating deployment:2").await, both);
    assert_eq!(filtered(&world, "deployment:2 Creating").await, both);
    let either = kept(|line| line.contains("Creating") || line.contains("Finalizing"));
    assert_eq!(either.len(), 5);
    assert_eq!(filtered(&world, "?Creating ?Finalizing").await, either);
    let without = kept(|line| !line.contains("Creating"));
    assert!(!without.is_empty());
    assert_eq!(filtered(&world, "-Creating").await, without);
    assert_eq!(filtered(&world, "nowhere").await, [""; 0]);
}

#[tokio::test]
async fn times() {
    let world = bench().await;
    deploy(&world, "web", "nginx:latest").await;
    world.clock.advance(Span::hours(1));
    let between = world.clock.now().seconds();
    world.clock.advance(Span::hours(1));
    deploy(&world, "web", "nginx:latest").await;
    let asked = async |start: Option<i64>, end: Option<i64>| {
        let mut body = ask("app");
        for (name, time) in [("startTime", start), ("endTime", end)] {
            if let Some(time) = time {
                body[name] = time.into();
            }
        }
        events(&world, body).await
    };
    let all = asked(None, None).await;
    let before = asked(None, Some(between)).await;
    let after = asked(Some(between), None).await;
    assert!(!before.is_empty() && !after.is_empty());
    assert_eq!([before, after].concat(), all);
    assert_eq!(
        asked(Some(between - 60), Some(between + 60)).await,
        [Value::Null; 0]
    );
    // Oldest first.
    let seconds: Vec<f64> = all
        .iter()
        .map(|event| event["createdAt"].as_f64().expect("a number"))
        .collect();
    assert!(seconds.is_sorted(), "{seconds:?}");
}

#[tokio::test]
async fn pages() {
    let world = bench().await;
    for _ in 0..120 {
        deploy(&world, "web", "nginx:latest").await;
    }
    let all = messages(&world, ask("app")).await;
    let created: Vec<&String> = all
        .iter()
        .filter(|line| line.contains("Creating"))
        .collect();
    let expected: Vec<String> = (1..=120)
        .map(|version| format!("[deployment:{version}] Creating your deployment"))
        .collect();
    assert_eq!(created, expected.iter().collect::<Vec<_>>());
    // A filter is good for all pages.
    assert_eq!(filtered(&world, "Creating").await, expected);
    let mut body = ask("app");
    body["pageToken"] = "not one of ours".into();
    invalid_text(&refused(&world, "GetContainerLog", body).await);
}

#[tokio::test]
async fn lines_are_kept_for_four_days() {
    let world = bench().await;
    deploy(&world, "web", "nginx:latest").await;
    world.clock.advance(Span::hours(4 * 24 - 1));
    step(&world).await;
    assert!(!messages(&world, ask("app")).await.is_empty());
    world.clock.advance(Span::hours(2));
    deploy(&world, "web", "nginx:latest").await;
    let said = messages(&world, ask("app")).await;
    let created = |line: &&String| line.ends_with("Creating your deployment");
    let created: Vec<&String> = said.iter().filter(created).collect();
    assert_eq!(created, ["[deployment:2] Creating your deployment"]);
}

#[tokio::test]
async fn every_part_is_asked_for() {
    let world = bench().await;
    for body in [
        json!({ "serviceName": "web" }),
        json!({ "containerName": "app" }),
    ] {
        invalid_text(&refused(&world, "GetContainerLog", body).await);
    }
}
