//! Deployment requests and what is kept of deployments (section 6, cases 13 and 14).

use std::collections::BTreeSet;

use proptest::prelude::*;
use roadstead_domain::lightsail::deployment::{DeploymentState, DeploymentVersion, superseded};
use roadstead_domain::lightsail::endpoint::{HealthCheck, SuccessCodes};
use roadstead_domain::lightsail::names::ServiceName;
use roadstead_domain::lightsail::refusal::Refusal;
use roadstead_domain::lightsail::requests::{
    ContainerRequest, DeploymentRequest, HealthCheckRequest,
};
use roadstead_domain::lightsail::spec::DeploymentSpec;

use crate::fixtures::{app, container, registered, request, stored, web};

fn check(request: &DeploymentRequest) -> Result<DeploymentSpec, Refusal> {
    DeploymentSpec::check(&web(), request)
}

fn refused(request: &DeploymentRequest) -> String {
    let refusal = check(request).unwrap_err();
    assert_eq!(refusal.kind().exception(), "InvalidInputException");
    refusal.to_string()
}

#[test]
fn one_to_ten_containers() {
    let many = |count: usize| DeploymentRequest {
        containers: (0..count)
            .map(|n| (format!("c{n}"), container("nginx", &[])))
            .collect(),
        public_endpoint: None,
    };
    assert!(check(&many(1)).is_ok());
    assert!(check(&many(10)).is_ok());
    refused(&many(0));
    refused(&many(11));
}

#[test]
fn container_names_come_before_images() {
    let bad = request(&[
        ("app", container(":web.www.LATEST", &[])),
        ("backend_api", container("nginx", &[])),
    ]);
    assert_eq!(
        refused(&bad),
        "Container name \"backend_api\" does not match pattern: \
         ^(?:[a-z0-9]{1,2}|[a-z0-9][a-z0-9-]+[a-z0-9])$"
    );
}

#[test]
fn images() {
    for image in [
        ":web.www.1",
        ":web.www.latest",
        "nginx",
        "nginx:latest",
        "public.example/team/app@sha256:ab",
    ] {
        let spec = check(&app(image)).unwrap();
        let echoed = spec.containers.values().next().unwrap().image.to_string();
        assert_eq!(echoed, image);
    }
    for image in [
        ":web.www.LATEST",
        ":web.www",
        ":other.www.1",
        ":web.www.0",
        ":",
        "",
        "ngi nx",
        "nginx\n",
    ] {
        assert_eq!(
            refused(&app(image)),
            format!(
                "Container \"app\" has invalid image \"{image}\". \
                 Example of valid image: \":web.app.123\"."
            )
        );
    }
    let service = ServiceName::parse("container-service-1").unwrap();
    let real = request(&[(
        "frontend-ui",
        container(":container-service-1.my-react-ui.LATEST", &[]),
    )]);
    assert_eq!(
        DeploymentSpec::check(&service, &real)
            .unwrap_err()
            .to_string(),
        "Container \"frontend-ui\" has invalid image \":container-service-1.my-react-ui.LATEST\". \
         Example of valid image: \":container-service-1.frontend-ui.123\"."
    );
    refused(&request(&[("app", ContainerRequest::default())]));
}

#[test]
fn ports() {
    let with = |port: &str, protocol: &str| {
        check(&request(&[(
            "app",
            container("nginx", &[(port, protocol)]),
        )]))
    };
    for port in ["1", "80", "65535"] {
        for protocol in ["HTTP", "HTTPS", "TCP", "UDP"] {
            assert!(with(port, protocol).is_ok(), "{port} {protocol}");
        }
    }
    for port in ["0", "65536", "080", "+80", "-1", "", "http", "80.0", " 80"] {
        assert!(with(port, "HTTP").is_err(), "{port}");
    }
    for protocol in ["http", "SCTP", ""] {
        assert!(with("80", protocol).is_err(), "{protocol}");
    }
}

#[test]
fn the_endpoint_names_an_open_http_port() {
    let ports = [
        ("80", "HTTP"),
        ("443", "HTTPS"),
        ("5432", "TCP"),
        ("53", "UDP"),
    ];
    let with = |name: &str, port: i64| {
        let mut request = app("nginx");
        request
            .containers
            .insert("app".into(), container("nginx", &ports));
        let endpoint = request.public_endpoint.as_mut().unwrap();
        endpoint.container_name = name.into();
        endpoint.container_port = port;
        check(&request).is_ok()
    };
    assert!(with("app", 80));
    assert!(with("app", 443));
    for (name, port) in [
        ("app", 5432),
        ("app", 53),
        ("app", 81),
        ("app", 0),
        ("app", -65456),
        ("app", 65616),
        ("other", 80),
        ("", 80),
    ] {
        assert!(!with(name, port), "{name} {port}");
    }
    assert!(check(&request(&[("app", container("nginx", &ports))])).is_ok());
}

