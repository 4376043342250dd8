//! Names, patterns, lengths, and the names of registered images (section 2, cases 4 and 6).

use proptest::prelude::*;
use roadstead_domain::lightsail::names::{
    ContainerName, ImageLabel, ImageReference, ImageVersion, ServiceName,
};

const PATTERN: &str = "^(?:[a-z0-9]{1,2}|[a-z0-9][a-z0-9-]+[a-z0-9])$";

#[test]
fn the_anchored_pattern() {
    for good in ["a", "1", "ab", "a--b", "a-b", "container-service-1", "abc"] {
        assert!(ServiceName::parse(good).is_ok(), "{good}");
        assert!(ImageLabel::parse(good).is_ok(), "{good}");
        assert!(ContainerName::parse(good).is_ok(), "{good}");
    }
    // The model's expression, searched without anchors, takes the first three.
    for bad in [
        "ab_CD!", "-app", "a-", "", "-", "--", "a.b", "my_app", "App", "a b", "a\n", "é", "abé",
    ] {
        assert!(ServiceName::parse(bad).is_err(), "{bad}");
        assert!(ImageLabel::parse(bad).is_err(), "{bad}");
        assert!(ContainerName::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn lengths() {
    let of = |length: usize| "a".repeat(length);
    assert!(ServiceName::parse(&of(63)).is_ok());
    assert!(ServiceName::parse(&of(64)).is_err());
    assert!(ImageLabel::parse(&of(53)).is_ok());
    assert!(ImageLabel::parse(&of(54)).is_err());
    assert!(ContainerName::parse(&of(53)).is_ok());
    assert!(ContainerName::parse(&of(54)).is_err());
}

#[test]
fn refusals_name_the_name_and_the_pattern() {
    let text = ContainerName::parse("backend_api").unwrap_err().to_string();
    assert_eq!(
        text,
        format!("Container name \"backend_api\" does not match pattern: {PATTERN}")
    );
    let text = ImageLabel::parse("-app").unwrap_err().to_string();
    assert_eq!(
        text,
        format!("Label \"-app\" does not match pattern: {PATTERN}")
    );
}

#[test]
fn references() {
    let parsed = ImageReference::parse(":container-service-1.mystaticwebsite.1").unwrap();
    assert_eq!(parsed.service().as_str(), "container-service-1");
    assert_eq!(parsed.label().as_str(), "mystaticwebsite");
    let ImageReference::Version(image) = parsed else {
        panic!("not a version");
    };
    assert_eq!(image.version, ImageVersion(1));
    assert!(matches!(
        ImageReference::parse(":web.www.latest"),
        Ok(ImageReference::Latest { .. })
    ));
    for bad in [
        "",
        ":",
        "web.www.1",
        ":web.www",
        ":web.www.",
        ":web.www.0",
        ":web.www.01",
        ":web.www.+1",
        ":web.www.-1",
        ":web.www.1.2",
        ":web.www.LATEST",
        ":web.www.Latest",
        ":web..1",
        ":.www.1",
        ":web.my_app.1",
        ":Web.www.1",
        ":web.www.1 ",
        "::web.www.1",
        ":web.www.99999999999999999999999999",
        "nginx:latest",
    ] {
        assert!(ImageReference::parse(bad).is_err(), "{bad}");
    }
}

proptest! {
    #[test]
    fn names_are_what_the_expression_matches(text in "[a-c0-2A_.-]{0,5}") {
        let matches = regex_like(&text);
        prop_assert_eq!(ServiceName::parse(&text).is_ok(), matches);
    }

    #[test]
    fn references_round_trip(
        service in "[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?",
        label in "[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?",
        version in prop_oneof![Just("latest".to_owned()), "[1-9][0-9]{0,17}"],
    ) {
        let text = format!(":{service}.{label}.{version}");
        prop_assert_eq!(ImageReference::parse(&text).unwrap().to_string(), text);
    }

    #[test]
    fn whatever_parses_displays_as_it_was_written(text in ":?[a-c.0-1-]{0,12}") {
        if let Ok(reference) = ImageReference::parse(&text) {
            prop_assert_eq!(reference.to_string(), text);
        }
    }

    #[test]
    fn no_text_panics(text in any::<String>()) {
        let _ = ServiceName::parse(&text);
        let _ = ImageReference::parse(&text);
    }
}

/// The expression, spelled out from its two branches.
fn regex_like(text: &str) -> bool {
    let alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let short = (1..=2).contains(&text.len()) && text.chars().all(alphanumeric);
    let long = text.len() >= 3
        && text.starts_with(alphanumeric)
        && text.ends_with(alphanumeric)
        && text.chars().all(|c| alphanumeric(c) || c == '-');
    short || long
}
