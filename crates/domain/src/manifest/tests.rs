//! Manifests that are taken, and every way in which one is refused.

use serde_json::json;

use super::*;

fn descriptor_json(content: &str, size: u64) -> Value {
    json!({
        "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
        "digest": Digest::sha256(content.as_bytes()).as_str(),
        "size": size,
    })
}

fn image_json() -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": Digest::sha256(b"config").as_str(),
            "size": 10,
        },
        "layers": [descriptor_json("a", 100), descriptor_json("b", 200), descriptor_json("a", 100)],
    })
}

fn index_json() -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [descriptor_json("m1", 1), descriptor_json("m2", 2), descriptor_json("m1", 1)],
    })
}

fn parse(value: &Value) -> Result<Manifest, ManifestRefusal> {
    Manifest::parse(value.to_string().as_bytes(), None)
}

fn with(mut value: Value, member: &str, new: Value) -> Value {
    value[member] = new;
    value
}

#[test]
fn an_image_names_each_blob_once_and_counts_config_and_layers() {
    let manifest = parse(&image_json()).unwrap();
    assert_eq!(manifest.required_blobs().len(), 3);
    assert_eq!(manifest.image_size_bytes(), 410);
    assert_eq!(
        manifest.artifact_type(),
        Some("application/vnd.oci.image.config.v1+json")
    );
}

#[test]
fn an_index_names_each_child_once() {
    let manifest = parse(&index_json()).unwrap();
    assert_eq!(manifest.children().len(), 2);
    assert!(manifest.required_blobs().is_empty());
    assert_eq!(manifest.artifact_type(), None);
}

#[test]
fn artifact_type_wins_over_the_config() {
    let manifest = parse(&with(
        image_json(),
        "artifactType",
        json!("application/x.sbom"),
    ))
    .unwrap();
    assert_eq!(manifest.artifact_type(), Some("application/x.sbom"));
}

#[test]
fn foreign_layers_need_not_be_held() {
    let mut value = image_json();
    value["layers"][0]["urls"] = json!(["https://example.com/layer"]);
    value["layers"][2]["urls"] = json!(["https://example.com/layer"]);
    value["layers"][1]["mediaType"] =
        json!("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip");
    assert_eq!(parse(&value).unwrap().required_blobs().len(), 1);
    value["config"]["urls"] = json!(["https://example.com/config"]);
    let parsed = parse(&value).unwrap();
    assert_eq!(parsed.required_blobs().len(), 1, "the config");
    assert_eq!(parse(&value).unwrap().blobs().len(), 3);
}

#[test]
fn the_media_type_comes_from_the_manifest_or_the_request() {
    let mut value = image_json();
    value.as_object_mut().unwrap().remove("mediaType");
    let bytes = value.to_string();
    assert_eq!(parse(&value), Err(ManifestRefusal::NoMediaType));
    let sent = MediaType::new("application/vnd.oci.image.manifest.v1+json; charset=utf-8");
    assert_eq!(
        Manifest::parse(bytes.as_bytes(), Some(&sent))
            .unwrap()
            .media_type,
        sent
    );
    let other = MediaType::new(DOCKER_MANIFEST);
    let refusal = Manifest::parse(image_json().to_string().as_bytes(), Some(&other));
    assert!(matches!(
        refusal,
        Err(ManifestRefusal::MediaTypeMismatch { .. })
    ));
}

#[test]
fn what_is_not_one_plain_object_is_refused() {
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let repeated = r#"{"schemaVersion":2,"config":{"digest":"a","digest":"b"}}"#;
    for bad in [
        "",
        "[]",
        "1",
        "{",
        "{}{}",
        "\u{feff}{}",
        "{} x",
        repeated,
        &deep,
    ] {
        let refusal = Manifest::parse(bad.as_bytes(), None);
        assert!(
            matches!(refusal, Err(ManifestRefusal::NotJson(_))),
            "{:.40}",
            bad
        );
    }
    assert!(matches!(
        Manifest::parse(b"{\"a\":\"\xff\"}", None),
        Err(ManifestRefusal::NotJson(_))
    ));
}

#[test]
fn every_other_refusal() {
    use ManifestRefusal::*;
    let huge = vec![descriptor_json("a", 1); LAYERS_MAX + 1];
    let cases = [
        (
            with(image_json(), "schemaVersion", json!(1)),
            NoSchemaVersion,
        ),
        (
            with(image_json(), "schemaVersion", json!("2")),
            NoSchemaVersion,
        ),
        (with(image_json(), "mediaType", json!(7)), NoMediaType),
        (
            with(image_json(), "mediaType", json!("text/html")),
            UnsupportedMediaType("text/html".into()),
        ),
        (with(image_json(), "manifests", json!([])), Ambiguous),
        (with(index_json(), "layers", json!([])), Ambiguous),
        (with(index_json(), "config", json!({})), Ambiguous),
        (with(image_json(), "Layers", json!([])), Ambiguous),
        (with(image_json(), "MEDIATYPE", json!("x")), Ambiguous),
        (
            with(image_json(), "config", json!(null)),
            BadDescriptor("config".into()),
        ),
        (
            with(image_json(), "layers", json!({})),
            BadDescriptor("layers".into()),
        ),
        (
            with(index_json(), "manifests", json!(null)),
            BadDescriptor("manifests".into()),
        ),
        (
            with(image_json(), "subject", json!({"digest": "x"})),
            BadDescriptor("subject".into()),
        ),
        (with(image_json(), "layers", json!(huge)), TooManyLayers),
    ];
    for (value, expected) in cases {
        assert_eq!(parse(&value), Err(expected));
    }
    for size in [
        json!(-1),
        json!(1.5),
        json!("1"),
        json!(u64::MAX),
        json!(null),
    ] {
        let mut value = image_json();
        value["layers"][1]["size"] = size;
        assert_eq!(parse(&value), Err(BadDescriptor("layers[1]".into())));
    }
}

#[test]
fn annotations_that_are_not_text_are_left_out() {
    let value = with(image_json(), "annotations", json!({"a": "1", "b": 2}));
    assert_eq!(
        parse(&value).unwrap().annotations,
        BTreeMap::from([("a".into(), "1".into())])
    );
}
