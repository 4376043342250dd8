//! Patterns of actions: `*`, or a service and a name with wildcards, such as `ecr:Batch*`.
//!
//! Upper and lower case are the same; the service takes no wildcards (auth.md 6.2).

use super::template::{Glyph, Letters, Syntax, Template, matches};

/// One entry of `Action` or `NotAction`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action(Pattern);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Pattern {
    Any,
    Of { service: String, name: Vec<Glyph> },
}

impl Action {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text == "*" {
            return Ok(Self(Pattern::Any));
        }
        let is_service = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        let is_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'*' | b'?');
        match text.split_once(':') {
            Some((service, name))
                if !service.is_empty()
                    && !name.is_empty()
                    && service.bytes().all(is_service)
                    && name.bytes().all(is_name) =>
            {
                let syntax = Syntax {
                    has_wildcards: true,
                    has_variables: false,
                };
                let Template::Fixed(name) = Template::parse(name, syntax)? else {
                    return Err(format!("{text:?} is no action"));
                };
                let service = service.to_ascii_lowercase();
                Ok(Self(Pattern::Of { service, name }))
            }
            _ => Err(format!("{text:?} is no action")),
        }
    }

    /// The service in lower case; none for `*`.
    pub(super) fn service(&self) -> Option<&str> {
        match &self.0 {
            Pattern::Any => None,
            Pattern::Of { service, .. } => Some(service),
        }
    }

    /// Whether it covers the action `name` of some service.
    pub(super) fn names(&self, name: &str) -> bool {
        match &self.0 {
            Pattern::Any => true,
            Pattern::Of { name: pattern, .. } => matches(pattern, name, Letters::AnyCase),
        }
    }

    /// Whether it covers an action such as `ecr:PutImage`.
    pub(super) fn covers(&self, action: &str) -> bool {
        let (service, name) = action.split_once(':').unwrap_or((action, ""));
        self.service()
            .is_none_or(|wanted| wanted.eq_ignore_ascii_case(service))
            && self.names(name)
    }
}

#[cfg(test)]
mod tests {
    use super::Action;

    #[test]
    fn what_an_action_covers() {
        for (pattern, action, expected) in [
            ("*", "ecr:PutImage", true),
            ("ecr:PutImage", "ecr:PutImage", true),
            ("ECR:putimage", "ecr:PutImage", true),
            ("ecr:putimage", "ECR:PutImage", true),
            ("ecr:Put*", "ecr:PutImage", true),
            ("ecr:*Image?", "ecr:DescribeImages", true),
            ("ecr:*Image?", "ecr:PutImage", false),
            ("ecr:*", "ecr-public:PutImage", false),
            ("ecr-public:*", "ecr:PutImage", false),
            (
                "lightsail:*ContainerImage*",
                "lightsail:RegisterContainerImage",
                true,
            ),
        ] {
            let found = Action::parse(pattern).unwrap().covers(action);
            assert_eq!(found, expected, "{pattern} on {action}");
        }
    }

    #[test]
    fn what_is_no_action() {
        for text in [
            "",
            "ecr",
            ":",
            "ecr:",
            ":PutImage",
            "e*:PutImage",
            "ecr:Put Image",
            "**",
        ] {
            assert!(Action::parse(text).is_err(), "{text}");
        }
    }
}
