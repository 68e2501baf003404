//! Set: what is sent, and what its end means. The one call that must never be repeated blindly.
//!
//! A Set that failed before any byte of it left is `Unreachable`. One the device answered with an error was not applied
//! (gNMI: one transaction). Everything else, whatever the library calls it, is `Unknown`.

use serde_json::Value as Json;
use tonic::{Code, Status};

use super::error::{Error, is_local, reason_of};
use super::named::named_path;
use super::wire::{convert, proto};
use crate::path::Path;

/// A Set in the order of its fields: deletes, replaces, updates. Values are JSON_IETF; a JSON string at origin `cli` is sent
/// as text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SetParts {
    /// Leaves and list entries.
    pub delete: Vec<Path>,
    /// Each becomes exactly this.
    pub replace: Vec<(Path, Json)>,
    /// Each gets this merged in.
    pub update: Vec<(Path, Json)>,
}

/// What the device did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// A delete.
    Delete,
    /// A replace.
    Replace,
    /// An update.
    Update,
    /// It did not say.
    Other,
}

/// A Set the device says it applied. Some say so and change nothing: read back.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SetAnswer {
    /// As the device said it, nanoseconds where it keeps to the protocol.
    pub timestamp: i64,
    /// One a part, if the device lists them; some do not.
    pub results: Vec<(Path, Operation)>,
}

impl SetParts {
    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.delete.is_empty() && self.replace.is_empty() && self.update.is_empty()
    }

    /// Every path in it, in the order of the fields.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.delete.iter().chain(self.replace.iter().map(|(path, _)| path)).chain(self.update.iter().map(|(path, _)| path))
    }

    /// The message.
    pub fn message(&self) -> proto::SetRequest {
        let update = |(path, json): &(Path, Json)| proto::Update {
            path: Some(convert::path_message(path)),
            val: Some(convert::set_value_message(path, json)),
            ..proto::Update::default()
        };
        proto::SetRequest {
            delete: self.delete.iter().map(convert::path_message).collect(),
            replace: self.replace.iter().map(update).collect(),
            update: self.update.iter().map(update).collect(),
            ..proto::SetRequest::default()
        }
    }
}

/// Reads the answer; the deprecated error fields in it are refusals.
pub(crate) fn answer(device: &str, parts: &SetParts, message: proto::SetResponse) -> Result<SetAnswer, Error> {
    #[allow(deprecated)]
    let errors = message.message.iter().chain(message.response.iter().filter_map(|result| result.message.as_ref()));
    if let Some(error) = errors.into_iter().find(|error| error.code != 0) {
        let code = format!("{:?}", Code::from_i32(i32::try_from(error.code).unwrap_or(2)));
        let path = named_path(&error.message, parts.paths()).and_then(|index| parts.paths().nth(index).cloned());
        return Err(Error::Rejected { device: device.to_owned(), path, code, reason: error.message.clone() });
    }
    let prefix = message.prefix.as_ref().map(convert::path);
    let result = |result: &proto::UpdateResult| {
        let path = result.path.as_ref().map(|path| convert::path_below(prefix.as_ref(), path)).or_else(|| prefix.clone());
        let operation = match result.op() {
            proto::update_result::Operation::Delete => Operation::Delete,
            proto::update_result::Operation::Replace => Operation::Replace,
            proto::update_result::Operation::Update => Operation::Update,
            _ => Operation::Other,
        };
        (path.unwrap_or_default(), operation)
    };
    Ok(SetAnswer { timestamp: message.timestamp, results: message.response.iter().map(result).collect() })
}

