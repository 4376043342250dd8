//! Text to lifecycle policy, refused layer by layer in the words of ECR.
//!
//! Length, JSON, shape, meaning: the first layer with something to say ends it. Only the shape layer
//! says several things at once. What AWS refuses in words that nobody has reported is refused in
//! words of our own. Nothing here looks at images.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value;

use super::form::{ActionType, PolicyForm, RuleForm, SelectionForm, TagStatus};
use super::policy::{
    Count, LifecycleAction, LifecyclePolicy, LifecycleRule, StorageClass, TagSelection,
};
use super::schema;

/// Fewest UTF-16 code units of a policy text (`LifecyclePolicyText` in the ECR API model).
pub const POLICY_TEXT_MIN: usize = 100;
/// Most UTF-16 code units of a policy text (`LifecyclePolicyText` in the ECR API model).
pub const POLICY_TEXT_MAX: usize = 30_720;
/// Wildcards in one entry of `tagPatternList` (ECR user guide, "Lifecycle policy parameters").
const WILDCARDS_MAX: usize = 4;
/// AWS publishes no upper limit; a Java `int` is what one would find there.
const COUNT_NUMBER_MAX: u64 = i32::MAX as u64;

const UNMAPPED: &str = "Could not map policyString into LifecyclePolicy.";

/// What refused a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// The text is too short or too long.
    Length,
    /// It is not a JSON object.
    Parse,
    /// A field is missing, unknown, or of the wrong kind.
    Schema,
    /// The fields contradict one another.
    Semantic,
}

/// Why a policy is refused. `Display` is the complete message of `InvalidParameterException`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct PolicyRefusal {
    /// What refused it.
    pub layer: Layer,
    /// At least one line; several only from [`Layer::Schema`].
    pub lines: Vec<String>,
}

impl fmt::Display for PolicyRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The small l of the length check is AWS's own.
        f.write_str(match self.layer {
            Layer::Length => {
                "Invalid parameter at 'lifecyclePolicyText' failed to satisfy constraint: '"
            }
            _ => {
                "Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: \
                 'Lifecycle policy validation failure: "
            }
        })?;
        for line in &self.lines {
            f.write_str(line)?;
            if self.layer == Layer::Schema {
                f.write_str("\n")?;
            }
        }
        f.write_str("'")
    }
}

impl LifecyclePolicy {
    /// Reads the text of a request: 100 to 30,720 UTF-16 code units of JSON. Of a key that is given
    /// twice the last one counts.
    pub fn parse(text: &str) -> Result<Self, PolicyRefusal> {
        let units = text.encode_utf16().count();
        if units < POLICY_TEXT_MIN {
            return Err(length_refusal("greater", POLICY_TEXT_MIN));
        }
        if units > POLICY_TEXT_MAX {
            return Err(length_refusal("less", POLICY_TEXT_MAX));
        }
        Self::parse_unpadded(text)
    }

    /// Reads a policy of any length. Nesting beyond 128 levels is refused as no JSON.
    pub fn parse_unpadded(text: &str) -> Result<Self, PolicyRefusal> {
        let value = match serde_json::from_str::<Value>(text) {
            Ok(value) if value.is_object() => value,
            _ => {
                return Err(PolicyRefusal {
                    layer: Layer::Parse,
                    lines: vec![UNMAPPED.into()],
                });
            }
        };
        let lines = schema::lines(&value);
        if !lines.is_empty() {
            return Err(PolicyRefusal {
                layer: Layer::Schema,
                lines,
            });
        }
        let form: PolicyForm = serde_json::from_value(value).map_err(|_| semantic(UNMAPPED))?;
        let rules: Vec<LifecycleRule> =
            form.rules.into_iter().map(rule).collect::<Result<_, _>>()?;
        check_policy(&rules)?;
        Ok(Self { rules })
    }
}

fn length_refusal(side: &str, limit: usize) -> PolicyRefusal {
    PolicyRefusal {
        layer: Layer::Length,
        lines: vec![format!(
            "Member must have length {side} than or equal to {limit}"
        )],
    }
}

fn semantic(line: impl Into<String>) -> PolicyRefusal {
    PolicyRefusal {
        layer: Layer::Semantic,
        lines: vec![line.into()],
    }
}

fn rule(form: RuleForm) -> Result<LifecycleRule, PolicyRefusal> {
    let action = match (form.action.r#type, form.action.target_storage_class) {
        (ActionType::Expire, _) => LifecycleAction::Expire,
        (ActionType::Transition, Some(_)) => LifecycleAction::Transition,
        (ActionType::Transition, None) => return Err(semantic(UNMAPPED)),
    };
    if form.selection.count_number > COUNT_NUMBER_MAX {
        return Err(semantic(UNMAPPED));
    }
    let storage_class = form.selection.storage_class.map(StorageClass::from);
    let count = form.selection.count_type.of(form.selection.count_number);
    check_count(count, storage_class, action)?;
    Ok(LifecycleRule {
        priority: form.rule_priority,
        description: form.description,
        tags: tags(form.selection)?,
        storage_class,
        count,
        action,
    })
}

