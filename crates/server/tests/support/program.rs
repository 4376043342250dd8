//! Running a client program to its end and asking what it said.
//!
//! Every program runs under a time limit, so that a hanging client is a failure with a name.

use serde_json::Value;
use std::ffi::OsStr;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

const SECONDS_MAX: &str = "180";

/// A tool that `cargo xtask test` provides through an environment variable.
pub fn tool(variable: &str) -> PathBuf {
    let Some(path) = std::env::var_os(variable) else {
        panic!("{variable} is not set: this test needs `cargo xtask test`");
    };
    path.into()
}

/// A command under the time limit.
pub fn limited(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("timeout");
    command.args(["--kill-after=5", SECONDS_MAX]).arg(program);
    command
}

/// What a program said, and how it ended.
#[derive(Debug)]
pub struct Said {
    pub command: String,
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Said {
    /// Its standard output; a failure of the program is a failure of the test.
    pub fn expect_success(self) -> String {
        assert_eq!(self.code, Some(0), "{self}");
        self.stdout
    }

    /// Both outputs of a program that had to fail by itself (not by the time limit).
    pub fn expect_failure(self) -> String {
        assert!(!matches!(self.code, Some(0 | 124 | 137) | None), "{self}");
        format!("{}{}", self.stdout, self.stderr)
    }

    /// Its standard output as JSON; nothing at all counts as null.
    pub fn expect_json(self) -> Value {
        let shown = self.to_string();
        let text = self.expect_success();
        if text.trim().is_empty() {
            return Value::Null;
        }
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {shown}"))
    }
}

impl std::fmt::Display for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            command,
            code,
            stdout,
            stderr,
        } = self;
        write!(
            f,
            "{command}\nended with {code:?}\n--- stdout\n{stdout}\n--- stderr\n{stderr}"
        )
    }
}

/// Runs a command to its end.
pub fn run(command: &mut Command) -> Said {
    run_with_input(command, b"")
}

/// Runs a command to its end, giving it `input`.
pub fn run_with_input(command: &mut Command, input: &[u8]) -> Said {
    let shown = format!("{command:?}");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{shown}: {error}"));
    if let Some(mut stdin) = child.stdin.take() {
        // A program that does not read its input is no failure by itself.
        let _ = stdin.write_all(input);
    }
    let done = child
        .wait_with_output()
        .unwrap_or_else(|error| panic!("{shown}: {error}"));
    Said {
        command: shown,
        code: done.status.code(),
        stdout: String::from_utf8_lossy(&done.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&done.stderr).into_owned(),
    }
}
