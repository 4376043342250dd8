//! Lifecycle policies a second time, as plainly as the user guide puts them: which images a run of
//! each of these policies deletes. Nothing here is taken from the engine.

use roadstead_domain::time::{Span, Timestamp};
use serde_json::{Value, json};

use super::reference::{Image, Repository};

/// How long after its subject a referrer that no rule owns goes.
const ORPHAN_GRACE: Span = Span::hours(24);

/// Which images a rule is about.
#[derive(Debug, Clone, Copy)]
enum Tags {
    Any,
    Untagged,
    Prefix(&'static str),
}

/// When it deletes one.
#[derive(Debug, Clone, Copy)]
enum When {
    MoreThan(usize),
    Days(i64),
}

type Rule = (Tags, When);

/// The policies, each by priority.
const POLICIES: [&[Rule]; 4] = [
    &[(Tags::Untagged, When::Days(1))],
    &[
        (Tags::Prefix("dev-"), When::MoreThan(1)),
        (Tags::Any, When::MoreThan(4)),
    ],
    &[(Tags::Any, When::MoreThan(3))],
    &[
        (Tags::Prefix("t"), When::Days(1)),
        (Tags::Untagged, When::MoreThan(2)),
    ],
];

/// A policy as the API takes it.
pub fn text(policy: usize) -> String {
    let rule = |(n, (tags, when)): (usize, &Rule)| {
        let mut selection = match tags {
            Tags::Any => json!({ "tagStatus": "any" }),
            Tags::Untagged => json!({ "tagStatus": "untagged" }),
            Tags::Prefix(prefix) => json!({ "tagStatus": "tagged", "tagPrefixList": [prefix] }),
        };
        match when {
            When::MoreThan(count) => {
                selection["countType"] = "imageCountMoreThan".into();
                selection["countNumber"] = (*count).into();
            }
            When::Days(days) => {
                selection["countType"] = "sinceImagePushed".into();
                selection["countUnit"] = "days".into();
                selection["countNumber"] = (*days).into();
            }
        }
        json!({ "rulePriority": n + 1, "selection": selection, "action": { "type": "expire" } })
    };
    let rules: Vec<Value> = POLICIES[policy].iter().enumerate().map(rule).collect();
    json!({ "rules": rules }).to_string()
}

fn matches(repository: &Repository, tags: Tags, digest: &str) -> bool {
    let own = repository.tags_of(digest);
    match tags {
        Tags::Any => true,
        Tags::Untagged => own.is_empty(),
        Tags::Prefix(prefix) => own.iter().any(|tag| tag.starts_with(prefix)),
    }
}

/// Neither a member of an index nor with its subject.
fn is_free(repository: &Repository, image: &Image) -> bool {
    let subject = image.thing.subject.as_ref();
    !repository.is_listed(&image.thing.digest)
        && !subject.is_some_and(|subject| repository.images.contains_key(subject))
}

/// Restored later counts as pushed later.
fn age(image: &Image) -> (Timestamp, u64) {
    (image.activated_at.unwrap_or(image.pushed_at), image.number)
}

fn hits(repository: &Repository, (tags, when): Rule, image: &Image, now: Timestamp) -> bool {
    match when {
        When::Days(days) => now - Span::hours(24 * days) > age(image).0,
        When::MoreThan(kept) => {
            let all = repository.images.values();
            let competing = all.filter(|other| {
                is_free(repository, other) && matches(repository, tags, &other.thing.digest)
            });
            competing.filter(|other| age(other) > age(image)).count() >= kept
        }
    }
}

fn is_due(repository: &Repository, policy: usize, image: &Image, now: Timestamp) -> bool {
    if !is_free(repository, image) {
        return false;
    }
    let digest = &image.thing.digest;
    let mut rules = POLICIES[policy].iter();
    match rules.find(|rule| matches(repository, rule.0, digest)) {
        Some(owner) => hits(repository, *owner, image, now),
        None => {
            let is_over = |at: Timestamp| at + ORPHAN_GRACE < now;
            repository.tags_of(digest).is_empty() && image.orphaned_at.is_some_and(is_over)
        }
    }
}

/// The images that a run deletes, subjects before what refers to them.
pub fn doomed(repository: &Repository, policy: usize, now: Timestamp) -> Vec<String> {
    let images = || repository.images.values();
    let due = images().filter(|image| is_due(repository, policy, image, now));
    let mut doomed: Vec<String> = due.map(|image| image.thing.digest.clone()).collect();
    loop {
        let follows = images().find(|image| {
            let digest = &image.thing.digest;
            let subject = image.thing.subject.as_ref();
            !doomed.contains(digest)
                && subject.is_some_and(|subject| doomed.contains(subject))
                && repository
                    .lists_of(digest)
                    .all(|list| doomed.contains(list))
        });
        match follows {
            Some(image) => doomed.push(image.thing.digest.clone()),
            None => return doomed,
        }
    }
}
