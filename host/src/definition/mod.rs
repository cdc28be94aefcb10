//! Definitions of services and checks in Consul's shape.
//!
//! One decoder serves the HTTP API (`PUT /v1/agent/service/register`, whose errors are the texts
//! of Go's decoder) and configuration files (whose errors name file, line and column). Keys are
//! accepted in Consul's snake_case and CamelCase alike. [`to_json`] writes the API's form back,
//! for the commands that register what a file describes.

mod catalog;
mod check;
mod encode;
mod service;
#[cfg(test)]
mod tests;

use chancery_core::{CheckRegistration, GoDurationError, Registration, Secret};

pub(crate) use self::catalog::{
    CatalogRegistration, deregistration_from_json, registration_from_json,
};
pub(crate) use self::check::read_check;
pub use self::encode::to_json;
pub(crate) use self::service::read_service;
use crate::config::hcl::{self, JsonError, ValueKind};
use crate::config::{Problem, ProblemKind, Problems, Reader};

/// A service to register and the token to register it with.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ServiceDefinition {
    /// What is to be registered; nothing of it is checked yet.
    pub registration: Registration,
    /// The token that the agent uses for the service.
    pub token: Option<Secret>,
}

/// Reads the body of `PUT /v1/agent/service/register`.
///
/// # Errors
/// The first thing that Go's decoder would complain about, in its words. Consul puts
/// `Request decode failed: ` before it.
pub fn service_from_json(body: &[u8]) -> Result<ServiceDefinition, DecodeError> {
    from_json(body, "structs.ServiceDefinition", read_service)
}

/// Reads the body of `PUT /v1/agent/check/register`, or a check inside one.
///
/// # Errors
/// As [`service_from_json`].
pub fn check_from_json(body: &[u8]) -> Result<StandaloneCheck, DecodeError> {
    from_json(body, "structs.CheckDefinition", check::read_standalone)
}

/// A check that is registered by itself.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct StandaloneCheck {
    /// The check and whom it is about; nothing of it is checked yet.
    pub registration: CheckRegistration,
    /// The token that the agent uses for the check.
    pub token: Option<Secret>,
}

/// Why a body is no definition, in the words of Go's decoder.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// A duration that Go would refuse.
    #[error(transparent)]
    Duration(#[from] GoDurationError),
    /// Not JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// A value that is not allowed; our own words.
    #[error("{0}")]
    Refused(String),
    /// A field that the object does not have.
    #[error("json: unknown field {0:?}")]
    UnknownField(String),
    /// A value of another type than the field has.
    #[error("json: cannot unmarshal {found} into Go {} of type {wanted}", go_place(.field))]
    WrongType {
        /// What the document has, by Go's name for it.
        found: &'static str,
        /// The field, empty for the document itself.
        field: String,
        /// The Go type of the field.
        wanted: &'static str,
    },
}

impl DecodeError {
    fn new(problem: Problem) -> Self {
        match problem.kind {
            ProblemKind::Duration(error) => Self::Duration(error),
            ProblemKind::UnknownKey { key, .. } => Self::UnknownField(key),
            ProblemKind::WrongSort {
                json_sort, go_type, ..
            } => Self::WrongType {
                found: json_sort,
                field: encode::go_name(problem.path.rsplit('.').next().unwrap_or_default()),
                wanted: go_type,
            },
            ProblemKind::Ignored | ProblemKind::Refused(_) | ProblemKind::Remark(_) => {
                Self::Refused(problem.text())
            }
        }
    }
}

/// Go names the struct before the point; Consul's are anonymous here.
fn go_place(field: &str) -> String {
    if field.is_empty() {
        "value".to_owned()
    } else {
        format!("struct field .{field}")
    }
}

fn from_json<T: Default>(
    body: &[u8],
    go_type: &'static str,
    read: impl FnOnce(&mut Reader<'_, '_>) -> T,
) -> Result<T, DecodeError> {
    // Go replaces bytes that are no UTF-8 in the same way.
    let text = String::from_utf8_lossy(body);
    let value = hcl::parse_first_json(&text)?;
    let object = match &value.kind {
        ValueKind::Object(object) => object,
        ValueKind::Null => return Ok(T::default()),
        _ => {
            return Err(DecodeError::WrongType {
                found: value.json_sort(),
                field: String::new(),
                wanted: go_type,
            });
        }
    };
    let mut problems = Problems::default();
    let read = Reader::new(object, &mut problems).read(read);
    let first = problems
        .sorted()
        .into_iter()
        .find(|problem| !problem.is_warning());
    match first {
        None => Ok(read),
        Some(problem) => Err(DecodeError::new(problem)),
    }
}
