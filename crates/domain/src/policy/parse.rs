//! Text to policy. What could later be misunderstood is refused when it is stored.
//!
//! Length, JSON, elements, values: the first fault ends it. AWS answers them all in one sentence;
//! the reason in our words is there for logs and consoles. Nothing here asks who exists.

use std::fmt;

use super::action::Action;
use super::arn_pattern::Resource;
use super::condition::Condition;
use super::document::{Among, Effect, PolicyDocument, Statement, Version};
use super::json::Json;
use super::known_actions::{ECR, ECR_PERMISSIONS, ECR_PUBLIC, ECR_PUBLIC_PERMISSIONS, REGISTRY_V1};
use super::principal::Principal;

/// Most UTF-16 code units of the policy of a repository or registry (`RepositoryPolicyText` and
/// `RegistryPolicyText` in the API models).
pub const POLICY_TEXT_MAX: usize = 10_240;
/// Most UTF-16 code units of the policy of an identity (`policyDocumentType` in the IAM API model).
pub const IDENTITY_POLICY_TEXT_MAX: usize = 131_072;

/// What a policy is attached to, which decides the elements that it must and must not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyKind {
    /// A user, a role, a boundary or a session: no `Principal`, but `Resource`.
    Identity,
    /// A private repository: `Principal`, no `Resource`, actions of ECR.
    Repository,
    /// A public repository: the same, actions of ECR Public, or of ECR, which do nothing there.
    PublicRepository,
    /// A private registry: `Principal` and `Resource`, actions of ECR.
    Registry(RegistryScope),
}

/// The account setting `REGISTRY_POLICY_SCOPE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegistryScope {
    /// Replication, imports and creation only.
    V1,
    /// Every action of ECR.
    V2,
}

impl RegistryScope {
    /// Whether a registry policy has a say on `action`, such as `ecr:PutImage`.
    pub fn governs(self, action: &str) -> bool {
        let name = action.strip_prefix("ecr:");
        match self {
            Self::V1 => name.is_some_and(|name| REGISTRY_V1.contains(&name)),
            Self::V2 => name.is_some(),
        }
    }
}

/// Why a policy is refused. `Display` is the message of `InvalidParameterException`; for a policy of
/// an identity, whose messages are another API's, it is the reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct PolicyError {
    kind: PolicyKind,
    fault: Fault,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Fault {
    TooLong(usize),
    Invalid(String),
    PrincipalNotFound(String),
}

impl PolicyError {
    /// For a caller that knows who exists: `principal` is nobody.
    pub fn principal_not_found(kind: PolicyKind, principal: impl Into<String>) -> Self {
        let fault = Fault::PrincipalNotFound(principal.into());
        Self { kind, fault }
    }

    /// What is wrong, in our words.
    pub fn reason(&self) -> String {
        match &self.fault {
            Fault::TooLong(max) => format!("a policy has at most {max} characters"),
            Fault::Invalid(reason) => reason.clone(),
            Fault::PrincipalNotFound(principal) => format!("there is no principal {principal:?}"),
        }
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (place, text) = match (&self.fault, self.kind) {
            (_, PolicyKind::Identity) => return f.write_str(&self.reason()),
            (Fault::TooLong(max), _) => (
                "policyText",
                format!("Member must have length less than or equal to {max}"),
            ),
            (_, PolicyKind::Registry(_)) => {
                ("PolicyText", "Invalid registry policy provided".into())
            }
            // Terraform waits for a new principal to appear as long as it reads these words.
            (Fault::PrincipalNotFound(_), PolicyKind::Repository) => {
                ("PolicyText", "Principal not found".into())
            }
            _ => ("PolicyText", "Invalid repository policy provided".into()),
        };
        write!(
            f,
            "Invalid parameter at '{place}' failed to satisfy constraint: '{text}'"
        )
    }
}

impl PolicyDocument {
    /// Reads the text of a policy: at most [`POLICY_TEXT_MAX`], or [`IDENTITY_POLICY_TEXT_MAX`],
    /// UTF-16 code units. Unknown elements, operators and actions, repeated keys and values that no
    /// operator could compare are errors.
    pub fn parse(kind: PolicyKind, text: &str) -> Result<Self, PolicyError> {
        let max = match kind {
            PolicyKind::Identity => IDENTITY_POLICY_TEXT_MAX,
            _ => POLICY_TEXT_MAX,
        };
        let refused = |fault| PolicyError { kind, fault };
        if text.encode_utf16().count() > max {
            return Err(refused(Fault::TooLong(max)));
        }
        Json::parse(text)
            .and_then(|json| document(kind, json))
            .map_err(|reason| refused(Fault::Invalid(reason)))
    }
}

