//! Clients over TLS, and certificates that change.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use super::pki::Pki;
use super::support::aws::AwsCli;
use super::support::docker::Docker;
use super::support::images::{Image, index_of, write_layout};
use super::support::program::{self, Said};
use super::support::server::{Server, create_key, free_address, run_roadstead, utf8};

fn server(pki: &Pki, settings: &[(&str, &str)]) -> Server {
    let (certificate, key) = (pki.certificate(), pki.key());
    let own = [
        ("ROADSTEAD_TLS_CERTIFICATE", utf8(&certificate)),
        ("ROADSTEAD_TLS_KEY", utf8(&key)),
    ];
    Server::start_with_settings(&[&own, settings].concat())
}

fn https(server: &Server) -> String {
    format!("https://{}", server.address)
}

fn curl(authority: &Path, args: &[&str]) -> Said {
    let mut command = program::limited(program::tool("TEST_CURL"));
    command.args(["--silent", "--show-error", "--cacert", utf8(authority)]);
    program::run(command.args(args))
}

/// Whether somebody who trusts `authority` alone is answered.
fn trusts(server: &Server, authority: &Path) -> bool {
    let ready = format!("{}/readyz", https(server));
    curl(authority, &["--fail", &ready]).code == Some(0)
}

/// Waits for what a look shows in the end.
fn eventually(what: &str, look: impl Fn() -> bool) {
    for _ in 0..600 {
        if look() {
            return;
        }
        sleep(Duration::from_millis(50));
    }
    panic!("never: {what}");
}

#[test]
fn curl_speaks_both_versions_over_tls_and_plain_http() {
    let pki = Pki::new();
    let server = server(&pki, &[]);
    let (secure, plain) = (https(&server), server.url());
    for (url, option, expected) in [
        (&secure, "--http2", "200 2"),
        (&secure, "--http1.1", "200 1.1"),
        (&secure, "--tlsv1.3", "200 2"),
        (&plain, "--http1.1", "200 1.1"),
        (&plain, "--http2-prior-knowledge", "200 2"),
    ] {
        let ready = format!("{url}/readyz");
        let write = "%{http_code} %{http_version}";
        let args = [
            option,
            "--output",
            "/dev/null",
            "--write-out",
            write,
            &ready,
        ];
        let said = curl(&pki.certificate(), &args).expect_success();
        assert_eq!(said, expected, "{url} {option}");
    }
    let ready = format!("{secure}/readyz");
    let older = ["--tls-max", "1.2", "--fail", &ready];
    curl(&pki.certificate(), &older).expect_success();
    let ancient = ["--tls-max", "1.1", "--fail", &ready];
    curl(&pki.certificate(), &ancient).expect_failure();
    // Nobody is let in who trusts somebody else.
    curl(&Pki::new().certificate(), &["--fail", &ready]).expect_failure();
}

#[test]
fn addresses_have_the_scheme_that_the_client_used() {
    let pki = Pki::new();
    let server = server(&pki, &[]);
    let key = create_key(server.data());
    for url in [https(&server), server.url()] {
        let aws = AwsCli::new(url.clone(), key.clone());
        let mut command = program::limited(program::tool("TEST_AWS"));
        command
            .envs(aws.environment())
            .env("AWS_CA_BUNDLE", pki.certificate())
            .args(["ecr", "get-authorization-token", "--output", "json"]);
        let token = program::run(&mut command).expect_json();
        assert_eq!(token["authorizationData"][0]["proxyEndpoint"], *url);
        let head = curl(&pki.certificate(), &["--head", &format!("{url}/v2/")]).expect_success();
        let realm = format!("realm=\"{url}/\"");
        assert!(head.contains(&realm), "{head}");
    }
}

#[test]
fn skopeo_and_docker_over_tls_alone() {
    let pki = Pki::new();
    let server = server(&pki, &[("ROADSTEAD_TLS_REQUIRED", "true")]);
    let said = curl(&pki.certificate(), &[&server.url()]).expect_success();
    assert_eq!(said, "this server speaks HTTPS only\n");
    let key = create_key(server.data());
    let mut make = program::limited(program::tool("TEST_AWS"));
    make.envs(AwsCli::new(https(&server), key.clone()).environment())
        .env("AWS_CA_BUNDLE", pki.certificate())
        .args(["ecr", "create-repository", "--repository-name", "app"]);
    program::run(&mut make).expect_success();
    let mut login = program::limited(program::tool("TEST_AWS"));
    login
        .envs(AwsCli::new(https(&server), key).environment())
        .env("AWS_CA_BUNDLE", pki.certificate())
        .args(["ecr", "get-login-password"]);
    let password = program::run(&mut login).expect_success();
    let password = password.trim();

    let layout = tempfile::tempdir().expect("a folder");
    let images = [Image::new("left", "amd64"), Image::new("right", "arm64")];
    write_layout(layout.path(), "v1", &index_of(&images), &images);
    let (from, to) = (
        format!("oci:{}:v1", utf8(layout.path())),
        format!("docker://{}/app:v1", server.address),
    );
    let authorities = pki.folder_of_authorities();
    let credentials = format!("AWS:{password}");
    let skopeo = |args: &[&str]| {
        let mut command = program::limited(program::tool("TEST_SKOPEO"));
        program::run(command.args(args))
    };
    let folder = utf8(authorities.path());
    let copy = [
        "copy",
        "--all",
        "--preserve-digests",
        "--dest-creds",
        &credentials,
    ];
    skopeo(&[&copy[..], &["--dest-cert-dir", folder, &from, &to]].concat()).expect_success();
    let look = ["inspect", "--raw", "--creds", &credentials, "--cert-dir"];
    skopeo(&[&look[..], &[folder, &to]].concat()).expect_success();
    // Without the authority it trusts nobody.
    skopeo(&["inspect", "--creds", &credentials, &to]).expect_failure();

    let docker = Docker::new();
    docker
        .login_with(&server.address, "AWS", password)
        .expect_success();
    let name = format!("{}/app:docker", server.address);
    docker.build(&name, "over TLS");
    docker.expect(&["push", &name]);
    docker.expect(&["rmi", "--force", &name]);
    docker.expect(&["pull", &name]);
    docker.expect(&["rmi", "--force", &name]);
}

