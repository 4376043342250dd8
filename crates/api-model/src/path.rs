//! Where in a request a value sits, and how AWS prints that: `tags.2.member.key`.
//! Indexes count from 1 and every segment starts in lower case (`models/quirks.toml`).
//! It must never hold a request's values, only map keys.

use std::fmt;

/// One step into a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment {
    /// Member of a structure, as the model spells it.
    Member(&'static str),
    /// Element of a list, counted from 1.
    Index(usize),
    /// A map's key itself.
    Key(String),
    /// The value under a map's key.
    Value(String),
}

/// Steps from the root of a request or result.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Path(pub Vec<Segment>);

impl Path {
    /// The last step.
    #[must_use]
    pub fn last(&self) -> Option<&Segment> {
        self.0.last()
    }

    /// The path without its last step.
    #[must_use]
    pub fn parent(&self) -> Self {
        Self(
            self.0
                .split_last()
                .map_or(&[][..], |(_, rest)| rest)
                .to_vec(),
        )
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, segment) in self.0.iter().enumerate() {
            let dot = if i == 0 { "" } else { "." };
            match segment {
                Segment::Member(name) => write!(f, "{dot}{}", lowered(name))?,
                Segment::Index(n) => write!(f, "{dot}{n}.member")?,
                Segment::Key(key) => write!(f, "{dot}{key}.key")?,
                Segment::Value(key) => write!(f, "{dot}{key}.member")?,
            }
        }
        Ok(())
    }
}

fn lowered(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map_or_else(String::new, |c| {
        c.to_ascii_lowercase().to_string() + chars.as_str()
    })
}
