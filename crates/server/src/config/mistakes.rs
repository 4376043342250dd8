//! What is wrong with a configuration, in words: where it is and which key, never a line of the file.
//!
//! A line may hold `events.secret`, or a password in a URL of `events.webhooks`.

use anyhow::{Error, anyhow};

/// A mistake at its place in the text, if it has one: line and column count from 1, columns in
/// characters.
pub(super) fn at_its_place(error: &toml::de::Error, text: &str) -> Error {
    let before = error.span().and_then(|span| text.get(..span.start));
    match before {
        None => anyhow!("{}", in_words(error)),
        Some(before) => {
            let line = before.matches('\n').count() + 1;
            let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
            anyhow!("line {line}, column {column}: {}", in_words(error))
        }
    }
}

/// The mistake and its key.
pub(super) fn in_words(error: &toml::de::Error) -> String {
    // With its input it would print the line.
    let mut error = error.clone();
    error.set_input(None);
    error.to_string().trim_end().replace('\n', " ")
}
