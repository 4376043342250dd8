//! F06 to F09, F28, F29, F36, F37: what belongs together stays together, a tag is not an image, and
//! each rule holds at both doors.

use bytes::Bytes;
use http::Method;
use roadstead_testkit::images::{self, Artifact, Layout, OCI_INDEX, OCI_MANIFEST, index};
use roadstead_testkit::{Answer, World};
use serde_json::{Value, json};

use crate::doors::{Client, none, nothing_is_left, sweep_all};

async fn world() -> (World, Client) {
    let world = World::start().await;
    let client = Client::of(&world).await;
    client.create("app").await;
    (world, client)
}

/// Pushes an image without a tag.
async fn untagged(client: &Client, content: &str) -> Artifact {
    let layout = Layout::image(content);
    let digest = layout.manifest.digest.clone();
    client.push_image("app", &layout, &digest).await;
    layout.manifest
}

/// Stores a manifest through the API.
async fn put_image(client: &Client, manifest: &Artifact, tag: Option<&str>) -> Answer {
    let mut input = json!({
        "repositoryName": "app", "imageManifest": manifest.text(),
        "imageManifestMediaType": manifest.media_type,
    });
    if let Some(tag) = tag {
        input["imageTag"] = tag.into();
    }
    client.ecr("PutImage", input).await
}

/// An entry of BatchDeleteImage that has to fail for its parents.
fn referenced(id: Value, parents: &[&Artifact]) -> Value {
    let mut parents: Vec<&str> = parents.iter().map(|one| one.digest.as_str()).collect();
    parents.sort_unstable();
    let parents = parents.join(", ");
    json!({
        "imageId": id, "failureCode": "ImageReferencedByManifestList",
        "failureReason": format!("Requested image referenced by manifest list: [{parents}]"),
    })
}

#[tokio::test]
async fn f06_children_of_an_index_stay_at_both_doors_and_under_the_sweep() {
    let (world, client) = world().await;
    let (a, b) = (untagged(&client, "a").await, untagged(&client, "b").await);
    let list = index(&[&a, &b]);
    client.put("app", "multi", &list).await.expect(201);
    let other = index(&[&a]);
    client.put_untagged("app", &other).await.expect(201);
    let ids = json!([{ "imageDigest": a.digest }, { "imageDigest": b.digest }]);
    let answer = client.batch_delete("app", ids).await.expect(200).json();
    let failures = json!([
        referenced(json!({ "imageDigest": a.digest }), &[&list, &other]),
        referenced(json!({ "imageDigest": b.digest }), &[&list]),
    ]);
    assert_eq!(answer["failures"], failures);
    assert_eq!(answer["imageIds"], json!([]));
    assert_eq!(client.delete("app", &a.digest).await, 405);
    sweep_all(&world).await;
    let client = Client::of(&world).await;
    client.pull("app", "multi").await.expect("a whole index");
    nothing_is_left(&world).await;
}

#[tokio::test]
async fn f06_the_last_tag_of_a_child_stays_and_others_go() {
    let (world, client) = world().await;
    let child = Layout::image("child");
    client.push_image("app", &child, "one").await;
    client.put("app", "two", &child.manifest).await.expect(201);
    let list = index(&[&child.manifest]);
    client.put("app", "multi", &list).await.expect(201);
    assert_eq!(client.delete("app", "one").await, 202);
    let ids = json!([{ "imageTag": "two" }]);
    let answer = client.batch_delete("app", ids).await.expect(200).json();
    let failures = json!([referenced(json!({ "imageTag": "two" }), &[&list])]);
    assert_eq!(answer["failures"], failures);
    assert_eq!(client.delete("app", "two").await, 405);
    assert_eq!(client.head("app", "two").await, 200);
    nothing_is_left(&world).await;
}

