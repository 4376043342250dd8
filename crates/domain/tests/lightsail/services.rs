//! States of a service, call by call (sections 5 and 6, cases 10, 12, 13 and 15).

use roadstead_domain::lightsail::deployment::{DeploymentState, DeploymentVersion};
use roadstead_domain::lightsail::log_lines::{Happening, SystemLine};
use roadstead_domain::lightsail::power::{Power, Scale};
use roadstead_domain::lightsail::service::{
    Advance, Effect, Failure, RecordedEnd, Report, Service, ServiceUpdate, check_creation,
    check_registry_login,
};
use roadstead_domain::lightsail::state::{ServiceState, StateDetailCode};
use roadstead_domain::time::Span;

use crate::fixtures::{DWELL, advanced, at, new_service, ready, running, spec, web};

const ONE: DeploymentVersion = DeploymentVersion(1);
const TWO: DeploymentVersion = DeploymentVersion(2);

fn disable(is_disabled: bool) -> ServiceUpdate {
    ServiceUpdate {
        is_disabled: Some(is_disabled),
        ..ServiceUpdate::default()
    }
}

fn deploying(service: &Service, image: &str) -> Service {
    let (spec, pins) = spec(image);
    service.deploy(spec, pins, at(100)).unwrap().service
}

fn lines(effects: &[Effect]) -> Vec<String> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Log(line) => Some(line.to_string()),
            _ => None,
        })
        .collect()
}

#[test]
fn creation_passes_from_pending_to_ready_with_nothing_between() {
    let created = Service::create(new_service(), at(0));
    assert_eq!(created.state, ServiceState::Pending);
    assert_eq!(created.detail, None);
    assert!(!created.has_principal());
    assert_eq!(
        created.advance(at(0), DWELL, Report::Healthy),
        Advance::Unchanged
    );
    assert_eq!(created.due_at(DWELL), Some(at(0) + DWELL));
    let ready = advanced(&created, Report::Healthy).service;
    assert_eq!(ready.state, ServiceState::Ready);
    assert!(ready.has_principal());
    assert_eq!(ready.due_at(DWELL), None);
    assert_eq!(
        ready.advance(at(1_000_000), DWELL, Report::Healthy),
        Advance::Unchanged
    );
}

#[test]
fn creation_with_a_deployment_deploys_it() {
    let mut new = new_service();
    new.deployment = Some(spec("nginx:latest"));
    let created = Service::create(new, at(0));
    assert_eq!(created.state, ServiceState::Pending);
    let begun = advanced(&created, Report::Healthy);
    assert_eq!(begun.service.state, ServiceState::Deploying);
    assert!(begun.effects.contains(&Effect::Start(ONE)));
    let running = advanced(&begun.service, Report::Healthy).service;
    assert_eq!(running.state, ServiceState::Running);
    assert_eq!(running.current.unwrap().version, ONE);
    let failed = advanced(&begun.service, Report::Failed(Failure::TookTooLong)).service;
    assert_eq!(failed.state, ServiceState::Ready);
}

#[test]
fn creation_is_refused_for_taken_names_and_beyond_the_quota() {
    assert!(check_creation(&web(), false, 99).is_ok());
    assert_eq!(
        check_creation(&web(), true, 1).unwrap_err().to_string(),
        "Some names are already in use: web"
    );
    assert!(check_creation(&web(), false, 100).is_err());
    assert_eq!(
        check_registry_login(0).unwrap_err().to_string(),
        "You must create a container service before retrieving container registry login credentials"
    );
    assert!(check_registry_login(1).is_ok());
}

#[test]
fn a_deployment_is_answered_as_activating_and_takes_over_when_healthy() {
    let one = running(":web.www.1");
    let (next, pins) = spec(":web.www.2");
    let answer = one.deploy(next, pins, at(100)).unwrap();
    let service = answer.service;
    assert_eq!(service.state, ServiceState::Deploying);
    let next = service.next.as_ref().unwrap();
    assert_eq!(next.version, TWO);
    assert_eq!(next.state, DeploymentState::Activating);
    assert_eq!(service.current.as_ref().unwrap().version, ONE);
    assert_eq!(
        lines(&answer.effects),
        ["[deployment:2] Creating your deployment"]
    );
    assert_eq!(
        service.advance(at(100), DWELL, Report::Healthy),
        Advance::Unchanged
    );

    let done = advanced(&service, Report::Healthy);
    assert_eq!(done.service.state, ServiceState::Running);
    assert_eq!(done.service.next, None);
    let current = done.service.current.unwrap();
    assert_eq!(
        (current.version, current.state),
        (TWO, DeploymentState::Active)
    );
    assert_eq!(done.finished.len(), 1);
    assert_eq!(done.finished[0].version, ONE);
    assert_eq!(done.finished[0].state, DeploymentState::Inactive);
    assert_eq!(
        lines(&done.effects),
        [
            "[deployment:2] Started 1 new node",
            "[deployment:2] Reached a steady state",
            "[deployment:1] Finalizing your deployment",
        ]
    );
    assert!(done.effects.contains(&Effect::Stop(ONE)));
}

