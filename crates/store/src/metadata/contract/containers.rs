//! Cases about container services, their deployments, images, pushes, logs and usage.

use std::collections::BTreeMap;

use roadstead_domain::ids::{AccountId, ContainerServiceId, RepositoryId};
use roadstead_domain::lightsail::addresses::{AddressPart, RoleId};
use roadstead_domain::lightsail::deployment::{Deployment, DeploymentState, DeploymentVersion};
use roadstead_domain::lightsail::images::StoredImage;
use roadstead_domain::lightsail::log_pages::{LogEvent, LogPosition};
use roadstead_domain::lightsail::names::{
    ContainerName, ImageLabel, ImageVersion, RegisteredImage, ServiceName,
};
use roadstead_domain::lightsail::power::{Power, Scale};
use roadstead_domain::lightsail::registry_access::RegistryAccess;
use roadstead_domain::lightsail::requests::{
    ContainerRequest, DeploymentRequest, EndpointRequest, HealthCheckRequest,
};
use roadstead_domain::lightsail::service::Service;
use roadstead_domain::lightsail::spec::{DeploymentSpec, Pin, Pins};
use roadstead_domain::lightsail::state::{ServiceState, StateDetailCode};
use roadstead_domain::lightsail::versions::Counters;
use roadstead_domain::time::Timestamp;

use super::bench::{ALL, Bench, at, region};
use crate::metadata::{
    ContainerPlace, MetadataStore, NewLogLine, PassingCursor, StoreError, StoredService,
    UsageSample,
};

/// One call of the port as its own transaction, which has to succeed.
macro_rules! call {
    ($bench:expr, $kind:ident, $input:expr, |$tx:ident, $in:ident| $call:expr) => {{
        let done: Result<_, StoreError> = $bench
            .store
            .$kind($input, |$tx, $in| Box::pin(async move { $call.await }))
            .await;
        done.expect("a call of the port")
    }};
}

fn service_name(text: &str) -> ServiceName {
    ServiceName::parse(text).expect("a name")
}

fn container(text: &str) -> ContainerName {
    ContainerName::parse(text).expect("a name")
}

fn place(bench: &Bench<'_>) -> ContainerPlace {
    let bytes = bench.digest("place").as_str().as_bytes().to_vec();
    ContainerPlace {
        account: bench.account.clone(),
        region: region("eu-west-1"),
        address_part: AddressPart::from_random(std::array::from_fn(|n| bytes[n + 8])),
        lightsail: bench.neighbour(),
    }
}

fn service(bench: &Bench<'_>, name: &str, since: i64) -> StoredService {
    let digest = bench.digest(name);
    let bits = u128::from_str_radix(&digest.as_str()[7..39], 16).expect("hex");
    StoredService {
        id: ContainerServiceId::from_random(bits),
        account: bench.account.clone(),
        region: region("eu-west-1"),
        created_at: at(since),
        service: Service {
            name: service_name(name),
            power: Power::Nano,
            scale: Scale::parse(1).expect("a scale"),
            is_disabled: false,
            state: ServiceState::Pending,
            detail: None,
            since: at(since),
            current: None,
            next: None,
            next_version: DeploymentVersion::FIRST,
            domain_names: BTreeMap::new(),
            registry_access: RegistryAccess::default(),
        },
        tags: BTreeMap::new(),
        role: RoleId::from_random([7; 52]),
    }
}

