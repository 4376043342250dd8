//! Test cases of lifecycle policies as files: the schema of lifecycle.md 0, run by this engine.
//!
//! Used by `roadstead lifecycle test` and by our own tests. A case says what it expects of each image
//! or of a text; whatever it does not say is run and not compared. Where it carries expectations for
//! list members that take no slots (`expectExcluded`), those bind. One case never stops the others.

mod fields;

use serde::Serialize;
use serde_json::{Map, Value, json};

use self::fields::{Fields, instant};
use super::evaluate::{Outcome, Summary};
use super::images::{ImageFacts, Images};
use super::parse::{Layer, PolicyRefusal};
use super::policy::{LifecycleAction, LifecyclePolicy};
use crate::image::ImageStatus;
use crate::time::{Span, Timestamp};

/// How long an image waits for its lost subject in test cases: ours.
const ORPHAN_GRACE: Span = Span::hours(24);

/// A file of cases.
#[derive(Debug, Clone)]
pub struct CaseFile {
    /// The instant of cases that name none.
    pub now: Option<Timestamp>,
    /// The cases, as written.
    pub cases: Vec<Case>,
    /// Its other members, as written.
    pub rest: Map<String, Value>,
}

/// One case.
#[derive(Debug, Clone)]
pub struct Case {
    /// Its `id`; `#1` and so on for a case without.
    pub id: String,
    /// Every member, as written.
    pub members: Map<String, Value>,
}

/// What cannot be read, and where: `case D01: images[2].pushedAt: …`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {problem}")]
pub struct CaseError {
    /// The case and the path of the field in it.
    pub at: String,
    /// What is wrong with it.
    pub problem: String,
}

/// What came of a case: serialises to the schema of cases, with what was found as what is expected.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CaseOutcome {
    /// The `id` of the case.
    pub id: String,
    /// `evaluate` or `validate`.
    pub kind: &'static str,
    /// By image: action, rule, claimedBy, reason. Or, of a text: valid, code, httpStatus, layer,
    /// lines.
    pub expect: Map<String, Value>,
    /// What the preview would count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<Map<String, Value>>,
    /// Where that differs from what the case expects.
    #[serde(skip)]
    pub differences: Vec<Difference>,
}

/// A difference between what a case expects and what was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// The image; none if it is about the summary or the text.
    pub image: Option<String>,
    /// The member of the expectation.
    pub field: String,
    /// What the case expects.
    pub expected: Value,
    /// What was found; none if there is no such image or member.
    pub found: Option<Value>,
}

impl CaseFile {
    /// Reads a file. Only its frame is looked at; what is wrong with a case shows when it runs.
    pub fn parse(text: &str) -> Result<Self, CaseError> {
        let refuse = |problem: String| CaseError {
            at: "file".into(),
            problem,
        };
        let mut rest: Map<String, Value> =
            serde_json::from_str(text).map_err(|error| refuse(error.to_string()))?;
        let now = match rest.remove("now") {
            None | Some(Value::Null) => None,
            Some(now) => Some(instant(&now).map_err(|problem| refuse(format!("now: {problem}")))?),
        };
        let Some(Value::Array(cases)) = rest.remove("cases") else {
            return Err(refuse("cases: a list is missing".into()));
        };
        let case = |(at, case): (usize, Value)| {
            let Value::Object(members) = case else {
                return Err(refuse(format!("cases[{at}]: not an object")));
            };
            let id = members.get("id").and_then(Value::as_str);
            let id = id.map_or_else(|| format!("#{}", at + 1), str::to_owned);
            Ok(Case { id, members })
        };
        let cases = cases.into_iter().enumerate().map(case);
        Ok(Self {
            now,
            cases: cases.collect::<Result<_, _>>()?,
            rest,
        })
    }

    /// Runs each case.
    pub fn run(&self) -> impl Iterator<Item = Result<CaseOutcome, CaseError>> {
        self.cases.iter().map(|case| case.run(self.now))
    }
}

impl CaseOutcome {
    /// Whether everything is as the case expects.
    pub fn passed(&self) -> bool {
        self.differences.is_empty()
    }
}

impl Case {
    /// Runs the case: at `now` if it names no instant itself.
    pub fn run(&self, now: Option<Timestamp>) -> Result<CaseOutcome, CaseError> {
        let fields = Fields::new(format!("case {}", self.id), &self.members);
        match fields.required("kind")?.as_str() {
            Some("evaluate") => self.evaluate(&fields, now),
            Some("validate") => self.validate(&fields),
            _ => Err(fields.refuse("kind", "neither evaluate nor validate")),
        }
    }

    fn evaluate(
        &self,
        fields: &Fields<'_>,
        now: Option<Timestamp>,
    ) -> Result<CaseOutcome, CaseError> {
        let now = fields.instant("now")?.or(now);
        let now =
            now.ok_or_else(|| fields.refuse("now", "neither the case nor its file has one"))?;
        let evaluation = images(fields)?.evaluate(now, ORPHAN_GRACE);
        let places = 0..evaluation.len() as u32;
        let found = places.map(|place| {
            let outcome = outcome_members(&evaluation.outcome(place));
            (evaluation.name(place).to_owned(), Value::Object(outcome))
        });
        let found: Map<String, Value> = found.collect();
        let summary = summary_members(evaluation.summary());
        let mut differences = Vec::new();
        let expected = fields.first_object(&["expectExcluded", "expect"])?;
        for (image, expected) in expected.into_iter().flatten() {
            let Value::Object(expected) = expected else {
                let at = format!("expect.{image}");
                return Err(fields.refuse(&at, "not an object"));
            };
            let found = found.get(image).and_then(Value::as_object);
            compare(Some(image), expected, found, &mut differences);
        }
        if let Some(expected) = fields.first_object(&["summaryExcluded", "summary"])? {
            compare(None, expected, Some(&summary), &mut differences);
        }
        Ok(CaseOutcome {
            id: self.id.clone(),
            kind: "evaluate",
            expect: found,
            summary: Some(summary),
            differences,
        })
    }

