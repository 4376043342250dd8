//! The rules of auth.md 6 read aloud, on the JSON itself, for the few shapes that the laws draw.
//!
//! Slow and without any of the engine's types, so that the two can disagree.

use serde_json::Value;

use crate::world::{Question, World};

/// The names by which a principal can mean a requester, from the closest to the widest.
pub struct Names {
    itself: Vec<String>,
    role: Vec<String>,
    account: Vec<String>,
}

pub fn names(who: &str) -> Names {
    let parts: Vec<&str> = who.split(':').collect();
    let strings = |texts: &[String]| texts.to_vec();
    if parts.len() < 6 {
        return Names {
            itself: strings(&[who.into()]),
            role: vec![],
            account: vec![],
        };
    }
    let account = parts[4];
    let of_account = [account.to_owned(), format!("arn:aws:iam::{account}:root")];
    let role = match parts[5].split('/').collect::<Vec<_>>()[..] {
        ["assumed-role", role, _] => vec![format!("arn:aws:iam::{account}:role/{role}")],
        _ => vec![],
    };
    if parts[5] == "root" {
        return Names {
            itself: strings(&of_account),
            role,
            account: vec![],
        };
    }
    Names {
        itself: strings(&[who.into()]),
        role,
        account: strings(&of_account),
    }
}

fn account_of(who: &str) -> Option<&str> {
    who.split(':').nth(4)
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(values) => values.iter().flat_map(texts).collect(),
        Value::Object(object) => object.values().flat_map(texts).collect(),
        Value::String(text) => vec![text.clone()],
        other => panic!("{other}"),
    }
}

fn glob(pattern: &[char], text: &[char]) -> bool {
    match (pattern, text) {
        ([], []) => true,
        (['*', rest @ ..], _) => {
            glob(rest, text) || (!text.is_empty() && glob(pattern, &text[1..]))
        }
        (['?', rest @ ..], [_, text @ ..]) => glob(rest, text),
        ([letter, rest @ ..], [next, text @ ..]) => letter == next && glob(rest, text),
        _ => false,
    }
}

fn is_like(pattern: &str, text: &str) -> bool {
    let chars = |text: &str| text.chars().collect::<Vec<_>>();
    glob(&chars(pattern), &chars(text))
}

/// The laws draw users whose names have no wildcards, so that plain replacement will do.
fn substituted(pattern: &str, version: &str, question: &Question) -> Option<String> {
    const VARIABLE: &str = "${aws:username}";
    if version != "2012-10-17" || !pattern.contains(VARIABLE) {
        return Some(pattern.to_owned());
    }
    Some(pattern.replace(VARIABLE, question.who.split_once(":user/")?.1))
}

fn covers_action(pattern: &str, action: &str) -> bool {
    is_like(&pattern.to_lowercase(), &action.to_lowercase())
}

fn covers_resource(pattern: &str, version: &str, question: &Question) -> bool {
    if pattern == "*" {
        return true;
    }
    let (wanted, found) = (pattern.splitn(6, ':'), question.resource.splitn(6, ':'));
    let variable_free = substituted(pattern, version, question).is_some();
    found.clone().count() == 6
        && variable_free
        && wanted.zip(found).all(|(part, text)| {
            // Split first: a variable has a colon of its own.
            substituted(part, version, question).is_some_and(|part| is_like(&part, text))
        })
}

fn condition_holds(name: &str, wanted: &[String], version: &str, question: &Question) -> bool {
    let found: Option<&Vec<String>> = question.values.as_ref();
    let (set, name) = name.split_once(':').unwrap_or(("", name));
    if name == "Null" {
        return wanted.contains(&found.is_none().to_string());
    }
    let base = name.trim_end_matches("IfExists");
    let is_negated = base.contains("Not");
    let one = |value: &String| {
        let fits = |pattern: &String| {
            let pattern = substituted(pattern, version, question);
            pattern.is_some_and(|pattern| match base.ends_with("Like") {
                true => is_like(&pattern, value),
                false => pattern == *value,
            })
        };
        wanted.iter().any(fits) != is_negated
    };
    match (found, set) {
        (None, "ForAllValues") => true,
        (None, "ForAnyValue") => base != name,
        (None, _) => base != name || is_negated,
        (Some(values), "ForAllValues") => values.iter().all(one),
        (Some(values), "ForAnyValue") => values.iter().any(one),
        (Some(values), _) => values.len() == 1 && one(&values[0]),
    }
}

