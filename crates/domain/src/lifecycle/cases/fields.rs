//! Members of the objects in a file of cases, read one by one so that errors can name them.
//!
//! `null` is as good as absent. Nothing here knows what the members mean.

use serde_json::{Map, Value};

use super::CaseError;
use crate::time::Timestamp;

/// An object and where it is.
pub(super) struct Fields<'a> {
    at: String,
    members: &'a Map<String, Value>,
}

impl<'a> Fields<'a> {
    pub(super) fn new(at: String, members: &'a Map<String, Value>) -> Self {
        Self { at, members }
    }

    pub(super) fn refuse(&self, field: &str, problem: &str) -> CaseError {
        // `case D01: images[2].pushedAt`
        let dot = if self.at.ends_with(']') { "." } else { ": " };
        CaseError {
            at: format!("{}{dot}{field}", self.at),
            problem: problem.into(),
        }
    }

    fn get(&self, field: &str) -> Option<&'a Value> {
        self.members.get(field).filter(|value| !value.is_null())
    }

    pub(super) fn required(&self, field: &str) -> Result<&'a Value, CaseError> {
        self.get(field).ok_or_else(|| self.refuse(field, "missing"))
    }

    pub(super) fn text(&self, field: &str) -> Result<Option<&'a str>, CaseError> {
        let text = |value: &'a Value| {
            let text = value.as_str();
            text.ok_or_else(|| self.refuse(field, "not a string"))
        };
        self.get(field).map(text).transpose()
    }

    pub(super) fn texts(&self, field: &str) -> Result<Vec<&'a str>, CaseError> {
        let Some(value) = self.get(field) else {
            return Ok(Vec::new());
        };
        let texts = value
            .as_array()
            .and_then(|values| values.iter().map(Value::as_str).collect());
        texts.ok_or_else(|| self.refuse(field, "not a list of strings"))
    }

    pub(super) fn instant(&self, field: &str) -> Result<Option<Timestamp>, CaseError> {
        let read = |value| instant(value).map_err(|problem| self.refuse(field, &problem));
        self.get(field).map(read).transpose()
    }

    /// The objects of a list; an absent list is empty.
    pub(super) fn objects(&self, field: &str) -> Result<Vec<Fields<'a>>, CaseError> {
        let list = match self.get(field) {
            None => &[],
            Some(Value::Array(list)) => list.as_slice(),
            Some(_) => return Err(self.refuse(field, "not a list")),
        };
        let object = |(at, value): (usize, &'a Value)| {
            let members = value.as_object();
            let at = self.refuse(&format!("{field}[{at}]"), "not an object");
            match members {
                Some(members) => Ok(Fields::new(at.at, members)),
                None => Err(at),
            }
        };
        list.iter().enumerate().map(object).collect()
    }

    /// The first of these members that is there.
    pub(super) fn first_object(
        &self,
        fields: &[&str],
    ) -> Result<Option<&'a Map<String, Value>>, CaseError> {
        for field in fields {
            if let Some(value) = self.get(field) {
                let object = value.as_object();
                return object
                    .map(Some)
                    .ok_or_else(|| self.refuse(field, "not an object"));
            }
        }
        Ok(None)
    }
}

/// Seconds since the epoch, with or without a fraction, or RFC 3339.
pub(super) fn instant(value: &Value) -> Result<Timestamp, String> {
    let whole = value.as_i64().and_then(|s| s.checked_mul(1_000_000));
    let text = value.as_str().and_then(Timestamp::parse_rfc3339);
    let fraction = value.as_f64().map(|seconds| seconds * 1e6);
    // Beyond this a float has no whole microseconds any more.
    let fraction = fraction.filter(|micros| micros.abs() < 9e15);
    whole
        .map(Timestamp)
        .or(text)
        .or_else(|| fraction.map(|micros| Timestamp(micros.round() as i64)))
        .ok_or_else(|| "neither seconds since 1970 nor RFC 3339".to_owned())
}
