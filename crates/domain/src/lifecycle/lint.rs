//! Warnings about policies that are legal and still do not do what their author meant.
//!
//! Every warning holds for every repository: images are not looked at. What depends on them, such as
//! a rule that matched nothing, is told by the evaluation. A warning never refuses a policy.

use super::policy::{
    Count, LifecycleAction, LifecyclePolicy, LifecycleRule, StorageClass, TagSelection,
};
use super::tag_set::{TagSet, entries};

/// Lists with more entries are not compared, so that no policy is costly to warn about.
const COMPARED_MAX: usize = 32;

/// What a warning is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LintCode {
    /// `never-matches`: no tag that can exist meets some entry.
    NeverMatches,
    /// `dead-rule`: stronger rules own every image of this one.
    DeadRule,
    /// `archive-shadows-expire`: a dead rule that should delete what a stronger one archives.
    ArchiveShadowsExpire,
    /// `and-list`: entries that look like alternatives, while an image needs all of them.
    AndList,
    /// `redundant-entry`: an entry that another one of the list implies.
    RedundantEntry,
    /// `any-counts-untagged`: untagged images are counted along with the tagged ones.
    AnyCountsUntagged,
    /// `count-per-rule`: one image is kept in all, not one for each tag.
    CountPerRule,
    /// `no-minimum-kept`: age alone decides, the last image goes too.
    NoMinimumKept,
    /// `expires-every-tag`: an expired image loses the tags that the rule does not name as well.
    ExpiresEveryTag,
    /// `untagged-list-members`: untagged members of image lists stay longer than the rule says.
    UntaggedListMembers,
}

impl LintCode {
    /// The stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NeverMatches => "never-matches",
            Self::DeadRule => "dead-rule",
            Self::ArchiveShadowsExpire => "archive-shadows-expire",
            Self::AndList => "and-list",
            Self::RedundantEntry => "redundant-entry",
            Self::AnyCountsUntagged => "any-counts-untagged",
            Self::CountPerRule => "count-per-rule",
            Self::NoMinimumKept => "no-minimum-kept",
            Self::ExpiresEveryTag => "expires-every-tag",
            Self::UntaggedListMembers => "untagged-list-members",
        }
    }
}

/// One warning about one rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LintWarning {
    /// `rulePriority` of the rule.
    pub priority: i32,
    /// What it is about.
    pub code: LintCode,
    /// It in words, for people.
    pub message: String,
}

/// A rule with its tag list taken apart.
struct Selector<'a> {
    rule: &'a LifecycleRule,
    entries: Vec<TagSet>,
}

type Finding = (LintCode, String);

/// Every warning about a policy, the strongest rule first. A rule that can never act has one only.
pub fn lint(policy: &LifecyclePolicy) -> Vec<LintWarning> {
    let mut selectors: Vec<Selector<'_>> = policy
        .rules
        .iter()
        .map(|rule| Selector {
            rule,
            entries: entries(&rule.tags),
        })
        .collect();
    selectors.sort_by_key(|selector| selector.rule.priority);
    let fatal: Vec<Option<Finding>> = (0..selectors.len())
        .map(|index| never_acts(&selectors[..index], &selectors[index]))
        .collect();
    let alive: Vec<&LifecycleRule> = std::iter::zip(&selectors, &fatal)
        .filter(|(_, fatal)| fatal.is_none())
        .map(|(selector, _)| selector.rule)
        .collect();
    let mut warnings = Vec::new();
    for (selector, fatal) in std::iter::zip(&selectors, fatal) {
        let findings = match fatal {
            Some(finding) => vec![finding],
            None => questions(selector, &alive),
        };
        warnings.extend(findings.into_iter().map(|(code, message)| LintWarning {
            priority: selector.rule.priority,
            code,
            message,
        }));
    }
    warnings
}

