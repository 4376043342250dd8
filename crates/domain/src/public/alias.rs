//! Aliases: the names of public registries in addresses, unique over all accounts.
//!
//! An alias begins with a letter, so it is never taken for an account id.

use std::fmt;

use crate::ids::{Malformed, text_newtype};

/// Fewest characters of an alias (`RegistryIdOrAlias` in the ECR Public API model).
pub const ALIAS_CHARACTERS_MIN: usize = 2;
/// Most characters of an alias (`RegistryIdOrAlias` in the ECR Public API model).
pub const ALIAS_CHARACTERS_MAX: usize = 50;
/// The form of an alias as the service prints it (`RegistryAliasName` in the ECR Public API model).
pub const ALIAS_PATTERN: &str = "[a-z][a-z0-9]+(?:[._-][a-z0-9]+)*";
/// Characters of a generated alias, as seen in addresses of public images.
const GENERATED_CHARACTERS: usize = 8;

text_newtype! {
    /// The `<alias>` part of `public.ecr.aws/<alias>/<repository>`: 2 to 50 characters of
    /// [`ALIAS_PATTERN`].
    RegistryAlias
}

impl RegistryAlias {
    /// Parses an alias.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let is_word = |part: &str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|b| b.is_ascii_digit() || b.is_ascii_lowercase())
        };
        let first = text.split(['.', '_', '-']).next().unwrap_or_default();
        let is_valid = (ALIAS_CHARACTERS_MIN..=ALIAS_CHARACTERS_MAX).contains(&text.len())
            && text.split(['.', '_', '-']).all(is_word)
            && first.len() >= 2
            && first.starts_with(|c: char| c.is_ascii_lowercase());
        match is_valid {
            true => Ok(Self(text.into())),
            false => Err(Malformed("registry alias")),
        }
    }

    /// Makes a default alias from random bytes: letters and digits in turn, such as `k5n6o2s4`.
    pub fn from_random(bytes: [u8; GENERATED_CHARACTERS]) -> Self {
        let character = |(place, byte): (usize, u8)| match place % 2 {
            0 => char::from(b'a' + byte % 26),
            _ => char::from(b'0' + byte % 10),
        };
        let text: String = bytes.into_iter().enumerate().map(character).collect();
        Self(text.into())
    }
}

/// An alias of a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// The name.
    pub name: RegistryAlias,
    /// Whether `repositoryUri` and `registryUri` show it; one alias of a registry is.
    pub is_primary: bool,
    /// Whether it was generated with the first repository.
    pub is_default: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn form() {
        for good in ["k5n6o2s4", "docker", "acme-inc", "a1", "a1.b_c-d"] {
            assert!(RegistryAlias::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "a",
            "1a",
            "123456789012",
            "A1",
            "a-b",
            "ab--c",
            "ab-",
            "-ab",
            "ab/c",
            "ab c",
        ] {
            assert!(RegistryAlias::parse(bad).is_err(), "{bad}");
        }
        assert!(RegistryAlias::parse(&"a".repeat(50)).is_ok());
        assert!(RegistryAlias::parse(&"a".repeat(51)).is_err());
    }

    #[test]
    fn what_is_generated_is_an_alias() {
        for byte in 0..=255 {
            let alias = RegistryAlias::from_random([byte; 8]);
            assert_eq!(RegistryAlias::parse(alias.as_str()).unwrap(), alias);
        }
        assert_eq!(
            RegistryAlias::from_random([10, 5, 13, 6, 14, 2, 18, 4]).as_str(),
            "k5n6o2s4"
        );
    }
}
