//! F34, F35, F48: listings page by key, whatever the names and whatever is deleted meanwhile; a pull
//! gets everything or nothing.

use std::sync::Arc;

use http::Method;
use roadstead_domain::time::Span;
use roadstead_testkit::World;
use roadstead_testkit::images::{self, Layout};
use roadstead_testkit::random::bytes_of;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::doors::{Client, none, nothing_is_left};

/// Names of which some are prefixes of others, around the separators.
const NAMES: [&str; 12] = [
    "aa", "aa-b", "aa.b", "aa/b", "aa/b/cc", "aa/b-c", "aa0", "aa_b", "aab", "aab/c", "ab", "b0/a",
];
const TAGS: [&str; 10] = ["a", "a-b", "a.b", "a0", "aB", "a_b", "ab", "A", "0", "_"];

async fn world() -> (World, Client) {
    let world = World::start().await;
    let client = Client::of(&world).await;
    (world, client)
}

fn sorted(names: &[&str]) -> Vec<String> {
    let mut names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    names.sort();
    names
}

/// Follows the `Link` headers of `/v2`.
async fn walk_v2(client: &Client, start: &str, member: &str) -> Vec<String> {
    let (mut path, mut found) = (start.to_owned(), Vec::new());
    loop {
        let answer = client.v2(Method::GET, &path, none()).await.expect(200);
        let page = answer.json()[member]
            .as_array()
            .cloned()
            .unwrap_or_default();
        found.extend(page.iter().filter_map(Value::as_str).map(str::to_owned));
        assert!(found.len() < 100, "the pages do not end: {found:?}");
        let link = answer.header("link");
        if link.is_empty() {
            return found;
        }
        let next = link
            .split_once('<')
            .and_then(|(_, rest)| rest.split_once('>'));
        path = next.expect("a link").0.to_owned();
    }
}

/// One page of the API: its entries and the token of the next one.
async fn page(
    client: &Client,
    operation: &str,
    mut input: Value,
    token: &Value,
) -> (Vec<Value>, Value) {
    if token.is_string() {
        input["nextToken"] = token.clone();
    }
    let answer = client.ecr(operation, input).await.expect(200).json();
    let list = ["repositories", "imageIds", "imageDetails"]
        .iter()
        .find_map(|name| answer[*name].as_array().cloned());
    (list.expect("a list"), answer["nextToken"].clone())
}

#[tokio::test]
async fn f34_no_name_is_dropped_for_being_a_prefix() {
    let (world, client) = world().await;
    for name in NAMES.iter().rev() {
        client.create(name).await;
    }
    for limit in 1..=NAMES.len() + 1 {
        let start = format!("/v2/_catalog?n={limit}");
        let found = walk_v2(&client, &start, "repositories").await;
        assert_eq!(found, sorted(&NAMES), "pages of {limit}");
        let (mut found, mut token) = (Vec::new(), Value::Null);
        loop {
            let input = json!({ "maxResults": limit });
            let (entries, next) = page(&client, "DescribeRepositories", input, &token).await;
            found.extend(entries.iter().map(|one| one["repositoryName"].clone()));
            assert!(found.len() < 100, "the pages do not end: {found:?}");
            if !next.is_string() {
                break;
            }
            token = next;
        }
        assert_eq!(json!(found), json!(sorted(&NAMES)), "pages of {limit}");
    }
    nothing_is_left(&world).await;
}

#[tokio::test]
async fn f34_no_tag_is_dropped_for_being_a_prefix() {
    let (world, client) = world().await;
    client.create("app").await;
    let layouts = [Layout::image("one"), Layout::image("two")];
    for (n, tag) in TAGS.iter().enumerate() {
        client.push_image("app", &layouts[n % 2], tag).await;
    }
    for limit in 1..=TAGS.len() + 1 {
        let start = format!("/v2/app/tags/list?n={limit}");
        let found = walk_v2(&client, &start, "tags").await;
        assert_eq!(found, sorted(&TAGS), "pages of {limit}");
        let (mut found, mut token) = (Vec::new(), Value::Null);
        loop {
            let input = json!({ "repositoryName": "app", "maxResults": limit });
            let (entries, next) = page(&client, "ListImages", input, &token).await;
            let tags = entries.iter().filter_map(|id| id["imageTag"].as_str());
            found.extend(tags.map(str::to_owned));
            if !next.is_string() {
                break;
            }
            token = next;
        }
        found.sort();
        assert_eq!(found, sorted(&TAGS), "pages of {limit}");
    }
    nothing_is_left(&world).await;
}

