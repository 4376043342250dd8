//! What is asked: who, which action, on what, and the keys that conditions may look at.
//!
//! Keys that follow from the requester, the resource and the time are worked out here; all others
//! (auth.md 7: `aws:SourceIp`, tags, `ecr:AccountSetting`, …) come from whoever knows them.

use std::borrow::Cow;
use std::collections::HashMap;

use super::requester::Requester;
use super::template::Variables;
use crate::ids::AccountId;
use crate::time::Timestamp;

/// One question to the policies.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Who asks.
    pub requester: &'a Requester,
    /// `<service>:<Action>`.
    pub action: &'a str,
    /// The ARN of the resource; `*` for an action without one.
    pub resource: &'a str,
    /// The account that owns the resource, or the registry that is asked.
    pub resource_account: &'a AccountId,
    /// Further keys.
    pub context: &'a Context,
    /// When.
    pub now: Timestamp,
}

/// Keys of conditions with their values. Names of keys know no case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Context(HashMap<String, Values>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Values {
    One(String),
    Many(Vec<String>),
}

impl Context {
    /// Sets a key that has one value.
    pub fn set(&mut self, key: &str, value: impl Into<String>) {
        self.0.insert(key.to_lowercase(), Values::One(value.into()));
    }

    /// Sets a key that by its nature has several values, even when now it has one. Without any it
    /// counts as absent.
    pub fn set_many(&mut self, key: &str, values: Vec<String>) {
        if values.is_empty() {
            self.0.remove(&key.to_lowercase());
        } else {
            self.0.insert(key.to_lowercase(), Values::Many(values));
        }
    }

    /// Sets `aws:ResourceTag/…` and `<service>:ResourceTag/…` for each tag of the resource.
    pub fn set_resource_tags<'t>(
        &mut self,
        service: &str,
        tags: impl IntoIterator<Item = (&'t str, &'t str)>,
    ) {
        for (key, value) in tags {
            self.set(&format!("aws:ResourceTag/{key}"), value);
            self.set(&format!("{service}:ResourceTag/{key}"), value);
        }
    }

    /// Sets `aws:RequestTag/…` for each tag that the request brings, and `aws:TagKeys`.
    pub fn set_request_tags<'t>(&mut self, tags: impl IntoIterator<Item = (&'t str, &'t str)>) {
        let mut keys = Vec::new();
        for (key, value) in tags {
            self.set(&format!("aws:RequestTag/{key}"), value);
            keys.push(key.to_owned());
        }
        self.set_many("aws:TagKeys", keys);
    }
}

/// The values of a key in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found<'a> {
    One(Cow<'a, str>),
    Many(&'a [String]),
}

impl Request<'_> {
    /// The values of a key, whose name is in lower case; none if it is absent.
    pub(super) fn find(&self, key: &str) -> Option<Found<'_>> {
        if let Some(value) = self.derived(key) {
            return Some(Found::One(value));
        }
        self.context.0.get(key).map(|values| match values {
            Values::One(value) => Found::One(value.into()),
            Values::Many(values) => Found::Many(values),
        })
    }

    fn derived(&self, key: &str) -> Option<Cow<'_, str>> {
        let requester = self.requester;
        let service = match requester {
            Requester::Service(name) => Some(name.as_str()),
            _ => None,
        };
        match key {
            "aws:principalarn" => requester.principal_arn().map(Cow::from),
            "aws:principalaccount" => requester.account().map(|it| it.as_str().into()),
            "aws:principaltype" => requester.principal_type().map(Cow::from),
            "aws:principalisawsservice" => Some(service.is_some().to_string().into()),
            "aws:principalservicename" => service.map(Cow::from),
            "aws:userid" => requester.user_id().map(Cow::from),
            "aws:username" => requester.user_name().map(Cow::from),
            "aws:currenttime" => Some(self.now.rfc3339().into()),
            "aws:epochtime" => Some(self.now.seconds().to_string().into()),
            // No service calls us on behalf of anybody.
            "aws:viaawsservice" => Some("false".into()),
            "aws:resourceaccount" => Some(self.resource_account.as_str().into()),
            _ => None,
        }
    }
}

impl Variables for Request<'_> {
    fn single(&self, key: &str) -> Option<Cow<'_, str>> {
        match self.find(key)? {
            Found::One(value) => Some(value),
            Found::Many(_) => None,
        }
    }
}