/// Everything that a deployment can hold.
fn deployment(bench: &Bench<'_>, name: &str, version: u64, state: DeploymentState) -> Deployment {
    let app = ContainerRequest {
        image: Some(format!(":{name}.www.latest")),
        command: vec!["run".into(), "\"quoted\" \u{e9}".into()],
        environment: BTreeMap::from([("A".into(), String::new()), ("B".into(), "b\n".into())]),
        ports: BTreeMap::from([("80".into(), "HTTP".into()), ("53".into(), "UDP".into())]),
    };
    let side = ContainerRequest {
        image: Some("nginx:latest".into()),
        ..ContainerRequest::default()
    };
    let request = DeploymentRequest {
        containers: BTreeMap::from([("app".into(), app), ("side".into(), side)]),
        public_endpoint: Some(EndpointRequest {
            container_name: "app".into(),
            container_port: 80,
            health_check: HealthCheckRequest {
                path: Some("/up".into()),
                success_codes: Some("200,300-304".into()),
                ..HealthCheckRequest::default()
            },
        }),
    };
    let service = service_name(name);
    let pin = Pin {
        image: image_name(name, "www", 3),
        digest: bench.digest("pinned"),
    };
    Deployment {
        version: DeploymentVersion(version),
        state,
        spec: DeploymentSpec::check(&service, &request).expect("a deployment"),
        pins: Pins::from([(container("app"), pin)]),
        created_at: at(version as i64),
        finished_at: (!state.is_live()).then(|| at(99)),
    }
}

fn image_name(service: &str, label: &str, version: u64) -> RegisteredImage {
    RegisteredImage {
        service: service_name(service),
        label: ImageLabel::parse(label).expect("a label"),
        version: ImageVersion(version),
    }
}

async fn insert(bench: &Bench<'_>, new: &StoredService) -> bool {
    call!(bench, write, new.clone(), |tx, new| tx
        .insert_container_service(new))
}

async fn read(bench: &Bench<'_>, name: &str) -> Option<StoredService> {
    let key = (bench.account.clone(), service_name(name));
    call!(bench, read, key, |tx, key| tx.container_service(
        &key.0,
        &region("eu-west-1"),
        &key.1
    ))
}

/// A service comes back as it was put and as it was changed, with its live deployments.
pub async fn a_service_comes_back_as_it_was(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let mut web = service(&bench, "web", 1);
    assert_eq!(read(&bench, "web").await, None);
    assert!(insert(&bench, &web).await);
    assert!(!insert(&bench, &service(&bench, "web", 2)).await);
    assert_eq!(read(&bench, "web").await, Some(web.clone()));

    let one = &mut web.service;
    one.power = Power::Xlarge;
    one.scale = Scale::parse(20).expect("a scale");
    one.is_disabled = true;
    one.state = ServiceState::Deploying;
    one.detail = Some(StateDetailCode::EvaluatingHealthCheck);
    one.since = at(9);
    one.current = Some(deployment(&bench, "web", 4, DeploymentState::Active));
    one.next = Some(deployment(&bench, "web", 5, DeploymentState::Activating));
    one.next_version = DeploymentVersion(6);
    one.domain_names = BTreeMap::from([("cert".into(), vec!["a.example".into()])]);
    one.registry_access.role = Some(RoleId::from_random([3; 52]));
    web.tags = BTreeMap::from([
        ("env".into(), Some("dev".into())),
        ("only-key".into(), None),
    ]);
    call!(bench, write, web.clone(), |tx, web| tx
        .update_container_service(web));
    assert_eq!(read(&bench, "web").await, Some(web.clone()));
    let found = call!(bench, read, web.id.clone(), |tx, id| tx
        .container_service_with(id));
    assert_eq!(found, Some(web));
}

/// A place is stored once and found by its address.
pub async fn a_place_is_stored_once(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let first = place(&bench);
    let other = ContainerPlace {
        address_part: AddressPart::from_random([0; 13]),
        ..first.clone()
    };
    for one in [&first, &other] {
        call!(bench, write, one.clone(), |tx, one| tx
            .insert_container_place(one));
    }
    let found = call!(bench, read, first.clone(), |tx, first| tx
        .container_place(&first.account, &first.region));
    assert_eq!(found, Some(first.clone()));
    let found = call!(bench, read, first.clone(), |tx, first| tx
        .container_place_at(&first.address_part));
    assert_eq!(found, Some(first));
}

