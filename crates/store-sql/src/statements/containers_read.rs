//! Questions about container services, their deployments, images, logs and usage.
//!
//! A service is one row and at most two deployments; every list goes through an index.

use async_trait::async_trait;
use roadstead_domain::digest::Digest;
use roadstead_domain::ids::{AccountId, ContainerServiceId, Region, RepositoryId};
use roadstead_domain::lightsail::addresses::{AddressPart, RoleId};
use roadstead_domain::lightsail::deployment::{Deployment, DeploymentState, DeploymentVersion};
use roadstead_domain::lightsail::images::StoredImage;
use roadstead_domain::lightsail::log_pages::{LogEvent, LogPosition};
use roadstead_domain::lightsail::names::{
    ContainerName, ImageLabel, ImageVersion, RegisteredImage, ServiceName,
};
use roadstead_domain::lightsail::power::{Power, Scale};
use roadstead_domain::lightsail::registry_access::RegistryAccess;
use roadstead_domain::lightsail::service::Service;
use roadstead_domain::lightsail::state::{ServiceState, StateDetailCode};
use roadstead_domain::lightsail::versions::Counters;
use roadstead_domain::time::Timestamp;
use roadstead_store::metadata::{
    ContainerPlace, PassingCursor, PendingPush, ReadContainers, ServiceKey, StoreError,
    StoredService, UsageSample,
};

use super::codes::parsed;
use super::containers_text::{accepted, domain_names, named, pins, spec, tags};
use super::repositories::repository_row;
use crate::sql::{Param, Row, Sql, Tx, limit, params, size};

/// Begins every question for services.
macro_rules! select_services {
    ($rest:literal) => {
        concat!(
            "SELECT id, account, region, name, created_at, power, scale, is_disabled, state, \
             detail, since, current_version, next_version, version_next, role, puller_role, \
             domain_names, tags FROM container_service ",
            $rest
        )
    };
}

/// A service without its deployments, and their versions.
fn service_row(row: &Row) -> Result<(StoredService, [Option<i64>; 2]), StoreError> {
    let detail = row.optional_text(9)?;
    let role = row.optional_text(15)?;
    let service = Service {
        name: accepted(ServiceName::parse(row.text(3)?))?,
        power: accepted(Power::parse(row.text(5)?))?,
        scale: accepted(Scale::parse(row.int(6)?))?,
        is_disabled: row.flag(7)?,
        state: named(&ServiceState::ALL, ServiceState::as_str, row.text(8)?)?,
        detail: detail
            .map(|text| named(&StateDetailCode::ALL, StateDetailCode::as_str, text))
            .transpose()?,
        since: row.time(10)?,
        current: None,
        next: None,
        next_version: DeploymentVersion(row.size(13)?),
        domain_names: domain_names(row.text(16)?)?,
        registry_access: RegistryAccess {
            role: role.map(|role| parsed(RoleId::parse(role))).transpose()?,
        },
    };
    let stored = StoredService {
        id: row.service_id(0)?,
        account: row.account(1)?,
        region: parsed(Region::parse(row.text(2)?))?,
        created_at: row.time(4)?,
        service,
        tags: tags(row.text(17)?)?,
        role: parsed(RoleId::parse(row.text(14)?))?,
    };
    Ok((stored, [row.optional_int(11)?, row.optional_int(12)?]))
}

fn place_row(row: &Row) -> Result<ContainerPlace, StoreError> {
    Ok(ContainerPlace {
        account: row.account(0)?,
        region: parsed(Region::parse(row.text(1)?))?,
        address_part: parsed(AddressPart::parse(row.text(2)?))?,
        lightsail: row.account(3)?,
    })
}

fn deployment_row(row: &Row, service: &ServiceName) -> Result<Deployment, StoreError> {
    Ok(Deployment {
        version: DeploymentVersion(row.size(0)?),
        state: row.deployment_state(1)?,
        created_at: row.time(2)?,
        finished_at: row.optional_time(3)?,
        spec: spec(row.text(4)?)?,
        pins: pins(row.text(5)?, service)?,
    })
}

fn image_row(row: &Row, service: &ServiceName) -> Result<StoredImage, StoreError> {
    Ok(StoredImage {
        image: RegisteredImage {
            service: service.clone(),
            label: accepted(ImageLabel::parse(row.text(0)?))?,
            version: ImageVersion(row.size(1)?),
        },
        digest: row.digest(2)?,
        created_at: row.time(3)?,
        sequence: row.size(4)?,
    })
}

