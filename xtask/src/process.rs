//! Running other programs for the automation: quiet commands whose output is shown only when
//! they fail, root rights where they may be had, and searching for a program.
//!
//! Must never end a process that it did not start.

use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// How commands that need root can be run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Root {
    /// This process is root.
    Already,
    /// `sudo` works without asking for a password.
    Sudo,
    /// Neither.
    Unavailable,
}

impl Root {
    /// Asks `id` and `sudo -n`.
    pub fn detect() -> Self {
        if output(Command::new("id").arg("-u")).is_ok_and(|uid| uid == "0") {
            Self::Already
        } else if output(Command::new("sudo").args(["-n", "true"])).is_ok() {
            Self::Sudo
        } else {
            Self::Unavailable
        }
    }

    /// A command that runs `program` as root; `None` where that cannot be.
    pub fn command(self, program: impl AsRef<OsStr>) -> Option<Command> {
        match self {
            Self::Already => Some(Command::new(program)),
            Self::Sudo => {
                let mut command = Command::new("sudo");
                command.args(["-n", "--"]).arg(program);
                Some(command)
            }
            Self::Unavailable => None,
        }
    }
}

/// Runs a command without showing anything; its trimmed standard output, or all it said when
/// it failed.
pub fn output(command: &mut Command) -> Result<String> {
    let shown = show(command);
    let done = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {shown}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if !done.status.success() {
        bail!(
            "{shown}: {}\n{}\n{}",
            done.status,
            text(&done.stdout),
            text(&done.stderr)
        );
    }
    Ok(text(&done.stdout))
}

/// Runs a command with its output shown as it comes.
pub fn streamed(command: &mut Command) -> Result<()> {
    let shown = show(command);
    let status = command
        .status()
        .with_context(|| format!("cannot run {shown}"))?;
    if !status.success() {
        bail!("{shown}: {status}");
    }
    Ok(())
}

/// `cargo` of the toolchain that runs us, without what `cargo run` added to the environment
/// (build scripts that watch those variables would run again).
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        let added = name.to_str().is_some_and(|name| {
            name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
        });
        if added {
            command.env_remove(name);
        }
    }
    command.current_dir(workspace());
    command
}

/// The root folder of the workspace.
pub fn workspace() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own).to_path_buf()
}

/// Cargo's target folder, as `CARGO_TARGET_DIR` or the default says, made absolute.
pub fn target_dir() -> PathBuf {
    let named = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    workspace().join(named)
}

/// The first place that holds `program`: the search path, then where Debian keeps root's tools.
pub fn find_program(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path)
        .chain(system)
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file())
}

fn show(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(
        command
            .get_args()
            .map(|arg| arg.to_string_lossy().into_owned()),
    );
    words.join(" ")
}
