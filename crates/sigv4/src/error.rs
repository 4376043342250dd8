//! Every way a signature is refused: code and status for both protocols, and the exact message.
//! Source of codes and messages: the error table of the authentication reference (recorded from
//! real services by their clients); those marked "ours" have no recorded text.
//! Must never name a secret, or say more about a key than AWS does.

use std::fmt;

use crate::limits::EXPIRES_SECS_MAX;

/// A refused request. `Display` is the message for the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// No `Authorization`, no `X-Amz-Algorithm`, or another scheme than `AWS4-…`.
    MissingAuthentication,
    /// Header and query authentication together.
    BothForms,
    /// Parameters of the header form absent; the message lists them all.
    HeaderParametersMissing {
        /// Absent parameters, in the recorded order.
        parameters: Vec<&'static str>,
        /// Neither `X-Amz-Date` nor `Date` is there.
        date: bool,
        /// The header as received.
        authorization: String,
    },
    /// Parameters of the query form absent.
    QueryParametersMissing(Vec<&'static str>),
    /// A piece of the `Authorization` header lacks `=`.
    NotKeyValue {
        /// The piece.
        piece: String,
        /// The header as received.
        authorization: String,
    },
    /// A bound of [`crate::limits`] is passed (ours).
    TooLong {
        /// What is too long, at the start of the sentence.
        what: &'static str,
        /// The bound with its unit.
        max: String,
    },
    /// The date is in neither accepted form.
    DateSyntax(String),
    /// The request was signed too long ago. All three are timestamps.
    Expired {
        /// When it was signed.
        signed_at: String,
        /// The earliest acceptable.
        earliest: String,
        /// The server's time.
        now: String,
        /// The tolerance.
        window_minutes: u32,
    },
    /// The request is signed too far in the future.
    NotYetCurrent {
        /// When it was signed.
        signed_at: String,
        /// The latest acceptable.
        latest: String,
        /// The server's time.
        now: String,
        /// The tolerance.
        window_minutes: u32,
    },
    /// A presigned request past its `X-Amz-Expires`.
    PresignedExpired {
        /// Last instant at which it was good.
        expired_at: String,
        /// The server's time.
        now: String,
    },
    /// `X-Amz-Expires` is not a number in 1..=604800 (ours).
    ExpiresRange(String),
    /// `host` is not among the signed headers.
    HostUnsigned,
    /// `X-Amz-Target` came but is not signed, so anyone could have changed the operation (ours).
    TargetUnsigned,
    /// A signed header is not in the request, e.g. dropped by a proxy (ours).
    SignedHeaderAbsent(String),
    /// A name is listed twice in the signed headers (ours).
    SignedHeaderRepeated(String),
    /// Another algorithm than AWS4-HMAC-SHA256.
    Algorithm(String),
    /// The credential has not five parts.
    CredentialParts(String),
    /// The scope does not fit; the sentences of all failing parts, in the recorded order.
    Scope(Vec<String>),
    /// `UNSIGNED-PAYLOAD` where the policy refuses it (ours).
    UnsignedPayload,
    /// A `STREAMING-…` payload, which belongs to S3 (ours).
    StreamingPayload(String),
    /// `x-amz-content-sha256` is not the hash of the body (text of S3's own error).
    PayloadHashMismatch,
    /// Raised by the caller: no such access key, or a disabled one.
    UnknownKey,
    /// Raised by the caller: a session token that is absent, surplus or not of this key.
    BadSessionToken,
    /// Raised by the caller: the session is over.
    ExpiredToken,
    /// The signature is not the one of this request and key.
    SignatureMismatch,
}

/// Code and status for JSON 1.1, then for the Query protocol.
type Wire = (&'static str, u16, &'static str, u16);

const MISSING: Wire = (
    "MissingAuthenticationTokenException",
    400,
    "MissingAuthenticationToken",
    403,
);
const INCOMPLETE: Wire = (
    "IncompleteSignatureException",
    400,
    "IncompleteSignature",
    400,
);
const INVALID: Wire = (
    "InvalidSignatureException",
    400,
    "SignatureDoesNotMatch",
    403,
);
const PRESIGNED_EXPIRED: Wire = ("InvalidSignatureException", 400, "RequestExpired", 400);
const UNRECOGNIZED: Wire = (
    "UnrecognizedClientException",
    400,
    "InvalidClientTokenId",
    403,
);
const EXPIRED_TOKEN: Wire = ("ExpiredTokenException", 400, "ExpiredToken", 403);

const NO_DATE: &str =
    "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ";

