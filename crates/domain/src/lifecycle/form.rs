//! A lifecycle policy as its JSON objects: the same field names, the same order, read and written.
//!
//! Between text and value. Reading expects JSON whose shape was checked before; what still does not
//! fit here is what ECR "could not map". Nothing is judged here.

use serde::{Deserialize, Serialize};

use super::policy::{
    Count, LifecycleAction, LifecyclePolicy, LifecycleRule, StorageClass, TagSelection,
};

#[derive(Serialize, Deserialize)]
pub(super) struct PolicyForm {
    pub rules: Vec<RuleForm>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RuleForm {
    pub rule_priority: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub selection: SelectionForm,
    pub action: ActionForm,
}

/// An empty tag list says no more than an absent one.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SelectionForm {
    pub tag_status: TagStatus,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tag_prefix_list: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tag_pattern_list: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<StorageClassForm>,
    pub count_type: CountType,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count_unit: Option<CountUnit>,
    pub count_number: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ActionForm {
    pub r#type: ActionType,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_storage_class: Option<StorageClassForm>,
}

#[derive(Serialize, Deserialize, Clone, Copy)]
#[serde(rename_all = "camelCase")]
pub(super) enum TagStatus {
    Any,
    Tagged,
    Untagged,
}

#[derive(Serialize, Deserialize, Clone, Copy)]
#[serde(rename_all = "camelCase")]
pub(super) enum CountType {
    ImageCountMoreThan,
    SinceImagePushed,
    SinceImagePulled,
    SinceImageTransitioned,
}

#[derive(Serialize, Deserialize, Clone, Copy)]
#[serde(rename_all = "camelCase")]
pub(super) enum CountUnit {
    Days,
}

#[derive(Serialize, Deserialize, Clone, Copy)]
#[serde(rename_all = "camelCase")]
pub(super) enum StorageClassForm {
    Standard,
    Archive,
}

#[derive(Serialize, Deserialize, Clone, Copy)]
#[serde(rename_all = "camelCase")]
pub(super) enum ActionType {
    Expire,
    Transition,
}

impl From<&LifecyclePolicy> for PolicyForm {
    fn from(policy: &LifecyclePolicy) -> Self {
        Self {
            rules: policy.rules.iter().map(RuleForm::from).collect(),
        }
    }
}

impl From<&LifecycleRule> for RuleForm {
    fn from(rule: &LifecycleRule) -> Self {
        Self {
            rule_priority: rule.priority,
            description: rule.description.clone(),
            selection: SelectionForm::from(rule),
            action: ActionForm::from(rule.action),
        }
    }
}

impl From<&LifecycleRule> for SelectionForm {
    fn from(rule: &LifecycleRule) -> Self {
        let (tag_status, tag_prefix_list, tag_pattern_list) = match &rule.tags {
            TagSelection::Any => (TagStatus::Any, vec![], vec![]),
            TagSelection::Untagged => (TagStatus::Untagged, vec![], vec![]),
            TagSelection::Prefixes(list) => (TagStatus::Tagged, list.clone(), vec![]),
            TagSelection::Patterns(list) => (TagStatus::Tagged, vec![], list.clone()),
        };
        let (count_type, count_unit, count_number) = match rule.count {
            Count::ImageCountMoreThan(number) => (CountType::ImageCountMoreThan, None, number),
            Count::SinceImagePushed(days) => {
                (CountType::SinceImagePushed, Some(CountUnit::Days), days)
            }
            Count::SinceImagePulled(days) => {
                (CountType::SinceImagePulled, Some(CountUnit::Days), days)
            }
            Count::SinceImageTransitioned(days) => (
                CountType::SinceImageTransitioned,
                Some(CountUnit::Days),
                days,
            ),
        };
        Self {
            tag_status,
            tag_prefix_list,
            tag_pattern_list,
            storage_class: rule.storage_class.map(StorageClassForm::from),
            count_type,
            count_unit,
            count_number,
        }
    }
}

impl From<LifecycleAction> for ActionForm {
    fn from(action: LifecycleAction) -> Self {
        match action {
            LifecycleAction::Expire => Self {
                r#type: ActionType::Expire,
                target_storage_class: None,
            },
            LifecycleAction::Transition => Self {
                r#type: ActionType::Transition,
                target_storage_class: Some(StorageClassForm::Archive),
            },
        }
    }
}

impl From<StorageClass> for StorageClassForm {
    fn from(class: StorageClass) -> Self {
        match class {
            StorageClass::Standard => Self::Standard,
            StorageClass::Archive => Self::Archive,
        }
    }
}

impl From<StorageClassForm> for StorageClass {
    fn from(form: StorageClassForm) -> Self {
        match form {
            StorageClassForm::Standard => Self::Standard,
            StorageClassForm::Archive => Self::Archive,
        }
    }
}

impl CountType {
    /// The count of this type with this number.
    pub fn of(self, number: u64) -> Count {
        match self {
            Self::ImageCountMoreThan => Count::ImageCountMoreThan(number),
            Self::SinceImagePushed => Count::SinceImagePushed(number),
            Self::SinceImagePulled => Count::SinceImagePulled(number),
            Self::SinceImageTransitioned => Count::SinceImageTransitioned(number),
        }
    }
}
