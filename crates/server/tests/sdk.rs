//! The AWS SDK for Rust against the server: every operation that is offered, typed in and typed
//! out, over its own HTTP client and its own signature.
//!
//! What the answers must hold is asked of the typed shapes; whole bodies are in the cases.

mod api;

use aws_sdk_ecr::Client;
use aws_sdk_ecr::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_ecr::primitives::Blob;
use aws_sdk_ecr::types::{
    ImageActionType, ImageIdentifier, ImageScanningConfiguration, ImageStatus, ImageTagMutability,
    LayerAvailability, LifecyclePolicyPreviewStatus, LifecyclePolicyStorageClass,
    ListImageReferrersFilter, SubjectIdentifier, Tag, TargetStorageClass,
};
use http::Method;
use roadstead_domain::time::Span;
use roadstead_registry::context::Clock as _;
use roadstead_server::ambient::SystemClock;
use roadstead_testkit::{Layout, World, images};

const NAME: &str = "team/app";

/// A client of a world whose clock is the machine's, since the SDK signs by that.
async fn client(world: &World) -> Client {
    world.clock.set(SystemClock.now());
    let (id, secret) = (&world.credentials.id, &world.credentials.secret);
    let http = aws_smithy_http_client::Builder::new().build_http();
    let config = aws_sdk_ecr::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .credentials_provider(Credentials::new(id, secret, None, None, "test"))
        .endpoint_url(format!("http://{}", world.address))
        .http_client(http)
        .region(Region::new("us-east-1"))
        .build();
    Client::from_conf(config)
}

fn tag(key: &str) -> Tag {
    Tag::builder().key(key).value("v").build().expect("a tag")
}

fn by_tag(tag: &str) -> ImageIdentifier {
    ImageIdentifier::builder().image_tag(tag).build()
}

fn by_digest(digest: &str) -> ImageIdentifier {
    ImageIdentifier::builder().image_digest(digest).build()
}

async fn push_layer(client: &Client, bytes: &[u8]) -> String {
    let opened = client.initiate_layer_upload().repository_name(NAME).send();
    let opened = opened.await.expect("InitiateLayerUpload");
    assert_eq!(opened.part_size(), Some(10_485_760));
    let id = opened.upload_id().expect("an upload id");
    let last = i64::try_from(bytes.len()).expect("a length") - 1;
    let part = client
        .upload_layer_part()
        .repository_name(NAME)
        .upload_id(id);
    let part = part.part_first_byte(0).part_last_byte(last);
    let sent = part.layer_part_blob(Blob::new(bytes)).send().await;
    assert_eq!(
        sent.expect("UploadLayerPart").last_byte_received(),
        Some(last)
    );
    let digest = images::digest(bytes);
    let whole = client.complete_layer_upload().repository_name(NAME);
    let whole = whole.upload_id(id).layer_digests(&digest).send().await;
    let whole = whole.expect("CompleteLayerUpload");
    assert_eq!(whole.layer_digest(), Some(digest.as_str()));
    digest
}

async fn push(client: &Client, layout: &Layout, tag: Option<&str>) {
    for blob in &layout.blobs {
        push_layer(client, blob).await;
    }
    let put = client.put_image().repository_name(NAME);
    let put = put
        .image_manifest(layout.manifest.text())
        .set_image_tag(tag.map(str::to_owned));
    let put = put.send().await.expect("PutImage");
    let id = put.image().and_then(|image| image.image_id());
    let id = id.expect("an image id");
    assert_eq!(id.image_digest(), Some(layout.manifest.digest.as_str()));
    assert_eq!(id.image_tag(), tag);
}

