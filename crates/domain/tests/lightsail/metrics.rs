//! Metric queries and data points (section 6.5).

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use roadstead_domain::lightsail::metrics::{MetricName, MetricQuery, Sample, Statistic, UNIT};
use roadstead_domain::time::{Span, Timestamp};

/// A whole hour.
const START: Timestamp = Timestamp::from_seconds(1_699_999_200);

fn query(secs: i64, period: i64, statistics: &[Statistic]) -> MetricQuery {
    let end = START + Span::seconds(secs);
    MetricQuery::check(START, end, period, statistics.iter().copied().collect()).unwrap()
}

fn sample(secs: i64, percent: f64) -> Sample {
    Sample {
        at: START + Span::seconds(secs),
        percent,
    }
}

#[test]
fn periods_are_minutes_up_to_a_day() {
    let check = |period| {
        let end = START + Span::seconds(3600);
        MetricQuery::check(START, end, period, BTreeSet::from([Statistic::Sum])).is_ok()
    };
    for period in [60, 120, 300, 86_400] {
        assert!(check(period), "{period}");
    }
    for period in [0, -60, 1, 59, 61, 90, 86_399, 86_460, i64::MAX, i64::MIN] {
        assert!(!check(period), "{period}");
    }
}

#[test]
fn other_refusals() {
    let statistics = BTreeSet::from([Statistic::Average]);
    let check = |secs: i64, statistics: &BTreeSet<Statistic>| {
        MetricQuery::check(START, START + Span::seconds(secs), 60, statistics.clone()).is_ok()
    };
    assert!(check(1, &statistics));
    assert!(!check(0, &statistics));
    assert!(!check(-1, &statistics));
    assert!(!check(60, &BTreeSet::new()));
    assert!(check(1440 * 60, &statistics));
    assert!(!check(1440 * 60 + 1, &statistics));
    assert!(MetricName::parse("CPUUtilization").is_ok());
    assert!(MetricName::parse("MemoryUtilization").is_ok());
    assert!(MetricName::parse("cpuUtilization").is_err());
    assert!(Statistic::parse("SampleCount").is_ok());
    assert!(Statistic::parse("average").is_err());
    assert_eq!(UNIT, "Percent");
}

#[test]
fn points_hold_the_statistics_that_were_asked_for() {
    use Statistic::*;
    let samples = [
        sample(300, 30.0),
        sample(0, 10.0),
        sample(60, 20.0),
        sample(600, 99.0),
    ];
    let points = query(600, 300, &Statistic::ALL).fold(samples, None);
    let expected = |values: [f64; 5]| -> BTreeMap<_, _> {
        [Minimum, Maximum, Sum, Average, SampleCount]
            .into_iter()
            .zip(values)
            .collect()
    };
    assert_eq!(points.len(), 2, "the end is not part of the interval");
    assert_eq!(points[0].at, START);
    assert_eq!(points[0].values, expected([10.0, 20.0, 30.0, 15.0, 2.0]));
    assert_eq!(points[1].at, START + Span::seconds(300));
    assert_eq!(points[1].values, expected([30.0, 30.0, 30.0, 30.0, 1.0]));

    let only = query(600, 300, &[Maximum]).fold(samples, None);
    assert_eq!(only[0].values, BTreeMap::from([(Maximum, 20.0)]));
}

#[test]
fn no_samples_no_points() {
    let query = query(3600, 60, &[Statistic::Sum]);
    assert_eq!(query.fold([], None), []);
    let useless = [sample(-1, 1.0), sample(3600, 1.0), sample(5, f64::NAN)];
    assert_eq!(query.fold(useless, None), []);
}

#[test]
fn a_new_deployment_starts_afresh() {
    let samples = [sample(0, 10.0), sample(100, 50.0)];
    let reset_at = START + Span::seconds(60);
    let points = query(600, 300, &[Statistic::SampleCount]).fold(samples, Some(reset_at));
    assert_eq!(points.len(), 1);
    assert_eq!(points[0].values[&Statistic::SampleCount], 1.0);
    assert_eq!(points[0].at, START, "periods do not move");
}

#[test]
fn starts_are_rounded_down_to_their_minute() {
    let start = START + Span::seconds(59);
    let end = START + Span::seconds(120);
    let query = MetricQuery::check(start, end, 60, BTreeSet::from([Statistic::Sum])).unwrap();
    assert_eq!(query.start, START);
    let points = query.fold([sample(1, 4.0)], None);
    assert_eq!(points[0].at, START);
}

proptest! {
    #[test]
    fn points_partition_the_samples(
        samples in prop::collection::vec((-100_i64..4000, 0.0..100.0_f64), 0..50),
        minutes in 1_i64..30,
    ) {
        let query = query(3600, minutes * 60, &Statistic::ALL);
        let points = query.fold(samples.iter().map(|(at, value)| sample(*at, *value)), None);
        let counted: f64 = points.iter().map(|point| point.values[&Statistic::SampleCount]).sum();
        let inside = samples.iter().filter(|(at, _)| (0..3600).contains(at)).count();
        prop_assert_eq!(counted, inside as f64);
        prop_assert!(points.windows(2).all(|pair| pair[0].at < pair[1].at));
        for point in &points {
            let of = |statistic| point.values[&statistic];
            prop_assert!(of(Statistic::Minimum) <= of(Statistic::Maximum));
            prop_assert!(of(Statistic::Average) <= of(Statistic::Maximum) + 1e-9);
        }
    }

    #[test]
    fn no_interval_panics(start in any::<i64>(), end in any::<i64>(), period in any::<i64>()) {
        let statistics = BTreeSet::from([Statistic::Sum]);
        for period in [period, 60, 86_400] {
            if let Ok(query) =
                MetricQuery::check(Timestamp(start), Timestamp(end), period, statistics.clone())
            {
                let all = [start, end, i64::MIN, i64::MAX].map(|at| Sample {
                    at: Timestamp(at),
                    percent: 1.0,
                });
                query.fold(all, None);
            }
        }
    }
}
