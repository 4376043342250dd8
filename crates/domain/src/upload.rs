//! The arithmetic of uploads: contiguous parts, exact offsets, a least part size.

use crate::ids::{BlobKey, RepositoryId, UploadId};
use crate::limits::LAYER_PART_BYTES_MIN;
use crate::time::Timestamp;

/// Where the hash of an upload stood when its first bytes were made durable, in a text that only
/// the blob store reads. It is stored in one step with the offset that it belongs to (F19).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HashState(pub String);

/// One unfinished blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// Its public id.
    pub id: UploadId,
    /// The repository that it was opened in; it works in no other.
    pub repository: RepositoryId,
    /// Where its bytes go.
    pub key: BlobKey,
    /// Bytes received and acknowledged.
    pub received_bytes: u64,
    /// Parts received.
    pub parts: u64,
    /// Whether a part that is not the last one was shorter than the API's least part size.
    pub has_short_part: bool,
    /// Whether the latest part was short: it makes the upload invalid only if another follows.
    pub is_last_part_short: bool,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When it is given up.
    pub expires_at: Timestamp,
    /// From where its hash goes on after a restart; from the first byte if none.
    pub hash_state: Option<HashState>,
}

/// A part does not start where the stored bytes end, or is not as long as it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutOfOrder {
    /// Where the part says it starts.
    pub first_byte: u64,
    /// Where it has to start.
    pub expected_byte: u64,
}

impl Upload {
    /// Accepts a part that starts at `first_byte` only at the end of the stored bytes (F16).
    pub fn check_offset(&self, first_byte: u64) -> Result<(), OutOfOrder> {
        if first_byte == self.received_bytes {
            return Ok(());
        }
        Err(OutOfOrder {
            first_byte,
            expected_byte: self.received_bytes,
        })
    }

    /// Records `part_bytes` that were stored. A part that broke off is not short, it goes on; one
    /// without bytes is none.
    pub fn advance(&mut self, part_bytes: u64, is_whole: bool, expires_at: Timestamp) {
        self.expires_at = expires_at;
        if part_bytes == 0 {
            return;
        }
        self.has_short_part |= self.is_last_part_short;
        self.is_last_part_short = is_whole && part_bytes < LAYER_PART_BYTES_MIN;
        self.received_bytes += part_bytes;
        self.parts += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upload() -> Upload {
        Upload {
            id: UploadId::from_random(1),
            repository: RepositoryId(1),
            key: BlobKey::from_random(1),
            received_bytes: 0,
            parts: 0,
            has_short_part: false,
            is_last_part_short: false,
            created_at: Timestamp(0),
            expires_at: Timestamp(0),
            hash_state: None,
        }
    }

    #[test]
    fn only_the_next_byte_is_accepted() {
        let mut upload = upload();
        upload.advance(10, true, Timestamp(0));
        assert!(upload.check_offset(10).is_ok());
        for first_byte in [0, 9, 11] {
            assert_eq!(
                upload.check_offset(first_byte),
                Err(OutOfOrder {
                    first_byte,
                    expected_byte: 10
                })
            );
        }
    }

    #[test]
    fn a_short_part_counts_only_when_another_follows() {
        let mut upload = upload();
        upload.advance(LAYER_PART_BYTES_MIN, true, Timestamp(0));
        upload.advance(1, false, Timestamp(0));
        upload.advance(0, true, Timestamp(0));
        upload.advance(1, true, Timestamp(0));
        upload.advance(0, true, Timestamp(0));
        assert!(!upload.has_short_part);
        upload.advance(LAYER_PART_BYTES_MIN, true, Timestamp(0));
        assert!(upload.has_short_part);
    }
}