/// The members of an object that are still to be read.
struct Elements {
    of: &'static str,
    entries: Vec<(String, Json)>,
}

impl Elements {
    fn new(of: &'static str, json: Json) -> Result<Self, String> {
        match json {
            Json::Object(entries) => Ok(Self { of, entries }),
            _ => Err(format!("{of} is no object")),
        }
    }

    fn take(&mut self, name: &str) -> Option<Json> {
        let place = self.entries.iter().position(|(key, _)| key == name)?;
        Some(self.entries.swap_remove(place).1)
    }

    fn take_text(&mut self, name: &'static str) -> Result<Option<String>, String> {
        match self.take(name) {
            None => Ok(None),
            Some(Json::Text(text)) => Ok(Some(text)),
            Some(_) => Err(format!("{name} is no text")),
        }
    }

    /// Takes an element or its `Not` form: not both.
    fn take_among<T>(
        &mut self,
        names: [&'static str; 2],
        read: impl Fn(&str, Json) -> Result<Vec<T>, String>,
    ) -> Result<Option<Among<T>>, String> {
        let [name, not] = names;
        match (self.take(name), self.take(not)) {
            (None, None) => Ok(None),
            (Some(json), None) => read(name, json).map(|list| Some(Among::These(list))),
            (None, Some(json)) => read(not, json).map(|list| Some(Among::AllBut(list))),
            (Some(_), Some(_)) => Err(format!("a statement has {name} and {not}")),
        }
    }

    fn finish(self) -> Result<(), String> {
        match self.entries.first() {
            None => Ok(()),
            Some((name, _)) => Err(format!("{} has no element {name:?}", self.of)),
        }
    }
}

fn document(kind: PolicyKind, json: Json) -> Result<PolicyDocument, String> {
    let mut elements = Elements::new("a policy", json)?;
    let version = match elements.take_text("Version")?.as_deref() {
        None | Some("2008-10-17") => Version::V2008,
        Some("2012-10-17") => Version::V2012,
        Some(other) => return Err(format!("there is no version {other:?}")),
    };
    let id = elements.take_text("Id")?;
    let statements = elements.take("Statement").ok_or("Statement is missing")?;
    elements.finish()?;
    let statements: Vec<Statement> = statements
        .one_or_many()
        .into_iter()
        .map(|json| statement(kind, version == Version::V2012, json))
        .collect::<Result<_, _>>()?;
    if statements.is_empty() {
        return Err("Statement is empty".into());
    }
    Ok(PolicyDocument {
        version,
        id,
        statements,
    })
}

fn statement(kind: PolicyKind, has_variables: bool, json: Json) -> Result<Statement, String> {
    let mut elements = Elements::new("a statement", json)?;
    let sid = elements.take_text("Sid")?;
    let effect = match elements.take_text("Effect")?.as_deref() {
        Some("Allow") => Effect::Allow,
        Some("Deny") => Effect::Deny,
        Some(other) => return Err(format!("there is no effect {other:?}")),
        None => return Err("Effect is missing".into()),
    };
    let principals =
        elements.take_among(["Principal", "NotPrincipal"], |_, json| principals(json))?;
    let actions = elements
        .take_among(["Action", "NotAction"], |name, json| {
            list(name, json, Action::parse)
        })?
        .ok_or("Action is missing")?;
    let resources = elements.take_among(["Resource", "NotResource"], |name, json| {
        list(name, json, |text| Resource::parse(text, has_variables))
    })?;
    let conditions = match elements.take("Condition") {
        None => Vec::new(),
        Some(json) => conditions(json, has_variables)?,
    };
    elements.finish()?;
    let statement = Statement {
        sid,
        effect,
        principals,
        actions,
        resources,
        conditions,
    };
    check(kind, &statement)?;
    Ok(statement)
}

/// What the kind of a policy asks of a statement.
fn check(kind: PolicyKind, statement: &Statement) -> Result<(), String> {
    let (has_principal, has_resource) = match kind {
        PolicyKind::Identity => (false, true),
        PolicyKind::Repository | PolicyKind::PublicRepository => (true, false),
        PolicyKind::Registry(_) => (true, true),
    };
    let required = |name, is_there, is_wanted: bool| match (is_there, is_wanted) {
        (false, true) => Err(format!("{name} is missing")),
        (true, false) => Err(format!("{name} has no place here")),
        _ => Ok(()),
    };
    required("Principal", statement.principals.is_some(), has_principal)?;
    required("Resource", statement.resources.is_some(), has_resource)?;
    if let (Effect::Allow, Some(Among::AllBut(_))) = (statement.effect, &statement.principals) {
        return Err("NotPrincipal cannot allow".into());
    }
    if kind == PolicyKind::Registry(RegistryScope::V1)
        && matches!(statement.actions, Among::AllBut(_))
    {
        return Err("NotAction names actions beyond the scope of the registry policy".into());
    }
    for action in statement.actions.entries() {
        if !is_known(kind, action) {
            return Err("an action is unknown, or not for this policy".into());
        }
    }
    Ok(())
}

/// Whether an action covers something that a policy of this kind may speak of.
fn is_known(kind: PolicyKind, action: &Action) -> bool {
    let covers_any = |names: &[&str]| names.iter().any(|name| action.names(name));
    let is_of_ecr = || covers_any(ECR) || covers_any(ECR_PERMISSIONS);
    match (kind, action.service()) {
        (PolicyKind::Identity, _) => true,
        (PolicyKind::Registry(RegistryScope::V1), Some("ecr")) => {
            let mut covered = ECR.iter().chain(ECR_PERMISSIONS);
            let is_outside = |name: &&str| action.names(name) && !REGISTRY_V1.contains(name);
            covers_any(REGISTRY_V1) && !covered.any(is_outside)
        }
        (PolicyKind::Registry(RegistryScope::V1), _) => false,
        (PolicyKind::PublicRepository, Some("ecr-public")) => {
            covers_any(ECR_PUBLIC) || covers_any(ECR_PUBLIC_PERMISSIONS)
        }
        (_, Some("ecr")) => is_of_ecr(),
        (_, None) => true,
        (_, Some(_)) => false,
    }
}

fn principals(json: Json) -> Result<Vec<Principal>, String> {
    if json == Json::Text("*".into()) {
        return Ok(vec![Principal::Everyone]);
    }
    let Json::Object(entries) = json else {
        return Err("Principal is neither \"*\" nor an object".into());
    };
    let mut principals = Vec::new();
    for (key, json) in entries {
        let read = |text: &str| match key.as_str() {
            "AWS" => Principal::parse_aws(text),
            "Service" => Principal::parse_service(text),
            "Federated" => Ok(Principal::Federated(text.to_owned())),
            "CanonicalUser" => Ok(Principal::CanonicalUser(text.to_owned())),
            _ => Err(format!("there are no principals {key:?}")),
        };
        principals.extend(list(&key, json, read)?);
    }
    if principals.is_empty() {
        return Err("Principal is empty".into());
    }
    Ok(principals)
}

/// One text or a list of at least one.
fn list<T>(
    name: &str,
    json: Json,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<Vec<T>, String> {
    let texts = json.one_or_many();
    if texts.is_empty() {
        return Err(format!("{name} is empty"));
    }
    texts
        .iter()
        .map(|json| match json {
            Json::Text(text) => read(text),
            _ => Err(format!("{name} is no text")),
        })
        .collect()
}

fn conditions(json: Json, has_variables: bool) -> Result<Vec<Condition>, String> {
    let Json::Object(operators) = json else {
        return Err("Condition is no object".into());
    };
    let mut conditions = Vec::new();
    for (operator, json) in operators {
        let Json::Object(keys) = json else {
            return Err(format!("Condition {operator:?} is no object"));
        };
        // Said even of an operator without keys, which would otherwise pass unseen.
        Condition::parse(&operator, "any:key", &[], has_variables)?;
        for (key, json) in keys {
            let values: Vec<String> = json
                .one_or_many()
                .into_iter()
                .map(scalar)
                .collect::<Option<_>>()
                .ok_or_else(|| format!("Condition {operator:?} has a value that is no text"))?;
            conditions.push(Condition::parse(&operator, &key, &values, has_variables)?);
        }
    }
    Ok(conditions)
}

/// Values of conditions may be written without quotes.
fn scalar(json: Json) -> Option<String> {
    match json {
        Json::Text(text) => Some(text),
        Json::Bool(value) => Some(value.to_string()),
        Json::Number(number) => Some(number.to_string()),
        Json::Null | Json::List(_) | Json::Object(_) => None,
    }
}
