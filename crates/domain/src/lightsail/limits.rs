//! The limits of Lightsail container services in one place, each with its source.
//!
//! "Quotas" is the table of the AWS General Reference, "Amazon Lightsail endpoints and quotas".

/// Longest container service name, characters (`ContainerServiceName` in the API model).
pub const SERVICE_NAME_CHARACTERS_MAX: usize = 63;
/// Longest image label, characters (`ContainerLabel` in the API model).
pub const LABEL_CHARACTERS_MAX: usize = 53;
/// Longest container name, characters (`ContainerName` in the API model).
pub const CONTAINER_NAME_CHARACTERS_MAX: usize = 53;
/// Most container services of one account in one region (quotas).
pub const SERVICES_MAX: usize = 100;
/// Most nodes of one service (`ContainerServiceScale` in the API model; quotas).
pub const SCALE_MAX: u8 = 20;
/// Most stored images of one service (quotas).
pub const IMAGES_PER_SERVICE_MAX: usize = 150;
/// Most containers of one deployment (quotas).
pub const CONTAINERS_PER_DEPLOYMENT_MAX: usize = 10;
/// Most deployment versions that are kept (quotas).
pub const DEPLOYMENTS_KEPT_MAX: usize = 50;
/// Most public domain names of one service (quotas).
pub const DOMAINS_PER_SERVICE_MAX: usize = 4;
/// Most certificates attached to one service (quotas).
pub const CERTIFICATES_PER_SERVICE_MAX: usize = 4;
/// How long a deployment may take to become healthy, seconds; ours.
pub const DEPLOYMENT_SECS_MAX: i64 = 600;
/// How long log lines are kept, days (quotas).
pub const LOG_RETENTION_DAYS: i64 = 4;
/// Most log events of one answer; ours.
pub const LOG_PAGE_EVENTS_MAX: usize = 1000;
/// Longest filter pattern, characters (`FilterPattern` in the CloudWatch Logs API model).
pub const LOG_FILTER_CHARACTERS_MAX: usize = 1024;
/// Shortest metric period, seconds; periods are its multiples (GetContainerServiceMetricData).
pub const METRIC_PERIOD_SECS_MIN: i64 = 60;
/// Longest metric period, seconds (`MetricPeriod` in the API model).
pub const METRIC_PERIOD_SECS_MAX: i64 = 86_400;
/// Most data points of one answer (CloudWatch API reference, GetMetricStatistics).
pub const METRIC_POINTS_MAX: i64 = 1440;
/// How far apart data points lie, seconds (Lightsail guide, container service metrics).
pub const METRIC_RESOLUTION_SECS: i64 = 300;
/// How long a registry login works, hours (CreateContainerServiceRegistryLogin).
pub const REGISTRY_LOGIN_HOURS: i64 = 12;
/// Most decimal digits of an image version that we read; ours: what a signed 64-bit column holds.
pub const VERSION_DIGITS_MAX: usize = 18;
/// Longest reference of an image in another registry, characters; ours.
pub const PUBLIC_IMAGE_CHARACTERS_MAX: usize = 1024;
