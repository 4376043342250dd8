//! The servers that the tests talk to: one PostgreSQL cluster, one Docker daemon and one containerd,
//! each with folders and a port or socket of its own, all ended when their value is dropped.
//!
//! Must never touch a cluster or daemon of the machine, nor listen beyond 127.0.0.1.

use crate::install::Tools;
use crate::process::{Root, output, target_dir};
use anyhow::{Context, Result, bail};
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const POLL: Duration = Duration::from_millis(200);
/// How often a service is asked whether it is ready, or has ended, before we give up (60 s).
const POLLS_MAX: u32 = 300;
/// `sockaddr_un` holds 107 bytes; the daemon appends names of its own to its folder.
const SOCKET_PATH_BYTES_MAX: usize = 60;

/// Everything started for one test run.
pub struct Services {
    /// For `TEST_POSTGRES_URL`.
    pub postgres_url: String,
    /// For `TEST_DOCKER_HOST`.
    pub docker_host: String,
    /// For `TEST_CONTAINERD`.
    pub containerd_address: String,
    // Dropped in this order: processes first, then the folders that they use.
    _postgres: Running,
    _dockerd: Running,
    _containerd: Running,
    _folders: Vec<Folder>,
}

/// Starts all services and waits until they answer.
pub fn start(tools: &Tools, root: Root) -> Result<Services> {
    let name = format!("roadstead-{}", std::process::id());
    remove_leftovers(root);
    let scratch = Folder::make(target_dir().join("tmp").join(&name), root)?;
    let mut folders = Vec::new();
    let runtime = if scratch.path.as_os_str().len() > SOCKET_PATH_BYTES_MAX {
        folders.push(Folder::make(std::env::temp_dir().join(&name), root)?);
        folders[0].path.clone()
    } else {
        scratch.path.clone()
    };
    let owner = ClusterOwner::choose(root);
    let cluster = if owner.can_enter(&scratch.path) {
        scratch.path.join("postgres")
    } else {
        let apart = std::env::temp_dir().join(format!("{name}-postgres"));
        folders.push(Folder::make(apart.clone(), root)?);
        apart.join("postgres")
    };
    let (postgres_url, postgres) = start_postgres(tools, owner, &cluster, &scratch.path)?;
    let (docker_host, dockerd) = start_dockerd(tools, root, &scratch.path, &runtime)?;
    let (containerd_address, containerd) = start_containerd(tools, root, &scratch.path, &runtime)?;
    folders.push(scratch);
    Ok(Services {
        postgres_url,
        docker_host,
        containerd_address,
        _postgres: postgres,
        _dockerd: dockerd,
        _containerd: containerd,
        _folders: folders,
    })
}

/// PostgreSQL refuses to run as root: root hands the cluster to Debian's `postgres` account.
#[derive(Clone, Copy)]
enum ClusterOwner {
    Ourselves,
    Postgres,
}

impl ClusterOwner {
    fn choose(root: Root) -> Self {
        match root {
            Root::Already => Self::Postgres,
            Root::Sudo | Root::Unavailable => Self::Ourselves,
        }
    }

    /// `setpriv` replaces itself by the program, so that the child's id is the program's, and
    /// has the kernel end it should we die without a word.
    fn command(self, program: &Path) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "INT"]);
        if matches!(self, Self::Postgres) {
            command.args([
                "--reuid",
                "postgres",
                "--regid",
                "postgres",
                "--init-groups",
            ]);
        }
        command.arg("--").arg(program).current_dir("/");
        command
    }

    /// A checkout below a private home folder is closed to the `postgres` account.
    fn can_enter(self, folder: &Path) -> bool {
        output(self.command(Path::new("test")).arg("-x").arg(folder)).is_ok()
    }
}

fn start_postgres(
    tools: &Tools,
    owner: ClusterOwner,
    cluster: &Path,
    logs: &Path,
) -> Result<(String, Running)> {
    fs::create_dir_all(cluster)?;
    if matches!(owner, ClusterOwner::Postgres) {
        output(Command::new("chown").arg("postgres:postgres").arg(cluster))?;
    }
    output(
        owner
            .command(&tools.postgres_bin.join("initdb"))
            .args(["--username=roadstead", "--auth=trust", "--no-sync"])
            .args(["--encoding=UTF8", "--locale=C", "-D"])
            .arg(cluster),
    )?;
    let port = free_port()?;
    let mut command = owner.command(&tools.postgres_bin.join("postgres"));
    command
        .arg("-D")
        .arg(cluster)
        .args(["-h", "127.0.0.1", "-p", &port.to_string()])
        .args(["-c", "unix_socket_directories="])
        .args(["-c", "fsync=off", "-c", "max_connections=200"]);
    let mut postgres = Running::spawn("PostgreSQL", command, &logs.join("postgres.log"), "INT")?;
    postgres.wait_until(|| {
        output(
            Command::new(tools.postgres_bin.join("pg_isready"))
                .args(["-h", "127.0.0.1", "-U", "roadstead", "-d", "postgres"])
                .args(["-p", &port.to_string()]),
        )
        .is_ok()
    })?;
    Ok((
        format!("postgres://roadstead@127.0.0.1:{port}/postgres"),
        postgres,
    ))
}

