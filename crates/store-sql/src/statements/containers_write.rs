//! Changes to container services, their deployments, images, logs and usage.
//!
//! Kept here: `passing_since` is `since` in exactly the states that end by themselves, and
//! `current_version` and `next_version` name deployments that are stored.

use std::collections::BTreeSet;

use async_trait::async_trait;
use roadstead_domain::digest::Digest;
use roadstead_domain::ids::{ContainerServiceId, RepositoryId};
use roadstead_domain::lightsail::addresses::RoleId;
use roadstead_domain::lightsail::deployment::{Deployment, DeploymentVersion};
use roadstead_domain::lightsail::images::StoredImage;
use roadstead_domain::lightsail::names::RegisteredImage;
use roadstead_domain::lightsail::state::StateDetailCode;
use roadstead_domain::lightsail::versions::Counters;
use roadstead_domain::time::Timestamp;
use roadstead_store::metadata::{
    ContainerPlace, NewLogLine, StoreError, StoredService, UsageSample, WriteContainers,
};

use super::containers_text::{domain_names_text, pins_text, spec_text, tags_text};
use crate::sql::{Param, Sql, Tx, limit, params, size};

/// The integer nearest to a percentage in millionths; what is no number counts as nothing.
fn millionths(percent: f64) -> i64 {
    (percent * 1e6).round() as i64
}

/// Version numbers of the live deployments, and since when a service passes.
fn marks(stored: &StoredService) -> [Param<'static>; 3] {
    let version = |deployment: &Option<Deployment>| {
        let deployment = deployment.as_ref();
        deployment.map_or(Param::Null, |one| size(one.version.0))
    };
    let service = &stored.service;
    let passing = service.state.is_passing();
    [
        passing.then_some(service.since.0).into(),
        version(&service.current),
        version(&service.next),
    ]
}

impl<S: Sql> Tx<S> {
    async fn put_live_deployments(&mut self, stored: &StoredService) -> Result<(), StoreError> {
        let service = &stored.service;
        for deployment in [&service.current, &service.next].into_iter().flatten() {
            self.put_deployment(&stored.id, deployment).await?;
        }
        Ok(())
    }

    async fn put_deployment(
        &mut self,
        service: &ContainerServiceId,
        deployment: &Deployment,
    ) -> Result<(), StoreError> {
        let (spec, pins) = (spec_text(&deployment.spec), pins_text(&deployment.pins));
        self.0
            .execute(
                "INSERT INTO container_deployment (service_id, version, state, created_at, \
                 finished_at, spec, pins) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
                 ON CONFLICT (service_id, version) DO UPDATE SET state = excluded.state, \
                 created_at = excluded.created_at, finished_at = excluded.finished_at, \
                 spec = excluded.spec, pins = excluded.pins",
                &[
                    service.as_str().into(),
                    size(deployment.version.0),
                    deployment.state.as_str().into(),
                    deployment.created_at.0.into(),
                    deployment.finished_at.map(|at| at.0).into(),
                    spec.as_str().into(),
                    pins.as_str().into(),
                ],
            )
            .await?;
        Ok(())
    }

