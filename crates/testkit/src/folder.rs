//! What an embedded store holds, seen from outside: its files and its rows.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The files below a folder, at any depth.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            match entry.path() {
                path if path.is_dir() => folders.push(path),
                path => files.push(path),
            }
        }
    }
    files
}

/// The tables of an embedded store that hold rows, with how many.
pub fn rows(store: &Path) -> BTreeMap<String, i64> {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let store = rusqlite::Connection::open_with_flags(store, flags).expect("the store opens");
    let names = "SELECT name FROM sqlite_master WHERE type = 'table'";
    let mut names = store.prepare(names).expect("the names of the tables");
    let names = names.query_map([], |row| row.get(0)).expect("the names");
    let counted = names.map(|name| {
        let name: String = name.expect("a name");
        let count = format!("SELECT count(*) FROM \"{name}\"");
        let count = store.query_row(&count, [], |row| row.get(0));
        (name, count.expect("a count"))
    });
    counted.filter(|(_, count)| *count > 0).collect()
}

/// The rows that are left when nothing should be: those of no repository, blob or upload are not
/// counted.
pub fn rows_left(store: &Path) -> BTreeMap<String, i64> {
    let kept = ["access_key", "lease", "schema_migration", "sqlite_sequence"];
    let mut rows = rows(store);
    rows.retain(|table, _| !kept.contains(&table.as_str()));
    rows
}
