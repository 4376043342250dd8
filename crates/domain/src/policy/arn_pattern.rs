//! Patterns of ARNs: in `Resource`, and in the Arn operators of conditions.
//!
//! A pattern and an ARN meet part by part: partition, service, region and account each for itself,
//! then all the rest as one text (auth.md 6.2). So `*` never crosses from one part to the next.

use super::template::{Letters, Syntax, Template, Variables};

/// Parts of an ARN: `arn`, partition, service, region, account, and the resource with its colons.
const PARTS: usize = 6;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ArnPattern {
    Any,
    Parts(Vec<Template>),
    /// Begins with a variable, so that its parts are known only with the request.
    Whole(Template),
}

impl ArnPattern {
    /// Reads `*`, a full ARN, or a text that begins with a variable.
    pub fn parse(text: &str, has_variables: bool) -> Result<Self, String> {
        let syntax = Syntax {
            has_wildcards: true,
            has_variables,
        };
        if text == "*" {
            return Ok(Self::Any);
        }
        if has_variables && text.starts_with("${") {
            return Ok(Self::Whole(Template::parse(text, syntax)?));
        }
        let parts = Template::parse_parts(text, syntax, PARTS)?;
        if text.starts_with("arn:") && parts.len() == PARTS {
            Ok(Self::Parts(parts))
        } else {
            Err(format!("{text:?} is no ARN"))
        }
    }

    /// Whether the pattern covers `arn`, which may be any text.
    pub fn matches(&self, arn: &str, variables: &dyn Variables) -> bool {
        let meets = |pattern: &Template, part| pattern.matches(part, Letters::Exact, variables);
        match self {
            Self::Any => true,
            Self::Whole(pattern) => meets(pattern, arn),
            Self::Parts(patterns) => {
                is_arn(arn)
                    && patterns
                        .iter()
                        .zip(arn.splitn(PARTS, ':'))
                        .all(|(pattern, part)| meets(pattern, part))
            }
        }
    }
}

/// Whether `text` has the parts of an ARN.
pub(super) fn is_arn(text: &str) -> bool {
    text.starts_with("arn:") && text.splitn(PARTS, ':').count() == PARTS
}

/// One entry of `Resource` or `NotResource`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource(ArnPattern);

impl Resource {
    pub(super) fn parse(text: &str, has_variables: bool) -> Result<Self, String> {
        if has_variables && text.starts_with("${") {
            return Err(format!("{text:?} is no ARN"));
        }
        ArnPattern::parse(text, has_variables).map(Self)
    }

    /// Whether it covers a resource: an ARN, or `*` for an action without one, which only the lone
    /// `*` covers.
    pub(super) fn covers(&self, resource: &str, variables: &dyn Variables) -> bool {
        self.0.matches(resource, variables)
    }
}
