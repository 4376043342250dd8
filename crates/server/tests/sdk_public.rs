//! The AWS SDK for Rust against ECR Public: every operation, typed in and typed out, over its own
//! HTTP client and its own signature, and each error by its type.
//!
//! What the answers must hold is asked of the typed shapes; whole bodies are in
//! `ecr_public_cases`.

use aws_sdk_ecrpublic::Client;
use aws_sdk_ecrpublic::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_ecrpublic::error::ProvideErrorMetadata as _;
use aws_sdk_ecrpublic::operation::upload_layer_part::UploadLayerPartError;
use aws_sdk_ecrpublic::primitives::Blob;
use aws_sdk_ecrpublic::types::{
    ImageFailureCode, ImageIdentifier, LayerAvailability, LayerFailureCode, RegistryAliasStatus,
    RepositoryCatalogDataInput, Tag,
};
use http::Method;
use roadstead_registry::context::Clock as _;
use roadstead_server::ambient::SystemClock;
use roadstead_store::fault::When;
use roadstead_testkit::{Layout, World, images};

const NAME: &str = "team/app";
const ACCOUNT: &str = "123456789012";

/// A client of a world whose clock is the machine's, since the SDK signs by that.
async fn client(world: &World) -> Client {
    client_in(world, "us-east-1").await
}

async fn client_in(world: &World, region: &'static str) -> Client {
    world.clock.set(SystemClock.now());
    let (id, secret) = (&world.credentials.id, &world.credentials.secret);
    let http = aws_smithy_http_client::Builder::new().build_http();
    let retries = aws_sdk_ecrpublic::config::retry::RetryConfig::disabled();
    let config = aws_sdk_ecrpublic::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .credentials_provider(Credentials::new(id, secret, None, None, "test"))
        .endpoint_url(format!("http://{}", world.address))
        .http_client(http)
        .retry_config(retries)
        .region(Region::new(region))
        .build();
    Client::from_conf(config)
}

/// A world in which `team/app` is made.
async fn made() -> (World, Client) {
    let world = World::builder().with_aws_hosts().start().await;
    let client = client(&world).await;
    let made = client.create_repository().repository_name(NAME).send();
    made.await.expect("CreateRepository");
    (world, client)
}

fn tag(key: &str) -> Tag {
    Tag::builder().key(key).value("v").build()
}

fn by_tag(tag: &str) -> ImageIdentifier {
    ImageIdentifier::builder().image_tag(tag).build()
}

fn by_digest(digest: &str) -> ImageIdentifier {
    ImageIdentifier::builder().image_digest(digest).build()
}

async fn push_layer(client: &Client, bytes: &[u8]) {
    let opened = client.initiate_layer_upload().repository_name(NAME).send();
    let opened = opened.await.expect("InitiateLayerUpload");
    assert_eq!(opened.part_size(), Some(10_485_760));
    let id = opened.upload_id().expect("an upload id");
    let last = i64::try_from(bytes.len()).expect("a length") - 1;
    let part = client.upload_layer_part().repository_name(NAME);
    let part = part.upload_id(id).part_first_byte(0).part_last_byte(last);
    let sent = part.layer_part_blob(Blob::new(bytes)).send().await;
    let sent = sent.expect("UploadLayerPart");
    assert_eq!(sent.last_byte_received(), Some(last));
    assert_eq!(sent.registry_id(), Some(ACCOUNT));
    let digest = images::digest(bytes);
    let whole = client.complete_layer_upload().repository_name(NAME);
    let whole = whole.upload_id(id).layer_digests(&digest).send().await;
    let whole = whole.expect("CompleteLayerUpload");
    assert_eq!(whole.layer_digest(), Some(digest.as_str()));
}

async fn push(client: &Client, layout: &Layout, tag: &str) {
    for blob in &layout.blobs {
        push_layer(client, blob).await;
    }
    let put = client.put_image().repository_name(NAME).image_tag(tag);
    let put = put.image_manifest(layout.manifest.text()).send().await;
    let put = put.expect("PutImage");
    let id = put.image().and_then(|image| image.image_id());
    let id = id.expect("an image id");
    assert_eq!(id.image_digest(), Some(layout.manifest.digest.as_str()));
    assert_eq!(id.image_tag(), Some(tag));
}