fn push_row(row: &Row) -> Result<PendingPush, StoreError> {
    Ok(PendingPush {
        repository: repository_row(row)?,
        digest: row.digest(9)?,
        expires_at: row.time(10)?,
    })
}

fn percent(millionths: i64) -> f64 {
    millionths as f64 / 1e6
}

impl Row {
    fn service_id(&self, column: usize) -> Result<ContainerServiceId, StoreError> {
        parsed(ContainerServiceId::parse(self.text(column)?))
    }

    fn deployment_state(&self, column: usize) -> Result<DeploymentState, StoreError> {
        let text = self.text(column)?;
        named(&DeploymentState::ALL, DeploymentState::as_str, text)
    }
}

impl<S: Sql> Tx<S> {
    async fn services(
        &mut self,
        sql: &'static str,
        params: &[Param<'_>],
    ) -> Result<Vec<StoredService>, StoreError> {
        let rows = self.0.query(sql, params).await?;
        let mut services = Vec::with_capacity(rows.len());
        for row in &rows {
            let (mut stored, [current, next]) = service_row(row)?;
            stored.service.current = self.live_deployment(&stored, current).await?;
            stored.service.next = self.live_deployment(&stored, next).await?;
            services.push(stored);
        }
        Ok(services)
    }

    async fn live_deployment(
        &mut self,
        stored: &StoredService,
        version: Option<i64>,
    ) -> Result<Option<Deployment>, StoreError> {
        let Some(version) = version else {
            return Ok(None);
        };
        let row = self
            .query_first(
                "SELECT version, state, created_at, finished_at, spec, pins \
                 FROM container_deployment WHERE service_id = ?1 AND version = ?2",
                &params![stored.id.as_str(), version],
            )
            .await?;
        let missing = || StoreError::Corrupt(format!("no deployment {version}"));
        let row = row.ok_or_else(missing)?;
        deployment_row(&row, &stored.service.name).map(Some)
    }

    async fn is_any(
        &mut self,
        sql: &'static str,
        params: &[Param<'_>],
    ) -> Result<bool, StoreError> {
        Ok(self.query_first(sql, params).await?.is_some())
    }
}

#[async_trait]
impl<S: Sql> ReadContainers for Tx<S> {
    async fn container_place(
        &mut self,
        account: &AccountId,
        region: &Region,
    ) -> Result<Option<ContainerPlace>, StoreError> {
        let row = self
            .query_first(
                "SELECT account, region, address_part, lightsail FROM container_place \
                 WHERE account = ?1 AND region = ?2",
                &params![account.as_str(), region.as_str()],
            )
            .await?;
        row.as_ref().map(place_row).transpose()
    }

    async fn container_place_at(
        &mut self,
        part: &AddressPart,
    ) -> Result<Option<ContainerPlace>, StoreError> {
        let row = self
            .query_first(
                "SELECT account, region, address_part, lightsail FROM container_place \
                 WHERE address_part = ?1",
                &params![part.as_str()],
            )
            .await?;
        row.as_ref().map(place_row).transpose()
    }

    async fn container_service(
        &mut self,
        account: &AccountId,
        region: &Region,
        name: &ServiceName,
    ) -> Result<Option<StoredService>, StoreError> {
        let sql = select_services!("WHERE account = ?1 AND region = ?2 AND name = ?3");
        let params = params![account.as_str(), region.as_str(), name.as_str()];
        Ok(self.services(sql, &params).await?.pop())
    }

    async fn container_service_with(
        &mut self,
        id: &ContainerServiceId,
    ) -> Result<Option<StoredService>, StoreError> {
        let sql = select_services!("WHERE id = ?1");
        Ok(self.services(sql, &params![id.as_str()]).await?.pop())
    }

    async fn container_services(
        &mut self,
        account: &AccountId,
        region: &Region,
        after: Option<&ServiceName>,
        limit_rows: usize,
    ) -> Result<Vec<StoredService>, StoreError> {
        let sql = select_services!(
            "WHERE account = ?1 AND region = ?2 AND name > ?3 ORDER BY name LIMIT ?4"
        );
        let params = [
            account.as_str().into(),
            region.as_str().into(),
            after.map_or("", ServiceName::as_str).into(),
            limit(limit_rows),
        ];
        self.services(sql, &params).await
    }

    async fn container_service_count(
        &mut self,
        account: &AccountId,
        region: &Region,
    ) -> Result<u64, StoreError> {
        let row = self
            .query_first(
                "SELECT count(*) FROM container_service WHERE account = ?1 AND region = ?2",
                &params![account.as_str(), region.as_str()],
            )
            .await?;
        row.map_or(Ok(0), |row| row.size(0))
    }

    async fn every_container_service(
        &mut self,
        after: Option<&ContainerServiceId>,
        limit_rows: usize,
    ) -> Result<Vec<StoredService>, StoreError> {
        let sql = select_services!("WHERE id > ?1 ORDER BY id LIMIT ?2");
        let after = after.map_or("", ContainerServiceId::as_str);
        self.services(sql, &[after.into(), limit(limit_rows)]).await
    }

    async fn passing_container_services(
        &mut self,
        after: Option<&PassingCursor>,
        limit_rows: usize,
    ) -> Result<Vec<StoredService>, StoreError> {
        let sql = select_services!(
            "WHERE passing_since IS NOT NULL AND (passing_since, id) > (?1, ?2) \
             ORDER BY passing_since, id LIMIT ?3"
        );
        let params = [
            after.map_or(i64::MIN, |after| after.since.0).into(),
            after.map_or("", |after| after.id.as_str()).into(),
            limit(limit_rows),
        ];
        self.services(sql, &params).await
    }

    async fn container_deployments(
        &mut self,
        service: &ContainerServiceId,
    ) -> Result<Vec<Deployment>, StoreError> {
        let name = self
            .query_first(
                "SELECT name FROM container_service WHERE id = ?1",
                &params![service.as_str()],
            )
            .await?;
        let Some(name) = name else {
            return Ok(Vec::new());
        };
        let name = accepted(ServiceName::parse(name.text(0)?))?;
        let rows = self
            .0
            .query(
                "SELECT version, state, created_at, finished_at, spec, pins \
                 FROM container_deployment WHERE service_id = ?1 ORDER BY version DESC",
                &params![service.as_str()],
            )
            .await?;
        rows.iter().map(|row| deployment_row(row, &name)).collect()
    }

    async fn container_deployment_states(
        &mut self,
        service: &ContainerServiceId,
    ) -> Result<Vec<(DeploymentVersion, DeploymentState)>, StoreError> {
        let rows = self
            .0
            .query(
                "SELECT version, state FROM container_deployment WHERE service_id = ?1 \
                 ORDER BY version DESC",
                &params![service.as_str()],
            )
            .await?;
        rows.iter()
            .map(|row| Ok((DeploymentVersion(row.size(0)?), row.deployment_state(1)?)))
            .collect()
    }

    async fn container_images(
        &mut self,
        service: &ServiceKey,
    ) -> Result<Vec<StoredImage>, StoreError> {
        let rows = self
            .0
            .query(
                "SELECT label, version, digest, created_at, seq FROM container_image \
                 WHERE service_id = ?1 ORDER BY created_at DESC, seq DESC",
                &params![service.id.as_str()],
            )
            .await?;
        rows.iter()
            .map(|row| image_row(row, &service.name))
            .collect()
    }

    async fn container_image(
        &mut self,
        service: &ServiceKey,
        image: &RegisteredImage,
    ) -> Result<Option<StoredImage>, StoreError> {
        let row = self
            .query_first(
                "SELECT label, version, digest, created_at, seq FROM container_image \
                 WHERE service_id = ?1 AND label = ?2 AND version = ?3",
                &[
                    service.id.as_str().into(),
                    image.label.as_str().into(),
                    size(image.version.0),
                ],
            )
            .await?;
        row.map(|row| image_row(&row, &service.name)).transpose()
    }

    async fn container_counters(
        &mut self,
        service: &ContainerServiceId,
        label: &ImageLabel,
    ) -> Result<Counters, StoreError> {
        let of_service = self
            .query_first(
                "SELECT image_next FROM container_service WHERE id = ?1",
                &params![service.as_str()],
            )
            .await?;
        let of_label = self
            .query_first(
                "SELECT next FROM container_label WHERE service_id = ?1 AND label = ?2",
                &params![service.as_str(), label.as_str()],
            )
            .await?;
        let fresh = Counters::default();
        Ok(Counters {
            label_next: of_label.map_or(Ok(fresh.label_next), |row| row.size(0))?,
            service_next: of_service.map_or(Ok(fresh.service_next), |row| row.size(0))?,
        })
    }

    async fn is_container_image(
        &mut self,
        repository: RepositoryId,
        digest: &Digest,
    ) -> Result<bool, StoreError> {
        self.is_any(
            "SELECT service_id FROM container_image WHERE repository_id = ?1 AND digest = ?2 \
             LIMIT 1",
            &params![repository.0, digest.as_str()],
        )
        .await
    }

    async fn container_push(
        &mut self,
        repository: RepositoryId,
        digest: &Digest,
    ) -> Result<Option<Timestamp>, StoreError> {
        let row = self
            .query_first(
                "SELECT expires_at FROM container_push WHERE repository_id = ?1 AND digest = ?2",
                &params![repository.0, digest.as_str()],
            )
            .await?;
        row.map(|row| row.time(0)).transpose()
    }

    async fn expired_container_pushes(
        &mut self,
        now: Timestamp,
        limit_rows: usize,
    ) -> Result<Vec<PendingPush>, StoreError> {
        let rows = self
            .0
            .query(
                "SELECT repository.id, repository.kind, repository.account, repository.region, \
                 repository.name, repository.created_at, repository.mutability_mode, \
                 repository.exclusion_filters, repository.scan_on_push, push.digest, \
                 push.expires_at FROM container_push push \
                 JOIN repository ON repository.id = push.repository_id \
                 WHERE push.expires_at <= ?1 \
                 ORDER BY push.expires_at, push.repository_id, push.digest LIMIT ?2",
                &[now.0.into(), limit(limit_rows)],
            )
            .await?;
        rows.iter().map(push_row).collect()
    }

    async fn container_log(
        &mut self,
        service: &ContainerServiceId,
        container: &ContainerName,
        after: LogPosition,
        until: Timestamp,
        limit_rows: usize,
    ) -> Result<Vec<LogEvent>, StoreError> {
        let rows = self
            .0
            .query(
                "SELECT at, seq, message FROM container_log \
                 WHERE service_id = ?1 AND container = ?2 AND (at, seq) > (?3, ?4) AND at <= ?5 \
                 ORDER BY at, seq LIMIT ?6",
                &[
                    service.as_str().into(),
                    container.as_str().into(),
                    after.at.0.into(),
                    size(after.sequence),
                    until.0.into(),
                    limit(limit_rows),
                ],
            )
            .await?;
        rows.iter()
            .map(|row| {
                Ok(LogEvent {
                    created_at: row.time(0)?,
                    sequence: row.size(1)?,
                    message: row.text(2)?.into(),
                })
            })
            .collect()
    }

    async fn container_usage(
        &mut self,
        service: &ContainerServiceId,
        after: LogPosition,
        until: Timestamp,
        limit_rows: usize,
    ) -> Result<Vec<UsageSample>, StoreError> {
        let rows = self
            .0
            .query(
                "SELECT at, seq, version, cpu, memory FROM container_usage \
                 WHERE service_id = ?1 AND (at, seq) > (?2, ?3) AND at < ?4 \
                 ORDER BY at, seq LIMIT ?5",
                &[
                    service.as_str().into(),
                    after.at.0.into(),
                    size(after.sequence),
                    until.0.into(),
                    limit(limit_rows),
                ],
            )
            .await?;
        rows.iter()
            .map(|row| {
                Ok(UsageSample {
                    service: service.clone(),
                    at: row.time(0)?,
                    sequence: row.size(1)?,
                    version: DeploymentVersion(row.size(2)?),
                    cpu_percent: percent(row.int(3)?),
                    memory_percent: percent(row.int(4)?),
                })
            })
            .collect()
    }

    async fn has_container_records_before(
        &mut self,
        before: Timestamp,
    ) -> Result<bool, StoreError> {
        let lines = "SELECT at FROM container_log WHERE at < ?1 ORDER BY at LIMIT 1";
        let usage = "SELECT at FROM container_usage WHERE at < ?1 ORDER BY at LIMIT 1";
        let before = params![before.0];
        Ok(self.is_any(lines, &before).await? || self.is_any(usage, &before).await?)
    }
}
