//! Names that an operator gives to registries, beside the one that each has by itself
//! (ecr-public.md sections 2 and 13).

use serde_json::json;

use crate::support::images::Image;
use crate::support::program::Said;
use crate::support::server::{ACCOUNT, run_roadstead, utf8};
use crate::{NAME, Registry, STRANGER};

fn add(registry: &Registry, account: &str, alias: &str, flags: &[&str]) -> Said {
    let data = utf8(registry.server.data());
    let head = ["alias", "add", alias, "--account", account, "--data", data];
    run_roadstead(&[&head[..], flags].concat())
}

#[test]
fn two_names_for_one_registry() {
    let registry = Registry::start();
    let address = &registry.server.address;
    registry
        .aws
        .push_publicly(NAME, &Image::new("named", "amd64"), &["v1"]);
    add(&registry, ACCOUNT, "acme", &["--primary"]).expect_success();
    let row = |name: &str, is_primary: bool| {
        json!({
            "defaultRegistryAlias": !is_primary,
            "name": name,
            "primaryRegistryAlias": is_primary,
            "status": "ACTIVE",
        })
    };
    let mut answer = registry.aws.public(&["describe-registries"]);
    let aliases = answer["registries"][0]["aliases"].as_array_mut();
    aliases.expect("aliases").sort_by_key(ToString::to_string);
    let mut expected = vec![row("acme", true), row(&registry.alias, false)];
    expected.sort_by_key(ToString::to_string);
    assert_eq!(
        answer,
        json!({ "registries": [{
            "aliases": expected,
            "registryArn": format!("arn:aws:ecr-public::{ACCOUNT}:registry/{ACCOUNT}"),
            "registryId": ACCOUNT,
            "registryUri": format!("{address}/acme"),
            "verified": false,
        }] })
    );
    let described = registry.aws.public(&["describe-repositories"]);
    let uri = format!("{address}/acme/{NAME}");
    assert_eq!(described["repositories"][0]["repositoryUri"], uri);
    // Both are good for pulls and as a registry.
    for name in ["acme", &registry.alias] {
        let image = format!("docker://{address}/{name}/{NAME}:v1");
        crate::skopeo::skopeo(&["inspect", "--tls-verify=false", "--no-creds", &image])
            .expect_success();
        let head = ["batch-delete-image", "--repository-name", NAME];
        let ids = ["--registry-id", name, "--image-ids", "imageTag=nope"];
        let answer = registry.aws.public(&[&head[..], &ids].concat());
        assert_eq!(answer["failures"][0]["failureCode"], "ImageNotFound");
    }
}

#[test]
fn names_that_are_refused() {
    let registry = Registry::start();
    add(&registry, ACCOUNT, "acme", &[]).expect_success();
    for (account, alias) in [
        (STRANGER, "acme"),
        (STRANGER, registry.alias.as_str()),
        (STRANGER, "1acme"),
        (STRANGER, "ACME"),
        (STRANGER, "a"),
        (STRANGER, &"a".repeat(51)),
        (STRANGER, "a..b"),
    ] {
        add(&registry, account, alias, &[]).expect_failure();
    }
    // Without `--primary` addresses keep the name that they had.
    let described = registry.aws.public(&["describe-repositories"]);
    assert_eq!(
        described["repositories"][0]["repositoryUri"],
        registry.repository()
    );
}
