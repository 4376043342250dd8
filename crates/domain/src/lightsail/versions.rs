//! Version numbers of registered images: counters, never what the surviving rows say.
//!
//! The documentation counts per label; every transcript of the real service fits one counter per
//! service. Both counters are always kept, so that changing the setting repeats no number.

use super::names::ImageVersion;

/// Over what image versions count (`lightsail.version_scope`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum VersionScope {
    /// Each label counts for itself, as the API reference says.
    #[default]
    PerLabel,
    /// All labels of a service share one counter, as observed.
    PerService,
}

/// The next numbers for one label of one service. Both start at 1 with the service and die with
/// it; they are stored, and never go down when images are deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counters {
    /// The next number of the label.
    pub label_next: u64,
    /// The next number of the service: above every number that any of its labels ever used.
    pub service_next: u64,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            label_next: 1,
            service_next: 1,
        }
    }
}

impl Counters {
    /// Takes the next version: the number, and the counters to store in the same transaction as
    /// the image.
    #[must_use]
    pub fn take(self, scope: VersionScope) -> (ImageVersion, Self) {
        let taken = match scope {
            VersionScope::PerLabel => self.label_next,
            VersionScope::PerService => self.service_next.max(self.label_next),
        };
        let next = taken.saturating_add(1);
        let counters = Self {
            label_next: next,
            service_next: self.service_next.max(next),
        };
        (ImageVersion(taken), counters)
    }
}
