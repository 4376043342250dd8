//! The query of a request.
//!
//! `+` stands for itself: no value of this API holds a space, and media types hold `+`, which
//! clients send both raw and encoded.

use super::percent::decode;

/// Names and values in the order in which they came.
#[derive(Debug, Clone, Default)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Parses a raw query; values that are no valid encodings stay as they are.
    pub fn parse(raw: Option<&str>) -> Self {
        let all = raw.unwrap_or_default().split('&');
        let named = all.filter(|pair| !pair.is_empty()).filter_map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            // What is no text is no valid value either, and must not count as none.
            let value = decode(value).unwrap_or(value.into());
            Some((decode(name)?.into_owned(), value.into_owned()))
        });
        Self(named.collect())
    }

    /// The first value of `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        let named = self.0.iter().find(|(other, _)| other == name);
        named.map(|(_, value)| value.as_str())
    }

    /// The value of `name` where no second one may be.
    pub fn only(&self, name: &str) -> Option<&str> {
        match self.all(name).as_slice() {
            [value] => Some(value),
            _ => None,
        }
    }

    /// Every value of `name`.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let named = self.0.iter().filter(|(other, _)| other == name);
        named.map(|(_, value)| value.as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded_and_plus_stays() {
        let query = Query::parse(Some("n=5&last=a%2Fb&t=a+b&t=c%2Bd&flag&bad=%zz"));
        assert_eq!(query.get("n"), Some("5"));
        assert_eq!(query.get("last"), Some("a/b"));
        assert_eq!(query.all("t"), ["a+b", "c+d"]);
        assert_eq!(query.only("t"), None);
        assert_eq!(query.only("n"), Some("5"));
        assert_eq!(query.get("flag"), Some(""));
        assert_eq!(query.get("bad"), Some("%zz"));
        assert_eq!(Query::parse(None).get("n"), None);
    }
}
