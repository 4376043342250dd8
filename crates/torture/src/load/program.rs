//! The real server program as a process of its own.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

/// What the program is called beside this one.
const NAME: &str = "roadstead-tortured";

/// A running server, killed when dropped.
#[derive(Debug)]
pub(super) struct Program {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// The root key, if this start made it: id and secret.
    pub key: Option<(String, String)>,
    // Kept open: the server may write to it.
    output: BufReader<ChildStdout>,
}

impl Drop for Program {
    fn drop(&mut self) {
        // Both fail if it has ended already, which is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where the program lies: beside this one, or one folder above for tests.
fn path() -> Result<PathBuf> {
    let this = std::env::current_exe()?;
    let folders = this.ancestors().skip(1).take(2);
    let mut paths = folders.map(|folder| folder.join(NAME));
    let found = paths.find(|path| path.exists());
    found.with_context(|| format!("{NAME} is not beside {}: build the package", this.display()))
}

/// The program without a setting of the caller's environment; it sweeps when it is asked, at once.
fn command(words: &[&str], data: &Path) -> Result<Command> {
    let mut command = Command::new(path()?);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("ROADSTEAD_") {
            command.env_remove(name);
        }
    }
    command
        .args(words)
        .arg("--data")
        .arg(data)
        .env("ROADSTEAD_SWEEP_GRACE_SECONDS", "0")
        .env("ROADSTEAD_SWEEP_INTERVAL_SECONDS", "86400")
        .stdin(Stdio::null());
    Ok(command)
}

impl Program {
    /// Starts a server over a data directory. It is ready once this returns.
    pub(super) fn start(data: &Path) -> Result<Self> {
        let log = std::fs::File::create(data.with_extension("log"))?;
        let mut child = command(&["serve", "--listen", "127.0.0.1:0"], data)?
            .env("ROADSTEAD_LOG_LEVEL", "warn")
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .context("starting the server")?;
        let output = child.stdout.take().context("its output")?;
        let mut program = Self {
            child,
            address: ([127, 0, 0, 1], 0).into(),
            key: None,
            output: BufReader::new(output),
        };
        if program.greeted()? {
            return Ok(program);
        }
        let status = program.child.wait()?;
        let said = std::fs::read_to_string(data.with_extension("log"))?;
        bail!("the server ended with {status}: {said}");
    }

    /// Reads the greeting; false if the program ended before it.
    fn greeted(&mut self) -> Result<bool> {
        let (mut line, mut id) = (String::new(), None);
        loop {
            line.clear();
            if self.output.read_line(&mut line)? == 0 {
                return Ok(false);
            }
            if let Some(address) = line.strip_prefix("roadstead listens on http://") {
                let address = address.split([',', ' ']).next().unwrap_or_default();
                self.address = address.parse().context("an address")?;
            }
            let value = |name: &str| {
                let mut words = line.split_whitespace();
                words.find_map(|word| Some(word.strip_prefix(name)?.to_owned()))
            };
            id = id.or(value("AWS_ACCESS_KEY_ID="));
            if let (Some(id), Some(secret)) = (&id, value("AWS_SECRET_ACCESS_KEY=")) {
                self.key = Some((id.clone(), secret));
            }
            // The last line of the greeting.
            if line.starts_with("docker push") {
                return Ok(true);
            }
        }
    }

    /// The id of its process.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sweeps; how many bytes that freed.
    pub(super) fn sweep(&self, data: &Path) -> Result<u64> {
        let done = command(&["sweep", "--now", "--output", "json"], data)?.output()?;
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        ensure!(done.status.success(), "the sweep failed: {said}");
        let report: serde_json::Value = serde_json::from_slice(&done.stdout)?;
        report["bytesFreed"].as_u64().context("bytesFreed")
    }

    /// SIGTERM, and a clean end.
    pub(super) fn stop(mut self) -> Result<()> {
        let id = Pid::from_raw(i32::try_from(self.id())?).context("a process")?;
        kill_process(id, Signal::TERM)?;
        // It may still write.
        self.output.read_to_end(&mut Vec::new())?;
        let status = self.child.wait()?;
        ensure!(status.success(), "the server ended with {status}");
        Ok(())
    }
}
