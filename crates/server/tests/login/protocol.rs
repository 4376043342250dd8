//! The protocol of Docker's credential helpers, the kubelet's, and where credentials come from.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use base64::Engine as _;
use serde_json::{Value, json};

use crate::helper::{Home, status, text};
use crate::support::program::Said;
use crate::support::server::{Server, create_key};

/// docker-credential-helpers, `credentials/error.go`.
const NOT_FOUND: &str = "credentials not found in native keychain\n";

fn refused(said: &Said) -> &str {
    assert_eq!(said.code, Some(1), "{said}");
    &said.stdout
}

fn shows_nothing(said: &Said, secret: &str) -> bool {
    !said.stdout.contains(secret) && !said.stderr.contains(secret)
}

#[test]
fn a_key_in_the_variables_signs_in() {
    let server = Server::start();
    let home = Home::with_key(&create_key(server.data()));
    let login = home.get(&server.address);
    assert_eq!(login.0, "AWS");
    assert_eq!(status(&server.address, &login), 200);
    // With a scheme and a path, as Docker names some registries.
    let url = format!("http://{}/v2/", server.address);
    assert_eq!(home.get(&url), login);
}

#[test]
fn profiles_are_found_as_the_aws_cli_finds_them() {
    let server = Server::start();
    let [first, second] = [(), ()].map(|()| create_key(server.data()));
    let mut home = Home::new();
    let profile = |name: &str, key: &crate::support::server::Key| {
        let (id, secret) = (&key.access_key_id, &key.secret_access_key);
        format!("[{name}]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n")
    };
    home.write(".aws/credentials", &profile("default", &first));
    home.write(".aws/config", "[profile work]\nregion = eu-west-1\n");
    assert_eq!(status(&server.address, &home.get(&server.address)), 200);
    home.set("AWS_PROFILE", "work");
    let none = home.run(&["get"], &server.address);
    assert_eq!(refused(&none), NOT_FOUND);
    assert!(none.stderr.contains("work"), "{none}");
    home.write("elsewhere", &profile("work", &second));
    let elsewhere = home.path().join("elsewhere");
    home.set(
        "AWS_SHARED_CREDENTIALS_FILE",
        elsewhere.to_str().expect("a path"),
    );
    assert_eq!(status(&server.address, &home.get(&server.address)), 200);
    // The user's own file names another for this registry.
    let settings = format!("[registry.\"{}\"]\nprofile = \"other\"\n", server.address);
    home.write(".config/roadstead/login.toml", &settings);
    home.run(&["erase"], &server.address).expect_success();
    assert_eq!(refused(&home.run(&["get"], &server.address)), NOT_FOUND);
    home.write("elsewhere", &profile("other", &second));
    assert_eq!(status(&server.address, &home.get(&server.address)), 200);
}

#[test]
fn a_key_of_the_registry_is_kept_from_others() {
    let server = Server::start();
    let key = create_key(server.data());
    let home = Home::new();
    let settings = format!(
        "[registry.\"{}\"]\naccess_key_id = \"{}\"\nsecret_access_key = \"{}\"\n",
        server.address, key.access_key_id, key.secret_access_key
    );
    let name = ".config/roadstead/login.toml";
    home.write(name, &settings);
    assert_eq!(status(&server.address, &home.get(&server.address)), 200);
    let path = home.path().join(name);
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).expect("its mode");
    let said = home.run(&["get"], &server.address);
    assert!(refused(&said).contains("chmod 600"), "{said}");
    assert!(shows_nothing(&said, &key.secret_access_key));
}

#[test]
fn a_login_is_kept_sealed_and_used_again() {
    let server = Server::start();
    let key = create_key(server.data());
    let other = create_key(server.data());
    let mut home = Home::with_key(&key);
    let login = home.get(&server.address);
    let [kept] = &home.kept()[..] else {
        panic!("one file");
    };
    let mode = |path: &std::path::Path| fs::metadata(path).expect("a file").permissions().mode();
    assert_eq!(mode(kept) & 0o777, 0o600);
    assert_eq!(mode(kept.parent().expect("a folder")) & 0o777, 0o700);
    let text = fs::read_to_string(kept).expect("text");
    assert!(!text.contains(&login.1) && !text.contains(&key.secret_access_key));
    let listed = home.run(&["list"], "").expect_json();
    assert_eq!(listed, json!({ &server.address: "AWS" }));

    let address = server.address.clone();
    assert!(server.stop().success());
    assert_eq!(home.get(&address), login, "without asking");
    home.set("AWS_ACCESS_KEY_ID", &other.access_key_id);
    home.set("AWS_SECRET_ACCESS_KEY", &other.secret_access_key);
    refused(&home.run(&["get"], &address));
    home.run(&["erase"], &address).expect_success();
    assert!(home.kept().is_empty());
    home.run(&["erase"], &address).expect_success();
    assert_eq!(home.run(&["list"], "").expect_json(), json!({}));
}