/// Services page by name in their account and region.
pub async fn services_page_by_name(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    for name in ["b", "a", "c"] {
        assert!(insert(&bench, &service(&bench, name, 1)).await);
    }
    let mut elsewhere = service(&bench, "elsewhere", 1);
    elsewhere.region = region("us-east-1");
    assert!(insert(&bench, &elsewhere).await);
    let account = bench.account.clone();
    let count = call!(bench, read, account, |tx, account| tx
        .container_service_count(account, &region("eu-west-1")));
    assert_eq!(count, 3);
    let mut names = Vec::new();
    let mut after = None;
    loop {
        let input = (bench.account.clone(), after);
        let page: Vec<StoredService> = call!(bench, read, input, |tx, input| tx
            .container_services(&input.0, &region("eu-west-1"), input.1.as_ref(), 2));
        names.extend(page.iter().map(|one| one.service.name.to_string()));
        after = page.last().map(|one| one.service.name.clone());
        if page.len() < 2 {
            break;
        }
    }
    assert_eq!(names, ["a", "b", "c"]);
    let every = call!(bench, read, (), |tx, _input| tx
        .every_container_service(None, ALL));
    let own = every.iter().filter(|one| one.account == bench.account);
    assert_eq!(own.count(), 4);
    assert!(every.is_sorted_by_key(|one| one.id.clone()));
}

/// Services that pass are listed by since when, and no others.
pub async fn the_longest_passing_is_first(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    for (name, since, state) in [
        ("late", 30, ServiceState::Deleting),
        ("early", 10, ServiceState::Pending),
        ("lasting", 5, ServiceState::Running),
        ("middle", 20, ServiceState::Updating),
        ("off", 1, ServiceState::Disabled),
    ] {
        let mut one = service(&bench, name, since);
        one.service.state = state;
        assert!(insert(&bench, &one).await);
    }
    let own = |page: Vec<StoredService>| -> Vec<String> {
        let own = page.into_iter().filter(|one| one.account == bench.account);
        own.map(|one| one.service.name.to_string()).collect()
    };
    let every = call!(bench, read, (), |tx, _input| tx
        .passing_container_services(None, ALL));
    assert_eq!(own(every), ["early", "middle", "late"]);
    let middle = service(&bench, "middle", 20);
    let after = PassingCursor {
        since: at(20),
        id: middle.id.clone(),
    };
    let rest = call!(bench, read, after, |tx, after| tx
        .passing_container_services(Some(after), ALL));
    assert_eq!(own(rest), ["late"]);

    let mut lasting = middle;
    lasting.service.state = ServiceState::Ready;
    call!(bench, write, lasting, |tx, one| tx
        .update_container_service(one));
    let every = call!(bench, read, (), |tx, _input| tx
        .passing_container_services(None, ALL));
    assert_eq!(own(every), ["early", "late"]);
}

/// Deployments are listed newest first, replaced by number, and deleted by number.
pub async fn deployments_by_version(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let web = service(&bench, "web", 1);
    assert!(insert(&bench, &web).await);
    let made = [
        deployment(&bench, "web", 1, DeploymentState::Failed),
        deployment(&bench, "web", 2, DeploymentState::Inactive),
        deployment(&bench, "web", 10, DeploymentState::Activating),
    ];
    for one in made.iter().chain([&made[1]]) {
        let input = (web.id.clone(), one.clone());
        call!(bench, write, input, |tx, input| tx
            .put_container_deployment(&input.0, &input.1));
    }
    let [first, second, third] = made;
    let listed = call!(bench, read, web.id.clone(), |tx, id| tx
        .container_deployments(id));
    assert_eq!(listed, [third.clone(), second, first.clone()]);
    let gone = (web.id.clone(), [DeploymentVersion(2)]);
    call!(bench, write, gone, |tx, gone| tx
        .delete_container_deployments(&gone.0, &gone.1));
    let states = call!(bench, read, web.id.clone(), |tx, id| tx
        .container_deployment_states(id));
    let expected = [&third, &first].map(|one| (one.version, one.state));
    assert_eq!(states, expected);
}

