//! Black box: events reach webhooks and the audit log, at least once, in order, and nobody waits for
//! them. Expected members come from lifecycle.md 6, which follows the ECR user guide.

mod pushing;
mod support;

use pushing::receiver::{Answer, Receiver, Told};
use pushing::{MANIFEST, POLL, POLLS_MAX, Pusher};
use roadstead_domain::time::Span;
use roadstead_server::delivery::{self, Delivery};
use roadstead_testkit::World;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::atomic::Ordering;
use std::thread::sleep;
use support::server::{Server, free_address, roadstead, run_roadstead, status_of, utf8};
use tempfile::TempDir;

/// Settings in a file, and a place for the data.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new(settings: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("roadstead.toml"), settings).expect("a configuration");
        Self { folder }
    }

    fn telling(urls: &[String]) -> Self {
        Self::new(&format!("[events]\nwebhooks = {urls:?}\n"))
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("roadstead.toml")
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn start(&self) -> Server {
        Server::start_on(&self.data(), &["--dev", "--config", utf8(&self.config())])
    }
}

fn tags_of(told: &[Told]) -> Vec<String> {
    told.iter().map(Told::tag).collect()
}

fn numbered(count: usize) -> Vec<String> {
    (0..count).map(|at| format!("t{at}")).collect()
}

fn push_numbered(pusher: &Pusher, repository: &str, count: usize) {
    for tag in numbered(count) {
        pusher.push(repository, &tag, Some(&tag));
    }
}

#[test]
fn events_are_told_in_order_and_signed() {
    let receiver = Receiver::start(&[]);
    let place = Place::new(&format!(
        "[events]\nwebhooks = ['{}']\nsecret = 'Jefe'\n",
        receiver.url()
    ));
    let server = place.start();
    let pusher = Pusher::of(&server);
    pusher.create("app");
    push_numbered(&pusher, "app", 25);
    let told = receiver.wait_for(25);
    assert_eq!(tags_of(&told), numbered(25));
    for told in &told {
        assert_eq!(told.content_type.as_deref(), Some("application/json"));
        assert_eq!(
            told.signature,
            Some(hmac_sha256_by_hand(b"Jefe", told.body.as_bytes()))
        );
    }
    // Nothing is told twice, also when the server ends and comes back.
    assert!(server.stop().success());
    let server = place.start();
    Pusher::of(&server).push("app", "last", Some("last"));
    let told = receiver.wait_for(26);
    assert_eq!(tags_of(&told[25..]), ["last"]);
    assert!(!server.log().contains("quiet"), "the log holds no token");
}

/// RFC 2104 over SHA-256, for keys shorter than a block.
fn hmac_sha256_by_hand(key: &[u8], text: &[u8]) -> String {
    use sha2::{Digest as _, Sha256};
    let pad = |byte: u8| {
        let mut block = [byte; 64];
        for (pad, key) in block.iter_mut().zip(key) {
            *pad ^= key;
        }
        block
    };
    let inner = Sha256::new()
        .chain_update(pad(0x36))
        .chain_update(text)
        .finalize();
    hex::encode(
        Sha256::new()
            .chain_update(pad(0x5c))
            .chain_update(inner)
            .finalize(),
    )
}

#[test]
fn the_hmac_of_these_tests_is_that_of_rfc_4231() {
    // RFC 4231, test case 2.
    assert_eq!(
        hmac_sha256_by_hand(b"Jefe", b"what do ya want for nothing?"),
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    );
}

#[test]
fn what_is_not_understood_is_told_again_before_anything_else() {
    let refusals = [500, 302, 404].map(Answer::Status);
    let receiver = Receiver::start(&refusals);
    let place = Place::telling(&[receiver.url()]);
    let server = place.start();
    let pusher = Pusher::of(&server);
    pusher.create("app");
    push_numbered(&pusher, "app", 3);
    // Three refusals, none of them followed anywhere, then all in order.
    let told = receiver.wait_for(6);
    assert_eq!(tags_of(&told), ["t0", "t0", "t0", "t0", "t1", "t2"]);
}

#[test]
fn a_receiver_that_was_away_is_told_all_and_the_other_did_not_wait() {
    let away = free_address();
    let present = Receiver::start(&[]);
    let place = Place::telling(&[format!("http://{away}/"), present.url()]);
    let server = place.start();
    let pusher = Pusher::of(&server);
    pusher.create("app");
    push_numbered(&pusher, "app", 5);
    assert_eq!(tags_of(&present.wait_for(5)), numbered(5));
    let back = Receiver::start_at(&away, &[]);
    assert_eq!(tags_of(&back.wait_for(5)), numbered(5));
    assert_eq!(present.told().len(), 5, "and nothing twice");
}

