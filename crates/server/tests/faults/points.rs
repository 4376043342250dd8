//! F12 to F15, F25, F26: each sequence of store calls fails at each of its calls, before and after
//! the effect. The client is told, tries again, and finds nothing lost and nothing back.

use bytes::Bytes;
use http::Method;
use roadstead_registry::context::Clock as _;
use roadstead_store::fault::When;
use roadstead_testkit::images::{self, Layout};
use roadstead_testkit::random::bytes_of;
use roadstead_testkit::{Answer, World};
use serde_json::json;

use crate::doors::{Client, none, nothing_is_left};

/// What a client wants to have done, in however many requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    Monolithic,
    PostThenPut,
    Chunked,
    LayerApi,
    Manifest,
    PutImage,
    Mount,
    Retag,
    BatchDelete,
    DeleteTag,
    DeleteRepository,
    CreateRepository,
}

const WISHES: [Wish; 12] = [
    Wish::Monolithic,
    Wish::PostThenPut,
    Wish::Chunked,
    Wish::LayerApi,
    Wish::Manifest,
    Wish::PutImage,
    Wish::Mount,
    Wish::Retag,
    Wish::BatchDelete,
    Wish::DeleteTag,
    Wish::DeleteRepository,
    Wish::CreateRepository,
];

fn blob() -> Bytes {
    bytes_of("wished for", 30_000)
}

fn kept() -> Layout {
    Layout::image("kept")
}

fn wanted() -> Layout {
    Layout::image("wanted")
}

fn doomed() -> Layout {
    Layout::image("doomed")
}

/// A world with something to lose, something to delete, and everything that the wishes need.
async fn world() -> (World, Client) {
    let world = World::start().await;
    let client = Client::of(&world).await;
    for repository in ["app", "other", "doomed"] {
        client.create(repository).await;
        client.push_image(repository, &kept(), "kept").await;
    }
    for blob in &wanted().blobs {
        client.push("app", blob).await.expect(201);
    }
    client.push("other", &blob()).await.expect(201);
    client.push_image("app", &doomed(), "doomed").await;
    client.push_image("app", &doomed(), "gone").await;
    (world, client)
}

/// Sends the requests of a wish until one fails: its answer, or the last one.
async fn make(client: &Client, wish: Wish) -> Answer {
    let digest = images::digest(&blob());
    let wanted = wanted().manifest;
    match wish {
        Wish::Monolithic => client.push("app", &blob()).await,
        Wish::PostThenPut | Wish::Chunked => in_chunks(client, wish == Wish::Chunked).await,
        Wish::LayerApi => client.push_layer("app", &blob()).await,
        Wish::Manifest => client.put("app", "wanted", &wanted).await,
        Wish::PutImage => {
            let input = json!({
                "repositoryName": "app", "imageTag": "wanted", "imageManifest": wanted.text(),
            });
            client.ecr("PutImage", input).await
        }
        Wish::Mount => client.mount("other", "app", &digest).await,
        Wish::Retag => client.put("app", "moved", &kept().manifest).await,
        Wish::BatchDelete => {
            let ids = json!([{ "imageDigest": doomed().manifest.digest }]);
            client.batch_delete("app", ids).await
        }
        Wish::DeleteTag => {
            let path = "/v2/app/manifests/gone";
            client.v2(Method::DELETE, path, none()).await
        }
        Wish::DeleteRepository => client.remove("doomed").await,
        Wish::CreateRepository => {
            let input = json!({ "repositoryName": "new" });
            client.ecr("CreateRepository", input).await
        }
    }
}

async fn in_chunks(client: &Client, is_chunked: bool) -> Answer {
    let (blob, digest) = (blob(), images::digest(&blob()));
    let path = "/v2/app/blobs/uploads/";
    let opened = client.v2(Method::POST, path, none()).await;
    if opened.status != 202 {
        return opened;
    }
    let upload = opened.header("location");
    let mut first = 0;
    if is_chunked {
        for end in [10_000, 20_000] {
            let answer = client.chunk(upload, first, blob.slice(first..end)).await;
            if answer.status != 202 {
                return answer;
            }
            first = end;
        }
    }
    client.finish(upload, blob.slice(first..), &digest).await
}

/// Whether a wish came true, asked at the doors.
async fn is_done(client: &Client, wish: Wish) -> bool {
    let digest = images::digest(&blob());
    match wish {
        Wish::Monolithic | Wish::PostThenPut | Wish::Chunked | Wish::LayerApi | Wish::Mount => {
            client.pull_blob("app", &digest).await.is_ok()
        }
        Wish::Manifest | Wish::PutImage => client.pull("app", "wanted").await.is_ok(),
        Wish::Retag => client.pull("app", "moved").await.is_ok(),
        Wish::BatchDelete => {
            let digest = doomed().manifest.digest;
            let mut statuses = Vec::new();
            for reference in ["doomed", "gone", &digest] {
                statuses.push(client.head("app", reference).await);
            }
            assert!(statuses == [404; 3] || statuses == [200; 3], "{statuses:?}");
            statuses == [404; 3]
        }
        Wish::DeleteTag => client.head("app", "gone").await == 404,
        Wish::DeleteRepository => !client.repositories().await.contains(&"doomed".into()),
        Wish::CreateRepository => client.repositories().await.contains(&"new".into()),
    }
}

