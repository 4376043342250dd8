//! Pages (section 6): of repositories, images and tags.

use roadstead_testkit::{Artifact, World};
use serde_json::{Value, json};

use crate::public_api::{
    NAME, invalid, is_invalid, ok, push, push_manifest, put_image, refused, repository,
    world_and_alias, world_with,
};

/// Every page of a list from its first one, each held to its length.
async fn walk(
    world: &World,
    operation: &str,
    list: &str,
    body: Value,
    lengths: &[usize],
) -> Vec<Value> {
    let (mut found, mut token) = (Vec::new(), None);
    for (at, length) in lengths.iter().enumerate() {
        let mut body = body.clone();
        if let Some(token) = token.take() {
            body["nextToken"] = token;
        }
        let answer = ok(world, operation, body).await;
        let page = answer[list].as_array().expect("a list").clone();
        assert_eq!(page.len(), *length, "{operation}: page {at}");
        found.extend(page);
        token = answer.get("nextToken").cloned();
        let is_last = at + 1 == lengths.len();
        assert_eq!(token.is_none(), is_last, "{operation}: page {at}");
        assert!(token.as_ref().is_none_or(Value::is_string));
    }
    found
}

/// The texts of one member, sorted; none twice.
fn distinct(rows: &[Value], member: &str) -> Vec<String> {
    let text = |row: &Value| row[member].as_str().expect("a text").to_owned();
    let mut texts: Vec<String> = rows.iter().map(text).collect();
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), rows.len(), "{member}");
    texts
}

/// An image of the same parts and another digest.
fn variant(manifest: &Artifact, n: usize) -> Artifact {
    let mut json: Value = serde_json::from_slice(&manifest.bytes).expect("JSON");
    json["annotations"] = json!({ "n": n.to_string() });
    Artifact::new(&manifest.media_type, &json)
}

#[tokio::test]
async fn of_repositories() {
    let world = world_with(false).await;
    let mut names: Vec<String> = (0..101).map(|n| format!("repository-{n:03}")).collect();
    for name in &names {
        repository(&world, name).await;
    }
    let (operation, list) = ("DescribeRepositories", "repositories");
    let rows = walk(&world, operation, list, json!({}), &[100, 1]).await;
    assert_eq!(distinct(&rows, "repositoryName"), names);
    let body = json!({ "maxResults": 50 });
    let rows = walk(&world, operation, list, body, &[50, 50, 1]).await;
    assert_eq!(distinct(&rows, "repositoryName"), names);
    let body = json!({ "maxResults": 1000 });
    walk(&world, operation, list, body, &[101]).await;
    // A full last page is followed by nothing.
    let body = json!({ "maxResults": 101 });
    walk(&world, operation, list, body, &[101]).await;

    // What goes between two pages takes no other row along.
    let first = ok(&world, operation, json!({ "maxResults": 60 })).await;
    let gone = first[list][0]["repositoryName"]
        .as_str()
        .expect("a name")
        .to_owned();
    ok(
        &world,
        "DeleteRepository",
        json!({ "repositoryName": gone }),
    )
    .await;
    let body = json!({ "maxResults": 60, "nextToken": first["nextToken"] });
    let second = ok(&world, operation, body).await;
    let rows = [first[list].clone(), second[list].clone()];
    let rows: Vec<Value> = rows
        .iter()
        .flat_map(|page| page.as_array().expect("a list").clone())
        .collect();
    assert_eq!(distinct(&rows, "repositoryName"), names);
    names.retain(|name| *name != gone);
    let rows = walk(&world, operation, list, json!({}), &[100]).await;
    assert_eq!(distinct(&rows, "repositoryName"), names);
}

#[tokio::test]
async fn of_images_and_of_tags() {
    let (world, _) = world_and_alias(false).await;
    let base = push(&world, "base", &["t000"]).await;
    for n in 1..101 {
        let tag = format!("t{n:03}");
        push_manifest(&world, &variant(&base, n), &[&tag]).await;
    }
    let tags: Vec<String> = (0..101).map(|n| format!("t{n:03}")).collect();
    let body = json!({ "repositoryName": NAME });
    let in_fifties = json!({ "repositoryName": NAME, "maxResults": 50 });

    let (operation, list) = ("DescribeImages", "imageDetails");
    let rows = walk(&world, operation, list, body.clone(), &[100, 1]).await;
    distinct(&rows, "imageDigest");
    let rows = walk(&world, operation, list, in_fifties.clone(), &[50, 50, 1]).await;
    distinct(&rows, "imageDigest");

    let (operation, list) = ("DescribeImageTags", "imageTagDetails");
    let rows = walk(&world, operation, list, body, &[100, 1]).await;
    assert_eq!(distinct(&rows, "imageTag"), tags);
    let rows = walk(&world, operation, list, in_fifties, &[50, 50, 1]).await;
    assert_eq!(distinct(&rows, "imageTag"), tags);
}