#[tokio::test]
async fn f35_deleting_while_paging_skips_and_repeats_nothing() {
    let world = World::start().await;
    for operation in ["DescribeRepositories", "ListImages", "DescribeImages"] {
        let client = Client::of(&world).await;
        client.create("app").await;
        let mut kept = Vec::new();
        for n in 0..20 {
            let layout = Layout::image(&format!("image {n}"));
            client.push_image("app", &layout, &format!("v{n}")).await;
            client.create(&format!("name-{n:02}")).await;
            world.clock.advance(Span::seconds(1));
            kept.push(layout.manifest.digest);
        }
        let (mut seen, mut token) = (Vec::<String>::new(), Value::Null);
        loop {
            let mut input = json!({ "maxResults": 3 });
            if operation != "DescribeRepositories" {
                input["repositoryName"] = "app".into();
            }
            let (entries, next) = page(&client, operation, input, &token).await;
            let name = |one: &Value| {
                let name = one["imageDigest"]
                    .as_str()
                    .or(one["repositoryName"].as_str());
                name.expect("a name").to_owned()
            };
            seen.extend(entries.iter().map(name));
            if !next.is_string() {
                break;
            }
            // All that was seen goes, the entry that the token stands on included.
            for one in entries.iter().map(name).filter(|one| one != "app") {
                match operation {
                    "DescribeRepositories" => drop(client.remove(&one).await.expect(200)),
                    _ => assert_eq!(client.delete("app", &one).await, 202),
                }
            }
            token = next;
        }
        let mut expected = kept;
        if operation == "DescribeRepositories" {
            expected = (0..20).map(|n| format!("name-{n:02}")).collect();
            expected.push("app".into());
        }
        expected.sort();
        seen.sort();
        assert_eq!(seen, expected, "{operation}");
        nothing_is_left(&world).await;
    }
}

#[tokio::test]
async fn f48_a_pull_that_began_ends_whole_though_the_blob_is_swept() {
    let (world, client) = world().await;
    client.create("app").await;
    // More than the buffers of a connection hold.
    let layer = bytes_of("pulled", 4 << 20).repeat(8);
    let layer = bytes::Bytes::from(layer);
    let layout = Layout::of("large", vec![layer.clone()]);
    client.push_image("app", &layout, "v1").await;
    let digest = images::digest(&layer);
    let basic = world.basic(&world.credentials).await;
    let mut stream = TcpStream::connect(world.address).await.expect("a server");
    let head = format!(
        "GET /v2/app/blobs/{digest} HTTP/1.1\r\nHost: {}\r\nAuthorization: {basic}\r\n\
         Connection: close\r\n\r\n",
        world.address
    );
    stream.write_all(head.as_bytes()).await.expect("a head");
    let mut answer = vec![0; 1000];
    stream.read_exact(&mut answer).await.expect("a beginning");
    client.remove("app").await.expect(200);
    world.clock.advance(Span::hours(2));
    world.sweep().await;
    assert_eq!(world.blob_files().len(), 0);
    stream.read_to_end(&mut answer).await.expect("the rest");
    assert!(answer.starts_with(b"HTTP/1.1 200"));
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let body = &answer[end.expect("an end of the head") + 4..];
    assert_eq!(images::digest(body), digest);
    nothing_is_left(&world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn f48_pulls_racing_with_deletion_get_all_or_nothing() {
    let world = Arc::new(World::builder().without_grace().start().await);
    let client = Client::of(&world).await;
    client.create("app").await;
    for round in 0..10 {
        let layer = bytes_of(&format!("raced {round}"), 300_000);
        let layout = Layout::of(&format!("raced {round}"), vec![layer.clone()]);
        client.push_image("app", &layout, "v1").await;
        let path = format!("/v2/app/blobs/{}", images::digest(&layer));
        let pulls: Vec<_> = (0..6)
            .map(|_| {
                let (client, path) = (client.clone(), path.clone());
                tokio::spawn(async move { client.v2(Method::GET, &path, none()).await })
            })
            .collect();
        assert_eq!(client.delete("app", "v1").await, 202);
        world.clock.advance(Span(1));
        world.sweep().await;
        for pull in pulls {
            let answer = pull.await.expect("an answer");
            match answer.status.as_u16() {
                200 => assert!(answer.body == layer, "a part of the blob"),
                status => assert_eq!(status, 404, "{}", answer.text()),
            }
        }
    }
    nothing_is_left(&world).await;
}