fn is_about(statement: &Value, version: &str, question: &Question) -> bool {
    let meant = |name: &str, covers: &dyn Fn(&str) -> bool| {
        let any = |value: &Value| texts(value).iter().any(|text| covers(text));
        match (statement.get(name), statement.get(format!("Not{name}"))) {
            (Some(listed), _) => any(listed),
            (_, Some(listed)) => !any(listed),
            _ => true,
        }
    };
    let conditions = statement["Condition"].as_object().into_iter().flatten();
    meant("Action", &|text| covers_action(text, &question.action))
        && meant("Resource", &|text| covers_resource(text, version, question))
        && conditions.into_iter().all(|(operator, keys)| {
            let keys = keys.as_object().unwrap();
            keys.values()
                .all(|wanted| condition_holds(operator, &texts(wanted), version, question))
        })
}

fn lists(statement: &Value, element: &str, names: &[String]) -> bool {
    let listed = statement.get(element).map(texts).unwrap_or_default();
    names.iter().any(|name| listed.contains(name))
}

fn denies(statement: &Value, is_bounded: bool, names: &Names) -> bool {
    let everyone = ["*".to_owned()];
    let groups = [&names.itself[..], &names.role, &names.account];
    if statement.get("NotPrincipal").is_some() {
        let is_listed = groups
            .iter()
            .all(|group| group.is_empty() || lists(statement, "NotPrincipal", group));
        let is_spared = is_listed || lists(statement, "NotPrincipal", &everyone);
        return is_bounded || !is_spared;
    }
    statement.get("Principal").is_none()
        || lists(statement, "Principal", &everyone)
        || groups
            .iter()
            .any(|group| lists(statement, "Principal", group))
}

/// `Allowed`, `Explicit` or `Default`.
pub fn decide(world: &World, question: &Question) -> &'static str {
    let names = names(&question.who);
    let about = |documents: &[Value], effect: &str| -> Vec<Value> {
        let mut found = Vec::new();
        for document in documents {
            let version = document["Version"].as_str().unwrap();
            for statement in document["Statement"].as_array().unwrap() {
                if statement["Effect"] == effect && is_about(statement, version, question) {
                    found.push(statement.clone());
                }
            }
        }
        found
    };
    let is_bounded = world.boundary.is_some();
    let caps = [&world.boundary, &world.session].map(|cap| cap.clone());
    let every = [Some(world.identity.clone()), Some(world.resource.clone())];
    for documents in every.iter().chain(&caps).flatten() {
        let denials = about(documents, "Deny");
        if denials.iter().any(|it| denies(it, is_bounded, &names)) {
            return "Explicit";
        }
    }
    let [boundary, session] = caps.map(|cap| cap.is_none_or(|it| !about(&it, "Allow").is_empty()));
    let by_resource = about(&world.resource, "Allow");
    let names_it = |group: &[String]| by_resource.iter().any(|it| lists(it, "Principal", group));
    let (itself, role) = (names_it(&names.itself), names_it(&names.role));
    let (everyone, account) = (names_it(&["*".to_owned()]), names_it(&names.account));
    let is_root = question.who.ends_with(":root");
    let by_identity = is_root || !about(&world.identity, "Allow").is_empty();
    let is_allowed = match account_of(&question.who) {
        None => everyone || itself,
        Some("111111111111") => {
            let is_session = question.who.contains(":assumed-role/");
            let by_anything = by_identity || role || everyone || itself;
            (by_anything && boundary && session) || (itself && is_session) || (itself && session)
        }
        Some(_) => by_identity && boundary && session && (itself || role || everyone || account),
    };
    if is_allowed { "Allowed" } else { "Default" }
}