/// Whether a second attempt may be answered so, the first one having taken effect.
fn is_done_before(wish: Wish, answer: &Answer) -> bool {
    let (_, code) = answer.code();
    match wish {
        Wish::LayerApi => code == "LayerAlreadyExistsException",
        Wish::PutImage => code == "ImageAlreadyExistsException",
        Wish::DeleteTag => code == "MANIFEST_UNKNOWN",
        Wish::DeleteRepository => code == "RepositoryNotFoundException",
        Wish::CreateRepository => code == "RepositoryAlreadyExistsException",
        _ => false,
    }
}

fn is_success(answer: &Answer) -> bool {
    answer.status.is_success()
}

/// The failure that both protocols have for "our fault", and no word of the cause.
fn is_internal(answer: &Answer) {
    assert_eq!(answer.status, 500, "{}", answer.text());
    let expected = match answer.header("content-type") {
        "application/x-amz-json-1.1" => "ServerException",
        _ => "UNKNOWN",
    };
    assert_eq!(answer.code().1, expected, "{}", answer.text());
    assert!(!answer.text().contains("fault"), "{}", answer.text());
}

/// Everything that was acknowledged is whole, everything deleted is gone.
async fn is_consistent(client: &Client) {
    for repository in client.repositories().await {
        client.pull_all(&repository).await;
        if ["app", "other"].contains(&repository.as_str()) {
            client.pull(&repository, "kept").await.expect("kept");
        }
    }
}

/// Fails the nth call of a wish; false if it has fewer calls.
async fn fail_at(wish: Wish, n: u64, when: When) -> bool {
    let context = format!("{wish:?} at call {n} {when:?}");
    let (world, client) = world().await;
    world.faults.clear();
    world.faults.fail_nth(n, when);
    let answer = make(&client, wish).await;
    let was_reached = world.faults.calls() >= n;
    world.faults.clear();
    // A monolithic push gives up its upload after a failure: that call may fail unheard.
    if was_reached && !is_success(&answer) {
        is_internal(&answer);
    }
    if is_success(&answer) {
        assert!(!was_reached || wish == Wish::Mount, "{context}: not told");
        assert!(is_done(&client, wish).await, "{context}: not done");
    } else {
        let was_done = is_done(&client, wish).await;
        assert!(!(was_done && when == When::Before && n == 1), "{context}");
        let again = make(&client, wish).await;
        let is_fine = is_success(&again) || (was_done && is_done_before(wish, &again));
        assert!(is_fine, "{context}: again {}", again.text());
        assert!(is_done(&client, wish).await, "{context}: not done again");
    }
    is_consistent(&client).await;
    nothing_is_left(&world).await;
    was_reached
}

