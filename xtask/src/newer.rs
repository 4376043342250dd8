//! Clients that are newer than the machine's release, or not in it: packages of the release that
//! Debian or Ubuntu is still working on, from the mirror that this machine uses, unpacked with
//! everything they need into a folder below the target folder and run with the C library there.
//!
//! Must never change the machine's packages, sources or lists.

use crate::process::{output, target_dir};
use anyhow::{Context, Result};
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Packages and the program in each.
const PROGRAMS: [(&str, &str); 4] = [
    ("skopeo", "usr/bin/skopeo"),
    ("cosign", "usr/bin/cosign"),
    ("notation", "usr/bin/notation"),
    (
        "docker-buildx",
        "usr/libexec/docker/cli-plugins/docker-buildx",
    ),
];

/// A release under work, as a line of apt's sources.
#[derive(Debug, PartialEq, Eq)]
struct Source {
    mirror: String,
    keyring: &'static str,
    suite: &'static str,
    components: &'static str,
}

/// Puts the programs into `bin`, under the names of their packages; what is there stays.
///
/// # Errors
/// When the machine is neither Debian nor Ubuntu, or a package cannot be had.
pub fn provide(bin: &Path) -> Result<()> {
    let folder = target_dir().join("tools/newer");
    let names = PROGRAMS.map(|(name, _)| name);
    let stamp = folder.join("complete.txt");
    let wanted = format!("{names:?} in {}", bin.display());
    if fs::read_to_string(&stamp).is_ok_and(|have| have == wanted) {
        return Ok(());
    }
    println!("  unpacking {} into {}", names.join(", "), folder.display());
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    let root = folder.join("root");
    for part in ["root", "state/lists/partial", "cache/archives/partial"] {
        fs::create_dir_all(folder.join(part))?;
    }
    let line = Source::of_this_machine()?.line();
    fs::write(folder.join("sources.list"), line)?;
    // No package counts as there, so that all libraries come along.
    fs::write(folder.join("status"), "")?;
    apt(&folder, &["update"])?;
    let download = ["install", "--download-only", "--no-install-recommends"];
    apt(&folder, &[&download, &names[..]].concat())?;
    for package in packages(&folder.join("cache/archives"))? {
        // The libraries of the four go without saying.
        let file = package.file_name().unwrap_or_default().to_string_lossy();
        if names
            .iter()
            .any(|name| file.starts_with(&format!("{name}_")))
        {
            println!("    {file}");
        }
        output(Command::new("dpkg-deb").arg("-x").arg(&package).arg(&root))?;
    }
    let libraries = library_folder(&root)?;
    for (name, path) in PROGRAMS {
        write_runner(&bin.join(name), &libraries, &root.join(path))?;
    }
    fs::remove_dir_all(folder.join("cache"))?;
    fs::remove_dir_all(folder.join("state"))?;
    fs::write(&stamp, wanted)?;
    Ok(())
}

impl Source {
    fn of_this_machine() -> Result<Self> {
        let release = fs::read_to_string("/etc/os-release").context("which release is this?")?;
        let targets = output(Command::new("apt-get").args([
            "indextargets",
            "--format",
            "$(REPO_URI) $(RELEASE) $(COMPONENT)",
            "Created-By: Packages",
        ]))?;
        Self::from(&release, &targets).with_context(|| {
            format!("no mirror of Debian or Ubuntu among apt's sources:\n{targets}")
        })
    }

    /// From the text of `/etc/os-release` and apt's list of `mirror release component`.
    fn from(release: &str, targets: &str) -> Option<Self> {
        let setting = |name: &str| {
            let lines = release.lines().filter_map(|line| line.split_once('='));
            let mut values = lines.filter(|(key, _)| *key == name);
            values.next().map(|(_, value)| value.trim_matches('"'))
        };
        let codename = setting("VERSION_CODENAME")?;
        let mirror = targets.lines().find_map(|line| {
            let mut words = line.split(' ');
            let mirror = words.next()?;
            (words.next() == Some(codename) && words.next() == Some("main")).then_some(mirror)
        })?;
        let (keyring, suite, components) = match setting("ID")? {
            "debian" => ("debian-archive-keyring", "sid", "main"),
            "ubuntu" => ("ubuntu-archive-keyring", "devel", "main universe"),
            _ => return None,
        };
        Some(Self {
            mirror: mirror.to_owned(),
            keyring,
            suite,
            components,
        })
    }

