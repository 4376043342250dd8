//! The Query protocol, as far as clients of a registry need it: `sts:GetCallerIdentity`.
//!
//! Requests are forms, answers XML (auth.md section 4). Any other action is refused in the same
//! form, so that a client sees a plain error and goes on.

use http::request::Parts;
use http::{HeaderValue, Response, StatusCode, header};
use roadstead_registry::context::RequestContext;
use sha2::{Digest as _, Sha256};

use super::authenticate::{self, Signed};
use super::error::Failure;
use crate::body::{self, Body};
use crate::{Arrived, Faces};

const STS_VERSION: &str = "2011-06-15";
const IAM_VERSION: &str = "2010-05-08";
const STS_NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";
/// Most bytes of a name in an answer that says that it is not known; the longest of AWS's is shorter.
const NAME_BYTES_MAX: usize = 128;
const XML: HeaderValue = HeaderValue::from_static("text/xml");

/// A refusal of the Query protocol.
#[derive(Debug, PartialEq)]
struct Refusal {
    code: &'static str,
    status: u16,
    message: String,
}

/// Answers a form.
pub(super) async fn handle(
    faces: &Faces,
    arrived: &Arrived,
    head: &Parts,
    form: &[u8],
) -> Response<Body> {
    let id = &arrived.request_id;
    match answer(faces, arrived, head, form).await {
        Ok(signed) => xml(StatusCode::OK, caller_identity(&signed)),
        Err(Refusal {
            code,
            status,
            message,
        }) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            xml(status, error_document(code, status, &message, id))
        }
    }
}

/// A caller that asks for its identity, which no policy can deny.
async fn answer(
    faces: &Faces,
    arrived: &Arrived,
    head: &Parts,
    form: &[u8],
) -> Result<Signed, Refusal> {
    let action = action(form)?;
    let service = match action {
        Action::CallerIdentity => "sts",
        Action::Iam(_) => "iam",
    };
    let body_sha256 = Sha256::digest(form).into();
    let signed = authenticate::signed(faces, arrived, head, body_sha256, service).await;
    let signed = signed.map_err(|failure| refused(failure, &arrived.request_id))?;
    match action {
        Action::CallerIdentity => Ok(signed),
        Action::Iam(name) => Err(no_iam(&signed.context, &name)),
    }
}

#[derive(Debug, PartialEq)]
enum Action {
    CallerIdentity,
    Iam(String),
}

fn action(form: &[u8]) -> Result<Action, Refusal> {
    let (mut action, mut version) = (String::new(), String::new());
    for (name, value) in form_urlencoded::parse(form) {
        match name.as_ref() {
            "Action" => action = value.into_owned(),
            "Version" => version = value.into_owned(),
            _ => {}
        }
    }
    // What a stranger sends comes back in an answer, which nobody may have to hold.
    for text in [&mut action, &mut version] {
        text.truncate(text.floor_char_boundary(NAME_BYTES_MAX));
    }
    let refuse = |code, message| {
        Err(Refusal {
            code,
            status: 400,
            message,
        })
    };
    match (version.as_str(), action.as_str()) {
        (_, "") => refuse("MissingAction", "The form has no member 'Action'".into()),
        (STS_VERSION, "GetCallerIdentity") => Ok(Action::CallerIdentity),
        (IAM_VERSION, name) => Ok(Action::Iam(name.to_owned())),
        (STS_VERSION, name) => refuse(
            "InvalidAction",
            format!(
                "The operation {name} of AWS Security Token Service is not offered yet by this \
                 server"
            ),
        ),
        (version, name) => {
            let message = format!("No service has the operation '{name}' in version '{version}'");
            refuse("InvalidAction", message)
        }
    }
}

/// No identity but the root of an account exists, so there is nothing that IAM could show.
fn no_iam(context: &RequestContext, action: &str) -> Refusal {
    let arn = context.principal.arn();
    Refusal {
        code: "AccessDenied",
        status: 403,
        message: format!(
            "User: {arn} is not authorized to perform: iam:{action} on resource: * because no \
             identity-based policy allows the iam:{action} action"
        ),
    }
}

fn refused(failure: Failure, request_id: &str) -> Refusal {
    if let Failure::Signature(error) = &failure {
        return Refusal {
            code: error.code_query(),
            status: error.status_query(),
            message: error.to_string(),
        };
    }
    let inner = failure.into_refusal(None, request_id);
    Refusal {
        code: "InternalFailure",
        status: 500,
        message: inner.message,
    }
}

fn caller_identity(Signed { context, account }: &Signed) -> String {
    let arn = context.principal.arn();
    let request_id = escaped(&context.request_id);
    format!(
        "<GetCallerIdentityResponse xmlns=\"{STS_NAMESPACE}\">\n  <GetCallerIdentityResult>\n    \
         <Arn>{arn}</Arn>\n    <UserId>{account}</UserId>\n    <Account>{account}</Account>\n  \
         </GetCallerIdentityResult>\n  <ResponseMetadata>\n    \
         <RequestId>{request_id}</RequestId>\n  </ResponseMetadata>\n\
         </GetCallerIdentityResponse>\n"
    )
}

fn error_document(code: &str, status: StatusCode, message: &str, request_id: &str) -> String {
    let blame = match status.is_server_error() {
        true => "Receiver",
        false => "Sender",
    };
    let (message, request_id) = (escaped(message), escaped(request_id));
    format!(
        "<ErrorResponse xmlns=\"{STS_NAMESPACE}\">\n  <Error>\n    <Type>{blame}</Type>\n    \
         <Code>{code}</Code>\n    <Message>{message}</Message>\n  </Error>\n  \
         <RequestId>{request_id}</RequestId>\n</ErrorResponse>\n"
    )
}

/// Text as XML content; what XML 1.0 cannot carry at all becomes the replacement character.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\t' | '\n' | '\r' => escaped.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {
                escaped.push(char::REPLACEMENT_CHARACTER);
            }
            c => escaped.push(c),
        }
    }
    escaped
}

fn xml(status: StatusCode, document: String) -> Response<Body> {
    let mut response = Response::new(body::full(document));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, XML);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions() {
        let identity = b"Action=GetCallerIdentity&Version=2011-06-15";
        assert_eq!(action(identity), Ok(Action::CallerIdentity));
        let escaped = b"Version=2011%2D06-15&Action=GetCallerIdent%69ty";
        assert_eq!(action(escaped), Ok(Action::CallerIdentity));
        let user = b"Action=GetUser&Version=2010-05-08";
        assert_eq!(action(user), Ok(Action::Iam("GetUser".into())));
        for (form, code) in [
            (&b""[..], "MissingAction"),
            (b"Version=2011-06-15", "MissingAction"),
            (b"Action=AssumeRole&Version=2011-06-15", "InvalidAction"),
            (b"Action=GetCallerIdentity", "InvalidAction"),
            (b"Action=%", "InvalidAction"),
            (b"Action=%zz&Version=%2", "InvalidAction"),
        ] {
            assert_eq!(action(form).map_err(|refusal| refusal.code), Err(code));
        }
    }

    #[test]
    fn messages_cannot_break_the_document() {
        let document = error_document("X", StatusCode::FORBIDDEN, "</Message>&\0", "id");
        assert!(document.contains("<Message>&lt;/Message&gt;&amp;\u{fffd}</Message>"));
    }
}
