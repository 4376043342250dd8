//! DescribeRegistries, aliases and what a registry says of itself (sections 2 and 3.2).

use serde_json::json;

use crate::public_api::{
    NAME, OTHER, alias, alias_as, invalid, ok, ok_as, refused, repository, world_with,
};

#[tokio::test]
async fn a_registry_has_no_alias_before_its_first_repository() {
    for is_strict in [false, true] {
        let world = world_with(is_strict).await;
        assert_eq!(
            ok(&world, "DescribeRegistries", json!({})).await,
            json!({ "registries": [{
                "aliases": [],
                "registryArn": "arn:aws:ecr-public::123456789012:registry/123456789012",
                "registryId": "123456789012",
                "registryUri": "",
                "verified": false,
            }] })
        );
    }
}

#[tokio::test]
async fn the_first_repository_brings_the_alias() {
    let world = world_with(false).await;
    repository(&world, NAME).await;
    let name = alias(&world).await;
    assert_eq!(
        ok(&world, "DescribeRegistries", json!({})).await,
        json!({ "registries": [{
            "aliases": [{
                "defaultRegistryAlias": true,
                "name": name,
                "primaryRegistryAlias": true,
                "status": "ACTIVE",
            }],
            "registryArn": "arn:aws:ecr-public::123456789012:registry/123456789012",
            "registryId": "123456789012",
            "registryUri": format!("public.ecr.aws/{name}"),
            "verified": false,
        }] })
    );
    repository(&world, "second").await;
    assert_eq!(alias(&world).await, name);
    for name in [NAME, "second"] {
        ok(
            &world,
            "DeleteRepository",
            json!({ "repositoryName": name }),
        )
        .await;
    }
    assert_eq!(alias(&world).await, name);
}

/// Eight characters, letters and digits in turn, a letter first: `p8v8e7e5`.
#[tokio::test]
async fn aliases_have_a_form_and_are_nobody_elses() {
    let world = world_with(false).await;
    let mut found = Vec::new();
    for n in 0..20 {
        let key = world
            .key_of(&format!("{:012}", 500_000_000_000_u64 + n))
            .await;
        let body = json!({ "repositoryName": NAME });
        ok_as(&world, &key, "CreateRepository", body).await;
        let alias = alias_as(&world, &key).await;
        let is_of_the_form = |(at, c): (usize, char)| match at % 2 {
            0 => c.is_ascii_lowercase(),
            _ => c.is_ascii_digit(),
        };
        assert_eq!(alias.len(), 8, "{alias}");
        assert!(alias.chars().enumerate().all(is_of_the_form), "{alias}");
        found.push(alias);
    }
    found.sort();
    found.dedup();
    assert_eq!(found.len(), 20);
}

/// A repository that was not made brings no alias.
#[tokio::test]
async fn a_refused_creation_leaves_no_alias() {
    let world = world_with(false).await;
    let tags = json!([{ "Key": "aws:k", "Value": "v" }]);
    let body = json!({ "repositoryName": NAME, "tags": tags });
    refused(&world, "CreateRepository", body).await;
    let answer = ok(&world, "DescribeRegistries", json!({})).await;
    assert_eq!(answer["registries"][0]["aliases"], json!([]));
    assert_eq!(
        ok(&world, "DescribeRepositories", json!({})).await,
        json!({ "repositories": [] })
    );
}

#[tokio::test]
async fn one_registry_is_one_page() {
    let world = world_with(false).await;
    let answer = ok(&world, "DescribeRegistries", json!({ "maxResults": 1 })).await;
    assert_eq!(answer["registries"].as_array().map(Vec::len), Some(1));
    assert_eq!(answer.get("nextToken"), None);
    let rows = [
        (0, "Member must have value greater than or equal to 1"),
        (1001, "Member must have value less than or equal to 1000"),
    ];
    for (count, constraint) in rows {
        let body = json!({ "maxResults": count });
        assert_eq!(
            refused(&world, "DescribeRegistries", body).await,
            invalid("maxResults", constraint)
        );
    }
}

#[tokio::test]
async fn the_display_name() {
    let world = world_with(false).await;
    let unset = json!({ "registryCatalogData": {} });
    assert_eq!(ok(&world, "GetRegistryCatalogData", json!({})).await, unset);
    for name in ["Anyone's images \u{1f6a2}", &"n".repeat(100)] {
        let set = json!({ "registryCatalogData": { "displayName": name } });
        let body = json!({ "displayName": name });
        assert_eq!(ok(&world, "PutRegistryCatalogData", body).await, set);
        assert_eq!(ok(&world, "GetRegistryCatalogData", json!({})).await, set);
    }
    let body = json!({ "displayName": "n".repeat(101) });
    assert_eq!(
        refused(&world, "PutRegistryCatalogData", body).await,
        invalid(
            "displayName",
            "Member must have length less than or equal to 100"
        )
    );
    let kept = ok(&world, "GetRegistryCatalogData", json!({})).await;
    assert_eq!(kept["registryCatalogData"]["displayName"], "n".repeat(100));
    // Each account has its own.
    let other = world.key_of(OTHER).await;
    assert_eq!(
        ok_as(&world, &other, "GetRegistryCatalogData", json!({})).await,
        unset
    );
}