fn start_dockerd(
    tools: &Tools,
    root: Root,
    scratch: &Path,
    runtime: &Path,
) -> Result<(String, Running)> {
    let host = format!("unix://{}", runtime.join("docker.sock").display());
    let group = output(Command::new("id").arg("-g"))?;
    let mut command = root.command("setpriv").context("dockerd needs root")?;
    command
        .args(["--pdeathsig", "TERM", "--"])
        .arg(&tools.dockerd)
        .arg("--data-root")
        .arg(scratch.join("docker"))
        .arg("--exec-root")
        .arg(runtime.join("docker-exec"))
        .arg("-p")
        .arg(runtime.join("docker.pid"))
        .args(["-H", &host, "--group", &group])
        // Containers of tests get networks of their own, and ports by the proxy of the daemon: the
        // firewall of the machine stays as it is.
        .args(["--bridge", "none", "--iptables=false", "--ip6tables=false"]);
    let mut dockerd = Running::spawn("dockerd", command, &scratch.join("dockerd.log"), "TERM")?;
    dockerd.root = root;
    dockerd.wait_until(|| {
        output(Command::new(&tools.docker).args(["--host", &host, "info"])).is_ok()
    })?;
    Ok((host, dockerd))
}

fn start_containerd(
    tools: &Tools,
    root: Root,
    scratch: &Path,
    runtime: &Path,
) -> Result<(String, Running)> {
    let address = runtime.join("containerd.sock").display().to_string();
    let own = |flag: &str| output(Command::new("id").arg(flag));
    // The first plug-in is for Kubernetes, the second would make a folder below `/opt`.
    let settings = format!(
        "version = 2\nroot = '{}'\nstate = '{}'\n\
         disabled_plugins = ['io.containerd.grpc.v1.cri', 'io.containerd.internal.v1.opt']\n\
         [grpc]\naddress = '{address}'\nuid = {}\ngid = {}\n",
        scratch.join("containerd").display(),
        runtime.join("containerd-state").display(),
        own("-u")?,
        own("-g")?,
    );
    let file = scratch.join("containerd.toml");
    fs::write(&file, settings)?;
    let mut command = root.command("setpriv").context("containerd needs root")?;
    command
        .args(["--pdeathsig", "TERM", "--"])
        .arg(&tools.containerd)
        .arg("--config")
        .arg(&file);
    let log = scratch.join("containerd.log");
    let mut containerd = Running::spawn("containerd", command, &log, "TERM")?;
    containerd.root = root;
    containerd.wait_until(|| {
        output(Command::new(&tools.ctr).args(["--address", &address, "version"])).is_ok()
    })?;
    Ok((address, containerd))
}

/// A child process that is ended, and waited for, when dropped.
struct Running {
    name: &'static str,
    child: Child,
    log: PathBuf,
    /// The signal that asks for a prompt and clean end.
    signal: &'static str,
    root: Root,
}

impl Running {
    fn spawn(
        name: &'static str,
        mut command: Command,
        log: &Path,
        signal: &'static str,
    ) -> Result<Self> {
        let file = File::create(log)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        println!("  started {name}, process {}", child.id());
        Ok(Self {
            name,
            child,
            log: log.to_path_buf(),
            signal,
            root: Root::Already,
        })
    }

    fn wait_until(&mut self, is_ready: impl Fn() -> bool) -> Result<()> {
        for _ in 0..POLLS_MAX {
            if is_ready() {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended early: {status}\n{}", self.name, self.log_tail());
            }
            std::thread::sleep(POLL);
        }
        bail!("{} is not ready in time\n{}", self.name, self.log_tail());
    }

    fn log_tail(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    fn signal(&self, signal: &str) {
        let words = format!("kill -{signal} {}", self.child.id());
        if let Some(mut shell) = self.root.command("sh") {
            // Failing means that it is gone already.
            let _ = output(shell.args(["-c", &words]));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        for signal in [self.signal, "KILL"] {
            if let Ok(Some(_)) = self.child.try_wait() {
                return;
            }
            self.signal(signal);
            for _ in 0..POLLS_MAX / 2 {
                if let Ok(Some(_)) = self.child.try_wait() {
                    return;
                }
                std::thread::sleep(POLL);
            }
        }
    }
}

/// A folder that goes with its value.
struct Folder {
    path: PathBuf,
    root: Root,
}

impl Folder {
    fn make(path: PathBuf, root: Root) -> Result<Self> {
        fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self { path, root })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What the daemon wrote belongs to root.
        if let Some(mut remove) = self.root.command("rm") {
            let _ = output(remove.arg("-rf").arg("--one-file-system").arg(&self.path));
        }
    }
}

/// Folders of runs that were killed: their name ends in the id of a process that is gone.
fn remove_leftovers(root: Root) {
    let entries = fs::read_dir(target_dir().join("tmp")).into_iter().flatten();
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let id = name
            .strip_prefix("roadstead-")
            .and_then(|id| id.parse::<u32>().ok());
        if id.is_some_and(|id| !Path::new(&format!("/proc/{id}")).exists()) {
            drop(Folder {
                path: path.clone(),
                root,
            });
        }
    }
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
