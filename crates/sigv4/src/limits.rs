//! Every bound this crate puts on its input, with its source.
//! Used by the parsing half only; bodies, URIs and header counts are bounded by the HTTP layer
//! before a request gets here.

/// Longest `Authorization` header read, in bytes. Ours: the longest seen from SDKs is below 1 KiB.
pub const AUTHORIZATION_BYTES_MAX: usize = 8 * 1024;

/// Most names in one `SignedHeaders` list. Ours: SDKs sign at most about fifteen.
pub const SIGNED_HEADERS_MAX: usize = 128;

/// Longest validity of a presigned request, in seconds (7 days, AWS query-string documentation).
pub const EXPIRES_SECS_MAX: u32 = 604_800;

/// Longest region name read from a scope, in bytes. Ours.
pub const REGION_BYTES_MAX: usize = 64;
