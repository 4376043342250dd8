//! How a page of a preview's results is stored: small, since a preview may have a million of them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use roadstead_store::metadata::{StoreError, StoredPage};

use super::previews::PreviewResult;

const SHA256: &str = "sha256:";
const EXPIRES: u8 = 1;
const IS_ARCHIVED: u8 = 2;

/// Digest, microseconds since the push before it, rule, flags, tags.
type Entry<'t> = (String, i64, i32, u8, Vec<&'t str>);

/// The results as they are stored, each with the time since the one before.
pub(super) fn text_of(results: &[PreviewResult]) -> Result<String, StoreError> {
    let mut before = results.first().map_or(0, |first| first.pushed_at);
    let mut entries: Vec<Entry<'_>> = Vec::with_capacity(results.len());
    for result in results {
        let since = result.pushed_at - before;
        before = result.pushed_at;
        let expires = u8::from(result.expires) * EXPIRES;
        let flags = expires | (u8::from(result.is_archived) * IS_ARCHIVED);
        let tags = result.tags.iter().map(String::as_str).collect();
        entries.push((packed(&result.digest), since, result.rule, flags, tags));
    }
    serde_json::to_string(&entries).map_err(|error| StoreError::Failed(error.to_string()))
}

/// The results of a page.
pub(super) fn entries(page: &StoredPage) -> Result<Vec<PreviewResult>, StoreError> {
    let corrupt = |error: serde_json::Error| StoreError::Corrupt(error.to_string());
    let entries: Vec<Entry<'_>> = serde_json::from_str(&page.text).map_err(corrupt)?;
    let mut pushed_at = page.starts_at;
    let result = |(digest, since, rule, flags, tags): Entry<'_>| {
        pushed_at += since;
        PreviewResult {
            digest: unpacked(digest),
            tags: tags.into_iter().map(str::to_owned).collect(),
            pushed_at,
            expires: flags & EXPIRES != 0,
            rule,
            is_archived: flags & IS_ARCHIVED != 0,
        }
    };
    Ok(entries.into_iter().map(result).collect())
}

/// The usual kind of digest is written in 43 letters instead of 71.
fn packed(digest: &str) -> String {
    let bytes = digest.strip_prefix(SHA256).map(hex::decode);
    match bytes {
        Some(Ok(bytes)) if bytes.len() == 32 => BASE64.encode(bytes),
        _ => digest.to_owned(),
    }
}

fn unpacked(text: String) -> String {
    // Any other digest has a colon, which base64 has not.
    match BASE64.decode(&text) {
        Ok(bytes) if bytes.len() == 32 => format!("{SHA256}{}", hex::encode(bytes)),
        Ok(_) | Err(_) => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_back() {
        let digest = format!("sha256:{}", "0f".repeat(32));
        let other = format!("sha512:{}", "0f".repeat(64));
        let result = |digest: &str, pushed_at, expires, tags: &[&str]| PreviewResult {
            digest: digest.into(),
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            pushed_at,
            expires,
            rule: 7,
            is_archived: expires,
        };
        let results = vec![
            result(&digest, -5, true, &["v1", "latest"]),
            result(&other, -5, false, &[]),
            result("anything", 1_795_238_786_569_107, true, &["x"]),
        ];
        let text = text_of(&results).unwrap();
        let page = StoredPage {
            page: 3,
            starts_at: -5,
            text,
        };
        assert_eq!(entries(&page).unwrap(), results);
        let broken = StoredPage {
            text: "[[1]]".into(),
            ..page
        };
        assert!(entries(&broken).is_err());
    }
}