#[tokio::test]
async fn a_repository_made_twice() {
    let world = World::start().await;
    let client = client(&world).await;
    let scanning = ImageScanningConfiguration::builder()
        .scan_on_push(true)
        .build();
    let create = client
        .create_repository()
        .repository_name(NAME)
        .tags(tag("k2"));
    let create = create.image_scanning_configuration(scanning);
    let made = create.send().await.expect("CreateRepository");
    let made = made.repository().expect("a repository");
    let arn = made.repository_arn().expect("an ARN");
    assert_eq!(
        arn,
        "arn:aws:ecr:us-east-1:123456789012:repository/team/app"
    );
    assert_eq!(made.registry_id(), Some("123456789012"));
    // Without a template it is the address that the caller used (design decision 15).
    let uri = format!("{}/{NAME}", world.address);
    assert_eq!(made.repository_uri(), Some(uri.as_str()));
    assert_eq!(
        made.image_tag_mutability(),
        Some(&ImageTagMutability::Mutable)
    );
    let scans = made.image_scanning_configuration();
    assert!(scans.is_some_and(ImageScanningConfiguration::scan_on_push));
    let now = world.clock.now().seconds();
    assert_eq!(made.created_at().map(|at| at.secs()), Some(now));

    let again = client
        .create_repository()
        .repository_name(NAME)
        .send()
        .await;
    let again = again.expect_err("it exists").into_service_error();
    assert!(again.is_repository_already_exists_exception());
    assert!(
        again
            .meta()
            .message()
            .is_some_and(|text| text.contains(NAME))
    );
}

#[tokio::test]
async fn settings_and_tags_of_a_repository() {
    let world = World::start().await;
    let client = client(&world).await;
    let made = client
        .create_repository()
        .repository_name(NAME)
        .tags(tag("k2"));
    let made = made.send().await.expect("CreateRepository");
    let made = made.repository().expect("a repository");
    let arn = made.repository_arn().expect("an ARN");

    let tagging = client.tag_resource().resource_arn(arn).tags(tag("k1"));
    tagging.send().await.expect("TagResource");
    let untagging = client.untag_resource().resource_arn(arn).tag_keys("k2");
    untagging.send().await.expect("UntagResource");
    let listed = client
        .list_tags_for_resource()
        .resource_arn(arn)
        .send()
        .await;
    assert_eq!(listed.expect("ListTagsForResource").tags(), [tag("k1")]);

    let put = client.put_image_tag_mutability().repository_name(NAME);
    let put = put
        .image_tag_mutability(ImageTagMutability::Immutable)
        .send()
        .await;
    let setting = put.expect("PutImageTagMutability");
    let immutable = Some(&ImageTagMutability::Immutable);
    assert_eq!(setting.image_tag_mutability(), immutable);
    let described = client
        .describe_repositories()
        .repository_names(NAME)
        .send()
        .await;
    let described = described.expect("DescribeRepositories");
    let [described] = described.repositories() else {
        panic!("one repository: {described:?}");
    };
    assert_eq!(described.image_tag_mutability(), immutable);

    let deleted = client
        .delete_repository()
        .repository_name(NAME)
        .send()
        .await;
    let deleted = deleted.expect("DeleteRepository");
    assert_eq!(deleted.repository(), Some(described));
    let gone = client
        .describe_repositories()
        .repository_names(NAME)
        .send()
        .await;
    let gone = gone.expect_err("it is gone").into_service_error();
    assert!(gone.is_repository_not_found_exception());
}

#[tokio::test]
async fn the_registry_and_its_token() {
    let world = World::start().await;
    let client = client(&world).await;
    let registry = client.describe_registry().send().await;
    let registry = registry.expect("DescribeRegistry");
    assert_eq!(registry.registry_id(), Some("123456789012"));
    let replication = registry.replication_configuration();
    assert!(replication.is_some_and(|configuration| configuration.rules().is_empty()));

    let token = client.get_authorization_token().send().await;
    let token = token.expect("GetAuthorizationToken");
    let [entry] = token.authorization_data() else {
        panic!("one entry: {token:?}");
    };
    let endpoint = format!("http://{}", world.address);
    assert_eq!(entry.proxy_endpoint(), Some(endpoint.as_str()));
    let ends = entry.expires_at().map(|at| at.secs());
    assert_eq!(ends, Some(world.clock.now().seconds() + 12 * 3600));
    let basic = format!("Basic {}", entry.authorization_token().expect("a token"));
    let headers = [("authorization", basic.as_str())];
    world
        .raw(Method::GET, "/v2/", &headers, "")
        .await
        .expect(200);
    #[expect(deprecated, reason = "clients in use still name registries")]
    let named = client
        .get_authorization_token()
        .registry_ids("210987654321")
        .registry_ids("123456789012");
    let named = named.send().await.expect("GetAuthorizationToken");
    assert_eq!(named.authorization_data().len(), 2);
}