impl Error {
    /// `__type` for the JSON 1.1 protocol.
    pub fn code_json(&self) -> &'static str {
        self.wire().0
    }

    /// HTTP status for the JSON 1.1 protocol.
    pub fn status_json(&self) -> u16 {
        self.wire().1
    }

    /// `<Code>` for the Query protocol (STS, IAM).
    pub fn code_query(&self) -> &'static str {
        self.wire().2
    }

    /// HTTP status for the Query protocol.
    pub fn status_query(&self) -> u16 {
        self.wire().3
    }

    fn wire(&self) -> Wire {
        match self {
            Error::MissingAuthentication => MISSING,
            Error::HeaderParametersMissing { .. }
            | Error::QueryParametersMissing(_)
            | Error::NotKeyValue { .. }
            | Error::TooLong { .. }
            | Error::DateSyntax(_)
            | Error::Algorithm(_)
            | Error::CredentialParts(_) => INCOMPLETE,
            Error::BothForms
            | Error::Expired { .. }
            | Error::NotYetCurrent { .. }
            | Error::ExpiresRange(_)
            | Error::HostUnsigned
            | Error::TargetUnsigned
            | Error::SignedHeaderAbsent(_)
            | Error::SignedHeaderRepeated(_)
            | Error::Scope(_)
            | Error::UnsignedPayload
            | Error::StreamingPayload(_)
            | Error::PayloadHashMismatch
            | Error::SignatureMismatch => INVALID,
            Error::PresignedExpired { .. } => PRESIGNED_EXPIRED,
            Error::UnknownKey | Error::BadSessionToken => UNRECOGNIZED,
            Error::ExpiredToken => EXPIRED_TOKEN,
        }
    }

    /// Messages that depend on nothing; empty for the others.
    fn fixed(&self) -> &'static str {
        match self {
            Error::MissingAuthentication => "Missing Authentication Token",
            Error::BothForms => {
                "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' \
                 as HTTP header."
            }
            Error::HostUnsigned => {
                "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."
            }
            Error::TargetUnsigned => {
                "'X-Amz-Target' must be a 'SignedHeader' in the AWS Authorization."
            }
            Error::UnsignedPayload => {
                "'UNSIGNED-PAYLOAD' is not accepted: the payload must be signed."
            }
            Error::PayloadHashMismatch => {
                "The provided 'x-amz-content-sha256' header does not match what was computed."
            }
            Error::UnknownKey | Error::BadSessionToken => {
                "The security token included in the request is invalid."
            }
            Error::ExpiredToken => "The security token included in the request is expired",
            Error::SignatureMismatch => {
                "The request signature we calculated does not match the signature you provided. \
                 Check your AWS Secret Access Key and signing method. \
                 Consult the service documentation for details."
            }
            _ => "",
        }
    }
}

impl Error {
    /// The messages that list absent parameters, each sentence with a space after it.
    fn write_missing(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::HeaderParametersMissing {
                parameters,
                date,
                authorization,
            } => {
                for name in parameters {
                    write!(f, "Authorization header requires '{name}' parameter. ")?;
                }
                let no_date = if *date { NO_DATE } else { "" };
                write!(f, "{no_date}Authorization={authorization}")
            }
            Error::QueryParametersMissing(parameters) => {
                for name in parameters {
                    write!(f, "AWS query-string parameters must include '{name}'. ")?;
                }
                f.write_str("Re-examine the query-string parameters.")
            }
            _ => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::HeaderParametersMissing { .. } | Error::QueryParametersMissing(_) => {
                self.write_missing(f)
            }
            Error::NotKeyValue {
                piece,
                authorization,
            } => write!(
                f,
                "'{piece}' not a valid key=value pair (missing equal-sign) in Authorization \
                 header: '{authorization}'."
            ),
            Error::TooLong { what, max } => write!(f, "{what} is longer than {max}."),
            Error::DateSyntax(got) => write!(
                f,
                "Date must be in ISO-8601 'basic format'. Got '{got}'. \
                 See http://en.wikipedia.org/wiki/ISO_8601"
            ),
            Error::Expired {
                signed_at,
                earliest,
                now,
                window_minutes,
            } => write!(
                f,
                "Signature expired: {signed_at} is now earlier than {earliest} \
                 ({now} - {window_minutes} min.)"
            ),
            Error::NotYetCurrent {
                signed_at,
                latest,
                now,
                window_minutes,
            } => write!(
                f,
                "Signature not yet current: {signed_at} is still later than {latest} \
                 ({now} + {window_minutes} min.)"
            ),
            // Same shape as `Expired`, so that SDKs still find the server's time in it.
            Error::PresignedExpired { expired_at, now } => {
                write!(
                    f,
                    "Signature expired: {expired_at} is now earlier than {now} ({now} - 0 min.)"
                )
            }
            Error::ExpiresRange(got) => write!(
                f,
                "'X-Amz-Expires' must be a number of seconds from 1 to {EXPIRES_SECS_MAX}, \
                 got '{got}'."
            ),
            Error::SignedHeaderAbsent(name) => {
                write!(f, "'{name}' is a 'SignedHeader' but is not in the request.")
            }
            Error::SignedHeaderRepeated(name) => {
                write!(f, "'{name}' is named twice in 'SignedHeaders'.")
            }
            Error::Algorithm(got) => write!(f, "Unsupported AWS 'algorithm': '{got}'"),
            Error::CredentialParts(got) => write!(
                f,
                "Credential must have exactly 5 slash-delimited elements, \
                 e.g. keyid/date/region/service/term, got '{got}'"
            ),
            Error::Scope(sentences) => f.write_str(&sentences.join(" ")),
            Error::StreamingPayload(got) => {
                write!(
                    f,
                    "'{got}' is not accepted: the payload must be signed as a whole."
                )
            }
            fixed => f.write_str(fixed.fixed()),
        }
    }
}