fn image(bench: &Bench<'_>, label: &str, version: u64, n: i64) -> StoredImage {
    StoredImage {
        image: image_name("web", label, version),
        digest: bench.digest(&format!("image {label} {version}")),
        created_at: at(n),
        sequence: 1,
    }
}

/// Images are listed newest first; their counters go up alone, whatever is deleted.
pub async fn images_and_their_counters(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let repository = bench.made("app").await;
    let web = service(&bench, "web", 1);
    assert!(insert(&bench, &web).await);
    let counters = |label: &str| (web.id.clone(), ImageLabel::parse(label).expect("a label"));
    let fresh = call!(bench, read, counters("www"), |tx, key| tx
        .container_counters(&key.0, &key.1));
    assert_eq!(fresh, Counters::default());
    let mut second = image(&bench, "www", 2, 3);
    second.sequence = 2;
    let images = [
        (image(&bench, "www", 1, 2), (2, 2)),
        (image(&bench, "api", 1, 3), (2, 2)),
        (second, (3, 3)),
    ];
    for (image, (label_next, service_next)) in images.clone() {
        let counters = Counters {
            label_next,
            service_next,
        };
        let input = (web.id.clone(), image, repository, counters);
        call!(bench, write, input, |tx, input| tx
            .insert_container_image(&input.0, &input.1, input.2, input.3));
    }
    let [(first, _), (api, _), (second, _)] = images;
    let listed = call!(bench, read, web.key(), |tx, key| tx.container_images(key));
    assert_eq!(listed, [second.clone(), api, first.clone()]);
    let one = (web.key(), second.image.clone());
    let found = call!(bench, read, one, |tx, one| tx
        .container_image(&one.0, &one.1));
    assert_eq!(found, Some(second.clone()));
    let gone = (web.id.clone(), second.image.clone());
    call!(bench, write, gone, |tx, gone| tx
        .delete_container_image(&gone.0, &gone.1));
    for (digest, is_named) in [(first.digest, true), (second.digest, false)] {
        let key = (repository, digest);
        let named = call!(bench, read, key, |tx, key| tx
            .is_container_image(key.0, &key.1));
        assert_eq!(named, is_named);
    }
    for (label, label_next) in [("www", 3), ("api", 2), ("new", 1)] {
        let kept = call!(bench, read, counters(label), |tx, key| tx
            .container_counters(&key.0, &key.1));
        let expected = Counters {
            label_next,
            service_next: 3,
        };
        assert_eq!(kept, expected, "{label}");
    }
}

async fn pushes(bench: &Bench<'_>, repository: RepositoryId, now: i64) -> Vec<i64> {
    let due = call!(bench, read, at(now), |tx, now| tx
        .expired_container_pushes(*now, ALL));
    let own = due.iter().filter(|push| push.repository.id == repository);
    own.map(|push| push.expires_at.0 - at(0).0).collect()
}

/// A push waits as long as the latest of its kind said, and is due from then on.
pub async fn pushes_wait(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let repository = bench.made("app").await;
    for (label, until) in [("b", 20), ("a", 10), ("a", 30), ("b", 5), ("c", 15)] {
        let input = (repository, bench.digest(label), at(until));
        call!(bench, write, input, |tx, input| tx
            .put_container_push(input.0, &input.1, input.2));
    }
    let key = (repository, bench.digest("a"));
    let until = call!(bench, read, key, |tx, key| tx.container_push(key.0, &key.1));
    assert_eq!(until, Some(at(30)));
    assert_eq!(pushes(&bench, repository, 29).await, [15, 20]);
    assert_eq!(pushes(&bench, repository, 30).await, [15, 20, 30]);
    let key = (repository, bench.digest("b"));
    call!(bench, write, key, |tx, key| tx
        .delete_container_push(key.0, &key.1));
    assert_eq!(pushes(&bench, repository, 99).await, [15, 30]);
}

fn line(stored: &StoredService, of: &str, n: i64, sequence: u64) -> NewLogLine {
    NewLogLine {
        service: stored.id.clone(),
        container: container(of),
        event: LogEvent {
            created_at: at(n),
            sequence,
            message: format!("{of} {n} {sequence}"),
        },
    }
}

