//! The life of a service: deployed, replaced under load, failed once, restarted, deleted.

use crate::site::{Site, ask, eventually};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle, sleep};
use std::time::Duration;

/// Asks without pause until it is told to stop; the answers that were none.
struct Load {
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<(usize, Vec<String>)>>,
}

impl Load {
    fn start(site: &Site, host: &str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let client = |path: &'static str| {
            let (address, host) = (site.server.address.clone(), host.to_owned());
            let stop = stop.clone();
            thread::spawn(move || {
                let (mut count, mut bad) = (0, Vec::new());
                while !stop.load(Ordering::Relaxed) {
                    let answer = ask(&address, &host, "GET", path, "");
                    count += 1;
                    if answer.status != 200 {
                        bad.push(format!("{answer:?}"));
                    }
                    sleep(Duration::from_millis(3));
                }
                (count, bad)
            })
        };
        let clients = ["/", "/slow/200", "/"].map(client).into();
        Self { stop, clients }
    }

    fn end(self) -> (usize, Vec<String>) {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = (0, Vec::new());
        for client in self.clients {
            let (count, bad) = client.join().expect("a client");
            all.0 += count;
            all.1.extend(bad);
        }
        all
    }
}

fn containers(image: &str, name: &str) -> Value {
    json!({"app": {
        "image": image,
        "command": ["80"],
        "environment": {"NAME": name},
        "ports": {"80": "HTTP"},
    }})
}

#[test]
fn deployed_replaced_failed_restarted_deleted() {
    let site = Site::new();
    site.create("web");
    let host = site.host("web");
    assert_eq!(site.get(&host, "/").status, 404);
    let first = site.register("web", "one");
    let mut both = containers(&first, "one");
    both["db"] = json!({"image": first, "command": ["5432"], "environment": {"NAME": "db"}});
    let version = site.deploy("web", &both);
    assert_eq!(site.decided("web", version), "ACTIVE");
    let answer = site.get(&host, "/");
    assert_eq!((answer.status, answer.body.as_str()), (200, "one"));
    assert_eq!(site.get(&host, "/via/5432").body, "via db");
    assert_eq!(site.get(&host, "/env/LABEL").body, "one");

    let load = Load::start(&site, &host);
    let second = site.register("web", "two");
    let version = site.deploy("web", &containers(&second, "two"));
    assert_eq!(site.decided("web", version), "ACTIVE");
    assert_eq!(site.get(&host, "/").body, "two");

    let ends = json!({"app": {"image": second, "command": ["exit", "5"], "ports": {"80": "HTTP"}}});
    let version = site.deploy("web", &ends);
    assert_eq!(site.decided("web", version), "FAILED");
    assert_eq!(site.get(&host, "/").body, "two");
    sleep(Duration::from_secs(3));
    let (count, bad) = load.end();
    assert_eq!(bad, Vec::<String>::new(), "of {count}");
    assert!(count > 100, "{count}");

    for words in [
        "listening on 80",
        "ending with 5",
        "exit code 5",
        "Took too long",
    ] {
        eventually(words, || !site.log_of("web", "app", words).is_empty());
    }
    let failed = site.log_of("web", "app", "Took too long");
    assert_eq!(failed, ["[deployment:3] Took too long"]);
    let site = site.restart();
    eventually("it answers after a restart", || {
        site.get(&host, "/").body == "two"
    });
    site.delete("web");
    assert_eq!(site.get(&host, "/").status, 404);
}

#[test]
fn power_off_power_on_and_metrics() {
    let site = Site::new();
    site.create("web");
    let host = site.host("web");
    let image = site.register("web", "one");
    let version = site.deploy("web", &containers(&image, "one"));
    assert_eq!(site.decided("web", version), "ACTIVE");
    eventually("metrics arrive", || {
        site.get(&host, "/burn/300");
        let got = site.lightsail(&[
            "get-container-service-metric-data",
            "--service-name",
            "web",
            "--metric-name",
            "CPUUtilization",
            "--start-time",
            "2020-01-01T00:00:00Z",
            "--end-time",
            "2021-01-01T00:00:00Z",
            "--period",
            "86400",
            "--statistics",
            "Average",
        ]);
        assert_eq!(got["metricName"], "CPUUtilization");
        !recent(&site).is_empty()
    });
    let update = |words: &[&str]| {
        let named = ["update-container-service", "--service-name", "web"];
        site.lightsail(&[&named[..], words].concat());
    };
    update(&["--is-disabled"]);
    eventually("it is switched off", || {
        site.service("web")["state"] == "DISABLED" && site.get(&host, "/").status == 503
    });
    update(&["--no-is-disabled"]);
    eventually("it answers again", || site.get(&host, "/").body == "one");
    update(&["--scale", "2", "--power", "micro"]);
    eventually("it runs", || site.service("web")["state"] == "RUNNING");
    assert_eq!(site.get(&host, "/").body, "one");
    site.delete("web");
}

/// The data points of the last hour.
fn recent(site: &Site) -> Vec<Value> {
    let script =
        "date -u -d '1 hour ago' +%Y-%m-%dT%H:%M:%SZ; date -u -d '1 hour' +%Y-%m-%dT%H:%M:%SZ";
    let mut shell = std::process::Command::new("sh");
    let said = crate::support::program::run(shell.args(["-c", script])).expect_success();
    let (start, end) = said.trim().split_once('\n').expect("two times");
    let got = site.lightsail(&[
        "get-container-service-metric-data",
        "--service-name",
        "web",
        "--metric-name",
        "MemoryUtilization",
        "--start-time",
        start,
        "--end-time",
        end,
        "--period",
        "300",
        "--statistics",
        "Average",
    ]);
    got["metricData"].as_array().cloned().unwrap_or_default()
}
