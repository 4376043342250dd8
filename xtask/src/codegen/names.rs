//! Rust names for the model's names.
//! It must be stable: a changed rule here renames public items everywhere.

/// `repositoryName` to `repository_name`; a Rust keyword becomes raw.
pub fn field(name: &str) -> String {
    let snake = snake(name);
    match snake.as_str() {
        "type" | "ref" | "match" | "use" | "where" | "enum" | "struct" => format!("r#{snake}"),
        _ => snake,
    }
}

/// Words split where a capital follows a small letter or digit, or begins a word after capitals.
fn snake(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    let mut out = String::new();
    for (i, &c) in chars.iter().enumerate() {
        let after_small = i > 0 && !chars[i - 1].is_ascii_uppercase();
        let before_small = chars.get(i + 1).is_some_and(char::is_ascii_lowercase);
        if c.is_ascii_uppercase() && i > 0 && (after_small || before_small) {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

/// What serde's `rename_all = "camelCase"` makes of a field.
pub fn serde_camel(field: &str) -> String {
    let mut words = field.trim_start_matches("r#").split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |out, word| out + &capitalised(word))
}

/// `IMMUTABLE_WITH_EXCLUSION`, `us-east-1` or `InProgress` as an enum variant.
pub fn variant(value: &str) -> String {
    let words = value
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|w| !w.is_empty());
    let name: String = words
        .map(|word| match word.chars().any(|c| c.is_ascii_lowercase()) {
            true => capitalised(word),
            false => capitalised(&word.to_ascii_lowercase()),
        })
        .collect();
    match name.starts_with(|c: char| c.is_ascii_digit()) {
        true => format!("V{name}"),
        false => name,
    }
}

/// `ecr_public` to `EcrPublic`.
pub fn camel(stem: &str) -> String {
    stem.split('_').map(capitalised).collect()
}

fn capitalised(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map_or_else(String::new, |c| {
        c.to_ascii_uppercase().to_string() + chars.as_str()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_rust() {
        assert_eq!(field("repositoryName"), "repository_name");
        assert_eq!(field("CVSSScore"), "cvss_score");
        assert_eq!(field("Key"), "key");
        assert_eq!(field("type"), "r#type");
        assert_eq!(serde_camel("r#type"), "type");
        assert_eq!(
            serde_camel("last_valid_byte_received"),
            "lastValidByteReceived"
        );
        assert_eq!(
            variant("IMMUTABLE_WITH_EXCLUSION"),
            "ImmutableWithExclusion"
        );
        assert_eq!(variant("us-east-1"), "UsEast1");
        assert_eq!(
            variant("ImageReferencedByManifestList"),
            "ImageReferencedByManifestList"
        );
        assert_eq!(camel("ecr_public"), "EcrPublic");
    }
}