#[test]
fn a_login_that_ends_soon_is_asked_for_again() {
    let server = Server::start();
    let home = Home::with_key(&create_key(server.data()));
    let login = home.get(&server.address);
    let [path] = &home.kept()[..] else {
        panic!("one file");
    };
    let mut kept: Value = serde_json::from_slice(&fs::read(path).expect("kept")).expect("JSON");
    // Ten minutes of twelve hours are left.
    let life = 12 * 60 * 60;
    let ends = kept["expires_at"].as_i64().expect("a time") - life + 600;
    kept["expires_at"] = ends.into();
    kept["kept_at"] = (ends - life).into();
    fs::write(path, kept.to_string()).expect("written");
    let again = home.get(&server.address);
    assert_ne!(again, login);
    assert_eq!(status(&server.address, &again), 200);
}

#[test]
fn clients_go_on_where_nobody_can_sign_in() {
    let server = Server::start();
    let nobody = Home::new();
    assert_eq!(refused(&nobody.run(&["get"], &server.address)), NOT_FOUND);
    let home = Home::with_key(&create_key(server.data()));
    for other in [
        "https://index.docker.io/v1/",
        "ghcr.io",
        "123456789012.dkr.ecr.us-east-1.amazonaws.com",
    ] {
        assert_eq!(refused(&home.run(&["get"], other)), NOT_FOUND, "{other}");
    }
    let empty = home.run(&["get"], "\n");
    assert_eq!(refused(&empty), "no credentials server URL\n");
    refused(&home.run(&["store"], "{}"));
    refused(&home.run(&["dance"], ""));
    let version = home.run(&["version"], "").expect_success();
    assert!(version.starts_with("docker-credential-roadstead "));
}

#[test]
fn a_refusal_says_why_and_shows_no_secret() {
    let server = Server::start();
    let mut key = create_key(server.data());
    key.secret_access_key = "b".repeat(40);
    let home = Home::with_key(&key);
    let said = home.run(&["get"], &server.address);
    assert!(
        refused(&said).contains("InvalidSignatureException"),
        "{said}"
    );
    assert!(shows_nothing(&said, &key.secret_access_key));
    assert!(home.kept().is_empty());
}

#[test]
fn a_public_registry_has_its_own_login() {
    let server = Server::start_with_public_name();
    let home = Home::with_key(&create_key(server.data()));
    let settings = format!(
        "[registry.\"{}\"]\nservice = \"ecr-public\"\n",
        server.address
    );
    home.write(".config/roadstead/login.toml", &settings);
    let login = home.get(&server.address);
    assert_eq!(login.0, "AWS");
    assert_eq!(status(&server.address, &login), 200);
    let private = home.get(&server.private_name());
    assert_ne!(private, login);
}

#[test]
fn the_kubelet_gets_a_login_for_an_image() {
    let server = Server::start();
    let home = Home::with_key(&create_key(server.data()));
    let request = |image: &str| {
        json!({
            "kind": "CredentialProviderRequest",
            "apiVersion": "credentialprovider.kubelet.k8s.io/v1",
            "image": image,
        })
        .to_string()
    };
    let image = format!("{}/team/app:v1", server.address);
    let answer = home.run(&["kubelet"], &request(&image)).expect_json();
    assert_eq!(answer["kind"], "CredentialProviderResponse");
    assert_eq!(answer["apiVersion"], "credentialprovider.kubelet.k8s.io/v1");
    assert_eq!(answer["cacheKeyType"], "Registry");
    // Half of twelve hours.
    let seconds = text(&answer, "/cacheDuration").trim_end_matches('s');
    let seconds: i64 = seconds.parse().expect("seconds");
    assert!((6 * 3600 - 120..=6 * 3600).contains(&seconds), "{seconds}");
    let auth = &answer["auth"][&server.address];
    let login = (
        text(auth, "/username").to_owned(),
        text(auth, "/password").to_owned(),
    );
    assert_eq!(status(&server.address, &login), 200);
    let other = home.run(&["kubelet"], &request("docker.io/library/app:v1"));
    assert_eq!(other.expect_json()["auth"], json!({}));
    refused(&home.run(&["kubelet"], "{}"));
}

#[test]
fn an_image_pull_secret_is_one_command() {
    let server = Server::start();
    let home = Home::with_key(&create_key(server.data()));
    let secret = home.run(&["dockerconfig", &server.address], "");
    let secret = secret.expect_json();
    let auth = secret["auths"][&server.address]["auth"].as_str();
    let plain = base64::engine::general_purpose::STANDARD.decode(auth.expect("a login"));
    let plain = String::from_utf8(plain.expect("base64")).expect("text");
    let (user, password) = plain.split_once(':').expect("user and password");
    let login = (user.to_owned(), password.to_owned());
    assert_eq!(status(&server.address, &login), 200);
}
