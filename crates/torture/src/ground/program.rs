//! The real server program, as its own process, ended with SIGKILL.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

use super::ACCOUNT;

/// The program that is this one and, after [`AS_SERVER`], the server.
const NAME: &str = "roadstead-torture";
/// Makes it the server: the arguments that follow are those of `roadstead`. One program for both,
/// so that never a server is tortured that was built from other sources.
pub const AS_SERVER: &str = "--as-roadstead";

/// A running server; killed when dropped.
#[derive(Debug)]
pub struct Program {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// The root key, if this start made it: id and secret.
    pub key: Option<(String, String)>,
    // Kept open: the server may write to it.
    _output: BufReader<ChildStdout>,
}

impl Drop for Program {
    fn drop(&mut self) {
        // Both fail if it has ended already, which is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where the program lies: it is this one, or lies a folder above that of a test.
fn path() -> Result<PathBuf> {
    let this = std::env::current_exe()?;
    let folders = this.ancestors().skip(1).take(2);
    let mut paths = folders.map(|folder| folder.join(NAME));
    let found = paths.find(|path| path.exists());
    found.with_context(|| format!("{NAME} is not beside {}: build the package", this.display()))
}

/// The program with the words of a command, over a data directory, and without a setting of the
/// caller's environment.
fn command(words: &[&str], data: &Path) -> Result<Command> {
    let mut command = Command::new(path()?);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("ROADSTEAD_") {
            command.env_remove(name);
        }
    }
    command
        .arg(AS_SERVER)
        .args(words)
        .arg("--data")
        .arg(data)
        .env("ROADSTEAD_ACCOUNT", ACCOUNT)
        .env("ROADSTEAD_SWEEP_GRACE_SECONDS", "0")
        .env("ROADSTEAD_SWEEP_INTERVAL_SECONDS", "86400")
        .env("ROADSTEAD_LIFECYCLE_INTERVAL_SECONDS", "86400")
        .env("ROADSTEAD_LOG_LEVEL", "error")
        .stdin(Stdio::null());
    Ok(command)
}

impl Program {
    /// Starts a server over a data directory, without grace for unreferenced blobs and without
    /// sweeps or lifecycle runs but those that are asked for. Ready once it returns.
    ///
    /// # Errors
    /// If the program ends instead; its last words are in the error.
    pub fn start(data: &Path) -> Result<Self> {
        let mut child = command(&["serve", "--listen", "127.0.0.1:0"], data)?
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("starting the server")?;
        let output = child.stdout.take().context("its output")?;
        let errors = child.stderr.take().context("its errors")?;
        let mut program = Self {
            child,
            address: ([127, 0, 0, 1], 0).into(),
            key: None,
            _output: BufReader::new(output),
        };
        let words = std::thread::spawn(move || last_words(BufReader::new(errors)));
        if program.greet()? {
            return Ok(program);
        }
        let status = program.child.wait()?;
        let words = words.join().unwrap_or_default();
        bail!("the server ended with {status}: {words}");
    }

    /// Reads the greeting; false if the program ended before it.
    fn greet(&mut self) -> Result<bool> {
        let mut line = String::new();
        let mut id = None;
        loop {
            line.clear();
            if self._output.read_line(&mut line)? == 0 {
                return Ok(false);
            }
            let words: Vec<&str> = line.split_whitespace().collect();
            if let Some(address) = line.strip_prefix("roadstead listens on http://") {
                let address = address.split(',').next().unwrap_or_default();
                self.address = address.parse().context("an address")?;
            }
            let value = |name: &str| {
                let mut found = words.iter().filter_map(|word| word.strip_prefix(name));
                found.next().map(str::to_owned)
            };
            id = id.or(value("AWS_ACCESS_KEY_ID="));
            let secret = value("AWS_SECRET_ACCESS_KEY=");
            if let (Some(id), Some(secret)) = (&id, secret) {
                self.key = Some((id.clone(), secret));
            }
            // The last line of the greeting.
            if line.starts_with("docker push") {
                return Ok(true);
            }
        }
    }

    /// The id of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sweeps; how many bytes that freed.
    ///
    /// # Errors
    /// If the sweep fails.
    pub fn sweep(&self, data: &Path) -> Result<u64> {
        let done = command(&["sweep", "--now", "--output", "json"], data)?.output()?;
        let said = String::from_utf8_lossy(&done.stderr);
        ensure!(done.status.success(), "the sweep failed: {said}");
        let report: serde_json::Value = serde_json::from_slice(&done.stdout)?;
        report["bytesFreed"].as_u64().context("bytesFreed")
    }

    /// SIGKILL, and the end of it.
    ///
    /// # Errors
    /// If it had ended by itself.
    pub fn kill(mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("the server ended by itself with {status}");
        }
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// SIGTERM, and the end of it.
    ///
    /// # Errors
    /// If the end was not clean.
    pub fn stop(mut self) -> Result<()> {
        let id = i32::try_from(self.child.id())?;
        let id = rustix::process::Pid::from_raw(id).context("a process")?;
        rustix::process::kill_process(id, rustix::process::Signal::TERM)?;
        let status = self.child.wait()?;
        ensure!(status.success(), "the server ended with {status}");
        Ok(())
    }
}

/// The last lines of what the program complains of; reads all, so that it never waits.
fn last_words(errors: BufReader<impl std::io::Read>) -> String {
    let mut last = Vec::new();
    for line in errors.lines().map_while(Result::ok) {
        if last.len() == 8 {
            last.remove(0);
        }
        last.push(line);
    }
    last.join("\n")
}
