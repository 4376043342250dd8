//! `filterPattern` of GetContainerLog: which log events an answer holds.
//!
//! Terms are searched as text, and case counts. Quotes hold a term with spaces together. An event
//! has every plain term, at least one of the `?` terms if there are any, and no `-` term.

use super::limits::LOG_FILTER_CHARACTERS_MAX;
use super::refusal::Refusal;

/// A parsed filter pattern; the default lets everything through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogFilter {
    all: Vec<String>,
    any: Vec<String>,
    none: Vec<String>,
}

impl LogFilter {
    /// Parses a pattern: terms separated by white space. An empty term restricts nothing; a quote
    /// that does not end, and more than [`LOG_FILTER_CHARACTERS_MAX`] characters, are refused.
    pub fn parse(pattern: &str) -> Result<Self, Refusal> {
        if pattern.chars().count() > LOG_FILTER_CHARACTERS_MAX {
            return Err(Refusal::FilterPatternLength);
        }
        let mut filter = Self::default();
        let mut rest = pattern.trim_start();
        while !rest.is_empty() {
            let (kind, after) = split_kind(rest);
            let (term, after) = split_term(after).ok_or_else(|| {
                // The whole pattern, so that the caller finds the quote.
                Refusal::FilterPattern(pattern.into())
            })?;
            if !term.is_empty() {
                filter.terms(kind).push(term.to_owned());
            }
            rest = after.trim_start();
        }
        Ok(filter)
    }

    fn terms(&mut self, kind: Kind) -> &mut Vec<String> {
        match kind {
            Kind::All => &mut self.all,
            Kind::Any => &mut self.any,
            Kind::None => &mut self.none,
        }
    }

    /// Whether an event with this message passes.
    pub fn matches(&self, message: &str) -> bool {
        let has = |term: &String| message.contains(term.as_str());
        self.all.iter().all(has)
            && (self.any.is_empty() || self.any.iter().any(has))
            && !self.none.iter().any(has)
    }
}

#[derive(Clone, Copy)]
enum Kind {
    All,
    Any,
    None,
}

/// A sign counts only right before its term; alone it is a term itself.
fn split_kind(text: &str) -> (Kind, &str) {
    let is_term = |after: &&str| after.starts_with(|c: char| !c.is_whitespace());
    if let Some(after) = text.strip_prefix('?').filter(is_term) {
        (Kind::Any, after)
    } else if let Some(after) = text.strip_prefix('-').filter(is_term) {
        (Kind::None, after)
    } else {
        (Kind::All, text)
    }
}

/// The term at the start of `text`, and what follows it. None if a quote does not end.
fn split_term(text: &str) -> Option<(&str, &str)> {
    match text.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"'),
        None => {
            let end = text.find(char::is_whitespace).unwrap_or(text.len());
            Some(text.split_at(end))
        }
    }
}