#[tokio::test]
async fn a_registry_from_its_first_repository_on() {
    let world = World::builder().with_aws_hosts().start().await;
    let client = client(&world).await;
    let registries = client.describe_registries().send().await;
    let registries = registries.expect("DescribeRegistries");
    let [registry] = registries.registries() else {
        panic!("one registry: {registries:?}");
    };
    assert!(registry.aliases().is_empty());
    assert_eq!(registry.registry_uri(), "");

    let catalog = RepositoryCatalogDataInput::builder()
        .description("short")
        .architectures("x86-64")
        .operating_systems("Linux")
        .build();
    let create = client.create_repository().repository_name(NAME);
    let create = create.catalog_data(catalog).tags(tag("k"));
    let made = create.send().await.expect("CreateRepository");
    let catalog = made.catalog_data().expect("catalog data");
    assert_eq!(catalog.description(), Some("short"));
    assert_eq!(catalog.architectures(), ["x86-64"]);
    assert_eq!(catalog.operating_systems(), ["Linux"]);
    let made = made.repository().expect("a repository");
    let arn = "arn:aws:ecr-public::123456789012:repository/team/app";
    assert_eq!(made.repository_arn(), Some(arn));
    let now = world.clock.now().seconds();
    assert_eq!(made.created_at().map(|at| at.secs()), Some(now));

    let registries = client.describe_registries().send().await;
    let registries = registries.expect("DescribeRegistries");
    let registry = &registries.registries()[0];
    let [alias] = registry.aliases() else {
        panic!("one alias: {registry:?}");
    };
    assert_eq!(alias.status(), &RegistryAliasStatus::Active);
    assert!(alias.primary_registry_alias() && alias.default_registry_alias());
    let uri = format!("public.ecr.aws/{}", alias.name());
    assert_eq!(registry.registry_uri(), uri);
    let uri = format!("{uri}/{NAME}");
    assert_eq!(made.repository_uri(), Some(uri.as_str()));
    let registry_arn = "arn:aws:ecr-public::123456789012:registry/123456789012";
    assert_eq!(registry.registry_arn(), registry_arn);
    assert!(!registry.verified());

    let tagging = client.tag_resource().resource_arn(arn).tags(tag("k2"));
    tagging.send().await.expect("TagResource");
    let untagging = client.untag_resource().resource_arn(arn).tag_keys("k");
    untagging.send().await.expect("UntagResource");
    let listed = client.list_tags_for_resource().resource_arn(arn).send();
    let listed = listed.await.expect("ListTagsForResource");
    assert_eq!(listed.tags(), [tag("k2")]);
}

#[tokio::test]
async fn what_a_registry_and_a_repository_say_of_themselves() {
    let (_world, client) = made().await;
    let unset = client.get_registry_catalog_data().send().await;
    let unset = unset.expect("GetRegistryCatalogData");
    let catalog = unset.registry_catalog_data();
    assert_eq!(catalog.and_then(|data| data.display_name()), None);
    let put = client.put_registry_catalog_data().display_name("name");
    let put = put.send().await.expect("PutRegistryCatalogData");
    let catalog = put.registry_catalog_data();
    assert_eq!(catalog.and_then(|data| data.display_name()), Some("name"));

    let unset = client.get_repository_catalog_data().repository_name(NAME);
    let unset = unset.send().await.expect("GetRepositoryCatalogData");
    assert!(unset.catalog_data().is_some());
    let input = RepositoryCatalogDataInput::builder()
        .about_text("about")
        .usage_text("usage")
        .build();
    let put = client.put_repository_catalog_data().repository_name(NAME);
    let put = put.catalog_data(input).send().await;
    let put = put.expect("PutRepositoryCatalogData");
    let get = client.get_repository_catalog_data().repository_name(NAME);
    let got = get.send().await.expect("GetRepositoryCatalogData");
    assert_eq!(got.catalog_data(), put.catalog_data());
    let catalog = got.catalog_data().expect("catalog data");
    assert_eq!(catalog.about_text(), Some("about"));
    assert_eq!(catalog.usage_text(), Some("usage"));
    assert_eq!(catalog.logo_url(), None);
}

