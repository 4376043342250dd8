//! Metrics of a service: checking a query, and folding samples into data points.
//!
//! Samples are percentages of what the power of the service offers. Points exist only where
//! samples do, and a new deployment starts afresh.

use std::collections::{BTreeMap, BTreeSet};

use super::limits::{METRIC_PERIOD_SECS_MAX, METRIC_PERIOD_SECS_MIN, METRIC_POINTS_MAX};
use super::refusal::Refusal;
use crate::time::{Span, Timestamp};

/// `unit` of every data point.
pub const UNIT: &str = "Percent";

/// `ContainerServiceMetricName`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MetricName {
    /// `CPUUtilization`.
    CpuUtilization,
    /// `MemoryUtilization`.
    MemoryUtilization,
}

impl MetricName {
    /// Parses the wire name.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        match text {
            "CPUUtilization" => Ok(Self::CpuUtilization),
            "MemoryUtilization" => Ok(Self::MemoryUtilization),
            _ => Err(Refusal::MetricName(text.into())),
        }
    }

    /// The wire name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CpuUtilization => "CPUUtilization",
            Self::MemoryUtilization => "MemoryUtilization",
        }
    }
}

/// `MetricStatistic`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Statistic {
    /// `Minimum`.
    Minimum,
    /// `Maximum`.
    Maximum,
    /// `Sum`.
    Sum,
    /// `Average`.
    Average,
    /// `SampleCount`.
    SampleCount,
}

impl Statistic {
    /// Every statistic, in model order.
    pub const ALL: [Self; 5] = [
        Self::Minimum,
        Self::Maximum,
        Self::Sum,
        Self::Average,
        Self::SampleCount,
    ];

    /// Parses the wire name.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        Self::ALL
            .into_iter()
            .find(|statistic| statistic.as_str() == text)
            .ok_or_else(|| Refusal::Statistic(text.into()))
    }

    /// The wire name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Minimum => "Minimum",
            Self::Maximum => "Maximum",
            Self::Sum => "Sum",
            Self::Average => "Average",
            Self::SampleCount => "SampleCount",
        }
    }
}

/// One measurement of one node.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// When it was taken.
    pub at: Timestamp,
    /// What was measured, percent; a value that is not finite counts for nothing.
    pub percent: f64,
}

/// What is asked of GetContainerServiceMetricData, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricQuery {
    /// The first instant, a whole minute; periods count from here.
    pub start: Timestamp,
    /// The first instant after the interval.
    pub end: Timestamp,
    /// The length of a period.
    pub period: Span,
    /// The statistics that a data point has.
    pub statistics: BTreeSet<Statistic>,
}

impl MetricQuery {
    /// Checks a query. The start is rounded down to its minute.
    pub fn check(
        start: Timestamp,
        end: Timestamp,
        period_secs: i64,
        statistics: BTreeSet<Statistic>,
    ) -> Result<Self, Refusal> {
        let is_period = (METRIC_PERIOD_SECS_MIN..=METRIC_PERIOD_SECS_MAX).contains(&period_secs)
            && period_secs % METRIC_PERIOD_SECS_MIN == 0;
        if !is_period {
            return Err(Refusal::Period(period_secs));
        }
        if statistics.is_empty() {
            return Err(Refusal::NoStatistics);
        }
        if start >= end {
            return Err(Refusal::Interval);
        }
        let minute = start.seconds().div_euclid(60).saturating_mul(60);
        // No instant that a client can send is lost here: 64-bit microseconds end in the year
        // 294247.
        let start = Timestamp(minute.saturating_mul(1_000_000));
        let period = Span::seconds(period_secs);
        let points = end.0.saturating_sub(start.0).saturating_sub(1) / period.0 + 1;
        if points > METRIC_POINTS_MAX {
            return Err(Refusal::TooManyPoints);
        }
        Ok(Self {
            start,
            end,
            period,
            statistics,
        })
    }

    /// Folds samples, in any order, into one point for each period that has some, oldest first.
    /// Samples before `reset_at`, the start of the current deployment, count for nothing.
    pub fn fold(
        &self,
        samples: impl IntoIterator<Item = Sample>,
        reset_at: Option<Timestamp>,
    ) -> Vec<DataPoint> {
        let start = reset_at.map_or(self.start, |reset_at| self.start.max(reset_at));
        let mut periods: BTreeMap<i64, Sums> = BTreeMap::new();
        for sample in samples {
            if sample.at < start || sample.at >= self.end || !sample.percent.is_finite() {
                continue;
            }
            let period = sample.at.0.saturating_sub(self.start.0) / self.period.0;
            periods.entry(period).or_default().add(sample.percent);
        }
        periods
            .into_iter()
            .map(|(period, sums)| DataPoint {
                at: self.start + Span(period * self.period.0),
                values: self
                    .statistics
                    .iter()
                    .map(|statistic| (*statistic, sums.value(*statistic)))
                    .collect(),
            })
            .collect()
    }
}

/// One period with samples.
#[derive(Debug, Clone, PartialEq)]
pub struct DataPoint {
    /// The start of the period.
    pub at: Timestamp,
    /// The statistics that were asked for, and no others.
    pub values: BTreeMap<Statistic, f64>,
}

struct Sums {
    count: f64,
    sum: f64,
    minimum: f64,
    maximum: f64,
}

impl Default for Sums {
    fn default() -> Self {
        Self {
            count: 0.0,
            sum: 0.0,
            minimum: f64::INFINITY,
            maximum: f64::NEG_INFINITY,
        }
    }
}

impl Sums {
    fn add(&mut self, percent: f64) {
        self.count += 1.0;
        self.sum += percent;
        self.minimum = self.minimum.min(percent);
        self.maximum = self.maximum.max(percent);
    }

    fn value(&self, statistic: Statistic) -> f64 {
        match statistic {
            Statistic::Minimum => self.minimum,
            Statistic::Maximum => self.maximum,
            Statistic::Sum => self.sum,
            Statistic::Average => self.sum / self.count,
            Statistic::SampleCount => self.count,
        }
    }
}