fn sample(stored: &StoredService, n: i64, cpu_percent: f64) -> UsageSample {
    UsageSample {
        service: stored.id.clone(),
        at: at(n),
        sequence: 1,
        version: DeploymentVersion(1),
        cpu_percent,
        memory_percent: 12.5,
    }
}

async fn append(bench: &Bench<'_>, lines: &[NewLogLine], samples: &[UsageSample]) {
    let input = (lines.to_vec(), samples.to_vec());
    call!(bench, write, input, |tx, input| async move {
        tx.append_container_log(&input.0).await?;
        tx.insert_container_usage(&input.1).await
    });
}

async fn log(bench: &Bench<'_>, id: &ContainerServiceId, after: (i64, u64)) -> Vec<String> {
    let (n, sequence) = after;
    let position = LogPosition {
        at: at(n),
        sequence,
    };
    let input = (id.clone(), position);
    let events = call!(bench, read, input, |tx, input| tx.container_log(
        &input.0,
        &container("app"),
        input.1,
        at(50),
        2
    ));
    events.into_iter().map(|event| event.message).collect()
}

/// A log pages by position; what comes twice is there once; strangers have no log.
pub async fn a_log_pages_by_position(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let (web, gone) = (service(&bench, "web", 1), service(&bench, "gone", 1));
    assert!(insert(&bench, &web).await);
    let lines = [
        line(&web, "app", 20, 2),
        line(&web, "app", 20, 1),
        line(&web, "app", 10, 9),
        line(&web, "side", 15, 1),
        line(&web, "app", 60, 1),
        line(&gone, "app", 10, 1),
    ];
    append(&bench, &lines, &[]).await;
    append(&bench, &lines, &[]).await;
    assert_eq!(log(&bench, &web.id, (0, 0)).await, ["app 10 9", "app 20 1"]);
    assert_eq!(log(&bench, &web.id, (20, 1)).await, ["app 20 2"]);
    assert_eq!(log(&bench, &web.id, (20, 2)).await, [""; 0]);
    assert_eq!(log(&bench, &gone.id, (0, 0)).await, [""; 0]);
}

/// Measurements come back oldest first, to a millionth of a percent.
pub async fn usage_comes_back(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let web = service(&bench, "web", 1);
    assert!(insert(&bench, &web).await);
    let samples = [
        sample(&web, 30, 3.0),
        sample(&web, 10, 0.000_001),
        sample(&web, 20, 99.25),
    ];
    append(&bench, &[], &samples).await;
    let after = LogPosition {
        at: at(10),
        sequence: 0,
    };
    let input = (web.id.clone(), after);
    let found = call!(bench, read, input, |tx, input| tx.container_usage(
        &input.0,
        input.1,
        at(30),
        ALL
    ));
    let [_, second, third] = samples;
    assert_eq!(found, [second, third]);
}