#[tokio::test]
async fn the_token_opens_the_registry() {
    let world = World::builder().with_aws_hosts().start().await;
    let client = client(&world).await;
    let token = client.get_authorization_token().send().await;
    let token = token.expect("GetAuthorizationToken");
    let data = token.authorization_data().expect("data");
    let ends = data.expires_at().map(|at| at.secs());
    assert_eq!(ends, Some(world.clock.now().seconds() + 12 * 3600));
    let bearer = format!("Bearer {}", data.authorization_token().expect("a token"));
    let headers = [
        ("host", "public.ecr.aws"),
        ("authorization", bearer.as_str()),
    ];
    let answer = world.raw(Method::GET, "/v2/", &headers, "").await;
    answer.expect(200);
}

#[tokio::test]
async fn images_from_the_push_to_the_end() {
    let (world, client) = made().await;
    let layout = Layout::image("sdk");
    let digest = layout.manifest.digest.as_str();
    push(&client, &layout, "v1").await;

    let (known, unknown) = (images::digest(&layout.blobs[1]), images::digest(b"unknown"));
    let check = client.batch_check_layer_availability();
    let check = check.repository_name(NAME).layer_digests(&known);
    let check = check.layer_digests(&unknown).layer_digests("nonsense");
    let checked = check.send().await.expect("BatchCheckLayerAvailability");
    let found: Vec<_> = checked
        .layers()
        .iter()
        .map(|layer| layer.layer_availability())
        .collect();
    let expected = [LayerAvailability::Available, LayerAvailability::Unavailable];
    assert_eq!(found, [Some(&expected[0]), Some(&expected[1])]);
    let failure = checked.failures()[0].failure_code();
    assert_eq!(failure, Some(&LayerFailureCode::InvalidLayerDigest));

    let described = client.describe_images().repository_name(NAME).send();
    let described = described.await.expect("DescribeImages");
    let [detail] = described.image_details() else {
        panic!("one image: {described:?}");
    };
    assert_eq!(detail.image_digest(), Some(digest));
    assert_eq!(detail.image_tags(), ["v1"]);
    let now = world.clock.now().seconds();
    assert_eq!(detail.image_pushed_at().map(|at| at.secs()), Some(now));

    let tags = client.describe_image_tags().repository_name(NAME).send();
    let tags = tags.await.expect("DescribeImageTags");
    let [row] = tags.image_tag_details() else {
        panic!("one tag: {tags:?}");
    };
    assert_eq!(row.image_tag(), Some("v1"));
    assert_eq!(row.created_at().map(|at| at.secs()), Some(now));
    let detail = row.image_detail().expect("an image");
    assert_eq!(detail.image_digest(), Some(digest));

    let delete = client.batch_delete_image().repository_name(NAME);
    let delete = delete.image_ids(by_tag("v1")).image_ids(by_tag("nope"));
    let deleted = delete.send().await.expect("BatchDeleteImage");
    let both = ImageIdentifier::builder();
    let both = both.image_digest(digest).image_tag("v1").build();
    assert_eq!(deleted.image_ids(), [both]);
    let [failure] = deleted.failures() else {
        panic!("one failure: {deleted:?}");
    };
    assert_eq!(failure.image_id(), Some(&by_tag("nope")));
    let not_found = Some(&ImageFailureCode::ImageNotFound);
    assert_eq!(failure.failure_code(), not_found);
}

#[tokio::test]
async fn pages_are_walked_to_the_end() {
    let world = World::builder().with_aws_hosts().start().await;
    let client = client(&world).await;
    for n in 0..5 {
        let create = client.create_repository().repository_name(format!("r{n}"));
        create.send().await.expect("CreateRepository");
    }
    let pages = client.describe_repositories().into_paginator().page_size(2);
    let pages: Vec<_> = pages.send().collect::<Result<_, _>>().await.expect("pages");
    let lengths: Vec<usize> = pages.iter().map(|page| page.repositories().len()).collect();
    assert_eq!(lengths, [2, 2, 1]);
}