    /// Those of the services that there are.
    async fn there<'a>(
        &mut self,
        services: impl Iterator<Item = &'a ContainerServiceId> + Send,
    ) -> Result<BTreeSet<&'a ContainerServiceId>, StoreError> {
        let named: BTreeSet<_> = services.collect();
        let mut there = BTreeSet::new();
        for id in named {
            let row = self
                .query_first(
                    "SELECT id FROM container_service WHERE id = ?1",
                    &params![id.as_str()],
                )
                .await?;
            if row.is_some() {
                there.insert(id);
            }
        }
        Ok(there)
    }

    /// Removes the lines that a question finds: (service, container, at, seq).
    async fn remove_lines(
        &mut self,
        sql: &'static str,
        params: &[Param<'_>],
    ) -> Result<usize, StoreError> {
        let rows = self.0.query(sql, params).await?;
        let mut sets = Vec::with_capacity(rows.len());
        for row in &rows {
            let key = params![row.text(0)?, row.text(1)?, row.int(2)?, row.int(3)?];
            sets.push(key.to_vec());
        }
        let delete = "DELETE FROM container_log \
             WHERE service_id = ?1 AND container = ?2 AND at = ?3 AND seq = ?4";
        self.0.execute_each(delete, &sets).await?;
        Ok(sets.len())
    }

    /// Removes the measurements that a question finds: (service, at, seq).
    async fn remove_usage(
        &mut self,
        sql: &'static str,
        params: &[Param<'_>],
    ) -> Result<usize, StoreError> {
        let rows = self.0.query(sql, params).await?;
        let mut sets = Vec::with_capacity(rows.len());
        for row in &rows {
            sets.push(params![row.text(0)?, row.int(1)?, row.int(2)?].to_vec());
        }
        let delete = "DELETE FROM container_usage WHERE service_id = ?1 AND at = ?2 AND seq = ?3";
        self.0.execute_each(delete, &sets).await?;
        Ok(sets.len())
    }
}

#[async_trait]
impl<S: Sql> WriteContainers for Tx<S> {
    async fn insert_container_place(&mut self, place: &ContainerPlace) -> Result<(), StoreError> {
        self.0
            .execute(
                "INSERT INTO container_place (account, region, address_part, lightsail) \
                 VALUES (?1, ?2, ?3, ?4) ON CONFLICT (account, region) DO NOTHING",
                &params![
                    place.account.as_str(),
                    place.region.as_str(),
                    place.address_part.as_str(),
                    place.lightsail.as_str(),
                ],
            )
            .await?;
        Ok(())
    }

    async fn insert_container_service(&mut self, new: &StoredService) -> Result<bool, StoreError> {
        let service = &new.service;
        let (names, tags) = (
            domain_names_text(&service.domain_names),
            tags_text(&new.tags),
        );
        let [passing, current, next] = marks(new);
        let inserted = self
            .0
            .execute(
                "INSERT INTO container_service (id, account, region, name, created_at, power, \
                 scale, is_disabled, state, detail, since, passing_since, current_version, \
                 next_version, version_next, image_next, role, puller_role, domain_names, tags) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, \
                 ?17, ?18, ?19, ?20) ON CONFLICT DO NOTHING",
                &[
                    new.id.as_str().into(),
                    new.account.as_str().into(),
                    new.region.as_str().into(),
                    service.name.as_str().into(),
                    new.created_at.0.into(),
                    service.power.as_str().into(),
                    i64::from(service.scale.nodes()).into(),
                    service.is_disabled.into(),
                    service.state.as_str().into(),
                    service.detail.map(StateDetailCode::as_str).into(),
                    service.since.0.into(),
                    passing,
                    current,
                    next,
                    size(service.next_version.0),
                    size(Counters::default().service_next),
                    new.role.as_str().into(),
                    service
                        .registry_access
                        .role
                        .as_ref()
                        .map(RoleId::as_str)
                        .into(),
                    names.as_str().into(),
                    tags.as_str().into(),
                ],
            )
            .await?;
        if inserted == 0 {
            return Ok(false);
        }
        self.put_live_deployments(new).await?;
        Ok(true)
    }

    async fn update_container_service(&mut self, stored: &StoredService) -> Result<(), StoreError> {
        let service = &stored.service;
        let names = domain_names_text(&service.domain_names);
        let tags = tags_text(&stored.tags);
        let [passing, current, next] = marks(stored);
        self.put_live_deployments(stored).await?;
        self.0
            .execute(
                "UPDATE container_service SET power = ?2, scale = ?3, is_disabled = ?4, \
                 state = ?5, detail = ?6, since = ?7, passing_since = ?8, current_version = ?9, \
                 next_version = ?10, version_next = ?11, puller_role = ?12, domain_names = ?13, \
                 tags = ?14 WHERE id = ?1",
                &[
                    stored.id.as_str().into(),
                    service.power.as_str().into(),
                    i64::from(service.scale.nodes()).into(),
                    service.is_disabled.into(),
                    service.state.as_str().into(),
                    service.detail.map(StateDetailCode::as_str).into(),
                    service.since.0.into(),
                    passing,
                    current,
                    next,
                    size(service.next_version.0),
                    service
                        .registry_access
                        .role
                        .as_ref()
                        .map(RoleId::as_str)
                        .into(),
                    names.as_str().into(),
                    tags.as_str().into(),
                ],
            )
            .await?;
        Ok(())
    }

    async fn put_container_deployment(
        &mut self,
        service: &ContainerServiceId,
        deployment: &Deployment,
    ) -> Result<(), StoreError> {
        self.put_deployment(service, deployment).await
    }

    async fn delete_container_deployments(
        &mut self,
        service: &ContainerServiceId,
        versions: &[DeploymentVersion],
    ) -> Result<(), StoreError> {
        let key = |version: &DeploymentVersion| vec![service.as_str().into(), size(version.0)];
        let sets: Vec<Vec<Param<'_>>> = versions.iter().map(key).collect();
        let delete = "DELETE FROM container_deployment WHERE service_id = ?1 AND version = ?2";
        self.0.execute_each(delete, &sets).await
    }

    async fn empty_container_service(
        &mut self,
        service: &ContainerServiceId,
        limit_rows: usize,
    ) -> Result<bool, StoreError> {
        let params = [service.as_str().into(), limit(limit_rows)];
        let lines = self
            .remove_lines(
                "SELECT service_id, container, at, seq FROM container_log \
                 WHERE service_id = ?1 LIMIT ?2",
                &params,
            )
            .await?;
        let usage = self
            .remove_usage(
                "SELECT service_id, at, seq FROM container_usage WHERE service_id = ?1 LIMIT ?2",
                &params,
            )
            .await?;
        Ok(lines < limit_rows && usage < limit_rows)
    }

    async fn delete_container_service(
        &mut self,
        service: &ContainerServiceId,
    ) -> Result<(), StoreError> {
        for sql in [
            "DELETE FROM container_image WHERE service_id = ?1",
            "DELETE FROM container_label WHERE service_id = ?1",
            "DELETE FROM container_deployment WHERE service_id = ?1",
            "DELETE FROM container_service WHERE id = ?1",
        ] {
            self.0.execute(sql, &params![service.as_str()]).await?;
        }
        Ok(())
    }

    async fn insert_container_image(
        &mut self,
        service: &ContainerServiceId,
        image: &StoredImage,
        repository: RepositoryId,
        counters: Counters,
    ) -> Result<(), StoreError> {
        let label = image.image.label.as_str();
        self.0
            .execute(
                "INSERT INTO container_image (service_id, label, version, repository_id, digest, \
                 created_at, seq) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                &[
                    service.as_str().into(),
                    label.into(),
                    size(image.image.version.0),
                    repository.0.into(),
                    image.digest.as_str().into(),
                    image.created_at.0.into(),
                    size(image.sequence),
                ],
            )
            .await?;
        self.0
            .execute(
                "INSERT INTO container_label (service_id, label, next) VALUES (?1, ?2, ?3) \
                 ON CONFLICT (service_id, label) DO UPDATE SET next = excluded.next",
                &[
                    service.as_str().into(),
                    label.into(),
                    size(counters.label_next),
                ],
            )
            .await?;
        self.0
            .execute(
                "UPDATE container_service SET image_next = ?2 WHERE id = ?1",
                &[service.as_str().into(), size(counters.service_next)],
            )
            .await?;
        Ok(())
    }

    async fn delete_container_image(
        &mut self,
        service: &ContainerServiceId,
        image: &RegisteredImage,
    ) -> Result<(), StoreError> {
        self.0
            .execute(
                "DELETE FROM container_image \
                 WHERE service_id = ?1 AND label = ?2 AND version = ?3",
                &[
                    service.as_str().into(),
                    image.label.as_str().into(),
                    size(image.version.0),
                ],
            )
            .await?;
        Ok(())
    }

    async fn put_container_push(
        &mut self,
        repository: RepositoryId,
        digest: &Digest,
        expires_at: Timestamp,
    ) -> Result<(), StoreError> {
        self.0
            .execute(
                "INSERT INTO container_push (repository_id, digest, expires_at) \
                 VALUES (?1, ?2, ?3) ON CONFLICT (repository_id, digest) DO UPDATE \
                 SET expires_at = excluded.expires_at \
                 WHERE excluded.expires_at > container_push.expires_at",
                &params![repository.0, digest.as_str(), expires_at.0],
            )
            .await?;
        Ok(())
    }

    async fn delete_container_push(
        &mut self,
        repository: RepositoryId,
        digest: &Digest,
    ) -> Result<(), StoreError> {
        self.0
            .execute(
                "DELETE FROM container_push WHERE repository_id = ?1 AND digest = ?2",
                &params![repository.0, digest.as_str()],
            )
            .await?;
        Ok(())
    }

    async fn append_container_log(&mut self, lines: &[NewLogLine]) -> Result<(), StoreError> {
        let services = self.there(lines.iter().map(|line| &line.service)).await?;
        let mut sets: Vec<Vec<Param<'_>>> = Vec::with_capacity(lines.len());
        for line in lines {
            if !services.contains(&line.service) {
                continue;
            }
            let event = &line.event;
            sets.push(vec![
                line.service.as_str().into(),
                line.container.as_str().into(),
                event.created_at.0.into(),
                size(event.sequence),
                event.message.as_str().into(),
            ]);
        }
        let insert = "INSERT INTO container_log (service_id, container, at, seq, message) \
             VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING";
        self.0.execute_each(insert, &sets).await
    }

    async fn insert_container_usage(&mut self, samples: &[UsageSample]) -> Result<(), StoreError> {
        let services = samples.iter().map(|sample| &sample.service);
        let services = self.there(services).await?;
        let mut sets: Vec<Vec<Param<'_>>> = Vec::with_capacity(samples.len());
        for sample in samples {
            if !services.contains(&sample.service) {
                continue;
            }
            sets.push(vec![
                sample.service.as_str().into(),
                sample.at.0.into(),
                size(sample.sequence),
                size(sample.version.0),
                millionths(sample.cpu_percent).into(),
                millionths(sample.memory_percent).into(),
            ]);
        }
        let insert = "INSERT INTO container_usage (service_id, at, seq, version, cpu, memory) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING";
        self.0.execute_each(insert, &sets).await
    }

    async fn prune_container_records(
        &mut self,
        before: Timestamp,
        limit_rows: usize,
    ) -> Result<bool, StoreError> {
        let params = [before.0.into(), limit(limit_rows)];
        let lines = self
            .remove_lines(
                "SELECT service_id, container, at, seq FROM container_log WHERE at < ?1 \
                 ORDER BY at, service_id, container, seq LIMIT ?2",
                &params,
            )
            .await?;
        let usage = self
            .remove_usage(
                "SELECT service_id, at, seq FROM container_usage WHERE at < ?1 \
                 ORDER BY at, service_id, seq LIMIT ?2",
                &params,
            )
            .await?;
        Ok(lines < limit_rows && usage < limit_rows)
    }
}
