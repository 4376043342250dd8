//! The reference's pseudo-code as it stands (lifecycle.md 3.3 with decisions 18): quadratic, without
//! any idea of the engine's. It shares nothing with the engine but the values that both speak of.

use roadstead_domain::image::ImageStatus;
use roadstead_domain::lifecycle::evaluate::{Outcome, Reason};
use roadstead_domain::lifecycle::policy::{
    Count, LifecycleAction, LifecycleRule, StorageClass, TagSelection,
};
use roadstead_domain::time::Timestamp;

use crate::repository::{GRACE, Image, NOW, Repository};

/// Like the engine's, with the names of lists.
#[derive(Debug, PartialEq)]
pub struct Hindered {
    pub name: &'static str,
    pub rule: i32,
    pub action: LifecycleAction,
    pub lists: Vec<&'static str>,
}

fn glob(pattern: &[u8], text: &[u8]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((b'*', rest)) => (0..=text.len()).any(|at| glob(rest, &text[at..])),
        Some((byte, rest)) => text.first() == Some(byte) && glob(rest, &text[1..]),
    }
}

fn tag_ok(rule: &LifecycleRule, image: &Image) -> bool {
    let any_tag = |meets: &dyn Fn(&str) -> bool| image.tags.iter().any(|tag| meets(tag));
    match &rule.tags {
        TagSelection::Any => true,
        TagSelection::Untagged => image.tags.is_empty(),
        TagSelection::Prefixes(list) => {
            let met = |prefix: &String| any_tag(&|tag| tag.starts_with(prefix.as_str()));
            list.iter().all(met)
        }
        TagSelection::Patterns(list) => {
            let met = |p: &String| any_tag(&|tag| glob(p.as_bytes(), tag.as_bytes()));
            list.iter().all(met)
        }
    }
}

fn matches(rule: &LifecycleRule, image: &Image) -> bool {
    let class = match image.status {
        ImageStatus::Active => StorageClass::Standard,
        ImageStatus::Archived => StorageClass::Archive,
        ImageStatus::Activating => return false,
    };
    class == rule.storage_class.unwrap_or(StorageClass::Standard) && tag_ok(rule, image)
}

fn push_clock(image: &Image) -> Timestamp {
    image.activated_at.unwrap_or(image.pushed_at)
}

fn pull_clock(image: &Image) -> Timestamp {
    match (image.last_pulled_at, image.activated_at) {
        (Some(pulled), Some(activated)) if pulled < activated => activated,
        (Some(pulled), _) => pulled,
        (None, Some(activated)) => activated,
        (None, None) => image.pushed_at,
    }
}

fn is_younger(a: &Image, b: &Image) -> bool {
    let key = |image: &Image| (push_clock(image), image.push_seq);
    key(a) > key(b) || (key(a) == key(b) && a.name < b.name)
}

fn is_older_than(clock: Timestamp, days: u64) -> bool {
    NOW.0 - clock.0 > days as i64 * 86_400 * 1_000_000
}

fn age_hits(rule: &LifecycleRule, image: &Image) -> bool {
    match rule.count {
        Count::ImageCountMoreThan(_) => false,
        Count::SinceImagePushed(days) => is_older_than(push_clock(image), days),
        Count::SinceImagePulled(days) => is_older_than(pull_clock(image), days),
        Count::SinceImageTransitioned(days) => {
            image.archived_at.is_some_and(|at| is_older_than(at, days))
        }
    }
}

fn is_member(repository: &Repository, image: &Image) -> bool {
    repository.lists_of(image.name).next().is_some()
}

fn has_subject(repository: &Repository, image: &Image) -> bool {
    image.subject.is_some_and(|s| repository.find(s).is_some())
}

fn is_free(repository: &Repository, image: &Image) -> bool {
    image.status != ImageStatus::Activating
        && !is_member(repository, image)
        && !has_subject(repository, image)
}