#[tokio::test]
async fn policies_and_the_end_of_a_repository() {
    let (_world, client) = made().await;
    let text = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"ecr-public:DescribeImages"}]}"#;
    let get = || client.get_repository_policy().repository_name(NAME).send();
    let none = get().await.expect_err("no policy").into_service_error();
    assert!(none.is_repository_policy_not_found_exception());
    let set = client.set_repository_policy().repository_name(NAME);
    let set = set.policy_text(text).send().await;
    let set = set.expect("SetRepositoryPolicy");
    let got = get().await.expect("GetRepositoryPolicy");
    assert_eq!(got.policy_text(), set.policy_text());
    let delete = client.delete_repository_policy().repository_name(NAME);
    let deleted = delete.send().await.expect("DeleteRepositoryPolicy");
    assert_eq!(deleted.policy_text(), set.policy_text());
    let delete = || client.delete_repository_policy().repository_name(NAME);
    let none = delete().send().await.expect_err("no policy");
    let none = none.into_service_error();
    assert!(none.is_repository_policy_not_found_exception());
    let set = client.set_repository_policy().repository_name(NAME);
    let bad = set.policy_text("no").send().await.expect_err("no policy");
    let bad = bad.into_service_error();
    assert!(bad.is_invalid_parameter_exception());
    let text = bad.message().unwrap_or_default();
    assert!(
        text.contains("Invalid repository policy provided"),
        "{text}"
    );

    push(&client, &Layout::image("inside"), "v1").await;
    let delete = client.delete_repository().repository_name(NAME);
    let full = delete.send().await.expect_err("it is full");
    let full = full.into_service_error();
    assert!(full.is_repository_not_empty_exception());
    let delete = client.delete_repository().repository_name(NAME);
    let gone = delete.force(true).send().await.expect("DeleteRepository");
    let gone = gone.repository().and_then(|one| one.repository_name());
    assert_eq!(gone, Some(NAME));
}

#[tokio::test]
async fn errors_of_pushes_by_type() {
    let (_world, client) = made().await;
    let layout = Layout::image("errors");
    let put = |layout: &Layout| {
        let put = client.put_image().repository_name(NAME).image_tag("v1");
        put.image_manifest(layout.manifest.text())
    };
    let error = put(&layout).send().await.expect_err("no layers");
    assert!(error.into_service_error().is_layers_not_found_exception());
    push(&client, &layout, "v1").await;
    let error = put(&layout).send().await.expect_err("it is there");
    assert!(
        error
            .into_service_error()
            .is_image_already_exists_exception()
    );
    let wrong = put(&layout).image_digest(images::digest(b"other"));
    let error = wrong.send().await.expect_err("another digest");
    let error = error.into_service_error();
    assert!(error.is_image_digest_does_not_match_exception());
    let index = images::index(&[&Layout::image("absent").manifest]);
    let put = client.put_image().repository_name(NAME);
    let error = put.image_manifest(index.text()).send().await;
    let error = error.expect_err("no children").into_service_error();
    assert!(error.is_referenced_images_not_found_exception());

    let opened = client.initiate_layer_upload().repository_name(NAME).send();
    let opened = opened.await.expect("InitiateLayerUpload");
    let id = opened.upload_id().expect("an upload id");
    let complete = |id: &str| {
        let complete = client.complete_layer_upload().repository_name(NAME);
        complete
            .upload_id(id)
            .layer_digests(images::digest(&layout.blobs[1]))
    };
    let error = complete(id).send().await.expect_err("no parts");
    assert!(error.into_service_error().is_empty_upload_exception());
    let part = client
        .upload_layer_part()
        .repository_name(NAME)
        .upload_id(id);
    let part = part.part_first_byte(7).part_last_byte(7);
    let error = part.layer_part_blob(Blob::new("b")).send().await;
    let error = error.expect_err("a gap").into_service_error();
    let UploadLayerPartError::InvalidLayerPartException(gap) = error else {
        panic!("not of its type: {error:?}");
    };
    assert_eq!(gap.registry_id(), Some(ACCOUNT));
    assert_eq!(gap.repository_name(), Some(NAME));
    assert_eq!(gap.upload_id(), Some(id));
    assert!(gap.message().is_some());
    for bytes in [&b"other"[..], &layout.blobs[1]] {
        let opened = client.initiate_layer_upload().repository_name(NAME).send();
        let opened = opened.await.expect("InitiateLayerUpload");
        let id = opened.upload_id().expect("an upload id");
        let last = i64::try_from(bytes.len()).expect("a length") - 1;
        let part = client.upload_layer_part().repository_name(NAME);
        let part = part.upload_id(id).part_first_byte(0).part_last_byte(last);
        let part = part.layer_part_blob(Blob::new(bytes)).send().await;
        part.expect("UploadLayerPart");
        let error = complete(id).send().await.expect_err("no new layer");
        let error = error.into_service_error();
        let is_there = error.is_layer_already_exists_exception();
        assert!(is_there || error.is_invalid_layer_exception(), "{error:?}");
        assert_eq!(is_there, bytes != b"other");
    }
    let unknown = "00000000-0000-4000-8000-000000000000";
    let error = complete(unknown).send().await.expect_err("no upload");
    assert!(error.into_service_error().is_upload_not_found_exception());
}

