//! Statements about events that wait for their delivery.
//!
//! A destination sees its events by number; rows go only once they were delivered or given up.

use async_trait::async_trait;
use roadstead_domain::ids::RepositoryId;
use roadstead_domain::time::Timestamp;
use roadstead_store::metadata::{Event, NewEvent, ReadEvents, StoreError, WriteEvents};

use crate::sql::{Param, Row, Sql, Tx, limit, params};

fn event_row(row: &Row) -> Result<Event, StoreError> {
    Ok(Event {
        seq: row.int(0)?,
        repository: RepositoryId(row.int(1)?),
        at: row.time(2)?,
        payload: row.text(3)?.into(),
    })
}

impl<S: Sql> Tx<S> {
    async fn delete_events(&mut self, seqs: &[i64]) -> Result<(), StoreError> {
        let sets: Vec<Vec<Param<'_>>> = seqs.iter().map(|seq| params![*seq].to_vec()).collect();
        self.0
            .execute_each("DELETE FROM event WHERE seq = ?1", &sets)
            .await
    }
}

#[async_trait]
impl<S: Sql> ReadEvents for Tx<S> {
    async fn events(
        &mut self,
        destination: &str,
        after: Option<i64>,
        limit_rows: usize,
    ) -> Result<Vec<Event>, StoreError> {
        let rows = self
            .0
            .query(
                "SELECT seq, repository_id, appended_at, payload FROM event \
                 WHERE destination = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3",
                &[
                    destination.into(),
                    after.unwrap_or(i64::MIN).into(),
                    limit(limit_rows),
                ],
            )
            .await?;
        rows.iter().map(event_row).collect()
    }

    /// From one destination to the next: the events between them are not looked at.
    async fn event_destinations(&mut self) -> Result<Vec<String>, StoreError> {
        let first = "SELECT destination FROM event WHERE destination >= ?1 \
             ORDER BY destination LIMIT 1";
        let next = "SELECT destination FROM event WHERE destination > ?1 \
             ORDER BY destination LIMIT 1";
        let mut destinations: Vec<String> = Vec::new();
        loop {
            let (sql, after) = destinations
                .last()
                .map_or((first, ""), |last| (next, last.as_str()));
            let row = self.query_first(sql, &params![after]).await?;
            let Some(row) = row else {
                return Ok(destinations);
            };
            destinations.push(row.text(0)?.to_owned());
        }
    }
}

#[async_trait]
impl<S: Sql> WriteEvents for Tx<S> {
    async fn append_events(
        &mut self,
        at: Timestamp,
        events: &[NewEvent],
    ) -> Result<(), StoreError> {
        let sets: Vec<Vec<Param<'_>>> = events
            .iter()
            .map(|event| {
                let (destination, payload) = (event.destination.as_str(), event.payload.as_str());
                params![destination, event.repository.0, at.0, payload].to_vec()
            })
            .collect();
        self.0
            .execute_each(
                "INSERT INTO event (destination, repository_id, appended_at, payload) \
                 VALUES (?1, ?2, ?3, ?4)",
                &sets,
            )
            .await
    }

    async fn forget_events(&mut self, seqs: &[i64]) -> Result<(), StoreError> {
        self.delete_events(seqs).await
    }

    async fn drop_events(
        &mut self,
        destination: &str,
        before: Timestamp,
        limit_rows: usize,
    ) -> Result<u64, StoreError> {
        let rows = self
            .0
            .query(
                "SELECT seq FROM event WHERE destination = ?1 AND appended_at < ?2 \
                 ORDER BY appended_at, seq LIMIT ?3",
                &[destination.into(), before.0.into(), limit(limit_rows)],
            )
            .await?;
        let seqs = rows.iter().map(|row| row.int(0));
        let seqs = seqs.collect::<Result<Vec<_>, _>>()?;
        self.delete_events(&seqs).await?;
        Ok(seqs.len() as u64)
    }
}
