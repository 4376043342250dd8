//! What lifecycle policies would do to each image of a repository, as lines of JSON in the form of
//! docs/lifecycle.md: first everything but the images, then an image a line.

use anyhow::{Context as _, Result, bail};
use roadstead_domain::lifecycle::evaluate::{Evaluation, Outcome, Reason};
use roadstead_domain::lifecycle::explain::{Since, Why};
use roadstead_domain::lifecycle::lint::{LintCode, lint};
use roadstead_domain::lifecycle::policy::{LifecycleAction, LifecyclePolicy, StorageClass};
use roadstead_domain::time::Timestamp;
use roadstead_registry::Registry;
use roadstead_registry::error::Error;
use roadstead_registry::lifecycle::explain::Explained;
use serde_json::{Map, Value, json};
use tokio::sync::mpsc::Sender;

use super::Place;

/// Explains a policy, or two of them beside each other.
pub(super) async fn explain(
    registry: &Registry,
    place: &Place,
    at: Timestamp,
    policies: &[Option<String>],
    progress: &Sender<Value>,
) -> Result<Value> {
    let parse = |text: &Option<String>| text.as_deref().map(LifecyclePolicy::parse).transpose();
    let policies = policies.iter().map(parse).collect::<Result<_, _>>()?;
    let explained = registry.explain_lifecycle(place.key()?, policies, at).await;
    let explained = match explained {
        Err(error @ Error::LifecyclePolicyNotFound(_)) => {
            return Err(error).context("--policy FILE explains a policy that is not put yet");
        }
        explained => explained?,
    };
    let mut explained = explained.iter();
    let first = explained.next().context("no policy")?;
    let second = explained.next();
    let mut head = json!({
        "schemaVersion": 1,
        "account": place.account,
        "region": place.region,
        "repository": place.repository,
        "at": at.rfc3339(),
    });
    merge(&mut head, summary(first)?);
    if let Some(second) = second {
        head["against"] = summary(second)?;
    }
    send(progress, head).await?;
    let mut differing = 0_u64;
    for place in 0..first.evaluation.len() as u32 {
        if let Some(second) = second {
            if is_same(&first.evaluation, &second.evaluation, place) {
                continue;
            }
            differing += 1;
        }
        let mut line = image(&first.evaluation, place);
        merge(&mut line, outcome(&first.evaluation, place));
        if let Some(second) = second {
            line["against"] = outcome(&second.evaluation, place);
        }
        send(progress, line).await?;
    }
    Ok(json!({ "differing": second.map(|_| differing) }))
}

/// Whether two policies do the same to an image, by a rule of the same priority.
fn is_same(first: &Evaluation, second: &Evaluation, place: u32) -> bool {
    let done = |outcome: Outcome| (outcome.action, outcome.rule);
    done(first.outcome(place)) == done(second.outcome(place))
}

async fn send(progress: &Sender<Value>, line: Value) -> Result<()> {
    if progress.send(line).await.is_err() {
        bail!("nobody listens any more");
    }
    Ok(())
}

fn merge(value: &mut Value, other: Value) {
    if let (Value::Object(members), Value::Object(others)) = (value, other) {
        members.extend(others);
    }
}

/// The policy, what it does in numbers, and what is doubtful about it.
fn summary(explained: &Explained) -> Result<Value> {
    let evaluation = &explained.evaluation;
    let rules = evaluation.rules();
    let rules: Vec<Value> = rules
        .iter()
        .map(|rule| {
            json!({
                "rule": rule.priority,
                "matched": rule.matched,
                "owned": rule.owned,
                "acted": rule.acted,
            })
        })
        .collect();
    let policy: Value = serde_json::from_str(&explained.policy.to_text())?;
    Ok(json!({
        "policy": policy,
        "totals": totals(evaluation),
        "rules": rules,
        "warnings": warnings(explained),
    }))
}

