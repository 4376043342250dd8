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

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::{ArnPattern, Resource, Variables};

    struct Nothing;

    impl Variables for Nothing {
        fn single(&self, _: &str) -> Option<Cow<'_, str>> {
            None
        }
    }

    const APP: &str = "arn:aws:ecr:us-east-1:111111111111:repository/team/app";

    #[test]
    fn part_by_part() {
        for (pattern, resource, expected) in [
            ("*", "*", true),
            ("*", APP, true),
            (APP, APP, true),
            ("arn:*:*:*:*:*", APP, true),
            ("arn:aws:ecr:*:*:repository/*", APP, true),
            ("arn:aws:ecr:us-????-1:*:repository/team/app", APP, true),
            // Only the lone star covers what has no ARN, nor are all parts of one there.
            ("arn:*:*:*:*:*", "*", false),
            ("arn:*:*:*:*:*", "arn:aws:ecr", false),
            ("arn:*:*:*:*:*", "", false),
            // No star crosses to the next part, all cross inside the last.
            ("arn:aws:ecr:*:repository/team/app:x:y", APP, false),
            ("arn:aws:e*1:111111111111:repository/*:*:*", APP, false),
            ("arn:aws:ecr:*:*:*", "arn:aws:ecr:::a:b:c/d", true),
            ("arn:aws:ecr:*:*:repository/*/app", APP, true),
            ("arn:aws:ecr:*:*:repository/TEAM/app", APP, false),
            ("arn:aws:ecr-public::*:repository/*", APP, false),
        ] {
            let found = Resource::parse(pattern, true).unwrap();
            let found = found.covers(resource, &Nothing);
            assert_eq!(found, expected, "{pattern} on {resource}");
        }
    }

    #[test]
    fn what_is_no_pattern() {
        for text in [
            "",
            "**",
            "?",
            "repository/x",
            "arn:aws:ecr:us-east-1:repository/x",
        ] {
            assert!(ArnPattern::parse(text, true).is_err(), "{text}");
        }
        assert!(ArnPattern::parse("${aws:PrincipalArn}", true).is_ok());
        assert!(ArnPattern::parse("${aws:PrincipalArn}", false).is_err());
        assert!(Resource::parse("${aws:PrincipalArn}", true).is_err());
    }
}