#[tokio::test]
async fn of_an_empty_repository() {
    let (world, _) = world_and_alias(false).await;
    let body = json!({ "repositoryName": NAME, "maxResults": 1 });
    assert_eq!(
        ok(&world, "DescribeImages", body.clone()).await,
        json!({ "imageDetails": [] })
    );
    assert_eq!(
        ok(&world, "DescribeImageTags", body).await,
        json!({ "imageTagDetails": [] })
    );
}

#[tokio::test]
async fn lengths_and_tokens_that_are_refused() {
    let (world, _) = world_and_alias(false).await;
    repository(&world, "second").await;
    let image = push(&world, "paged", &["a", "b"]).await;
    push_manifest(&world, &variant(&image, 1), &["c"]).await;
    let named = json!({ "repositoryName": NAME });
    let operations = [
        ("DescribeRepositories", json!({})),
        ("DescribeImages", named.clone()),
        ("DescribeImageTags", named.clone()),
    ];
    let with = |body: &Value, member: &str, value: Value| {
        let mut body = body.clone();
        body[member] = value;
        body
    };
    let mut tokens = Vec::new();
    for (operation, body) in &operations {
        let rows = [
            (0, "Member must have value greater than or equal to 1"),
            (1001, "Member must have value less than or equal to 1000"),
        ];
        for (count, constraint) in rows {
            assert_eq!(
                refused(&world, operation, with(body, "maxResults", count.into())).await,
                invalid("maxResults", constraint),
                "{operation}"
            );
        }
        let page = ok(&world, operation, with(body, "maxResults", 1.into())).await;
        tokens.push(page["nextToken"].clone());
    }
    for (at, (operation, body)) in operations.iter().enumerate() {
        let garbage = [json!("garbage"), json!(""), json!("AAAA")];
        let others = tokens.iter().enumerate().filter(|(of, _)| *of != at);
        let others = others.map(|(_, token)| token.clone());
        for token in garbage.into_iter().chain(others) {
            let said = refused(&world, operation, with(body, "nextToken", token)).await;
            is_invalid(&said, "nextToken");
        }
    }
    // Nor does a token go with another repository.
    let body = json!({ "repositoryName": "second", "nextToken": tokens[1] });
    is_invalid(&refused(&world, "DescribeImages", body).await, "nextToken");
    let body = json!({ "repositoryName": "second", "nextToken": tokens[2] });
    is_invalid(
        &refused(&world, "DescribeImageTags", body).await,
        "nextToken",
    );
}

#[tokio::test]
async fn what_is_named_has_no_pages() {
    let (world, _) = world_and_alias(false).await;
    repository(&world, "second").await;
    let image = push(&world, "paged", &["a"]).await;
    ok(
        &world,
        "PutImage",
        put_image(&variant(&image, 1), Some("b")),
    )
    .await;
    let page = ok(&world, "DescribeRepositories", json!({ "maxResults": 1 })).await;
    let names = json!([NAME]);
    for more in [
        ("maxResults", json!(1)),
        ("nextToken", page["nextToken"].clone()),
    ] {
        let body = json!({ "repositoryNames": names, more.0: more.1 });
        let said = refused(&world, "DescribeRepositories", body).await;
        assert_eq!(said["__type"], "InvalidParameterException", "{said}");
    }
    let body = json!({ "repositoryName": NAME, "maxResults": 1 });
    let page = ok(&world, "DescribeImages", body).await;
    let ids = json!([{ "imageTag": "a" }]);
    for more in [
        ("maxResults", json!(1)),
        ("nextToken", page["nextToken"].clone()),
    ] {
        let body = json!({ "repositoryName": NAME, "imageIds": ids, more.0: more.1 });
        let said = refused(&world, "DescribeImages", body).await;
        assert_eq!(said["__type"], "InvalidParameterException", "{said}");
    }
}
