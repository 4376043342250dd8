//! RegisterContainerImage of the Amazon Lightsail API reference.

use serde_json::json;

use crate::error;
use crate::lightsail::{Lightsail, SERVICE, registration};

/// "If the name of your container service is mycontainerservice, and the label that you specify
/// is mystaticwebsite, then the name of the registered container image will be
/// :mycontainerservice.mystaticwebsite.1." The next of that label are 2 and 3.
#[test]
fn example_of_names_and_versions() {
    let lightsail = Lightsail::start();
    for version in 1..=3 {
        let digest = lightsail.push(&format!("version {version}"));
        let answer = lightsail.register("mystaticwebsite", &digest);
        let image = &answer["containerImage"];
        assert!(image["createdAt"].is_f64(), "{answer}");
        assert_eq!(
            answer,
            json!({ "containerImage": {
                "createdAt": image["createdAt"],
                "digest": digest,
                "image": format!(":{SERVICE}.mystaticwebsite.{version}"),
            } })
        );
    }
    assert_eq!(
        lightsail.images(),
        [3, 2, 1].map(|version| format!(":{SERVICE}.mystaticwebsite.{version}"))
    );
}

#[test]
fn invalid_input_exception() {
    let lightsail = Lightsail::start();
    let digest = lightsail.push("kept out");
    let long = "l".repeat(54);
    let long_service = "s".repeat(64);
    let rows = [
        (SERVICE, "my_app", digest.as_str()),
        (SERVICE, "-app", &digest),
        (SERVICE, "a-", &digest),
        (SERVICE, "App", &digest),
        (SERVICE, &long, &digest),
        ("My-Service", "label", &digest),
        (&long_service, "label", &digest),
        (SERVICE, "label", "latest"),
        (SERVICE, "label", "sha256:zz"),
    ];
    for (service, label, digest) in rows {
        let said = lightsail.refused(&registration(service, label, digest));
        let start = error("InvalidInputException", "RegisterContainerImage");
        assert!(said.starts_with(&start), "{said}");
    }
    // None of them took a number.
    let answer = lightsail.register("a", &digest);
    let name = &answer["containerImage"]["image"];
    assert_eq!(name, &json!(format!(":{SERVICE}.a.1")));
}

#[test]
fn not_found_exception() {
    let lightsail = Lightsail::start();
    let digest = lightsail.push("registered nowhere");
    let absent = crate::support::images::digest_of(b"never pushed");
    for (service, digest) in [("ghost", &digest), (SERVICE, &absent)] {
        let said = lightsail.refused(&registration(service, "label", digest));
        let start = error("NotFoundException", "RegisterContainerImage");
        assert!(said.starts_with(&start), "{said}");
    }
    assert_eq!(lightsail.images(), [""; 0]);
}

#[test]
fn unauthenticated_and_access_denied_exception() {
    let lightsail = Lightsail::start();
    let digest = lightsail.push("not for strangers");
    let args = registration(SERVICE, "label", &digest);
    lightsail.refuses_strangers("RegisterContainerImage", &args);
    assert_eq!(lightsail.images(), [""; 0]);
}
