//! Continuation tokens: sealed keyset cursors that work only where they were given.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::Registry;
use crate::error::Error;
use crate::keyring::Purpose;

/// One page and where the next one starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The entries.
    pub entries: Vec<T>,
    /// The token of the next page; none on the last.
    pub next_token: Option<String>,
}

/// What a caller asks of a listing.
#[derive(Debug, Clone, Default)]
pub struct PageRequest {
    /// At most so many entries; the operation's default if none.
    pub limit: Option<usize>,
    /// The token of the page before.
    pub token: Option<String>,
}

impl PageRequest {
    /// Refuses a page of what `member` names one by one (`DescribeImages`, `DescribeRepositories`
    /// in the API models: "can't be used when you specify …").
    pub fn refuse_beside(&self, member: &'static str) -> Result<(), Error> {
        match (self.limit, &self.token) {
            (None, None) => Ok(()),
            _ => {
                let why = "Must not be used with nextToken or maxResults";
                Err(Error::invalid(member, why))
            }
        }
    }
}

impl Registry {
    /// Seals `cursor` for the listing named by `scope`: operation, place and filters.
    pub(crate) fn seal_cursor(&self, scope: &str, cursor: &[String]) -> String {
        let mut nonce = [0; 12];
        self.ids.fill(&mut nonce);
        let plain = serde_json::json!([scope, cursor]).to_string();
        URL_SAFE_NO_PAD.encode(self.keyring.seal(Purpose::Page, nonce, plain.as_bytes()))
    }

    /// Opens a token of the same listing.
    pub(crate) fn open_cursor(&self, scope: &str, token: &str) -> Result<Vec<String>, Error> {
        let refused = || Error::invalid("nextToken", "Invalid token");
        let sealed = URL_SAFE_NO_PAD.decode(token).map_err(|_| refused())?;
        let plain = self
            .keyring
            .open(Purpose::Page, &sealed)
            .map_err(|_| refused())?;
        let (given_for, cursor): (String, Vec<String>) =
            serde_json::from_slice(&plain).map_err(|_| refused())?;
        if given_for == scope {
            Ok(cursor)
        } else {
            Err(refused())
        }
    }

    /// Makes a page of one entry more than was asked for, which tells whether another page follows.
    pub(crate) fn page<T>(
        &self,
        scope: &str,
        limit: usize,
        mut entries: Vec<T>,
        cursor: impl Fn(&T) -> Vec<String>,
    ) -> Page<T> {
        let has_more = entries.len() > limit;
        entries.truncate(limit);
        let last = entries.last().filter(|_| has_more);
        Page {
            next_token: last.map(|entry| self.seal_cursor(scope, &cursor(entry))),
            entries,
        }
    }
}
