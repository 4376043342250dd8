//! `publicDomainNames` (lightsail-containers.md 5.5): no certificate exists here, so that only what
//! needs none is accepted.

use serde_json::{Value, json};

use crate::api::lightsail::{
    get, invalid_text, masked, ok, ready, refused, service, settle, world,
};

fn update(domains: Value) -> Value {
    json!({ "serviceName": "web", "publicDomainNames": domains })
}

#[tokio::test]
async fn certificates_that_do_not_exist() {
    let world = world().await;
    service(&world, "web").await;
    for domains in [
        json!({ "nope": ["a.com"] }),
        json!({ "nope": ["a.com"], "other": ["b.com", "c.com"] }),
        json!({ "gone": [], "nope": ["a.com"] }),
    ] {
        let said = refused(&world, "UpdateContainerService", update(domains.clone())).await;
        assert!(invalid_text(&said).contains("do not exist"), "{said}");
        let body = json!({
            "serviceName": "new", "power": "nano", "scale": 1, "publicDomainNames": domains,
        });
        let said = refused(&world, "CreateContainerService", body).await;
        assert!(invalid_text(&said).contains("do not exist"), "{said}");
    }
    assert_eq!(masked(&get(&world, "web").await), ready("web"));
    let listed = ok(&world, "GetContainerServices", json!({})).await;
    let services = listed["containerServices"].as_array();
    assert_eq!(services.map(Vec::len), Some(1));
}

#[tokio::test]
async fn nothing_to_attach() {
    let world = world().await;
    service(&world, "web").await;
    for domains in [json!({}), Value::Null] {
        ok(&world, "UpdateContainerService", update(domains.clone())).await;
        settle(&world).await;
        // The member stays away while nothing is attached.
        assert_eq!(masked(&get(&world, "web").await), ready("web"), "{domains}");
    }
    for (name, domains) in [("empty", json!({})), ("null", Value::Null)] {
        let body = json!({
            "serviceName": name, "power": "nano", "scale": 1, "publicDomainNames": domains,
        });
        ok(&world, "CreateContainerService", body).await;
        settle(&world).await;
        assert_eq!(masked(&get(&world, name).await), ready(name));
    }
}

#[tokio::test]
async fn at_most_four_domains_and_four_certificates() {
    let world = world().await;
    service(&world, "web").await;
    let domains: Vec<String> = (0..5).map(|number| format!("{number}.a.com")).collect();
    let certificates: serde_json::Map<String, Value> = (0..5)
        .map(|number| (format!("cert-{number}"), json!([format!("{number}.a.com")])))
        .collect();
    for domains in [json!({ "cert": domains }), Value::Object(certificates)] {
        invalid_text(&refused(&world, "UpdateContainerService", update(domains)).await);
    }
}