fn never_acts(stronger: &[Selector<'_>], selector: &Selector<'_>) -> Option<Finding> {
    let of_class: Vec<&Selector<'_>> = stronger
        .iter()
        .filter(|other| other.rule.selects() == selector.rule.selects())
        .collect();
    never_matches(selector).or_else(|| dead(selector, &of_class))
}

/// What is doubtful about a rule that can act. `alive`: every such rule.
fn questions(selector: &Selector<'_>, alive: &[&LifecycleRule]) -> Vec<Finding> {
    [
        and_list(selector),
        redundant_entry(selector),
        any_counts_untagged(selector.rule),
        count_per_rule(selector),
        no_minimum_kept(selector.rule),
        expires_every_tag(selector),
        untagged_list_members(selector.rule, alive),
    ]
    .into_iter()
    .flatten()
    .collect()
}

impl Selector<'_> {
    /// The entries as they were written.
    fn written(&self) -> &[String] {
        match &self.rule.tags {
            TagSelection::Any | TagSelection::Untagged => &[],
            TagSelection::Prefixes(list) | TagSelection::Patterns(list) => list,
        }
    }

    fn is_every_tagged_image(&self) -> bool {
        !self.entries.is_empty() && self.entries.iter().all(TagSet::is_everything)
    }

    /// Whether it surely selects every image that `other` selects: each of its entries is met by
    /// whatever meets some entry of `other`.
    fn covers(&self, other: &Self) -> bool {
        match (&self.rule.tags, &other.rule.tags) {
            (TagSelection::Any, _) | (TagSelection::Untagged, TagSelection::Untagged) => true,
            (TagSelection::Untagged, _) | (_, TagSelection::Any | TagSelection::Untagged) => false,
            _ => {
                self.entries.len() <= COMPARED_MAX
                    && other.entries.len() <= COMPARED_MAX
                    && self
                        .entries
                        .iter()
                        .all(|wide| other.entries.iter().any(|narrow| wide.contains(narrow)))
            }
        }
    }
}

fn never_matches(selector: &Selector<'_>) -> Option<Finding> {
    let index = selector.entries.iter().position(|set| !set.is_possible())?;
    let is_starred_prefix = matches!(selector.rule.tags, TagSelection::Prefixes(_))
        && selector.written().get(index)?.contains('*');
    let why = if is_starred_prefix {
        "in tagPrefixList the character * stands for itself, and tags cannot hold it"
    } else {
        "tags are 1 to 300 letters, digits, and the characters - _ ."
    };
    Some((
        LintCode::NeverMatches,
        format!(
            "No tag can meet entry {} of the tag list: {why}. The rule never acts.",
            index + 1
        ),
    ))
}

/// `stronger`: the stronger rules of the same storage class.
fn dead(selector: &Selector<'_>, stronger: &[&Selector<'_>]) -> Option<Finding> {
    if let Some(owner) = stronger.iter().find(|owner| owner.covers(selector)) {
        let (rule, owner) = (selector.rule, owner.rule);
        if owner.action == LifecycleAction::Transition && rule.action == LifecycleAction::Expire {
            return Some((
                LintCode::ArchiveShadowsExpire,
                format!(
                    "Rule {} archives what this rule should delete: it owns every image that this \
                     rule selects, so this rule never acts. Delete from the archive with \
                     sinceImageTransitioned and storageClass archive.",
                    owner.priority
                ),
            ));
        }
        return Some((
            LintCode::DeadRule,
            format!(
                "Rule {} owns every image that this rule selects, even the images that it keeps, \
                 so this rule never acts.",
                owner.priority
            ),
        ));
    }
    if selector.rule.tags != TagSelection::Any {
        return None;
    }
    let untagged = stronger
        .iter()
        .find(|owner| owner.rule.tags == TagSelection::Untagged)?;
    let tagged = stronger
        .iter()
        .find(|owner| owner.is_every_tagged_image())?;
    Some((
        LintCode::DeadRule,
        format!(
            "Rule {} owns every untagged image and rule {} every tagged one, even the images that \
             they keep, so this rule never acts.",
            untagged.rule.priority, tagged.rule.priority
        ),
    ))
}