fn check_count(
    count: Count,
    class: Option<StorageClass>,
    action: LifecycleAction,
) -> Result<(), PolicyRefusal> {
    let is_archived = matches!(count, Count::SinceImageTransitioned(_));
    if class == Some(StorageClass::Archive) && !is_archived {
        return Err(semantic(
            "SINCE_IMAGE_PUSHED, SINCE_IMAGE_PULLED and IMAGE_COUNT_MORE_THAN support the STANDARD \
             storage class only",
        ));
    }
    match (count, action) {
        (Count::SinceImagePulled(_), LifecycleAction::Expire) => Err(semantic(
            "SINCE_IMAGE_PULLED supports the TRANSITION action only",
        )),
        (Count::SinceImageTransitioned(_), LifecycleAction::Transition) => Err(semantic(
            "SINCE_IMAGE_TRANSITIONED supports the EXPIRE action only",
        )),
        _ => Ok(()),
    }
}

fn tags(selection: SelectionForm) -> Result<TagSelection, PolicyRefusal> {
    let (prefixes, patterns) = (selection.tag_prefix_list, selection.tag_pattern_list);
    let without_list = |tags, status: &str| match (prefixes.is_empty(), patterns.is_empty()) {
        (true, true) => Ok(tags),
        (false, _) => Err(semantic(format!(
            "Cannot specify tagPrefixList with tagStatus {status}"
        ))),
        (true, false) => Err(semantic(format!(
            "Cannot specify tagPatternList with tagStatus {status}"
        ))),
    };
    match selection.tag_status {
        TagStatus::Any => without_list(TagSelection::Any, "any"),
        TagStatus::Untagged => without_list(TagSelection::Untagged, "untagged"),
        TagStatus::Tagged => match (prefixes.is_empty(), patterns.is_empty()) {
            (true, true) => Err(semantic(
                "Must specify tagPrefixList or tagPatternList when tagStatus=TAGGED.",
            )),
            (false, false) => Err(semantic(
                "If policy has a tagged rule, it must specify only one of tagPrefixList or \
                 tagPatternList",
            )),
            (false, true) => Ok(TagSelection::Prefixes(prefixes)),
            (true, false) if patterns.iter().any(|pattern| is_too_wild(pattern)) => {
                Err(semantic("Invalid tag pattern provided"))
            }
            (true, false) => Ok(TagSelection::Patterns(patterns)),
        },
    }
}

fn is_too_wild(pattern: &str) -> bool {
    pattern.matches('*').count() > WILDCARDS_MAX
}

/// What the rules may not say together. Each storage class is a world of its own.
fn check_policy(rules: &[LifecycleRule]) -> Result<(), PolicyRefusal> {
    let priorities: BTreeSet<i32> = rules.iter().map(|rule| rule.priority).collect();
    if priorities.len() < rules.len() {
        return Err(semantic("Duplicate priority in multiple rules"));
    }
    for class in [StorageClass::Standard, StorageClass::Archive] {
        let rules: Vec<&LifecycleRule> = rules
            .iter()
            .filter(|rule| rule.selects() == class)
            .collect();
        check_class(&rules)?;
    }
    Ok(())
}

fn check_class(rules: &[&LifecycleRule]) -> Result<(), PolicyRefusal> {
    let count = |tags: TagSelection| rules.iter().filter(|rule| rule.tags == tags).count();
    if count(TagSelection::Any) > 1 {
        return Err(semantic("Only one rule can specify tagStatus=ANY"));
    }
    if count(TagSelection::Untagged) > 1 {
        return Err(semantic(
            "Only one rule can select Untagged images per storage class.",
        ));
    }
    let weakest = rules.iter().max_by_key(|rule| rule.priority);
    if count(TagSelection::Any) == 1 && weakest.is_some_and(|rule| rule.tags != TagSelection::Any) {
        return Err(semantic(
            "Rule for tagStatus=ANY must have the lowest priority per storage class",
        ));
    }
    let mut sets = BTreeSet::new();
    for rule in rules {
        if let TagSelection::Prefixes(prefixes) = &rule.tags
            && !sets.insert(prefixes.iter().collect::<BTreeSet<_>>())
        {
            return Err(semantic(
                "Only one rule can specify the same tagPrefixList per storage class",
            ));
        }
    }
    Ok(())
}
