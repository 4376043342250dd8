//! A policy as it is evaluated: read once, with every pattern and value ready.
//!
//! Made only by `PolicyDocument::parse`, so that whatever is stored could also be parsed. Nothing
//! here knows requests.

use super::action::Action;
use super::arn_pattern::Resource;
use super::condition::Condition;
use super::principal::Principal;

/// The version of the policy language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// `2008-10-17`, also where none is given: variables are plain text.
    V2008,
    /// `2012-10-17`.
    V2012,
}

/// A whole policy.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyDocument {
    pub(super) version: Version,
    pub(super) id: Option<String>,
    pub(super) statements: Vec<Statement>,
}

impl PolicyDocument {
    /// `Version`.
    pub fn version(&self) -> Version {
        self.version
    }

    /// `Id`.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// `Statement`, at least one.
    pub fn statements(&self) -> &[Statement] {
        &self.statements
    }

    /// Everybody that some statement names, for a caller that knows who exists.
    pub fn principals(&self) -> impl Iterator<Item = &Principal> {
        let named = self.statements.iter().filter_map(Statement::principals);
        named.flat_map(|among| among.entries())
    }
}

/// One statement.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    pub(super) sid: Option<String>,
    pub(super) effect: Effect,
    pub(super) principals: Option<Among<Principal>>,
    pub(super) actions: Among<Action>,
    pub(super) resources: Option<Among<Resource>>,
    pub(super) conditions: Vec<Condition>,
}

impl Statement {
    /// `Sid`; in policies of repositories not necessarily unique.
    pub fn sid(&self) -> Option<&str> {
        self.sid.as_deref()
    }

    /// `Effect`.
    pub fn effect(&self) -> Effect {
        self.effect
    }

    /// `Principal` or `NotPrincipal`; none in policies of identities.
    pub fn principals(&self) -> Option<&Among<Principal>> {
        self.principals.as_ref()
    }

    /// `Action` or `NotAction`.
    pub fn actions(&self) -> &Among<Action> {
        &self.actions
    }

    /// `Resource` or `NotResource`; none in policies of repositories, which speak of their own.
    pub fn resources(&self) -> Option<&Among<Resource>> {
        self.resources.as_ref()
    }

    /// `Condition`, taken apart.
    pub fn conditions(&self) -> &[Condition] {
        &self.conditions
    }
}

/// What a statement does where it applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Grants, unless something denies.
    Allow,
    /// Refuses, whatever else grants.
    Deny,
}

/// An element that lists what is meant, or by its `Not` form what is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Among<T> {
    /// Any of these.
    These(Vec<T>),
    /// Anything but these.
    AllBut(Vec<T>),
}

impl<T> Among<T> {
    /// What is listed, either way.
    pub fn entries(&self) -> &[T] {
        match self {
            Self::These(entries) | Self::AllBut(entries) => entries,
        }
    }

    /// Whether something is meant of which `is_it` knows the entries that cover it.
    pub(super) fn means(&self, is_it: impl Fn(&T) -> bool) -> bool {
        match self {
            Self::These(entries) => entries.iter().any(is_it),
            Self::AllBut(entries) => !entries.iter().any(is_it),
        }
    }
}