    fn line(&self) -> String {
        format!(
            "deb [signed-by=/usr/share/keyrings/{}.gpg] {} {} {}\n",
            self.keyring, self.mirror, self.suite, self.components
        )
    }
}

/// `apt-get` that knows nothing but `folder`.
fn apt(folder: &Path, words: &[&str]) -> Result<()> {
    let mut command = Command::new("apt-get");
    command.args(["-qq", "-y"]);
    let places = [
        ("Dir::Etc::SourceList", "sources.list"),
        ("Dir::State", "state"),
        ("Dir::State::Lists", "state/lists"),
        ("Dir::State::Status", "status"),
        ("Dir::Cache", "cache"),
        ("Dir::Cache::Archives", "cache/archives"),
    ];
    for (setting, place) in places {
        command.arg(format!("-o{setting}={}", folder.join(place).display()));
    }
    command
        .arg("-oDir::Etc::SourceParts=-")
        .args(["-oAcquire::Languages=none", "-oAcquire::Retries=3"])
        .arg("-oAcquire::IndexTargets::deb::DEP-11::DefaultEnabled=false")
        // A mirror may be a copy that rests: the signature counts, not its age.
        .arg("-oAcquire::Check-Valid-Until=false")
        // The account that apt would step down to cannot enter everybody's folders.
        .arg("-oAPT::Sandbox::User=")
        .args(words);
    output(&mut command).map(drop)
}

fn packages(archives: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(archives)? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "deb") {
            found.push(path);
        }
    }
    Ok(found)
}

/// `usr/lib/<machine>-linux-gnu`, where the C library and its loader lie.
fn library_folder(root: &Path) -> Result<PathBuf> {
    let folders = fs::read_dir(root.join("usr/lib"))?;
    let mut paths = folders.flatten().map(|entry| entry.path());
    paths
        .find(|path| path.join("libc.so.6").is_file())
        .context("the packages brought no C library")
}

/// A script that runs `program` with the loader and the libraries of its own release.
fn write_runner(place: &Path, libraries: &Path, program: &Path) -> Result<()> {
    let loader = fs::read_dir(libraries)?
        .flatten()
        .find(|entry| entry.file_name().to_string_lossy().starts_with("ld-linux-"))
        .context("the packages brought no loader")?
        .path();
    let mut script = String::from("#!/bin/sh\n");
    writeln!(
        script,
        "exec '{}' --library-path '{}' '{}' \"$@\"",
        loader.display(),
        libraries.display(),
        program.display()
    )?;
    // It may be a link of an earlier run.
    let _ = fs::remove_file(place);
    fs::write(place, script)?;
    fs::set_permissions(place, fs::Permissions::from_mode(0o755))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Source;

    const TARGETS: &str = "\
http://third.example/tools/ bookworm stable
http://mirror.example/debian-security/ bookworm-security main
http://mirror.example/debian/ bookworm main
http://mirror.example/debian/ bookworm-updates main
";

    #[test]
    fn the_mirror_is_that_of_the_release() {
        let release = "ID=debian\nVERSION_CODENAME=bookworm\n";
        let source = Source::from(release, TARGETS).expect("a source");
        assert_eq!(
            source.line(),
            "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] \
             http://mirror.example/debian/ sid main\n"
        );
    }

    #[test]
    fn ubuntu_keeps_clients_in_universe() {
        let release = "ID=ubuntu\nVERSION_CODENAME=\"noble\"\n";
        let targets = "http://mirror.example/ubuntu/ noble main\n";
        let source = Source::from(release, targets).expect("a source");
        assert_eq!(
            (source.suite, source.components),
            ("devel", "main universe")
        );
    }

    #[test]
    fn other_systems_have_no_source() {
        let fedora = "ID=fedora\nVERSION_CODENAME=bookworm\n";
        assert_eq!(Source::from(fedora, TARGETS), None);
        assert_eq!(
            Source::from("ID=debian\nVERSION_CODENAME=trixie\n", TARGETS),
            None
        );
        assert_eq!(Source::from("ID=debian\n", TARGETS), None);
    }
}