#[test]
fn a_failure_keeps_the_old_deployment_and_counts_its_number() {
    let one = running(":web.www.1");
    let failed = advanced(
        &deploying(&one, "nginx"),
        Report::Failed(Failure::TookTooLong),
    );
    assert_eq!(failed.service.state, ServiceState::Running);
    assert_eq!(failed.service.current.as_ref().unwrap().version, ONE);
    assert_eq!(failed.service.next, None);
    assert_eq!(failed.finished[0].state, DeploymentState::Failed);
    assert_eq!(lines(&failed.effects), ["[deployment:2] Took too long"]);
    let third = deploying(&failed.service, "nginx");
    assert_eq!(third.next.unwrap().version, DeploymentVersion(3));

    let first = advanced(
        &deploying(&ready(), "nginx"),
        Report::Failed(Failure::Canceled),
    );
    assert_eq!(first.service.state, ServiceState::Ready);
    assert_eq!(lines(&first.effects), ["[deployment:1] Canceled"]);
}

#[test]
fn without_a_runtime_the_log_says_so() {
    let started = deploying(&ready(), "nginx");
    for (end, state, deployment_failed) in [
        (RecordedEnd::Active, ServiceState::Running, false),
        (RecordedEnd::Failed, ServiceState::Ready, true),
    ] {
        let done = advanced(&started, Report::NoRuntime(end));
        assert_eq!(done.service.state, state);
        assert_eq!(!done.finished.is_empty(), deployment_failed);
        assert_eq!(
            lines(&done.effects),
            ["[deployment:1] No engine configured: nothing runs. The deployment is recorded only."]
        );
    }
}

#[test]
fn details_move_forward_and_nothing_hangs() {
    use StateDetailCode::*;
    let started = deploying(&ready(), "nginx");
    assert_eq!(started.detail, Some(CreatingDeployment));
    let later = advanced(&started, Report::Working(EvaluatingHealthCheck)).service;
    assert_eq!(later.detail, Some(EvaluatingHealthCheck));
    assert_eq!(later.since, started.since);
    for code in [CreatingDeployment, EvaluatingHealthCheck, UnknownError] {
        assert_eq!(
            later.advance(at(101), DWELL, Report::Working(code)),
            Advance::Unchanged
        );
    }
    let late = later.since + Span::seconds(600);
    let Advance::Changed(done) = later.advance(late, DWELL, Report::Working(ActivatingDeployment))
    else {
        panic!("still waiting");
    };
    assert_eq!(lines(&done.effects), ["[deployment:1] Took too long"]);
    assert_eq!(done.service.detail, None);
}

#[test]
fn a_call_during_a_deployment_says_which() {
    let mut service = running("nginx");
    service.next_version = DeploymentVersion(8);
    let service = deploying(&service, "nginx");
    let (again, pins) = spec("nginx");
    let expected = "Sorry, deployment 8 is in progress for service \"web\". \
                    Please wait for it to complete before trying again.";
    for refusal in [
        service.deploy(again, pins, at(101)).unwrap_err(),
        service
            .update(ServiceUpdate::default(), at(101))
            .unwrap_err(),
    ] {
        assert_eq!(refusal.to_string(), expected);
        assert_eq!(refusal.kind().exception(), "InvalidInputException");
    }
}

#[test]
fn a_call_in_another_busy_state_asks_to_try_again() {
    let pending = Service::create(new_service(), at(0));
    let updating = ready().update(ServiceUpdate::default(), at(1)).unwrap();
    for service in [pending, updating.service] {
        let (next, pins) = spec("nginx");
        for refusal in [
            service.deploy(next, pins, at(1)).unwrap_err(),
            service.update(disable(true), at(1)).unwrap_err(),
        ] {
            let text = refusal.to_string();
            assert!(text.contains("Please try again in a few minutes"), "{text}");
            assert_eq!(refusal.kind().exception(), "InvalidInputException");
        }
    }
}

