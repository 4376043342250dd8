//! The real server program on a data folder of its own and a free port of 127.0.0.1, ended when
//! dropped.

use super::aws::AwsCli;
use super::program::{self, Said};
use serde_json::Value;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::Duration;
use tempfile::TempDir;

/// The account of all suites.
pub const ACCOUNT: &str = "123456789012";

const POLL: Duration = Duration::from_millis(50);
/// 30 s: a loaded machine starts slowly.
const POLLS_MAX: u32 = 600;

/// An access key of the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    pub access_key_id: String,
    pub secret_access_key: String,
}

/// A running server. Unreferenced blobs have no grace, so that a sweep shows its effect.
pub struct Server {
    child: Child,
    /// `127.0.0.1:port`, which is also the registry's name for Docker and skopeo.
    pub address: String,
    data: PathBuf,
    log: PathBuf,
    // Kept for its drop; absent where the test owns the folder.
    _folder: Option<TempDir>,
}

impl Server {
    /// Starts on a new data folder.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts on a new data folder with more arguments.
    pub fn start_with(args: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut server = Self::start_on(&folder.path().join("data"), args);
        server._folder = Some(folder);
        server
    }

    /// Starts on a data folder that outlives the server.
    pub fn start_on(data: &Path, args: &[&str]) -> Self {
        Self::start_at(free_address(), data, args, &[])
    }

    /// Starts on a data folder and an address that an earlier server had.
    pub fn start_again(data: &Path, address: &str, args: &[&str]) -> Self {
        Self::start_at(address.to_owned(), data, args, &[])
    }

    /// Starts on a data folder that outlives the server, with more settings in its environment.
    pub fn start_on_with_settings(data: &Path, settings: &[(&str, &str)]) -> Self {
        Self::start_at(free_address(), data, &[], settings)
    }

    /// Starts on a data folder that outlives the server, with both.
    pub fn start_on_with(data: &Path, args: &[&str], settings: &[(&str, &str)]) -> Self {
        Self::start_at(free_address(), data, args, settings)
    }

    /// Starts on a new data folder with more settings in its environment.
    pub fn start_with_settings(settings: &[(&str, &str)]) -> Self {
        Self::start_anew(free_address(), settings)
    }

    /// Starts on a new data folder with one port and two names: `127.0.0.1:port` is the public
    /// registry, [`Server::private_name`] whatever is private.
    pub fn start_with_public_name() -> Self {
        let address = free_address();
        Self::start_anew(address.clone(), &[("ROADSTEAD_ECR_PUBLIC_HOST", &address)])
    }

    /// `localhost:port`.
    pub fn private_name(&self) -> String {
        self.address.replace("127.0.0.1", "localhost")
    }

    fn start_anew(address: String, settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let data = folder.path().join("data");
        let mut server = Self::start_at(address, &data, &[], settings);
        server._folder = Some(folder);
        server
    }

    fn start_at(address: String, data: &Path, args: &[&str], settings: &[(&str, &str)]) -> Self {
        let log = data.with_extension("log");
        let mut server = Self {
            child: spawn(data, &log, &address, args, settings),
            address,
            data: data.to_path_buf(),
            log,
            _folder: None,
        };
        server.wait_until_ready();
        server
    }

    /// The folder given as `--data`.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// The id of the server's process.
    pub fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it at once, as a crash would (SIGKILL).
    pub fn kill(mut self) {
        self.child.kill().expect("a running server");
        self.child.wait().expect("its end");
    }

    /// Everything that the server has written to its outputs.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The address as an endpoint of the AWS clients.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// An AWS CLI with a new key of the account.
    pub fn aws(&self) -> AwsCli {
        AwsCli::new(self.url(), create_key(&self.data))
    }

    /// An AWS CLI with a new key of any account.
    pub fn aws_of(&self, account: &str) -> AwsCli {
        AwsCli::new(self.url(), create_key_of(&self.data, account))
    }

    /// Frees the bytes of everything unreferenced, now.
    pub fn sweep(&self) -> Value {
        run_roadstead(&[
            "sweep",
            "--now",
            "--output",
            "json",
            "--data",
            utf8(&self.data),
        ])
        .expect_json()
    }