async fn fail_everywhere(wish: Wish) {
    let mut calls = 0;
    for when in [When::Before, When::After] {
        let mut n = 1;
        while fail_at(wish, n, when).await {
            n += 1;
            assert!(n < 60, "{wish:?} does not end");
        }
        calls = n - 1;
    }
    // Every wish reads or writes something; a count of none would mean that nothing was failed.
    assert!(calls >= 1, "{wish:?} made no call");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f12_f13_f15_every_way_of_pushing_a_blob_fails_at_every_call() {
    for wish in &WISHES[..4] {
        fail_everywhere(*wish).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f26_a_manifest_a_mount_and_a_tag_fail_at_every_call() {
    for wish in &WISHES[4..8] {
        fail_everywhere(*wish).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f25_f26_deletions_and_repositories_fail_at_every_call() {
    for wish in &WISHES[8..] {
        fail_everywhere(*wish).await;
    }
}

/// Leaves work of every kind for a sweep, beside what has to stay.
async fn litter(world: &World, client: &Client) -> String {
    client.remove("doomed").await.expect(200);
    assert_eq!(client.delete("app", &doomed().manifest.digest).await, 202);
    let upload = client.open_upload("app").await;
    let part = bytes_of("given up", 1000);
    client.chunk(&upload, 0, part).await.expect(202);
    world.clock.advance(roadstead_domain::time::Span::hours(25));
    upload
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f25_a_sweep_fails_at_every_call_and_the_next_one_ends_it() {
    for when in [When::Before, When::After] {
        for lasts in [false, true] {
            let mut n = 1;
            while sweep_fails_at(n, when, lasts).await {
                n += 1;
                assert!(n < 60, "the sweep does not end");
            }
            assert!(n > 8, "only {n} calls: nothing was there to sweep");
        }
    }
}

async fn sweep_fails_at(n: u64, when: When, lasts: bool) -> bool {
    let (world, client) = world().await;
    litter(&world, &client).await;
    world.faults.clear();
    match lasts {
        true => world.faults.fail_from(n, when),
        false => world.faults.fail_nth(n, when),
    }
    let swept = world.registry.sweep_step(world.clock.now()).await;
    let was_reached = world.faults.calls() >= n;
    world.faults.clear();
    // Bytes that cannot be deleted are left for later; any other failure is told.
    assert!(swept.is_ok() || was_reached, "call {n} {when:?}");
    let client = Client::of(&world).await;
    is_consistent(&client).await;
    world.sweep().await;
    is_consistent(&client).await;
    // Of "app" and "other", the image that both keep is left: two blobs.
    assert_eq!(world.blob_files().len(), 2, "call {n} {when:?}");
    nothing_is_left(&world).await;
    was_reached
}

#[tokio::test]
async fn f26_while_the_stores_fail_nothing_is_acknowledged_and_nothing_changes() {
    let (world, client) = world().await;
    let before = client.listed("app").await;
    for wish in WISHES {
        world.faults.fail_all(When::Before);
        let answer = make(&client, wish).await;
        world.faults.clear();
        is_internal(&answer);
        assert!(!is_done(&client, wish).await, "{wish:?}");
    }
    assert_eq!(client.listed("app").await, before);
    is_consistent(&client).await;
    nothing_is_left(&world).await;
}

#[tokio::test]
async fn documented_server_exceptions_have_status_500_and_tell_no_cause() {
    let (world, client) = world().await;
    let app = json!({ "repositoryName": "app" });
    let with = |member: &str, value: serde_json::Value| {
        let mut input = app.clone();
        input[member] = value;
        input
    };
    let digest = kept().manifest.digest;
    let ids = json!([{ "imageDigest": digest }]);
    let layer = images::digest(&kept().blobs[1]);
    let inputs = [
        ("BatchDeleteImage", with("imageIds", ids.clone())),
        ("BatchGetImage", with("imageIds", ids.clone())),
        ("DescribeImages", app.clone()),
        ("ListImages", app.clone()),
        ("DeleteRepository", with("force", true.into())),
        ("DescribeRepositories", json!({})),
        ("CreateRepository", json!({ "repositoryName": "new" })),
        (
            "PutImage",
            with("imageManifest", wanted().manifest.text().into()),
        ),
        ("InitiateLayerUpload", app.clone()),
        (
            "BatchCheckLayerAvailability",
            with("layerDigests", json!([layer])),
        ),
        ("GetDownloadUrlForLayer", with("layerDigest", layer.into())),
        (
            "PutImageTagMutability",
            with("imageTagMutability", "IMMUTABLE".into()),
        ),
        (
            "ListImageReferrers",
            with("subjectId", json!({ "imageDigest": digest })),
        ),
    ];
    for (operation, input) in inputs {
        world.faults.fail_all(When::Before);
        let answer = client.ecr(operation, input).await;
        world.faults.clear();
        assert_eq!(answer.status, 500, "{operation}: {}", answer.text());
        assert_eq!(answer.header("content-type"), "application/x-amz-json-1.1");
        assert_eq!(answer.header("x-amzn-errortype"), "ServerException");
        let body = json!({
            "__type": "ServerException",
            "message": "The server could not complete the request",
        });
        assert_eq!(answer.json(), body, "{operation}");
        // The documentation of the exception: a problem of the server, so nothing was done.
        client.pull("app", "kept").await.expect("kept");
    }
    nothing_is_left(&world).await;
}

#[tokio::test]
async fn f26_failures_on_v2_are_an_envelope_with_status_500() {
    let (world, client) = world().await;
    let digest = images::digest(&kept().blobs[1]);
    for (method, path) in [
        (Method::GET, "/v2/app/manifests/kept".to_owned()),
        (Method::GET, format!("/v2/app/blobs/{digest}")),
        (Method::GET, "/v2/app/tags/list".to_owned()),
        (Method::GET, "/v2/_catalog".to_owned()),
        (Method::GET, format!("/v2/app/referrers/{digest}")),
        (Method::POST, "/v2/app/blobs/uploads/".to_owned()),
        (Method::DELETE, "/v2/app/manifests/kept".to_owned()),
    ] {
        world.faults.fail_all(When::Before);
        let answer = client.v2(method, &path, none()).await;
        world.faults.clear();
        is_internal(&answer);
        let errors = answer.json()["errors"].as_array().map(Vec::len);
        assert_eq!(errors, Some(1), "{path}: {}", answer.text());
    }
    let link = json!({ "repositoryName": "app", "layerDigest": digest });
    let link = client.ecr("GetDownloadUrlForLayer", link).await.json();
    let url = link["downloadUrl"].as_str().expect("a link").to_owned();
    let path = url.split_once("/download/").expect("a path").1;
    world.faults.fail_all(When::Before);
    let path = format!("/download/{path}");
    let answer = client.v2(Method::GET, &path, none()).await;
    world.faults.clear();
    is_internal(&answer);
    nothing_is_left(&world).await;
}
