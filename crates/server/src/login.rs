//! `docker-credential-roadstead`: signs in to a registry by itself, with the user's AWS profile or a
//! key of this registry, for every client that speaks the protocol of Docker's credential helpers,
//! and for the kubelet. `docs/login.md` is its manual.
//!
//! A secret leaves it in one place: the answer on standard output. It must never write one to an
//! error, or to a file in the clear.

mod aws;
mod cache;
mod place;
mod token;

use std::io::{Read as _, Write as _};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use roadstead_registry::context::Clock as _;
use serde_json::{Map, Value, json};

use crate::ambient::SystemClock;

/// What clients know a missing login by (docker-credential-helpers, `credentials/error.go`): they
/// go on without one.
const NOT_FOUND: &str = "credentials not found in native keychain";
/// The same, for an empty request.
const NO_URL: &str = "no credentials server URL";
/// Longest request, bytes.
const INPUT_BYTES_MAX: u64 = 64 * 1024;
/// How long the kubelet may keep a login.
const KUBELET_SECONDS_MAX: i64 = 6 * 60 * 60;
const KUBELET_API: &str = "credentialprovider.kubelet.k8s.io/v1";

const USAGE: &str = "usage: docker-credential-roadstead COMMAND
  get         the login of the registry that standard input names (Docker's protocol)
  store       refused: logins are made as they are needed
  erase       forgets the kept login of the registry that standard input names
  list        the registries that have a kept login
  kubelet     a request of the kubelet, credentialprovider.kubelet.k8s.io/v1
  dockerconfig HOST   a .dockerconfigjson for an image pull secret
  version     the version";

/// A login.
#[derive(Clone, PartialEq, Eq)]
struct Login {
    user: String,
    password: String,
    /// Until when it is good, seconds since the Unix epoch.
    expires_at: i64,
}

/// Why there is no login.
enum Failure {
    /// This registry is not ours, or nobody can sign in: clients go on without.
    NotFound(anyhow::Error),
    /// It was refused, or went wrong.
    Failed(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// Runs the program on its arguments. Docker reads standard output, also for errors.
pub fn run() -> ExitCode {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let (said, code) = match answer(&args) {
        Ok(answer) => (answer, ExitCode::SUCCESS),
        Err(Failure::NotFound(why)) => {
            eprintln!("docker-credential-roadstead: {why:#}");
            (NOT_FOUND.to_owned(), ExitCode::FAILURE)
        }
        Err(Failure::Failed(error)) => (format!("{error:#}"), ExitCode::FAILURE),
    };
    // A reader that is gone has no use for it.
    let _ = writeln!(std::io::stdout(), "{said}");
    code
}

fn answer(args: &[&str]) -> Result<String, Failure> {
    match args {
        ["get"] => {
            let url = input()?;
            let login = log_in(place::host_of(&url))?;
            let (user, secret) = (&login.user, &login.password);
            Ok(json!({ "ServerURL": url, "Username": user, "Secret": secret }).to_string())
        }
        ["erase"] => {
            let url = input()?;
            cache::erase(place::host_of(&url))?;
            Ok(String::new())
        }
        ["list"] => {
            let kept = cache::list()?.into_iter();
            let kept: Map<String, Value> = kept.map(|(host, user)| (host, user.into())).collect();
            Ok(Value::Object(kept).to_string())
        }
        ["store"] => Err(anyhow::anyhow!(
            "nothing is stored: docker-credential-roadstead signs in by itself"
        )
        .into()),
        ["kubelet"] => kubelet(&input()?),
        ["dockerconfig", host] => {
            let login = log_in(place::host_of(host))?;
            let auth = STANDARD.encode(format!("{}:{}", login.user, login.password));
            Ok(json!({ "auths": { *host: { "auth": auth } } }).to_string())
        }
        ["version" | "--version"] => Ok(format!(
            "docker-credential-roadstead {}",
            env!("CARGO_PKG_VERSION")
        )),
        ["help" | "--help"] => Ok(USAGE.to_owned()),
        _ => Err(anyhow::anyhow!("{USAGE}").into()),
    }
}

/// What standard input says, without the space around it.
fn input() -> Result<String> {
    let mut text = String::new();
    std::io::stdin()
        .take(INPUT_BYTES_MAX)
        .read_to_string(&mut text)
        .context("reading the request")?;
    match text.trim() {
        "" => bail!(NO_URL),
        text => Ok(text.to_owned()),
    }
}

/// A login of a registry: the kept one, or a new one.
fn log_in(host: &str) -> Result<Login, Failure> {
    let place = place::place(host)?.ok_or_else(|| {
        let why = anyhow::anyhow!("'{host}' is no roadstead as far as anybody said");
        Failure::NotFound(why)
    })?;
    let credentials = aws::credentials(&place).map_err(Failure::NotFound)?;
    let now = SystemClock.now().seconds();
    if let Some(login) = cache::find(&place, &credentials, now) {
        return Ok(login);
    }
    let login = token::ask(&place, &credentials)?;
    if let Err(error) = cache::keep(&place, &credentials, &login, now) {
        eprintln!("docker-credential-roadstead: the login is not kept: {error:#}");
    }
    Ok(login)
}

/// A CredentialProviderRequest of the kubelet (Kubernetes, "Kubelet credential provider (v1)").
fn kubelet(text: &str) -> Result<String, Failure> {
    let request: Value = serde_json::from_str(text).context("not a request of the kubelet")?;
    if request["apiVersion"] != KUBELET_API || request["kind"] != "CredentialProviderRequest" {
        return Err(anyhow::anyhow!("not a CredentialProviderRequest of {KUBELET_API}").into());
    }
    let image = request["image"].as_str().unwrap_or_default();
    let host = place::host_of(image);
    let (auth, seconds) = match log_in(host) {
        Ok(login) => {
            let left = login.expires_at - SystemClock.now().seconds();
            let auth = json!({ host: { "username": login.user, "password": login.password } });
            (auth, (left / 2).clamp(0, KUBELET_SECONDS_MAX))
        }
        Err(Failure::NotFound(_)) => (json!({}), 0),
        Err(failed) => return Err(failed),
    };
    let answer = json!({
        "kind": "CredentialProviderResponse",
        "apiVersion": KUBELET_API,
        "cacheKeyType": "Registry",
        "cacheDuration": format!("{seconds}s"),
        "auth": auth,
    });
    Ok(answer.to_string())
}