#[tokio::test]
async fn images_pushed_read_and_deleted() {
    let world = World::start().await;
    let client = client(&world).await;
    let made = client
        .create_repository()
        .repository_name(NAME)
        .send()
        .await;
    made.expect("CreateRepository");
    let layout = Layout::image("sdk");
    let digest = layout.manifest.digest.as_str();
    push(&client, &layout, Some("v1")).await;

    let get = client.batch_get_image().repository_name(NAME);
    let got = get
        .image_ids(by_tag("v1"))
        .image_ids(by_tag("nope"))
        .send()
        .await;
    let got = got.expect("BatchGetImage");
    assert_eq!(
        got.images()[0].image_manifest(),
        Some(layout.manifest.text())
    );
    assert_eq!(got.failures()[0].image_id(), Some(&by_tag("nope")));

    let listed = client.list_images().repository_name(NAME).send().await;
    let both = ImageIdentifier::builder()
        .image_digest(digest)
        .image_tag("v1");
    let listed = listed.expect("ListImages");
    assert_eq!(listed.image_ids(), [both.clone().build()]);

    let described = client.describe_images().repository_name(NAME).send().await;
    let described = described.expect("DescribeImages");
    let [detail] = described.image_details() else {
        panic!("one image: {described:?}");
    };
    assert_eq!(detail.image_tags(), ["v1"]);
    let now = world.clock.now().seconds();
    assert_eq!(detail.image_pushed_at().map(|at| at.secs()), Some(now));

    let signature = Layout::image("signature").referring_to(&layout.manifest, "application/sig");
    push(&client, &signature, None).await;
    let subject = SubjectIdentifier::builder().image_digest(digest).build();
    let filter = ListImageReferrersFilter::builder().artifact_types("application/sig");
    let referrers = client.list_image_referrers().repository_name(NAME);
    let referrers = referrers
        .subject_id(subject.expect("a subject"))
        .filter(filter.build());
    let referrers = referrers.send().await.expect("ListImageReferrers");
    let digests: Vec<&str> = referrers
        .referrers()
        .iter()
        .map(|one| one.digest())
        .collect();
    assert_eq!(digests, [signature.manifest.digest.as_str()]);

    let delete = client.batch_delete_image().repository_name(NAME);
    let deleted = delete.image_ids(by_tag("v1")).send().await;
    let deleted = deleted.expect("BatchDeleteImage");
    assert_eq!(deleted.image_ids(), [both.build()]);
    assert!(deleted.failures().is_empty());
    let gone = client
        .describe_images()
        .repository_name(NAME)
        .image_ids(by_digest(digest));
    let gone = gone
        .send()
        .await
        .expect_err("it is gone")
        .into_service_error();
    assert!(gone.is_image_not_found_exception());
}

#[tokio::test]
async fn layers_checked_and_downloaded() {
    let world = World::start().await;
    let client = client(&world).await;
    let made = client
        .create_repository()
        .repository_name(NAME)
        .send()
        .await;
    made.expect("CreateRepository");
    let layout = Layout::image("layers");
    push(&client, &layout, Some("v1")).await;
    let (known, unknown) = (images::digest(&layout.blobs[1]), images::digest(b"unknown"));
    let check = client
        .batch_check_layer_availability()
        .repository_name(NAME);
    let check = check.layer_digests(&known).layer_digests(&unknown);
    let checked = check.send().await.expect("BatchCheckLayerAvailability");
    let found: Vec<_> = checked
        .layers()
        .iter()
        .map(|layer| layer.layer_availability())
        .collect();
    let expected = [LayerAvailability::Available, LayerAvailability::Unavailable];
    assert_eq!(found, [Some(&expected[0]), Some(&expected[1])]);

    let link = client.get_download_url_for_layer().repository_name(NAME);
    let link = link.layer_digest(&known).send().await;
    let link = link.expect("GetDownloadUrlForLayer");
    let origin = format!("http://{}", world.address);
    let path = link
        .download_url()
        .and_then(|url| url.strip_prefix(&origin));
    let path = path.expect("a link to this server");
    let bytes = world.raw(Method::GET, path, &[], "").await.expect(200).body;
    assert_eq!(images::digest(&bytes), known);
    let absent = client.get_download_url_for_layer().repository_name(NAME);
    let absent = absent.layer_digest(&unknown).send().await;
    let absent = absent.expect_err("it is not there").into_service_error();
    assert!(absent.is_layers_not_found_exception());
}