#[tokio::test]
async fn f06_nested_indexes_go_from_the_top_only() {
    let (world, client) = world().await;
    let image = untagged(&client, "leaf").await;
    let mut levels = vec![image];
    for _ in 0..6 {
        let level = index(&[levels.last().expect("a level")]);
        client.put_untagged("app", &level).await.expect(201);
        levels.push(level);
    }
    let top = levels.last().expect("a level").clone();
    client.put("app", "top", &top).await.expect(201);
    for level in &levels[..6] {
        assert_eq!(client.delete("app", &level.digest).await, 405);
    }
    sweep_all(&world).await;
    let client = Client::of(&world).await;
    client.pull("app", "top").await.expect("a whole index");
    // In one request: the way up fails but for the top, the way down succeeds.
    let ids = |levels: &[Artifact]| -> Value {
        let ids = levels
            .iter()
            .map(|one| json!({ "imageDigest": one.digest }));
        ids.collect::<Vec<_>>().into()
    };
    let answer = client.batch_delete("app", ids(&levels)).await.json();
    assert_eq!(answer["failures"].as_array().map(Vec::len), Some(6));
    let mut down = levels[..6].to_vec();
    down.reverse();
    let answer = client.batch_delete("app", ids(&down)).await.json();
    assert_eq!(answer["failures"], json!([]));
    assert_eq!(client.listed("app").await, Vec::<String>::new());
    nothing_is_left(&world).await;
}

#[tokio::test]
async fn f06_an_index_of_missing_children_is_refused() {
    let (world, client) = world().await;
    let child = Layout::image("nowhere").manifest;
    let list = index(&[&child]);
    let refused = client.put("app", "multi", &list).await;
    assert_eq!(refused.code(), (400, "MANIFEST_BLOB_UNKNOWN".into()));
    let refused = put_image(&client, &list, Some("multi")).await;
    let code = "ReferencedImagesNotFoundException".to_owned();
    assert_eq!(refused.code(), (400, code));
    assert_eq!(client.listed("app").await, Vec::<String>::new());
    nothing_is_left(&world).await;
}

/// The digests that refer to a subject, at both doors.
async fn referrers(client: &Client, subject: &str) -> Vec<String> {
    let path = format!("/v2/app/referrers/{subject}");
    let found = client.v2(Method::GET, &path, none()).await.expect(200);
    let list = found.json()["manifests"].as_array().cloned();
    let name = |one: &Value| one["digest"].as_str().expect("a digest").to_owned();
    let mut listed: Vec<String> = list.expect("a list").iter().map(name).collect();
    let input = json!({ "repositoryName": "app", "subjectId": { "imageDigest": subject } });
    let found = client.ecr("ListImageReferrers", input).await.expect(200);
    let list = found.json()["referrers"].as_array().cloned();
    let mut api: Vec<String> = list.expect("a list").iter().map(name).collect();
    listed.sort();
    api.sort();
    assert_eq!(listed, api);
    listed
}

#[tokio::test]
async fn f07_a_referrer_may_come_before_its_subject_and_go_before_or_after_it() {
    let (world, client) = world().await;
    let subject = Layout::image("subject");
    let sign = |content: &str| Layout::image(content).referring_to(&subject.manifest, "test/sig");
    let (one, two) = (sign("one"), sign("two"));
    let name = |layout: &Layout| layout.manifest.digest.clone();
    client.push_image("app", &one, &name(&one)).await;
    assert_eq!(referrers(&client, &name(&subject)).await, [name(&one)]);
    client.push_image("app", &subject, "v1").await;
    client.push_image("app", &two, &name(&two)).await;
    assert_eq!(referrers(&client, &name(&subject)).await.len(), 2);
    // Before the subject: the subject is untouched.
    assert_eq!(client.delete("app", &name(&one)).await, 202);
    assert_eq!(referrers(&client, &name(&subject)).await, [name(&two)]);
    client.pull("app", "v1").await.expect("a whole subject");
    // The subject first: the referrer is left, whole, and still says what it refers to.
    assert_eq!(client.delete("app", "v1").await, 202);
    sweep_all(&world).await;
    let client = Client::of(&world).await;
    client.pull("app", &name(&two)).await.expect("a referrer");
    assert_eq!(referrers(&client, &name(&subject)).await, [name(&two)]);
    assert_eq!(client.delete("app", &name(&two)).await, 202);
    assert_eq!(referrers(&client, &name(&subject)).await, [""; 0]);
    nothing_is_left(&world).await;
}