#[test]
fn a_certificate_that_changes_is_shown_beside_a_transfer() {
    let pki = Pki::new();
    let server = server(&pki, &[("ROADSTEAD_TLS_RELOAD_SECONDS", "1")]);
    let first = pki.copy("first.pem");
    let key = create_key(server.data());
    let aws = AwsCli::new(server.url(), key);
    aws.create_repository("app");
    let login = format!("AWS:{}", aws.login_password());
    let content = tempfile::NamedTempFile::new().expect("a file");
    fs::write(content.path(), vec![b'x'; 600 * 1024]).expect("its content");
    let digest = super::support::images::digest_of(&vec![b'x'; 600 * 1024]);
    let url = format!("{}/v2/app/blobs/uploads/", https(&server));
    let opened = curl(
        &first,
        &["--user", &login, "--request", "POST", "--include", &url],
    );
    let opened = opened.expect_success();
    let location = opened
        .lines()
        .find_map(|line| line.strip_prefix("location: "))
        .expect("a location");
    let target = format!("{}{location}?digest={digest}", https(&server));
    // Some six seconds.
    let mut transfer = Command::new(program::tool("TEST_CURL"))
        .args([
            "--silent",
            "--fail",
            "--limit-rate",
            "100k",
            "--user",
            &login,
        ])
        .args(["--cacert", utf8(&first), "--max-time", "120"])
        .args(["--upload-file", utf8(content.path()), &target])
        .stdin(Stdio::null())
        .spawn()
        .expect("curl");

    pki.renew();
    let second = pki.copy("second.pem");
    eventually("the new certificate", || trusts(&server, &second));
    assert!(!trusts(&server, &first));
    fs::write(pki.certificate(), "garbage").expect("a broken certificate");
    eventually("a word about it", || {
        server.log().contains("the one before stays")
    });
    assert!(trusts(&server, &second));
    pki.renew();
    let third = pki.copy("third.pem");
    eventually("the repaired one", || trusts(&server, &third));
    assert!(transfer.wait().expect("curl").success());
}

#[test]
fn sighup_reads_the_certificate() {
    let pki = Pki::new();
    let server = server(&pki, &[("ROADSTEAD_TLS_RELOAD_SECONDS", "86400")]);
    pki.renew();
    let second = pki.copy("second.pem");
    assert!(!trusts(&server, &second));
    server.signal("HUP");
    eventually("the new certificate", || trusts(&server, &second));
}

#[test]
fn sighup_without_a_certificate_ends_nothing() {
    let server = Server::start();
    server.signal("HUP");
    eventually("a word about it", || server.log().contains("SIGHUP"));
    assert!(server.is_ready());
    assert!(server.stop().success());
}

#[test]
fn a_certificate_that_cannot_be_shown_is_an_error_at_the_start() {
    let (pki, other) = (Pki::new(), Pki::new());
    let nowhere = pki.certificate().with_file_name("nowhere.pem");
    let rows = [
        (nowhere.clone(), pki.key(), "tls.certificate"),
        (pki.certificate(), nowhere, "tls.key"),
        (pki.key(), pki.key(), "no certificate in PEM"),
        (
            pki.certificate(),
            pki.certificate(),
            "no private key in PEM",
        ),
        (pki.certificate(), other.key(), "does not belong"),
    ];
    let folder = tempfile::tempdir().expect("a folder");
    let (data, config) = (folder.path().join("data"), folder.path().join("config"));
    for (certificate, key, word) in rows {
        let text = format!(
            "[tls]\ncertificate = '{}'\nkey = '{}'\n",
            utf8(&certificate),
            utf8(&key)
        );
        fs::write(&config, text).expect("a configuration");
        let address = free_address();
        let said = run_roadstead(&[
            "serve",
            "--config",
            utf8(&config),
            "--data",
            utf8(&data),
            "--listen",
            &address,
        ])
        .expect_failure();
        assert!(said.contains(word), "{word}: {said}");
        assert!(
            said.contains(utf8(&certificate)) || said.contains(utf8(&key)),
            "{said}"
        );
        assert!(!said.contains("PRIVATE KEY-----"), "{said}");
        assert!(!data.exists(), "nothing is made");
    }
}
