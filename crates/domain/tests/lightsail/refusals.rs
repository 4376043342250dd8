//! Which exception and code carry a refusal, and that waiting is advised only where it helps
//! (section 1.1).

use roadstead_domain::digest::Digest;
use roadstead_domain::lightsail::deployment::DeploymentVersion;
use roadstead_domain::lightsail::refusal::{Refusal, RefusalKind};
use roadstead_domain::lightsail::state::ServiceState;

use crate::fixtures::{registered, web};

#[test]
fn exceptions_and_codes() {
    for (kind, exception, code) in [
        (RefusalKind::NotFound, "NotFoundException", "DoesNotExist"),
        (
            RefusalKind::InvalidParameter,
            "InvalidInputException",
            "InvalidParameterValue",
        ),
        (
            RefusalKind::Unsupported,
            "InvalidInputException",
            "UnsupportedOperation",
        ),
    ] {
        assert_eq!((kind.exception(), kind.code()), (exception, code));
    }
}

#[test]
fn only_what_names_something_absent_is_not_found() {
    for (refusal, kind) in [
        (Refusal::ServiceNotFound(web()), RefusalKind::NotFound),
        (
            Refusal::DigestNotPushed(Digest::sha256(b"")),
            RefusalKind::NotFound,
        ),
        (
            Refusal::ImageNotFound(":web.www.9".into()),
            RefusalKind::NotFound,
        ),
        (
            Refusal::DigestForm("latest".into()),
            RefusalKind::InvalidParameter,
        ),
        (
            Refusal::CertificatesUnknown(vec!["nope".into()]),
            RefusalKind::InvalidParameter,
        ),
        (Refusal::Disabled(web()), RefusalKind::Unsupported),
        (
            Refusal::ImageInUse(registered(":web.www.1")),
            RefusalKind::Unsupported,
        ),
    ] {
        assert_eq!(refusal.kind(), kind, "{refusal}");
    }
}

#[test]
fn waiting_is_advised_in_transient_states_only() {
    let retries = |refusal: Refusal| {
        let text = refusal.to_string();
        text.contains("Please try again in a few minutes")
            || text.contains("Please wait for it to complete before trying again")
    };
    for state in [ServiceState::Pending, ServiceState::Updating] {
        let service = web();
        assert!(retries(Refusal::Busy { service, state }));
    }
    assert!(retries(Refusal::DeploymentInProgress {
        service: web(),
        deployment: DeploymentVersion(1),
    }));
    for lasting in [
        Refusal::Disabled(web()),
        Refusal::BeingDeleted(web()),
        Refusal::NameInUse(web()),
        Refusal::TooManyImages(web()),
        Refusal::TooManyServices,
        Refusal::NoServiceForLogin,
        Refusal::ImageInUse(registered(":web.www.1")),
    ] {
        assert!(!retries(lasting));
    }
}
