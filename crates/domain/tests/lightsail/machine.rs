//! Laws of the state machine under any sequence of calls and reports.

use proptest::prelude::*;
use roadstead_domain::lightsail::deployment::{DeploymentState, DeploymentVersion};
use roadstead_domain::lightsail::service::{
    Advance, Changed, Failure, RecordedEnd, Report, Service, ServiceUpdate,
};
use roadstead_domain::lightsail::state::{ServiceState, StateDetailCode};
use roadstead_domain::time::Span;

use crate::fixtures::{DWELL, at, new_service, spec};

#[derive(Debug, Clone)]
enum Step {
    Deploy,
    Update(Option<bool>),
    Delete,
    Advance(i64, Report),
}

fn report() -> impl Strategy<Value = Report> {
    prop_oneof![
        (0..StateDetailCode::ALL.len()).prop_map(|at| Report::Working(StateDetailCode::ALL[at])),
        Just(Report::Healthy),
        Just(Report::Failed(Failure::TookTooLong)),
        Just(Report::NoRuntime(RecordedEnd::Active)),
        Just(Report::NoRuntime(RecordedEnd::Failed)),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Deploy),
        3 => any::<Option<bool>>().prop_map(Step::Update),
        1 => Just(Step::Delete),
        8 => (-1_i64..900, report()).prop_map(|(later, report)| Step::Advance(later, report)),
    ]
}

/// Section 5.3: where each state may lead to.
fn may_follow(from: ServiceState, to: ServiceState) -> bool {
    use ServiceState::*;
    to == Deleting
        || matches!(
            (from, to),
            (Pending, Ready | Deploying)
                | (Ready | Running, Deploying | Updating)
                | (Deploying, Ready | Running)
                | (Updating, Ready | Running | Disabled)
                | (Disabled, Updating)
        )
}

fn check(service: &Service) -> Result<(), TestCaseError> {
    use ServiceState::*;
    let state = service.state;
    if let Some(current) = &service.current {
        prop_assert_eq!(current.state, DeploymentState::Active);
        prop_assert!(current.version < service.next_version);
    }
    if let Some(next) = &service.next {
        prop_assert_eq!(next.state, DeploymentState::Activating);
        prop_assert!(matches!(state, Pending | Deploying | Deleting));
    }
    match state {
        Deploying => prop_assert!(service.next.is_some()),
        Running => prop_assert!(service.current.is_some() && !service.is_disabled),
        Ready => prop_assert!(service.current.is_none() && !service.is_disabled),
        Disabled => prop_assert!(service.is_disabled),
        Pending | Updating | Deleting => {}
    }
    prop_assert!(service.detail.is_none() || matches!(state, Pending | Deploying | Updating));
    Ok(())
}

proptest! {
    #[test]
    fn every_walk_stays_on_the_map(
        with_deployment in any::<bool>(),
        steps in prop::collection::vec(step(), 0..40),
    ) {
        let mut new = new_service();
        new.deployment = with_deployment.then(|| spec("nginx"));
        let mut service = Service::create(new, at(0));
        let mut now = at(0);
        let mut finished: Vec<DeploymentVersion> = Vec::new();
        for step in steps {
            let before = service.clone();
            let changed = match step {
                Step::Deploy => {
                    let (next, pins) = spec("nginx");
                    service.deploy(next, pins, now).ok()
                }
                Step::Update(is_disabled) => {
                    let update = ServiceUpdate { is_disabled, ..ServiceUpdate::default() };
                    service.update(update, now).ok()
                }
                Step::Delete => Some(service.delete(now)),
                Step::Advance(later, report) => {
                    now = now + Span::seconds(later);
                    match service.advance(now, DWELL, report) {
                        Advance::Unchanged => None,
                        Advance::Changed(changed) => Some(*changed),
                        Advance::Gone => {
                            prop_assert_eq!(before.state, ServiceState::Deleting);
                            return Ok(());
                        }
                    }
                }
            };
            let Some(Changed { service: after, finished: done, .. }) = changed else { continue };
            check(&after)?;
            if after.state != before.state {
                prop_assert!(may_follow(before.state, after.state), "{before:?} to {after:?}");
            }
            prop_assert!(after.next_version >= before.next_version);
            for deployment in done {
                prop_assert!(!deployment.state.is_live());
                prop_assert!(!finished.contains(&deployment.version));
                finished.push(deployment.version);
            }
            service = after;
        }
    }

    #[test]
    fn every_passing_state_ends(with_deployment in any::<bool>(), report in report()) {
        let mut new = new_service();
        new.deployment = with_deployment.then(|| spec("nginx"));
        let mut service = Service::create(new, at(0));
        let mut now = at(0);
        for _ in 0..2 {
            now = now + Span::seconds(600);
            if let Advance::Changed(changed) = service.advance(now, DWELL, report) {
                service = changed.service;
            }
        }
        prop_assert!(!service.state.is_passing(), "{:?}", service.state);
    }
}
