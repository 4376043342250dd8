//! `publicDomainNames`: which domains of which certificates a service answers to.
//!
//! Certificates are made elsewhere; without any, every certificate that a caller names is unknown.

use std::collections::{BTreeMap, BTreeSet};

use super::limits::{CERTIFICATES_PER_SERVICE_MAX, DOMAINS_PER_SERVICE_MAX};
use super::refusal::Refusal;

/// Domains by certificate name.
pub type PublicDomainNames = BTreeMap<String, Vec<String>>;

/// What the account and region have when domains are attached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Certificates {
    /// The domains that each issued certificate covers.
    pub issued: BTreeMap<String, BTreeSet<String>>,
    /// The domains that other services answer to.
    pub taken: BTreeSet<String>,
}

/// Plans what a service answers to after a request: the named certificates get exactly the listed
/// domains, an empty list detaches, certificates that are not named stay as they are.
pub fn plan_domain_names(
    present: &PublicDomainNames,
    requested: &PublicDomainNames,
    certificates: &Certificates,
) -> Result<PublicDomainNames, Refusal> {
    let is_unknown = |name: &&String| !certificates.issued.contains_key(*name);
    let unknown: Vec<String> = requested.keys().filter(is_unknown).cloned().collect();
    if !unknown.is_empty() {
        return Err(Refusal::CertificatesUnknown(unknown));
    }
    let mut planned = present.clone();
    for (certificate, domains) in requested {
        if domains.is_empty() {
            planned.remove(certificate);
            continue;
        }
        let covered = certificates.issued.get(certificate);
        if let Some(domain) = domains
            .iter()
            .find(|domain| !covered.is_some_and(|covered| covered.contains(*domain)))
        {
            return Err(Refusal::DomainNotCovered {
                certificate: certificate.clone(),
                domain: domain.clone(),
            });
        }
        planned.insert(certificate.clone(), domains.clone());
    }
    check_limits(&planned, &certificates.taken)?;
    Ok(planned)
}

fn check_limits(planned: &PublicDomainNames, taken: &BTreeSet<String>) -> Result<(), Refusal> {
    if planned.len() > CERTIFICATES_PER_SERVICE_MAX {
        return Err(Refusal::TooManyCertificates);
    }
    let mut seen = BTreeSet::new();
    for domain in planned.values().flatten() {
        if taken.contains(domain) || !seen.insert(domain) {
            return Err(Refusal::DomainInUse(domain.clone()));
        }
    }
    if seen.len() > DOMAINS_PER_SERVICE_MAX {
        return Err(Refusal::TooManyDomains);
    }
    Ok(())
}