#[tokio::test]
async fn f07_a_fallback_tag_is_an_index_like_any_other() {
    let (world, client) = world().await;
    let subject = Layout::image("subject");
    client.push_image("app", &subject, "v1").await;
    let signature = untagged(&client, "signature").await;
    let fallback = index(&[&signature]);
    let tag = subject.manifest.digest.replace(':', "-");
    client.put("app", &tag, &fallback).await.expect(201);
    assert_eq!(client.delete("app", "v1").await, 202);
    assert_eq!(client.delete("app", &signature.digest).await, 405);
    sweep_all(&world).await;
    let client = Client::of(&world).await;
    client.pull("app", &tag).await.expect("a whole index");
    assert_eq!(client.delete("app", &tag).await, 202);
    assert_eq!(client.delete("app", &signature.digest).await, 202);
    nothing_is_left(&world).await;
}

#[tokio::test]
async fn f08_deleting_one_of_two_tags_keeps_the_image() {
    let (world, client) = world().await;
    let layout = Layout::image("twice tagged");
    let digest = layout.manifest.digest.clone();
    for tag in ["a", "b", "c"] {
        client.push_image("app", &layout, tag).await;
    }
    assert_eq!(client.delete("app", "a").await, 202);
    let ids = json!([{ "imageTag": "b" }]);
    let answer = client.batch_delete("app", ids).await.expect(200).json();
    let gone = json!([{ "imageDigest": digest, "imageTag": "b" }]);
    assert_eq!(answer, json!({ "imageIds": gone, "failures": [] }));
    sweep_all(&world).await;
    let client = Client::of(&world).await;
    client.pull("app", "c").await.expect("a whole image");
    client.pull("app", &digest).await.expect("a whole image");
    assert_eq!(client.listed("app").await, [format!("{digest} c")]);
    assert_eq!(client.delete("app", "c").await, 202);
    assert_eq!(client.head("app", &digest).await, 404);
    nothing_is_left(&world).await;
}

#[tokio::test]
async fn f09_deleting_by_digest_takes_every_tag() {
    let (world, client) = world().await;
    for door in ["v2", "api"] {
        let layout = Layout::image("tagged");
        let digest = layout.manifest.digest.clone();
        for tag in ["a", "b"] {
            client.push_image("app", &layout, tag).await;
        }
        match door {
            "v2" => assert_eq!(client.delete("app", &digest).await, 202),
            _ => {
                let ids = json!([{ "imageDigest": digest }]);
                let answer = client.batch_delete("app", ids).await.expect(200).json();
                let gone = json!([
                    { "imageDigest": digest, "imageTag": "a" },
                    { "imageDigest": digest, "imageTag": "b" },
                ]);
                assert_eq!(answer, json!({ "imageIds": gone, "failures": [] }));
            }
        }
        for reference in ["a", "b", &digest] {
            assert_eq!(client.head("app", reference).await, 404, "{door}");
        }
        let tags = client.v2(Method::GET, "/v2/app/tags/list", none()).await;
        assert_eq!(tags.json()["tags"], json!([]));
        assert_eq!(client.listed("app").await, [""; 0]);
    }
    nothing_is_left(&world).await;
}

async fn set_mutability(client: &Client, mode: &str, filter: Option<&str>) {
    let mut input = json!({ "repositoryName": "app", "imageTagMutability": mode });
    if let Some(filter) = filter {
        input["imageTagMutabilityExclusionFilters"] =
            json!([{ "filterType": "WILDCARD", "filter": filter }]);
    }
    client.ecr("PutImageTagMutability", input).await.expect(200);
}

/// Pushes the images of a race without tags.
async fn contenders(client: &Client) -> Vec<Artifact> {
    let mut all = Vec::new();
    for n in 0..8 {
        all.push(untagged(client, &format!("contender {n}")).await);
    }
    all
}

/// Pushes all of them under one tag at once, through both doors in turn: the codes.
async fn race(client: &Client, all: &[Artifact], tag: &str) -> Vec<(u16, String)> {
    let racers = all.iter().cloned().enumerate().map(|(n, manifest)| {
        let (client, tag) = (client.clone(), tag.to_owned());
        tokio::spawn(async move {
            match n % 2 {
                0 => client.put("app", &tag, &manifest).await.code(),
                _ => put_image(&client, &manifest, Some(&tag)).await.code(),
            }
        })
    });
    let mut codes = Vec::new();
    for racer in racers.collect::<Vec<_>>() {
        codes.push(racer.await.expect("an answer"));
    }
    codes
}

