//! The contract of the blob port: one async function per case, one list of them all.
//!
//! `blob_contract!(name, setup)` makes a module `name` with one test per case. `setup` is an
//! `async fn(&str) -> (store, guard)` that gets the case's name and answers a store without any
//! bytes; the guard lives as long as the case. Cases know the port only, never an implementation.

pub mod reading;
pub mod removing;
pub mod resuming;
pub mod verifying;
pub mod writing;

use std::os::unix::fs::FileExt;

use bytes::Bytes;
use futures_util::StreamExt;
use roadstead_domain::digest::Digest;
use roadstead_domain::ids::BlobKey;

use super::{BlobBody, BlobStore, BlobWriter, Sealed};

/// Makes a module `$name` of tests, one per case of the contract, each on a store from `$setup`.
#[macro_export]
macro_rules! blob_contract {
    ($name:ident, $setup:expr) => {
        mod $name {
            use super::*;
            $crate::blob_contract! {
                @cases $setup;
                writing::an_empty_blob_seals,
                writing::one_byte_seals,
                writing::published_digests_are_found,
                writing::pieces_of_any_size_make_the_same_blob,
                writing::empty_pieces_change_nothing,
                writing::flushed_bytes_are_counted_in_the_store,
                writing::flushing_between_pieces_changes_nothing,
                writing::keys_do_not_disturb_one_another,
                writing::many_writers_at_once,
                writing::many_writers_in_turns,
                reading::ranges_are_exact,
                reading::a_range_past_the_end_is_an_error,
                reading::unknown_keys_are_not_found,
                reading::many_readers_of_one_blob,
                resuming::goes_on_where_the_writer_was_dropped,
                resuming::cuts_what_was_not_acknowledged,
                resuming::cut_bytes_never_come_back,
                resuming::cuts_to_nothing,
                resuming::tells_when_bytes_are_missing,
                resuming::without_bytes_starts_empty,
                resuming::follows_a_writer_dropped_in_full_flight,
                resuming::works_many_times,
                resuming::works_after_a_seal_that_no_row_knows,
                resuming::goes_on_from_a_checkpoint,
                resuming::a_checkpoint_that_does_not_fit_is_no_use,
                removing::frees_the_exact_bytes,
                removing::frees_staged_bytes,
                removing::again_frees_nothing,
                removing::nothing_is_fine,
                removing::a_key_named_twice_counts_once,
                removing::leaves_other_keys_alone,
                removing::an_open_reader_still_reads_everything,
                removing::keys_come_in_ordered_pages,
                removing::keys_are_gone_after_removal,
                verifying::what_is_right_is_read,
                verifying::what_is_wrong_is_never_read_whole,
                verifying::a_digest_at_a_rate_is_the_same,
                verifying::set_aside_is_gone,
                verifying::there_are_no_strangers,
            }
        }
    };
    (@cases $setup:expr; $($theme:ident::$case:ident),* $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let (store, _guard) = $setup(stringify!($case)).await;
                $crate::blobs::contract::$theme::$case(&store).await;
            }
        )*
    };
}

/// 256 KiB: the buffer size that implementations are likely to have, hence the sizes around it.
const BUFFER: usize = 256 * 1024;

/// A key of this case; the same number is the same key. Neighbours lie far apart.
fn key(number: u8) -> BlobKey {
    let spread = u128::from(number.reverse_bits()) << 120;
    BlobKey::from_random(spread | u128::from(number))
}

/// `length` bytes without a short period, different for every seed (a xorshift generator).
fn bytes(seed: u8, length: usize) -> Bytes {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ (u64::from(seed) << 7);
    let mut made = Vec::with_capacity(length + 8);
    while made.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        made.extend_from_slice(&state.to_le_bytes());
    }
    made.truncate(length);
    made.into()
}

/// Writes `content` in pieces of `piece` bytes.
async fn append(writer: &mut dyn BlobWriter, content: &Bytes, piece: usize) {
    let mut at = 0;
    while at < content.len() {
        let end = content.len().min(at + piece);
        writer.write(content.slice(at..end)).await.expect("write");
        at = end;
    }
}

/// Creates and seals one blob, and checks what sealing says.
async fn put(store: &dyn BlobStore, key: &BlobKey, content: &Bytes) {
    let mut writer = store.create(key).await.expect("create");
    append(&mut *writer, content, BUFFER).await;
    seal_as(writer, content).await;
}

/// Stages `content` and drops the writer, as a server does when its client goes away.
async fn stage(store: &dyn BlobStore, key: &BlobKey, content: &Bytes) {
    let mut writer = store.create(key).await.expect("create");
    append(&mut *writer, content, BUFFER).await;
    writer.flush().await.expect("flush");
}

/// Seals and checks size and digest.
async fn seal_as(writer: Box<dyn BlobWriter>, content: &Bytes) {
    assert_eq!(writer.size_bytes(), content.len() as u64);
    let sealed = writer.seal().await.expect("seal");
    let expected = Sealed {
        size_bytes: content.len() as u64,
        sha256: Digest::sha256(content),
    };
    assert_eq!(sealed, expected);
}

/// Everything that a body yields.
async fn collect(body: BlobBody) -> Vec<u8> {
    match body {
        BlobBody::Bytes(bytes) => bytes.to_vec(),
        BlobBody::File {
            file,
            offset,
            length,
        } => {
            let mut read = vec![0; usize::try_from(length).expect("a length of a test")];
            file.read_exact_at(&mut read, offset).expect("read");
            read
        }
        BlobBody::Stream(mut pieces) => {
            let mut read = Vec::new();
            while let Some(piece) = pieces.next().await {
                read.extend_from_slice(&piece.expect("piece"));
            }
            read
        }
    }
}

/// Reads a whole blob and compares it.
async fn assert_holds(store: &dyn BlobStore, key: &BlobKey, content: &Bytes) {
    let length = content.len() as u64;
    assert_eq!(store.size_bytes(key).await.expect("size"), Some(length));
    let body = store.read(key, 0..length).await.expect("read");
    // Not assert_eq: megabytes of numbers help nobody.
    assert!(collect(body).await == **content, "other bytes under {key}");
}
