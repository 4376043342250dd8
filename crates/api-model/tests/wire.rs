//! The typed structs on the wire: times, bytes, names, absent members, secrets.

use roadstead_api_model::{Blob, Sensitive, Timestamp, ecr, lightsail};
use serde_json::json;

#[test]
fn times_are_seconds_with_fraction() {
    let text = |micros| serde_json::to_string(&Timestamp(micros)).unwrap();
    assert_eq!(text(1_504_295_007_000_000), "1504295007.0");
    assert_eq!(text(1_504_295_007_123_000), "1504295007.123");
    assert_eq!(text(0), "0.0");
    let read = |text| serde_json::from_str::<Timestamp>(text).unwrap();
    assert_eq!(read("1.504295007E9"), Timestamp(1_504_295_007_000_000));
    assert_eq!(read("1504295007"), Timestamp(1_504_295_007_000_000));
    assert_eq!(read("1504295007.123456"), Timestamp(1_504_295_007_123_456));
}

#[test]
fn bytes_are_base64() {
    assert_eq!(json!(Blob(b"ab".to_vec())), json!("YWI="));
    assert_eq!(Blob::from_base64("YWI"), Some(Blob(b"ab".to_vec())));
    assert_eq!(Blob::from_base64("YWI="), Some(Blob(b"ab".to_vec())));
    assert_eq!(Blob::from_base64("Y*I="), None);
    assert_eq!(format!("{:?}", Blob(vec![0; 3])), "Blob(3 bytes)");
}

#[test]
fn absent_members_are_left_out_and_empty_lists_are_not() {
    let answer = ecr::BatchDeleteImageResponse {
        failures: Some(vec![]),
        ..Default::default()
    };
    assert_eq!(json!(answer), json!({ "failures": [] }));
}

#[test]
fn tags_keep_their_capitals() {
    let tag = ecr::Tag {
        key: "a".to_owned(),
        value: "b".to_owned(),
    };
    assert_eq!(json!(tag), json!({ "Key": "a", "Value": "b" }));
}

#[test]
fn enums_are_closed() {
    let read = serde_json::from_value::<ecr::ImageTagMutability>;
    assert_eq!(
        read(json!("IMMUTABLE")).unwrap(),
        ecr::ImageTagMutability::Immutable
    );
    assert!(read(json!("immutable")).is_err());
    assert_eq!(ecr::ImageTagMutability::ALL.len(), 4);
    assert_eq!(
        ecr::ImageTagMutability::MutableWithExclusion.as_str(),
        "MUTABLE_WITH_EXCLUSION"
    );
}

#[test]
fn secrets_do_not_show() {
    let secret = || Some(Sensitive("hunter2".to_owned()));
    let login = lightsail::ContainerServiceRegistryLogin {
        password: secret(),
        ..Default::default()
    };
    assert!(!format!("{login:?}").contains("hunter2"));
    assert_eq!(json!(login), json!({ "password": "hunter2" }));
    let token = ecr::AuthorizationData {
        authorization_token: secret(),
        ..Default::default()
    };
    assert!(!format!("{token:?}").contains("hunter2"));
}