/// The first two entries, as written, for which `is_pair` holds.
fn pair<'a>(
    selector: &'a Selector<'_>,
    is_pair: impl Fn(&TagSet, &TagSet) -> bool,
) -> Option<(&'a str, &'a str)> {
    let entries = &selector.entries;
    if entries.len() > COMPARED_MAX {
        return None;
    }
    for (i, first) in entries.iter().enumerate() {
        for (j, second) in entries.iter().enumerate() {
            if i != j && is_pair(first, second) {
                let written = selector.written();
                return Some((written.get(i)?, written.get(j)?));
            }
        }
    }
    None
}

fn and_list(selector: &Selector<'_>) -> Option<Finding> {
    let (first, second) = pair(selector, |first, second| !first.meets(second))?;
    Some((
        LintCode::AndList,
        format!(
            "An image needs a tag for every entry of the list, and no tag meets both \"{first}\" \
             and \"{second}\": only images with several tags are selected. Alternatives need a rule \
             each."
        ),
    ))
}

fn redundant_entry(selector: &Selector<'_>) -> Option<Finding> {
    let (wide, narrow) = pair(selector, TagSet::contains)?;
    Some((
        LintCode::RedundantEntry,
        format!(
            "An image needs a tag for every entry of the list, and a tag for \"{narrow}\" is one for \
             \"{wide}\" as well: \"{wide}\" selects no image more."
        ),
    ))
}

fn any_counts_untagged(rule: &LifecycleRule) -> Option<Finding> {
    let Count::ImageCountMoreThan(number) = rule.count else {
        return None;
    };
    (rule.tags == TagSelection::Any).then(|| {
        (
            LintCode::AnyCountsUntagged,
            format!(
                "Untagged images count towards the {number} that stay, even when a stronger rule \
                 owns them; only members of image lists and reference artifacts do not."
            ),
        )
    })
}

fn count_per_rule(selector: &Selector<'_>) -> Option<Finding> {
    let may_be_several = selector.entries.iter().any(|set| !set.is_one_tag());
    (may_be_several && selector.rule.count == Count::ImageCountMoreThan(1)).then(|| {
        (
            LintCode::CountPerRule,
            "The rule counts images over all matching tags together: one is left in all, not one \
             for each tag."
                .into(),
        )
    })
}

fn no_minimum_kept(rule: &LifecycleRule) -> Option<Finding> {
    let Count::SinceImagePushed(days) = rule.count else {
        return None;
    };
    let empties = rule.action == LifecycleAction::Expire && rule.tags != TagSelection::Untagged;
    empties.then(|| {
        (
            LintCode::NoMinimumKept,
            format!(
                "Age alone decides: an image that falls to this rule expires after {days} days even \
                 if it is the last one. Without new pushes the rule keeps none."
            ),
        )
    })
}

fn expires_every_tag(selector: &Selector<'_>) -> Option<Finding> {
    let spares_tags = !selector.entries.is_empty() && !selector.is_every_tagged_image();
    (spares_tags && selector.rule.action == LifecycleAction::Expire).then(|| {
        (
            LintCode::ExpiresEveryTag,
            "An image expires with all its tags, also with those that this rule does not name."
                .into(),
        )
    })
}

/// Lists are mostly tagged and their members mostly not.
fn untagged_list_members(rule: &LifecycleRule, alive: &[&LifecycleRule]) -> Option<Finding> {
    let (TagSelection::Untagged, Count::SinceImagePushed(days), LifecycleAction::Expire) =
        (&rule.tags, rule.count, rule.action)
    else {
        return None;
    };
    let keeper = alive
        .iter()
        .filter(|other| {
            other.selects() == StorageClass::Standard && other.tags != TagSelection::Untagged
        })
        .find(|other| match other.count {
            Count::ImageCountMoreThan(_) => true,
            Count::SinceImagePushed(others) => others > days,
            Count::SinceImagePulled(_) | Count::SinceImageTransitioned(_) => false,
        })?;
    Some((
        LintCode::UntaggedListMembers,
        format!(
            "Rule {} can keep an image list for longer than {days} days, and untagged members of a \
             list are not deleted before the list.",
            keeper.priority
        ),
    ))
}