#[test]
fn updates_end_where_they_began_unless_they_switch() {
    for (service, end) in [
        (ready(), ServiceState::Ready),
        (running("nginx"), ServiceState::Running),
    ] {
        let answer = service.update(ServiceUpdate::default(), at(100)).unwrap();
        assert_eq!(answer.service.state, ServiceState::Updating);
        assert_eq!(answer.effects, []);
        assert_eq!(
            answer.service.advance(at(100), DWELL, Report::Healthy),
            Advance::Unchanged
        );
        assert_eq!(
            advanced(&answer.service, Report::Healthy).service.state,
            end
        );
    }
}

#[test]
fn a_new_capacity_restarts_the_deployment_under_its_number() {
    let larger = ServiceUpdate {
        power: Some(Power::Large),
        scale: Some(Scale::parse(3).unwrap()),
        ..ServiceUpdate::default()
    };
    let answer = running("nginx").update(larger.clone(), at(100)).unwrap();
    assert_eq!(answer.effects, [Effect::Restart(ONE)]);
    let done = advanced(&answer.service, Report::Healthy).service;
    assert_eq!(done.power, Power::Large);
    assert_eq!(done.scale.nodes(), 3);
    assert_eq!(done.current.as_ref().unwrap().version, ONE);
    assert_eq!(done.next_version, TWO);
    // Terraform sends every member again: no second restart.
    assert_eq!(done.update(larger, at(200)).unwrap().effects, []);
}

#[test]
fn switching_off_and_on() {
    let off = running("nginx").update(disable(true), at(100)).unwrap();
    assert_eq!(off.service.state, ServiceState::Updating);
    assert_eq!(off.effects, [Effect::Stop(ONE)]);
    let off = advanced(&off.service, Report::Healthy).service;
    assert_eq!(off.state, ServiceState::Disabled);
    assert!(off.is_disabled && off.current.is_some());

    let (next, pins) = spec("nginx");
    let refusal = off.deploy(next, pins, at(200)).unwrap_err();
    assert_eq!(refusal.kind().exception(), "InvalidInputException");
    let text = refusal.to_string();
    assert!(
        text.contains("disabled and cannot be deployed to"),
        "{text}"
    );
    assert!(!text.contains("try"), "not a transient state: {text}");

    // Other updates leave it off.
    let resized = ServiceUpdate {
        scale: Some(Scale::parse(2).unwrap()),
        is_disabled: Some(true),
        ..ServiceUpdate::default()
    };
    let resized = off.update(resized, at(200)).unwrap();
    assert_eq!(resized.effects, []);
    let still_off = advanced(&resized.service, Report::Healthy).service;
    assert_eq!(still_off.state, ServiceState::Disabled);

    let on = still_off.update(disable(false), at(300)).unwrap();
    assert_eq!(on.effects, [Effect::Start(ONE)]);
    let on = advanced(&on.service, Report::Healthy).service;
    assert_eq!(on.state, ServiceState::Running);

    let empty = ready().update(disable(true), at(1)).unwrap().service;
    let empty = advanced(&empty, Report::Healthy).service;
    assert_eq!(empty.state, ServiceState::Disabled);
    let empty = empty.update(disable(false), at(2)).unwrap().service;
    assert_eq!(
        advanced(&empty, Report::Healthy).service.state,
        ServiceState::Ready
    );
}

#[test]
fn deletion_from_any_state() {
    let disabled = advanced(
        &ready().update(disable(true), at(1)).unwrap().service,
        Report::Healthy,
    );
    for service in [
        Service::create(new_service(), at(0)),
        ready(),
        running("nginx"),
        deploying(&running("nginx"), "nginx"),
        ready()
            .update(ServiceUpdate::default(), at(1))
            .unwrap()
            .service,
        disabled.service,
    ] {
        let deleting = service.delete(at(500)).service;
        assert_eq!(deleting.state, ServiceState::Deleting);
        assert_eq!(
            deleting.advance(at(500), DWELL, Report::Healthy),
            Advance::Unchanged
        );
        assert_eq!(
            deleting.advance(at(501), DWELL, Report::Healthy),
            Advance::Gone
        );
        // Asking again neither fails nor begins anew.
        assert_eq!(deleting.delete(at(501)).service, deleting);
        let (next, pins) = spec("nginx");
        for refusal in [
            deleting.deploy(next, pins, at(501)).unwrap_err(),
            deleting.update(disable(true), at(501)).unwrap_err(),
        ] {
            let text = refusal.to_string();
            assert!(!text.contains("try"), "nothing to wait for: {text}");
        }
    }
}

#[test]
fn several_nodes_are_told_in_the_plural() {
    let line = SystemLine {
        deployment: DeploymentVersion(17),
        happening: Happening::StartedNodes(3),
    };
    assert_eq!(line.to_string(), "[deployment:17] Started 3 new nodes");
}
