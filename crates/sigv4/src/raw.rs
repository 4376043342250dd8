//! The pieces of a signature as presented, from either form, not yet judged.
//! First step of parsing: decides only which form it is and that every piece is there.
//! It must never look at the clock, the scope or the key.

use crate::canonical::{decode, text};
use crate::limits::AUTHORIZATION_BYTES_MAX;
use crate::{Error, Form, Request};

/// Unjudged pieces of one signature.
pub(crate) struct Raw {
    pub form: Form,
    pub algorithm: String,
    pub credential: String,
    pub signed_headers: String,
    pub signature: String,
    pub date: String,
    /// The date comes from `Date`, which has another form than `X-Amz-Date`.
    pub date_is_http: bool,
    pub expires: String,
    pub session_token: Option<String>,
}

/// Finds the form in use and collects its pieces.
pub(crate) fn extract(request: &Request<'_>) -> Result<Raw, Error> {
    let authorization = request.header("authorization");
    match (authorization, parameter(request, "X-Amz-Algorithm")) {
        (Some(_), Some(_)) => Err(Error::BothForms),
        (None, None) => Err(Error::MissingAuthentication),
        (None, Some(algorithm)) => from_query(request, algorithm),
        (Some(value), None) => from_header(request, value),
    }
}

fn from_header(request: &Request<'_>, value: &[u8]) -> Result<Raw, Error> {
    if !value.trim_ascii().starts_with(b"AWS4-") {
        return Err(Error::MissingAuthentication);
    }
    if value.len() > AUTHORIZATION_BYTES_MAX {
        let max = format!("{AUTHORIZATION_BYTES_MAX} bytes");
        return Err(Error::TooLong {
            what: "Authorization header",
            max,
        });
    }
    let authorization = text(value);
    let (mut credential, mut signature, mut signed_headers) = ("", "", "");
    let mut pieces = authorization
        .split(|c: char| c == ',' || c.is_ascii_whitespace())
        .filter(|piece| !piece.is_empty());
    let algorithm = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        // A repeated key overwrites: the last one wins.
        match piece.split_once('=') {
            Some(("Credential", value)) => credential = value,
            Some(("Signature", value)) => signature = value,
            Some(("SignedHeaders", value)) => signed_headers = value,
            Some(_) => {}
            None => {
                let (piece, authorization) = (piece.to_owned(), authorization.into_owned());
                return Err(Error::NotKeyValue {
                    piece,
                    authorization,
                });
            }
        }
    }
    let amz_date = request.header("x-amz-date");
    let date = amz_date
        .or_else(|| request.header("date"))
        .unwrap_or_default();
    let wanted = [
        ("Credential", credential),
        ("Signature", signature),
        ("SignedHeaders", signed_headers),
    ];
    let parameters = absent(&wanted);
    if !parameters.is_empty() || date.is_empty() {
        let authorization = authorization.clone().into_owned();
        return Err(Error::HeaderParametersMissing {
            parameters,
            date: date.is_empty(),
            authorization,
        });
    }
    Ok(Raw {
        form: Form::Header,
        algorithm,
        credential: credential.to_owned(),
        signed_headers: signed_headers.to_owned(),
        signature: signature.to_owned(),
        date: text(date.trim_ascii()).into_owned(),
        date_is_http: amz_date.is_none(),
        expires: String::new(),
        session_token: request
            .header("x-amz-security-token")
            .map(|v| text(v).into_owned()),
    })
}

fn from_query(request: &Request<'_>, algorithm: String) -> Result<Raw, Error> {
    let get = |name| parameter(request, name).unwrap_or_default();
    let raw = Raw {
        form: Form::Query,
        algorithm,
        credential: get("X-Amz-Credential"),
        signed_headers: get("X-Amz-SignedHeaders"),
        signature: get("X-Amz-Signature"),
        date: get("X-Amz-Date"),
        date_is_http: false,
        expires: get("X-Amz-Expires"),
        session_token: parameter(request, "X-Amz-Security-Token"),
    };
    let missing = absent(&[
        ("X-Amz-Algorithm", &raw.algorithm),
        ("X-Amz-Credential", &raw.credential),
        ("X-Amz-Signature", &raw.signature),
        ("X-Amz-SignedHeaders", &raw.signed_headers),
        ("X-Amz-Date", &raw.date),
        ("X-Amz-Expires", &raw.expires),
    ]);
    if missing.is_empty() {
        Ok(raw)
    } else {
        Err(Error::QueryParametersMissing(missing))
    }
}

fn absent(wanted: &[(&'static str, &str)]) -> Vec<&'static str> {
    wanted
        .iter()
        .filter(|(_, value)| value.is_empty())
        .map(|(name, _)| *name)
        .collect()
}

/// The first query parameter of that name, decoded.
fn parameter(request: &Request<'_>, wanted: &str) -> Option<String> {
    let (_, value) = request
        .parameters()
        .find(|(name, _)| decode(name) == wanted.as_bytes())?;
    Some(text(&decode(value)).into_owned())
}