/// What a Set that ended with `status` means. `left`: the request was handed to the connection. `trouble`: what the
/// connection said when it broke.
pub(crate) fn failure(device: &str, address: &str, parts: &SetParts, status: &Status, left: bool, trouble: Option<Error>) -> Error {
    let reason = reason_of(status);
    let device = device.to_owned();
    if is_local(status) {
        return match (left, trouble) {
            (true, Some(Error::Broken { reason, .. })) => Error::Unknown { device, reason },
            (true, trouble) => Error::Unknown { device, reason: trouble.map_or(reason, |error| error.to_string()) },
            (false, Some(error @ (Error::Settings { .. } | Error::NotTls { .. } | Error::NeedsTls { .. } | Error::Certificate { .. }))) => {
                error
            }
            (false, Some(Error::Unreachable { reason, .. } | Error::Broken { reason, .. })) => {
                Error::Unreachable { device, address: address.to_owned(), reason }
            }
            (false, _) => Error::Unreachable { device, address: address.to_owned(), reason },
        };
    }
    match status.code() {
        Code::Unauthenticated => Error::Denied { device, known: false, reason },
        Code::PermissionDenied => Error::Denied { device, known: true, reason },
        Code::Unimplemented => Error::Unimplemented { device, what: "Set".to_owned(), reason },
        code @ (Code::Unavailable | Code::ResourceExhausted | Code::Aborted) => {
            Error::Unavailable { device, code: format!("{code:?}"), reason }
        }
        Code::Ok | Code::Cancelled | Code::DeadlineExceeded | Code::DataLoss => Error::Unknown { device, reason },
        code => {
            let path = named_path(&reason, parts.paths()).and_then(|index| parts.paths().nth(index).cloned());
            Error::Rejected { device, path, code: format!("{code:?}"), reason }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn parts() -> SetParts {
        let path = |text: &str| Path::parse(text).unwrap();
        SetParts {
            delete: vec![path("/interfaces/interface[name=Ethernet1]/config/description")],
            replace: vec![(path("/system/config/hostname"), "leaf1".into())],
            update: vec![(path("cli:/"), "interface Ethernet1\n   no shutdown".into())],
        }
    }

    #[test]
    fn cli_lines_are_text_and_the_rest_is_json() {
        let message = parts().message();
        let value = |update: &proto::Update| update.val.clone().unwrap().value.unwrap();
        assert!(matches!(value(&message.update[0]), proto::typed_value::Value::AsciiVal(text) if text.contains("no shutdown")));
        assert!(matches!(value(&message.replace[0]), proto::typed_value::Value::JsonIetfVal(json) if json == "\"leaf1\""));
        assert_eq!(message.update[0].path.as_ref().unwrap().origin, "cli");
        assert!(message.update[0].path.as_ref().unwrap().elem.is_empty());
    }

    #[test]
    fn the_end_of_a_set_is_told_apart() {
        let local = |code: Code| {
            let mut status = Status::new(code, "transport error");
            status.set_source(Arc::new(std::io::Error::other("connection reset by peer")));
            status
        };
        let broken = || Some(Error::Broken { device: "leaf1".into(), reason: "gone".into() });
        let end = |status: &Status, left: bool, trouble: Option<Error>| failure("leaf1", "leaf1:6030", &parts(), status, left, trouble);
        assert!(matches!(end(&local(Code::Unavailable), false, None), Error::Unreachable { .. }));
        assert!(matches!(end(&local(Code::Unavailable), false, broken()), Error::Unreachable { .. }));
        for code in [Code::Unavailable, Code::Unknown, Code::Internal, Code::Cancelled, Code::InvalidArgument] {
            assert!(
                matches!(end(&local(code), true, None), Error::Unknown { .. }),
                "{code:?}: a lost answer is unknown whatever it is called"
            );
            assert!(matches!(end(&local(code), true, broken()), Error::Unknown { .. }));
        }
        let said = |code: Code, text: &str| end(&Status::new(code, text), true, None);
        for text in ["Missing response message.", "grpc-status header missing, mapped from HTTP status code 200"] {
            assert!(matches!(said(Code::Internal, text), Error::Unknown { .. }), "{text}");
        }
        for code in [Code::DeadlineExceeded, Code::Cancelled, Code::DataLoss] {
            assert!(matches!(said(code, "x"), Error::Unknown { .. }));
        }
        assert!(matches!(said(Code::Unauthenticated, "x"), Error::Denied { known: false, .. }));
        assert!(matches!(said(Code::PermissionDenied, "x"), Error::Denied { known: true, .. }));
        assert!(matches!(said(Code::Unimplemented, "x"), Error::Unimplemented { .. }));
        assert!(matches!(said(Code::ResourceExhausted, "x"), Error::Unavailable { .. }));
        match said(Code::InvalidArgument, "failed to apply: \"/system/config/hostname\": too long") {
            Error::Rejected { path: Some(path), code, .. } => {
                assert_eq!((path.to_string(), code), ("/system/config/hostname".into(), "InvalidArgument".into()))
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    #[allow(deprecated)]
    fn an_error_inside_an_ok_answer_is_a_refusal() {
        let message = proto::SetResponse {
            response: vec![proto::UpdateResult {
                message: Some(proto::Error { code: 3, message: "no".into(), data: None }),
                ..proto::UpdateResult::default()
            }],
            ..proto::SetResponse::default()
        };
        assert!(matches!(answer("leaf1", &parts(), message), Err(Error::Rejected { .. })));
        assert_eq!(answer("leaf1", &parts(), proto::SetResponse::default()), Ok(SetAnswer::default()));
    }
}