#[test]
fn no_client_waits_for_a_receiver_that_never_answers() {
    let receiver = Receiver::start(&[Answer::Never]);
    let place = Place::telling(&[receiver.url()]);
    let server = place.start();
    let pusher = Pusher::of(&server);
    pusher.create("app");
    pusher.push("app", "t0", Some("t0"));
    receiver.wait_for(1);
    // One event hangs; all of this is answered meanwhile, and no second event was sent.
    for tag in &numbered(40)[1..] {
        pusher.push("app", tag, Some(tag));
    }
    pusher.delete("app", json!({ "imageTag": "t7" }));
    assert_eq!(pusher.tags("app").len(), 39);
    assert!(receiver.told().len() <= 2, "{:?}", receiver.told().len());
}

#[test]
fn events_say_what_the_reference_says() {
    let receiver = Receiver::start(&[]);
    let place = Place::telling(&[receiver.url()]);
    let server = place.start();
    let pusher = Pusher::of(&server);
    pusher.create("app");
    let digest = pusher.push("app", "a", Some("v1"));
    for class in ["ARCHIVE", "STANDARD"] {
        pusher.ecr(
            "UpdateImageStorageClass",
            json!({
                "repositoryName": "app",
                "imageId": { "imageDigest": digest },
                "targetStorageClass": class,
            }),
        );
    }
    pusher.delete("app", json!({ "imageDigest": digest }));
    let untagged = pusher.push("app", "b", None);
    pusher.delete("app", json!({ "imageDigest": untagged }));
    let events: Vec<Value> = receiver.wait_for(6).iter().map(Told::event).collect();
    for event in &events {
        assert_eq!(event["version"], "0");
        assert_eq!(event["source"], "aws.ecr");
        assert_eq!(event["detail-type"], "ECR Image Action");
        assert_eq!(event["account"], "000000000000");
        assert_eq!(event["region"], "us-east-1");
        assert_eq!(event["detail"]["result"], "SUCCESS");
        assert_eq!(event["detail"]["repository-name"], "app");
        assert_eq!(event["id"].as_str().map(str::len), Some(36), "a UUID");
        let time = event["time"].as_str().expect("an instant");
        assert!(time.ends_with('Z') && time.len() == 20, "{time}");
    }
    let of = |at: usize| &events[at]["detail"];
    let [push, archive, restore, delete, _, last] = [0, 1, 2, 3, 4, 5].map(of);
    assert_eq!(push["action-type"], "PUSH");
    assert_eq!(push["image-digest"], digest.as_str());
    assert_eq!(push["image-tag"], "v1");
    for moved in [archive, restore] {
        assert_eq!(moved["action-type"], "UPDATE_STORAGE_CLASS");
        assert_eq!(moved["image-digest"], digest.as_str());
        assert_eq!(moved["manifest-media-type"], MANIFEST);
        assert_eq!(moved["artifact-media-type"], "application/vnd.example.test");
    }
    assert_eq!(archive["target-storage-class"], "ARCHIVE");
    assert_eq!(archive["last-activated-at"], Value::Null);
    assert_eq!(restore["target-storage-class"], "STANDARD");
    assert!(restore["last-activated-at"].is_string(), "{restore}");
    assert_eq!(delete["action-type"], "DELETE");
    assert_eq!(delete["image-digest"], digest.as_str());
    assert_eq!(delete["image-tag"], "v1");
    assert_eq!(last["action-type"], "DELETE");
    assert_eq!(last["image-digest"], untagged.as_str());
    assert_eq!(last["image-tag"], Value::Null);
}

/// A server that can be killed.
struct Killable(Child);

impl Killable {
    fn start(place: &Place, address: &str) -> Self {
        let child = roadstead()
            .args(["serve", "--dev", "--config", utf8(&place.config())])
            .args(["--data", utf8(&place.data()), "--listen", address])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the server program starts");
        let started = Self(child);
        for _ in 0..POLLS_MAX {
            if status_of(address, "/readyz").is_ok_and(|status| status == 200) {
                return started;
            }
            sleep(POLL);
        }
        panic!("the server is not ready in time");
    }
}

