//! One test of a `Condition` block: operator, key, values (auth.md 6.4).
//!
//! Operators and keys are all joined by AND, so that a statement simply has a list of these; the
//! values of one are joined by OR, and a negated operator wants none of them. Values are read when
//! the policy is stored: one of the wrong type is refused there.

use std::net::IpAddr;

use ipnet::IpNet;

use super::arn_pattern::{ArnPattern, is_arn};
use super::operator::{Comparison, Operator, Order, Quantifier};
use super::request::{Found, Request};
use super::template::{Letters, Syntax, Template};
use crate::time::Timestamp;

/// A key of the request and what its values must be.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    operator: Operator,
    /// In lower case.
    key: String,
    expected: Expected,
}

/// What the values of the policy say, before any negation.
#[derive(Debug, Clone, PartialEq)]
enum Expected {
    Texts(Vec<Template>, Letters),
    Arns(Vec<ArnPattern>),
    Numbers(Order, Vec<f64>),
    Dates(Order, Vec<Timestamp>),
    Booleans(Vec<bool>),
    /// Base64, compared as written: equal bytes have one text.
    Binaries(Vec<String>),
    Networks(Vec<IpNet>),
    /// Whether the key is to be absent.
    Absence(Vec<bool>),
}

impl Condition {
    /// Reads the values of one key under an operator.
    pub(super) fn parse(
        operator: &str,
        key: &str,
        values: &[String],
        has_variables: bool,
    ) -> Result<Self, String> {
        let parsed = Operator::parse(operator)
            .ok_or_else(|| format!("there is no condition operator {operator:?}"))?;
        if key.is_empty() {
            return Err(format!("a condition key of {operator} is empty"));
        }
        Ok(Self {
            operator: parsed,
            key: key.to_lowercase(),
            expected: Expected::parse(parsed.comparison, values, has_variables)
                .map_err(|reason| format!("{operator} of {key:?}: {reason}"))?,
        })
    }

    /// Whether it holds for the request.
    pub(super) fn holds(&self, request: &Request<'_>) -> bool {
        let Operator {
            quantifier,
            is_negated,
            if_exists,
            ..
        } = self.operator;
        let found = request.find(&self.key);
        if let Expected::Absence(wanted) = &self.expected {
            return wanted.contains(&found.is_none());
        }
        let meets = |value: &str| self.expected.admits(value, request) != is_negated;
        match (found, quantifier) {
            (None, Quantifier::ForAllValues) => true,
            (None, Quantifier::ForAnyValue) => if_exists,
            (None, Quantifier::Single) => if_exists || is_negated,
            (Some(Found::One(value)), _) => meets(&value),
            // A key of several values needs a quantifier.
            (Some(Found::Many(_)), Quantifier::Single) => false,
            (Some(Found::Many(values)), Quantifier::ForAllValues) => {
                values.iter().all(|value| meets(value))
            }
            (Some(Found::Many(values)), Quantifier::ForAnyValue) => {
                values.iter().any(|value| meets(value))
            }
        }
    }
}

impl Expected {
    fn parse(
        comparison: Comparison,
        values: &[String],
        has_variables: bool,
    ) -> Result<Self, String> {
        let texts = |has_wildcards, letters| {
            let syntax = Syntax {
                has_wildcards,
                has_variables,
            };
            let templates = read(values, |value| Template::parse(value, syntax));
            Ok(Self::Texts(templates?, letters))
        };
        match comparison {
            Comparison::StringEquals => texts(false, Letters::Exact),
            Comparison::StringEqualsIgnoreCase => texts(false, Letters::AnyCase),
            Comparison::StringLike => texts(true, Letters::Exact),
            Comparison::Numeric(order) => {
                let numbers = read(values, |value| known(value, "a number", number))?;
                Ok(Self::Numbers(order, numbers))
            }
            Comparison::Date(order) => {
                let dates = read(values, |value| known(value, "a date", date))?;
                Ok(Self::Dates(order, dates))
            }
            Comparison::Bool => Ok(Self::Booleans(booleans(values)?)),
            Comparison::Null => Ok(Self::Absence(booleans(values)?)),
            Comparison::Binary => {
                let binaries = read(values, |value| known(value, "base64", base64))?;
                Ok(Self::Binaries(binaries))
            }
            Comparison::IpAddress => {
                let networks = read(values, |value| known(value, "an address range", network))?;
                Ok(Self::Networks(networks))
            }
            Comparison::Arn => {
                let arns = read(values, |value| ArnPattern::parse(value, has_variables))?;
                Ok(Self::Arns(arns))
            }
        }
    }

    /// Whether any value of the policy fits; a value of the wrong type fits none.
    fn admits(&self, value: &str, request: &Request<'_>) -> bool {
        match self {
            Self::Texts(wanted, letters) => wanted
                .iter()
                .any(|one| one.matches(value, *letters, request)),
            Self::Arns(wanted) => {
                is_arn(value) && wanted.iter().any(|one| one.matches(value, request))
            }
            Self::Numbers(order, wanted) => {
                number(value).is_some_and(|found| wanted.iter().any(|one| order.holds(&found, one)))
            }
            Self::Dates(order, wanted) => {
                date(value).is_some_and(|found| wanted.iter().any(|one| order.holds(&found, one)))
            }
            Self::Booleans(wanted) => boolean(value).is_some_and(|found| wanted.contains(&found)),
            Self::Binaries(wanted) => wanted.iter().any(|one| one == value),
            Self::Networks(wanted) => address(value)
                .is_some_and(|found| wanted.iter().any(|network| network.contains(&found))),
            Self::Absence(_) => false,
        }
    }
}

fn read<T>(values: &[String], one: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    values.iter().map(|value| one(value)).collect()
}

fn known<T>(value: &str, what: &str, parse: impl Fn(&str) -> Option<T>) -> Result<T, String> {
    parse(value).ok_or_else(|| format!("{value:?} is not {what}"))
}

fn booleans(values: &[String]) -> Result<Vec<bool>, String> {
    read(values, |value| known(value, "true or false", boolean))
}

fn boolean(text: &str) -> Option<bool> {
    let is = |word: &str| text.eq_ignore_ascii_case(word);
    (is("true") || is("false")).then(|| is("true"))
}

/// A decimal number; the words for infinities and the like are none.
fn number(text: &str) -> Option<f64> {
    let is_decimal = |b: u8| b.is_ascii_digit() || b"+-.eE".contains(&b);
    text.bytes()
        .all(is_decimal)
        .then(|| text.parse().ok())
        .flatten()
        .filter(|number: &f64| number.is_finite())
}

/// RFC 3339, a date alone, or whole seconds since the epoch.
fn date(text: &str) -> Option<Timestamp> {
    match text.parse::<i64>() {
        Ok(seconds) => seconds.checked_mul(1_000_000).map(Timestamp),
        Err(_) => Timestamp::parse_rfc3339(text),
    }
}

fn base64(text: &str) -> Option<String> {
    let is_base64 = |b: u8| b.is_ascii_alphanumeric() || b"+/".contains(&b);
    let digits = text.trim_end_matches('=');
    let is_valid = text.len().is_multiple_of(4)
        && text.len() - digits.len() <= 2
        && digits.bytes().all(is_base64);
    is_valid.then(|| text.to_owned())
}

/// A range, or an address alone.
fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| address(text).map(IpNet::from))
}

/// An address; one of version 4 in the clothes of version 6 is that of version 4.
fn address(text: &str) -> Option<IpAddr> {
    text.parse()
        .ok()
        .map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests;
