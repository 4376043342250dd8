//! Cases about policies of repositories, public registries and catalog data.

use bytes::Bytes;
use roadstead_domain::ids::AccountId;
use roadstead_domain::name::RepositoryKey;
use roadstead_domain::public::alias::{Alias, RegistryAlias};
use roadstead_domain::public::catalog_data::CatalogData;
use roadstead_domain::public::logo::LogoId;

use super::bench::{ALL, Bench, at, name, tag};
use crate::metadata::{MetadataStore, NewRepository, PublicRegistry, TaggedImage};

/// Catalog data with every member but a logo.
pub(super) fn catalog() -> CatalogData {
    CatalogData {
        description: Some("short".into()),
        architectures: vec!["x86-64".into(), "ARM".into()],
        operating_systems: vec!["Linux".into()],
        about_text: Some("# long".into()),
        usage_text: Some("run it".into()),
        logo: None,
    }
}

fn registry(account: &AccountId) -> PublicRegistry {
    PublicRegistry {
        account: account.clone(),
        id: format!("registry of {account}"),
        display_name: None,
    }
}

/// An alias that no other case has.
fn alias(bench: &Bench<'_>, label: &str, is_primary: bool, is_default: bool) -> Alias {
    let digest = bench.digest(label);
    let hex = &digest.as_str()[7..27];
    Alias {
        name: RegistryAlias::parse(&format!("al{hex}")).expect("an alias"),
        is_primary,
        is_default,
    }
}

/// The policy of one repository says nothing about another.
pub async fn a_policy_is_replaced_and_removed(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let [id, other] = [bench.made("app").await, bench.made("other").await];
    assert_eq!(bench.repository_policy(&id).await, None);
    for text in ["one", "two"] {
        bench.set_repository_policy(&id, &Some(text.into())).await;
        assert_eq!(bench.repository_policy(&id).await.as_deref(), Some(text));
    }
    bench.set_repository_policy(&other, &None).await;
    assert_eq!(bench.repository_policy(&id).await.as_deref(), Some("two"));
    bench.set_repository_policy(&id, &None).await;
    assert_eq!(bench.repository_policy(&id).await, None);
}

/// An account has one registry, whose name changes.
pub async fn life_of_a_public_registry(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let account = &bench.account;
    assert_eq!(bench.public_registry(account).await, None);
    let new = registry(account);
    assert!(bench.insert_public_registry(&new).await);
    let second = PublicRegistry {
        id: "second".into(),
        ..new.clone()
    };
    assert!(!bench.insert_public_registry(&second).await);
    assert_eq!(bench.public_registry(account).await, Some(new.clone()));
    for display_name in [Some("Acme".to_owned()), None] {
        bench.set_display_name(account, &display_name).await;
        let expected = PublicRegistry {
            display_name,
            ..new.clone()
        };
        assert_eq!(bench.public_registry(account).await, Some(expected));
    }
}

/// An alias names one registry of all; a registry has one primary alias.
pub async fn aliases_are_taken_once(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let (account, neighbour) = (bench.account.clone(), bench.neighbour());
    for account in [&account, &neighbour] {
        assert!(bench.insert_public_registry(&registry(account)).await);
    }
    let first = alias(&bench, "first", true, true);
    assert_eq!(bench.alias_owner(&first.name).await, None);
    assert!(bench.insert_alias(&account, &first).await);
    assert!(!bench.insert_alias(&neighbour, &first).await);
    assert_eq!(bench.alias_owner(&first.name).await, Some(account.clone()));
    assert_eq!(bench.aliases(&neighbour).await, []);
    let second = alias(&bench, "second", false, false);
    assert!(bench.insert_alias(&account, &second).await);
    let third = alias(&bench, "third", true, false);
    assert!(bench.insert_alias(&account, &third).await);
    let mut expected = [
        Alias {
            is_primary: false,
            ..first
        },
        second,
        third,
    ];
    expected.sort_by(|a, b| a.name.cmp(&b.name));
    assert_eq!(bench.aliases(&account).await, expected);
}

/// What is put takes the place of all that was there, but for the logo.
pub async fn catalog_data_is_replaced(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let id = bench.made("app").await;
    assert_eq!(bench.catalog_data(&id).await, None);
    bench.set_catalog_data(&id, &catalog()).await;
    assert_eq!(bench.catalog_data(&id).await, Some(catalog()));
    let logo = LogoId::from_random(u128::from(id.0.unsigned_abs()) << 64);
    bench
        .set_logo(&id, &Some((logo.clone(), Bytes::from("png"))))
        .await;
    bench.set_catalog_data(&id, &CatalogData::default()).await;
    let expected = CatalogData {
        logo: Some(logo),
        ..CatalogData::default()
    };
    assert_eq!(bench.catalog_data(&id).await, Some(expected));
    bench.set_logo(&id, &None).await;
    assert_eq!(bench.catalog_data(&id).await, Some(CatalogData::default()));
}

/// A logo is found under its registry, as long as its repository lives.
pub async fn logos_are_found_by_both_ids(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let new = registry(&bench.account);
    bench.insert_public_registry(&new).await;
    let key = RepositoryKey::public(bench.account.clone(), name("team/app"));
    let new_repository = NewRepository {
        key,
        ..bench.new_repository("team/app")
    };
    let id = bench.insert_repository(&new_repository).await.expect("new");
    let logo = |n: u128| LogoId::from_random((u128::from(id.0.unsigned_abs()) << 80) + n);
    let [first, second] = [logo(1), logo(2)];
    for (id_of_logo, bytes) in [(&first, "one"), (&second, "two")] {
        bench
            .set_logo(&id, &Some((id_of_logo.clone(), bytes.into())))
            .await;
        let found = bench.logo(&new.id, id_of_logo).await;
        assert_eq!(found, Some(Bytes::from(bytes)));
    }
    assert_eq!(bench.logo(&new.id, &first).await, None);
    assert_eq!(bench.logo(&"another".into(), &second).await, None);
    bench.delete_repository(&id, &at(1)).await;
    assert_eq!(bench.logo(&new.id, &second).await, None);
}

/// One entry for each tag, by tag, in pages.
pub async fn tags_with_their_images(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let id = bench.made("app").await;
    let (image, untagged) = (bench.image("image"), bench.image("untagged"));
    for new in [&image, &untagged] {
        bench.insert_image(&id, new).await;
    }
    let digest = &image.image.digest;
    for (place, text) in [(3, "c"), (1, "a"), (2, "b")] {
        bench
            .put_tag(&id, &tag(text), digest, &at(place), &place)
            .await;
    }
    let entry = |place, text| TaggedImage {
        tag: tag(text),
        tagged_at: at(place),
        image: image.image.clone(),
    };
    let all = [entry(1, "a"), entry(2, "b"), entry(3, "c")];
    assert_eq!(bench.tagged_images(&id, &None, &ALL).await, all);
    assert_eq!(bench.tagged_images(&id, &None, &2).await, all[..2]);
    let after = bench.tagged_images(&id, &Some(tag("b")), &2).await;
    assert_eq!(after, all[2..]);
}