    fn validate(&self, fields: &Fields<'_>) -> Result<CaseOutcome, CaseError> {
        let text = fields.required("policyText")?;
        let text = text
            .as_str()
            .ok_or_else(|| fields.refuse("policyText", "not a string"))?;
        let found = verdict_members(LifecyclePolicy::parse(text).as_ref());
        let mut differences = Vec::new();
        if let Some(expected) = fields.first_object(&["expect"])? {
            let mut expected = expected.clone();
            expected.remove("textKnown");
            if has_placeholder(&expected) {
                expected.retain(|field, _| field == "valid");
            }
            sort_lines(&mut expected);
            let mut found = found.clone();
            sort_lines(&mut found);
            compare(None, &expected, Some(&found), &mut differences);
        }
        Ok(CaseOutcome {
            id: self.id.clone(),
            kind: "validate",
            expect: found,
            summary: None,
            differences,
        })
    }
}

/// Reads policy and images.
fn images(fields: &Fields<'_>) -> Result<Images, CaseError> {
    let policy = fields.required("policy")?.to_string();
    let policy = LifecyclePolicy::parse_unpadded(&policy)
        .map_err(|refusal| fields.refuse("policy", &refusal.to_string()))?;
    let mut images = Images::new(&policy);
    for image in fields.objects("images")? {
        let name = image.text("digest")?;
        let name = name.ok_or_else(|| image.refuse("digest", "missing"))?;
        if images.find(name).is_some() {
            return Err(image.refuse("digest", "another image has it"));
        }
        let pushed_at = image.instant("pushedAt")?;
        let status = match image.text("status")? {
            None | Some("ACTIVE") => ImageStatus::Active,
            Some("ARCHIVED") => ImageStatus::Archived,
            Some("ACTIVATING") => ImageStatus::Activating,
            Some(_) => {
                return Err(image.refuse("status", "none of ACTIVE, ARCHIVED, ACTIVATING"));
            }
        };
        let place = images.push(&ImageFacts {
            name,
            tags: &image.texts("tags")?,
            status,
            pushed_at: pushed_at.ok_or_else(|| image.refuse("pushedAt", "missing"))?,
            push_seq: 0,
            last_pulled_at: image.instant("lastPulledAt")?,
            archived_at: image.instant("lastArchivedAt")?,
            activated_at: image.instant("lastActivatedAt")?,
            orphaned_at: image.instant("orphanedAt")?,
            subject: image.text("subject")?,
        });
        for child in image.texts("children")? {
            images.list_member(place, child);
        }
    }
    Ok(images)
}

fn compare(
    image: Option<&String>,
    expected: &Map<String, Value>,
    found: Option<&Map<String, Value>>,
    differences: &mut Vec<Difference>,
) {
    for (field, expected) in expected {
        let found = found.and_then(|found| found.get(field));
        if found != Some(expected) {
            differences.push(Difference {
                image: image.cloned(),
                field: field.clone(),
                expected: expected.clone(),
                found: found.cloned(),
            });
        }
    }
}

fn outcome_members(outcome: &Outcome) -> Map<String, Value> {
    let action = match outcome.action {
        None => "NONE",
        Some(LifecycleAction::Expire) => "EXPIRE",
        Some(LifecycleAction::Transition) => "TRANSITION",
    };
    members([
        ("action", json!(action)),
        ("rule", json!(outcome.rule)),
        ("claimedBy", json!(outcome.claimed_by)),
        ("reason", json!(outcome.reason.as_str())),
    ])
}

fn summary_members(summary: Summary) -> Map<String, Value> {
    members([
        ("expiring", json!(summary.expiring)),
        ("transitioning", json!(summary.transitioning)),
    ])
}

fn verdict_members(verdict: Result<&LifecyclePolicy, &PolicyRefusal>) -> Map<String, Value> {
    let Err(refusal) = verdict else {
        return members([("valid", json!(true))]);
    };
    let layer = match refusal.layer {
        Layer::Length => "length",
        Layer::Parse => "parse",
        Layer::Schema => "schema",
        Layer::Semantic => "semantic",
    };
    members([
        ("valid", json!(false)),
        ("code", json!("InvalidParameterException")),
        ("httpStatus", json!(400)),
        ("layer", json!(layer)),
        ("lines", json!(refusal.lines)),
    ])
}

fn members<const N: usize>(members: [(&str, Value); N]) -> Map<String, Value> {
    members
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// A line that starts with `@` stands for words that nobody has reported.
fn has_placeholder(expected: &Map<String, Value>) -> bool {
    let lines = expected.get("lines").and_then(Value::as_array);
    lines
        .into_iter()
        .flatten()
        .any(|line| line.as_str().is_some_and(|line| line.starts_with('@')))
}

/// Their order is free.
fn sort_lines(members: &mut Map<String, Value>) {
    if let Some(Value::Array(lines)) = members.get_mut("lines") {
        lines.sort_by_key(Value::to_string);
    }
}
