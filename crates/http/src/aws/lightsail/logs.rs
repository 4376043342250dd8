//! The log of a container and the metrics of a service (section 6.4, 6.5).

use roadstead_api_model::Timestamp as TimestampShape;
use roadstead_api_model::lightsail::{
    ContainerServiceLogEvent, GetContainerLogRequest, GetContainerLogResult,
    GetContainerServiceMetricDataRequest, GetContainerServiceMetricDataResult, MetricDatapoint,
    MetricUnit,
};
use roadstead_domain::lightsail::log_filter::LogFilter;
use roadstead_domain::lightsail::log_pages::{LogEvent, LogPosition, LogWindow};
use roadstead_domain::lightsail::metrics::{DataPoint, MetricName, MetricQuery, Statistic};
use roadstead_domain::time::Timestamp;
use roadstead_registry::access::Authorized;
use roadstead_registry::access::containers::ContainerServiceKey;
use roadstead_registry::containers::logs::LogQuery;

use super::{known, shapes};
use crate::aws::Call;
use crate::aws::error::Failure;

pub(in crate::aws) async fn log(
    call: Call<'_>,
    key: Authorized<ContainerServiceKey>,
    input: GetContainerLogRequest,
) -> Result<GetContainerLogResult, Failure> {
    let (start, end) = (input.start_time.map(instant), input.end_time.map(instant));
    let filter = input.filter_pattern.unwrap_or_default();
    let token = input.page_token.filter(|token| !token.is_empty());
    let query = LogQuery {
        container: input.container_name,
        window: known(LogWindow::check(start, end, call.context.now))?,
        filter: known(LogFilter::parse(&filter))?,
        after: known(token.map(|token| LogPosition::parse(&token)).transpose())?,
    };
    let page = call.faces.registry.container_log(key, query).await?;
    let event = |event: LogEvent| ContainerServiceLogEvent {
        created_at: Some(shapes::timestamp(event.created_at)),
        message: Some(event.message),
    };
    Ok(GetContainerLogResult {
        log_events: Some(page.events.into_iter().map(event).collect()),
        next_page_token: page.next.map(|next| next.to_string()),
    })
}

pub(in crate::aws) async fn metric_data(
    call: Call<'_>,
    key: Authorized<ContainerServiceKey>,
    input: GetContainerServiceMetricDataRequest,
) -> Result<GetContainerServiceMetricDataResult, Failure> {
    let metric = known(MetricName::parse(input.metric_name.as_str()))?;
    let statistics = input.statistics.iter();
    let statistics = statistics.map(|name| Statistic::parse(name.as_str()));
    let query = known(MetricQuery::check(
        instant(input.start_time),
        instant(input.end_time),
        input.period.into(),
        known(statistics.collect())?,
    ))?;
    let points = call.faces.registry.container_metric(key, metric, query);
    Ok(GetContainerServiceMetricDataResult {
        metric_data: Some(points.await?.iter().map(point).collect()),
        metric_name: Some(input.metric_name),
    })
}

fn instant(shape: TimestampShape) -> Timestamp {
    Timestamp(shape.0)
}

/// Only what was asked for is there.
fn point(point: &DataPoint) -> MetricDatapoint {
    let value = |statistic| point.values.get(&statistic).copied();
    MetricDatapoint {
        average: value(Statistic::Average),
        maximum: value(Statistic::Maximum),
        minimum: value(Statistic::Minimum),
        sample_count: value(Statistic::SampleCount),
        sum: value(Statistic::Sum),
        timestamp: Some(shapes::timestamp(point.at)),
        unit: Some(MetricUnit::Percent),
    }
}
