//! Registering, resolving, deleting and listing images (section 4, cases 1 to 8).

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use roadstead_domain::digest::Digest;
use roadstead_domain::lightsail::deployment::DeploymentState;
use roadstead_domain::lightsail::images::{
    RegistrationState, parse_digest, plan_delete_image, plan_registration, resolve,
    sort_newest_first,
};
use roadstead_domain::lightsail::names::{ImageLabel, ImageReference, ServiceName};
use roadstead_domain::lightsail::refusal::{Refusal, RefusalKind};
use roadstead_domain::lightsail::service::{Report, Service};
use roadstead_domain::lightsail::state::ServiceState;
use roadstead_domain::lightsail::versions::{Counters, VersionScope};

use crate::fixtures::{advanced, at, registered, running, spec, stored, web};

fn state() -> RegistrationState {
    RegistrationState {
        service_state: ServiceState::Ready,
        is_pushed: true,
        stored_images: 0,
        counters: Counters::default(),
    }
}

/// The counters as a store would keep them.
#[derive(Default)]
struct Kept {
    labels: BTreeMap<String, u64>,
    service: Option<u64>,
}

impl Kept {
    fn register(&mut self, label: &str, scope: VersionScope) -> String {
        let counters = Counters {
            label_next: self.labels.get(label).copied().unwrap_or(1),
            service_next: self.service.unwrap_or(1),
        };
        let label_name = ImageLabel::parse(label).unwrap();
        let digest = Digest::sha256(b"1");
        let now = RegistrationState {
            counters,
            ..state()
        };
        let (image, counters) =
            plan_registration(&web(), &label_name, &digest, &now, scope).unwrap();
        self.labels.insert(label.into(), counters.label_next);
        self.service = Some(counters.service_next);
        image.to_string()
    }
}

fn names(scope: VersionScope, labels: &[&str]) -> Vec<String> {
    let mut kept = Kept::default();
    labels
        .iter()
        .map(|label| kept.register(label, scope))
        .collect()
}

#[test]
fn versions_count_per_label_as_documented() {
    assert_eq!(
        names(VersionScope::default(), &["www", "www", "api", "www"]),
        [":web.www.1", ":web.www.2", ":web.api.1", ":web.www.3"]
    );
}

#[test]
fn versions_count_per_service_as_observed() {
    assert_eq!(
        names(VersionScope::PerService, &["www", "api", "www"]),
        [":web.www.1", ":web.api.2", ":web.www.3"]
    );
}

proptest! {
    #[test]
    fn no_name_is_given_twice_whatever_the_setting(
        calls in prop::collection::vec((0..3_usize, any::<bool>()), 0..40),
    ) {
        let mut kept = Kept::default();
        let mut seen = BTreeSet::new();
        for (label, per_service) in calls {
            let scope = if per_service { VersionScope::PerService } else { VersionScope::PerLabel };
            prop_assert!(seen.insert(kept.register(["a", "b", "c"][label], scope)));
        }
    }
}

#[test]
fn registrations_that_are_refused() {
    let (label, digest) = (ImageLabel::parse("www").unwrap(), Digest::sha256(b"1"));
    let plan = |now: &RegistrationState| {
        plan_registration(&web(), &label, &digest, now, VersionScope::PerLabel)
    };
    let unpushed = plan(&RegistrationState {
        is_pushed: false,
        ..state()
    })
    .unwrap_err();
    assert_eq!(unpushed.kind(), RefusalKind::NotFound);
    assert_eq!(
        unpushed.to_string(),
        format!("Image with digest \"{digest}\" does not exist in the container service registry.")
    );
    let full = |stored_images| RegistrationState {
        stored_images,
        ..state()
    };
    assert!(plan(&full(149)).is_ok());
    assert_eq!(
        plan(&full(150)).unwrap_err().kind().exception(),
        "InvalidInputException"
    );
    for service_state in ServiceState::ALL {
        let now = RegistrationState {
            service_state,
            ..state()
        };
        assert_eq!(
            plan(&now).is_err(),
            service_state == ServiceState::Deleting,
            "{service_state:?}"
        );
    }
}

#[test]
fn digests_are_sha256() {
    let hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert!(parse_digest(&format!("sha256:{hex}")).is_ok());
    for bad in [
        "latest".to_owned(),
        hex.to_owned(),
        format!("sha256:{}", hex.to_uppercase()),
        format!("sha512:{hex}{hex}"),
        String::new(),
    ] {
        let refusal = parse_digest(&bad).unwrap_err();
        assert_eq!(refusal.kind().exception(), "InvalidInputException", "{bad}");
        assert_eq!(
            refusal.to_string(),
            format!("Digest \"{bad}\" does not match pattern: ^sha256:[a-f0-9]{{64}}$")
        );
    }
}