    /// Whether `/readyz` answers 200.
    pub fn is_ready(&self) -> bool {
        status_of(&self.address, "/readyz").is_ok_and(|status| status == 200)
    }

    /// Sends a signal.
    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        program::run(Command::new("sh").args(["-c", &format!("kill -{name} {id}")]))
            .expect_success();
    }

    /// Waits for an end that was asked for.
    pub fn ended(mut self) -> ExitStatus {
        self.wait().expect("the server did not end")
    }

    /// Asks for a clean end and waits for it.
    pub fn stop(mut self) -> ExitStatus {
        self.terminate()
            .expect("the server did not end after SIGTERM")
    }

    fn wait_until_ready(&mut self) {
        for _ in 0..POLLS_MAX {
            // One that speaks HTTPS only says so.
            if status_of(&self.address, "/readyz").is_ok_and(|status| [200, 400].contains(&status))
            {
                return;
            }
            if let Some(status) = self.child.try_wait().expect("the state of the child") {
                panic!("the server ended with {status}:\n{}", self.log());
            }
            sleep(POLL);
        }
        panic!("the server is not ready in time:\n{}", self.log());
    }

    fn terminate(&mut self) -> Option<ExitStatus> {
        self.signal("TERM");
        self.wait()
    }

    fn wait(&mut self) -> Option<ExitStatus> {
        for _ in 0..POLLS_MAX {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Some(status);
            }
            sleep(POLL);
        }
        None
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) && self.terminate().is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        if std::thread::panicking() {
            eprintln!("--- log of the server at {}\n{}", self.address, self.log());
        }
    }
}

/// The server program, with no setting of the caller's environment.
pub fn roadstead() -> Command {
    let mut command = Command::new(program_path());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("ROADSTEAD_") {
            command.env_remove(name);
        }
    }
    command.env("ROADSTEAD_SWEEP_GRACE_SECONDS", "0");
    command
}

/// Where the server program lies.
pub fn program_path() -> &'static str {
    env!("CARGO_BIN_EXE_roadstead")
}

/// Runs a command of the server program that ends by itself.
pub fn run_roadstead(args: &[&str]) -> Said {
    let mut command = program::limited(program_path());
    command.args(args).env("ROADSTEAD_SWEEP_GRACE_SECONDS", "0");
    program::run(&mut command)
}

/// Makes a key with the `key` command.
pub fn create_key(data: &Path) -> Key {
    create_key_of(data, ACCOUNT)
}

/// Makes a key of any account.
pub fn create_key_of(data: &Path, account: &str) -> Key {
    let answer = run_roadstead(&[
        "key",
        "create",
        "--data",
        utf8(data),
        "--account",
        account,
        "--output",
        "json",
    ])
    .expect_json();
    let member = |name: &str| {
        let text = answer[name].as_str().filter(|text| !text.is_empty());
        text.unwrap_or_else(|| panic!("no {name} in {answer}"))
            .to_owned()
    };
    Key {
        access_key_id: member("accessKeyId"),
        secret_access_key: member("secretAccessKey"),
    }
}

/// A port that was free a moment ago.
pub fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").to_string()
}

/// The status of a plain GET.
pub fn status_of(address: &str, path: &str) -> std::io::Result<u16> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let status = answer.split(' ').nth(1).and_then(|word| word.parse().ok());
    status.ok_or_else(|| std::io::Error::other("no status line"))
}

/// Paths of the suites are plain text.
pub fn utf8(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

fn spawn(
    data: &Path,
    log: &Path,
    address: &str,
    args: &[&str],
    settings: &[(&str, &str)],
) -> Child {
    let file = File::options()
        .create(true)
        .append(true)
        .open(log)
        .expect("a log file");
    roadstead()
        .args(["serve", "--data", utf8(data), "--listen", address])
        .args(args)
        // A test that is slow must not find its uploads swept: sweeps come when they are asked for.
        .env("ROADSTEAD_SWEEP_INTERVAL_SECONDS", "86400")
        .envs(settings.iter().copied())
        .stdin(Stdio::null())
        .stdout(file.try_clone().expect("the log file twice"))
        .stderr(file)
        .spawn()
        .expect("the server program starts")
}
