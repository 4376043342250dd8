//! The names of condition operators, such as `ForAnyValue:StringLikeIfExists`.
//!
//! Names are exact; one that nobody knows is refused when the policy is stored, so that a Deny never
//! silently means nothing (hostile.md D8).

/// A name taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Operator {
    pub quantifier: Quantifier,
    pub comparison: Comparison,
    pub is_negated: bool,
    pub if_exists: bool,
}

/// How many values of a key must do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quantifier {
    Single,
    ForAllValues,
    ForAnyValue,
}

/// What is compared, and how, before any negation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    StringEquals,
    StringEqualsIgnoreCase,
    StringLike,
    Numeric(Order),
    Date(Order),
    Bool,
    Binary,
    IpAddress,
    Arn,
    Null,
}

/// How the value of the request lies to that of the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Equals,
    LessThan,
    LessThanEquals,
    GreaterThan,
    GreaterThanEquals,
}

impl Order {
    pub fn holds<T: PartialOrd>(self, found: &T, wanted: &T) -> bool {
        match self {
            Self::Equals => found == wanted,
            Self::LessThan => found < wanted,
            Self::LessThanEquals => found <= wanted,
            Self::GreaterThan => found > wanted,
            Self::GreaterThanEquals => found >= wanted,
        }
    }
}

impl Operator {
    /// Takes a name apart; none if there is no such operator.
    pub fn parse(name: &str) -> Option<Self> {
        let (quantifier, name) = match name.split_once(':') {
            None => (Quantifier::Single, name),
            Some(("ForAllValues", name)) => (Quantifier::ForAllValues, name),
            Some(("ForAnyValue", name)) => (Quantifier::ForAnyValue, name),
            Some(_) => return None,
        };
        let (name, if_exists) = match name.strip_suffix("IfExists") {
            Some(name) => (name, true),
            None => (name, false),
        };
        let (comparison, is_negated) = comparison(name)?;
        let is_plain = quantifier == Quantifier::Single && !if_exists;
        // Null asks about the key itself: sets and IfExists mean nothing there.
        (comparison != Comparison::Null || is_plain).then_some(Self {
            quantifier,
            comparison,
            is_negated,
            if_exists,
        })
    }
}

fn comparison(name: &str) -> Option<(Comparison, bool)> {
    let (comparison, is_negated) = match name {
        "StringEquals" => (Comparison::StringEquals, false),
        "StringNotEquals" => (Comparison::StringEquals, true),
        "StringEqualsIgnoreCase" => (Comparison::StringEqualsIgnoreCase, false),
        "StringNotEqualsIgnoreCase" => (Comparison::StringEqualsIgnoreCase, true),
        "StringLike" => (Comparison::StringLike, false),
        "StringNotLike" => (Comparison::StringLike, true),
        "Bool" => (Comparison::Bool, false),
        "BinaryEquals" => (Comparison::Binary, false),
        "IpAddress" => (Comparison::IpAddress, false),
        "NotIpAddress" => (Comparison::IpAddress, true),
        "ArnEquals" | "ArnLike" => (Comparison::Arn, false),
        "ArnNotEquals" | "ArnNotLike" => (Comparison::Arn, true),
        "Null" => (Comparison::Null, false),
        _ => {
            if let Some(name) = name.strip_prefix("Numeric") {
                let (order, is_negated) = order(name)?;
                return Some((Comparison::Numeric(order), is_negated));
            }
            let (order, is_negated) = order(name.strip_prefix("Date")?)?;
            return Some((Comparison::Date(order), is_negated));
        }
    };
    Some((comparison, is_negated))
}

fn order(name: &str) -> Option<(Order, bool)> {
    match name {
        "Equals" => Some((Order::Equals, false)),
        "NotEquals" => Some((Order::Equals, true)),
        "LessThan" => Some((Order::LessThan, false)),
        "LessThanEquals" => Some((Order::LessThanEquals, false)),
        "GreaterThan" => Some((Order::GreaterThan, false)),
        "GreaterThanEquals" => Some((Order::GreaterThanEquals, false)),
        _ => None,
    }
}
