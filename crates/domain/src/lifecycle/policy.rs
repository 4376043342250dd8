//! A lifecycle policy as a value: rules in the order in which they were written.
//!
//! Terms are those of the ECR user guide, "Lifecycle policy parameters".

/// A policy that passed every check of [`LifecyclePolicy::parse`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LifecyclePolicy {
    /// The rules, as written; priority decides, not this order.
    pub rules: Vec<LifecycleRule>,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LifecycleRule {
    /// `rulePriority`: unique in the policy, at least 1; the smallest number is the strongest.
    pub priority: i32,
    /// `description`.
    pub description: Option<String>,
    /// Which tags an image must have.
    pub tags: TagSelection,
    /// `storageClass`, if it was written: the class of the images that the rule selects. Absent
    /// means standard.
    pub storage_class: Option<StorageClass>,
    /// Which of the selected images are acted upon.
    pub count: Count,
    /// What is done to them.
    pub action: LifecycleAction,
}

/// `tagStatus` with its list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TagSelection {
    /// `any`.
    Any,
    /// `untagged`.
    Untagged,
    /// `tagged` with `tagPrefixList`: every entry must start some tag of the image.
    Prefixes(Vec<String>),
    /// `tagged` with `tagPatternList`: every entry must match some tag of the image; `*` stands
    /// for any run of characters, at most four times in one entry.
    Patterns(Vec<String>),
}

/// `countType` with its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// `imageCountMoreThan`: all but the youngest so many.
    ImageCountMoreThan(u64),
    /// `sinceImagePushed`: more days ago than this.
    SinceImagePushed(u64),
    /// `sinceImagePulled`: more days ago than this.
    SinceImagePulled(u64),
    /// `sinceImageTransitioned`: archived more days ago than this.
    SinceImageTransitioned(u64),
}

/// A storage class of images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StorageClass {
    /// `standard`: images that can be pulled.
    Standard,
    /// `archive`: images that wait in the archive.
    Archive,
}

/// `action.type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LifecycleAction {
    /// Delete the image with all its tags.
    Expire,
    /// Move the image to the archive (`targetStorageClass` knows no other place).
    Transition,
}

impl LifecycleRule {
    /// The class of the images that the rule sees.
    pub fn selects(&self) -> StorageClass {
        self.storage_class.unwrap_or(StorageClass::Standard)
    }
}
