//! A user's home with a helper in it, and nothing else of the machine's environment.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use bytes::Bytes;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::program::{self, Said};
use crate::support::server::{Key, utf8};

pub struct Home {
    folder: TempDir,
    variables: Vec<(String, String)>,
}

impl Home {
    pub fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a home"),
            variables: Vec::new(),
        }
    }

    /// A home whose user has a key in the variables.
    pub fn with_key(key: &Key) -> Self {
        let mut home = Self::new();
        home.set("AWS_ACCESS_KEY_ID", &key.access_key_id);
        home.set("AWS_SECRET_ACCESS_KEY", &key.secret_access_key);
        home
    }

    pub fn set(&mut self, name: &str, value: &str) {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.into(), value.into()));
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        fs::write(&path, text).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("its mode");
    }

    /// What clients need to find the helper and the user.
    pub fn environment(&self) -> Vec<(String, String)> {
        let folder = helper().parent().expect("a folder").to_owned();
        let path = std::env::var("PATH").expect("a search path");
        let mut all = self.variables.clone();
        all.push(("HOME".into(), utf8(self.path()).into()));
        all.push(("PATH".into(), format!("{}:{path}", utf8(&folder))));
        all
    }

    pub fn run(&self, args: &[&str], input: &str) -> Said {
        let mut command = program::limited(helper());
        command.env_clear().envs(self.environment()).args(args);
        program::run_with_input(&mut command, input.as_bytes())
    }

    /// The login of a registry: user and password.
    pub fn get(&self, host: &str) -> (String, String) {
        let login = self.run(&["get"], host).expect_json();
        assert_eq!(login["ServerURL"], host);
        let member = |name: &str| login[name].as_str().expect("a text").to_owned();
        (member("Username"), member("Secret"))
    }

    /// The files of kept logins.
    pub fn kept(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.path().join(".cache/roadstead/logins"));
        let entries = entries.into_iter().flatten();
        entries
            .map(|entry| entry.expect("an entry").path())
            .collect()
    }
}

fn helper() -> PathBuf {
    env!("CARGO_BIN_EXE_docker-credential-roadstead").into()
}

/// The status of `/v2/` for a login.
pub fn status(address: &str, (user, password): &(String, String)) -> u16 {
    let plain = format!("{user}:{password}");
    let basic = base64::engine::general_purpose::STANDARD.encode(plain);
    let request = http::Request::builder().uri("/v2/");
    let request = request.header("authorization", format!("Basic {basic}"));
    let request = request.body(Bytes::new()).expect("a request");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let address = address.parse().expect("an address");
    let answer = runtime.block_on(roadstead_server::client::send(address, request));
    answer.expect("an answer").status().as_u16()
}

/// A member of an answer as text.
pub fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or_else(|| panic!("no {pointer} in {value}"))
}
