//! What containers wrote and nobody took yet, and how far each was read.
//!
//! Bounded: a container that writes faster than its lines are taken loses the oldest ones, and a
//! line says so. Positions are kept in a file, so that a restart goes on where it stopped; a crash
//! can lose what was taken and not stored, but no line comes twice.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use roadstead_domain::ids::ContainerServiceId;
use roadstead_domain::lightsail::deployment::DeploymentVersion;
use roadstead_domain::lightsail::names::ContainerName;
use roadstead_domain::time::Timestamp;
use roadstead_registry::containers::runtime::ContainerLine;

use crate::locked;

/// Lines of one container that wait at most.
const LINES_MAX: usize = 10_000;
/// Their bytes.
const BYTES_MAX: usize = 8 * 1024 * 1024;
/// What is kept of a line.
pub const LINE_BYTES_MAX: usize = 16 * 1024;

/// Whose a line is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Source {
    /// The service.
    pub service: ContainerServiceId,
    /// The deployment.
    pub version: DeploymentVersion,
    /// The container, on whichever node.
    pub container: ContainerName,
}

/// How far a container was read: the engine's id of it, and the nanoseconds of its last line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The engine's id.
    pub id: String,
    /// Nanoseconds since the epoch.
    pub nanos: i64,
}

struct Line {
    at: Timestamp,
    message: String,
    position: Option<Position>,
}

#[derive(Default)]
struct Waiting {
    lines: VecDeque<Line>,
    bytes: usize,
    dropped: u64,
    dropped_until: Option<Timestamp>,
}

impl Waiting {
    fn push(&mut self, line: Line) {
        self.bytes += line.message.len();
        self.lines.push_back(line);
        while self.lines.len() > LINES_MAX || self.bytes > BYTES_MAX {
            let Some(oldest) = self.lines.pop_front() else {
                return;
            };
            self.bytes -= oldest.message.len();
            self.dropped += 1;
            self.dropped_until = Some(oldest.at);
        }
    }
}

#[derive(Default)]
struct State {
    waiting: BTreeMap<Source, Waiting>,
    /// How far was read.
    read: HashMap<String, i64>,
    /// How far was taken.
    taken: HashMap<String, i64>,
}

/// All of them.
pub struct Lines {
    state: Mutex<State>,
    file: Option<PathBuf>,
}

impl Lines {
    /// None yet; the positions of an earlier process are in `file`.
    pub fn open(file: Option<PathBuf>) -> Self {
        let taken = file.as_deref().map(read_positions).unwrap_or_default();
        let state = State {
            read: taken.clone(),
            taken,
            ..State::default()
        };
        Self {
            state: Mutex::new(state),
            file,
        }
    }

    /// How far a container was read.
    pub fn position(&self, id: &str) -> Option<i64> {
        locked(&self.state).read.get(id).copied()
    }

    /// Adds what a container wrote, unless it was read before its log was opened at `from`. An engine
    /// stamps the two outputs one by one, so a line may come after one with a later stamp.
    pub fn push(&self, source: &Source, from: i64, position: Position, message: String) {
        if position.nanos <= from {
            return;
        }
        let mut state = locked(&self.state);
        let read = state.read.entry(position.id.clone()).or_insert(i64::MIN);
        *read = position.nanos.max(*read);
        let line = Line {
            at: Timestamp(position.nanos / 1000),
            message,
            position: Some(position),
        };
        state.waiting.entry(source.clone()).or_default().push(line);
    }

    /// Adds what is to be said about a container.
    pub fn say(&self, source: &Source, at: Timestamp, message: String) {
        let line = Line {
            at,
            message,
            position: None,
        };
        let mut state = locked(&self.state);
        state.waiting.entry(source.clone()).or_default().push(line);
    }

    /// Takes all of them.
    pub fn take(&self) -> Vec<ContainerLine> {
        let mut state = locked(&self.state);
        let waiting = std::mem::take(&mut state.waiting);
        if waiting.is_empty() {
            return Vec::new();
        }
        let mut lines = Vec::new();
        for (source, waiting) in waiting {
            let line = |at, message| ContainerLine {
                service: source.service.clone(),
                version: source.version,
                container: source.container.clone(),
                at,
                message,
            };
            if let Some(until) = waiting.dropped_until {
                let count = waiting.dropped;
                lines.push(line(until, format!("[{count} lines were lost here]")));
            }
            for one in waiting.lines {
                // One that was forgotten meanwhile is gone.
                if let Some(position) = one.position
                    && state.read.contains_key(&position.id)
                {
                    let taken = state.taken.entry(position.id).or_insert(i64::MIN);
                    *taken = position.nanos.max(*taken);
                }
                lines.push(line(one.at, one.message));
            }
        }
        self.keep(&state.taken);
        lines
    }

    /// Forgets containers that are gone: all but these.
    pub fn retain(&self, ids: &HashSet<String>) {
        let mut state = locked(&self.state);
        let before = state.taken.len();
        state.read.retain(|id, _| ids.contains(id));
        state.taken.retain(|id, _| ids.contains(id));
        if state.taken.len() != before {
            self.keep(&state.taken);
        }
    }

