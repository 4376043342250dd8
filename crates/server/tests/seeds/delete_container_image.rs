//! DeleteContainerImage of the Amazon Lightsail API reference.

use serde_json::{Value, json};

use crate::error;
use crate::lightsail::{Lightsail, SERVICE, deletion};

const IMAGE: &str = ":mycontainerservice.mystaticwebsite.1";

/// A service with one image.
fn registered() -> (Lightsail, String) {
    let lightsail = Lightsail::start();
    let digest = lightsail.push("mystaticwebsite");
    lightsail.register("mystaticwebsite", &digest);
    assert_eq!(lightsail.images(), [IMAGE]);
    (lightsail, digest)
}

/// "The service sends back an HTTP 200 response with an empty HTTP body": the CLI has nothing to
/// print.
#[test]
fn an_image_goes_and_its_number_does_not_come_back() {
    let (lightsail, digest) = registered();
    let answer = lightsail.ok(&deletion(SERVICE, IMAGE));
    assert!([Value::Null, json!({})].contains(&answer), "{answer}");
    assert_eq!(lightsail.images(), [""; 0]);
    let answer = lightsail.register("mystaticwebsite", &digest);
    let name = &answer["containerImage"]["image"];
    assert_eq!(name, ":mycontainerservice.mystaticwebsite.2");
}

#[test]
fn one_of_two_names_of_an_image() {
    let (lightsail, digest) = registered();
    lightsail.register("other", &digest);
    lightsail.ok(&deletion(SERVICE, IMAGE));
    assert_eq!(lightsail.images(), [":mycontainerservice.other.1"]);
}

#[test]
fn invalid_input_exception() {
    let (lightsail, _) = registered();
    lightsail.create("other");
    for (service, image) in [
        // "Images that are registered to your service start with a colon"; the others are
        // public ones, as in the page's note.
        (SERVICE, "nginx:latest"),
        (SERVICE, "nginx"),
        (SERVICE, "mycontainerservice.mystaticwebsite.1"),
        (SERVICE, ":mycontainerservice.mystaticwebsite"),
        (SERVICE, ":mycontainerservice.mystaticwebsite.0"),
        (SERVICE, ":mycontainerservice.mystaticwebsite.latest"),
        (SERVICE, ":other.mystaticwebsite.1"),
        ("other", IMAGE),
        ("My_Service", IMAGE),
    ] {
        let said = lightsail.refused(&deletion(service, image));
        let start = error("InvalidInputException", "DeleteContainerImage");
        assert!(said.starts_with(&start), "{said}");
    }
    assert_eq!(lightsail.images(), [IMAGE]);
}

#[test]
fn not_found_exception() {
    let (lightsail, _) = registered();
    for (service, image) in [
        ("ghost", ":ghost.mystaticwebsite.1"),
        (SERVICE, ":mycontainerservice.mystaticwebsite.99"),
        (SERVICE, ":mycontainerservice.other.1"),
    ] {
        let said = lightsail.refused(&deletion(service, image));
        let start = error("NotFoundException", "DeleteContainerImage");
        assert!(said.starts_with(&start), "{said}");
    }
    lightsail.ok(&deletion(SERVICE, IMAGE));
    let said = lightsail.refused(&deletion(SERVICE, IMAGE));
    let start = error("NotFoundException", "DeleteContainerImage");
    assert!(said.starts_with(&start), "{said}");
}

#[test]
fn unauthenticated_and_access_denied_exception() {
    let (lightsail, _) = registered();
    lightsail.refuses_strangers("DeleteContainerImage", &deletion(SERVICE, IMAGE));
    assert_eq!(lightsail.images(), [IMAGE]);
}
