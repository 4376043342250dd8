//! `PolicyExecutionEvent`: what a run did, in the form of CloudTrail (lifecycle.md 6; user guide,
//! "Logging Amazon ECR actions with AWS CloudTrail").

use roadstead_domain::arn::RepositoryArn;
use roadstead_domain::ids::{Region, uuid_text};
use roadstead_domain::lifecycle::policy::{
    Count, LifecycleAction, LifecyclePolicy, LifecycleRule, TagSelection,
};
use roadstead_domain::time::Timestamp;
use roadstead_store::metadata::{NewEvent, Repository};
use serde_json::{Value, json};

use super::runs::{RunEntry, RunOutcome};
use crate::Registry;

/// One event tells of fewer than ten images; ten or more are split.
const IMAGES_PER_EVENT: usize = 9;
/// Tags told of one image at most.
const TAGS_PER_IMAGE: usize = 100;

/// What all events of a run have in common.
#[derive(Debug, Clone)]
pub(super) struct RunFacts {
    pub(super) repository: Repository,
    pub(super) policy: LifecyclePolicy,
    pub(super) policy_id: String,
    /// When the run before ended.
    pub(super) evaluated_before: Option<Timestamp>,
}

/// Tells the audit log, if there is one, what a run did.
pub(super) struct Teller {
    facts: RunFacts,
    destination: Option<String>,
    seed: u128,
}

impl Registry {
    /// The writer of the events of one transaction of a run.
    pub(super) fn teller(&self, facts: &RunFacts) -> Teller {
        Teller {
            facts: facts.clone(),
            destination: self.rules.audit_destination.clone(),
            seed: self.ids.bits(),
        }
    }
}

impl Teller {
    /// The events that tell of these entries; none if nothing became of them.
    pub(super) fn events(&self, entries: &[RunEntry], now: Timestamp) -> Vec<NewEvent> {
        let told: Vec<&RunEntry> = entries.iter().filter(|entry| is_told(entry)).collect();
        let chunks = told.chunks(IMAGES_PER_EVENT).collect();
        self.tell(chunks, now)
    }

    /// The event of a run that did nothing.
    pub(super) fn nothing(&self, now: Timestamp) -> Vec<NewEvent> {
        self.tell(vec![&[]], now)
    }

    fn tell(&self, chunks: Vec<&[&RunEntry]>, now: Timestamp) -> Vec<NewEvent> {
        let Some(destination) = &self.destination else {
            return Vec::new();
        };
        let event = |(at, chunk): (u128, &[&RunEntry])| {
            let id = uuid_text(self.seed.wrapping_add(at));
            NewEvent {
                destination: destination.clone(),
                repository: self.facts.repository.id,
                payload: event(&self.facts, chunk, now, &id).to_string(),
            }
        };
        (0..).zip(chunks).map(event).collect()
    }
}

/// An image that something came between is nobody's news.
fn is_told(entry: &RunEntry) -> bool {
    match entry.outcome {
        RunOutcome::Done | RunOutcome::ReferencedByManifestList { .. } => true,
        RunOutcome::Changed => false,
    }
}

fn event(facts: &RunFacts, entries: &[&RunEntry], now: Timestamp, id: &str) -> Value {
    let key = &facts.repository.key;
    let account = key.account.as_str();
    let region = key.region.clone();
    let arn = region.clone().map(|region: Region| {
        let (account, name) = (key.account.clone(), key.name.clone());
        RepositoryArn {
            region,
            account,
            name,
        }
        .to_string()
    });
    json!({
        "eventVersion": "1.08",
        "userIdentity": { "accountId": account, "invokedBy": "AWS Internal" },
        "eventTime": now.rfc3339(),
        "eventSource": "ecr.amazonaws.com",
        "eventName": "PolicyExecutionEvent",
        "awsRegion": region.as_ref().map_or("", |region| region.as_str()),
        "sourceIPAddress": "AWS Internal",
        "userAgent": "AWS Internal",
        "requestParameters": null,
        "responseElements": null,
        "eventID": id,
        "readOnly": true,
        "resources": [{
            "ARN": arn,
            "accountId": account,
            "type": "AWS::ECR::Repository",
        }],
        "eventType": "AwsServiceEvent",
        "managementEvent": true,
        "recipientAccountId": account,
        "serviceEventDetails": details(facts, entries),
        "eventCategory": "Management",
    })
}

fn details(facts: &RunFacts, entries: &[&RunEntry]) -> Value {
    let (mut actions, mut failures) = (Vec::new(), Vec::new());
    for entry in entries {
        match &entry.outcome {
            RunOutcome::Done => actions.push(json!({
                "lifecycleEventImage": image(entry),
                "rulePriority": entry.rule,
            })),
            RunOutcome::ReferencedByManifestList { lists } => failures.push(json!({
                "lifecycleEventImage": image(entry),
                "rulePriority": entry.rule,
                "failureCode": "ImageReferencedByManifestList",
                "failureReason":
                    format!("Requested image referenced by manifest list: [{}]", lists.join(", ")),
            })),
            RunOutcome::Changed => {}
        }
    }
    let rules: Vec<Value> = facts.policy.rules.iter().map(rule).collect();
    json!({
        "repositoryName": facts.repository.key.name.as_str(),
        "lifecycleEventPolicy": {
            "lifecycleEventRules": rules,
            "lastEvaluatedAt": facts.evaluated_before.map_or(0, milliseconds),
            "policyVersion": 1,
            "policyId": facts.policy_id,
        },
        "lifecycleEventImageActions": actions,
        "lifecycleEventFailureDetails": failures,
    })
}

fn rule(rule: &LifecycleRule) -> Value {
    let none: &[String] = &[];
    let (tag_status, prefixes, patterns) = match &rule.tags {
        TagSelection::Any => ("Any", none, none),
        TagSelection::Untagged => ("Untagged", none, none),
        TagSelection::Prefixes(list) => ("Tagged", list.as_slice(), none),
        TagSelection::Patterns(list) => ("Tagged", none, list.as_slice()),
    };
    // The words of the two younger count types are not known; these follow the pattern.
    let (count_type, number, is_days) = match rule.count {
        Count::ImageCountMoreThan(number) => ("Image count more than", number, false),
        Count::SinceImagePushed(days) => ("Time since image pushed", days, true),
        Count::SinceImagePulled(days) => ("Time since image pulled", days, true),
        Count::SinceImageTransitioned(days) => ("Time since image transitioned", days, true),
    };
    let mut selection = json!({
        "tagStatus": tag_status,
        "tagPrefixList": prefixes,
        "tagPatternList": patterns,
        "countType": count_type,
        "countNumber": number,
    });
    if is_days {
        selection["countUnit"] = "Days".into();
    }
    json!({
        "rulePriority": rule.priority,
        "description": rule.description.as_deref().unwrap_or_default(),
        "lifecycleEventSelection": selection,
        "action": match rule.action {
            LifecycleAction::Expire => "expire",
            LifecycleAction::Transition => "transition",
        },
    })
}

fn image(entry: &RunEntry) -> Value {
    let tags: Vec<&String> = entry.tags.iter().take(TAGS_PER_IMAGE).collect();
    json!({
        "digest": entry.digest,
        "tagStatus": if entry.tags.is_empty() { "Untagged" } else { "Tagged" },
        "tagList": tags,
        "pushedAt": milliseconds(Timestamp(entry.pushed_at)),
    })
}

fn milliseconds(at: Timestamp) -> i64 {
    at.0.div_euclid(1_000)
}