    /// Forgets a container that is gone.
    pub fn forget(&self, id: &str) {
        let mut state = locked(&self.state);
        state.read.remove(id);
        state.taken.remove(id);
    }

    fn keep(&self, taken: &HashMap<String, i64>) {
        let Some(file) = &self.file else {
            return;
        };
        let staged = file.with_extension("new");
        let written = serde_json::to_vec(taken)
            .map_err(std::io::Error::other)
            .and_then(|text| std::fs::write(&staged, text))
            .and_then(|()| std::fs::rename(&staged, file));
        if let Err(error) = written {
            tracing::warn!(%error, "the positions in container logs are not kept");
        }
    }
}

/// A file that cannot be read costs lines, no more.
fn read_positions(file: &Path) -> HashMap<String, i64> {
    let text = std::fs::read(file).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

/// One stream of a container, whose pieces arrive in order: the engine cuts long lines.
#[derive(Debug, Default)]
pub struct Cutter {
    is_within: bool,
}

impl Cutter {
    /// The line that begins with this piece, with its instant in nanoseconds; none for the rest of
    /// a line that was too long, and for what the engine should never send.
    pub fn line(&mut self, piece: &[u8]) -> Option<(i64, String)> {
        let is_rest = std::mem::replace(&mut self.is_within, !piece.ends_with(b"\n"));
        let space = piece.iter().position(|byte| *byte == b' ')?;
        let (at, text) = piece.split_at_checked(space)?;
        let at: jiff::Timestamp = std::str::from_utf8(at).ok()?.parse().ok()?;
        if is_rest {
            return None;
        }
        let text = text.get(1..)?;
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        let text = text.get(..LINE_BYTES_MAX).unwrap_or(text);
        let text = String::from_utf8_lossy(text).into_owned();
        Some((i64::try_from(at.as_nanosecond()).ok()?, text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(name: &str) -> Source {
        Source {
            service: ContainerServiceId::from_random(1),
            version: DeploymentVersion(1),
            container: ContainerName::parse(name).unwrap(),
        }
    }

    fn position(nanos: i64) -> Position {
        Position {
            id: "id".into(),
            nanos,
        }
    }

    fn messages(lines: &Lines) -> Vec<String> {
        lines.take().into_iter().map(|line| line.message).collect()
    }

    #[test]
    fn a_restart_goes_on_where_lines_were_taken() {
        let folder = tempfile::tempdir().unwrap();
        let file = Some(folder.path().join("positions"));
        let lines = Lines::open(file.clone());
        let nothing = i64::MIN;
        lines.push(&source("app"), nothing, position(10), "first".into());
        lines.push(&source("app"), nothing, position(9), "other output".into());
        assert_eq!(messages(&lines), ["first", "other output"]);
        lines.push(&source("app"), 10, position(20), "never taken".into());
        let lines = Lines::open(file);
        assert_eq!(lines.position("id"), Some(10));
        for nanos in [10, 20, 30] {
            lines.push(&source("app"), 10, position(nanos), format!("{nanos}"));
        }
        assert_eq!(messages(&lines), ["20", "30"]);
        lines.retain(&HashSet::new());
        assert_eq!(lines.position("id"), None);
    }

    #[test]
    fn the_oldest_are_lost_and_a_line_says_so() {
        let lines = Lines::open(None);
        for nanos in 1..=LINES_MAX as i64 + 3 {
            lines.push(&source("app"), 0, position(nanos), format!("{nanos}"));
        }
        lines.say(&source("db"), Timestamp(1), "quiet".into());
        let taken = messages(&lines);
        assert_eq!(taken[0], "[3 lines were lost here]");
        assert_eq!(taken[1], "4");
        assert_eq!(taken.last().unwrap(), "quiet");
        assert_eq!(taken.len(), LINES_MAX + 2);
    }

    #[test]
    fn pieces_become_lines() {
        let mut cutter = Cutter::default();
        let long = "x".repeat(20_000);
        let rows = [
            (
                "1970-01-01T00:00:00.000000007Z a b\n".to_owned(),
                Some((7, "a b".to_owned())),
            ),
            (
                "1970-01-01T00:00:01Z \n".to_owned(),
                Some((1_000_000_000, String::new())),
            ),
            (
                format!("1970-01-01T00:00:00.1Z {long}"),
                Some((100_000_000, long[..LINE_BYTES_MAX].to_owned())),
            ),
            ("1970-01-01T00:00:00.2Z more".to_owned(), None),
            ("1970-01-01T00:00:00.3Z end\n".to_owned(), None),
            (
                "1970-01-01T00:00:00.4Z next\n".to_owned(),
                Some((400_000_000, "next".to_owned())),
            ),
            ("nonsense\n".to_owned(), None),
        ];
        for (piece, expected) in rows {
            assert_eq!(cutter.line(piece.as_bytes()), expected, "{piece:.40}");
        }
    }
}
