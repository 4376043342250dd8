//! The user's AWS credentials, found as the AWS CLI finds them: variables, then the profile in the
//! shared files. A key of the registry in the user's file comes before both.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use zeroize::Zeroizing;

use super::place::{Place, below_home};

/// Who signs in, and for which region.
pub(super) struct Credentials {
    pub(super) access_key_id: String,
    pub(super) secret_access_key: Zeroizing<String>,
    pub(super) session_token: Option<Zeroizing<String>>,
    pub(super) region: String,
}

type Profile = BTreeMap<String, String>;

/// A variable that is set to something.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The credentials to sign in to a registry with.
pub(super) fn credentials(place: &Place) -> Result<Credentials> {
    let mut found = find(place)?;
    if place.is_public {
        // ecr-public is signed for there, whatever the user's own region is.
        found.region = place.user.region.clone().unwrap_or("us-east-1".into());
    } else if let Some(region) = place.region.clone().or(place.user.region.clone()) {
        found.region = region;
    }
    Ok(found)
}

fn find(place: &Place) -> Result<Credentials> {
    let region = variable("AWS_REGION").or(variable("AWS_DEFAULT_REGION"));
    let user = &place.user;
    if let (Some(id), Some(secret)) = (&user.access_key_id, &user.secret_access_key) {
        return Ok(Credentials {
            access_key_id: id.clone(),
            secret_access_key: Zeroizing::new(
                String::from_utf8_lossy(secret.as_bytes()).into_owned(),
            ),
            session_token: None,
            region: region.unwrap_or("us-east-1".into()),
        });
    }
    if user.profile.is_none()
        && let (Some(id), Some(secret)) = (
            variable("AWS_ACCESS_KEY_ID"),
            variable("AWS_SECRET_ACCESS_KEY"),
        )
    {
        let profile = profile(&profile_name(None)).unwrap_or_default();
        return Ok(Credentials {
            access_key_id: id,
            secret_access_key: Zeroizing::new(secret),
            session_token: variable("AWS_SESSION_TOKEN").map(Zeroizing::new),
            region: region_of(region, &profile),
        });
    }
    let name = profile_name(user.profile.clone());
    let profile = profile(&name)?;
    let value = |key: &str| profile.get(key).filter(|value| !value.is_empty()).cloned();
    let (id, secret) = (value("aws_access_key_id"), value("aws_secret_access_key"));
    let (Some(id), Some(secret)) = (id, secret) else {
        let others = [
            "role_arn",
            "sso_session",
            "sso_start_url",
            "credential_process",
        ];
        match others.into_iter().find(|key| profile.contains_key(*key)) {
            Some(key) => bail!("the AWS profile '{name}' has {key}, which is not supported here"),
            None => bail!("no AWS credentials: neither variables nor the profile '{name}'"),
        }
    };
    Ok(Credentials {
        access_key_id: id,
        secret_access_key: Zeroizing::new(secret),
        session_token: value("aws_session_token").map(Zeroizing::new),
        region: region_of(region, &profile),
    })
}

fn region_of(said: Option<String>, profile: &Profile) -> String {
    let own = || profile.get("region").cloned();
    said.or_else(own).unwrap_or_else(|| "us-east-1".into())
}

fn profile_name(said: Option<String>) -> String {
    said.or_else(|| variable("AWS_PROFILE"))
        .or_else(|| variable("AWS_DEFAULT_PROFILE"))
        .unwrap_or_else(|| "default".into())
}

/// A profile of both files; what the credentials file says wins.
fn profile(name: &str) -> Result<Profile> {
    let file = |name: &str, below: &str| -> Result<PathBuf> {
        match variable(name) {
            Some(path) => Ok(path.into()),
            None => Ok(below_home(".aws")?.join(below)),
        }
    };
    let config = read(&file("AWS_CONFIG_FILE", "config")?)?;
    let credentials = read(&file("AWS_SHARED_CREDENTIALS_FILE", "credentials")?)?;
    let mut profile = Profile::new();
    for (section, values) in sections(&config) {
        let is_it = match section.split_once(char::is_whitespace) {
            Some(("profile", rest)) => rest.trim() == name,
            _ => name == "default" && section == "default",
        };
        if is_it {
            profile.extend(values);
        }
    }
    for (section, values) in sections(&credentials) {
        if section == name {
            profile.extend(values);
        }
    }
    Ok(profile)
}

fn read(path: &Path) -> Result<Zeroizing<String>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Zeroizing::new(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Zeroizing::default()),
        Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
    }
}

/// The sections of a shared file, in order. Lines that are indented belong to the value above and
/// say nothing here.
fn sections(text: &str) -> Vec<(String, Profile)> {
    let mut sections: Vec<(String, Profile)> = Vec::new();
    for line in text.lines() {
        let is_indented = line.starts_with([' ', '\t']);
        let line = line.trim();
        if line.starts_with(['#', ';']) || line.is_empty() || is_indented {
            continue;
        }
        if let Some(name) = line.strip_prefix('[') {
            let name = name.split(']').next().unwrap_or_default().trim();
            sections.push((name.to_owned(), Profile::new()));
        } else if let (Some((key, value)), Some((_, values))) =
            (line.split_once('='), sections.last_mut())
        {
            // Behind a space a comment begins.
            let value = value.split(" #").next().unwrap_or_default();
            let value = value.split(" ;").next().unwrap_or_default();
            values.insert(key.trim().to_lowercase(), value.trim().to_owned());
        }
    }
    sections
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_files_are_read_as_the_cli_reads_them() {
        let text = "# mine\n[default]\naws_access_key_id = A\naws_secret_access_key=s/+=x # old\n\
             s3 =\n  region = not-this\n\n[profile work]\nregion = eu-west-1\n; end\nbroken\n";
        let read = sections(text);
        assert_eq!(read.len(), 2);
        assert_eq!(read[0].0, "default");
        assert_eq!(read[0].1["aws_access_key_id"], "A");
        assert_eq!(read[0].1["aws_secret_access_key"], "s/+=x");
        assert!(!read[0].1.contains_key("region"));
        assert_eq!(read[1].0, "profile work");
        assert_eq!(read[1].1["region"], "eu-west-1");
    }
}
