//! Cases about repositories and their resource tags.

use roadstead_domain::ids::AccountId;
use roadstead_domain::name::RepositoryKind;
use roadstead_domain::resource_tag::ResourceTag;
use roadstead_domain::tagging::{ExclusionFilter, MutabilityMode, TagMutability};

use super::bench::{ALL, Bench, at, name, region, tag};
use crate::metadata::{MetadataStore, NewRepository, Repository};

fn resource_tag(key: &str, value: &str) -> ResourceTag {
    ResourceTag {
        key: key.into(),
        value: value.into(),
    }
}

fn with_exclusions() -> TagMutability {
    TagMutability {
        mode: MutabilityMode::ImmutableWithExclusion,
        filters: ["dev-*", "latest"]
            .map(|text| ExclusionFilter::parse(text).expect("a filter"))
            .to_vec(),
    }
}

/// Every member of a repository comes back as it was given.
pub async fn made_and_found(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let key = bench.key("team/app");
    assert_eq!(bench.repository(&key).await, None);
    let new = NewRepository {
        tag_mutability: with_exclusions(),
        scan_on_push: true,
        created_at: at(5),
        resource_tags: vec![resource_tag("b", "2"), resource_tag("a", "")],
        ..bench.new_repository("team/app")
    };
    let id = bench.insert_repository(&new).await.expect("a new name");
    let expected = Repository {
        id,
        key: key.clone(),
        created_at: at(5),
        tag_mutability: with_exclusions(),
        scan_on_push: true,
    };
    assert_eq!(bench.repository(&key).await, Some(expected));
    assert_eq!(
        bench.resource_tags(&id).await,
        [resource_tag("a", ""), resource_tag("b", "2")]
    );
    assert!(!bench.has_images(&id).await);
}

/// A second repository of the same name is refused and changes nothing of the first.
pub async fn a_name_is_taken_once(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let id = bench.made("app").await;
    let second = NewRepository {
        scan_on_push: true,
        resource_tags: vec![resource_tag("a", "1")],
        ..bench.new_repository("app")
    };
    assert_eq!(bench.insert_repository(&second).await, None);
    let found = bench
        .repository(&bench.key("app"))
        .await
        .expect("the first");
    assert_eq!((found.id, found.scan_on_push), (id, false));
    assert_eq!(bench.resource_tags(&id).await, []);
}

/// One name in another account, region or service is another repository, listed apart.
pub async fn registries_are_apart(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let mut registries = vec![bench.registry()];
    registries[0].region = Some(region("eu-west-1"));
    for change in 0..4 {
        let mut registry = registries[0].clone();
        match change {
            0 => registry.account = bench.neighbour(),
            1 => registry.region = Some(region("eu-west-2")),
            2 => registry.kind = RepositoryKind::Lightsail,
            _ => (registry.kind, registry.region) = (RepositoryKind::Public, None),
        }
        registries.push(registry);
    }
    let mut ids = Vec::new();
    for registry in &registries {
        let new = NewRepository {
            key: registry.repository(name("app")),
            ..bench.new_repository("app")
        };
        ids.push(bench.insert_repository(&new).await.expect("its own name"));
    }
    for (registry, id) in registries.iter().zip(&ids) {
        let key = registry.repository(name("app"));
        let found = bench.repository(&key).await.expect("there");
        assert_eq!((found.id, &found.key), (*id, &key));
        let listed = bench.repositories(registry, &None, &ALL).await;
        assert_eq!(listed, [found], "{registry:?}");
    }
    bench.delete_repository(&ids[0], &at(1)).await;
    for (registry, expected) in registries.iter().zip([false, true, true, true, true]) {
        let key = registry.repository(name("app"));
        assert_eq!(bench.repository(&key).await.is_some(), expected, "{key:?}");
    }
}

/// A deleted name is free at once, and what is made under it starts empty.
pub async fn a_deleted_name_is_free_at_once(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let old = bench.made("app").await;
    bench
        .set_resource_tags(&old, &vec![resource_tag("a", "1")])
        .await;
    bench.stored_blob(old, "layer", at(1)).await;
    bench
        .insert_image(&old, &bench.image_of("one", &["layer"]))
        .await;
    bench
        .put_tag(&old, &tag("latest"), &bench.digest("one"), &at(1), &1)
        .await;
    let upload = bench.new_upload(old, "upload");
    bench.insert_upload(&upload).await;

    bench.delete_repository(&old, &at(2)).await;
    assert_eq!(bench.repository(&bench.key("app")).await, None);
    assert_eq!(bench.repositories(&bench.registry(), &None, &ALL).await, []);
    assert!(bench.deleted_repositories(&ALL).await.contains(&old));

    let new = bench.made("app").await;
    assert_ne!(new, old);
    assert_eq!(bench.resource_tags(&new).await, []);
    assert!(!bench.has_images(&new).await);
    assert_eq!(bench.image_at(&new, &bench.digest("one")).await, None);
    assert_eq!(bench.tagged(&new, &tag("latest")).await, None);
    assert_eq!(bench.blob_link(&new, &bench.digest("layer")).await, None);
    assert_eq!(bench.upload(&new, &upload.id).await, None);
    assert!(!bench.deleted_repositories(&ALL).await.contains(&new));
}

/// The mutability setting is replaced as a whole.
pub async fn settings_are_replaced(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let id = bench.made("app").await;
    let other = bench.made("other").await;
    for setting in [
        with_exclusions(),
        TagMutability {
            mode: MutabilityMode::Immutable,
            filters: vec![],
        },
        TagMutability {
            mode: MutabilityMode::MutableWithExclusion,
            ..with_exclusions()
        },
        TagMutability::default(),
    ] {
        bench.set_tag_mutability(&id, &setting).await;
        let found = bench.repository(&bench.key("app")).await.expect("there");
        assert_eq!((found.id, found.tag_mutability), (id, setting));
    }
    bench.set_tag_mutability(&id, &with_exclusions()).await;
    let found = bench.repository(&bench.key("other")).await.expect("there");
    assert_eq!(
        (found.id, found.tag_mutability),
        (other, TagMutability::default())
    );
}

/// Resource tags are replaced as a whole, and listed by key in the order of its bytes.
pub async fn resource_tags_are_replaced(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let id = bench.made("app").await;
    let other = bench.made("other").await;
    bench
        .set_resource_tags(&other, &vec![resource_tag("a", "theirs")])
        .await;
    let first = vec![
        resource_tag("é", "3"),
        resource_tag("a", "2"),
        resource_tag("Z", "1"),
    ];
    bench.set_resource_tags(&id, &first).await;
    assert_eq!(
        bench.resource_tags(&id).await,
        [
            resource_tag("Z", "1"),
            resource_tag("a", "2"),
            resource_tag("é", "3")
        ]
    );
    bench
        .set_resource_tags(&id, &vec![resource_tag("a", "4")])
        .await;
    assert_eq!(bench.resource_tags(&id).await, [resource_tag("a", "4")]);
    bench.set_resource_tags(&id, &vec![]).await;
    assert_eq!(bench.resource_tags(&id).await, []);
    assert_eq!(
        bench.resource_tags(&other).await,
        [resource_tag("a", "theirs")]
    );
}