const KEEP_ONE: &str = r#"{"rules":[{"rulePriority":1,"selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":1},"action":{"type":"expire"}}]}"#;

#[tokio::test]
async fn lifecycle_policies_and_their_previews() {
    let world = World::start().await;
    let client = client(&world).await;
    let made = client.create_repository().repository_name(NAME);
    made.send().await.expect("CreateRepository");
    let (old, young) = (Layout::image("old"), Layout::image("young"));
    push(&client, &old, Some("v1")).await;
    world.clock.advance(Span::seconds(1));
    push(&client, &young, Some("v2")).await;

    let put = client.put_lifecycle_policy().repository_name(NAME);
    let put = put.lifecycle_policy_text(KEEP_ONE).send().await;
    let put = put.expect("PutLifecyclePolicy");
    assert_eq!(put.lifecycle_policy_text(), Some(KEEP_ONE));
    let get = client.get_lifecycle_policy().repository_name(NAME);
    let got = get.send().await.expect("GetLifecyclePolicy");
    assert_eq!(got.lifecycle_policy_text(), Some(KEEP_ONE));
    assert_eq!(got.last_evaluated_at().map(|at| at.secs()), Some(0));

    let start = client
        .start_lifecycle_policy_preview()
        .repository_name(NAME);
    let started = start.send().await.expect("StartLifecyclePolicyPreview");
    let in_progress = LifecyclePolicyPreviewStatus::InProgress;
    assert_eq!(started.status(), Some(&in_progress));
    world.previews().await;
    let get = client.get_lifecycle_policy_preview().repository_name(NAME);
    let preview = get.send().await.expect("GetLifecyclePolicyPreview");
    assert_eq!(
        preview.status(),
        Some(&LifecyclePolicyPreviewStatus::Complete)
    );
    let [result] = preview.preview_results() else {
        panic!("one result: {preview:?}");
    };
    assert_eq!(result.image_digest(), Some(old.manifest.digest.as_str()));
    assert_eq!(result.image_tags(), ["v1"]);
    assert_eq!(result.applied_rule_priority(), Some(1));
    let standard = LifecyclePolicyStorageClass::Standard;
    assert_eq!(result.storage_class(), Some(&standard));
    let action = result.action().expect("an action");
    assert_eq!(action.r#type(), Some(&ImageActionType::Expire));
    assert_eq!(action.target_storage_class(), None);
    let summary = preview.summary().expect("a summary");
    assert_eq!(summary.expiring_image_total_count(), Some(1));
    assert!(summary.transitioning_image_total_counts().is_empty());

    let delete = client.delete_lifecycle_policy().repository_name(NAME);
    let deleted = delete.send().await.expect("DeleteLifecyclePolicy");
    assert_eq!(deleted.lifecycle_policy_text(), Some(KEEP_ONE));
    let gone = client.get_lifecycle_policy().repository_name(NAME);
    let gone = gone.send().await.expect_err("it is gone");
    let gone = gone.into_service_error();
    assert!(gone.is_lifecycle_policy_not_found_exception());
}

#[tokio::test]
async fn an_image_to_the_archive_and_back() {
    let world = World::start().await;
    let client = client(&world).await;
    let made = client.create_repository().repository_name(NAME);
    made.send().await.expect("CreateRepository");
    let layout = Layout::image("cold");
    push(&client, &layout, Some("v1")).await;
    for (class, status) in [
        (TargetStorageClass::Archive, ImageStatus::Archived),
        (TargetStorageClass::Standard, ImageStatus::Activating),
    ] {
        let update = client.update_image_storage_class().repository_name(NAME);
        let update = update.image_id(by_tag("v1")).target_storage_class(class);
        let told = update.send().await.expect("UpdateImageStorageClass");
        assert_eq!(told.image_status(), Some(&status));
        let id = told.image_id().expect("an image id");
        assert_eq!(id.image_digest(), Some(layout.manifest.digest.as_str()));
        assert_eq!(id.image_tag(), Some("v1"));
    }
}
