//! The tags that one entry of a tag list lets through, compared without any image at hand.
//!
//! Only for warnings about policies: it knows when one entry contains another and when two have no
//! tag in common. Matching the tags of images is not its work.

use super::policy::TagSelection;
use crate::reference::ImageTag;

#[cfg(test)]
mod tests;

/// All tags that meet one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TagSet(Vec<Symbol>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Symbol {
    Char(char),
    /// Any run of characters, also none.
    Run,
}

/// The entries of a tag list; `any` and `untagged` have none.
pub(super) fn entries(tags: &TagSelection) -> Vec<TagSet> {
    match tags {
        TagSelection::Any | TagSelection::Untagged => vec![],
        TagSelection::Prefixes(list) => list.iter().map(|prefix| TagSet::prefix(prefix)).collect(),
        TagSelection::Patterns(list) => list
            .iter()
            .map(|pattern| TagSet::pattern(pattern))
            .collect(),
    }
}

impl TagSet {
    fn prefix(prefix: &str) -> Self {
        let literal = prefix.chars().map(Symbol::Char);
        Self(literal.chain([Symbol::Run]).collect())
    }

    fn pattern(pattern: &str) -> Self {
        let mut symbols: Vec<Symbol> = pattern
            .chars()
            .map(|c| {
                if c == '*' {
                    Symbol::Run
                } else {
                    Symbol::Char(c)
                }
            })
            .collect();
        symbols.dedup_by(|a, b| *a == Symbol::Run && *b == Symbol::Run);
        Self(symbols)
    }

    /// Whether every tag is in it.
    pub fn is_everything(&self) -> bool {
        self.0 == [Symbol::Run]
    }

    /// Whether at most one tag is in it.
    pub fn is_one_tag(&self) -> bool {
        !self.0.contains(&Symbol::Run)
    }

    /// Whether there is a tag for it in the grammar of tags.
    pub fn is_possible(&self) -> bool {
        let literal: String = self
            .0
            .iter()
            .filter_map(|symbol| match symbol {
                Symbol::Char(c) => Some(*c),
                Symbol::Run => None,
            })
            .collect();
        self.is_everything() || ImageTag::parse(&literal).is_ok()
    }

    /// Whether every tag of `other` is known to be in it. A run of `other` can only be met by a run.
    pub fn contains(&self, other: &Self) -> bool {
        let (wide, narrow) = (&self.0, &other.0);
        let (mut at, mut seen) = (0, 0);
        // Where to go on if the last run has to take one symbol more.
        let mut again = None;
        while seen < narrow.len() {
            if wide.get(at) == Some(&Symbol::Run) {
                at += 1;
                again = Some((at, seen));
            } else if wide.get(at) == Some(&narrow[seen]) {
                at += 1;
                seen += 1;
            } else if let Some((after_run, from)) = again {
                at = after_run;
                seen = from + 1;
                again = Some((after_run, seen));
            } else {
                return false;
            }
        }
        wide[at..].iter().all(|symbol| *symbol == Symbol::Run)
    }

    /// Whether some text is in both. Work is the product of the two lengths.
    pub fn meets(&self, other: &Self) -> bool {
        let (a, b) = (&self.0, &other.0);
        // reach[j]: some text is met by a up to i and by b up to j.
        let mut reach = vec![false; b.len() + 1];
        reach[0] = true;
        for i in 0..=a.len() {
            let mut next = vec![false; b.len() + 1];
            for j in 0..=b.len() {
                if !reach[j] {
                    continue;
                }
                let (left, right) = (a.get(i), b.get(j));
                let has_run = left == Some(&Symbol::Run) || right == Some(&Symbol::Run);
                if has_run && j < b.len() {
                    reach[j + 1] = true;
                }
                if has_run && i < a.len() {
                    next[j] = true;
                }
                if left.is_some() && left == right {
                    next[j + 1] = true;
                }
            }
            if i == a.len() {
                return reach[b.len()];
            }
            reach = next;
        }
        false
    }
}
