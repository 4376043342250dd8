//! Texts of a policy with wildcards and variables, and how they match texts of a request.
//!
//! `*` stands for any run of characters, `?` for exactly one, `${key}` for a value of the request
//! and `${key, 'text'}` for that value or the text (auth.md 6.2, 6.3). What a variable brings in is
//! literal: its own `*` is no wildcard. A match never backtracks further than the last star.

use std::borrow::Cow;

/// One character position of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Glyph {
    Is(char),
    AnyOne,
    AnyRun,
}

/// A piece of a text that has variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Glyph(Glyph),
    Variable {
        key: String,
        default: Option<String>,
    },
}

/// What is special in a text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Syntax {
    /// `*` and `?`.
    pub has_wildcards: bool,
    /// `${…}`: only in documents of version 2012-10-17.
    pub has_variables: bool,
}

/// Where variables find their values; keys come in lower case.
pub(super) trait Variables {
    /// The value of a key that has exactly one.
    fn single(&self, key: &str) -> Option<Cow<'_, str>>;
}

/// A text with its special parts recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Template {
    Fixed(Vec<Glyph>),
    Open(Vec<Piece>),
}

impl Template {
    /// Recognises the special parts of `text`; an ill-formed variable is refused.
    pub fn parse(text: &str, syntax: Syntax) -> Result<Self, String> {
        Ok(Self::of(pieces(text, syntax)?))
    }

    /// Splits at the colons that the text itself has, into at most `parts_max` parts.
    pub fn parse_parts(text: &str, syntax: Syntax, parts_max: usize) -> Result<Vec<Self>, String> {
        let mut parts = vec![Vec::new()];
        for piece in pieces(text, syntax)? {
            if piece == Piece::Glyph(Glyph::Is(':')) && parts.len() < parts_max {
                parts.push(Vec::new());
            } else if let Some(last) = parts.last_mut() {
                last.push(piece);
            }
        }
        Ok(parts.into_iter().map(Self::of).collect())
    }

    fn of(pieces: Vec<Piece>) -> Self {
        let glyphs = pieces.iter().map(|piece| match piece {
            Piece::Glyph(glyph) => Some(*glyph),
            Piece::Variable { .. } => None,
        });
        match glyphs.collect() {
            Some(glyphs) => Self::Fixed(glyphs),
            None => Self::Open(pieces),
        }
    }

    /// Whether the whole of `text` matches. A variable without a value matches nothing.
    pub fn matches(&self, text: &str, letters: Letters, variables: &dyn Variables) -> bool {
        match self {
            Self::Fixed(glyphs) => matches(glyphs, text, letters),
            Self::Open(pieces) => {
                resolve(pieces, variables).is_some_and(|glyphs| matches(&glyphs, text, letters))
            }
        }
    }
}

fn resolve(pieces: &[Piece], variables: &dyn Variables) -> Option<Vec<Glyph>> {
    let mut glyphs = Vec::with_capacity(pieces.len());
    for piece in pieces {
        match piece {
            Piece::Glyph(glyph) => glyphs.push(*glyph),
            Piece::Variable { key, default } => {
                let value = variables
                    .single(key)
                    .or_else(|| default.as_deref().map(Cow::Borrowed))?;
                glyphs.extend(value.chars().map(Glyph::Is));
            }
        }
    }
    Some(glyphs)
}

fn pieces(text: &str, syntax: Syntax) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        if syntax.has_variables
            && let Some(inside) = rest.strip_prefix("${")
        {
            let (piece, after) = variable(inside)?;
            pieces.push(piece);
            rest = after;
            continue;
        }
        pieces.push(Piece::Glyph(match next {
            '*' if syntax.has_wildcards => Glyph::AnyRun,
            '?' if syntax.has_wildcards => Glyph::AnyOne,
            letter => Glyph::Is(letter),
        }));
        rest = &rest[next.len_utf8()..];
    }
    Ok(pieces)
}

/// Reads what follows `${`, up to and with the closing brace.
fn variable(inside: &str) -> Result<(Piece, &str), String> {
    for escaped in ['*', '?', '$'] {
        if let Some(after) = inside
            .strip_prefix(escaped)
            .and_then(|after| after.strip_prefix('}'))
        {
            return Ok((Piece::Glyph(Glyph::Is(escaped)), after));
        }
    }
    let unclosed = || "a policy variable is not closed".to_owned();
    let end = inside.find([',', '}']).ok_or_else(unclosed)?;
    let key = &inside[..end];
    if key.is_empty() || key.contains(['$', '{', '\'']) || key.trim() != key {
        return Err(format!("{key:?} is no key of a policy variable"));
    }
    let (default, after) = match inside[end..].strip_prefix(',') {
        None => (None, &inside[end..]),
        Some(quoted) => {
            let quoted = quoted.trim_start().strip_prefix('\'');
            let (default, after) = quoted
                .and_then(|quoted| quoted.split_once('\''))
                .ok_or("the default of a policy variable has no quotes")?;
            (Some(default.to_owned()), after.trim_start())
        }
    };
    let after = after.strip_prefix('}').ok_or_else(unclosed)?;
    let key = key.to_lowercase();
    Ok((Piece::Variable { key, default }, after))
}

/// Whether upper and lower case differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Letters {
    Exact,
    AnyCase,
}

impl Letters {
    fn are_same(self, one: char, other: char) -> bool {
        one == other || (self == Self::AnyCase && one.to_lowercase().eq(other.to_lowercase()))
    }
}

/// Whether the whole of `text` matches `pattern`.
pub(super) fn matches(pattern: &[Glyph], text: &str, letters: Letters) -> bool {
    let (mut at, mut rest) = (0, text);
    // After the last star: where the pattern goes on, and the text that is left to try.
    let mut retry: Option<(usize, &str)> = None;
    while let Some(next) = rest.chars().next() {
        let is_met = match pattern.get(at) {
            Some(Glyph::AnyRun) => {
                at += 1;
                retry = Some((at, rest));
                continue;
            }
            Some(Glyph::AnyOne) => true,
            Some(Glyph::Is(letter)) => letters.are_same(*letter, next),
            None => false,
        };
        if is_met {
            at += 1;
            rest = &rest[next.len_utf8()..];
            continue;
        }
        let Some((after_star, tried)) = retry else {
            return false;
        };
        let skipped = tried.chars().next().map_or(0, char::len_utf8);
        (at, rest) = (after_star, &tried[skipped..]);
        retry = Some((at, rest));
    }
    pattern[at..].iter().all(|glyph| *glyph == Glyph::AnyRun)
}

#[cfg(test)]
mod tests;
