//! Capacity of a service: its power (the size of a node) and its scale (how many nodes).
//!
//! Prices and sizes stand as the Lightsail guide and its price list give them.

use super::limits::SCALE_MAX;
use super::refusal::Refusal;

/// `ContainerServicePowerName`, smallest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Power {
    /// `nano`.
    Nano,
    /// `micro`.
    Micro,
    /// `small`.
    Small,
    /// `medium`.
    Medium,
    /// `large`.
    Large,
    /// `xlarge`.
    Xlarge,
}

/// What one node of a power has and costs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PowerSize {
    /// Virtual CPUs.
    pub cpu_count: f64,
    /// Memory, GB.
    pub ram_gb: f64,
    /// US dollars per month.
    pub price_usd: f64,
}

impl Power {
    /// Every power, in the order of GetContainerServicePowers.
    pub const ALL: [Self; 6] = [
        Self::Nano,
        Self::Micro,
        Self::Small,
        Self::Medium,
        Self::Large,
        Self::Xlarge,
    ];

    /// Parses the wire name.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        Self::ALL
            .into_iter()
            .find(|power| power.as_str() == text)
            .ok_or_else(|| Refusal::UnknownPower(text.into()))
    }

    /// The wire name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nano => "nano",
            Self::Micro => "micro",
            Self::Small => "small",
            Self::Medium => "medium",
            Self::Large => "large",
            Self::Xlarge => "xlarge",
        }
    }

    /// `powerId`.
    pub fn id(self) -> String {
        format!("{}-1", self.as_str())
    }

    /// Size and price of one node.
    pub fn size(self) -> PowerSize {
        let (cpu_count, ram_gb, price_usd) = match self {
            Self::Nano => (0.25, 0.5, 7.0),
            Self::Micro => (0.25, 1.0, 10.0),
            Self::Small => (0.5, 1.0, 15.0),
            Self::Medium => (1.0, 2.0, 40.0),
            Self::Large => (2.0, 4.0, 80.0),
            Self::Xlarge => (4.0, 8.0, 160.0),
        };
        PowerSize {
            cpu_count,
            ram_gb,
            price_usd,
        }
    }
}

/// How many nodes a service has: 1 to 20.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Scale(u8);

impl Scale {
    /// Accepts 1 to [`SCALE_MAX`].
    pub fn parse(nodes: i64) -> Result<Self, Refusal> {
        u8::try_from(nodes)
            .ok()
            .filter(|nodes| (1..=SCALE_MAX).contains(nodes))
            .map(Self)
            .ok_or(Refusal::Scale(nodes))
    }

    /// The number of nodes.
    pub fn nodes(self) -> u8 {
        self.0
    }
}
