//! The audit log: events as lines of a file that is its owner's alone. Opened anew for each batch, so
//! that the file can be moved away while the server runs.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use roadstead_registry::events::Event;

/// A file with one event on each line.
pub struct AuditLog {
    path: PathBuf,
}

impl AuditLog {
    /// The log in this file, which is made with its first event.
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Appends events; they are on the disk when this returns.
    pub async fn append(&self, events: &[Event]) -> Result<()> {
        let mut lines = String::new();
        for event in events {
            lines.push_str(&event.payload);
            lines.push('\n');
        }
        let path = self.path.clone();
        tokio::task::spawn_blocking(move || write(&path, &lines))
            .await?
            .with_context(|| format!("writing {}", self.path.display()))
    }
}

fn write(path: &Path, lines: &str) -> std::io::Result<()> {
    let is_new = !path.exists();
    let mut file = OpenOptions::new()
        .create(true)
        .read(true)
        .append(true)
        .mode(0o600)
        .open(path)?;
    // A power cut can leave half a line. Whatever it told of is told again.
    let text = if ends_in_half_a_line(&mut file)? {
        format!("\n{lines}")
    } else {
        lines.to_owned()
    };
    file.write_all(text.as_bytes())?;
    file.sync_data()?;
    if is_new && let Some(folder) = std::path::absolute(path)?.parent() {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

fn ends_in_half_a_line(file: &mut File) -> std::io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use roadstead_domain::ids::RepositoryId;
    use roadstead_domain::time::Timestamp;

    fn event(payload: &str) -> Event {
        Event {
            seq: 1,
            repository: RepositoryId(1),
            at: Timestamp(0),
            payload: payload.into(),
        }
    }

    #[tokio::test]
    async fn events_are_lines_and_the_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.log");
        let log = AuditLog::new(path.clone());
        log.append(&[event("{1}"), event("{2}")]).await.unwrap();
        log.append(&[event("{3}")]).await.unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{1}\n{2}\n{3}\n");
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[tokio::test]
    async fn half_a_line_does_not_swallow_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.log");
        std::fs::write(&path, "{1}\n{ha").unwrap();
        let log = AuditLog::new(path.clone());
        log.append(&[event("{2}")]).await.unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{1}\n{ha\n{2}\n");
    }

    #[tokio::test]
    async fn a_log_that_was_moved_away_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.log");
        let log = AuditLog::new(path.clone());
        log.append(&[event("{1}")]).await.unwrap();
        std::fs::rename(&path, folder.path().join("old")).unwrap();
        log.append(&[event("{2}")]).await.unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{2}\n");
    }
}