#[test]
fn health_check_defaults() {
    let expected = |check: &HealthCheck| {
        assert_eq!(check.healthy_threshold, 2);
        assert_eq!(check.unhealthy_threshold, 2);
        assert_eq!(check.timeout_secs, 2);
        assert_eq!(check.interval_secs, 5);
        assert_eq!(check.success_codes.to_string(), "200-499");
    };
    let none = HealthCheck::check(&HealthCheckRequest::default()).unwrap();
    expected(&none);
    assert_eq!(none.path, "/");
    let partial = HealthCheck::check(&HealthCheckRequest {
        path: Some("/health".into()),
        ..HealthCheckRequest::default()
    })
    .unwrap();
    expected(&partial);
    assert_eq!(partial.path, "/health");
}

#[test]
fn health_check_ranges() {
    let timeout = |secs| HealthCheckRequest {
        timeout_secs: Some(secs),
        ..HealthCheckRequest::default()
    };
    let interval = |secs| HealthCheckRequest {
        interval_secs: Some(secs),
        ..HealthCheckRequest::default()
    };
    let threshold = |n| HealthCheckRequest {
        healthy_threshold: Some(n),
        unhealthy_threshold: Some(n),
        ..HealthCheckRequest::default()
    };
    let path = |path: &str| HealthCheckRequest {
        path: Some(path.into()),
        ..HealthCheckRequest::default()
    };
    for (request, is_good) in [
        (timeout(1), false),
        (timeout(2), true),
        (timeout(60), true),
        (timeout(61), false),
        (interval(4), false),
        (interval(5), true),
        (interval(300), true),
        (interval(301), false),
        (threshold(0), false),
        (threshold(1), true),
        (threshold(i64::MIN), false),
        (path("health"), false),
        (path(""), false),
        (path("/a b"), false),
        (path("/a?b=c"), true),
    ] {
        assert_eq!(HealthCheck::check(&request).is_ok(), is_good, "{request:?}");
    }
}

#[test]
fn success_codes() {
    let both = SuccessCodes::parse("200,202").unwrap();
    assert!(both.accepts(200) && both.accepts(202));
    assert!(!both.accepts(201));
    let range = SuccessCodes::parse("200-299").unwrap();
    assert!(range.accepts(200) && range.accepts(299));
    assert!(!range.accepts(199) && !range.accepts(300));
    assert!(SuccessCodes::default().accepts(404));
    for bad in [
        "",
        "199",
        "500",
        "200-500",
        "299-200",
        "200,",
        ",200",
        "2xx",
        "0200",
        "+200",
        "200-",
        "200 ",
        "200-210-220",
    ] {
        assert!(SuccessCodes::parse(bad).is_err(), "{bad}");
    }
    assert!(SuccessCodes::parse(&["200"; 300].join(",")).is_ok());
    assert!(SuccessCodes::parse(&["200"; 301].join(",")).is_err());
}

#[test]
fn pins_fix_what_latest_meant() {
    let both = request(&[
        ("app", container(":web.www.latest", &[])),
        ("db", container("postgres", &[])),
        ("old", container(":web.www.1", &[])),
    ]);
    let spec = check(&both).unwrap();
    let images = stored(&[":web.www.1", ":web.www.2", ":web.api.7"]);
    let pins = spec.pin(&images).unwrap();
    let pinned: Vec<_> = pins
        .iter()
        .map(|(name, pin)| (name.as_str(), pin.image.clone(), pin.digest.clone()))
        .collect();
    assert_eq!(
        pinned,
        [
            ("app", registered(":web.www.2"), images[1].digest.clone()),
            ("old", registered(":web.www.1"), images[0].digest.clone()),
        ]
    );
    let refusal = spec.pin(&images[..0]).unwrap_err();
    assert_eq!(refusal.kind().exception(), "NotFoundException");
    assert!(refusal.to_string().contains(":web.www.latest"));
}

#[test]
fn fifty_deployments_are_kept_and_never_a_live_one_goes() {
    let row = |version| (DeploymentVersion(version), DeploymentState::Inactive);
    let mut rows: Vec<_> = (1..=50).map(row).collect();
    assert_eq!(superseded(&rows), BTreeSet::new());
    rows.push((DeploymentVersion(51), DeploymentState::Activating));
    assert_eq!(superseded(&rows), BTreeSet::from([DeploymentVersion(1)]));
    rows[0].1 = DeploymentState::Active;
    assert_eq!(superseded(&rows), BTreeSet::from([DeploymentVersion(2)]));
    rows.reverse();
    assert_eq!(superseded(&rows), BTreeSet::from([DeploymentVersion(2)]));
}

proptest! {
    #[test]
    fn what_is_kept_is_live_or_newest(finished in 0..120_u64, live in prop::collection::btree_set(1..120_u64, 0..3)) {
        let state = |version| match live.contains(&version) {
            true => DeploymentState::Active,
            false => DeploymentState::Failed,
        };
        let rows: Vec<_> = (1..=finished)
            .map(|version| (DeploymentVersion(version), state(version)))
            .collect();
        let gone = superseded(&rows);
        prop_assert_eq!(rows.len() - gone.len(), rows.len().min(50));
        let oldest_kept = rows
            .iter()
            .filter(|(version, state)| !gone.contains(version) && !state.is_live())
            .map(|(version, _)| *version)
            .min();
        for version in gone {
            prop_assert!(!live.contains(&version.0));
            prop_assert!(oldest_kept.is_none_or(|kept| version < kept));
        }
    }
}