/// A service goes once its records went, in steps; nothing of it is left for one of its id.
pub async fn a_service_goes_in_steps(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let repository = bench.made("app").await;
    let mut web = service(&bench, "web", 1);
    web.service.next = Some(deployment(&bench, "web", 1, DeploymentState::Activating));
    let other = service(&bench, "other", 1);
    assert!(insert(&bench, &web).await && insert(&bench, &other).await);
    let image = image(&bench, "www", 1, 1);
    let input = (web.id.clone(), image.clone(), repository);
    call!(bench, write, input, |tx, input| tx.insert_container_image(
        &input.0,
        &input.1,
        input.2,
        Counters {
            label_next: 2,
            service_next: 2
        }
    ));
    let lines: Vec<_> = (1..4).map(|n| line(&web, "app", n, 1)).collect();
    append(&bench, &lines, &[sample(&web, 1, 1.0)]).await;
    append(&bench, &[line(&other, "app", 1, 1)], &[]).await;

    let refused: Result<(), StoreError> = store
        .write(web.id.clone(), |tx, id| {
            Box::pin(async move { tx.delete_container_service(id).await })
        })
        .await;
    assert!(refused.is_err(), "records would be left");
    let mut steps = Vec::new();
    while steps.last() != Some(&true) {
        let is_empty = call!(bench, write, web.id.clone(), |tx, id| tx
            .empty_container_service(id, 2));
        steps.push(is_empty);
    }
    assert_eq!(steps, [false, true]);
    call!(bench, write, web.id.clone(), |tx, id| tx
        .delete_container_service(id));
    assert_eq!(read(&bench, "web").await, None);
    assert_eq!(log(&bench, &other.id, (0, 0)).await, ["app 1 1"]);

    web.service.next = None;
    assert!(insert(&bench, &web).await);
    assert_eq!(log(&bench, &web.id, (0, 0)).await, [""; 0]);
    let images = call!(bench, read, web.key(), |tx, key| tx.container_images(key));
    let deployments = call!(bench, read, web.id.clone(), |tx, id| tx
        .container_deployments(id));
    assert!(images.is_empty() && deployments.is_empty());
    let label = (web.id.clone(), image.image.label.clone());
    let counters = call!(bench, read, label, |tx, key| tx
        .container_counters(&key.0, &key.1));
    assert_eq!(counters, Counters::default());
}

/// A service that is gone leaves no row, whatever it had.
pub async fn nothing_of_a_service_stays(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let repository = bench.made("app").await;
    let mut web = service(&bench, "web", 1);
    web.service.next = Some(deployment(&bench, "web", 1, DeploymentState::Activating));
    assert!(insert(&bench, &web).await);
    let image = image(&bench, "www", 1, 1);
    let counters = Counters {
        label_next: 2,
        service_next: 2,
    };
    let input = (web.id.clone(), image.clone(), repository);
    call!(bench, write, (input, counters), |tx, given| {
        let ((id, image, repository), counters) = given;
        tx.insert_container_image(id, image, *repository, *counters)
    });
    append(&bench, &[line(&web, "app", 1, 1)], &[sample(&web, 1, 1.0)]).await;
    let push = (repository, image.digest.clone());
    call!(bench, write, push.clone(), |tx, push| tx
        .put_container_push(push.0, &push.1, at(1)));

    call!(bench, write, push, |tx, push| tx
        .delete_container_push(push.0, &push.1));
    let is_empty = call!(bench, write, web.id.clone(), |tx, id| tx
        .empty_container_service(id, 10));
    assert!(is_empty);
    call!(bench, write, web.id.clone(), |tx, id| tx
        .delete_container_service(id));
    assert_eq!(read(&bench, "web").await, None);
    bench.delete_repository(&repository, &at(2)).await;
    while !bench.reap_repository(&repository, &10).await {}
}

/// Records go by age, the oldest first, in steps. Nobody else's records of these ages are there.
pub async fn old_records_go_in_steps(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let web = service(&bench, "web", 1);
    assert!(insert(&bench, &web).await);
    let ancient = |n: i64| n - at(0).0;
    let lines: Vec<_> = (1..4)
        .map(|n| line(&web, "app", ancient(n), 1))
        .chain([line(&web, "app", 10, 1)])
        .collect();
    append(&bench, &lines, &[sample(&web, ancient(3), 1.0)]).await;
    let before = |n: i64| Timestamp(n);
    let has = async |n: i64| -> bool {
        call!(bench, read, before(n), |tx, before| tx
            .has_container_records_before(*before))
    };
    assert!(has(2).await);
    let mut steps = Vec::new();
    while steps.last() != Some(&true) {
        let is_done = call!(bench, write, before(4), |tx, before| tx
            .prune_container_records(*before, 2));
        steps.push(is_done);
    }
    assert_eq!(steps, [false, true]);
    assert!(!has(4).await);
    assert_eq!(log(&bench, &web.id, (0, 0)).await, ["app 10 1"]);
}