#[test]
fn latest_is_the_highest_version_that_is_left() {
    let latest = ImageReference::parse(":web.www.latest").unwrap();
    let name =
        |names: &[&str]| resolve(&latest, &stored(names)).map(|found| found.image.to_string());
    assert_eq!(
        name(&[":web.www.9", ":web.www.10", ":web.api.12", ":web.www.2"]).as_deref(),
        Some(":web.www.10")
    );
    assert_eq!(name(&[":web.www.9"]).as_deref(), Some(":web.www.9"));
    assert_eq!(name(&[":web.api.1", ":other.www.1"]), None);
}

#[test]
fn deletions_of_what_is_not_one_stored_image_of_the_service() {
    let delete = |image: &str, is_stored| {
        plan_delete_image(image, &web(), |_| is_stored, None, None).map(|image| image.to_string())
    };
    assert_eq!(delete(":web.www.1", true).unwrap(), ":web.www.1");
    for image in [
        "web.www.1",
        "nginx:latest",
        "nginx",
        ":other.www.1",
        ":web.www.latest",
        ":web.www",
        "",
    ] {
        let refusal = delete(image, true).unwrap_err();
        assert_eq!(refusal.kind().exception(), "InvalidInputException");
        assert_eq!(
            refusal.to_string(),
            format!("Invalid image \"{image}\". Example of valid image: \":web.mylabel.1\".")
        );
    }
    let unknown = delete(":web.www.99", false).unwrap_err();
    assert_eq!(unknown.kind().exception(), "NotFoundException");
    assert_eq!(unknown.kind().code(), "DoesNotExist");
}

fn delete_from(service: &Service, image: &str) -> Result<String, Refusal> {
    plan_delete_image(
        image,
        &service.name,
        |_| true,
        service.current.as_ref(),
        service.next.as_ref(),
    )
    .map(|image| image.to_string())
}

#[test]
fn images_in_use_stay_by_name() {
    let one = running(":web.www.1");
    assert_eq!(
        delete_from(&one, ":web.www.1").unwrap_err().to_string(),
        "Image \":web.www.1\" is in use by the current deployment and cannot be deleted."
    );
    assert!(delete_from(&one, ":web.www.2").is_ok());

    let (next, pins) = spec(":web.www.latest");
    let both = one.deploy(next, pins, at(20)).unwrap().service;
    assert!(delete_from(&both, ":web.www.1").is_err());
    assert!(delete_from(&both, ":web.www.2").is_err());
    assert!(delete_from(&both, ":web.api.1").is_ok());

    // A newer deployment frees the image of the older one.
    let two = advanced(&both, Report::Healthy).service;
    assert!(delete_from(&two, ":web.www.1").is_ok());
    assert!(delete_from(&two, ":web.www.2").is_err());
}

#[test]
fn finished_deployments_protect_nothing() {
    let mut deployment = running(":web.www.1").current.unwrap();
    for (state, is_refused) in [
        (DeploymentState::Active, true),
        (DeploymentState::Activating, true),
        (DeploymentState::Inactive, false),
        (DeploymentState::Failed, false),
    ] {
        deployment.state = state;
        let plan = plan_delete_image(":web.www.1", &web(), |_| true, Some(&deployment), None);
        assert_eq!(plan.is_err(), is_refused, "{state:?}");
    }
}

#[test]
fn listing_is_newest_first_across_labels() {
    let mut images = stored(&[":web.www.1", ":web.api.1", ":web.www.2"]);
    sort_newest_first(&mut images);
    let listed: Vec<_> = images.iter().map(|image| image.image.clone()).collect();
    let expected = [":web.www.2", ":web.api.1", ":web.www.1"].map(registered);
    assert_eq!(listed, expected);

    for image in &mut images {
        image.created_at = at(0);
    }
    images.reverse();
    sort_newest_first(&mut images);
    let listed: Vec<_> = images.iter().map(|image| image.image.clone()).collect();
    assert_eq!(listed, expected);
}

#[test]
fn an_unknown_service() {
    let refusal = Refusal::ServiceNotFound(ServiceName::parse("nope").unwrap());
    assert_eq!(
        refusal.to_string(),
        "The container service \"nope\" does not exist."
    );
    assert_eq!(refusal.kind().exception(), "NotFoundException");
}
