//! The servers that are compared: how each is configured, started and ended.
//!
//! None writes a line for each request, all listen on 127.0.0.1. roadstead checks a login on each
//! request and syncs what it acknowledges; docker-registry has no login here and never syncs.

use super::machine::now;
use super::{Bench, remove};
use crate::process::find_program;
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The repository that everything happens in.
pub const REPOSITORY: &str = "bench";
const READY_WITHIN: Duration = Duration::from_secs(60);

/// One of the servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Peer {
    Roadstead,
    DockerRegistry,
    Nginx,
}

impl Peer {
    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Roadstead => "roadstead",
            Self::DockerRegistry => "docker-registry",
            Self::Nginx => "nginx",
        }
    }
}

/// A server that answers; ended when dropped.
pub struct Serving {
    pub peer: Peer,
    pub process: Process,
    pub address: SocketAddr,
    pub authorization: Option<String>,
    /// How the load program calls the API, of roadstead alone.
    pub api: Value,
    /// Where it keeps its things.
    pub folder: PathBuf,
}

impl Serving {
    /// Starts a server over an empty folder, with the one repository.
    pub fn start(bench: &Bench, peer: Peer) -> Result<Self> {
        let folder = bench.folder("served")?;
        let serving = Self::start_in(bench, peer, folder)?;
        match peer {
            Peer::Roadstead => serving.logged_in(bench, &[REPOSITORY]),
            Peer::DockerRegistry | Peer::Nginx => Ok(serving),
        }
    }

    /// Starts a server over a folder that may hold something.
    pub fn start_in(bench: &Bench, peer: Peer, folder: PathBuf) -> Result<Self> {
        let address = free_address()?;
        let mut process = Process::start(command(bench, peer, &folder, address)?)?;
        let mut api = Value::Null;
        if peer == Peer::Roadstead {
            let (key, secret) = process.root_key()?;
            api = json!({
                "address": address, "region": "us-east-1", "key": key, "secret": secret,
            });
        }
        process.wait_until_open(address)?;
        Ok(Self {
            peer,
            process,
            address,
            authorization: None,
            api,
            folder,
        })
    }

    /// Logs in, and makes repositories.
    pub fn logged_in(mut self, bench: &Bench, repositories: &[&str]) -> Result<Self> {
        let task = json!({ "do": "login", "server": self.api, "repositories": repositories });
        let answer = bench.task(&task)?;
        self.authorization = answer["authorization"].as_str().map(str::to_owned);
        Ok(self)
    }

    /// The task of putting some load on it.
    pub fn load(&self, connections: usize, work: &Value) -> Value {
        json!({
            "do": "load", "address": self.address, "authorization": self.authorization,
            "connections": connections, "work": work,
        })
    }

    /// Reads what a path answers.
    pub fn get(&self, path: &str) -> Result<Vec<u8>> {
        let mut stream = TcpStream::connect(self.address)?;
        let authorization = match &self.authorization {
            Some(value) => format!("authorization: {value}\r\n"),
            None => String::new(),
        };
        let accept = "accept: application/vnd.oci.image.manifest.v1+json";
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nhost: {}\r\n{authorization}{accept}\r\nconnection: close\r\n\r\n",
            self.address
        )?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n");
        let end = end.context("an answer without a head")?;
        let head = String::from_utf8_lossy(&answer[..end]).into_owned();
        if !head.starts_with("HTTP/1.1 200") {
            bail!("{} {path}: {head}", self.peer.name());
        }
        Ok(answer.split_off(end + 4))
    }

    /// Ends it and removes what it kept.
    pub fn end(self) -> Result<()> {
        let folder = self.folder.clone();
        drop(self);
        remove(&folder)
    }
}

/// How a server is started.
pub fn command(bench: &Bench, peer: Peer, folder: &Path, address: SocketAddr) -> Result<Command> {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "TERM", "--"]);
    match peer {
        Peer::Roadstead => {
            command.arg(&bench.roadstead);
            command.args(["serve", "--listen", &address.to_string(), "--data"]);
            command.arg(folder).env("ROADSTEAD_LOG_LEVEL", "warn");
        }
        Peer::DockerRegistry => {
            let settings = format!(
                "version: 0.1\nlog:\n  level: error\n  accesslog:\n    disabled: true\n\
                 storage:\n  filesystem:\n    rootdirectory: {}\n  delete:\n    enabled: true\n  \
                 cache:\n    blobdescriptor: inmemory\nhttp:\n  addr: {address}\n",
                folder.display()
            );
            let file = folder.with_extension("yml");
            fs::write(&file, settings)?;
            command.arg(&bench.registry).arg("serve").arg(file);
        }
        Peer::Nginx => {
            let settings = format!(
                "daemon off; worker_processes auto; user {user}; error_log stderr error; \
                 pid {pid}; events {{ worker_connections 4096; }} http {{ access_log off; \
                 sendfile on; tcp_nopush on; tcp_nodelay on; keepalive_requests 100000000; \
                 open_file_cache max=1000; default_type application/octet-stream; \
                 server {{ listen {address}; root {root}; }} }}",
                user = "root",
                pid = folder.with_extension("pid").display(),
                root = folder.display(),
            );
            let file = folder.with_extension("conf");
            fs::write(&file, settings)?;
            command
                .arg(&bench.nginx)
                .arg("-p")
                .arg(folder)
                .arg("-c")
                .arg(file);
            command.args(["-e", "stderr"]);
        }
    }
    Ok(command)
}

/// A process that is ended, and waited for, when dropped.
pub struct Process {
    child: Child,
    started: Instant,
}

impl Process {
    /// Starts it; its complaints are shown.
    pub fn start(mut command: Command) -> Result<Self> {
        if find_program("setpriv").is_none() {
            bail!("missing: setpriv (Debian package util-linux)");
        }
        let started = now();
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(
                File::options()
                    .append(true)
                    .open("/dev/stderr")
                    .map_or_else(|_| Stdio::null(), Stdio::from),
            )
            .spawn()
            .context("cannot start a server")?;
        Ok(Self { child, started })
    }

    /// Its id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Since when it runs.
    pub fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// Waits until it accepts connections.
    pub fn wait_until_open(&mut self, address: SocketAddr) -> Result<()> {
        while TcpStream::connect(address).is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!("a server ended early: {status}");
            }
            if self.started.elapsed() > READY_WITHIN {
                bail!("a server is not ready in time");
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        Ok(())
    }

    /// The key that the first start of roadstead shows.
    fn root_key(&mut self) -> Result<(String, String)> {
        let greeting = BufReader::new(self.child.stdout.take().context("no output")?);
        for line in greeting.lines() {
            let line = line?;
            let value = |name: &str| {
                let rest = line.split_once(name)?.1;
                Some(rest.split(' ').next()?.to_owned())
            };
            let key = value("AWS_ACCESS_KEY_ID=");
            if let (Some(key), Some(secret)) = (key, value("AWS_SECRET_ACCESS_KEY=")) {
                return Ok((key, secret));
            }
        }
        bail!("no access key in the greeting")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let id = self.child.id().to_string();
        // Failing means that it is gone already.
        let _ = Command::new("kill").args(["-TERM", &id]).status();
        let asked = now();
        while asked.elapsed() < Duration::from_secs(20) {
            if let Ok(Some(_)) = self.child.try_wait() {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address of this machine alone that nobody listens on.
pub fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