impl Drop for Killable {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Eight events wait together; the receiver understands five of them and is silent about the sixth.
fn five_of_eight(place: &Place, receiver: &Receiver, address: &str) {
    let pusher = Pusher::new(address);
    pusher.create("app");
    push_numbered(&pusher, "app", 8);
    receiver.is_open.store(true, Ordering::SeqCst);
    let expected = ["t0", "t0", "t1", "t2", "t3", "t4", "t5"];
    assert_eq!(
        tags_of(&receiver.wait_for(7)),
        expected,
        "{}",
        place.folder.path().display()
    );
}

fn silent_about_the_sixth() -> Receiver {
    let mut answers = vec![Answer::Status(200); 7];
    (answers[0], answers[6]) = (Answer::LaterRefused, Answer::Never);
    Receiver::start(&answers)
}

#[test]
fn a_crash_loses_nothing_and_may_tell_twice() {
    let receiver = silent_about_the_sixth();
    let place = Place::telling(&[receiver.url()]);
    let address = free_address();
    let server = Killable::start(&place, &address);
    five_of_eight(&place, &receiver, &address);
    // Killed with five events told and none forgotten.
    drop(server);
    let _server = Killable::start(&place, &free_address());
    assert_eq!(tags_of(&receiver.wait_for(15)[7..]), numbered(8));
}

#[test]
fn an_end_forgets_what_was_told() {
    let receiver = silent_about_the_sixth();
    let place = Place::telling(&[receiver.url()]);
    let server = place.start();
    five_of_eight(&place, &receiver, &server.address);
    assert!(server.stop().success());
    let _server = place.start();
    // Whether the sixth was understood nobody knows.
    assert_eq!(tags_of(&receiver.wait_for(10)[7..]), ["t5", "t6", "t7"]);
}

#[test]
fn events_of_a_former_destination_are_dropped_with_a_word() {
    let away = free_address();
    let place = Place::telling(&[format!("http://{away}/?token=quiet")]);
    let server = place.start();
    let pusher = Pusher::of(&server);
    pusher.create("app");
    push_numbered(&pusher, "app", 3);
    assert!(server.stop().success());
    fs::write(place.config(), "").expect("a configuration");
    let server = place.start();
    let is_said = |log: &str| log.contains(&away) && log.contains("dropped=3");
    for _ in 0..POLLS_MAX {
        if is_said(&server.log()) {
            break;
        }
        sleep(POLL);
    }
    assert!(is_said(&server.log()), "{}", server.log());
    assert!(!server.log().contains("quiet"), "{}", server.log());
}

/// Tells `receiver` of the pushes of "old" and, 101 seconds later, "new", which it keeps for 100
/// seconds, until it was told so often.
async fn told_late(receiver: &Receiver, count: usize) -> Vec<String> {
    let mut builder = World::builder().dev();
    builder.rules.event_destinations = vec![receiver.url()];
    let world = builder.start().await;
    let address = world.address.to_string();
    let push = move |tag: &'static str, is_first: bool| {
        let address = address.clone();
        tokio::task::spawn_blocking(move || {
            let pusher = Pusher::new(&address);
            if is_first {
                pusher.create_over_oci("app");
            }
            pusher.push("app", tag, Some(tag));
        })
    };
    push("old", true).await.expect("a push");
    world.clock.advance(Span::seconds(101));
    push("new", false).await.expect("a push");
    let delivery = Delivery {
        registry: world.registry.clone(),
        clock: world.clock.clone(),
        destination: receiver.url(),
        label: "webhook".into(),
        receiver: delivery::Receiver::Webhook(Box::new(
            delivery::Webhook::new(&receiver.url(), None).expect("a webhook"),
        )),
        keep: Span::seconds(100),
    };
    let (stop, stopping) = tokio::sync::watch::channel(false);
    let running = tokio::spawn(delivery.run(stopping));
    let hearing = receiver.clone();
    let told = tokio::task::spawn_blocking(move || hearing.wait_for(count));
    let told = tags_of(&told.await.expect("an event"));
    stop.send(true).expect("somebody listens");
    running.await.expect("an end");
    let url = receiver.url();
    let left = world.registry.waiting_events(&url, None, 10);
    assert_eq!(left.await.expect("an answer"), []);
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waited_for_long_is_told_if_it_is_heard() {
    let receiver = Receiver::start(&[]);
    assert_eq!(told_late(&receiver, 2).await, ["old", "new"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waited_for_too_long_and_is_refused_is_dropped() {
    let receiver = Receiver::start(&[500, 500, 500].map(Answer::Status));
    let told = told_late(&receiver, 4).await;
    // The young one is tried until it is understood.
    assert_eq!(told, ["old", "old", "new", "new"]);
}

#[test]
fn the_audit_log_tells_what_runs_did() {
    let place = Place::new("");
    let server = place.start();
    let pusher = Pusher::of(&server);
    pusher.create("app");
    let first = pusher.push("app", "a", Some("v1"));
    pusher.push("app", "b", Some("v2"));
    let policy = json!({ "rules": [{
        "rulePriority": 7,
        "description": "one",
        "selection": {
            "tagStatus": "tagged",
            "tagPrefixList": ["v"],
            "countType": "imageCountMoreThan",
            "countNumber": 1,
        },
        "action": { "type": "expire" },
    }] });
    pusher.put_policy("app", &policy);
    for _ in 0..2 {
        let data = place.data();
        run_roadstead(&["lifecycle", "run", "app", "--data", utf8(&data)]).expect_success();
    }
    assert_eq!(pusher.tags("app"), ["v2"]);
    let events = lines_of(&place.data().join("audit.log"), 2);
    events.iter().for_each(expect_frame);
    expect_actions(&events, &first);
}

/// What all events of the run have in common.
fn expect_frame(event: &Value) {
    assert_eq!(event["eventName"], "PolicyExecutionEvent");
    assert_eq!(event["eventSource"], "ecr.amazonaws.com");
    assert_eq!(event["eventType"], "AwsServiceEvent");
    assert_eq!(event["readOnly"], true);
    assert_eq!(event["managementEvent"], true);
    assert_eq!(event["eventCategory"], "Management");
    assert_eq!(
        event["userIdentity"],
        json!({ "accountId": "000000000000", "invokedBy": "AWS Internal" })
    );
    assert_eq!(event["sourceIPAddress"], "AWS Internal");
    assert_eq!(event["userAgent"], "AWS Internal");
    assert_eq!(event["requestParameters"], Value::Null);
    assert_eq!(event["responseElements"], Value::Null);
    assert_eq!(
        event["resources"],
        json!([{
            "accountId": "000000000000",
            "type": "AWS::ECR::Repository",
            "ARN": "arn:aws:ecr:us-east-1:000000000000:repository/app",
        }])
    );
    assert_eq!(event["serviceEventDetails"]["repositoryName"], "app");
    let rules = &event["serviceEventDetails"]["lifecycleEventPolicy"]["lifecycleEventRules"];
    assert_eq!(rules.as_array().map(Vec::len), Some(1));
    assert_eq!(rules[0]["rulePriority"], 7);
    assert_eq!(rules[0]["description"], "one");
    assert_eq!(rules[0]["action"], "expire");
    let selection = &rules[0]["lifecycleEventSelection"];
    assert_eq!(selection["tagStatus"], "Tagged");
    assert_eq!(selection["tagPrefixList"], json!(["v"]));
    assert_eq!(selection["tagPatternList"], json!([]));
    assert_eq!(selection["countType"], "Image count more than");
    assert_eq!(selection["countNumber"], 1);
    let details = &event["serviceEventDetails"];
    assert_eq!(details["lifecycleEventFailureDetails"], json!([]));
}

/// The first run acted upon the image `first`, the second upon none.
fn expect_actions(events: &[Value], first: &str) {
    let details = |at: usize| &events[at]["serviceEventDetails"];
    let before = |at: usize| &details(at)["lifecycleEventPolicy"]["lastEvaluatedAt"];
    assert_eq!(*before(0), 0, "no run before the first");
    assert!(before(1).as_i64() > Some(1_700_000_000_000), "milliseconds");
    let acted = &details(0)["lifecycleEventImageActions"];
    assert_eq!(acted.as_array().map(Vec::len), Some(1));
    assert_eq!(acted[0]["rulePriority"], 7);
    let image = &acted[0]["lifecycleEventImage"];
    assert_eq!(image["digest"], first);
    assert_eq!(image["tagStatus"], "Tagged");
    assert_eq!(image["tagList"], json!(["v1"]));
    assert!(
        image["pushedAt"].as_i64() > Some(1_700_000_000_000),
        "milliseconds"
    );
    assert_eq!(details(1)["lifecycleEventImageActions"], json!([]));
}

/// The lines of a file, once there are so many.
fn lines_of(path: &Path, count: usize) -> Vec<Value> {
    for _ in 0..POLLS_MAX {
        let text = fs::read_to_string(path).unwrap_or_default();
        if text.lines().count() >= count && text.ends_with('\n') {
            let lines = text
                .lines()
                .map(|line| serde_json::from_str(line).expect("JSON"));
            return lines.collect();
        }
        sleep(POLL);
    }
    panic!("{}: {:?}", path.display(), fs::read_to_string(path));
}
