//! The request as this crate sees it: borrowed parts, still as they were on the wire.
//! Built by the caller, read by parsing, verification and signing alike.
//! It must never decode or tidy anything: the signature covers the raw form.

/// How the path enters the canonical request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PathStyle {
    /// Dot segments and empty segments are removed first. Every service but S3.
    #[default]
    Normalized,
    /// The path is taken as it came (S3, and the `unnormalized` vectors).
    AsIs,
}

/// One HTTP request, as received or as about to be sent.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Method exactly as on the request line; its case is signed.
    pub method: &'a str,
    /// Path of the request target, undecoded, without the query. Empty means `/`.
    pub path: &'a str,
    /// Query of the request target, undecoded, without `?`. Empty when there is none.
    pub query: &'a str,
    /// Header lines in arrival order; names in any case, values as bytes.
    pub headers: &'a [(&'a str, &'a [u8])],
    /// Values to try for the signed host, in order: the received `Host` or `:authority` first,
    /// then the names the operator configured (never free input). Empty: the `Host` header only.
    pub hosts: &'a [&'a str],
    /// SHA-256 of the body bytes as received.
    pub body_sha256: [u8; 32],
}

impl<'a> Request<'a> {
    /// The first header of that name, compared without case.
    pub(crate) fn header(&self, name: &str) -> Option<&'a [u8]> {
        self.headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| *value)
    }

    /// The query split at `&` and at the first `=`, undecoded, empty pieces dropped.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        self.query
            .split('&')
            .filter(|piece| !piece.is_empty())
            .map(|piece| piece.split_once('=').unwrap_or((piece, "")))
    }
}

/// Is this a name that stands for the host the client dialled?
pub(crate) fn is_host(name: &str) -> bool {
    name.eq_ignore_ascii_case("host") || name.eq_ignore_ascii_case(":authority")
}
