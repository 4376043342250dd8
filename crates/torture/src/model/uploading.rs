//! Operations on uploads: opened, sent to in chunks that fit or do not, asked about, ended, given
//! up.

use http::Method;
use roadstead_testkit::images;

use super::op::{Chunk, NAMES, Op};
use super::run::{Run, same, same_status};
use crate::door::none;

/// Bytes of a chunk.
const CHUNK: usize = 150;
/// Which of the uploads are chosen: those opened last, which may still be open.
const RECENT: usize = 6;

/// The repository that the path of an upload is in.
fn repository_of(upload: &str) -> &str {
    let path = upload.strip_prefix("/v2/").unwrap_or(upload);
    path.split_once("/blobs/").map_or(path, |(name, _)| name)
}

impl Run<'_> {
    /// Does an operation on an upload on both sides.
    pub(super) async fn upload(&mut self, op: &Op) -> Result<(), String> {
        if let Op::Open(r, b) = *op {
            return self.open(r, b).await;
        }
        let (Op::Chunk(n, _) | Op::Status(n) | Op::Finish(n, _) | Op::Cancel(n)) = *op else {
            return Err(format!("{op:?} is not about an upload"));
        };
        let count = self.reference.uploads();
        if count == 0 {
            return Ok(());
        }
        let n = count - 1 - n % count.min(RECENT);
        match *op {
            Op::Chunk(_, chunk) => self.chunk(n, chunk).await,
            Op::Finish(_, is_right) => self.finish(n, is_right).await,
            Op::Status(_) => self.status(n).await,
            _ => self.cancel(n).await,
        }
    }

    async fn open(&mut self, r: usize, b: usize) -> Result<(), String> {
        let now = self.now();
        let path = format!("/v2/{}/blobs/uploads/", NAMES[r]);
        let answer = self.door.v2(Method::POST, &path, none()).await;
        if answer.status == 202 {
            self.uploads.push((answer.header("location").to_owned(), b));
        }
        same_status(&answer, self.reference.open_upload(NAMES[r], now))
    }

    async fn chunk(&mut self, n: usize, chunk: Chunk) -> Result<(), String> {
        let now = self.now();
        let (path, b) = &self.uploads[n];
        let blob = &self.universe.blobs[*b];
        let received = self.reference.received(n, now);
        let at = received.unwrap_or(0);
        let (first, end) = match chunk {
            Chunk::Next => (at, (at + CHUNK).min(blob.len())),
            Chunk::Again => (0, CHUNK.min(blob.len())),
            Chunk::Gap => (at + 7, at + 20),
        };
        if first >= end || end > blob.len() {
            return Ok(());
        }
        let answer = self.door.chunk(path, first, blob.slice(first..end)).await;
        let told = match received {
            None => 404,
            Some(at) if at != first => 416,
            Some(_) => 202,
        };
        same_status(&answer, (told, ""))?;
        if told != 202 {
            return Ok(());
        }
        self.reference.receive(n, end - first, now);
        let range = format!("0-{}", end - 1);
        same("range", answer.header("range"), range.as_str())
    }

    async fn status(&self, n: usize) -> Result<(), String> {
        let received = self.reference.received(n, self.now());
        let answer = self.door.v2(Method::GET, &self.uploads[n].0, none()).await;
        same_status(&answer, (received.map_or(404, |_| 204), ""))?;
        let range = received.map(|at| format!("0-{}", at.saturating_sub(1)));
        let said = received.map(|_| answer.header("range").to_owned());
        same("range", said, range)
    }

    async fn finish(&mut self, n: usize, is_right: bool) -> Result<(), String> {
        let now = self.now();
        let (path, b) = &self.uploads[n];
        let blob = &self.universe.blobs[*b];
        let received = self.reference.received(n, now);
        let digest = match is_right {
            true => images::digest(blob),
            false => images::digest(b"something else"),
        };
        let rest = blob.slice(received.unwrap_or(0)..);
        let answer = self.door.finish(path, rest, &digest).await;
        let told = match received {
            None => (404, ""),
            Some(_) if !is_right => (400, ""),
            Some(_) => self.reference.push(repository_of(path), &digest, now),
        };
        if received.is_some() {
            self.reference.end_upload(n);
        }
        same_status(&answer, told)
    }

    async fn cancel(&mut self, n: usize) -> Result<(), String> {
        let received = self.reference.received(n, self.now());
        let path = &self.uploads[n].0;
        let answer = self.door.v2(Method::DELETE, path, none()).await;
        if received.is_some() {
            self.reference.end_upload(n);
        }
        same_status(&answer, (received.map_or(404, |_| 204), ""))
    }
}