fn totals(evaluation: &Evaluation) -> Value {
    let summary = evaluation.summary();
    let (mut following, mut orphaned) = (0_u64, 0_u64);
    for planned in evaluation.planned() {
        match evaluation.outcome(planned.place).reason {
            Reason::Cascade => following += 1,
            Reason::Orphaned => orphaned += 1,
            _ => {}
        }
    }
    let images = evaluation.len() as u64;
    let acted = summary.expiring + summary.transitioning + following + orphaned;
    json!({
        "images": images,
        "expiring": summary.expiring,
        "transitioning": summary.transitioning,
        "following": following,
        "orphaned": orphaned,
        "kept": images.saturating_sub(acted),
    })
}

fn warnings(explained: &Explained) -> Vec<Value> {
    let found = lint(&explained.policy);
    let warning = |rule: i32, code: &str, message: &str| {
        json!({
            "rule": rule,
            "code": code,
            "message": message,
        })
    };
    let mut warnings: Vec<Value> = found
        .iter()
        .map(|found| warning(found.priority, found.code.as_str(), &found.message))
        .collect();
    if explained.evaluation.is_empty() {
        return warnings;
    }
    let never_acts = |priority| {
        found.iter().any(|found| {
            let is_dead = matches!(
                found.code,
                LintCode::NeverMatches | LintCode::DeadRule | LintCode::ArchiveShadowsExpire
            );
            is_dead && found.priority == priority
        })
    };
    for rule in explained.evaluation.rules() {
        if never_acts(rule.priority) {
            continue;
        }
        if rule.matched == 0 {
            let message = "No image of this repository is selected by this rule.";
            warnings.push(warning(rule.priority, "matched-nothing", message));
        } else if rule.owned == 0 {
            let message = "Stronger rules own every image that this rule selects here.";
            warnings.push(warning(rule.priority, "owned-nothing", message));
        }
    }
    warnings
}

fn image(evaluation: &Evaluation, place: u32) -> Value {
    json!({
        "digest": evaluation.name(place),
        "tags": evaluation.tags(place).collect::<Vec<_>>(),
        "pushedAt": evaluation.pushed_at(place).rfc3339(),
        "storageClass": class(evaluation.class(place)),
    })
}

fn outcome(evaluation: &Evaluation, place: u32) -> Value {
    let outcome = evaluation.outcome(place);
    let why = evaluation.why(place);
    json!({
        "action": outcome.action.map_or("NONE", action),
        "rule": outcome.rule,
        "claimedBy": outcome.claimed_by,
        "reason": outcome.reason.as_str(),
        "why": why.to_string(),
        "details": details(&why),
    })
}

/// The numbers behind the sentence.
fn details(why: &Why<'_>) -> Map<String, Value> {
    let details = match why {
        Why::Counted { rank, of, kept, .. } => json!({ "rank": rank, "of": of, "kept": kept }),
        Why::Aged {
            since,
            clock,
            days,
            until,
            ..
        } => json!({
            "since": match since {
                Since::Pushed => "pushed",
                Since::Pulled => "pulled",
                Since::PushedNeverPulled => "pushed-never-pulled",
                Since::Restored => "restored",
                Since::Archived => "archived",
            },
            "clock": clock.map(Timestamp::rfc3339),
            "days": days,
            "until": until.map(Timestamp::rfc3339),
        }),
        Why::Held { lists, blocked } => json!({
            "lists": lists,
            "blockedRule": blocked.map(|(rule, _)| rule),
            "blockedAction": blocked.map(|(_, blocked)| action(blocked)),
        }),
        Why::Cascade { subject, .. } | Why::FollowsSubject { subject } => {
            json!({ "subject": subject })
        }
        Why::Orphaned { subject, since, .. } => {
            json!({ "subject": subject, "since": since.rfc3339() })
        }
        Why::Unmatched { .. } | Why::Activating => json!({}),
    };
    match details {
        Value::Object(details) => details,
        _ => Map::new(),
    }
}

fn action(action: LifecycleAction) -> &'static str {
    match action {
        LifecycleAction::Expire => "EXPIRE",
        LifecycleAction::Transition => "TRANSITION",
    }
}

fn class(class: StorageClass) -> &'static str {
    match class {
        StorageClass::Standard => "STANDARD",
        StorageClass::Archive => "ARCHIVE",
    }
}