#[tokio::test]
async fn errors_of_names_by_type() {
    let (_world, client) = made().await;
    let again = client.create_repository().repository_name(NAME).send();
    let again = again.await.expect_err("it exists").into_service_error();
    assert!(again.is_repository_already_exists_exception());
    assert!(again.message().is_some_and(|text| text.contains(NAME)));
    let ghost = client.describe_repositories().repository_names("ghost");
    let ghost = ghost.send().await.expect_err("no repository");
    assert!(
        ghost
            .into_service_error()
            .is_repository_not_found_exception()
    );
    let absent = client.describe_images().repository_name(NAME);
    let absent = absent.image_ids(by_digest(&images::digest(b"absent")));
    let absent = absent.send().await.expect_err("no image");
    assert!(absent.into_service_error().is_image_not_found_exception());
    let nowhere = client.initiate_layer_upload().repository_name(NAME);
    let nowhere = nowhere.registry_id("z9z9z9z9").send().await;
    let nowhere = nowhere.expect_err("no registry").into_service_error();
    assert!(nowhere.is_registry_not_found_exception());
    let bad = client.create_repository().repository_name("NO").send();
    let bad = bad.await.expect_err("no name").into_service_error();
    assert!(bad.is_invalid_parameter_exception());
    let create = client.create_repository().repository_name("new");
    let bad = create.tags(tag("aws:k")).send().await;
    let bad = bad.expect_err("a reserved tag").into_service_error();
    assert!(bad.is_invalid_tag_parameter_exception());
    let tags = (0..51).map(|n| tag(&format!("k{n}"))).collect();
    let create = client.create_repository().repository_name("new");
    let bad = create.set_tags(Some(tags)).send().await;
    let bad = bad.expect_err("too many tags").into_service_error();
    assert!(bad.is_too_many_tags_exception());
}

#[tokio::test]
async fn errors_of_the_server_by_type() {
    let (world, client) = made().await;
    let mut failed = 0;
    for nth in 1.. {
        world.faults.clear();
        world.faults.fail_nth(nth, When::Before);
        let described = client.describe_images().repository_name(NAME).send();
        let Err(error) = described.await else { break };
        let error = error.into_service_error();
        assert!(error.is_server_exception(), "{error:?}");
        failed += 1;
    }
    assert!(failed > 0);

    let strict = World::builder().strict().start().await;
    let far = client_in(&strict, "eu-west-1").await;
    let create = far.create_repository().repository_name(NAME).send();
    let error = create.await.expect_err("another region");
    let error = error.into_service_error();
    assert!(error.is_unsupported_command_exception(), "{error:?}");
}