fn by_priority(repository: &Repository) -> Vec<&LifecycleRule> {
    let mut rules: Vec<_> = repository.policy.rules.iter().collect();
    rules.sort_by_key(|rule| rule.priority);
    rules
}

fn hits(repository: &Repository, rule: &LifecycleRule, image: &Image) -> bool {
    match rule.count {
        Count::ImageCountMoreThan(kept) => {
            let matched = repository.images.iter();
            let matched = matched.filter(|it| is_free(repository, it) && matches(rule, it));
            let younger = matched.filter(|other| is_younger(other, image));
            younger.count() as u64 >= kept
        }
        _ => age_hits(rule, image),
    }
}

fn outcome(repository: &Repository, rules: &[&LifecycleRule], image: &Image) -> Outcome {
    let kept = |reason| Outcome {
        action: None,
        rule: None,
        claimed_by: None,
        reason,
    };
    if image.status == ImageStatus::Activating {
        return kept(Reason::NotSelectable);
    }
    if is_member(repository, image) {
        return kept(Reason::ListMember);
    }
    if has_subject(repository, image) {
        return kept(Reason::FollowsSubject);
    }
    let owner = rules.iter().find(|rule| matches(rule, image));
    let mut outcome = kept(Reason::Unmatched);
    if let Some(rule) = owner {
        outcome.claimed_by = Some(rule.priority);
        outcome.reason = match rule.count {
            Count::ImageCountMoreThan(_) => Reason::WithinCount,
            _ => Reason::NotOldEnough,
        };
        if hits(repository, rule, image) {
            outcome.action = Some(rule.action);
            outcome.rule = Some(rule.priority);
            outcome.reason = Reason::Marked;
        }
    }
    let is_orphan = image.subject.is_some() && image.orphaned_at.is_some_and(|at| at + GRACE < NOW);
    if owner.is_none() && image.tags.is_empty() && is_orphan {
        outcome.action = Some(LifecycleAction::Expire);
        outcome.reason = Reason::Orphaned;
    }
    outcome
}

/// What happens to each image.
pub fn evaluate(repository: &Repository) -> Vec<Outcome> {
    let rules = by_priority(repository);
    let images = repository.images.iter();
    let mut plan: Vec<Outcome> = images.map(|it| outcome(repository, &rules, it)).collect();
    loop {
        let next = (0..plan.len()).find_map(|at| Some((at, inherited(repository, &plan, at)?)));
        let Some((at, action)) = next else {
            return plan;
        };
        plan[at].action = Some(action);
        plan[at].reason = Reason::Cascade;
    }
}

fn inherited(repository: &Repository, plan: &[Outcome], at: usize) -> Option<LifecycleAction> {
    let image = &repository.images[at];
    let subject = repository.find(image.subject?)?;
    let action = plan[subject].action?;
    let expires = |list: &Image| {
        let list = repository.find(list.name).unwrap();
        plan[list].action == Some(LifecycleAction::Expire)
    };
    let is_there = match action {
        LifecycleAction::Expire => false,
        LifecycleAction::Transition => image.status == ImageStatus::Archived,
    };
    let may = plan[at].action.is_none() && image.status != ImageStatus::Activating && !is_there;
    (may && repository.lists_of(image.name).all(expires)).then_some(action)
}

/// Members that an age rule would have hit, by name.
pub fn hindered(repository: &Repository) -> Vec<Hindered> {
    let rules = by_priority(repository);
    let mut found = Vec::new();
    for image in &repository.images {
        if !is_member(repository, image) || has_subject(repository, image) {
            continue;
        }
        let owner = rules.iter().find(|rule| matches(rule, image));
        if let Some(rule) = owner.filter(|rule| age_hits(rule, image)) {
            let lists = repository.lists_of(image.name).map(|list| list.name);
            let mut lists: Vec<_> = lists.collect();
            lists.sort_unstable();
            found.push(Hindered {
                name: image.name,
                rule: rule.priority,
                action: rule.action,
                lists,
            });
        }
    }
    found.sort_by_key(|hindered| hindered.name);
    found
}