fn is_won(code: &(u16, String)) -> bool {
    code.0 < 300
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn f28_of_many_pushes_of_an_immutable_tag_one_wins() {
    let (world, client) = world().await;
    let all = contenders(&client).await;
    set_mutability(&client, "IMMUTABLE", None).await;
    for round in 0..10 {
        let tag = format!("v{round}");
        let codes = race(&client, &all, &tag).await;
        let winners: Vec<usize> = (0..8).filter(|n| is_won(&codes[*n])).collect();
        let [winner] = winners.as_slice() else {
            panic!("winners: {winners:?} of {codes:?}");
        };
        for (n, code) in codes.iter().enumerate().filter(|(n, _)| n != winner) {
            let lost = ["TAG_INVALID", "ImageTagAlreadyExistsException"][n % 2];
            assert_eq!(*code, (400, lost.to_owned()));
        }
        let pair = format!("{} {tag}", all[*winner].digest);
        assert!(client.listed("app").await.contains(&pair));
    }
    nothing_is_left(&world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn f28_a_moving_tag_points_to_one_image_and_loses_none() {
    let (world, client) = world().await;
    let all = contenders(&client).await;
    for _ in 0..10 {
        let codes = race(&client, &all, "latest").await;
        // Only the API tells the one that finds its own image there already.
        let is_allowed = |code: &(u16, String)| {
            is_won(code) || *code == (400, "ImageAlreadyExistsException".to_owned())
        };
        assert!(codes.iter().all(is_allowed), "{codes:?}");
        let listed = client.listed("app").await;
        let tagged = listed.iter().filter(|pair| pair.ends_with(" latest"));
        assert_eq!(tagged.count(), 1, "{listed:?}");
        assert_eq!(listed.len(), 8, "{listed:?}");
    }
    nothing_is_left(&world).await;
}

#[tokio::test]
async fn f29_mutability_holds_at_both_doors_in_every_mode() {
    let (world, client) = world().await;
    let all = contenders(&client).await;
    // (mode, filter, tag, whether it may move): ecr.md 5.2 and 5.3.
    let cases = [
        ("MUTABLE", None, "v1", true),
        ("IMMUTABLE", None, "v1", false),
        ("IMMUTABLE_WITH_EXCLUSION", Some("dev-*"), "v1", false),
        ("IMMUTABLE_WITH_EXCLUSION", Some("dev-*"), "dev-1", true),
        ("MUTABLE_WITH_EXCLUSION", Some("prod-*"), "v1", true),
        ("MUTABLE_WITH_EXCLUSION", Some("prod-*"), "prod-1", false),
    ];
    for (mode, filter, tag, may_move) in cases {
        set_mutability(&client, "MUTABLE", None).await;
        client.put("app", tag, &all[0]).await.expect(201);
        set_mutability(&client, mode, filter).await;
        let v2 = client.put("app", tag, &all[1]).await.code();
        let api = put_image(&client, &all[2], Some(tag)).await.code();
        let expected = match may_move {
            true => [(201, String::new()), (200, String::new())],
            false => [
                (400, "TAG_INVALID".to_owned()),
                (400, "ImageTagAlreadyExistsException".to_owned()),
            ],
        };
        assert_eq!([v2, api], expected, "{mode} {filter:?} {tag}");
        let now = if may_move { &all[2] } else { &all[0] };
        let pair = format!("{} {tag}", now.digest);
        assert!(client.listed("app").await.contains(&pair), "{mode} {tag}");
        // Immutability never blocks deletion (ecr.md 4.2).
        let ids = json!([{ "imageTag": tag }]);
        let answer = client.batch_delete("app", ids).await.json();
        assert_eq!(answer["failures"], json!([]), "{mode} {tag}");
        client.put_untagged("app", now).await.expect(201);
    }
    nothing_is_left(&world).await;
}

#[tokio::test]
async fn f36_manifest_bytes_come_back_as_they_came() {
    let (world, client) = world().await;
    let layout = Layout::image("verbatim");
    for blob in &layout.blobs {
        client.push("app", blob).await.expect(201);
    }
    let text = layout.manifest.text();
    let spaced = text.replacen('{', "{ \n\t\r ", 1) + "\n \n";
    let escaped = text.replace("schemaVersion", "schema\\u0056ersion");
    let annotated = text.replacen(
        '{',
        "{\"annotations\":{\"b\":\"\\u00e9 é 漢 \\ud83d\\ude00\",\"a\":\"1.0e+3\"},",
        1,
    );
    for text in [spaced, escaped, annotated] {
        let bytes = Bytes::from(text);
        let digest = images::digest(&bytes);
        let manifest = Artifact {
            media_type: OCI_MANIFEST.into(),
            bytes: bytes.clone(),
            digest: digest.clone(),
        };
        client.put("app", "v1", &manifest).await.expect(201);
        for reference in ["v1", &digest] {
            let path = format!("/v2/app/manifests/{reference}");
            let answer = client.v2(Method::GET, &path, none()).await.expect(200);
            assert_eq!(answer.body, bytes);
            assert_eq!(answer.header("docker-content-digest"), digest);
        }
        let input = json!({ "repositoryName": "app", "imageIds": [{ "imageDigest": digest }] });
        let answer = client.ecr("BatchGetImage", input).await.expect(200).json();
        let got = answer["images"][0]["imageManifest"].as_str();
        assert_eq!(got, std::str::from_utf8(&bytes).ok());
    }
    nothing_is_left(&world).await;
}

#[tokio::test]
async fn f36_what_two_readers_could_read_differently_is_refused() {
    let (world, client) = world().await;
    let layout = Layout::image("ambiguous");
    for blob in &layout.blobs {
        client.push("app", blob).await.expect(201);
    }
    let text = layout.manifest.text();
    let twice = text.replacen('{', "{\"layers\":[],", 1).into_bytes();
    let mut not_text = text.replacen('{', "{\"x\":\"#\",", 1).into_bytes();
    let at = not_text.iter().position(|byte| *byte == b'#').expect("a #");
    not_text[at] = 0xff;
    for bytes in [twice, not_text] {
        let bytes = Bytes::from(bytes);
        let manifest = Artifact {
            media_type: OCI_MANIFEST.into(),
            digest: images::digest(&bytes),
            bytes,
        };
        let refused = client.put("app", "v1", &manifest).await;
        assert_eq!(refused.code(), (400, "MANIFEST_INVALID".into()));
    }
    nothing_is_left(&world).await;
}

#[tokio::test]
async fn f37_a_manifest_of_unknown_blobs_is_refused_at_both_doors() {
    let (world, client) = world().await;
    client.create("other").await;
    let layout = Layout::image("half");
    client.push("app", &layout.blobs[0]).await.expect(201);
    // The layer is elsewhere in the store: that is no right to read it here.
    client.push("other", &layout.blobs[1]).await.expect(201);
    let missing = images::digest(&layout.blobs[1]);
    let refused = client.put("app", "v1", &layout.manifest).await;
    assert_eq!(refused.code(), (400, "MANIFEST_BLOB_UNKNOWN".into()));
    let refused = put_image(&client, &layout.manifest, Some("v1")).await;
    let message = format!(
        "Layers with digests '[{missing}]' required for pushing image into repository with name \
         'app' in the registry with id '123456789012' do not exist"
    );
    let body = json!({ "__type": "LayersNotFoundException", "message": message });
    assert_eq!((refused.status.as_u16(), refused.json()), (400, body));
    assert_eq!(client.head("app", "v1").await, 404);
    client.push("app", &layout.blobs[1]).await.expect(201);
    client.put("app", "v1", &layout.manifest).await.expect(201);
    // An index is no way around it.
    let stray = json!({
        "schemaVersion": 2, "mediaType": OCI_INDEX,
        "manifests": [{ "mediaType": OCI_MANIFEST, "digest": missing, "size": 5 }],
    });
    let refused = client
        .put("app", "v2", &Artifact::new(OCI_INDEX, &stray))
        .await;
    assert_eq!(refused.code(), (400, "MANIFEST_BLOB_UNKNOWN".into()));
    nothing_is_left(&world).await;
}
